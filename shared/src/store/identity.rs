//! Which chat a person has. The chat's id is derived from the identity, so that writers who know nothing of each other
//! arrive at the same chat; the identity items say where a person is known by more than one form.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{KeysAndAttributes, TransactWriteItem};

use super::{
    Store, StoreError,
    chat::IDENTITY,
    item::{self, Item, string},
    keys::Key,
    transaction::Transaction,
    update::Condition,
};
use crate::{
    domain::chat::{Chat, Merged},
    domain::contact::{self, Alias, AliasWrite, Identifier, Merges},
    domain::id::{ChatId, SessionId},
    domain::identity::{Address, Identity},
    domain::inbound::Inbound,
    domain::time::Timestamp,
};

/// The most identities that a process remembers; about 100 bytes each.
const MAX_REMEMBERED: usize = 10_000;

/// How often a person's identifiers are read anew because others wrote of him.
const ROUNDS: u32 = 20;

/// What the table has confirmed, so that only the first message of a contact has to ask. It may be out of date: whoever
/// writes by it is refused then, and asks.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// Identities that lead to a chat whatever the time.
    chats: HashMap<(SessionId, Identity), ChatId>,
    /// Chats that others were merged into.
    merged: HashMap<ChatId, Vec<Merged>>,
}

/// Where a person's messages go.
pub(super) struct ResolvedChat {
    pub(super) chat_id: ChatId,
    /// What is to be written for every form of the person to lead there.
    pub(super) alias_writes: Vec<AliasWrite>,
    /// The chats that were merged into it, as far as known.
    pub(super) merged: Vec<Merged>,
    identifiers: Vec<Identifier>,
}

impl ResolvedChat {
    /// The merged chats that may hold this message already: those that are not older than it.
    pub(super) fn partitions_of(&self, message: &Inbound) -> impl Iterator<Item = ChatId> + '_ {
        let at = message.timestamp;
        self.merged.iter().filter(move |merged| at <= merged.newest).map(|merged| merged.chat_id)
    }

    /// How many actions storing these messages takes.
    pub(super) fn actions(&self, messages: &[Inbound]) -> usize {
        let of_messages = messages.iter().map(|message| 1 + self.partitions_of(message).count());
        1 + self.alias_writes.len() + of_messages.sum::<usize>()
    }

    /// Those of the addresses that the person has not given up.
    pub(super) fn current(&self, addresses: &[Address]) -> Vec<Address> {
        let is_over = |identifier: &Identifier| identifier.alias.as_ref().is_some_and(|alias| alias.ends_at.is_some());
        let over: Vec<&Identity> = self
            .identifiers
            .iter()
            .filter(|identifier| is_over(identifier))
            .map(|identifier| &identifier.identity)
            .collect();
        addresses.iter().filter(|address| !over.contains(&&address.identity())).cloned().collect()
    }
}

impl Store {
    /// Finds the chat of a person who is named by these addresses at a time: the one that they lead to, else a new one
    /// of the first. Chats that they show to be one person's are merged.
    pub(super) async fn resolve_chat(
        &self,
        session_id: SessionId,
        addresses: &[Address],
        at: Timestamp,
        merges: &mut Merges,
    ) -> Result<ResolvedChat, StoreError> {
        let mut identifiers = self.identifiers(session_id, &identities(addresses)).await?;
        let chats = contact::chats(&identifiers, merges, at);
        let chat_id = match chats[..] {
            [] => contact::new_chat(session_id, &identifiers[0]),
            [chat_id] => chat_id,
            [..] => {
                let chat_id = self.join(&chats, merges).await?;
                // What was remembered may have been the chat that ended.
                self.forget(session_id, addresses);
                identifiers = self.stored_forms(session_id, &identities(addresses)).await?;
                chat_id
            }
        };
        let alias_writes = contact::alias_writes(&identifiers, merges, at, chat_id);
        let merged = self.remembered.lock().ok().and_then(|known| known.merged.get(&chat_id).cloned());
        Ok(ResolvedChat { chat_id, alias_writes, merged: merged.unwrap_or_default(), identifiers })
    }

    /// Annotations that a person has these addresses, if he has a chat.
    pub async fn learn(&self, session_id: SessionId, addresses: &[Address], at: Timestamp) -> Result<(), StoreError> {
        let identifiers = self.remembered_forms(session_id, &identities(addresses));
        if identifiers.iter().all(|identifier| identifier.alias.is_some())
            && contact::chats(&identifiers, &Merges::default(), at).len() == 1
        {
            return Ok(());
        }
        self.settle_person(session_id, addresses, &[], at).await
    }

    /// Annotations that a person changed from some addresses to others, if he has a chat.
    pub async fn move_person(
        &self,
        session_id: SessionId,
        from: &[Address],
        to: &[Address],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.settle_person(session_id, from, to, at).await?;
        self.forget(session_id, from);
        Ok(())
    }

    /// Makes all these addresses lead to one chat, and tells the chat where its person is reached. With some to move to,
    /// the others are given up.
    async fn settle_person(
        &self,
        session_id: SessionId,
        addresses: &[Address],
        to: &[Address],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut merges = Merges::default();
        let mut former = identities(addresses);
        let new = identities(to);
        for round in 0..ROUNDS {
            if round > 0 {
                self.pause(round).await;
            }
            let mut identifiers = self.stored_forms(session_id, &[&former[..], &new[..]].concat()).await?;
            let chats = contact::chats(&identifiers, &merges, at);
            let Some(first) = chats.first().copied() else { return Ok(()) };
            let chat_id = if chats.len() > 1 { self.join(&chats, &mut merges).await? } else { first };
            let Some((item, chat)) = self.chat_row(chat_id).await? else { return Ok(()) };
            merges.note(chat_id, chat.id);
            let new_forms = identifiers.split_off(former.len());
            let (after, alias_writes) = if to.is_empty() {
                (chat.clone().learned(addresses, at), contact::alias_writes(&identifiers, &merges, at, chat.id))
            } else {
                if let Some(left) = left_behind(&chat, &former, &new, at) {
                    former.push(left);
                    continue;
                }
                (chat.clone().moved(addresses, to, at), contact::moves(&identifiers, &new_forms, &merges, at, chat.id))
            };
            if alias_writes.is_empty() && after == chat {
                self.remember_forms(session_id, chat.id, &identifiers, &alias_writes);
                return Ok(());
            }
            let mut actions = vec![self.replace_chat(&item, &after)?];
            for alias_write in &alias_writes {
                actions.push(self.write_alias(session_id, alias_write)?);
            }
            if let Transaction::Committed = self.transact("learning where a person is reached", actions).await? {
                self.remember_forms(session_id, chat.id, &identifiers, &alias_writes);
                return Ok(());
            }
        }
        Err(StoreError::Contention { operation: "learning where a person is reached" })
    }

    /// Merges these chats; the one that goes on, or the first of them when they are too many.
    async fn join(&self, chats: &[ChatId], merges: &mut Merges) -> Result<ChatId, StoreError> {
        let mut survivor = chats[0];
        for chat_id in &chats[1..] {
            if let Some(merged) = self.merge(survivor, *chat_id).await? {
                merges.note(survivor, merged);
                merges.note(*chat_id, merged);
                survivor = merged;
            }
        }
        Ok(survivor)
    }

    /// Binds a form, if the table still says of it what was found, or says it already.
    pub(super) fn write_alias(
        &self,
        session_id: SessionId,
        alias_write: &AliasWrite,
    ) -> Result<TransactWriteItem, StoreError> {
        let mut row = item::write(IDENTITY, &Key::identity(session_id, &alias_write.identity), &alias_write.alias)?;
        row.insert("session_id".to_owned(), string(session_id.to_string()));
        // The index by id gives what leads to a chat, too.
        row.insert("id".to_owned(), string(alias_write.alias.chat_id.to_string()));
        let found = alias_write.found.as_ref().map_or("attribute_not_exists(pk)".into(), same);
        Ok(self.put_action(row, found.or(same(&alias_write.alias))))
    }

    /// What is known of some identifiers, from memory where that says it.
    async fn identifiers(&self, session_id: SessionId, identities: &[Identity]) -> Result<Vec<Identifier>, StoreError> {
        let identifiers = self.remembered_forms(session_id, identities);
        let unknown: Vec<Identity> = identifiers
            .iter()
            .filter(|identifier| identifier.alias.is_none())
            .map(|identifier| identifier.identity.clone())
            .collect();
        if unknown.is_empty() {
            return Ok(identifiers);
        }
        let mut stored = self.stored_forms(session_id, &unknown).await?.into_iter();
        let read = |identifier: Identifier| {
            if identifier.alias.is_none() { stored.next().unwrap_or(identifier) } else { identifier }
        };
        Ok(identifiers.into_iter().map(read).collect())
    }

    fn remembered_forms(&self, session_id: SessionId, identities: &[Identity]) -> Vec<Identifier> {
        let remembered = self.remembered.lock().ok();
        let alias = |identity: &Identity| {
            let chat_id = remembered.as_ref()?.chats.get(&(session_id, identity.clone()))?;
            Some(Alias::to(*chat_id))
        };
        identities.iter().map(|identity| Identifier { identity: identity.clone(), alias: alias(identity) }).collect()
    }

    /// What the table says of some identifiers, in their order.
    pub(super) async fn stored_forms(
        &self,
        session_id: SessionId,
        identities: &[Identity],
    ) -> Result<Vec<Identifier>, StoreError> {
        let keys = identities.iter().map(|identity| Key::identity(session_id, identity)).collect();
        let mut items = self.get_all("reading identities", keys).await?;
        let read = |identity: &Identity| {
            let item = items.remove(&Key::identity(session_id, identity));
            let alias = item.map(|item| item::read(IDENTITY, item)).transpose()?;
            Ok(Identifier { identity: identity.clone(), alias })
        };
        identities.iter().map(read).collect()
    }

    /// Keeps a place that the table has confirmed. A form that came to its person or left him at a known time is asked
    /// for every time.
    pub(super) fn remember(&self, session_id: SessionId, place: &ResolvedChat) {
        self.remember_forms(session_id, place.chat_id, &place.identifiers, &place.alias_writes);
    }

    fn remember_forms(
        &self,
        session_id: SessionId,
        chat_id: ChatId,
        identifiers: &[Identifier],
        alias_writes: &[AliasWrite],
    ) {
        let Ok(mut remembered) = self.remembered.lock() else { return };
        if remembered.chats.len() >= MAX_REMEMBERED {
            *remembered = Remembered::default();
        }
        for identifier in identifiers {
            let written =
                alias_writes.iter().find(|write| write.identity == identifier.identity).map(|write| &write.alias);
            if written.or(identifier.alias.as_ref()) == Some(&Alias::to(chat_id)) {
                remembered.chats.insert((session_id, identifier.identity.clone()), chat_id);
            }
        }
    }

    /// Keeps which chats were merged into one.
    pub(super) fn remember_merged(&self, chat_id: ChatId, merged: &[Merged]) {
        let Ok(mut remembered) = self.remembered.lock() else { return };
        if merged.is_empty() {
            remembered.merged.remove(&chat_id);
        } else {
            remembered.merged.insert(chat_id, merged.to_vec());
        }
    }

    /// Drops what turned out to be different.
    pub(super) fn forget(&self, session_id: SessionId, addresses: &[Address]) {
        if let Ok(mut remembered) = self.remembered.lock() {
            for identity in identities(addresses) {
                remembered.chats.remove(&(session_id, identity));
            }
        }
    }

    /// Up to 100 items in one round trip, read consistently.
    pub(super) async fn get_all(
        &self,
        operation: &'static str,
        keys: Vec<Key>,
    ) -> Result<HashMap<Key, Item>, StoreError> {
        let mut found = HashMap::with_capacity(keys.len());
        let mut wanted: Vec<_> = keys.iter().map(Key::attributes).collect();
        for attempt in 0.. {
            if attempt > 0 {
                self.pause(attempt).await;
            }
            let request = KeysAndAttributes::builder()
                .set_keys(Some(wanted))
                .consistent_read(true)
                .build()
                .map_err(|source| StoreError::Request { operation, source: source.into() })?;
            let output = self
                .client
                .batch_get_item()
                .request_items(&self.table, request)
                .send()
                .await
                .map_err(StoreError::request(operation))?;
            for item in output.responses.unwrap_or_default().into_values().flatten() {
                if let Some(key) = Key::from_item(&item) {
                    found.insert(key, item);
                }
            }
            // What a throttled table left out is asked for again.
            wanted = output.unprocessed_keys.unwrap_or_default().into_values().flat_map(|rest| rest.keys).collect();
            if wanted.is_empty() {
                return Ok(found);
            }
            if attempt >= 10 {
                break;
            }
        }
        Err(StoreError::Contention { operation })
    }
}

/// The identities behind several addresses of one person, each once.
pub(super) fn identities(addresses: &[Address]) -> Vec<Identity> {
    let mut identities = Vec::with_capacity(addresses.len());
    for identity in addresses.iter().map(Address::identity) {
        if !identities.contains(&identity) {
            identities.push(identity);
        }
    }
    identities
}

/// The number under which a person was reached until he moved, when the news of it does not name it.
fn left_behind(chat: &Chat, former: &[Identity], new: &[Identity], at: Timestamp) -> Option<Identity> {
    let is_news = chat.moved_at.max(chat.last_inbound_at).is_none_or(|known_at| at > known_at);
    let number = Address::from_wa_id(chat.wa_id.as_deref().filter(|_| is_news)?)?.identity();
    (!former.contains(&number) && !new.contains(&number)).then_some(number)
}

/// Requires that an item holds this alias.
fn same(alias: &Alias) -> Condition {
    Condition::equals("chat_id", Some(alias.chat_id))
        .and(Condition::equals("begins_at", alias.begins_at))
        .and(Condition::equals("ends_at", alias.ends_at))
}
