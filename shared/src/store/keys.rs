//! All keys of the table and its indexes. See `docs/data-model.md` for the items.

use std::{collections::HashMap, fmt};

use aws_sdk_dynamodb::types::AttributeValue;

use super::EventOwner;
use crate::domain::{
    chat::ChatStatus,
    cursor::Position,
    erasure::Target,
    id::{ChatId, KeyId, MediaId, MessageId, RuleId, SessionId, WebhookId, content_id},
    identity::Identity,
    inbox,
    message::{Priority, Receipt},
    message_key::MessageKey,
    time::Timestamp,
    webhook_delivery::DeliveryStatus,
};

/// Number of partitions of the `due` index for each priority. A partition handles 1,000 write units a second, and every outbound message
/// writes its entry twice (AWS: "DynamoDB: Best practices for designing partition keys").
pub(crate) const DUE_SHARDS: u8 = 8;

/// Partition key of the list of API keys. The sort key begins with the time at which a key was created.
pub(crate) const API_KEYS: &str = "KEYS";

/// Partition key of the settings of all numbers.
pub(crate) const NUMBERS: &str = "NUMBERS";

/// Prefix of the sort keys of saved names. The identity follows.
const SAVED_NAME: &str = "NAME#";

/// Prefix of the partition keys of items under a wamid. The number and the wamid follow.
const WAMID: &str = "WAMID#";

/// Prefix of the sort keys of webhooks. The ID follows.
pub(crate) const WEBHOOK: &str = "WEBHOOK#";

/// Prefix of the partition keys of files. The ID follows.
const MEDIA: &str = "MEDIA#";

/// Partition key of the `due` index for files to fetch. The sort key is the time at which one is due.
pub(crate) const MEDIA_DUE: &str = "MEDIA";

/// Sort key of early echoes.
const EARLY_ECHO: &str = "ECHO";

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

    /// Returns whether this is the key of a session.
    pub(crate) fn is_session(&self) -> bool {
        self.pk.starts_with("SESSION#") && self.sk == "SESSION"
    }

    /// What became of a message with a session's pairing code.
    pub(crate) fn pairing(session_id: SessionId, wamid: &str) -> Self {
        Self::new(pairing_pk(session_id), format!("PAIRING#{}", content_id(wamid)))
    }

    /// Returns whether this is the key of a pairing attempt.
    pub(crate) fn is_pairing(&self) -> bool {
        self.pk.starts_with("PAIRING#")
    }

    /// The session that is linked to a number, or the one that it is reserved for.
    pub(crate) fn number(phone_number_id: &str) -> Self {
        Self::new(format!("NUMBER#{phone_number_id}"), "NUMBER")
    }

    /// The settings of a number.
    pub(crate) fn number_settings(phone_number_id: &str) -> Self {
        Self::new(NUMBERS, format!("NUMBER#{phone_number_id}"))
    }

    pub(crate) fn chat(id: ChatId) -> Self {
        Self::new(chat_pk(id), "CHAT")
    }

    pub(crate) fn identity(session_id: SessionId, identity: &Identity) -> Self {
        Self::new(format!("IDENTITY#{session_id}#{identity}"), "IDENTITY")
    }

    /// The name of a contact in the business's address book, or of a group.
    pub(crate) fn saved_name(session_id: SessionId, identity: &Identity) -> Self {
        Self::new(saved_names_pk(session_id), format!("{SAVED_NAME}{identity}"))
    }

    /// Returns the key of the saved name for this identity; `None` for the key of another item.
    pub(crate) fn saved_name_of_identity(&self) -> Option<Self> {
        let (session_id, identity) = self.pk.strip_prefix("IDENTITY#")?.split_once('#')?;
        Some(Self::new(saved_names_pk(session_id), format!("{SAVED_NAME}{identity}")))
    }

    pub(crate) fn idempotency(session_id: SessionId, key: &str) -> Self {
        Self::new(format!("IDEMPOTENCY#{session_id}#{key}"), "IDEMPOTENCY")
    }

    /// An API key.
    pub(crate) fn api_key(id: KeyId) -> Self {
        Self::new(format!("KEY#{id}"), "KEY")
    }

    /// An API key's entry in the list of all keys. Authentication doesn't read it: one partition couldn't handle every
    /// request.
    pub(crate) fn api_key_entry(position: Position) -> Self {
        Self::new(API_KEYS, position.to_string())
    }

    /// A part of a payload that doesn't fit into its own item.
    pub(crate) fn raw_part(id: impl fmt::Display, part: usize) -> Self {
        Self::new(format!("RAW#{id}"), format!("RAW#{part:04}"))
    }

    /// A status that arrived before its message. In a group, one per participant.
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

    /// An action that arrived before the message that it applies to. A sort key has up to 1,024 bytes, as many as a wamid
    /// can have, so the key has its hash.
    pub(crate) fn early_action(phone_number_id: &str, target: &str, wamid: &str) -> Self {
        Self::new(wamid_pk(phone_number_id, target), format!("ACTION#{}", content_id(wamid)))
    }

    /// A message that the business sent from a linked device, until a worker reports which message it is.
    pub(crate) fn early_echo(phone_number_id: &str, wamid: &str) -> Self {
        Self::new(wamid_pk(phone_number_id, wamid), EARLY_ECHO)
    }

    /// Returns whether this is the key of an early echo.
    pub(crate) fn is_early_echo(&self) -> bool {
        self.sk == EARLY_ECHO
    }

    /// Returns the number and the wamid of an item that waits for its message.
    pub(crate) fn wamid(&self) -> Option<(&str, &str)> {
        self.pk.strip_prefix(WAMID)?.split_once('#')
    }

    /// A file of a message.
    pub(crate) fn media(id: MediaId) -> Self {
        Self::new(format!("{MEDIA}{id}"), "MEDIA")
    }

    /// Returns the ID of the file that this is the key of, if it is a file's.
    pub(crate) fn media_id(&self) -> Option<MediaId> {
        self.pk.strip_prefix(MEDIA)?.parse().ok()
    }

    /// The rate limit of a number.
    pub(crate) fn rate_limit(phone_number_id: &str) -> Self {
        Self::new(format!("RATE_LIMIT#{phone_number_id}"), "RATE_LIMIT")
    }

    /// The leader lease of the `DuePoller`.
    pub(crate) fn poller_lease() -> Self {
        Self::new("POLLER", "LEASE")
    }

    /// The request to make all pending messages of a session due.
    pub(crate) fn resume(session_id: SessionId) -> Self {
        Self::new(format!("RESUME#{session_id}"), "RESUME")
    }

    /// An auto-reply rule. It sorts before its session, and one query reads both.
    pub(crate) fn rule(session_id: SessionId, id: RuleId) -> Self {
        Self::new(Self::session(session_id).pk, format!("RULE#{id}"))
    }

    /// Returns whether this is the key of a rule.
    pub(crate) fn is_rule(&self) -> bool {
        self.pk.starts_with("SESSION#") && self.sk.starts_with("RULE#")
    }

    /// The history of a chat's automatic replies.
    pub(crate) fn replies(chat_id: ChatId) -> Self {
        Self::new(chat_pk(chat_id), "REPLIES")
    }

    /// The request to erase a chat or a session.
    pub(crate) fn erasure(target: Target) -> Self {
        match target {
            Target::Chat(id) => Self::new(format!("ERASE#CHAT#{id}"), "ERASE"),
            Target::Session(id) => Self::new(format!("ERASE#SESSION#{id}"), "ERASE"),
        }
    }

    /// Returns whether this is the key of an identity.
    pub(crate) fn is_identity(&self) -> bool {
        self.pk.starts_with("IDENTITY#")
    }

    /// The time under which a message is stored, if it isn't WhatsApp's.
    pub(crate) fn message_time(phone_number_id: &str, wamid: &str) -> Self {
        Self::new(wamid_pk(phone_number_id, wamid), "TIME")
    }

    /// A message to a number that no session owns.
    pub(crate) fn unowned(phone_number_id: &str, wamid: &str) -> Self {
        Self::new(wamid_pk(phone_number_id, wamid), "UNOWNED")
    }

    /// A WhatsApp Business account.
    pub(crate) fn account(waba_id: &str) -> Self {
        Self::new(format!("ACCOUNT#{waba_id}"), "ACCOUNT")
    }

    /// A webhook field that is neither a message nor a status, or a payload that could not be parsed.
    pub(crate) fn event(id: uuid::Uuid) -> Self {
        Self::new(format!("EVENT#{id}"), "EVENT")
    }

    /// Returns the ID of the event that this is the key of, if it is an event's.
    pub(crate) fn event_id(&self) -> Option<uuid::Uuid> {
        self.pk.strip_prefix("EVENT#")?.parse().ok()
    }

    /// A change in a session's log.
    pub(crate) fn change(session_id: SessionId, sequence: u64) -> Self {
        Self::new(changes_pk(session_id, sequence), change_sk(sequence))
    }

    /// The last number of a session's change log, and the number of the session's webhooks.
    pub(crate) fn change_log(session_id: SessionId) -> Self {
        Self::new(webhooks_pk(Some(session_id)), "SEQUENCE")
    }

    /// Returns whether this is the key of the end of a change log.
    pub(crate) fn is_change_log(&self) -> bool {
        self.pk.starts_with("CHANGES#") && self.sk == "SEQUENCE"
    }

    /// The number of webhooks for all sessions.
    pub(crate) fn webhook_count() -> Self {
        Self::new(webhooks_pk(None), "SEQUENCE")
    }

    /// A webhook of a session, or of all sessions. One query reads a session's webhooks and the end of its log.
    pub(crate) fn webhook(session_id: Option<SessionId>, id: WebhookId) -> Self {
        Self::new(webhooks_pk(session_id), format!("{WEBHOOK}{id}"))
    }

    /// Returns the ID of the webhook, if this is the key of one.
    pub(crate) fn webhook_id(&self) -> Option<WebhookId> {
        self.sk.strip_prefix(WEBHOOK)?.parse().ok().filter(|_| self.pk.starts_with("CHANGES#"))
    }

    /// The position of a webhook in the log of a session.
    pub(crate) fn webhook_cursor(id: WebhookId, session_id: SessionId) -> Self {
        Self::new(webhook_cursors_pk(id), format!("CURSOR#{session_id}"))
    }

    /// The position of the unfinished replay in the log of a session.
    pub(crate) fn webhook_replay(id: WebhookId, session_id: SessionId) -> Self {
        Self::new(webhook_cursors_pk(id), format!("REPLAY#{session_id}"))
    }

    /// Returns the webhook and the session of a position in a log, and whether it is that of a replay, if this is the key
    /// of one.
    pub(crate) fn webhook_position(&self) -> Option<(WebhookId, SessionId, bool)> {
        let webhook_id = self.pk.strip_prefix(WEBHOOK)?.parse().ok()?;
        let (kind, session_id) = self.sk.split_once('#')?;
        let is_replay = match kind {
            "CURSOR" => false,
            "REPLAY" => true,
            _ => return None,
        };
        Some((webhook_id, session_id.parse().ok()?, is_replay))
    }

    /// Returns the webhook of a failed delivery, if this is the key of one.
    pub(crate) fn webhook_of_delivery(&self) -> Option<WebhookId> {
        self.sk.strip_prefix("DELIVERY#")?.split_once('#')?.0.parse().ok()
    }

    /// Returns the session whose log has this item as its end, if it is one.
    pub(crate) fn session_of_change_log(&self) -> Option<SessionId> {
        self.pk.strip_prefix("CHANGES#")?.parse().ok().filter(|_| self.sk == "SEQUENCE")
    }

    /// A failed delivery of a change to a webhook: in the chat's partition, so that its erasure includes it, otherwise
    /// in the session's.
    pub(crate) fn webhook_delivery(
        session_id: SessionId,
        chat_id: Option<ChatId>,
        webhook_id: WebhookId,
        sequence: u64,
    ) -> Self {
        let pk = chat_id.map_or_else(|| webhooks_pk(Some(session_id)), chat_pk);
        Self::new(pk, format!("{}{}", webhook_deliveries_prefix(webhook_id), change_sk(sequence)))
    }

    /// The counters of an hour of a session.
    pub(crate) fn stats(session_id: SessionId, hour: Timestamp) -> Self {
        Self::new(stats_pk(session_id), hour.to_string())
    }

    /// Returns the key of a message.
    pub fn message(key: &MessageKey) -> Self {
        Self::new(chat_pk(key.chat_id), key.sort_key())
    }

    /// Returns the message that this is the key of, if it is a message's.
    pub fn message_key(&self) -> Option<MessageKey> {
        MessageKey::from_sort_key(self.pk.strip_prefix("CHAT#")?.parse().ok()?, &self.sk)
    }

    /// Returns the chat that this is the key of, if it is a chat's.
    pub(crate) fn chat_id(&self) -> Option<ChatId> {
        self.pk.strip_prefix("CHAT#").filter(|_| self.sk == "CHAT")?.parse().ok()
    }

    /// Reads the key attributes of an item.
    pub fn from_item(item: &HashMap<String, AttributeValue>) -> Option<Self> {
        Some(Self::new(item.get("pk")?.as_s().ok()?, item.get("sk")?.as_s().ok()?))
    }

    /// Returns the key as attributes.
    pub(crate) fn attributes(&self) -> HashMap<String, AttributeValue> {
        HashMap::from([
            ("pk".to_owned(), AttributeValue::S(self.pk.clone())),
            ("sk".to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }
}

/// Returns the key of a message at a position in a chat.
pub(crate) fn message_key(chat_id: ChatId, position: Position) -> Key {
    Key::new(chat_pk(chat_id), MessageKey::sort_key_at(position))
}

/// Partition key of the `inbox` index. It ends with a shard: one partition handles about 500 moving entries a second,
/// enough for a number with WhatsApp's default throughput but not for a raised one.
pub(crate) fn inbox_key(session_id: SessionId, status: ChatStatus, shard: u8) -> String {
    format!("{session_id}#{}#{shard}", status.as_str())
}

/// Sort key of the `inbox` index: see [`inbox::index_position`]. It doesn't change with every message.
pub(crate) fn inbox_position(last_message_at: Timestamp, chat_id: ChatId) -> String {
    inbox::index_position(last_message_at, chat_id).to_string()
}

/// Partition key of the `inbox` index for sessions. They are rarely created, and no update changes the sort key, so one
/// partition is enough.
pub(crate) const SESSIONS: &str = "SESSIONS";

/// Partition key of the `inbox` index for events.
pub(crate) fn events_key(owner: &EventOwner) -> String {
    match owner {
        EventOwner::Number(id) => format!("EVENTS#NUMBER#{id}"),
        EventOwner::Account(id) => format!("EVENTS#ACCOUNT#{id}"),
        EventOwner::AccountAdmins(id) => format!("EVENTS#ACCOUNT_ADMINS#{id}"),
        EventOwner::Unknown => "EVENTS#UNKNOWN".to_owned(),
    }
}

/// Returns the number in a partition key of [`events_key`]; `None` if its events don't belong to a number.
pub(crate) fn number_of_events(events_key: &str) -> Option<&str> {
    events_key.strip_prefix("EVENTS#NUMBER#")
}

/// Key of the `wamid` index: the ID that an inbound message with this wamid has. It is shorter than the wamid.
pub(crate) fn wamid_key(phone_number_id: &str, wamid: &str) -> String {
    MessageId::for_inbound(phone_number_id, wamid).to_string()
}

/// Partition key of the `due` index for a message that `deliver` sends. The sort key is the time at which it is due.
///
/// Sessions have different partitions, as far as there are enough, so that the queue of one doesn't hide the messages of
/// the others. With `spread`, a session's chats are distributed over several partitions.
pub(crate) fn due_key(priority: Priority, session_id: SessionId, chat_id: ChatId, spread: u8) -> String {
    let shard = session_id.shard(DUE_SHARDS) + chat_id.shard(spread.min(DUE_SHARDS));
    partition(priority, shard % DUE_SHARDS)
}

/// Returns all partition keys of [`due_key`].
pub(crate) fn due_keys() -> impl Iterator<Item = String> {
    Priority::ALL.into_iter().flat_map(|priority| (0..DUE_SHARDS).map(move |shard| partition(priority, shard)))
}

/// Returns the priority of the messages in a partition of [`due_key`]; `None` for any other partition key.
pub(crate) fn due_priority(due_key: &str) -> Option<Priority> {
    match due_key.split_once('#')?.0 {
        "DUE" => Some(Priority::Normal),
        "BULK" => Some(Priority::Bulk),
        _ => None,
    }
}

/// Returns a partition key of the `due` index for an item that isn't in a chat, by the item's partition key.
pub(crate) fn due_shard(pk: &str) -> String {
    partition(Priority::Normal, content_id(pk).as_bytes()[15] % DUE_SHARDS)
}

fn partition(priority: Priority, shard: u8) -> String {
    match priority {
        Priority::Normal => format!("DUE#{shard}"),
        Priority::Bulk => format!("BULK#{shard}"),
    }
}

/// Partition key of the `due` index for erasure requests.
pub(crate) fn erase_key() -> &'static str {
    "ERASE"
}

/// Partition key of the `due` index for messages that a worker claims: one for normal messages and those that were
/// claimed before, and one for bulk messages. The sort key is the message's timestamp.
pub(crate) fn worker_due_key(session_id: SessionId, priority: Priority) -> String {
    match priority {
        Priority::Normal => format!("WORKER#{session_id}"),
        Priority::Bulk => format!("WORKER#{session_id}#BULK"),
    }
}

/// Partition key of the saved names of a session.
pub(crate) fn saved_names_pk(session_id: impl fmt::Display) -> String {
    format!("NAMES#{session_id}")
}

pub(crate) fn wamid_pk(phone_number_id: &str, wamid: &str) -> String {
    format!("{WAMID}{phone_number_id}#{wamid}")
}

/// Partition key of the pairing attempts of a session.
pub(crate) fn pairing_pk(session_id: SessionId) -> String {
    format!("PAIRING#{session_id}")
}

/// Partition key of the counters of a session.
pub(crate) fn stats_pk(session_id: SessionId) -> String {
    format!("STATS#{session_id}")
}

/// Number of changes in a partition of a session's log.
pub(crate) const CHANGES_PER_PARTITION: u64 = 1_000;

/// Partition key of the part of a session's log that has this change.
pub(crate) fn changes_pk(session_id: SessionId, sequence: u64) -> String {
    format!("CHANGES#{session_id}#{}", sequence / CHANGES_PER_PARTITION)
}

/// Sort key of a change.
pub(crate) fn change_sk(sequence: u64) -> String {
    format!("{sequence:016}")
}

/// Partition key of the webhooks of a session with the end of its log, or of the webhooks for all sessions.
pub(crate) fn webhooks_pk(session_id: Option<SessionId>) -> String {
    session_id.map_or_else(|| "CHANGES#ALL".to_owned(), |id| format!("CHANGES#{id}"))
}

/// Partition key of the positions of a webhook.
pub(crate) fn webhook_cursors_pk(id: WebhookId) -> String {
    format!("WEBHOOK#{id}")
}

/// Prefix of the sort keys of a webhook's failed deliveries. The number of the change follows.
pub(crate) fn webhook_deliveries_prefix(id: WebhookId) -> String {
    format!("DELIVERY#{id}#")
}

/// Partition key of the `inbox` index for the deliveries of a webhook with a status.
pub(crate) fn webhook_deliveries_key(id: WebhookId, status: DeliveryStatus) -> String {
    format!("DELIVERIES#{id}#{}", status.as_str())
}

/// Partition key of the `due` index for work of `notify`: sessions with undelivered changes, failed deliveries to retry,
/// and positions of webhooks that pause.
pub(crate) fn notify_key(session_id: impl Into<Option<SessionId>>) -> String {
    notify_partition(session_id.into().map_or(0, |id| id.shard(DUE_SHARDS)))
}

/// Returns all partition keys of [`notify_key`].
pub(crate) fn notify_keys() -> impl Iterator<Item = String> {
    (0..DUE_SHARDS).map(notify_partition)
}

/// Returns whether this is a partition key of [`notify_key`].
pub(crate) fn is_notify_key(due_key: &str) -> bool {
    due_key.starts_with("NOTIFY#")
}

fn notify_partition(shard: u8) -> String {
    format!("NOTIFY#{shard}")
}

fn chat_pk(id: ChatId) -> String {
    format!("CHAT#{id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::MAX_ID_BYTES;

    #[test]
    fn keys_of_the_longest_id_fit_into_the_table() {
        let (wamid, session) = ("w".repeat(MAX_ID_BYTES), SessionId::for_owner("ada"));
        // A worker session's number is the session's ID, which is longer than one of Meta's.
        let number = session.to_string();
        let keys = [
            Key::pairing(session, &wamid),
            Key::early_status(&number, &wamid, Receipt::Delivered, Some(&"p".repeat(140))),
            Key::early_action(&number, &wamid, &wamid),
            Key::early_echo(&number, &wamid),
            Key::message_time(&number, &wamid),
            Key::unowned(&number, &wamid),
        ];
        for key in keys {
            assert!(key.pk.len() <= 2048 && key.sk.len() <= 1024, "{key:?}");
        }
    }
}
