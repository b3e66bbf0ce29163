//! A model of concurrent processes that apply WhatsApp's updates about two contacts to an in-memory table. The table
//! checks the same conditions as the real one, and each process has a cache that can be out of date.

use std::collections::{BTreeMap, HashMap};

use super::{
    Alias, AliasWrite, Identifier, Merge, Merges, address_change_writes, alias_writes, chats, merge, new_chat_id,
};
use crate::domain::{
    chat::{Chat, Merged},
    id::{ChatId, SessionId},
    identity::{Address, Identity},
    time::Timestamp,
};

/// An update from WhatsApp.
#[derive(Clone, Debug)]
pub(super) enum Update {
    /// A message from a contact, with some of the contact's addresses.
    Message { id: u32, addresses: Vec<Address>, at: Timestamp },
    /// Addresses of one contact, reported together.
    Addresses { addresses: Vec<Address>, at: Timestamp },
    /// A system message with the ID `id`: a contact changed addresses.
    AddressChange { id: u32, from: Vec<Address>, to: Vec<Address>, at: Timestamp },
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Table {
    aliases: HashMap<Identity, Alias>,
    pub(super) chats: BTreeMap<ChatId, Chat>,
    pub(super) messages: BTreeMap<(ChatId, u32), Timestamp>,
    clock: i64,
}

/// The cache of one process.
#[derive(Debug, Default)]
pub(super) struct Cache {
    chats: HashMap<Identity, ChatId>,
    merged: HashMap<ChatId, Vec<Merged>>,
}

/// The processing of one update. Each operation either reads or performs one conditional write.
#[derive(Debug)]
pub(super) struct Writer {
    update: Update,
    merges: Merges,
    next: Operation,
}

#[derive(Debug)]
enum Operation {
    ReadForMessage,
    ReadForContact,
    Merge { found: [Chat; 2], for_contact: bool },
    StoreMessage { chat_id: ChatId, identifiers: Vec<Identifier>, alias_writes: Vec<AliasWrite>, merged: Vec<Merged> },
    StoreContact { found: Chat, after: Chat, alias_writes: Vec<AliasWrite> },
    Done,
}

pub(super) fn session() -> SessionId {
    SessionId::for_owner("model")
}

pub(super) fn time(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).unwrap()
}

impl Table {
    fn identifiers(&self, addresses: &[Address], cache: Option<&Cache>) -> Vec<Identifier> {
        let mut identifiers: Vec<Identifier> = Vec::new();
        for identity in addresses.iter().map(Address::identity) {
            if identifiers.iter().all(|identifier| identifier.identity != identity) {
                let cached = cache.and_then(|cache| cache.chats.get(&identity)).copied().map(Alias::to);
                let alias = cached.or_else(|| self.aliases.get(&identity).cloned());
                identifiers.push(Identifier { identity, alias });
            }
        }
        identifiers
    }

    /// Returns the chat with `id`, following merges.
    pub(super) fn chat(&self, id: ChatId) -> Option<&Chat> {
        let chat = self.chats.get(&id)?;
        chat.merged_into.map_or(Some(chat), |into| self.chat(into))
    }

    fn meets_condition(&self, alias_write: &AliasWrite) -> bool {
        let stored = self.aliases.get(&alias_write.identity);
        stored == alias_write.expected.as_ref() || stored == Some(&alias_write.alias)
    }

    fn write(&mut self, alias_writes: &[AliasWrite]) {
        for alias_write in alias_writes {
            self.aliases.insert(alias_write.identity.clone(), alias_write.alias.clone());
        }
    }

    fn tick(&mut self) -> Timestamp {
        self.clock += 1;
        time(self.clock)
    }
}

fn read_again(for_contact: bool) -> Operation {
    if for_contact { Operation::ReadForContact } else { Operation::ReadForMessage }
}

impl Writer {
    pub(super) fn new(update: Update) -> Self {
        let is_contact_only = matches!(update, Update::Addresses { .. });
        let next = if is_contact_only { Operation::ReadForContact } else { Operation::ReadForMessage };
        Self { update, merges: Merges::default(), next }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.next, Operation::Done)
    }

    pub(super) fn run_next(&mut self, table: &mut Table, cache: &mut Cache) {
        self.next = match std::mem::replace(&mut self.next, Operation::Done) {
            Operation::ReadForMessage => self.read_for_message(table, cache),
            Operation::ReadForContact => self.read_for_contact(table),
            Operation::Merge { found, for_contact } => self.merge(table, cache, found, for_contact),
            Operation::StoreMessage { chat_id, identifiers, alias_writes, merged } => {
                self.store_message(table, cache, chat_id, &identifiers, &alias_writes, &merged)
            }
            Operation::StoreContact { found, after, alias_writes } => {
                let is_unchanged = table.chats.get(&found.id) == Some(&found);
                if is_unchanged && alias_writes.iter().all(|write| table.meets_condition(write)) {
                    table.chats.insert(after.id, after);
                    table.write(&alias_writes);
                    self.evict(cache);
                    Operation::Done
                } else {
                    Operation::ReadForContact
                }
            }
            Operation::Done => Operation::Done,
        };
    }

    fn message(&self) -> (u32, &[Address], Timestamp) {
        match &self.update {
            Update::Message { id, addresses, at } | Update::AddressChange { id, from: addresses, at, .. } => {
                (*id, addresses, *at)
            }
            Update::Addresses { addresses, at } => (0, addresses, *at),
        }
    }

    fn after_message(&self) -> Operation {
        if matches!(self.update, Update::AddressChange { .. }) { Operation::ReadForContact } else { Operation::Done }
    }

    fn evict(&self, cache: &mut Cache) {
        for address in self.message().1 {
            cache.chats.remove(&address.identity());
        }
    }

    fn read_for_message(&mut self, table: &Table, cache: &Cache) -> Operation {
        let (_, addresses, at) = self.message();
        let identifiers = table.identifiers(addresses, Some(cache));
        let known = chats(&identifiers, &self.merges, at);
        if let [one, other, ..] = known[..] {
            return self.read_for_merge(table, one, other, false);
        }
        let chat_id = known.first().copied().unwrap_or_else(|| new_chat_id(session(), &identifiers[0]));
        let alias_writes = alias_writes(&identifiers, &self.merges, at, chat_id);
        let merged = cache.merged.get(&chat_id).cloned().unwrap_or_default();
        Operation::StoreMessage { chat_id, identifiers, alias_writes, merged }
    }

    fn read_for_merge(&mut self, table: &Table, one: ChatId, other: ChatId, for_contact: bool) -> Operation {
        let (first, second) = (table.chat(one).unwrap(), table.chat(other).unwrap());
        self.merges.record(one, first.id);
        self.merges.record(other, second.id);
        if first.id == second.id {
            return read_again(for_contact);
        }
        Operation::Merge { found: [first.clone(), second.clone()], for_contact }
    }

    fn merge(&mut self, table: &mut Table, cache: &mut Cache, found: [Chat; 2], for_contact: bool) -> Operation {
        if found.iter().all(|chat| table.chats.get(&chat.id) == Some(chat)) {
            let Merge { survivor, merged } = merge(&found[0], &found[1], table.tick()).unwrap();
            self.merges.record(merged.id, survivor.id);
            table.chats.insert(survivor.id, survivor);
            table.chats.insert(merged.id, merged);
            self.evict(cache);
        }
        read_again(for_contact)
    }

    fn store_message(
        &mut self,
        table: &mut Table,
        cache: &mut Cache,
        chat_id: ChatId,
        identifiers: &[Identifier],
        alias_writes: &[AliasWrite],
        merged: &[Merged],
    ) -> Operation {
        let (id, addresses, at) = self.message();
        let found = table.chats.get(&chat_id).cloned();
        let is_live = found.as_ref().is_none_or(|chat| chat.merged_into.is_none() && chat.merged.len() == merged.len());
        let aliases_match = alias_writes.iter().all(|write| table.meets_condition(write));
        let older = merged.iter().filter(|merged| at <= merged.newest).map(|merged| merged.chat_id);
        let is_stored =
            std::iter::once(chat_id).chain(older).any(|chat_id| table.messages.contains_key(&(chat_id, id)));
        if is_live && aliases_match && !is_stored {
            let now = table.tick();
            let new = || Chat::new(chat_id, session(), &addresses[0], String::new(), now);
            let mut chat = found.unwrap_or_else(new);
            chat.unread_count += 1;
            chat.last_message_at = chat.last_message_at.max(Some(at));
            chat.last_inbound_at = chat.last_message_at;
            table.chats.insert(chat_id, chat);
            table.messages.insert((chat_id, id), at);
            table.write(alias_writes);
            for identifier in identifiers {
                if table.aliases.get(&identifier.identity) == Some(&Alias::to(chat_id)) {
                    cache.chats.insert(identifier.identity.clone(), chat_id);
                }
            }
            return self.after_message();
        }
        if !is_live {
            let survivor = table.chat(chat_id).unwrap();
            cache.merged.insert(survivor.id, survivor.merged.clone());
            self.merges.record(chat_id, survivor.id);
        }
        let survives = is_live || self.merges.resolve(chat_id) == chat_id;
        if !survives || !aliases_match {
            self.evict(cache);
        }
        if is_stored { self.after_message() } else { Operation::ReadForMessage }
    }

    fn read_for_contact(&mut self, table: &Table) -> Operation {
        let (from, to, at) = match &self.update {
            Update::AddressChange { from, to, at, .. } => (from.clone(), to.clone(), *at),
            Update::Addresses { addresses, at } | Update::Message { addresses, at, .. } => {
                (addresses.clone(), Vec::new(), *at)
            }
        };
        let (former, new) = (table.identifiers(&from, None), table.identifiers(&to, None));
        let known = chats(&[&former[..], &new].concat(), &self.merges, at);
        match known[..] {
            [] => Operation::Done,
            [chat_id] => {
                let chat = table.chat(chat_id).unwrap();
                self.merges.record(chat_id, chat.id);
                let (after, alias_writes) = if to.is_empty() {
                    let alias_writes = alias_writes(&former, &self.merges, at, chat.id);
                    (chat.clone().with_addresses(&from, at), alias_writes)
                } else {
                    let alias_writes = address_change_writes(&former, &new, &self.merges, at, chat.id);
                    (chat.clone().with_changed_addresses(&from, &to, at), alias_writes)
                };
                Operation::StoreContact { found: chat.clone(), after, alias_writes }
            }
            [one, other, ..] => self.read_for_merge(table, one, other, true),
        }
    }
}
