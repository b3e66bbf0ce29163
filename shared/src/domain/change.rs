//! Changes: the entries of a session's change log. A change has keys, a type, and a time, but no content: readers get the
//! message or chat as it is when they read.

pub mod derive;
pub mod log;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::domain::{
    id::{ChangeId, ChatId, SessionId},
    message::{MessageStatus, Source},
    message_key::MessageKey,
    time::Timestamp,
};

macro_rules! change_types {
    ($($(#[doc = $doc:literal])+ $variant:ident $name:literal,)+) => {
        /// The type of a change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ChangeType {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl ChangeType {
            /// Every type.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the type's name in requests, responses, and the table.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

change_types! {
    /// A contact's message was stored.
    MessageReceived "message.received",
    /// A message of the business was stored: sent through the API, by a rule, or from a device.
    MessageCreated "message.created",
    /// A message about another one was stored: a reaction, an edit, a deletion, a pin, or a system message.
    MessageAction "message.action",
    /// WhatsApp accepted a message.
    MessageSent "message.sent",
    /// A message reached the contact's device.
    MessageDelivered "message.delivered",
    /// The contact read a message.
    MessageRead "message.read",
    /// The contact played a voice message.
    MessagePlayed "message.played",
    /// A message failed.
    MessageFailed "message.failed",
    /// It is unknown whether WhatsApp accepted a message.
    MessageUnknown "message.unknown",
    /// A message was edited by its sender.
    MessageEdited "message.edited",
    /// A message was deleted by its sender.
    MessageDeleted "message.deleted",
    /// The file of a message was stored, or can't be.
    MessageMedia "message.media",
    /// A reaction to a message was added or removed.
    MessageReaction "message.reaction",
    /// A chat was created.
    ChatCreated "chat.created",
    /// A chat's status, name, or unread state was changed through the API, or the contact's consent changed.
    ChatUpdated "chat.updated",
    /// A chat was merged into another chat of the same contact.
    ChatMerged "chat.merged",
    /// The erasure of a chat was requested.
    ChatErased "chat.erased",
    /// A session was linked to a number, or its worker connected.
    SessionConnected "session.connected",
    /// The session's worker disconnected.
    SessionDisconnected "session.disconnected",
    /// Sending was paused.
    SessionPaused "session.paused",
    /// Sending was resumed.
    SessionResumed "session.resumed",
    /// A session has a new QR code.
    SessionQr "session.qr",
    /// A webhook event that names the session's number was stored.
    AccountEvent "account.event",
    /// A webhook was disabled because its receiver failed for days or responded 410.
    WebhookDisabled "webhook.disabled",
    /// A test. It isn't in the log.
    WebhookTest "webhook.test",
}

impl ChangeType {
    /// Returns the type of a status; `None` for one that isn't reported.
    pub fn of_status(status: MessageStatus) -> Option<Self> {
        match status {
            MessageStatus::Sent => Some(Self::MessageSent),
            MessageStatus::Delivered => Some(Self::MessageDelivered),
            MessageStatus::Read => Some(Self::MessageRead),
            MessageStatus::Played => Some(Self::MessagePlayed),
            MessageStatus::Failed | MessageStatus::Undelivered => Some(Self::MessageFailed),
            MessageStatus::Unknown => Some(Self::MessageUnknown),
            MessageStatus::Pending | MessageStatus::Sending | MessageStatus::Received => None,
        }
    }
}

impl fmt::Display for ChangeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text isn't the name of a type.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an event type")]
pub struct NotAChangeType;

impl FromStr for ChangeType {
    type Err = NotAChangeType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or(NotAChangeType)
    }
}

/// A change to append to a session's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewChange {
    /// The ID. A change that is reported again has the same.
    pub id: ChangeId,
    /// The type.
    pub kind: ChangeType,
    /// When it happened: a status's own time, otherwise when the table was changed.
    pub at: Timestamp,
    /// The chat, if it is about one.
    pub chat_id: Option<ChatId>,
    /// What it is about.
    pub subject: Subject,
}

/// What a change is about, as keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A message, with its origin if it isn't live or from the API.
    Message {
        /// The message's key in text form.
        key: String,
        /// See [`Source`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<Source>,
    },
    /// The chat in [`NewChange::chat_id`], and the one that it was merged into.
    Chat {
        /// The surviving chat of a merge.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        merged_into: Option<ChatId>,
    },
    /// The session itself.
    Session,
    /// A stored webhook event.
    Event {
        /// Its ID.
        id: uuid::Uuid,
    },
    /// A webhook.
    Webhook {
        /// Its ID.
        id: crate::domain::id::WebhookId,
    },
}

/// A change in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The session.
    pub session_id: SessionId,
    /// The number. A session's changes have ascending numbers. Numbers can be missing.
    pub sequence: u64,
    /// When it was appended.
    pub appended_at: Timestamp,
    /// The change.
    pub change: NewChange,
}

impl Change {
    /// Returns the chat whose erasure also deletes the deliveries of this change. The erasure's own deliveries stay.
    pub fn erased_with(&self) -> Option<ChatId> {
        self.change.chat_id.filter(|_| self.change.kind != ChangeType::ChatErased)
    }
}

impl NewChange {
    /// Returns the key of the message that the change is about, if any.
    pub fn message_key(&self) -> Option<MessageKey> {
        match &self.subject {
            Subject::Message { key, .. } => key.parse().ok(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_type() {
        let documentation = include_str!("../../../docs/webhooks.md");
        let section = documentation.split_once("## Events").unwrap().1;
        let table = section.split("### ").next().unwrap();
        for kind in ChangeType::ALL {
            assert!(table.contains(&format!("`{kind}`")), "{kind}");
        }
    }
}
