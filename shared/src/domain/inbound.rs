//! Messages that WhatsApp, or a linked device, received or sent outside the API.

use crate::domain::{
    id::SessionId,
    identity::Address,
    message::{MessageStatus, MessageType, Source},
    message_action::MessageAction,
    message_key::MessageKey,
    time::Timestamp,
};

/// A message that WhatsApp, or a device, told us of.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// WhatsApp's id, unique within the business number.
    pub wamid: String,
    /// When it was sent.
    pub timestamp: Timestamp,
    /// What it is.
    pub kind: MessageType,
    /// Its text, its caption, or the title that was tapped.
    pub body: Option<String>,
    /// What else was understood of it; see [`Message::content`](crate::domain::message::Message::content).
    pub content: Option<String>,
    /// Its JSON, as it came.
    pub raw: String,
    /// Whether the business sent it, by other means than the API.
    pub from_me: bool,
    /// Where it stands: `received`, or how far one from the business is.
    pub status: MessageStatus,
    /// What it does to another message.
    pub action: Option<MessageAction>,
    /// Our own key of it, where the API sent it after all.
    pub ours: Option<MessageKey>,
    /// Whether it opens the customer service window, as anything that a person does, and nothing that WhatsApp tells of
    /// him.
    pub opens_window: bool,
    /// Whether it came from an advertisement.
    pub has_referral: bool,
}

/// Messages of one webhook with one person, or in one group, all of which came the same way.
#[derive(Clone, Debug)]
pub struct InboundBatch {
    /// The session that owns the number.
    pub session_id: SessionId,
    /// The number that received them.
    pub phone_number_id: String,
    /// Every form in which the sender is named; at least one. The first is what the chat is called by.
    pub addresses: Vec<Address>,
    /// What the contact calls himself.
    pub name: Option<String>,
    /// How they came, where they are no live webhook messages. History and copies leave the inbox as it is; an echo
    /// is a person of the business who wrote.
    pub source: Option<Source>,
    /// The messages, each wamid once.
    pub messages: Vec<Inbound>,
}
