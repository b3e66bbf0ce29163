//! Resolves contacts to chats. A chat's id is derived from the first identity, so that concurrent writers create the
//! same chat. Identity items map the further identifiers of a contact to that chat.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::TransactWriteItem;

use super::{
    Chats, StoreError,
    chat::IDENTITY,
    item::{self, string},
    keys::Key,
    saved_name::SavedNames,
    transaction::Transaction,
    update::Condition,
};
use crate::domain::{
    chat::{Chat, Merged},
    contact::{self, Alias, AliasWrite, Identifier, Merges},
    id::{ChatId, SessionId},
    identity::{Address, Identity},
    inbound::Inbound,
    time::Timestamp,
};

/// The maximum number of identities that a process remembers, at about 100 bytes each.
const MAX_REMEMBERED: usize = 10_000;

/// Attempts to link a contact's identifiers while other writers change them.
const ROUNDS: u32 = 20;

/// Chats of contacts that the table has confirmed: only the first message of a contact has to read them. May be
/// outdated: a write that relies on it is refused, and the writer reads the table.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// Chats by identity, without those whose alias begins or ends at a time.
    chats: HashMap<(SessionId, Identity), ChatId>,
    /// Chats that others were merged into.
    merged: HashMap<ChatId, Vec<Merged>>,
}

/// The chat of a contact.
pub(super) struct ResolvedChat {
    pub(super) chat_id: ChatId,
    /// The writes that make every identifier of the contact lead to the chat.
    pub(super) alias_writes: Vec<AliasWrite>,
    /// The known chats that were merged into it.
    pub(super) merged: Vec<Merged>,
    /// The saved names of the identities that were read from the table.
    pub(super) saved_names: SavedNames,
    identifiers: Vec<Identifier>,
}

impl ResolvedChat {
    /// Returns a chat whose contact has no aliases.
    #[cfg(test)]
    pub(super) fn unlinked(chat_id: ChatId) -> Self {
        let (alias_writes, merged) = (Vec::new(), Vec::new());
        Self { chat_id, alias_writes, merged, saved_names: SavedNames::default(), identifiers: Vec::new() }
    }

    /// Returns the merged chats that may have this message already: those with a message that is not older.
    pub(super) fn partitions_of(&self, message: &Inbound) -> impl Iterator<Item = ChatId> + '_ {
        let at = message.timestamp;
        self.merged.iter().filter(move |merged| at <= merged.newest).map(|merged| merged.chat_id)
    }

    /// Returns the number of actions in the transaction that stores these messages.
    pub(super) fn actions(&self, messages: &[Inbound]) -> usize {
        let of_messages = messages.iter().map(|message| 1 + self.partitions_of(message).count());
        // An alias has a write and a check of the saved name.
        1 + 2 * self.alias_writes.len() + of_messages.sum::<usize>()
    }

    /// Returns the addresses that the contact still has.
    pub(super) fn current(&self, addresses: &[Address]) -> Vec<Address> {
        let is_former =
            |identifier: &Identifier| identifier.alias.as_ref().is_some_and(|alias| alias.ends_at.is_some());
        let former: Vec<&Identity> = self
            .identifiers
            .iter()
            .filter(|identifier| is_former(identifier))
            .map(|identifier| &identifier.identity)
            .collect();
        addresses.iter().filter(|address| !former.contains(&&address.identity())).cloned().collect()
    }
}

impl Chats<'_> {
    /// Resolves the chat of a contact with these addresses at a time: the one that they lead to, or a new one for the
    /// first address. Merges the chats if they lead to several.
    pub(super) async fn resolve(
        self,
        session_id: SessionId,
        addresses: &[Address],
        at: Timestamp,
        merges: &mut Merges,
    ) -> Result<ResolvedChat, StoreError> {
        let (mut identifiers, mut saved_names) = self.identifiers(session_id, &identities(addresses)).await?;
        let chats = contact::chats(&identifiers, merges, at);
        let chat_id = match chats[..] {
            [] => contact::new_chat_id(session_id, &identifiers[0]),
            [chat_id] => chat_id,
            [..] => {
                let chat_id = self.merge_all(&chats, merges).await?;
                // The remembered chat may be one that was merged.
                self.forget(session_id, addresses);
                (identifiers, saved_names) = self.stored_identifiers(session_id, &identities(addresses)).await?;
                chat_id
            }
        };
        let alias_writes = contact::alias_writes(&identifiers, merges, at, chat_id);
        let merged = self.0.remembered.lock().ok().and_then(|known| known.merged.get(&chat_id).cloned());
        Ok(ResolvedChat { chat_id, alias_writes, merged: merged.unwrap_or_default(), saved_names, identifiers })
    }

    /// Returns the chat that an identity leads to. A number that a contact moved away from leads to that contact until
    /// another contact uses it.
    pub async fn find(self, session_id: SessionId, identity: &Identity) -> Result<Option<Chat>, StoreError> {
        let item = self.0.get("reading an identity", &Key::identity(session_id, identity)).await?;
        let Some(item) = item else { return Ok(None) };
        self.get(item::read::<Alias>(IDENTITY, item)?.chat_id).await
    }

    /// Records that a contact has these addresses, if the contact has a chat.
    pub async fn record_addresses(
        self,
        session_id: SessionId,
        addresses: &[Address],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let identifiers = self.remembered_identifiers(session_id, &identities(addresses));
        if identifiers.iter().all(|identifier| identifier.alias.is_some())
            && contact::chats(&identifiers, &Merges::default(), at).len() == 1
        {
            return Ok(());
        }
        self.link_addresses(session_id, addresses, &[], at).await
    }

    /// Records that a contact changed from some addresses to others, if the contact has a chat.
    pub async fn move_contact(
        self,
        session_id: SessionId,
        from: &[Address],
        to: &[Address],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.link_addresses(session_id, from, to, at).await?;
        self.forget(session_id, from);
        self.forget(session_id, to);
        Ok(())
    }

    /// Makes all these addresses lead to one chat, and updates the chat's addresses. If the contact moves `to` new
    /// ones, ends the aliases of the others.
    async fn link_addresses(
        self,
        session_id: SessionId,
        addresses: &[Address],
        to: &[Address],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let operation = "linking a contact's addresses";
        let mut merges = Merges::default();
        let mut former = identities(addresses);
        let new = identities(to);
        for round in 0..ROUNDS {
            if round > 0 {
                self.0.pause(round).await;
            }
            // An identity can be in both, such as another spelling of the same number.
            let added = new.iter().filter(|identity| !former.contains(identity));
            let all: Vec<Identity> = former.iter().chain(added).cloned().collect();
            let (identifiers, saved_names) = self.stored_identifiers(session_id, &all).await?;
            let chats = contact::chats(&identifiers, &merges, at);
            let Some(first) = chats.first().copied() else { return Ok(()) };
            let chat_id = if chats.len() > 1 { self.merge_all(&chats, &mut merges).await? } else { first };
            let Some((item, chat)) = self.get_item(chat_id).await? else { return Ok(()) };
            merges.record(chat_id, chat.id);
            let of = |identities: &[Identity]| -> Vec<Identifier> {
                identifiers.iter().filter(|known| identities.contains(&known.identity)).cloned().collect()
            };
            let (identifiers, new_identifiers) = (of(&former), of(&new));
            let (mut after, alias_writes) = if to.is_empty() {
                (chat.clone().with_addresses(addresses, at), contact::alias_writes(&identifiers, &merges, at, chat.id))
            } else {
                if let Some(number) = unnamed_number(&chat, &former, &new, at) {
                    former.push(number);
                    continue;
                }
                (
                    chat.clone().with_changed_addresses(addresses, to, at),
                    contact::address_change_writes(&identifiers, &new_identifiers, &merges, at, chat.id),
                )
            };
            let saved = [chat.saved_name.as_ref(), saved_names.latest()].into_iter().flatten();
            after.saved_name = saved.max_by_key(|saved| saved.at).cloned();
            if alias_writes.is_empty() && after == chat {
                self.remember_identifiers(session_id, chat.id, &identifiers, &alias_writes);
                return Ok(());
            }
            let mut actions = vec![self.replace(&item, &after)?];
            for alias_write in &alias_writes {
                actions.push(self.write_alias(session_id, alias_write)?);
                let read_at = saved_names.saved_at(&alias_write.identity);
                actions.push(self.check_saved_name(session_id, &alias_write.identity, read_at));
            }
            if let Transaction::Committed = self.0.transact(operation, actions).await? {
                self.remember_identifiers(session_id, chat.id, &identifiers, &alias_writes);
                return Ok(());
            }
        }
        Err(StoreError::Contention { operation })
    }

    /// Merges these chats. Returns the one that they were merged into, or the first if there are too many.
    async fn merge_all(self, chats: &[ChatId], merges: &mut Merges) -> Result<ChatId, StoreError> {
        let mut survivor = chats[0];
        for chat_id in &chats[1..] {
            if let Some(merged) = self.merge(survivor, *chat_id).await? {
                merges.record(survivor, merged);
                merges.record(*chat_id, merged);
                survivor = merged;
            }
        }
        Ok(survivor)
    }

    /// Returns the action that writes an alias. It fails if another writer has changed the alias to something else.
    pub(super) fn write_alias(
        self,
        session_id: SessionId,
        alias_write: &AliasWrite,
    ) -> Result<TransactWriteItem, StoreError> {
        let mut row = item::write(IDENTITY, &Key::identity(session_id, &alias_write.identity), &alias_write.alias)?;
        row.insert("session_id".to_owned(), string(session_id.to_string()));
        // Lets the `by_id` index find the aliases of a chat.
        row.insert("id".to_owned(), string(alias_write.alias.chat_id.to_string()));
        let found = alias_write.expected.as_ref().map_or("attribute_not_exists(pk)".into(), same);
        Ok(self.0.put_action(row, found.or(same(&alias_write.alias))))
    }

    /// Returns the identifiers of these addresses with their aliases, as the table has them.
    pub(super) async fn identifiers_of(
        self,
        session_id: SessionId,
        addresses: &[Address],
    ) -> Result<Vec<Identifier>, StoreError> {
        Ok(self.stored_identifiers(session_id, &identities(addresses)).await?.0)
    }

    /// Returns identifiers with their aliases: from memory, or else from the table, with the saved names.
    async fn identifiers(
        self,
        session_id: SessionId,
        identities: &[Identity],
    ) -> Result<(Vec<Identifier>, SavedNames), StoreError> {
        let identifiers = self.remembered_identifiers(session_id, identities);
        let unknown: Vec<Identity> = identifiers
            .iter()
            .filter(|identifier| identifier.alias.is_none())
            .map(|identifier| identifier.identity.clone())
            .collect();
        if unknown.is_empty() {
            return Ok((identifiers, SavedNames::default()));
        }
        let (stored, saved_names) = self.stored_identifiers(session_id, &unknown).await?;
        let mut stored = stored.into_iter();
        let read = |identifier: Identifier| {
            if identifier.alias.is_none() { stored.next().unwrap_or(identifier) } else { identifier }
        };
        Ok((identifiers.into_iter().map(read).collect(), saved_names))
    }

    fn remembered_identifiers(self, session_id: SessionId, identities: &[Identity]) -> Vec<Identifier> {
        let remembered = self.0.remembered.lock().ok();
        let alias = |identity: &Identity| {
            let chat_id = remembered.as_ref()?.chats.get(&(session_id, identity.clone()))?;
            Some(Alias::to(*chat_id))
        };
        identities.iter().map(|identity| Identifier { identity: identity.clone(), alias: alias(identity) }).collect()
    }

    /// Reads identifiers with their aliases, in order, and their saved names.
    pub(super) async fn stored_identifiers(
        self,
        session_id: SessionId,
        identities: &[Identity],
    ) -> Result<(Vec<Identifier>, SavedNames), StoreError> {
        let keys_of =
            |identity: &Identity| [Key::identity(session_id, identity), Key::saved_name(session_id, identity)];
        let keys = identities.iter().flat_map(keys_of).collect();
        let mut items = self.0.get_all("reading identities", keys).await?;
        let saved_names = SavedNames::take(session_id, identities, &mut items)?;
        let read = |identity: &Identity| {
            let item = items.remove(&Key::identity(session_id, identity));
            let alias = item.map(|item| item::read(IDENTITY, item)).transpose()?;
            Ok(Identifier { identity: identity.clone(), alias })
        };
        Ok((identities.iter().map(read).collect::<Result<_, StoreError>>()?, saved_names))
    }

    /// Remembers a chat that the table has confirmed, without aliases that begin or end at a time.
    pub(super) fn remember(self, session_id: SessionId, resolved: &ResolvedChat) {
        self.remember_identifiers(session_id, resolved.chat_id, &resolved.identifiers, &resolved.alias_writes);
    }

    fn remember_identifiers(
        self,
        session_id: SessionId,
        chat_id: ChatId,
        identifiers: &[Identifier],
        alias_writes: &[AliasWrite],
    ) {
        let Ok(mut remembered) = self.0.remembered.lock() else { return };
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

    /// Remembers which chats were merged into one.
    pub(super) fn remember_merged(self, chat_id: ChatId, merged: &[Merged]) {
        let Ok(mut remembered) = self.0.remembered.lock() else { return };
        if merged.is_empty() {
            remembered.merged.remove(&chat_id);
        } else {
            remembered.merged.insert(chat_id, merged.to_vec());
        }
    }

    /// Forgets the chat of these addresses.
    pub(super) fn forget(self, session_id: SessionId, addresses: &[Address]) {
        if let Ok(mut remembered) = self.0.remembered.lock() {
            for identity in identities(addresses) {
                remembered.chats.remove(&(session_id, identity));
            }
        }
    }
}

/// Returns the distinct identities of several addresses.
pub(super) fn identities(addresses: &[Address]) -> Vec<Identity> {
    let mut identities = Vec::with_capacity(addresses.len());
    for identity in addresses.iter().map(Address::identity) {
        if !identities.contains(&identity) {
            identities.push(identity);
        }
    }
    identities
}

/// Returns the chat's phone number if the contact moved away from it and the update doesn't name it.
fn unnamed_number(chat: &Chat, former: &[Identity], new: &[Identity], at: Timestamp) -> Option<Identity> {
    let is_newer = chat.moved_at.max(chat.last_inbound_at).is_none_or(|known_at| at > known_at);
    let number = Address::from_wa_id(chat.wa_id.as_deref().filter(|_| is_newer)?)?.identity();
    (!former.contains(&number) && !new.contains(&number)).then_some(number)
}

/// Requires that an item holds this alias.
fn same(alias: &Alias) -> Condition {
    Condition::equals("chat_id", Some(alias.chat_id))
        .and(Condition::equals("begins_at", alias.begins_at))
        .and(Condition::equals("ends_at", alias.ends_at))
}
