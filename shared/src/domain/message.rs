//! Messages and the life of an outbound one.

use serde::{Deserialize, Serialize};

use crate::{
    domain::id::{ChatId, MessageId, SessionId},
    domain::message_key::MessageKey,
    domain::time::Timestamp,
};

/// The longest text WhatsApp takes, in characters (Meta: "Text messages").
pub const TEXT_LIMIT: usize = 4096;

/// Where a message stands.
///
/// An outbound message moves `pending → sending → sent → delivered → read → played`; from `sending` also back to
/// `pending` (certainly not sent), to `unknown` (perhaps sent) or to `failed`. Every transition is in
/// [`MessageStatus::on`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    /// Inbound: stored.
    Received,
    /// Outbound: stored, to be sent.
    Pending,
    /// Outbound: claimed by a `deliver` that is posting it, or that ended while it did.
    Sending,
    /// Outbound: perhaps sent. Never sent again blindly; a status from WhatsApp settles it.
    Unknown,
    /// Accepted by WhatsApp.
    Sent,
    /// Not accepted by WhatsApp: refused, expired, or of unknown fate for too long. Should a receipt come after all, the
    /// receipt is right.
    Failed,
    /// Accepted by WhatsApp and not delivered, as it told later. Stored and answered as `failed`.
    #[serde(rename(serialize = "failed", deserialize = "undelivered"))]
    Undelivered,
    /// On the recipient's device.
    Delivered,
    /// Seen by the recipient.
    Read,
    /// A voice message that the recipient has played.
    Played,
}

/// What can happen to an outbound message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryEvent {
    /// `deliver` takes the message to post it.
    Claimed,
    /// The post certainly did not reach WhatsApp, or WhatsApp said that it did not process it and that a retry is fine.
    NotSent,
    /// The post may have reached WhatsApp: no answer, or one that does not say.
    Unanswered,
    /// WhatsApp accepted the message and gave it a wamid.
    Accepted,
    /// WhatsApp refused the message for good.
    Rejected,
    /// Nothing was heard of a message of unknown fate until its deadline, and it is given up.
    GivenUp,
    /// The same, and it is sent again.
    Resent,
    /// Its time was over before it could be sent.
    Expired,
    /// A status webhook.
    Receipt(Receipt),
}

/// What a status webhook reports (Meta: "status messages webhook reference").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipt {
    /// Left WhatsApp's servers.
    Sent,
    /// Reached the device.
    Delivered,
    /// Seen.
    Read,
    /// A voice message was played.
    Played,
    /// Could not be delivered.
    Failed,
}

impl MessageStatus {
    /// The one place that says what leads where: the status after `event`, or `None` when the event changes nothing.
    pub fn on(self, event: DeliveryEvent) -> Option<Self> {
        use DeliveryEvent as E;
        match (self, event) {
            (Self::Pending, E::Claimed) => Some(Self::Sending),
            (Self::Sending, E::NotSent) => Some(Self::Pending),
            (Self::Sending, E::Unanswered) => Some(Self::Unknown),
            // From `unknown` when the answer comes after the lease has run out.
            (Self::Sending | Self::Unknown, E::Accepted) => Some(Self::Sent),
            (Self::Sending, E::Rejected) => Some(Self::Failed),
            (Self::Unknown, E::GivenUp) => Some(Self::Failed),
            (Self::Unknown, E::Resent) => Some(Self::Pending),
            (Self::Pending, E::Expired) => Some(Self::Failed),
            (Self::Received, _) => None,
            // Webhooks come twice, out of order, and before the answer to the post: only forward, by rank.
            (from, E::Receipt(receipt)) => {
                let to = receipt.status();
                (from.rank() < to.rank()).then_some(to)
            }
            _ => None,
        }
    }

    /// Whether `deliver` has nothing left to do with it, whatever receipts may still come.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Sending | Self::Unknown)
    }

    /// How far along a message is. `undelivered` lies between `sent` and `delivered`: it ends what was only sent, and a
    /// recipient with several devices can still produce a `delivered` after it.
    pub fn rank(self) -> u8 {
        match self {
            Self::Received | Self::Pending => 0,
            Self::Sending => 10,
            Self::Unknown => 20,
            Self::Failed => 25,
            Self::Sent => 30,
            Self::Undelivered => 40,
            Self::Delivered => 50,
            Self::Read => 60,
            Self::Played => 70,
        }
    }

    /// The word that is stored and answered.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Sent => "sent",
            Self::Failed | Self::Undelivered => "failed",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
        }
    }
}

impl Receipt {
    /// Reads WhatsApp's word; `None` for one we do not know.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "sent" => Some(Self::Sent),
            "delivered" => Some(Self::Delivered),
            "read" => Some(Self::Read),
            "played" => Some(Self::Played),
            "failed" => Some(Self::Failed),
            _ => None,
        }
    }

    /// The status that this receipt leads to.
    pub fn status(self) -> MessageStatus {
        match self {
            Self::Sent => MessageStatus::Sent,
            Self::Delivered => MessageStatus::Delivered,
            Self::Read => MessageStatus::Read,
            Self::Played => MessageStatus::Played,
            Self::Failed => MessageStatus::Undelivered,
        }
    }
}

/// What a message is. The names are the Cloud API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the Cloud API's own words")]
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
    /// WhatsApp itself tells of the contact: a new number, a new user id.
    System,
    /// A new text or caption for an earlier message, which shows it as well.
    Edit,
    /// An earlier message was deleted by its sender.
    Revoke,
    /// The contact opened the chat for the first time.
    RequestWelcome,
    /// A picture, film or document of the past whose content WhatsApp tells later, or never.
    MediaPlaceholder,
    /// Something that is kept as WhatsApp sent it.
    Unsupported,
}

impl MessageType {
    /// Whether somebody should look at it. The others tell of another message, or of the contact.
    pub fn counts(self) -> bool {
        !matches!(self, Self::Reaction | Self::Edit | Self::Revoke | Self::System)
    }

    /// Whether a person wrote it to somebody: what a rule may answer. The others tell of a message or of the contact, or
    /// are not known to be written.
    pub fn is_written(self) -> bool {
        match self {
            Self::Text | Self::Image | Self::Video | Self::Audio | Self::Document | Self::Sticker => true,
            Self::Location | Self::Contacts | Self::Interactive | Self::Button | Self::Order => true,
            Self::Reaction | Self::Edit | Self::Revoke | Self::System | Self::RequestWelcome => false,
            Self::Template | Self::MediaPlaceholder | Self::Unsupported => false,
        }
    }
}

/// Who carries a session's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// `deliver`, through the WhatsApp Cloud API.
    #[default]
    CloudApi,
    /// A linked-device worker, which claims them.
    Worker,
}

/// How a message came to be in its chat, where that is neither a live webhook message nor a send through the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Sent by the business from the WhatsApp Business app.
    Echo,
    /// From the time before the number was connected.
    History,
    /// Seen while another application had control of the conversation.
    Standby,
    /// Received through a linked-device worker.
    Device,
    /// Written by an auto-reply rule.
    AutoReply,
}

/// One try to send a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it ended.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// WhatsApp's error code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// WhatsApp's id of the request, which its support asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fbtrace_id: Option<String>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "see DeliveryEvent")]
pub enum AttemptOutcome {
    Accepted,
    NotSent,
    Unanswered,
    Rejected,
}

/// The most attempts that a message remembers: the last ones.
pub const ATTEMPTS_KEPT: usize = 20;

/// A message as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Our own id.
    pub id: MessageId,
    /// The chat that it is in.
    pub chat_id: ChatId,
    /// The session that the chat belongs to.
    pub session_id: SessionId,
    /// The business number that it came to or goes out from.
    pub phone_number_id: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// The text; `None` where there is none.
    pub body: Option<String>,
    /// Whether the business sent it.
    pub from_me: bool,
    /// Where it stands.
    pub status: MessageStatus,
    /// WhatsApp's id; an outbound message has none until WhatsApp has accepted it.
    pub wamid: Option<String>,
    /// Why it failed, as WhatsApp says it.
    pub error: Option<String>,
    /// Where an outbound message goes: digits of a phone number, a BSUID or a group id; see [`crate::domain::identity`].
    pub to: Option<String>,
    /// When an inbound message was sent, by WhatsApp's clock; when an outbound one was accepted by the API.
    pub timestamp: Timestamp,
    /// A message's own JSON, as it came from WhatsApp.
    pub raw: Option<String>,
    /// The Cloud API's object as JSON text, `{"type": "image", "image": {…}}`, with `context` when it is a reply: what
    /// an outbound message sends, or what was understood of one that came from WhatsApp. `None` when that is `body`.
    #[serde(default)]
    pub content: Option<String>,
    /// An outbound message is not sent after this time.
    #[serde(default)]
    pub valid_until: Option<Timestamp>,
    /// Who carries it.
    #[serde(default)]
    pub channel: Channel,
    /// How it came to be here; `None` for a live webhook message or a send through the API.
    #[serde(default)]
    pub source: Option<Source>,
    /// The chat's outbound message before this one, as [`MessageKey::link_from`] names it: the chain that keeps the order
    /// of a chat.
    #[serde(default)]
    pub previous: Option<String>,
    /// The tries to send it, oldest first; the last [`ATTEMPTS_KEPT`].
    #[serde(default)]
    pub attempts: Vec<Attempt>,
}

impl Message {
    /// Returns the message's key.
    pub fn key(&self) -> MessageKey {
        MessageKey { chat_id: self.chat_id, time: self.timestamp, message_id: self.id }
    }

    /// Where the chat's outbound message before this one is.
    pub fn predecessor(&self) -> Option<MessageKey> {
        MessageKey::linked(self.chat_id, self.previous.as_deref()?)
    }

    /// The attempts after one more, as many as are kept.
    pub fn attempts_with(&self, new: Option<Attempt>) -> Vec<Attempt> {
        let mut attempts: Vec<Attempt> = self.attempts.iter().cloned().chain(new).collect();
        attempts.drain(..attempts.len().saturating_sub(ATTEMPTS_KEPT));
        attempts
    }

    /// The row as answers give it.
    pub fn response(&self) -> MessageResponse {
        MessageResponse {
            id: self.id,
            chat_id: self.chat_id,
            body: self.body.clone(),
            kind: self.kind,
            from_me: self.from_me,
            is_sent: self.wamid.is_some(),
            status: self.status,
            wamid: self.wamid.clone(),
            error: self.error.clone(),
            timestamp: self.timestamp,
        }
    }
}

/// The most characters of a message that its chat repeats. A chat is rewritten with every message, in the table and in
/// the inbox index, and is billed by the kilobyte.
const PREVIEW_LIMIT: usize = 1000;

/// What an inbox shows for a message without text: `[image]`.
pub fn placeholder(kind: MessageType) -> String {
    match kind {
        MessageType::Unsupported => "[unsupported message]".to_owned(),
        kind => format!(
            "[{}]",
            serde_json::to_value(kind).ok().as_ref().and_then(|kind| kind.as_str()).unwrap_or("message")
        ),
    }
}

/// A text in a line of an inbox.
pub fn preview(text: &str) -> String {
    text.chars().take(PREVIEW_LIMIT).collect()
}

/// A message as answers give it: `null` where unset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of Message")]
pub struct MessageResponse {
    pub id: MessageId,
    pub chat_id: ChatId,
    pub body: Option<String>,
    #[serde(rename = "type")]
    pub kind: MessageType,
    pub from_me: bool,
    /// Whether WhatsApp has accepted it.
    pub is_sent: bool,
    pub status: MessageStatus,
    pub wamid: Option<String>,
    pub error: Option<String>,
    pub timestamp: Timestamp,
}

#[cfg(test)]
mod tests;
