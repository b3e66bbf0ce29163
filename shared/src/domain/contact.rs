//! Which chat a person has: pure rules over what the table holds of the forms in which he was seen.
//!
//! A person has a phone number in several spellings, a business-scoped user id and perhaps the one of a parent account.
//! Forms that WhatsApp shows together are one person's, so that their chats are one. A form is bound to a chat when it
//! is first seen; when a binding and a new fact say two different chats, the chats are merged. A phone number may also
//! leave its person, and belong to somebody else later.

mod merge;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{
    domain::id::{ChatId, SessionId},
    domain::identity::Identity,
    domain::time::Timestamp,
};

pub use merge::{Merge, merge};

/// What the table says of one form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The chat of the person who has it, or had it.
    pub chat_id: ChatId,
    /// Since when he has it, where that is known: whatever was told of it for an earlier time may mean another person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins_at: Option<Timestamp>,
    /// Until when he had it: whoever is seen under it later is somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
}

impl Binding {
    /// A binding without a known beginning or end.
    pub fn to(chat_id: ChatId) -> Self {
        Self { chat_id, begins_at: None, ends_at: None }
    }
}

/// One form and what the table says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// The form.
    pub identity: Identity,
    /// What is known of it.
    pub binding: Option<Binding>,
}

/// Where a form leads at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    /// To nobody known.
    Nowhere,
    /// To this chat.
    To(ChatId),
    /// To this chat, if to any: the fact is older than the binding.
    Perhaps(ChatId),
}

impl Form {
    fn lead(&self, merges: &Merges, at: Timestamp) -> Lead {
        let Some(binding) = &self.binding else { return Lead::Nowhere };
        let chat_id = merges.end(binding.chat_id);
        if binding.ends_at.is_some_and(|end| at > end) {
            Lead::Nowhere
        } else if binding.begins_at.is_some_and(|beginning| at <= beginning) {
            Lead::Perhaps(chat_id)
        } else {
            Lead::To(chat_id)
        }
    }

    /// The binding of a form that nobody has.
    fn taken_by(&self, chat_id: ChatId) -> Binding {
        let begins_at = self.binding.as_ref().and_then(|former| former.ends_at);
        Binding { chat_id, begins_at, ends_at: None }
    }
}

/// Merges of chats that were come across: which chat goes on for which.
#[derive(Clone, Debug, Default)]
pub struct Merges(HashMap<ChatId, ChatId>);

impl Merges {
    /// Notes that `survivor` goes on for `chat_id`.
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

/// A binding to write, and what the table must still say for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// The form.
    pub identity: Identity,
    /// What the table was found to say.
    pub found: Option<Binding>,
    /// What it is to say.
    pub binding: Binding,
}

/// The chats that these forms of one person lead to at a time, each once. With more than one, they are to be merged.
pub fn chats(forms: &[Form], merges: &Merges, at: Timestamp) -> Vec<ChatId> {
    let mut chats = Vec::new();
    let mut perhaps = None;
    for form in forms {
        match form.lead(merges, at) {
            Lead::To(chat_id) if !chats.contains(&chat_id) => chats.push(chat_id),
            Lead::Perhaps(chat_id) => perhaps = perhaps.or(Some(chat_id)),
            Lead::To(_) | Lead::Nowhere => {}
        }
    }
    if chats.is_empty() { perhaps.into_iter().collect() } else { chats }
}

/// The chat of a person of whom nothing is known: the same for all who ask at once.
pub fn new_chat(session_id: SessionId, form: &Form) -> ChatId {
    match form.binding.as_ref().and_then(|former| former.ends_at) {
        Some(end) => ChatId::for_successor(session_id, &form.identity, end),
        None => ChatId::for_identity(session_id, &form.identity),
    }
}

/// What has to be written for every form to lead to `chat_id`.
pub fn binds(forms: &[Form], merges: &Merges, at: Timestamp, chat_id: ChatId) -> Vec<Bind> {
    let bind = |form: &Form| {
        let binding = match (form.lead(merges, at), &form.binding) {
            (Lead::To(known), Some(found)) if known == chat_id => Binding { chat_id, ..found.clone() },
            (Lead::Nowhere, _) => form.taken_by(chat_id),
            _ => return None,
        };
        form.to_write(binding)
    };
    forms.iter().filter_map(bind).collect()
}

/// What has to be written when the person of `chat_id` gave up the forms `from` for the forms `to`. Only a phone number
/// ever passes to another person: a user id that is given up stays his.
pub fn moves(from: &[Form], to: &[Form], merges: &Merges, at: Timestamp, chat_id: ChatId) -> Vec<Bind> {
    let ends = from.iter().filter(|form| to.iter().all(|new| new.identity != form.identity)).filter_map(|form| {
        let is_phone = matches!(form.identity, Identity::Phone(_));
        let binding = match (form.lead(merges, at), &form.binding) {
            (Lead::To(_), Some(found)) => {
                Binding { chat_id, ends_at: found.ends_at.or(is_phone.then_some(at)), ..found.clone() }
            }
            (Lead::Nowhere, None) => Binding { chat_id, begins_at: None, ends_at: is_phone.then_some(at) },
            _ => return None,
        };
        form.to_write(binding)
    });
    let begins = to.iter().filter_map(|form| {
        let begins_at = matches!(form.identity, Identity::Phone(_)).then_some(at);
        let binding = match (form.lead(merges, at), &form.binding) {
            (Lead::To(_), Some(found)) => {
                Binding { chat_id, begins_at: found.begins_at.max(begins_at), ends_at: found.ends_at }
            }
            (Lead::Nowhere, _) => Binding { chat_id, begins_at, ends_at: None },
            _ => return None,
        };
        form.to_write(binding)
    });
    ends.chain(begins).collect()
}

impl Form {
    fn to_write(&self, binding: Binding) -> Option<Bind> {
        (self.binding.as_ref() != Some(&binding)).then(|| Bind {
            identity: self.identity.clone(),
            found: self.binding.clone(),
            binding,
        })
    }
}
