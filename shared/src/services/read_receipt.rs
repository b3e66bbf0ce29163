//! Read receipts: blue ticks at WhatsApp.

use serde::Serialize;

use crate::{
    domain::chat::Chat,
    domain::message::Channel,
    domain::session::Session,
    services::credentials::{Credentials, Replacement},
    telemetry,
    whatsapp::{CloudApi, SendError},
};

/// What became of the blue ticks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReadReceipt {
    read_receipt: &'static str,
    /// Why they could not be had.
    read_receipt_error: Option<String>,
}

impl ReadReceipt {
    /// There is nothing to mark, or nobody to tell: the contact has not written, or a linked device has the session.
    const NONE: Self = Self { read_receipt: "none", read_receipt_error: None };
    const SENT: Self = Self { read_receipt: "sent", read_receipt_error: None };

    fn failed(error: String) -> Self {
        Self { read_receipt: "failed", read_receipt_error: Some(error) }
    }
}

/// Tells WhatsApp that the contact's last message has been read, and with it all before. A failure is part of the answer
/// and no error: the chat is read, and asking again marks it at WhatsApp, however often.
pub async fn send_read_receipt(
    cloud_api: &CloudApi,
    credentials: &Credentials,
    session: &Session,
    chat: &Chat,
) -> ReadReceipt {
    let (Some(number), Some(wamid)) = (&session.phone_number_id, &chat.last_inbound_wamid) else {
        return ReadReceipt::NONE;
    };
    if session.channel == Channel::Worker {
        return ReadReceipt::NONE;
    }
    let token = match credentials.access_token(number).await {
        Ok(token) => token,
        Err(error) => {
            tracing::error!(error = telemetry::chain(&error), "no access token for a read receipt");
            return ReadReceipt::failed("The access token could not be read".to_owned());
        }
    };
    let mut marked = cloud_api.mark_read(number, token.as_str(), wamid).await;
    if marked.as_ref().is_err_and(SendError::is_token_refused)
        && let Replacement::Token(newer) = credentials.replacement(number, &token).await
    {
        marked = cloud_api.mark_read(number, newer.as_str(), wamid).await;
    }
    match marked {
        Ok(()) => ReadReceipt::SENT,
        Err(problem) => {
            let (code, fbtrace_id) = (problem.code, problem.fbtrace_id);
            tracing::warn!(chat_id = %chat.id, code, fbtrace_id, "a read receipt was not taken");
            ReadReceipt::failed(problem.error)
        }
    }
}
