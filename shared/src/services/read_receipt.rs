//! Read receipts: marks a chat as read, in the table and at WhatsApp.

use serde::Serialize;

use crate::{
    domain::{chat::Chat, inbox::ChatChange, message::Channel, session::Session},
    services::{
        chats::ChatError,
        credentials::{Credentials, Replacement},
    },
    store::Store,
    telemetry,
    whatsapp::{CloudApi, SendError},
};

/// The outcome at WhatsApp, as responses contain it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReadReceipt {
    read_receipt: &'static str,
    read_receipt_error: Option<String>,
}

impl ReadReceipt {
    /// There is no message to mark: the contact hasn't written, or a worker serves the session.
    const NONE: Self = Self { read_receipt: "none", read_receipt_error: None };
    const SENT: Self = Self { read_receipt: "sent", read_receipt_error: None };

    fn failed(error: String) -> Self {
        Self { read_receipt: "failed", read_receipt_error: Some(error) }
    }
}

/// Marks chats as read.
#[derive(Clone, Debug)]
pub struct ReadReceipts {
    cloud_api: CloudApi,
    credentials: Credentials,
}

impl ReadReceipts {
    /// Creates the use case.
    pub fn new(cloud_api: CloudApi, credentials: Credentials) -> Self {
        Self { cloud_api, credentials }
    }

    /// Marks the chat as read in the table, then at WhatsApp. A failure at WhatsApp is part of the result: the chat is
    /// read either way, and a repeated request marks it at WhatsApp.
    ///
    /// # Errors
    ///
    /// [`ChatError`] if the chat or its session was erased, or the table can't be updated.
    pub async fn mark_read(&self, store: &Store, chat: &Chat) -> Result<(Chat, ReadReceipt), ChatError> {
        let (session, chat) =
            tokio::join!(store.sessions().get(chat.session_id), store.chats().change(chat, &ChatChange::READ));
        let (session, chat) = (session?, chat?.ok_or(ChatError::NotFound)?);
        let receipt = self.send(&session.ok_or(ChatError::SessionNotFound)?, &chat).await;
        Ok((chat, receipt))
    }

    /// Marks the contact's last message as read at WhatsApp, which includes all messages before it (Meta, *Mark
    /// messages as read*).
    async fn send(&self, session: &Session, chat: &Chat) -> ReadReceipt {
        let (Some(number), Some(wamid)) = (&session.phone_number_id, &chat.last_inbound_wamid) else {
            return ReadReceipt::NONE;
        };
        if session.channel == Channel::Worker {
            return ReadReceipt::NONE;
        }
        let token = match self.credentials.access_token(number).await {
            Ok(token) => token,
            Err(error) => {
                tracing::error!(error = telemetry::chain(&error), "access token not available");
                return ReadReceipt::failed("The access token is not available".to_owned());
            }
        };
        let mut marked = self.cloud_api.mark_read(number, token.as_str(), wamid).await;
        if marked.as_ref().is_err_and(SendError::is_token_refused)
            && let Replacement::Token(newer) = self.credentials.replacement(number, &token).await
        {
            marked = self.cloud_api.mark_read(number, newer.as_str(), wamid).await;
        }
        match marked {
            Ok(()) => ReadReceipt::SENT,
            Err(error) => {
                let (code, fbtrace_id) = (error.code, error.fbtrace_id);
                tracing::warn!(chat_id = %chat.id, code, fbtrace_id, "read receipt rejected");
                ReadReceipt::failed(error.error)
            }
        }
    }
}
