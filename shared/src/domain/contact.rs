//! Maps contacts to chats: pure rules over the aliases in the table.
//!
//! A contact has a phone number, which has several spellings, a business-scoped user ID, and sometimes a parent
//! business-scoped user ID. Identifiers that WhatsApp reports together belong to one contact, and a contact has one
//! chat. The first sighting of an identifier creates an alias from it to the chat. If the identifiers of one contact
//! lead to different chats, the chats are merged. A phone number can also pass from one contact to another.

mod merge;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::domain::{
    id::{ChatId, SessionId},
    identity::Identity,
    time::Timestamp,
};

pub use merge::{Merge, merge};

/// The link from an identifier to a chat, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The chat of the contact who has or had the identifier.
    pub chat_id: ChatId,
    /// When the contact got the identifier, if known. Events up to this time may refer to another contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins_at: Option<Timestamp>,
    /// When the contact gave up the identifier. Later events refer to another contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
}

impl Alias {
    /// Creates an alias without a known start or end.
    pub fn to(chat_id: ChatId) -> Self {
        Self { chat_id, begins_at: None, ends_at: None }
    }
}

/// An identifier of a contact, with its alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier {
    /// The identity.
    pub identity: Identity,
    /// The alias, if any.
    pub alias: Option<Alias>,
}

/// The chat that an alias leads to at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AliasTarget {
    /// There is no alias, or it has ended.
    Unassigned,
    /// The alias leads to this chat.
    Chat(ChatId),
    /// The time is before the start of the alias, so the event may refer to another contact.
    Uncertain(ChatId),
}

impl Identifier {
    fn target(&self, merges: &Merges, at: Timestamp) -> AliasTarget {
        let Some(alias) = &self.alias else { return AliasTarget::Unassigned };
        let chat_id = merges.resolve(alias.chat_id);
        if alias.ends_at.is_some_and(|end| at > end) {
            AliasTarget::Unassigned
        } else if alias.begins_at.is_some_and(|start| at <= start) {
            AliasTarget::Uncertain(chat_id)
        } else {
            AliasTarget::Chat(chat_id)
        }
    }

    /// Returns the end of the former contact's alias, if the identifier was given up.
    fn given_up_at(&self) -> Option<Timestamp> {
        self.alias.as_ref().and_then(|former| former.ends_at)
    }

    fn write(&self, alias: Alias) -> Option<AliasWrite> {
        (self.alias.as_ref() != Some(&alias)).then(|| AliasWrite {
            identity: self.identity.clone(),
            expected: self.alias.clone(),
            alias,
        })
    }
}

/// The known merges: a map from merged chats to the chats that replace them.
#[derive(Clone, Debug, Default)]
pub struct Merges(HashMap<ChatId, ChatId>);

impl Merges {
    /// Records that `chat_id` was merged into `survivor`.
    pub fn record(&mut self, chat_id: ChatId, survivor: ChatId) {
        if self.resolve(survivor) != chat_id && chat_id != survivor {
            self.0.insert(chat_id, survivor);
        }
    }

    /// Follows the known merges of `chat_id` to the surviving chat.
    pub fn resolve(&self, mut chat_id: ChatId) -> ChatId {
        while let Some(survivor) = self.0.get(&chat_id) {
            chat_id = *survivor;
        }
        chat_id
    }
}

/// An alias to write, with the stored value that the write requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasWrite {
    /// The identity.
    pub identity: Identity,
    /// The alias that the table must contain.
    pub expected: Option<Alias>,
    /// The new alias.
    pub alias: Alias,
}

/// Returns the chats that the identifiers of one contact lead to at `at`, without duplicates. The caller must merge
/// them if there is more than one.
pub fn chats(identifiers: &[Identifier], merges: &Merges, at: Timestamp) -> Vec<ChatId> {
    let mut chats = Vec::new();
    let mut uncertain = None;
    for identifier in identifiers {
        match identifier.target(merges, at) {
            AliasTarget::Chat(chat_id) if !chats.contains(&chat_id) => chats.push(chat_id),
            AliasTarget::Uncertain(chat_id) => uncertain = uncertain.or(Some(chat_id)),
            AliasTarget::Chat(_) | AliasTarget::Unassigned => {}
        }
    }
    if chats.is_empty() { uncertain.into_iter().collect() } else { chats }
}

/// Returns the chat ID for a new contact. Concurrent callers get the same ID.
pub fn new_chat_id(session_id: SessionId, identifier: &Identifier) -> ChatId {
    match identifier.given_up_at() {
        Some(end) => ChatId::for_successor(session_id, &identifier.identity, end),
        None => ChatId::for_identity(session_id, &identifier.identity),
    }
}

/// Returns the writes after which every identifier leads to `chat_id`.
pub fn alias_writes(identifiers: &[Identifier], merges: &Merges, at: Timestamp, chat_id: ChatId) -> Vec<AliasWrite> {
    let alias_write = |identifier: &Identifier| {
        let alias = match (identifier.target(merges, at), &identifier.alias) {
            (AliasTarget::Chat(target), Some(alias)) if target == chat_id => Alias { chat_id, ..alias.clone() },
            (AliasTarget::Unassigned, _) => Alias { chat_id, begins_at: identifier.given_up_at(), ends_at: None },
            _ => return None,
        };
        identifier.write(alias)
    };
    identifiers.iter().filter_map(alias_write).collect()
}

/// Returns the writes after the contact of `chat_id` changed the identifiers `from` to `to`. A user ID that the contact
/// gave up still leads to their chat: only phone numbers pass to another contact. An identifier in both doesn't change,
/// and one that leads to another chat, which could not be merged, keeps leading there.
pub fn address_change_writes(
    from: &[Identifier],
    to: &[Identifier],
    merges: &Merges,
    at: Timestamp,
    chat_id: ChatId,
) -> Vec<AliasWrite> {
    let changed_at = |identifier: &Identifier| matches!(identifier.identity, Identity::Phone(_)).then_some(at);
    let is_given_up = |identifier: &&Identifier| to.iter().all(|new| new.identity != identifier.identity);
    let ends = from.iter().filter(is_given_up).filter_map(|identifier| {
        let ends_at = changed_at(identifier);
        let alias = match (identifier.target(merges, at), &identifier.alias) {
            (AliasTarget::Chat(target), Some(alias)) if target == chat_id => {
                Alias { chat_id, ends_at: alias.ends_at.or(ends_at), ..alias.clone() }
            }
            (AliasTarget::Unassigned, None) => Alias { chat_id, begins_at: None, ends_at },
            _ => return None,
        };
        identifier.write(alias)
    });
    let begins = to.iter().filter_map(|identifier| {
        let is_kept = from.iter().any(|former| former.identity == identifier.identity);
        let begins_at = changed_at(identifier).filter(|_| !is_kept);
        let alias = match (identifier.target(merges, at), &identifier.alias) {
            (AliasTarget::Chat(target), Some(alias)) if target == chat_id => {
                Alias { chat_id, begins_at: alias.begins_at.max(begins_at), ends_at: alias.ends_at }
            }
            (AliasTarget::Unassigned, _) => {
                Alias { chat_id, begins_at: begins_at.or(identifier.given_up_at()), ends_at: None }
            }
            _ => return None,
        };
        identifier.write(alias)
    });
    ends.chain(begins).collect()
}
