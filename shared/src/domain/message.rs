//! Messages and their delivery status.

mod readable_text;
mod reference;
mod status;

use serde::{Deserialize, Serialize};

use crate::domain::{
    cursor::MessagePosition,
    id::{ChatId, MessageId, SessionId},
    media_state::MessageMedia,
    message_key::MessageKey,
    profile::Writer,
    time::Timestamp,
};

pub use self::{
    readable_text::readable_text,
    reference::{InvalidReference, Reference},
    status::{DeliveryEvent, MessageStatus, Receipt},
};

/// The longest text that WhatsApp allows, in characters (Meta, *Text messages*).
pub const TEXT_LIMIT: usize = 4096;

/// The maximum size of a stored body, in bytes. WhatsApp's apps allow texts of 65,536 characters. The rest of a longer
/// text is only in the message's raw JSON. An item has up to 400 KB, which must suffice for the text and the content
/// before and after an edit, and the first part of the raw JSON.
pub const BODY_LIMIT: usize = 64 * 1024;

/// The maximum size of stored content, in bytes. Longer members are shortened, but the raw JSON is always complete.
pub const CONTENT_LIMIT: usize = 64 * 1024;

/// Returns the start of `text` with up to `limit` bytes, cut between characters.
pub fn shortened(mut text: String, limit: usize) -> String {
    text.truncate(text.floor_char_boundary(limit));
    text
}

/// The type of a message. The names are those of the Cloud API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are those of the Cloud API")]
pub enum MessageType {
    Text,
    Image,
    Video,
    Audio,
    Document,
    Sticker,
    Location,
    Contacts,
    Reaction,
    Interactive,
    Template,
    /// A tap on a quick-reply button of a template.
    Button,
    Order,
    /// A notification from WhatsApp about the contact, such as a new phone number or user ID.
    System,
    /// A new text or caption for an earlier message. The earlier message shows it as well.
    Edit,
    /// The deletion of an earlier message by its sender.
    Revoke,
    /// The pinning or unpinning of an earlier message of a group, by the business.
    Pin,
    /// The contact opened the chat for the first time.
    RequestWelcome,
    /// A call, in either direction. See [`crate::domain::call`].
    Call,
    /// An image, video, or document from the history whose content WhatsApp sends later, or never.
    MediaPlaceholder,
    /// A message of an unknown type, stored as WhatsApp sent it.
    Unsupported,
}

impl MessageType {
    /// Returns whether the inbox shows messages of this type and counts them as unread. The other types are about
    /// another message or about the contact.
    pub fn is_shown_in_inbox(self) -> bool {
        !matches!(self, Self::Reaction | Self::Edit | Self::Revoke | Self::Pin | Self::System)
    }

    /// Returns whether a person writes messages of this type, so that auto-reply rules can answer them. The other types
    /// are about another message or about the contact, or their author is unknown.
    pub fn is_user_authored(self) -> bool {
        match self {
            Self::Text | Self::Image | Self::Video | Self::Audio | Self::Document | Self::Sticker => true,
            Self::Location | Self::Contacts | Self::Interactive | Self::Button | Self::Order => true,
            Self::Reaction | Self::Edit | Self::Revoke | Self::Pin | Self::System => false,
            Self::RequestWelcome | Self::Call => false,
            Self::Template | Self::MediaPlaceholder | Self::Unsupported => false,
        }
    }
}

/// The channel that delivers a session's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The WhatsApp Cloud API, through `deliver`.
    #[default]
    CloudApi,
    /// A linked-device worker, which claims messages over the API.
    Worker,
}

impl Channel {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_cloud_api(&self) -> bool {
        *self == Self::CloudApi
    }
}

/// The origin of a message that is neither a live webhook message nor a send through the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Sent by the business from the WhatsApp Business app.
    Echo,
    /// Imported from the time before the number was connected.
    History,
    /// Received while another application had control of the conversation.
    Standby,
    /// Received through a linked-device worker.
    Device,
    /// Sent by an auto-reply rule.
    AutoReply,
}

/// What a message is about, as the caller says. The names are those of Meta's pricing categories. Only Qasid uses it: the
/// category that WhatsApp charges for depends on the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Offers and announcements. Not sent to contacts who refuse them.
    Marketing,
    /// A transaction, such as an order or an appointment.
    Utility,
    /// A one-time code.
    Authentication,
    /// An answer in a conversation.
    Service,
}

impl Category {
    /// All categories.
    pub const ALL: [Self; 4] = [Self::Marketing, Self::Utility, Self::Authentication, Self::Service];

    /// Returns the name that requests, responses, and the table use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Marketing => "marketing",
            Self::Utility => "utility",
            Self::Authentication => "authentication",
            Self::Service => "service",
        }
    }
}

/// The order in which messages of one number are sent while it has more of them than its rate allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before all bulk messages: a reply to a contact.
    #[default]
    Normal,
    /// At the rate that normal messages leave: a campaign.
    Bulk,
}

impl Priority {
    /// All priorities.
    pub const ALL: [Self; 2] = [Self::Normal, Self::Bulk];

    /// Returns the name that requests, responses, and the table use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Bulk => "bulk",
        }
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_normal(&self) -> bool {
        *self == Self::Normal
    }
}

/// An attempt to send a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When the attempt ended.
    pub at: Timestamp,
    /// The outcome.
    pub outcome: AttemptOutcome,
    /// WhatsApp's error code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// WhatsApp's trace ID of the request. Meta's support asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fbtrace_id: Option<String>,
    /// The error message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The outcome of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the variants are those of DeliveryEvent")]
pub enum AttemptOutcome {
    Accepted,
    NotSent,
    Unanswered,
    Rejected,
}

/// The number of attempts that a message stores. Older ones are dropped.
pub const MAX_STORED_ATTEMPTS: usize = 20;

/// A message as stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Qasid's ID.
    pub id: MessageId,
    /// The chat that contains the message.
    pub chat_id: ChatId,
    /// The session of the chat.
    pub session_id: SessionId,
    /// Meta's ID of the business number that receives or sends the message.
    pub phone_number_id: String,
    /// The type.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// The readable text, if any. See [`readable_text()`].
    pub body: Option<String>,
    /// Whether the business sent it.
    pub from_me: bool,
    /// The contact who wrote it. `None` for a message from the business.
    #[serde(default)]
    pub writer: Option<Writer>,
    /// The delivery status.
    pub status: MessageStatus,
    /// WhatsApp's ID. An outbound message has none until WhatsApp accepts it.
    pub wamid: Option<String>,
    /// Why the message failed, as reported by WhatsApp.
    pub error: Option<String>,
    /// The recipient of an outbound message: the digits of a phone number, a BSUID, or a group ID. See
    /// [`Address`](crate::domain::identity::Address).
    pub to: Option<String>,
    /// Inbound: when the message was sent, by WhatsApp's clock. Outbound: when Qasid's API accepted it.
    pub timestamp: Timestamp,
    /// When a webhook or a worker first delivered an inbound message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_at: Option<Timestamp>,
    /// The place among the messages that were received together.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub receive_index: u32,
    /// API Gateway's ID of the request that stored the message: the send, or the first delivery by a webhook or a worker.
    /// `None` for an auto-reply.
    #[serde(default)]
    pub request_id: Option<String>,
    /// The JSON of the message as WhatsApp sent it.
    pub raw: Option<String>,
    /// The Cloud API's message object as JSON text, `{"type": "image", "image": {…}}`, with `context` if it is a reply.
    /// Outbound: the content to send. Inbound: the content that Qasid understood. `None` if `body` is all of it.
    #[serde(default)]
    pub content: Option<String>,
    /// The file of the message: a received one once its state is final, or an uploaded one that it sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<MessageMedia>,
    /// The time after which an outbound message is no longer sent.
    #[serde(default)]
    pub valid_until: Option<Timestamp>,
    /// The caller's own reference of an outbound message.
    #[serde(default)]
    pub reference: Option<Reference>,
    /// Why WhatsApp holds back a message that it accepted, such as `held_for_quality_assessment`. `None` once a status
    /// reports what happened to it.
    #[serde(default)]
    pub message_status: Option<String>,
    /// The category of an outbound message, if the caller gave one.
    #[serde(default)]
    pub category: Option<Category>,
    /// The priority of an outbound message.
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
    /// The channel that delivers the message.
    #[serde(default, skip_serializing_if = "Channel::is_cloud_api")]
    pub channel: Channel,
    /// The origin. `None` for a live webhook message or a send through the API.
    #[serde(default)]
    pub source: Option<Source>,
    /// The link to the chat's previous outbound message, as [`MessageKey::link_from`] returns it. The chain of links
    /// keeps the order of a chat.
    #[serde(default)]
    pub previous: Option<String>,
    /// The attempts to send the message, oldest first, limited to the last [`MAX_STORED_ATTEMPTS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Message {
    /// Returns the message's key.
    pub fn key(&self) -> MessageKey {
        MessageKey { chat_id: self.chat_id, time: self.timestamp, message_id: self.id }
    }

    /// Returns the message's position in the list of its chat.
    pub fn position(&self) -> MessagePosition {
        MessagePosition {
            second: self.timestamp.whole_second(),
            arrived_at: self.received_at.unwrap_or(self.timestamp),
            index: self.receive_index,
            id: self.id.to_uuid(),
        }
    }

    /// Returns the key of the chat's previous outbound message.
    pub fn predecessor(&self) -> Option<MessageKey> {
        MessageKey::linked(self.chat_id, self.previous.as_deref()?)
    }

    /// Returns the attempts with `new` appended, limited to the last [`MAX_STORED_ATTEMPTS`].
    pub fn attempts_with(&self, new: Option<Attempt>) -> Vec<Attempt> {
        let mut attempts: Vec<Attempt> = self.attempts.iter().cloned().chain(new).collect();
        attempts.drain(..attempts.len().saturating_sub(MAX_STORED_ATTEMPTS));
        attempts
    }

    /// Returns the message as shown in API responses.
    pub fn response(&self) -> MessageResponse {
        MessageResponse {
            id: self.id,
            chat_id: self.chat_id,
            body: self.body.clone(),
            kind: self.kind,
            from_me: self.from_me,
            username: self.writer.as_ref().and_then(|writer| writer.username.clone()),
            user_id: self.writer.as_ref().and_then(|writer| writer.user_id.clone()),
            is_sent: self.wamid.is_some() || self.status.is_accepted(),
            status: self.status,
            wamid: self.wamid.clone(),
            error: self.error.clone(),
            reference: self.reference.clone(),
            category: self.category,
            priority: self.to.is_some().then_some(self.priority),
            timestamp: self.timestamp,
        }
    }
}

/// The length of the preview that a chat stores, in bytes. Every message rewrites its chat, and DynamoDB bills writes by
/// the started kilobyte, of which the rest of the item fills most.
const PREVIEW_LIMIT: usize = 100;

/// Returns the text that the inbox shows for a message: the start of its body, or a placeholder such as `[image]`.
pub fn preview(kind: MessageType, body: Option<&str>) -> String {
    match body.filter(|body| !body.trim().is_empty()) {
        Some(body) => shortened(body.trim_start().to_owned(), PREVIEW_LIMIT),
        None => placeholder(kind),
    }
}

fn placeholder(kind: MessageType) -> String {
    match kind {
        MessageType::Unsupported => "[unsupported message]".to_owned(),
        kind => format!(
            "[{}]",
            serde_json::to_value(kind).ok().as_ref().and_then(|kind| kind.as_str()).unwrap_or("message")
        ),
    }
}

/// A message as shown in API responses: `null` where unset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of Message")]
pub struct MessageResponse {
    pub id: MessageId,
    pub chat_id: ChatId,
    pub body: Option<String>,
    #[serde(rename = "type")]
    pub kind: MessageType,
    pub from_me: bool,
    pub username: Option<String>,
    pub user_id: Option<String>,
    /// Whether WhatsApp has accepted the message.
    pub is_sent: bool,
    pub status: MessageStatus,
    pub wamid: Option<String>,
    pub error: Option<String>,
    #[serde(default)]
    pub reference: Option<Reference>,
    #[serde(default)]
    pub category: Option<Category>,
    /// `None` for a message that Qasid does not send.
    #[serde(default)]
    pub priority: Option<Priority>,
    pub timestamp: Timestamp,
}
