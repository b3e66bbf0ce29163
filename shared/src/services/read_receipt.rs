//! Read receipts and typing indicators: marks a chat as read, in the table and at WhatsApp, and shows the contact that
//! the business is typing.

use serde::Serialize;

use crate::{
    domain::{chat::Chat, inbox::ChatChange, message::Channel, session::Session},
    services::{
        chats::ChatError,
        credentials::{Credentials, Replacement},
    },
    store::{Store, StoreError},
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

/// The outcome of a typing indicator at WhatsApp, as responses contain it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TypingIndicator {
    typing_indicator: &'static str,
    typing_indicator_error: Option<String>,
}

/// A typing indicator can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum TypingError {
    /// A DynamoDB request failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The session was erased.
    #[error("Session not found")]
    SessionNotFound,
    /// The session was never paired.
    #[error("Session is not connected: scan the QR code of GET /api/qr with WhatsApp and send its text")]
    SessionNotConnected,
    /// A linked-device worker serves the session.
    #[error("The session is served by a worker: show the typing indicator on the linked device")]
    WorkerSession,
    /// The contact has not written, and WhatsApp shows the indicator only below a message of the contact.
    #[error("The contact has not written yet: WhatsApp shows a typing indicator only after a message of the contact")]
    NoInboundMessage,
}

/// Marks chats as read, and shows typing indicators.
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

    /// Shows the contact that the business is typing, until it sends a message, for at most 25 seconds. WhatsApp also
    /// marks the contact's last message, and all before it, as read. The chat in the table doesn't change. A failure at
    /// WhatsApp is part of the result.
    ///
    /// # Errors
    ///
    /// [`TypingError`] if the session can't show it, or the contact has not written.
    pub async fn show_typing(&self, store: &Store, chat: &Chat) -> Result<TypingIndicator, TypingError> {
        let session = store.sessions().get(chat.session_id).await?.ok_or(TypingError::SessionNotFound)?;
        if session.channel == Channel::Worker {
            return Err(TypingError::WorkerSession);
        }
        let number = session.phone_number_id.as_deref().ok_or(TypingError::SessionNotConnected)?;
        let wamid = chat.last_inbound_wamid.as_deref().ok_or(TypingError::NoInboundMessage)?;
        let shown = self.call(Signal::Typing, number, wamid).await;
        let error = shown.err().map(|error| error.log(chat, "typing indicator rejected"));
        Ok(TypingIndicator {
            typing_indicator: if error.is_none() { "sent" } else { "failed" },
            typing_indicator_error: error,
        })
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
        match self.call(Signal::Read, number, wamid).await {
            Ok(()) => ReadReceipt::SENT,
            Err(error) => ReadReceipt::failed(error.log(chat, "read receipt rejected")),
        }
    }

    /// Sends a signal with the number's access token, again with a newer one if WhatsApp refuses it.
    async fn call(&self, signal: Signal, number: &str, wamid: &str) -> Result<(), ReceiptError> {
        let token = self.credentials.access_token(number).await.map_err(|error| {
            tracing::error!(error = telemetry::chain(&error), "access token not available");
            ReceiptError::NoToken
        })?;
        let mut result = self.call_with(signal, number, token.as_str(), wamid).await;
        if result.as_ref().is_err_and(|error| error.is_token_refused)
            && let Replacement::Token(newer) = self.credentials.replacement(number, &token).await
        {
            result = self.call_with(signal, number, newer.as_str(), wamid).await;
        }
        result.map_err(ReceiptError::Refused)
    }

    async fn call_with(&self, signal: Signal, number: &str, token: &str, wamid: &str) -> Result<(), SendError> {
        match signal {
            Signal::Read => self.cloud_api.mark_read(number, token, wamid).await,
            Signal::Typing => self.cloud_api.show_typing(number, token, wamid).await,
        }
    }
}

/// What WhatsApp shows the contact.
#[derive(Clone, Copy, Debug)]
enum Signal {
    Read,
    Typing,
}

/// Why WhatsApp didn't get a receipt or an indicator.
enum ReceiptError {
    NoToken,
    Refused(SendError),
}

impl ReceiptError {
    /// Logs a refusal as `event`, and returns the sentence for the response.
    fn log(self, chat: &Chat, event: &'static str) -> String {
        match self {
            Self::NoToken => "The access token is not available".to_owned(),
            Self::Refused(SendError { error, code, fbtrace_id, .. }) => {
                tracing::warn!(chat_id = %chat.id, code, fbtrace_id, "{event}");
                error
            }
        }
    }
}
