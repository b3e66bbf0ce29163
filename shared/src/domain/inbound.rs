//! Messages that WhatsApp or a linked device received, or that the business sent outside the API.

use crate::domain::{
    call::CallStatus,
    id::{MessageId, SessionId},
    identity::Address,
    message::{MessageStatus, MessageType, Source, preview},
    message_action::MessageAction,
    message_key::MessageKey,
    profile::{Profile, Writer},
    time::Timestamp,
};

/// A message reported by WhatsApp or a linked device.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// WhatsApp's ID, unique per business number. See [`has_wamid`](Self::has_wamid).
    pub wamid: String,
    /// Whether [`wamid`](Self::wamid) is WhatsApp's. An imported message can have the ID of the system that it comes from
    /// instead, unique per session.
    pub has_wamid: bool,
    /// When the message was sent. The time of receipt if WhatsApp's time was in the future: see
    /// [`Inbound::dated`].
    pub timestamp: Timestamp,
    /// Whether [`timestamp`](Self::timestamp) isn't WhatsApp's.
    pub is_redated: bool,
    /// The message type.
    pub kind: MessageType,
    /// The text, the caption, or the title of the tapped button or row.
    pub body: Option<String>,
    /// The content that Qasid understood. See [`Message::content`](crate::domain::message::Message::content).
    pub content: Option<String>,
    /// The JSON of the message as received.
    pub raw: String,
    /// The place among the updates that were received together.
    pub index: u32,
    /// Whether the business sent the message outside the API.
    pub from_me: bool,
    /// The contact who wrote the message. `None` for a message from the business.
    pub writer: Option<Writer>,
    /// `received`, or the delivery status of a message from the business.
    pub status: MessageStatus,
    /// The action on another message, if any.
    pub action: Option<MessageAction>,
    /// The state of the call, if it is one.
    pub call: Option<CallStatus>,
    /// Qasid's key, if the API sent the message.
    pub ours: Option<MessageKey>,
    /// Whether the message opens the customer service window. Messages and calls by the contact do, and calls that the
    /// contact accepted. Notifications from WhatsApp about the contact don't.
    pub opens_window: bool,
    /// Whether the message came from an ad.
    pub has_referral: bool,
}

impl Inbound {
    /// Returns the message with another time than WhatsApp's: the one at which it was first received.
    #[must_use]
    pub fn dated(self, at: Timestamp) -> Self {
        let is_redated = self.is_redated || at != self.timestamp;
        let action = self.action.map(|action| MessageAction { at, ..action });
        Self { timestamp: at, is_redated, action, ..self }
    }

    /// Returns whether the message counts as unread: it is from the contact and shown in the inbox, and if it is a call,
    /// the business missed it.
    pub fn counts_as_unread(&self) -> bool {
        !self.from_me && self.kind.is_shown_in_inbox() && self.call.is_none_or(|call| call == CallStatus::Missed)
    }

    /// Returns the text that the inbox shows for the message.
    pub fn preview(&self) -> String {
        match self.call {
            Some(call) => call.preview(self.from_me).to_owned(),
            None => preview(self.kind, self.body.as_deref()),
        }
    }
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
    /// Whether an echo may be a device's copy of a message that a worker is sending. It doesn't count as an agent's
    /// message until that is known.
    pub may_be_copy: bool,
    /// When the webhook was received. `None` for a message that a worker hands in, which is received now.
    pub received_at: Option<Timestamp>,
    /// Whether the messages come from another system, so that they have no time of receipt.
    pub is_import: bool,
    /// API Gateway's ID of the request that delivered them.
    pub request_id: Option<String>,
    /// The messages, with unique wamids.
    pub messages: Vec<Inbound>,
}

impl InboundBatch {
    /// Returns the ID of a message of the batch. A repeated message has the same ID.
    pub fn message_id(&self, message: &Inbound) -> MessageId {
        match message.has_wamid {
            true => MessageId::for_inbound(&self.phone_number_id, &message.wamid),
            false => MessageId::for_import(self.session_id, &message.wamid),
        }
    }
}
