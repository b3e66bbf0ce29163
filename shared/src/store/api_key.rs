//! API keys: each an item that is found by its secret's hash, and an entry in the list of all.

use std::time::Duration;

use serde_json::json;

use super::{
    Store, StoreError,
    item::{self, string},
    keys::{API_KEYS, Key},
    transaction::Transaction,
    update::UpdateBuilder,
};
use crate::{domain::api_key::ApiKey, domain::cursor::Position, domain::id::KeyId, domain::time::Timestamp};

const API_KEY: &str = "api_key";

/// How old the time of last use may get before it is written anew: a key in steady use is one write an hour.
const USE_IS_NOTED_EVERY: Duration = Duration::from_secs(60 * 60);

/// Some of the keys, newest first.
#[derive(Debug)]
pub struct KeyPage {
    /// The keys.
    pub keys: Vec<ApiKey>,
    /// The last of them, after which the next page starts; `None` when there is no more.
    pub next: Option<Position>,
}

impl Store {
    /// Keeps a new key and its place in the list, or nothing.
    pub async fn create_api_key(&self, key: &ApiKey) -> Result<(), StoreError> {
        let operation = "creating an API key";
        let entry_key = Key::api_key_entry(key.place());
        let entry = item::write("api_key_entry", &entry_key, &json!({}))?;
        let item = item::write(API_KEY, &Key::api_key(key.id), key)?;
        let absent = "attribute_not_exists(pk)";
        let actions = vec![self.put_action(item, absent), self.put_action(entry, absent)];
        match self.transact(operation, actions).await? {
            Transaction::Committed => Ok(()),
            // Two keys of the same 256 random bits: nobody will see it, and nothing is overwritten if somebody does.
            Transaction::Refused(_) => Err(StoreError::Contention { operation }),
        }
    }

    /// A key.
    pub async fn api_key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        self.get("reading an API key", &Key::api_key(id)).await?.map(|item| item::read(API_KEY, item)).transpose()
    }

    /// Annotations that a key was used, unless that was noted within the hour, or the key is gone.
    pub async fn note_use(&self, key: &ApiKey, now: Timestamp) -> Result<(), StoreError> {
        if key.last_used_at.is_some_and(|at| now.since(at) < USE_IS_NOTED_EVERY) {
            return Ok(());
        }
        let update = UpdateBuilder::new(&Key::api_key(key.id))
            .set("last_used_at", now)
            .condition("attribute_exists(pk)")
            .condition(("attribute_not_exists(last_used_at) OR last_used_at < ?", now));
        self.update_if("recording the use of an API key", update).await.map(drop)
    }

    /// Deletes a key and its place in the list. Whether there was one.
    pub async fn delete_api_key(&self, id: KeyId) -> Result<bool, StoreError> {
        let Some(key) = self.api_key(id).await? else { return Ok(false) };
        let actions = vec![
            self.delete_action(&Key::api_key(id), "attribute_exists(pk)"),
            self.delete_action(&Key::api_key_entry(key.place()), "attribute_exists(pk)"),
        ];
        match self.transact("deleting an API key", actions).await? {
            Transaction::Committed => Ok(true),
            // Somebody else did it first.
            Transaction::Refused(_) => Ok(false),
        }
    }

    /// Up to `limit` keys, up to 100, newest first; those made before the one at `after`.
    pub async fn api_keys(&self, limit: i32, after: Option<Position>) -> Result<KeyPage, StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :keys")
            .expression_attribute_values(":keys", string(API_KEYS))
            .set_exclusive_start_key(after.map(|place| Key::api_key_entry(place).attributes()))
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(limit)
            .send()
            .await
            .map_err(StoreError::request("listing API keys"))?;
        let place = |item| Position::parse(&Key::from_item(item)?.sk);
        let places: Vec<Position> = output.items().iter().filter_map(place).collect();
        let next = output.last_evaluated_key.as_ref().and_then(place);
        if places.is_empty() {
            return Ok(KeyPage { keys: Vec::new(), next });
        }
        let wanted = places.iter().map(|place| Key::api_key(KeyId::from_uuid(place.id))).collect();
        let mut found = self.get_all("reading API keys", wanted).await?;
        let keys = places.iter().filter_map(|place| found.remove(&Key::api_key(KeyId::from_uuid(place.id))));
        Ok(KeyPage { keys: keys.map(|item| item::read(API_KEY, item)).collect::<Result<_, _>>()?, next })
    }
}
