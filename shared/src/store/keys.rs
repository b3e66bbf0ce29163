//! Every key of the table, and nothing else writes one. See `docs/architecture.md` for the items behind them.

use std::{collections::HashMap, fmt};

use aws_sdk_dynamodb::types::AttributeValue;

use super::EventOwner;
use crate::{
    domain::chat::ChatStatus,
    domain::cursor::Position,
    domain::erasure::Target,
    domain::id::{ChatId, KeyId, RuleId, SessionId, content_id},
    domain::identity::Identity,
    domain::message::Receipt,
    domain::message_key::MessageKey,
    domain::time::Timestamp,
};

/// Into how many partitions the `due` index is spread: one partition takes about 1,000 writes a second, and every
/// outbound message writes its entry twice (AWS: "DynamoDB: Best practices for designing partition keys").
pub(crate) const DUE_SHARDS: u8 = 16;

/// Partition key of the list of API keys; its sort key begins with the time at which a key was made.
pub(crate) const API_KEYS: &str = "KEYS";

/// The partition of all numbers' settings.
pub(crate) const NUMBERS: &str = "NUMBERS";

/// The primary key of an item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl Key {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    pub(crate) fn session(id: SessionId) -> Self {
        Self::new(format!("SESSION#{id}"), "SESSION")
    }

    pub(crate) fn number(phone_number_id: &str) -> Self {
        Self::new(format!("NUMBER#{phone_number_id}"), "NUMBER")
    }

    /// What is set for a number.
    pub(crate) fn number_settings(phone_number_id: &str) -> Self {
        Self::new(NUMBERS, format!("NUMBER#{phone_number_id}"))
    }

    pub(crate) fn chat(id: ChatId) -> Self {
        Self::new(chat_pk(id), "CHAT")
    }

    pub(crate) fn identity(session_id: SessionId, identity: &Identity) -> Self {
        Self::new(format!("IDENTITY#{session_id}#{identity}"), "IDENTITY")
    }

    pub(crate) fn idempotency(session_id: SessionId, key: &str) -> Self {
        Self::new(format!("IDEMPOTENCY#{session_id}#{key}"), "IDEMPOTENCY")
    }

    /// An API key.
    pub(crate) fn api_key(id: KeyId) -> Self {
        Self::new(format!("KEY#{id}"), "KEY")
    }

    /// An API key's place in the list of all. Only whoever manages keys reads or writes here: keys are looked up by the
    /// thousand, and one partition would not carry that.
    pub(crate) fn api_key_entry(place: Position) -> Self {
        Self::new(API_KEYS, place.to_string())
    }

    /// A part of JSON that does not fit into the item of what it belongs to.
    pub(crate) fn raw_part(id: impl fmt::Display, part: usize) -> Self {
        Self::new(format!("RAW#{id}"), format!("RAW#{part:04}"))
    }

    /// A status that waits for its message; in a group, one for each participant.
    pub(crate) fn early_status(
        phone_number_id: &str,
        wamid: &str,
        receipt: Receipt,
        participant: Option<&str>,
    ) -> Self {
        let status = receipt.status().as_str();
        let sk = participant.map_or_else(|| format!("STATUS#{status}"), |of| format!("STATUS#{status}#{of}"));
        Self::new(wamid_pk(phone_number_id, wamid), sk)
    }

    /// What a message does to another that is not there yet.
    pub(crate) fn early_action(phone_number_id: &str, target: &str, wamid: &str) -> Self {
        Self::new(wamid_pk(phone_number_id, target), format!("ACTION#{wamid}"))
    }

    /// The reservations in which a number sends.
    pub(crate) fn rate_limit(phone_number_id: &str) -> Self {
        Self::new(format!("RATE_LIMIT#{phone_number_id}"), "RATE_LIMIT")
    }

    /// The lease of the one `deliver` that looks after what is due.
    pub(crate) fn poller_lease() -> Self {
        Self::new("POLLER", "LEASE")
    }

    /// The order to look at every waiting message of a session again.
    pub(crate) fn resume(session_id: SessionId) -> Self {
        Self::new(format!("RESUME#{session_id}"), "RESUME")
    }

    /// An auto-reply rule. Below its session, and sorted before it, so that one query reads both.
    pub(crate) fn rule(session_id: SessionId, id: RuleId) -> Self {
        Self::new(Self::session(session_id).pk, format!("RULE#{id}"))
    }

    /// Whether it is the key of a rule.
    pub(crate) fn is_rule(&self) -> bool {
        self.pk.starts_with("SESSION#") && self.sk.starts_with("RULE#")
    }

    /// The automatic replies of a chat.
    pub(crate) fn replies(chat_id: ChatId) -> Self {
        Self::new(chat_pk(chat_id), "REPLIES")
    }

    /// The order to erase something.
    pub(crate) fn erasure(target: Target) -> Self {
        match target {
            Target::Chat(id) => Self::new(format!("ERASE#CHAT#{id}"), "ERASE"),
            Target::Session(id) => Self::new(format!("ERASE#SESSION#{id}"), "ERASE"),
        }
    }

    /// Whether it is the key of an identity.
    pub(crate) fn is_identity(&self) -> bool {
        self.pk.starts_with("IDENTITY#")
    }

    /// A message for a number that no session owns.
    pub(crate) fn unowned(phone_number_id: &str, wamid: &str) -> Self {
        Self::new(wamid_pk(phone_number_id, wamid), "UNOWNED")
    }

    /// An account, by the id that WhatsApp gives it.
    pub(crate) fn account(waba_id: &str) -> Self {
        Self::new(format!("ACCOUNT#{waba_id}"), "ACCOUNT")
    }

    /// Something WhatsApp sent that is neither a message nor a status, or that could not be read.
    pub(crate) fn event(id: uuid::Uuid) -> Self {
        Self::new(format!("EVENT#{id}"), "EVENT")
    }

    /// Returns the key of a message.
    pub fn message(key: &MessageKey) -> Self {
        Self::new(chat_pk(key.chat_id), key.sort_key())
    }

    /// Returns the message that this is the key of, if it is a message's.
    pub fn message_key(&self) -> Option<MessageKey> {
        MessageKey::from_sort_key(self.pk.strip_prefix("CHAT#")?.parse().ok()?, &self.sk)
    }

    /// Reads the key attributes of an item.
    pub fn from_item(item: &HashMap<String, AttributeValue>) -> Option<Self> {
        Some(Self::new(item.get("pk")?.as_s().ok()?, item.get("sk")?.as_s().ok()?))
    }

    /// The key as DynamoDB takes it.
    pub(crate) fn attributes(&self) -> HashMap<String, AttributeValue> {
        HashMap::from([
            ("pk".to_owned(), AttributeValue::S(self.pk.clone())),
            ("sk".to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }
}

/// The key of a message at this place of a chat.
pub(crate) fn message_key(chat_id: ChatId, position: Position) -> Key {
    Key::new(chat_pk(chat_id), MessageKey::sort_key_at(position))
}

/// The place that a message's sort key says.
pub(crate) fn message_position(sk: &str) -> Option<Position> {
    MessageKey::position_of(sk)
}

/// Partition key of the `inbox` index. It ends in a shard because one partition carries about 500 moving entries a
/// second: a number with WhatsApp's default throughput needs one, a raised one needs more.
pub(crate) fn inbox_key(session_id: SessionId, status: ChatStatus, shard: u8) -> String {
    format!("{session_id}#{}#{shard}", status.as_str())
}

/// Sort key of the `inbox` index: the chat's place among the others. WhatsApp's times are whole seconds, so many chats
/// share one; the id makes each place one chat's own, and a reader can go on after it without losing or repeating any.
pub(crate) fn inbox_position(last_message_at: Timestamp, chat_id: ChatId) -> String {
    Position { at: last_message_at, id: chat_id.to_uuid() }.to_string()
}

/// Partition key of the `inbox` index for events, which are listed like chats.
pub(crate) fn events_key(owner: &EventOwner) -> String {
    match owner {
        EventOwner::Number(id) => format!("EVENTS#NUMBER#{id}"),
        EventOwner::Account(id) => format!("EVENTS#ACCOUNT#{id}"),
        EventOwner::Nobody => "EVENTS#NOBODY".to_owned(),
    }
}

/// Key of the `wamid` index. Ids of WhatsApp are unique within one business number.
pub(crate) fn wamid_key(phone_number_id: &str, wamid: &str) -> String {
    format!("{phone_number_id}#{wamid}")
}

/// Partition key of the `due` index; its sort key is the time to look again.
pub(crate) fn due_key(shard: u8) -> String {
    format!("DUE#{shard}")
}

/// The same for an item that is in no chat: an even spread by the item's own partition key.
pub(crate) fn due_shard(pk: &str) -> String {
    due_key(content_id(pk).as_bytes()[15] % DUE_SHARDS)
}

/// Partition key of the `due` index for orders to erase something, which are not `deliver`'s.
pub(crate) fn erase_key() -> &'static str {
    "ERASE"
}

/// Partition key of the `due` index for messages that a worker claims; its sort key is the message's own time.
pub(crate) fn worker_due_key(session_id: SessionId) -> String {
    format!("WORKER#{session_id}")
}

pub(crate) fn wamid_pk(phone_number_id: &str, wamid: &str) -> String {
    format!("WAMID#{phone_number_id}#{wamid}")
}

fn chat_pk(id: ChatId) -> String {
    format!("CHAT#{id}")
}
