//! Changes with what they are about: the content of `GET /api/changes` and of webhooks.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    domain::{
        change::{Change, ChangeType, Subject},
        chat::Chat,
        id::{ChangeId, ChatId, MessageId, SessionId, WebhookId},
        message::{Message, MessageStatus, Source},
        session::Session,
        time::Timestamp,
    },
    services::resources::{ChatDetailResponse, EventResponse, MessageDetailResponse, SessionStateResponse},
    store::{MessageMetadata, Store, StoreError, StoredEvent, Subjects},
    telemetry,
};

/// A change with what it is about, as it is now. Never older than the change.
#[derive(Clone, Debug)]
pub struct ResolvedChange {
    /// The change.
    pub change: Change,
    /// The message. `None` if it was erased or has expired.
    pub message: Option<Arc<(Message, MessageMetadata)>>,
    /// The chat, or the one that it was merged into. `None` if it was erased.
    pub chat: Option<Arc<Chat>>,
    /// The session, of a change of the session.
    pub session: Option<Arc<Session>>,
    /// The webhook event.
    pub event: Option<Arc<StoredEvent>>,
}

/// Reads what changes are about. Returns the changes in the same order.
///
/// # Errors
///
/// If a DynamoDB request fails. Content that was erased, has expired, or can't be read is `None` instead.
pub async fn resolve(store: &Store, changes: Vec<Change>) -> Result<Vec<ResolvedChange>, StoreError> {
    let subjects = store.subjects_of(&changes).await?;
    Ok(changes.into_iter().map(|change| ResolvedChange::new(change, &subjects)).collect())
}

impl ResolvedChange {
    fn new(change: Change, subjects: &Subjects) -> Self {
        let key = change.change.message_key();
        // The contact may have written again after the erasure. That is another chat with the same ID.
        let chat_id = change.change.chat_id.filter(|_| change.change.kind != ChangeType::ChatErased);
        let chat = chat_id.or(key.map(|key| key.chat_id)).and_then(|id| subjects.chat(id));
        let (session, event) = match &change.change.subject {
            Subject::Session => (subjects.session(change.session_id), None),
            Subject::Event { id } => (None, subjects.event(*id)),
            Subject::Message { .. } | Subject::Chat { .. } | Subject::Webhook { .. } => (None, None),
        };
        Self {
            message: key.and_then(|key| subjects.message(&key)).cloned(),
            chat: chat.cloned(),
            session: session.cloned(),
            event: event.cloned(),
            change,
        }
    }

    /// Returns the change without anything that must be read, such as `webhook.test`.
    pub fn without_content(change: Change) -> Self {
        Self::new(change, &Subjects::default())
    }

    /// Returns the change as `GET /api/changes` and webhooks contain it.
    ///
    /// # Errors
    ///
    /// If the change can't be written as JSON.
    pub fn json(&self) -> Result<Box<RawValue>, serde_json::Error> {
        to_raw_value(&self.response())
    }

    fn response(&self) -> ChangeResponse<'_> {
        let Change { session_id, sequence, change, .. } = &self.change;
        let mut response = ChangeResponse {
            id: change.id,
            sequence: *sequence,
            kind: change.kind,
            at: change.at,
            session_id: *session_id,
            chat_id: change.chat_id,
            message_id: change.message_key().map(|key| key.message_id),
            status: status_of(change.kind),
            source: None,
            message: None,
            chat: None,
            merged_into: None,
            session: None,
            event: None,
            webhook_id: None,
        };
        let chat = || Some(self.chat.as_deref().map(ChatDetailResponse::from));
        match &change.subject {
            Subject::Message { source, .. } => {
                response.source = Some(*source);
                response.message = Some(self.message.as_deref().and_then(detail));
                if has_chat(change.kind) {
                    response.chat = chat();
                }
            }
            Subject::Chat { merged_into } => {
                response.chat = chat();
                response.merged_into = *merged_into;
            }
            Subject::Session => response.session = Some(self.session.as_deref().map(SessionStateResponse::from)),
            Subject::Event { .. } => response.event = Some(self.event.as_deref().cloned().map(EventResponse::from)),
            Subject::Webhook { id } => response.webhook_id = Some(*id),
        }
        response
    }
}

/// Returns whether changes of a message contain its chat. A bot needs the contact's name and number to answer.
fn has_chat(kind: ChangeType) -> bool {
    matches!(kind, ChangeType::MessageReceived | ChangeType::MessageCreated | ChangeType::MessageAction)
}

/// Returns the status that a change reports. The message may have moved on since.
fn status_of(kind: ChangeType) -> Option<MessageStatus> {
    match kind {
        ChangeType::MessageSent => Some(MessageStatus::Sent),
        ChangeType::MessageDelivered => Some(MessageStatus::Delivered),
        ChangeType::MessageRead => Some(MessageStatus::Read),
        ChangeType::MessagePlayed => Some(MessageStatus::Played),
        ChangeType::MessageFailed => Some(MessageStatus::Failed),
        ChangeType::MessageUnknown => Some(MessageStatus::Unknown),
        _ => None,
    }
}

fn detail((message, metadata): &(Message, MessageMetadata)) -> Option<MessageDetailResponse> {
    MessageDetailResponse::new(message.clone(), metadata.clone())
        .inspect_err(|error| tracing::error!(error = telemetry::chain(error), "message of a change is invalid"))
        .ok()
}

/// A change. The optional members depend on its type. An absent one isn't part of the type, and `null` stands for what
/// was erased, has expired, or isn't set.
#[derive(Debug, Serialize)]
struct ChangeResponse<'a> {
    id: ChangeId,
    sequence: u64,
    #[serde(rename = "type")]
    kind: ChangeType,
    at: Timestamp,
    session_id: SessionId,
    chat_id: Option<ChatId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<MessageStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Option<Source>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Option<MessageDetailResponse>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chat: Option<Option<ChatDetailResponse>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_into: Option<ChatId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Option<SessionStateResponse<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Option<EventResponse>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_id: Option<WebhookId>,
}
