//! A chat: everything between one session and one person or group.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    domain::id::{ChatId, SessionId},
    domain::identity::Address,
    domain::message::{Message, placeholder, preview},
    domain::time::Timestamp,
};

/// Whether a chat is with one person or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names say it")]
pub enum ChatType {
    Individual,
    Group,
}

/// Which list of the inbox a chat is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names say it")]
pub enum ChatStatus {
    Inbox,
    Pending,
    Resolved,
    Archived,
}

impl ChatStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Inbox, Self::Pending, Self::Resolved, Self::Archived];

    /// The word that is stored and answered.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "INBOX",
            Self::Pending => "PENDING",
            Self::Resolved => "RESOLVED",
            Self::Archived => "ARCHIVED",
        }
    }

    /// Whether the business is done with the chat, until the contact writes again.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Resolved | Self::Archived)
    }
}

/// A chat as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    /// Derived from the session and the identity: one person, one chat.
    pub id: ChatId,
    /// The session that it belongs to.
    pub session_id: SessionId,
    /// The address in jid form, as it was first seen; see [`Address::remote_id`].
    pub remote_id: String,
    /// The same for a phone number; `None` for a group or a person known only by BSUID.
    pub phone_jid: Option<String>,
    /// The contact's own name where known, else the address as first given.
    pub name: String,
    /// What the business calls the contact, in place of his own name.
    #[serde(default)]
    pub custom_name: Option<String>,
    /// Person or group.
    #[serde(rename = "type")]
    pub kind: ChatType,
    /// Which list it is in.
    pub status: ChatStatus,
    /// Whether the business has not seen the last message.
    pub is_unread: bool,
    /// How many inbound messages came since the business last looked or wrote.
    #[serde(default)]
    pub unread_count: u64,
    /// The last message, shortened.
    pub last_message: Option<String>,
    /// The last message's own time. Never goes back.
    pub last_message_at: Option<Timestamp>,
    /// When the chat was made.
    pub created_at: Timestamp,
    /// Where to send to, as WhatsApp last gave it: it may differ from what API callers dial, and only this form is
    /// sure to be delivered.
    pub wa_id: Option<String>,
    /// The contact's business-scoped user id as WhatsApp last gave it: where to send to when no number is known.
    #[serde(default)]
    pub user_id: Option<String>,
    /// When the contact last changed to the address that he has, by WhatsApp's clock.
    #[serde(default)]
    pub moved_at: Option<Timestamp>,
    /// The last message that the business sent, as [`crate::domain::message_key::MessageKey::link_from`] names
    /// it; the next one comes after it.
    #[serde(default)]
    pub last_outbound: Option<String>,
    /// When the contact last wrote, by WhatsApp's clock: it opens the customer service window.
    #[serde(default)]
    pub last_inbound_at: Option<Timestamp>,
    /// WhatsApp's id of that message: marking it as read marks all before it.
    #[serde(default)]
    pub last_inbound_wamid: Option<String>,
    /// Until when a click on an advertisement keeps the window open.
    #[serde(default)]
    pub entry_point_until: Option<Timestamp>,
    /// The chats that turned out to be with the same person. Their messages stay where they are, and belong to this chat.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<Merged>,
    /// The chat that this one turned out to be; then this row is only a pointer to it.
    #[serde(default)]
    pub merged_into: Option<ChatId>,
    /// When this chat was merged into another.
    #[serde(default)]
    pub merged_at: Option<Timestamp>,
    /// When a person of the business last wrote, through the API or from the phone app. Auto-replies do not count.
    #[serde(default)]
    pub answered_at: Option<Timestamp>,
    /// Sort key of the first message that the contact ever wrote, by the order in which they were stored.
    #[serde(default)]
    pub first_inbound: Option<String>,
    /// Whether the contact wants no automatic replies: his last word on it was STOP.
    #[serde(default)]
    pub opted_out: bool,
    /// When he last said STOP or START, by WhatsApp's clock.
    #[serde(default)]
    pub consent_at: Option<Timestamp>,
    /// Until when something waits for one of its messages that has not come yet; see
    /// [`crate::store::Store::put_early_action`].
    #[serde(default)]
    pub pending_annotation_until: Option<Timestamp>,
}

/// A chat whose messages belong to another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// The chat that was.
    pub chat_id: ChatId,
    /// When it was merged.
    pub at: Timestamp,
    /// No message that it holds has a later time.
    pub newest: Timestamp,
}

/// The most chats that may be merged into one. It bounds what reading a chat's messages takes, and how many steps lead
/// from a merged chat to the one that it is part of.
pub const MAX_MERGED: usize = 50;

/// How long after the contact's last message anything may be sent (Meta: "Customer service windows").
const WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// The same after a message that came from an advertisement.
pub const ENTRY_POINT_WINDOW: Duration = Duration::from_secs(72 * 60 * 60);

impl Chat {
    /// A chat without messages yet.
    pub fn new(id: ChatId, session_id: SessionId, address: &Address, name: String, now: Timestamp) -> Self {
        let phone = match address {
            Address::Phone(digits) => Some(digits.clone()),
            Address::Bsuid(_) | Address::Group(_) => None,
        };
        Self {
            id,
            session_id,
            remote_id: address.remote_id(),
            phone_jid: phone.is_some().then(|| address.remote_id()),
            name,
            custom_name: None,
            kind: if matches!(address, Address::Group(_)) { ChatType::Group } else { ChatType::Individual },
            status: ChatStatus::Inbox,
            is_unread: false,
            unread_count: 0,
            last_message: None,
            last_message_at: None,
            created_at: now,
            wa_id: phone,
            user_id: match address {
                Address::Bsuid(id) => Some(id.clone()),
                Address::Phone(_) | Address::Group(_) => None,
            },
            moved_at: None,
            last_outbound: None,
            last_inbound_at: None,
            last_inbound_wamid: None,
            entry_point_until: None,
            merged: Vec::new(),
            merged_into: None,
            merged_at: None,
            answered_at: None,
            first_inbound: None,
            opted_out: false,
            consent_at: None,
            pending_annotation_until: None,
        }
    }

    /// Where to send to, when anything is known of it.
    pub fn destination(&self) -> Option<&str> {
        self.wa_id.as_deref().or(self.user_id.as_deref())
    }

    /// The chat with what it lacks of where its person is reached. What was told before he moved is not news.
    pub fn learned(mut self, addresses: &[Address], at: Timestamp) -> Self {
        if self.moved_at.is_some_and(|moved_at| at <= moved_at) {
            return self;
        }
        for address in addresses {
            match address {
                Address::Phone(digits) => {
                    self.wa_id.get_or_insert_with(|| digits.clone());
                    self.phone_jid.get_or_insert_with(|| address.remote_id());
                }
                Address::Bsuid(id) if !address.is_parent() => {
                    self.user_id.get_or_insert_with(|| id.clone());
                }
                Address::Bsuid(_) | Address::Group(_) => {}
            }
        }
        self
    }

    /// The chat after its person gave up some addresses for others, unless he has changed to others since. Where he wrote
    /// from after that is where he is.
    pub fn moved(mut self, from: &[Address], to: &[Address], at: Timestamp) -> Self {
        if self.moved_at.is_some_and(|moved_at| at <= moved_at) {
            return self;
        }
        let has_written = self.last_inbound_at.is_some_and(|heard_at| heard_at > at);
        let is_kept = |address: Option<Address>| {
            has_written && address.is_some_and(|address| from.iter().all(|left| left.identity() != address.identity()))
        };
        self.wa_id = self.wa_id.filter(|number| is_kept(Address::from_wa_id(number)));
        self.user_id = self.user_id.filter(|user_id| is_kept(Address::from_user_id(user_id)));
        self.phone_jid = self.wa_id.as_deref().and_then(Address::from_wa_id).map(|address| address.remote_id());
        let mut moved = self.learned(to, at);
        let reached_at = moved.wa_id.as_deref().and_then(Address::from_wa_id);
        let reached_at = reached_at.or_else(|| moved.user_id.as_deref().and_then(Address::from_user_id));
        if let Some(address) = reached_at {
            moved.remote_id = address.remote_id();
        }
        Self { moved_at: Some(at), ..moved }
    }

    /// The chats whose messages are this chat's: itself, and those that were merged into it.
    pub fn partitions(&self) -> impl Iterator<Item = ChatId> + '_ {
        std::iter::once(self.id).chain(self.merged.iter().map(|merged| merged.chat_id))
    }

    /// The chat after a person of the business sent `message`: in the inbox, read, and else as after a reply.
    pub fn after_send(mut self, message: &Message) -> Self {
        self.status = ChatStatus::Inbox;
        self.is_unread = false;
        self.unread_count = 0;
        self.answered_at = self.answered_at.max(Some(message.timestamp));
        self.after_reply(message)
    }

    /// The chat after an automatic reply: it shows the message unless a later one is there already. Nobody has looked at
    /// the chat, and its status and unread count stay.
    pub fn after_reply(mut self, message: &Message) -> Self {
        self.last_outbound = Some(message.key().sort_key());
        if self.shows(message.timestamp) {
            self.last_message = Some(message.body.as_deref().map_or_else(|| placeholder(message.kind), preview));
            self.last_message_at = Some(message.timestamp);
        }
        self
    }

    /// Until when the contact may be sent anything; `None` when no message of his is known, and WhatsApp decides.
    pub fn window_until(&self) -> Option<Timestamp> {
        let window = self.last_inbound_at.map(|at| at.after(WINDOW));
        window.max(self.entry_point_until)
    }

    /// Whether a message of this time is the last one of the chat.
    pub fn shows(&self, timestamp: Timestamp) -> bool {
        self.last_message_at.is_none_or(|last| last <= timestamp)
    }

    /// The row as answers give it.
    pub fn response(&self) -> ChatResponse {
        ChatResponse {
            id: self.id,
            session_id: self.session_id,
            remote_id: self.remote_id.clone(),
            phone_jid: self.phone_jid.clone(),
            name: self.custom_name.as_ref().unwrap_or(&self.name).clone(),
            kind: self.kind,
            status: self.status,
            is_unread: self.is_unread,
            unread_count: self.unread_count,
            last_message: self.last_message.clone(),
            last_message_at: self.last_message_at,
            created_at: self.created_at,
        }
    }
}

/// A chat as answers give it: `null` where unset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of Chat")]
pub struct ChatResponse {
    pub id: ChatId,
    pub session_id: SessionId,
    pub remote_id: String,
    pub phone_jid: Option<String>,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: ChatType,
    pub status: ChatStatus,
    pub is_unread: bool,
    pub unread_count: u64,
    pub last_message: Option<String>,
    pub last_message_at: Option<Timestamp>,
    pub created_at: Timestamp,
}
