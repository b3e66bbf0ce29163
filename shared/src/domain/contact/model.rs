//! Histories of what WhatsApp tells of two people, taken in by processes that run at once, each with what it remembers
//! of an earlier time, over a table in memory with the conditions of the real one.

use std::collections::{BTreeMap, HashMap};

use super::{Alias, AliasWrite, Identifier, Merge, Merges, alias_writes, chats, merge, moves, new_chat};
use crate::domain::{
    chat::{Chat, Merged},
    id::{ChatId, SessionId},
    identity::{Address, Identity},
    time::Timestamp,
};

/// Something that WhatsApp tells.
#[derive(Clone, Debug)]
pub(super) enum Fact {
    /// A person wrote, named by some of his identifiers.
    Message { id: u32, identifiers: Vec<Address>, at: Timestamp },
    /// Forms of one person were seen together.
    Seen { identifiers: Vec<Address>, at: Timestamp },
    /// A person changed to other identifiers; `id` is that of the message which tells it.
    Moved { id: u32, from: Vec<Address>, to: Vec<Address>, at: Timestamp },
}

/// What the table holds.
#[derive(Debug, Default)]
pub(super) struct Table {
    bindings: HashMap<Identity, Alias>,
    pub(super) chats: BTreeMap<ChatId, Chat>,
    pub(super) messages: BTreeMap<(ChatId, u32), Timestamp>,
    clock: i64,
}

/// What one process remembers.
#[derive(Debug, Default)]
pub(super) struct Memory {
    chats: HashMap<Identity, ChatId>,
    merged: HashMap<ChatId, Vec<Merged>>,
}

/// One fact on its way into the table: each step reads, or writes under conditions.
#[derive(Debug)]
pub(super) struct Writer {
    fact: Fact,
    merges: Merges,
    next: Step,
}

#[derive(Debug)]
enum Step {
    File,
    Settle,
    Merge { found: [Chat; 2], settles: bool },
    StoreMessage { chat_id: ChatId, identifiers: Vec<Identifier>, alias_writes: Vec<AliasWrite>, merged: Vec<Merged> },
    StorePerson { found: Chat, after: Chat, alias_writes: Vec<AliasWrite> },
    Done,
}

pub(super) fn session() -> SessionId {
    SessionId::for_owner("model")
}

pub(super) fn time(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).unwrap()
}

impl Table {
    fn identifiers(&self, addresses: &[Address], memory: Option<&Memory>) -> Vec<Identifier> {
        let mut identifiers: Vec<Identifier> = Vec::new();
        for identity in addresses.iter().map(Address::identity) {
            if identifiers.iter().all(|identifier| identifier.identity != identity) {
                let remembered = memory.and_then(|memory| memory.chats.get(&identity)).copied().map(Alias::to);
                let alias = remembered.or_else(|| self.bindings.get(&identity).cloned());
                identifiers.push(Identifier { identity, alias });
            }
        }
        identifiers
    }

    /// The chat, or the one that it was merged into.
    pub(super) fn chat(&self, id: ChatId) -> Option<&Chat> {
        let chat = self.chats.get(&id)?;
        chat.merged_into.map_or(Some(chat), |into| self.chat(into))
    }

    fn holds(&self, alias_write: &AliasWrite) -> bool {
        let stored = self.bindings.get(&alias_write.identity);
        stored == alias_write.found.as_ref() || stored == Some(&alias_write.alias)
    }

    fn write(&mut self, alias_writes: &[AliasWrite]) {
        for alias_write in alias_writes {
            self.bindings.insert(alias_write.identity.clone(), alias_write.alias.clone());
        }
    }

    fn tick(&mut self) -> Timestamp {
        self.clock += 1;
        time(self.clock)
    }
}

impl Writer {
    pub(super) fn new(fact: Fact) -> Self {
        let next = if matches!(fact, Fact::Seen { .. }) { Step::Settle } else { Step::File };
        Self { fact, merges: Merges::default(), next }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.next, Step::Done)
    }

    pub(super) fn step(&mut self, table: &mut Table, memory: &mut Memory) {
        self.next = match std::mem::replace(&mut self.next, Step::Done) {
            Step::File => self.read_for_message(table, memory),
            Step::Settle => self.read_for_person(table),
            Step::Merge { found, settles } => self.merge(table, memory, found, settles),
            Step::StoreMessage { chat_id, identifiers, alias_writes, merged } => {
                self.store_message(table, memory, chat_id, &identifiers, &alias_writes, &merged)
            }
            Step::StorePerson { found, after, alias_writes } => {
                let is_as_found = table.chats.get(&found.id) == Some(&found);
                if is_as_found && alias_writes.iter().all(|write| table.holds(write)) {
                    table.chats.insert(after.id, after);
                    table.write(&alias_writes);
                    self.forget(memory);
                    Step::Done
                } else {
                    Step::Settle
                }
            }
            Step::Done => Step::Done,
        };
    }

    fn message(&self) -> (u32, &[Address], Timestamp) {
        match &self.fact {
            Fact::Message { id, identifiers, at } | Fact::Moved { id, from: identifiers, at, .. } => {
                (*id, identifiers, *at)
            }
            Fact::Seen { identifiers, at } => (0, identifiers, *at),
        }
    }

    fn filed(&self) -> Step {
        if matches!(self.fact, Fact::Moved { .. }) { Step::Settle } else { Step::Done }
    }

    fn forget(&self, memory: &mut Memory) {
        for address in self.message().1 {
            memory.chats.remove(&address.identity());
        }
    }

    fn read_for_message(&mut self, table: &Table, memory: &Memory) -> Step {
        let (_, addresses, at) = self.message();
        let identifiers = table.identifiers(addresses, Some(memory));
        let known = chats(&identifiers, &self.merges, at);
        if let [one, other, ..] = known[..] {
            return self.read_for_merge(table, one, other, false);
        }
        let chat_id = known.first().copied().unwrap_or_else(|| new_chat(session(), &identifiers[0]));
        let alias_writes = alias_writes(&identifiers, &self.merges, at, chat_id);
        let merged = memory.merged.get(&chat_id).cloned().unwrap_or_default();
        Step::StoreMessage { chat_id, identifiers, alias_writes, merged }
    }

    fn read_for_merge(&mut self, table: &Table, one: ChatId, other: ChatId, settles: bool) -> Step {
        let (first, second) = (table.chat(one).unwrap(), table.chat(other).unwrap());
        self.merges.note(one, first.id);
        self.merges.note(other, second.id);
        if first.id == second.id {
            return if settles { Step::Settle } else { Step::File };
        }
        Step::Merge { found: [first.clone(), second.clone()], settles }
    }

    fn merge(&mut self, table: &mut Table, memory: &mut Memory, found: [Chat; 2], settles: bool) -> Step {
        if found.iter().all(|chat| table.chats.get(&chat.id) == Some(chat)) {
            let Merge { survivor, ended } = merge(&found[0], &found[1], table.tick()).unwrap();
            self.merges.note(ended.id, survivor.id);
            table.chats.insert(survivor.id, survivor);
            table.chats.insert(ended.id, ended);
            self.forget(memory);
        }
        if settles { Step::Settle } else { Step::File }
    }

    fn store_message(
        &mut self,
        table: &mut Table,
        memory: &mut Memory,
        chat_id: ChatId,
        identifiers: &[Identifier],
        alias_writes: &[AliasWrite],
        merged: &[Merged],
    ) -> Step {
        let (id, addresses, at) = self.message();
        let there = table.chats.get(&chat_id).cloned();
        let is_open = there.as_ref().is_none_or(|chat| chat.merged_into.is_none() && chat.merged.len() == merged.len());
        let is_bound = alias_writes.iter().all(|write| table.holds(write));
        let older = merged.iter().filter(|merged| at <= merged.newest).map(|merged| merged.chat_id);
        let is_stored =
            std::iter::once(chat_id).chain(older).any(|chat_id| table.messages.contains_key(&(chat_id, id)));
        if is_open && is_bound && !is_stored {
            let now = table.tick();
            let new = || Chat::new(chat_id, session(), &addresses[0], String::new(), now);
            let mut chat = there.unwrap_or_else(new);
            chat.unread_count += 1;
            chat.last_message_at = chat.last_message_at.max(Some(at));
            chat.last_inbound_at = chat.last_message_at;
            table.chats.insert(chat_id, chat);
            table.messages.insert((chat_id, id), at);
            table.write(alias_writes);
            for identifier in identifiers {
                if table.bindings.get(&identifier.identity) == Some(&Alias::to(chat_id)) {
                    memory.chats.insert(identifier.identity.clone(), chat_id);
                }
            }
            return self.filed();
        }
        if !is_open {
            let survivor = table.chat(chat_id).unwrap();
            memory.merged.insert(survivor.id, survivor.merged.clone());
            self.merges.note(chat_id, survivor.id);
        }
        let survives = is_open || self.merges.end(chat_id) == chat_id;
        if !survives || !is_bound {
            self.forget(memory);
        }
        if is_stored { self.filed() } else { Step::File }
    }

    fn read_for_person(&mut self, table: &Table) -> Step {
        let (from, to, at) = match &self.fact {
            Fact::Moved { from, to, at, .. } => (from.clone(), to.clone(), *at),
            Fact::Seen { identifiers, at } | Fact::Message { identifiers, at, .. } => {
                (identifiers.clone(), Vec::new(), *at)
            }
        };
        let (from_forms, to_forms) = (table.identifiers(&from, None), table.identifiers(&to, None));
        let known = chats(&[&from_forms[..], &to_forms].concat(), &self.merges, at);
        match known[..] {
            [] => Step::Done,
            [chat_id] => {
                let chat = table.chat(chat_id).unwrap();
                self.merges.note(chat_id, chat.id);
                let (after, alias_writes) = if to.is_empty() {
                    (chat.clone().learned(&from, at), alias_writes(&from_forms, &self.merges, at, chat.id))
                } else {
                    (chat.clone().moved(&from, &to, at), moves(&from_forms, &to_forms, &self.merges, at, chat.id))
                };
                Step::StorePerson { found: chat.clone(), after, alias_writes }
            }
            [one, other, ..] => self.read_for_merge(table, one, other, true),
        }
    }
}
