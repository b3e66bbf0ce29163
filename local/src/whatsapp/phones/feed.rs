//! What a phone shows: messages and calls of all its conversations, and a cursor for their changes.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Conversation, MessageState};
use crate::whatsapp::users::Address;

/// A message or a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::whatsapp) struct Entry {
    pub(in crate::whatsapp) id: String,
    /// The business number of the conversation.
    pub(in crate::whatsapp) phone_number_id: String,
    pub(in crate::whatsapp) origin: Origin,
    #[serde(rename = "type")]
    pub(in crate::whatsapp) kind: String,
    /// Unix seconds.
    pub(in crate::whatsapp) at: i64,
    pub(in crate::whatsapp) state: MessageState,
    /// The members of the message as in the Cloud API: the object named by `type`, `context`, `referral`, and `errors`.
    /// `rendered` has the components of a template with their parameters.
    pub(in crate::whatsapp) content: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Marks::is_empty")]
    marks: Marks,
    /// Counts the changes of the phone. 0 for a new or changed entry.
    #[serde(default)]
    sequence: u64,
}

/// Who sent a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::whatsapp) enum Origin {
    Phone,
    /// The business, with what later statuses repeat.
    Business {
        recipient: Address,
        callback_data: Option<String>,
    },
}

/// What later messages did to a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Marks {
    /// The emoji of the user.
    by_phone: Option<String>,
    /// The emoji of the business.
    by_business: Option<String>,
    edited: bool,
    deleted: bool,
}

/// The changes of a phone after a cursor, in the format of `GET /simulator/phones/{number}/messages`.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(in crate::whatsapp) struct Page {
    /// New and changed messages, in the order of the conversation.
    pub(in crate::whatsapp) messages: Vec<Value>,
    /// The value of `after` for the next page.
    pub(in crate::whatsapp) cursor: u64,
    /// Whether the next page already has messages.
    pub(in crate::whatsapp) more: bool,
}

/// The messages and calls of a phone.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Feed {
    /// Oldest first.
    entries: Vec<Entry>,
    /// By ID.
    positions: HashMap<String, usize>,
    /// The positions of the entries by their sequence.
    changes: BTreeMap<u64, usize>,
    sequence: u64,
    /// When typing indicators end, in Unix seconds, by phone number ID.
    typing: BTreeMap<String, i64>,
}

impl Entry {
    /// Creates a message without reactions.
    pub(in crate::whatsapp) fn new(
        id: String,
        phone_number_id: String,
        origin: Origin,
        kind: String,
        at: i64,
        state: MessageState,
        content: Map<String, Value>,
    ) -> Entry {
        Entry { id, phone_number_id, origin, kind, at, state, content, marks: Marks::default(), sequence: 0 }
    }

    /// Returns the message in another state, as a change.
    pub(in crate::whatsapp) fn with_state(&self, state: MessageState) -> Entry {
        Entry { state, sequence: 0, ..self.clone() }
    }

    /// Returns the message or call with other content, as a change.
    pub(in crate::whatsapp) fn with_content(&self, content: Map<String, Value>) -> Entry {
        Entry { content, sequence: 0, ..self.clone() }
    }

    pub(in crate::whatsapp) fn is_of_business(&self) -> bool {
        matches!(self.origin, Origin::Business { .. })
    }

    pub(in crate::whatsapp) fn is_deleted(&self) -> bool {
        self.marks.deleted
    }

    fn is_shown(&self) -> bool {
        !self.is_of_business() || self.state.is_on_phone()
    }

    /// Returns the format of the control API.
    fn to_json(&self, position: usize) -> Value {
        let mut json = self.content.clone();
        let mut set = |name: &str, value: Value| json.insert(name.to_owned(), value);
        set("id", json!(self.id));
        set("position", json!(position));
        set("phoneNumberId", json!(self.phone_number_id));
        set("from", json!(if self.is_of_business() { "business" } else { "phone" }));
        set("type", json!(self.kind));
        set("at", json!(Timestamp::from_second(self.at).unwrap_or_default().to_string()));
        set("status", json!(self.state.name()));
        if let MessageState::Failed(code) = self.state {
            set("errorCode", json!(code));
        }
        let reactions = [("phone", &self.marks.by_phone), ("business", &self.marks.by_business)];
        let reactions = reactions.into_iter().filter_map(|(from, emoji)| Some((from, emoji.as_ref()?)));
        let reactions: Vec<_> = reactions.map(|(from, emoji)| json!({"from": from, "emoji": emoji})).collect();
        if !reactions.is_empty() {
            set("reactions", json!(reactions));
        }
        for (name, is_set) in [("edited", self.marks.edited), ("deleted", self.marks.deleted)] {
            if is_set {
                set(name, json!(true));
            }
        }
        Value::Object(json)
    }
}

impl Marks {
    fn is_empty(&self) -> bool {
        *self == Marks::default()
    }
}

impl Feed {
    /// Returns the messages, oldest first.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn get(&self, id: &str) -> Option<&Entry> {
        self.entries.get(*self.positions.get(id)?)
    }

    /// Returns the message with this ID and all before it.
    pub(super) fn up_to(&self, id: &str) -> &[Entry] {
        self.positions.get(id).and_then(|position| self.entries.get(..=*position)).unwrap_or_default()
    }

    /// Adds a message, or replaces the one with its ID. Applies reactions, edits, and deletions once they are shown.
    pub(super) fn put(&mut self, mut entry: Entry) {
        let position = *self.positions.entry(entry.id.clone()).or_insert(self.entries.len());
        let was_shown = self.entries.get(position).is_some_and(Entry::is_shown);
        // An entry of an earlier run has a sequence. Its target has the effect already.
        let appears = entry.sequence == 0 && !was_shown && entry.is_shown();
        let effect = if appears { Effect::of(&entry) } else { None };
        if appears && entry.is_of_business() {
            self.typing.remove(&entry.phone_number_id);
        }
        let restored = std::mem::take(&mut entry.sequence);
        if let Some(previous) = self.entries.get_mut(position) {
            self.changes.remove(&previous.sequence);
            *previous = entry;
        } else {
            self.entries.push(entry);
        }
        self.touch(position, restored);
        if let Some((target, effect)) = effect {
            self.affect(&target, effect);
        }
    }

    /// Assigns the next sequence to an entry, or that of an earlier run.
    fn touch(&mut self, position: usize, restored: u64) {
        let sequence = if restored == 0 { self.sequence + 1 } else { restored };
        self.sequence = self.sequence.max(sequence);
        if let Some(entry) = self.entries.get_mut(position) {
            self.changes.remove(&entry.sequence);
            entry.sequence = sequence;
            self.changes.insert(sequence, position);
        }
    }

    fn affect(&mut self, target: &str, effect: Effect) {
        let Some(position) = self.positions.get(target).copied() else { return };
        let Some(entry) = self.entries.get_mut(position) else { return };
        match effect {
            Effect::Reaction { by_business: true, emoji } => entry.marks.by_business = emoji,
            Effect::Reaction { by_business: false, emoji } => entry.marks.by_phone = emoji,
            Effect::Edit { content } => {
                entry.content.extend(content);
                entry.marks.edited = true;
            }
            Effect::Deletion => {
                entry.content.clear();
                entry.marks.deleted = true;
            }
        }
        self.touch(position, 0);
    }

    /// Adds the messages of another feed, ordered by time. All get a new sequence, because their positions change.
    pub(super) fn merge(&mut self, other: Feed) {
        let sequence = self.sequence.max(other.sequence);
        let mut entries = std::mem::take(&mut self.entries);
        entries.extend(other.entries.into_iter().filter(|entry| !self.positions.contains_key(&entry.id)));
        entries.sort_by_key(|entry| entry.at);
        let mut typing = other.typing;
        typing.append(&mut self.typing);
        *self = Feed { sequence, typing, ..Feed::default() };
        for (position, entry) in entries.into_iter().enumerate() {
            self.positions.insert(entry.id.clone(), position);
            self.entries.push(Entry { sequence: 0, ..entry });
            self.touch(position, 0);
        }
    }

    /// Returns the number of changes.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Continues to count after the changes of an earlier run, so that its cursors stay valid.
    pub(super) fn continue_after(&mut self, sequence: u64) {
        self.sequence = self.sequence.max(sequence);
    }

    /// Shows that the business is typing until a time in Unix seconds. The cursor advances, so that a waiting client
    /// notices.
    pub(super) fn show_typing(&mut self, phone_number_id: String, until: i64) {
        self.typing.insert(phone_number_id, until);
        self.sequence += 1;
    }

    pub(super) fn page(&self, after: u64, limit: usize) -> Page {
        let mut changes = self.changes.range(after.saturating_add(1)..);
        let mut positions = Vec::new();
        let mut cursor = after;
        for (sequence, position) in changes.by_ref().take(limit) {
            positions.push(*position);
            cursor = *sequence;
        }
        let more = changes.next().is_some();
        if !more {
            cursor = self.sequence;
        }
        positions.sort_unstable();
        let messages = positions.into_iter().filter_map(|position| Some(self.entries.get(position)?.to_json(position)));
        Page { messages: messages.collect(), cursor, more }
    }

    pub(super) fn conversations(&self, now: i64) -> Vec<Conversation> {
        let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for entry in &self.entries {
            let (received, unread) = counts.entry(&entry.phone_number_id).or_default();
            *received += usize::from(entry.is_of_business() && entry.is_shown());
            *unread += usize::from(entry.is_of_business() && entry.state == MessageState::Delivered);
        }
        let conversation = |(number, (received, unread)): (&str, _)| Conversation {
            phone_number_id: number.to_owned(),
            received,
            unread,
            typing: self.typing.get(number).is_some_and(|until| now < *until),
        };
        counts.into_iter().map(conversation).collect()
    }
}

/// What a message does to another.
enum Effect {
    /// Sets or removes a reaction.
    Reaction { by_business: bool, emoji: Option<String> },
    /// Replaces the content (Meta, *edit messages webhook*).
    Edit { content: Map<String, Value> },
    /// Deletes the content (Meta, *revoke messages webhook*).
    Deletion,
}

impl Effect {
    /// Returns the target and the effect of a message.
    fn of(entry: &Entry) -> Option<(String, Effect)> {
        let object = entry.content.get(&entry.kind)?;
        let target = |name: &str| object[name].as_str().map(str::to_owned);
        match entry.kind.as_str() {
            "reaction" => {
                let emoji = object["emoji"].as_str().filter(|emoji| !emoji.is_empty()).map(str::to_owned);
                Some((target("message_id")?, Effect::Reaction { by_business: entry.is_of_business(), emoji }))
            }
            "edit" => {
                let message = object["message"].as_object()?;
                let content = super::content(message.get("type")?.as_str()?, message);
                Some((target("original_message_id")?, Effect::Edit { content }))
            }
            "revoke" => Some((target("original_message_id")?, Effect::Deletion)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
