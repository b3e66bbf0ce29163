//! Which chat a person has: pure rules over what the table holds of the identifiers in which he was seen.
//!
//! A person has a phone number in several spellings, a business-scoped user id and perhaps the one of a parent account.
//! Forms that WhatsApp shows together are one person's, so that their chats are one. A form is bound to a chat when it
//! is first seen; when a alias and a new fact say two different chats, the chats are merged. A phone number may also
//! leave its person, and belong to somebody else later.

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

/// What the table says of one form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The chat of the person who has it, or had it.
    pub chat_id: ChatId,
    /// Since when he has it, where that is known: whatever was told of it for an earlier time may mean another person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins_at: Option<Timestamp>,
    /// Until when he had it: whoever is seen under it later is somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
}

impl Alias {
    /// A alias without a known beginning or end.
    pub fn to(chat_id: ChatId) -> Self {
        Self { chat_id, begins_at: None, ends_at: None }
    }
}

/// One form and what the table says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier {
    /// The form.
    pub identity: Identity,
    /// What is known of it.
    pub alias: Option<Alias>,
}

/// Where a form leads at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AliasTarget {
    /// To nobody known.
    Nowhere,
    /// To this chat.
    To(ChatId),
    /// To this chat, if to any: the fact is older than the alias.
    Perhaps(ChatId),
}

impl Identifier {
    fn lead(&self, merges: &Merges, at: Timestamp) -> AliasTarget {
        let Some(alias) = &self.alias else { return AliasTarget::Nowhere };
        let chat_id = merges.end(alias.chat_id);
        if alias.ends_at.is_some_and(|end| at > end) {
            AliasTarget::Nowhere
        } else if alias.begins_at.is_some_and(|beginning| at <= beginning) {
            AliasTarget::Perhaps(chat_id)
        } else {
            AliasTarget::To(chat_id)
        }
    }

    /// The alias of a form that nobody has.
    fn taken_by(&self, chat_id: ChatId) -> Alias {
        let begins_at = self.alias.as_ref().and_then(|former| former.ends_at);
        Alias { chat_id, begins_at, ends_at: None }
    }
}

/// Merges of chats that were come across: which chat goes on for which.
#[derive(Clone, Debug, Default)]
pub struct Merges(HashMap<ChatId, ChatId>);

impl Merges {
    /// Annotations that `survivor` goes on for `chat_id`.
    pub fn note(&mut self, chat_id: ChatId, survivor: ChatId) {
        if self.end(survivor) != chat_id && chat_id != survivor {
            self.0.insert(chat_id, survivor);
        }
    }

    /// The chat that goes on, as far as known.
    pub fn end(&self, chat_id: ChatId) -> ChatId {
        let mut end = chat_id;
        while let Some(next) = self.0.get(&end) {
            end = *next;
        }
        end
    }
}

/// A alias to write, and what the table must still say for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasWrite {
    /// The form.
    pub identity: Identity,
    /// What the table was found to say.
    pub found: Option<Alias>,
    /// What it is to say.
    pub alias: Alias,
}

/// The chats that these identifiers of one person lead to at a time, each once. With more than one, they are to be merged.
pub fn chats(identifiers: &[Identifier], merges: &Merges, at: Timestamp) -> Vec<ChatId> {
    let mut chats = Vec::new();
    let mut perhaps = None;
    for identifier in identifiers {
        match identifier.lead(merges, at) {
            AliasTarget::To(chat_id) if !chats.contains(&chat_id) => chats.push(chat_id),
            AliasTarget::Perhaps(chat_id) => perhaps = perhaps.or(Some(chat_id)),
            AliasTarget::To(_) | AliasTarget::Nowhere => {}
        }
    }
    if chats.is_empty() { perhaps.into_iter().collect() } else { chats }
}

/// The chat of a person of whom nothing is known: the same for all who ask at once.
pub fn new_chat(session_id: SessionId, identifier: &Identifier) -> ChatId {
    match identifier.alias.as_ref().and_then(|former| former.ends_at) {
        Some(end) => ChatId::for_successor(session_id, &identifier.identity, end),
        None => ChatId::for_identity(session_id, &identifier.identity),
    }
}

/// What has to be written for every form to lead to `chat_id`.
pub fn alias_writes(identifiers: &[Identifier], merges: &Merges, at: Timestamp, chat_id: ChatId) -> Vec<AliasWrite> {
    let alias_write = |identifier: &Identifier| {
        let alias = match (identifier.lead(merges, at), &identifier.alias) {
            (AliasTarget::To(known), Some(found)) if known == chat_id => Alias { chat_id, ..found.clone() },
            (AliasTarget::Nowhere, _) => identifier.taken_by(chat_id),
            _ => return None,
        };
        identifier.to_write(alias)
    };
    identifiers.iter().filter_map(alias_write).collect()
}

/// What has to be written when the person of `chat_id` gave up the identifiers `from` for the identifiers `to`. Only a phone number
/// ever passes to another person: a user id that is given up stays his.
pub fn moves(
    from: &[Identifier],
    to: &[Identifier],
    merges: &Merges,
    at: Timestamp,
    chat_id: ChatId,
) -> Vec<AliasWrite> {
    let ends = from.iter().filter(|identifier| to.iter().all(|new| new.identity != identifier.identity)).filter_map(
        |identifier| {
            let is_phone = matches!(identifier.identity, Identity::Phone(_));
            let alias = match (identifier.lead(merges, at), &identifier.alias) {
                (AliasTarget::To(_), Some(found)) => {
                    Alias { chat_id, ends_at: found.ends_at.or(is_phone.then_some(at)), ..found.clone() }
                }
                (AliasTarget::Nowhere, None) => Alias { chat_id, begins_at: None, ends_at: is_phone.then_some(at) },
                _ => return None,
            };
            identifier.to_write(alias)
        },
    );
    let begins = to.iter().filter_map(|identifier| {
        let begins_at = matches!(identifier.identity, Identity::Phone(_)).then_some(at);
        let alias = match (identifier.lead(merges, at), &identifier.alias) {
            (AliasTarget::To(_), Some(found)) => {
                Alias { chat_id, begins_at: found.begins_at.max(begins_at), ends_at: found.ends_at }
            }
            (AliasTarget::Nowhere, _) => Alias { chat_id, begins_at, ends_at: None },
            _ => return None,
        };
        identifier.to_write(alias)
    });
    ends.chain(begins).collect()
}

impl Identifier {
    fn to_write(&self, alias: Alias) -> Option<AliasWrite> {
        (self.alias.as_ref() != Some(&alias)).then(|| AliasWrite {
            identity: self.identity.clone(),
            found: self.alias.clone(),
            alias,
        })
    }
}
