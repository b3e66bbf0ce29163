//! The phones of users: their settings, and the conversations that they show.
//!
//! Every change is a [`PhoneEvent`]. The journal stores the events, and [`Phones::apply`] is the only function that
//! changes messages and settings, so that a restart yields the same phones.

mod feed;
mod settings;
mod state;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::feed::Feed;
pub(super) use self::{
    feed::{Entry, Origin, Page},
    settings::{AutomaticTicks, PhoneSettings},
    state::MessageState,
};
use super::users::User;

/// How long a typing indicator is shown (Meta, *Typing indicators*).
const TYPING_SECONDS: i64 = 25;

/// All phones. The key of a phone is [`super::users::User::key`].
#[derive(Debug, Default, PartialEq)]
pub(super) struct Phones {
    phones: BTreeMap<String, Phone>,
    /// The key of the phone that shows a message, by message ID.
    owners: HashMap<String, String>,
}

#[derive(Debug, Default, PartialEq)]
struct Phone {
    settings: PhoneSettings,
    feed: Feed,
}

/// A change of a phone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PhoneEvent {
    /// The settings were replaced. An earlier run counted changes up to `sequence`.
    Settings {
        phone: String,
        settings: PhoneSettings,
        #[serde(default)]
        sequence: u64,
    },
    /// The number of a user became known: the phone with the user ID as its key is the one with the number.
    Merge { user_id: String, number: String },
    /// A message or call was added, or replaced the one with its ID.
    Entry { phone: String, entry: Box<Entry> },
    /// The business types in a conversation until a time in Unix seconds.
    Typing { phone: String, phone_number_id: String, until: i64 },
}

/// A conversation of a phone with a business number.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Conversation {
    pub(super) phone_number_id: String,
    /// Messages of the business that the phone shows.
    pub(super) received: usize,
    /// Messages that were delivered and not read.
    pub(super) unread: usize,
    /// Whether the business is typing.
    pub(super) typing: bool,
}

impl Phones {
    /// Applies a change.
    pub(super) fn apply(&mut self, event: PhoneEvent) {
        match event {
            PhoneEvent::Settings { phone, settings, sequence } => {
                let phone = self.phones.entry(phone).or_default();
                phone.settings = settings;
                phone.feed.continue_after(sequence);
            }
            PhoneEvent::Typing { phone, phone_number_id, until } => {
                self.phones.entry(phone).or_default().feed.show_typing(phone_number_id, until);
            }
            PhoneEvent::Merge { user_id, number } => {
                let Some(merged) = self.phones.remove(&user_id) else { return };
                for entry in merged.feed.entries() {
                    self.owners.insert(entry.id.clone(), number.clone());
                }
                let phone = self.phones.entry(number).or_default();
                if phone.settings == PhoneSettings::default() {
                    phone.settings = merged.settings;
                }
                phone.feed.merge(merged.feed);
            }
            PhoneEvent::Entry { phone, entry } => {
                self.owners.insert(entry.id.clone(), phone.clone());
                self.phones.entry(phone).or_default().feed.put(*entry);
            }
        }
    }

    /// Returns the events that create these phones, one settings event and one event per message.
    pub(super) fn snapshot(&self) -> impl Iterator<Item = PhoneEvent> {
        self.phones.iter().flat_map(|(key, phone)| {
            let (settings, sequence) = (phone.settings, phone.feed.sequence());
            let settings = PhoneEvent::Settings { phone: key.clone(), settings, sequence };
            let entries = phone.feed.entries().iter();
            std::iter::once(settings)
                .chain(entries.map(|entry| PhoneEvent::Entry { phone: key.clone(), entry: Box::new(entry.clone()) }))
        })
    }

    /// Returns the settings of a phone. A phone without any is online and reads its messages.
    pub(super) fn settings(&self, key: &str) -> PhoneSettings {
        self.phones.get(key).map(|phone| phone.settings).unwrap_or_default()
    }

    /// Returns the settings of a user's phone, whose number may become known with their message.
    pub(super) fn settings_of(&self, user: &User) -> PhoneSettings {
        let by_number = self.settings(user.key());
        if by_number == PhoneSettings::default() { self.settings(&user.user_id) } else { by_number }
    }

    /// Returns the changes that leave each of these users one phone.
    pub(super) fn merges<'a>(&self, users: impl IntoIterator<Item = &'a User>) -> Vec<PhoneEvent> {
        let of_user = |user: &User| {
            let number = user.wa_id.clone().filter(|_| self.phones.contains_key(&user.user_id))?;
            Some(PhoneEvent::Merge { user_id: user.user_id.clone(), number })
        };
        users.into_iter().filter_map(of_user).collect()
    }

    /// Returns up to `limit` keys of phones after the key `after`.
    pub(super) fn keys(&self, after: &str, limit: usize) -> Vec<String> {
        let after = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        self.phones.range::<str, _>(after).take(limit).map(|(key, _)| key.clone()).collect()
    }

    /// Returns the message with this ID and the key of its phone.
    pub(super) fn find(&self, id: &str) -> Option<(&str, &Entry)> {
        self.locate(id).map(|(key, _, entry)| (key, entry))
    }

    fn locate(&self, id: &str) -> Option<(&str, &Phone, &Entry)> {
        let key = self.owners.get(id)?;
        let phone = self.phones.get(key)?;
        Some((key, phone, phone.feed.get(id)?))
    }

    /// Returns the messages and calls of a phone, oldest first.
    pub(super) fn entries(&self, key: &str) -> &[Entry] {
        self.phones.get(key).map_or(&[], |phone| phone.feed.entries())
    }

    /// Returns what changed after the cursor `after`.
    pub(super) fn page(&self, key: &str, after: u64, limit: usize) -> Page {
        self.phones.get(key).map(|phone| phone.feed.page(after, limit)).unwrap_or_default()
    }

    /// Returns the conversations of a phone. `now` is in Unix seconds.
    pub(super) fn conversations(&self, key: &str, now: i64) -> Vec<Conversation> {
        self.phones.get(key).map(|phone| phone.feed.conversations(now)).unwrap_or_default()
    }

    /// Returns the messages of a phone that these settings let advance, with their next states.
    pub(super) fn due(&self, key: &str, settings: PhoneSettings) -> Vec<(Entry, MessageState)> {
        let reach = settings.reach();
        let of_business = self.entries(key).iter().filter(|entry| entry.state.is_due(reach) && entry.is_of_business());
        of_business.map(|entry| (entry.clone(), reach)).collect()
    }

    /// Returns the changes by which the business reads a message and all before it in its conversation (Meta, *Mark
    /// messages as read*). A user who sends no read receipts gets none either (WhatsApp Help Center, *About read
    /// receipts*).
    pub(super) fn read_by_business(&self, id: &str) -> Vec<PhoneEvent> {
        let Some((key, phone, target)) = self.locate(id) else { return Vec::new() };
        if !phone.settings.read_receipts {
            return Vec::new();
        }
        let received = phone.feed.up_to(id).iter().rev();
        received
            .filter(|entry| entry.phone_number_id == target.phone_number_id && !entry.is_of_business())
            // All before a message that was read were read.
            .take_while(|entry| entry.state != MessageState::Read)
            .filter(|entry| entry.state == MessageState::Delivered)
            .map(|entry| PhoneEvent::of(key, entry.with_state(MessageState::Read)))
            .collect()
    }

    /// Returns the change by which the business types in the conversation of a message. `now` is in Unix seconds.
    pub(super) fn typing(&self, id: &str, now: i64) -> Option<PhoneEvent> {
        let (key, entry) = self.find(id)?;
        let (phone, phone_number_id) = (key.to_owned(), entry.phone_number_id.clone());
        Some(PhoneEvent::Typing { phone, phone_number_id, until: now + TYPING_SECONDS })
    }
}

impl PhoneEvent {
    pub(super) fn settings(key: &str, settings: PhoneSettings) -> PhoneEvent {
        PhoneEvent::Settings { phone: key.to_owned(), settings, sequence: 0 }
    }

    /// Returns the ID of the changed message.
    pub(super) fn message_id(&self) -> Option<String> {
        match self {
            PhoneEvent::Entry { entry, .. } => Some(entry.id.clone()),
            PhoneEvent::Settings { .. } | PhoneEvent::Typing { .. } | PhoneEvent::Merge { .. } => None,
        }
    }

    pub(super) fn of(key: &str, entry: Entry) -> PhoneEvent {
        PhoneEvent::Entry { phone: key.to_owned(), entry: Box::new(entry) }
    }
}

/// Returns the members of a WhatsApp message that a phone shows: the object named by `type`, and where it belongs.
pub(super) fn content(kind: &str, message: &serde_json::Map<String, Value>) -> serde_json::Map<String, Value> {
    let members = [kind, "context", "referral", "errors"].into_iter();
    members.filter_map(|name| Some((name.to_owned(), message.get(name)?.clone()))).collect()
}

#[cfg(test)]
mod tests;
