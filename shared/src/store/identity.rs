//! Which chat a person has. The chat's id is derived from the identity, so that writers who know nothing of each other
//! arrive at the same chat; the identity items say where a person is known by more than one form.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use serde::Deserialize;

use super::{
    Store, StoreError,
    chat::IDENTITY,
    inbound::identities,
    item::{self, Item},
    keys::Key,
};
use crate::{
    id::{ChatId, SessionId},
    identity::{Address, Identity},
};

/// The most identities that a process remembers; about 100 bytes each.
const MOST_REMEMBERED: usize = 10_000;

/// Identities whose chat is known, so that only the first message of a contact has to ask.
pub(super) type Remembered = HashMap<(SessionId, Identity), ChatId>;

/// Where a person's messages go.
pub(super) struct Place {
    pub(super) chat_id: ChatId,
    /// Identities that do not point to the chat yet.
    pub(super) unbound: Vec<Identity>,
    bound: Vec<Identity>,
}

#[derive(Deserialize)]
struct Bound {
    chat_id: ChatId,
}

impl Store {
    /// Finds the chat of a person who is named by these addresses: the one that an identity points to, in the order of
    /// the addresses, else the one that the first identity derives.
    pub(super) async fn place(&self, session_id: SessionId, addresses: &[Address]) -> Result<Place, StoreError> {
        let identities = identities(addresses);
        let known = self.known(session_id, &identities).await?;
        let chat_id = identities
            .iter()
            .find_map(|identity| known.get(identity).copied())
            .unwrap_or_else(|| ChatId::for_identity(session_id, &identities[0]));
        let unbound = identities.iter().filter(|identity| !known.contains_key(*identity)).cloned().collect();
        // One that points to another chat is left as it is.
        let bound = identities.into_iter().filter(|identity| known.get(identity) == Some(&chat_id)).collect();
        Ok(Place { chat_id, unbound, bound })
    }

    async fn known(
        &self,
        session_id: SessionId,
        identities: &[Identity],
    ) -> Result<HashMap<Identity, ChatId>, StoreError> {
        let mut known = HashMap::new();
        if let Ok(remembered) = self.remembered.lock() {
            for identity in identities {
                if let Some(chat_id) = remembered.get(&(session_id, identity.clone())) {
                    known.insert(identity.clone(), *chat_id);
                }
            }
        }
        let asked: Vec<&Identity> = identities.iter().filter(|identity| !known.contains_key(*identity)).collect();
        if asked.is_empty() {
            return Ok(known);
        }
        let keys = asked.iter().map(|identity| Key::identity(session_id, identity)).collect();
        let mut items = self.get_all("reading identities", keys).await?;
        for identity in asked {
            if let Some(item) = items.remove(&Key::identity(session_id, identity)) {
                known.insert(identity.clone(), item::read::<Bound>(IDENTITY, item)?.chat_id);
            }
        }
        Ok(known)
    }

    /// Keeps a place that the table has confirmed.
    pub(super) fn remember(&self, session_id: SessionId, place: &Place) {
        if let Ok(mut remembered) = self.remembered.lock() {
            if remembered.len() >= MOST_REMEMBERED {
                remembered.clear();
            }
            for identity in place.bound.iter().chain(&place.unbound) {
                remembered.insert((session_id, identity.clone()), place.chat_id);
            }
        }
    }

    /// Drops what turned out to be different.
    pub(super) fn forget(&self, session_id: SessionId, addresses: &[Address]) {
        if let Ok(mut remembered) = self.remembered.lock() {
            for identity in identities(addresses) {
                remembered.remove(&(session_id, identity));
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
