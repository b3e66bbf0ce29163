//! Chats: the conversation of one session with one contact or group.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::domain::{
    consent::{Consent, ConsentResponse},
    id::{ChatId, MessageId, SessionId},
    identity::Address,
    message::{Message, preview},
    profile::SavedName,
    time::Timestamp,
};

/// The type of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names say it")]
pub enum ChatType {
    Individual,
    Group,
}

/// The inbox status of a chat.
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
    /// All statuses.
    pub const ALL: [Self; 4] = [Self::Inbox, Self::Pending, Self::Resolved, Self::Archived];

    /// Returns the name that the table and the API use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "INBOX",
            Self::Pending => "PENDING",
            Self::Resolved => "RESOLVED",
            Self::Archived => "ARCHIVED",
        }
    }

    /// Returns whether the chat is resolved or archived. A new inbound message reopens it.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Resolved | Self::Archived)
    }
}

/// A chat as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    /// The ID, derived from the session and the identity, so that a contact has one chat. The item has it in its
    /// partition key only.
    #[serde(rename(deserialize = "pk"), deserialize_with = "id_of_partition", skip_serializing)]
    pub id: ChatId,
    /// The session that owns the chat.
    pub session_id: SessionId,
    /// The address in jid form, as first seen. See [`Address::remote_id`].
    pub remote_id: String,
    /// The phone number in jid form. `None` for a group or a contact known only by BSUID.
    pub phone_jid: Option<String>,
    /// The address as first given: the name of a contact without another one. See [`Chat::display_name`].
    pub name: String,
    /// The name that the contact chose.
    #[serde(default)]
    pub profile_name: Option<String>,
    /// The name in the address book of the business's phone, or the group's subject.
    #[serde(default)]
    pub saved_name: Option<SavedName>,
    /// The name that an agent gave the contact.
    #[serde(default)]
    pub custom_name: Option<String>,
    /// The contact's username.
    #[serde(default)]
    pub username: Option<String>,
    /// When WhatsApp last sent the contact's name or username, by its clock.
    #[serde(default)]
    pub profile_at: Option<Timestamp>,
    /// The type.
    #[serde(rename = "type")]
    pub kind: ChatType,
    /// The inbox status.
    pub status: ChatStatus,
    /// Whether the chat has messages that the business has not read.
    pub is_unread: bool,
    /// The number of inbound messages since the business last read the chat or wrote.
    #[serde(default)]
    pub unread_count: u64,
    /// The start of the last message's text, or a placeholder such as `[image]`.
    pub last_message: Option<String>,
    /// The timestamp of the last message. It decreases only within a second.
    pub last_message_at: Option<Timestamp>,
    /// When the chat was created.
    pub created_at: Timestamp,
    /// The phone number to send to, as WhatsApp last reported it. It can differ from the number that API callers use,
    /// and only this form is certain to be delivered.
    pub wa_id: Option<String>,
    /// The contact's business-scoped user ID as WhatsApp last reported it: the address to send to if no phone number is
    /// known.
    #[serde(default)]
    pub user_id: Option<String>,
    /// The digits of the contact's LID, by which linked devices know them.
    #[serde(default)]
    pub lid: Option<String>,
    /// When a message last came from or went to the contact's current addresses, by WhatsApp's clock.
    #[serde(default)]
    pub addresses_at: Option<Timestamp>,
    /// When the contact last changed their address, by WhatsApp's clock.
    #[serde(default)]
    pub moved_at: Option<Timestamp>,
    /// The link to the last outbound message, which the next one follows. See
    /// [`MessageKey::link_from`](crate::domain::message_key::MessageKey::link_from).
    #[serde(default)]
    pub last_outbound: Option<String>,
    /// When the contact last wrote, called, or accepted a call, by WhatsApp's clock: the start of the customer service
    /// window.
    #[serde(default)]
    pub last_inbound_at: Option<Timestamp>,
    /// The wamid of the contact's last message. Marking it as read marks all earlier messages as read.
    #[serde(default)]
    pub last_inbound_wamid: Option<String>,
    /// The end of the free entry point window, which a click on an ad opens. It is about prices only.
    #[serde(default)]
    pub entry_point_until: Option<Timestamp>,
    /// The chats that were merged into this one because they are with the same contact. Their messages stay in their
    /// partitions and belong to this chat.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<Merged>,
    /// The chat that this one was merged into. If set, this item is only a pointer.
    #[serde(default)]
    pub merged_into: Option<ChatId>,
    /// When this chat was merged into another.
    #[serde(default)]
    pub merged_at: Option<Timestamp>,
    /// When an agent last wrote, through the API or from the phone app. Auto-replies don't count.
    #[serde(default)]
    pub answered_at: Option<Timestamp>,
    /// The contact's first message, in storage order.
    #[serde(default)]
    pub first_inbound: Option<MessageId>,
    /// Whether the contact wants marketing messages and auto-replies.
    #[serde(flatten)]
    pub consent: Consent,
    /// The time until which the items under a message's wamid must be read when a message is stored in this chat: an
    /// early message action waits there, or the time at which a message from the future was first received.
    #[serde(default)]
    pub pending_annotation_until: Option<Timestamp>,
}

fn id_of_partition<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ChatId, D::Error> {
    let key = String::deserialize(deserializer)?;
    let id = key.strip_prefix("CHAT#").and_then(|id| id.parse().ok());
    id.ok_or_else(|| D::Error::custom("not the partition key of a chat"))
}

/// A chat that was merged into another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// The merged chat.
    pub chat_id: ChatId,
    /// When it was merged.
    pub at: Timestamp,
    /// An upper bound of its messages' timestamps.
    pub newest: Timestamp,
}

/// The maximum number of chats merged into one. It bounds the reads for a chat's messages, and the number of pointers
/// to follow from a merged chat.
pub const MAX_MERGED: usize = 50;

/// The time after the contact's last message or call in which any message can be sent (Meta, *Send messages*, customer
/// service windows).
const CUSTOMER_SERVICE_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// The time after a message from an ad in which messages are free (Meta, *Pricing*, free entry point window). It
/// doesn't allow messages that the customer service window doesn't allow.
pub const ENTRY_POINT_WINDOW: Duration = Duration::from_secs(72 * 60 * 60);

impl Chat {
    /// Creates a chat without messages.
    pub fn new(id: ChatId, session_id: SessionId, address: &Address, name: String, now: Timestamp) -> Self {
        let phone = match address {
            Address::Phone(digits) => Some(digits.clone()),
            Address::Bsuid(_) | Address::Lid(_) | Address::Group(_) => None,
        };
        Self {
            id,
            session_id,
            remote_id: address.remote_id(),
            phone_jid: phone.is_some().then(|| address.remote_id()),
            name,
            profile_name: None,
            saved_name: None,
            custom_name: None,
            username: None,
            profile_at: None,
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
                Address::Phone(_) | Address::Lid(_) | Address::Group(_) => None,
            },
            lid: match address {
                Address::Lid(id) => Some(id.clone()),
                Address::Phone(_) | Address::Bsuid(_) | Address::Group(_) => None,
            },
            addresses_at: None,
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
            consent: Consent::default(),
            pending_annotation_until: None,
        }
    }

    /// Returns the address to send to, if known.
    pub fn destination(&self) -> Option<Address> {
        let number = self.wa_id.as_deref().and_then(Address::from_wa_id);
        let user = || self.user_id.as_deref().and_then(Address::from_user_id);
        number.or_else(user).or_else(|| self.lid.as_deref().and_then(Address::from_lid))
    }

    /// Returns the name that agents see: the one that an agent set, else the one in the address book, else the contact's
    /// own.
    pub fn display_name(&self) -> &str {
        let saved = self.saved_name.as_ref().and_then(|saved| saved.name.as_deref());
        self.custom_name.as_deref().or(saved).unwrap_or_else(|| self.contact_name())
    }

    /// Returns the name that the contact chose, else their username, else their address. The contact may see it, unlike
    /// the names that the business gave them.
    pub fn contact_name(&self) -> &str {
        self.profile_name.as_deref().or(self.username.as_deref()).unwrap_or(&self.name)
    }

    /// Fills in missing contact addresses. Ignores updates older than the last address change.
    pub fn with_addresses(mut self, addresses: &[Address], at: Timestamp) -> Self {
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
                Address::Lid(id) => {
                    self.lid.get_or_insert_with(|| id.clone());
                }
                Address::Bsuid(_) | Address::Group(_) => {}
            }
        }
        self
    }

    /// Replaces the contact's addresses `from` with `to`. Ignores updates older than the last address change. Keeps an
    /// address outside `from` if the contact wrote after `at`.
    pub fn with_changed_addresses(mut self, from: &[Address], to: &[Address], at: Timestamp) -> Self {
        if self.moved_at.is_some_and(|moved_at| at <= moved_at) {
            return self;
        }
        let wrote_later = self.last_inbound_at.is_some_and(|wrote_at| wrote_at > at);
        let is_kept = |address: Option<Address>| {
            wrote_later && address.is_some_and(|address| from.iter().all(|old| old.identity() != address.identity()))
        };
        self.wa_id = self.wa_id.filter(|number| is_kept(Address::from_wa_id(number)));
        self.user_id = self.user_id.filter(|user_id| is_kept(Address::from_user_id(user_id)));
        self.lid = self.lid.filter(|lid| is_kept(Address::from_lid(lid)));
        self.phone_jid = self.wa_id.as_deref().and_then(Address::from_wa_id).map(|address| address.remote_id());
        let chat = self.with_addresses(to, at).named_by_destination();
        Self { moved_at: Some(at), addresses_at: chat.addresses_at.max(Some(at)), ..chat }
    }

    /// Returns the chat with the address to send to as its own address and name, if known.
    pub(super) fn named_by_destination(self) -> Self {
        match self.destination() {
            Some(address) => Self { remote_id: address.remote_id(), name: address.display_name(), ..self },
            None => self,
        }
    }

    /// Returns the IDs of the partitions that hold the chat's messages: its own and those of the merged chats.
    pub fn partitions(&self) -> impl Iterator<Item = ChatId> + '_ {
        std::iter::once(self.id).chain(self.merged.iter().map(|merged| merged.chat_id))
    }

    /// Returns the chat after an agent sent `message`: in the inbox, read, and with `message` as its last outbound one.
    pub fn after_send(mut self, message: &Message) -> Self {
        self.status = ChatStatus::Inbox;
        self.is_unread = false;
        self.unread_count = 0;
        self.answered_at = self.answered_at.max(Some(message.timestamp));
        self.after_reply(message)
    }

    /// Returns the chat after the auto-reply `message`: the inbox shows it unless the chat has a later message, or the
    /// message is about another one, such as a reaction. The status and unread count don't change, because no agent has
    /// read the chat.
    pub fn after_reply(mut self, message: &Message) -> Self {
        self.last_outbound = Some(message.key().sort_key());
        let is_shown = message.kind.is_shown_in_inbox() && self.is_latest(message.timestamp);
        // A chat that begins with a message that isn't shown still has a position in the inbox.
        if is_shown || self.last_message_at.is_none() {
            self.last_message = Some(preview(message.kind, message.body.as_deref()));
            self.last_message_at = Some(message.timestamp);
        }
        self
    }

    /// Returns the end of the customer service window, in which any message can be sent. `None` if the contact has
    /// neither written nor called nor accepted a call yet, so that only WhatsApp knows.
    pub fn window_until(&self) -> Option<Timestamp> {
        self.last_inbound_at.map(|at| at.after(CUSTOMER_SERVICE_WINDOW))
    }

    /// Returns whether a message with this timestamp that arrives now is the last one of the chat. Messages of one second
    /// are in the order of their arrival, because WhatsApp's times have no fraction.
    pub fn is_latest(&self, timestamp: Timestamp) -> bool {
        self.last_message_at.is_none_or(|last| last <= timestamp.end_of_second())
    }

    /// Returns the chat as shown in API responses.
    pub fn response(&self) -> ChatResponse {
        ChatResponse {
            id: self.id,
            session_id: self.session_id,
            remote_id: self.remote_id.clone(),
            phone_jid: self.phone_jid.clone(),
            name: self.display_name().to_owned(),
            username: self.username.clone(),
            user_id: self.user_id.clone(),
            lid: self.lid.as_deref().and_then(Address::from_lid).map(|lid| lid.remote_id()),
            kind: self.kind,
            status: self.status,
            is_unread: self.is_unread,
            unread_count: self.unread_count,
            last_message: self.last_message.clone(),
            last_message_at: self.last_message_at,
            created_at: self.created_at,
            consent: self.consent.response(),
        }
    }
}

/// A chat as shown in API responses: `null` where unset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of Chat")]
pub struct ChatResponse {
    pub id: ChatId,
    pub session_id: SessionId,
    pub remote_id: String,
    pub phone_jid: Option<String>,
    pub name: String,
    pub username: Option<String>,
    pub user_id: Option<String>,
    #[serde(default)]
    pub lid: Option<String>,
    #[serde(rename = "type")]
    pub kind: ChatType,
    pub status: ChatStatus,
    pub is_unread: bool,
    pub unread_count: u64,
    pub last_message: Option<String>,
    pub last_message_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub consent: ConsentResponse,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_ad_does_not_extend_the_customer_service_window() {
        let now = time("2026-11-26T12:00:00Z");
        let session_id = SessionId::for_owner("ada");
        let address = Address::Phone("201001234567".to_owned());
        let id = ChatId::for_identity(session_id, &address.identity());
        let mut chat = Chat::new(id, session_id, &address, "Ada".to_owned(), now);
        chat.entry_point_until = Some(now.after(ENTRY_POINT_WINDOW));
        assert_eq!(chat.window_until(), None);
        chat.last_inbound_at = Some(now);
        assert_eq!(chat.window_until(), Some(time("2026-11-27T12:00:00Z")));
        chat.last_inbound_at = Some(Timestamp::MAX);
        assert_eq!(chat.window_until().unwrap().to_string(), "9999-12-30T21:59:59.999Z");
    }

    #[test]
    fn message_that_arrives_last_in_a_second_is_the_latest() {
        let now = time("2026-11-26T12:00:00.760Z");
        let session_id = SessionId::for_owner("ada");
        let address = Address::Phone("201001234567".to_owned());
        let id = ChatId::for_identity(session_id, &address.identity());
        let mut chat = Chat::new(id, session_id, &address, "Ada".to_owned(), now);
        assert!(chat.is_latest(Timestamp::MIN));
        chat.last_message_at = Some(now);
        for (timestamp, is_latest) in
            [("2026-11-26T11:59:59.999Z", false), ("2026-11-26T12:00:00Z", true), ("2026-11-26T12:00:00.999Z", true)]
        {
            assert_eq!(chat.is_latest(time(timestamp)), is_latest, "{timestamp}");
        }
        chat.last_message_at = Some(Timestamp::MAX);
        assert!(chat.is_latest(Timestamp::MAX.whole_second()));
    }
}
