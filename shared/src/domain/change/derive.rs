//! Derivation of changes from the records of the table's stream.
//!
//! The stream repeats a record until it was processed. The changes then have the same IDs, which depend on the message
//! and the type, or on the record's own ID.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use super::{ChangeType, NewChange, Subject};
use crate::domain::{
    cursor::MessagePosition,
    erasure::Target,
    id::{ChangeId, ChatId, SessionId, WebhookId},
    message::{Attempt, Channel, MessageStatus, MessageType, Source},
    message_action::Annotations,
    message_key::MessageKey,
    time::Timestamp,
    whatsapp_error::WhatsAppError,
};

/// A record of the stream: what was written, and what it replaced.
#[derive(Clone, Debug)]
pub struct StreamRecord {
    /// The ID of the record. A repeated record has the same ID.
    pub event_id: String,
    /// About when the table was changed, in whole seconds.
    pub at: Timestamp,
    /// The write.
    pub write: Write,
}

/// A write that can be a change.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each has the state before it, if any, and after it")]
pub enum Write {
    /// A new message.
    NewMessage { key: MessageKey, after: Box<MessageState> },
    /// An update of a message.
    Message { key: MessageKey, before: Box<MessageState>, after: Box<MessageState> },
    /// A new chat.
    NewChat { chat_id: ChatId, after: ChatState },
    /// An update of a chat.
    Chat { chat_id: ChatId, before: ChatState, after: ChatState },
    /// An update of a session.
    Session { session_id: SessionId, before: SessionState, after: SessionState },
    /// A request to erase something.
    NewErasure { target: Target, session_id: SessionId },
    /// A webhook event about a number.
    NewEvent { id: Uuid, phone_number_id: String, received_at: Timestamp },
    /// An update of a webhook.
    Webhook { id: WebhookId, session_id: Option<SessionId>, before: WebhookState, after: WebhookState },
    /// A write that is never a change.
    Other,
}

/// The attributes of a message that changes and counters depend on.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of Message and its item")]
pub struct MessageState {
    pub session_id: SessionId,
    #[serde(rename = "type")]
    pub kind: MessageType,
    pub from_me: bool,
    pub status: MessageStatus,
    #[serde(default, deserialize_with = "or_default")]
    pub status_rank: u8,
    #[serde(default)]
    pub source: Option<Source>,
    #[serde(default, deserialize_with = "or_default")]
    pub channel: Channel,
    #[serde(default)]
    pub received_at: Option<Timestamp>,
    #[serde(default)]
    pub receive_index: u32,
    #[serde(default)]
    pub annotations: Annotations,
    #[serde(default)]
    pub accepted_at: Option<Timestamp>,
    #[serde(default)]
    pub sent_at: Option<Timestamp>,
    #[serde(default)]
    pub delivered_at: Option<Timestamp>,
    #[serde(default)]
    pub read_at: Option<Timestamp>,
    #[serde(default)]
    pub played_at: Option<Timestamp>,
    #[serde(default)]
    pub failed_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_default")]
    pub attempts: Vec<Attempt>,
    #[serde(default, deserialize_with = "or_default")]
    pub errors: Vec<WhatsAppError>,
}

/// Reads a value that only counters use. One in an unknown format, such as that of a newer version during a deployment,
/// must not make the record unreadable, because its change would be lost.
fn or_default<'de, T: DeserializeOwned + Default, D: Deserializer<'de>>(value: D) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(value)?).unwrap_or_default())
}

/// The attributes of a chat that changes depend on.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of the chat's item")]
pub struct ChatState {
    pub session_id: SessionId,
    #[serde(default)]
    pub changed: Option<Timestamp>,
    #[serde(default)]
    pub merged_into: Option<ChatId>,
}

/// The attributes of a session that changes depend on.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of Session")]
pub struct SessionState {
    pub is_connected: bool,
    #[serde(default)]
    pub paused_reason: Option<String>,
    #[serde(default)]
    pub qr: Option<String>,
}

/// The attributes of a webhook that changes depend on.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "the field is that of WebhookEndpoint")]
pub struct WebhookState {
    #[serde(default)]
    pub disabled_reason: Option<String>,
}

/// The log that a change belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Log {
    /// That of a session.
    Session(SessionId),
    /// That of the session that has owned this number since before this time.
    Number(String, Timestamp),
}

/// A change, and the log that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// The log.
    pub log: Log,
    /// The change.
    pub change: NewChange,
}

/// Returns the changes that a record reports.
pub fn derive(record: &StreamRecord) -> Vec<Derived> {
    let derivation = Derivation { record };
    match &record.write {
        Write::NewMessage { key, after } => derivation.new_message(*key, after).into_iter().collect(),
        Write::Message { key, before, after } => derivation.message(*key, before, after),
        Write::NewChat { chat_id, after } if after.merged_into.is_none() => {
            vec![derivation.chat(ChangeType::ChatCreated, *chat_id, after.session_id, None)]
        }
        Write::Chat { chat_id, before, after } if before.merged_into.is_none() && after.merged_into.is_some() => {
            vec![derivation.chat(ChangeType::ChatMerged, *chat_id, after.session_id, after.merged_into)]
        }
        Write::Chat { chat_id, before, after } if after.changed.is_some() && before.changed != after.changed => {
            vec![derivation.chat(ChangeType::ChatUpdated, *chat_id, after.session_id, None)]
        }
        Write::Session { session_id, before, after } => derivation.session(*session_id, before, after),
        Write::NewErasure { target: Target::Chat(chat_id), session_id } => {
            vec![derivation.chat(ChangeType::ChatErased, *chat_id, *session_id, None)]
        }
        Write::NewEvent { id, phone_number_id, received_at } => {
            let log = Log::Number(phone_number_id.clone(), *received_at);
            vec![derivation.derived(log, ChangeType::AccountEvent, *received_at, None, Subject::Event { id: *id })]
        }
        Write::Webhook { id, session_id: Some(session_id), before, after }
            if before.disabled_reason.is_none() && after.disabled_reason.is_some() =>
        {
            let (log, subject) = (Log::Session(*session_id), Subject::Webhook { id: *id });
            vec![derivation.derived(log, ChangeType::WebhookDisabled, record.at, None, subject)]
        }
        Write::NewChat { .. }
        | Write::Chat { .. }
        | Write::NewErasure { .. }
        | Write::Webhook { .. }
        | Write::Other => Vec::new(),
    }
}

/// Returns the changes that a batch of records reports, those of a chat in order: its creation first, and messages that
/// were stored one after the other as the chat lists them. The stream doesn't order the writes of one transaction.
///
/// Each change has the index of its record.
pub fn derive_all(records: &[StreamRecord]) -> Vec<(usize, Derived)> {
    let changes = records.iter().enumerate();
    let mut changes: Vec<(usize, Derived)> =
        changes.flat_map(|(index, record)| derive(record).into_iter().map(move |change| (index, change))).collect();
    let mut by_chat: BTreeMap<ChatId, Vec<usize>> = BTreeMap::new();
    for (place, (_, derived)) in changes.iter().enumerate() {
        if let Some(chat_id) = derived.change.chat_id {
            by_chat.entry(chat_id).or_default().push(place);
        }
    }
    for places in by_chat.into_values() {
        let mut ordered: Vec<(usize, Derived)> = places.iter().map(|place| changes[*place].clone()).collect();
        ordered.sort_by_key(|(_, derived)| derived.change.kind != ChangeType::ChatCreated);
        let is_stored = |(index, _): &(usize, Derived)| position(&records[*index].write).is_some();
        ordered
            .chunk_by_mut(|one, next| is_stored(one) && is_stored(next))
            .for_each(|run| run.sort_by_key(|(index, _)| position(&records[*index].write)));
        for (place, change) in places.into_iter().zip(ordered) {
            changes[place] = change;
        }
    }
    changes
}

/// Returns the position of a new message from a contact in its chat.
fn position(write: &Write) -> Option<MessagePosition> {
    match write {
        Write::NewMessage { key, after } if !after.from_me => Some(MessagePosition {
            second: key.time.whole_second(),
            arrived_at: after.received_at.unwrap_or(key.time),
            index: after.receive_index,
            id: key.message_id.to_uuid(),
        }),
        _ => None,
    }
}

#[derive(Clone, Copy)]
struct Derivation<'a> {
    record: &'a StreamRecord,
}

impl Derivation<'_> {
    fn new_message(self, key: MessageKey, after: &MessageState) -> Option<Derived> {
        // Imported messages are old: a receiver must not answer them.
        if after.source == Some(Source::History) {
            return None;
        }
        let kind = match (after.kind.is_shown_in_inbox(), after.from_me) {
            (false, _) => ChangeType::MessageAction,
            (true, false) => ChangeType::MessageReceived,
            (true, true) => ChangeType::MessageCreated,
        };
        let created_at = matches!(after.source, None | Some(Source::AutoReply)).then_some(key.time);
        let at = after.received_at.or(created_at).unwrap_or(self.record.at);
        Some(self.of_message(kind, key, after, at))
    }

    fn message(self, key: MessageKey, before: &MessageState, after: &MessageState) -> Vec<Derived> {
        let mut changes = Vec::new();
        if before.status != after.status
            && let Some(kind) = ChangeType::of_status(after.status)
        {
            changes.push(self.of_message(kind, key, after, status_time(after).unwrap_or(self.record.at)));
        }
        let imported_at = after.received_at.filter(|_| after.source == Some(Source::History));
        for (kind, at) in annotation_changes(&before.annotations, &after.annotations) {
            // The import of a history brings the reactions and edits of its time with it.
            if imported_at.is_none_or(|imported_at| at > imported_at) {
                let (chat_id, subject) = (key.chat_id, of_message(key, after));
                changes.push(self.derived(Log::Session(after.session_id), kind, at, Some(chat_id), subject));
            }
        }
        changes
    }

    /// Returns a change that a message has once.
    fn of_message(self, kind: ChangeType, key: MessageKey, state: &MessageState, at: Timestamp) -> Derived {
        let id = ChangeId::for_message(key.message_id, kind.as_str());
        let change = NewChange { id, kind, at, chat_id: Some(key.chat_id), subject: of_message(key, state) };
        Derived { log: Log::Session(state.session_id), change }
    }

    fn chat(self, kind: ChangeType, chat_id: ChatId, session_id: SessionId, merged_into: Option<ChatId>) -> Derived {
        let subject = Subject::Chat { merged_into };
        self.derived(Log::Session(session_id), kind, self.record.at, Some(chat_id), subject)
    }

    fn session(self, session_id: SessionId, before: &SessionState, after: &SessionState) -> Vec<Derived> {
        let kinds = [
            (!before.is_connected && after.is_connected, ChangeType::SessionConnected),
            (before.is_connected && !after.is_connected, ChangeType::SessionDisconnected),
            (before.paused_reason.is_none() && after.paused_reason.is_some(), ChangeType::SessionPaused),
            (before.paused_reason.is_some() && after.paused_reason.is_none(), ChangeType::SessionResumed),
            (after.qr.is_some() && before.qr != after.qr, ChangeType::SessionQr),
        ];
        let kinds = kinds.into_iter().filter_map(|(is_reported, kind)| is_reported.then_some(kind));
        kinds.map(|kind| self.derived(Log::Session(session_id), kind, self.record.at, None, Subject::Session)).collect()
    }

    fn derived(self, log: Log, kind: ChangeType, at: Timestamp, chat_id: Option<ChatId>, subject: Subject) -> Derived {
        let id = ChangeId::for_stream_event(&self.record.event_id, kind.as_str());
        Derived { log, change: NewChange { id, kind, at, chat_id, subject } }
    }
}

fn of_message(key: MessageKey, state: &MessageState) -> Subject {
    Subject::Message { key: key.to_string(), source: state.source }
}

/// Returns when the message reached its status.
fn status_time(state: &MessageState) -> Option<Timestamp> {
    match state.status {
        MessageStatus::Sent => state.sent_at.or(state.accepted_at),
        MessageStatus::Delivered => state.delivered_at,
        MessageStatus::Read => state.read_at,
        MessageStatus::Played => state.played_at,
        MessageStatus::Failed | MessageStatus::Undelivered => state.failed_at,
        MessageStatus::Unknown | MessageStatus::Pending | MessageStatus::Sending | MessageStatus::Received => None,
    }
}

/// Returns what differs between two states of a message's annotations, and when it happened. Receipts of a group's
/// participants and payments aren't reported.
fn annotation_changes(before: &Annotations, after: &Annotations) -> Vec<(ChangeType, Timestamp)> {
    let mut changes = Vec::new();
    let edit_of = |annotations: &Annotations| annotations.edit.as_ref().map(|edit| (edit.at, edit.ids.clone()));
    if let (Some((at, _)), true) = (edit_of(after), edit_of(before) != edit_of(after)) {
        changes.push((ChangeType::MessageEdited, at));
    }
    if let (None, Some(at)) = (before.revoked_at, after.revoked_at) {
        changes.push((ChangeType::MessageDeleted, at));
    }
    let reactions = after.reactions.iter().filter(|(by, reaction)| {
        // The author can be known by another identity since.
        let known = std::iter::once(*by).chain(&reaction.also_by).find_map(|by| before.reactions.get(by));
        known.and_then(|known| known.emoji.as_ref()) != reaction.emoji.as_ref()
    });
    if let Some(at) = reactions.map(|(_, reaction)| reaction.at).max() {
        changes.push((ChangeType::MessageReaction, at));
    }
    changes
}

#[cfg(test)]
mod tests;
