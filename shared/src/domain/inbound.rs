//! Messages that WhatsApp or a linked device received, or that the business sent outside the API.

use crate::domain::{
    id::SessionId,
    identity::Address,
    message::{MessageStatus, MessageType, Source},
    message_action::MessageAction,
    message_key::MessageKey,
    profile::{Profile, Writer},
    time::Timestamp,
};

/// A message reported by WhatsApp or a linked device.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// WhatsApp's ID, unique per business number.
    pub wamid: String,
    /// When the message was sent.
    pub timestamp: Timestamp,
    /// The message type.
    pub kind: MessageType,
    /// The text, the caption, or the title of the tapped button or row.
    pub body: Option<String>,
    /// The content that Qasid understood. See [`Message::content`](crate::domain::message::Message::content).
    pub content: Option<String>,
    /// The JSON of the message as received.
    pub raw: String,
    /// The place among the messages of its chat that were received together.
    pub index: u32,
    /// Whether the business sent the message outside the API.
    pub from_me: bool,
    /// The contact who wrote the message. `None` for a message from the business.
    pub writer: Option<Writer>,
    /// `received`, or the delivery status of a message from the business.
    pub status: MessageStatus,
    /// The action on another message, if any.
    pub action: Option<MessageAction>,
    /// Qasid's key, if the API sent the message.
    pub ours: Option<MessageKey>,
    /// Whether the message opens the customer service window. Messages by the contact do, and notifications from
    /// WhatsApp about the contact don't.
    pub opens_window: bool,
    /// Whether the message came from an ad.
    pub has_referral: bool,
}

/// The messages of one webhook in one chat and from one source.
#[derive(Clone, Debug)]
pub struct InboundBatch {
    /// The session that owns the number.
    pub session_id: SessionId,
    /// Meta's ID of the business number that received them.
    pub phone_number_id: String,
    /// The addresses of the contact or group, at least one. A new chat gets its name from the first.
    pub addresses: Vec<Address>,
    /// The contact's profile, as the messages came with it. Empty for a group.
    pub profile: Profile,
    /// The source. `None` for live webhook messages. History and standby messages don't change the inbox. An echo
    /// counts as a message by an agent.
    pub source: Option<Source>,
    /// The messages, with unique wamids.
    pub messages: Vec<Inbound>,
}
