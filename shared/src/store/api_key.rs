//! API keys: one item with the secret's hash, and one entry in the list of all keys.

use std::time::Duration;

use serde_json::json;

use super::{
    ApiKeys, StoreError,
    item::{self, number, string},
    keys::{API_KEYS, Key},
    transaction::Transaction,
    update::UpdateBuilder,
};
use crate::domain::{api_key::ApiKey, cursor::Position, id::KeyId, time::Timestamp};

const API_KEY: &str = "api_key";

/// The minimum time between two updates of `last_used_at`.
const USE_UPDATE_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// How long a key stays in the list after it has expired.
const EXPIRED_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A page of API keys, newest first.
#[derive(Debug)]
pub struct KeyPage {
    /// The keys.
    pub keys: Vec<ApiKey>,
    /// The position after which the next page starts; `None` on the last page.
    pub next: Option<Position>,
}

impl ApiKeys<'_> {
    /// Stores a new key and its list entry in one transaction.
    pub async fn create(self, key: &ApiKey) -> Result<(), StoreError> {
        let operation = "creating an API key";
        let entry_key = Key::api_key_entry(key.position());
        let mut entry = item::write("api_key_entry", &entry_key, &json!({}))?;
        let mut item = item::write(API_KEY, &Key::api_key(key.id), key)?;
        if let Some(valid_until) = key.valid_until {
            let expires_at = number(valid_until.after(EXPIRED_LIFETIME).seconds());
            entry.insert("expires_at".to_owned(), expires_at.clone());
            item.insert("expires_at".to_owned(), expires_at);
        }
        let absent = "attribute_not_exists(pk)";
        let actions = vec![self.0.put_action(item, absent), self.0.put_action(entry, absent)];
        match self.0.transact(operation, actions).await? {
            Transaction::Committed => Ok(()),
            // Two keys with the same 256 random bits. Never overwrites a key.
            Transaction::Refused(_) => Err(StoreError::Contention { operation }),
        }
    }

    /// Returns a key.
    pub async fn get(self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        self.0.get("reading an API key", &Key::api_key(id)).await?.map(|item| item::read(API_KEY, item)).transpose()
    }

    /// Records the use of a key, at most once an hour. Does nothing if the key no longer exists.
    pub async fn record_use(self, key: &ApiKey, now: Timestamp) -> Result<(), StoreError> {
        if key.last_used_at.is_some_and(|at| now.since(at) < USE_UPDATE_INTERVAL) {
            return Ok(());
        }
        let update = UpdateBuilder::new(&Key::api_key(key.id))
            .set("last_used_at", now)
            .condition("attribute_exists(pk)")
            .condition(("attribute_not_exists(last_used_at) OR last_used_at < ?", now));
        self.0.update_if("recording the use of an API key", update).await.map(drop)
    }

    /// Deletes a key and its list entry. Returns whether it existed.
    pub async fn delete(self, id: KeyId) -> Result<bool, StoreError> {
        let Some(key) = self.get(id).await? else { return Ok(false) };
        let actions = vec![
            self.0.delete_action(&Key::api_key(id), "attribute_exists(pk)"),
            self.0.delete_action(&Key::api_key_entry(key.position()), "attribute_exists(pk)"),
        ];
        match self.0.transact("deleting an API key", actions).await? {
            Transaction::Committed => Ok(true),
            // Deleted concurrently.
            Transaction::Refused(_) => Ok(false),
        }
    }

    /// Returns up to `limit` keys (100 at most), newest first: those created before the position `after`.
    pub async fn list(self, limit: i32, after: Option<Position>) -> Result<KeyPage, StoreError> {
        let output = self
            .0
            .client
            .query()
            .table_name(&self.0.table)
            .key_condition_expression("pk = :keys")
            .expression_attribute_values(":keys", string(API_KEYS))
            .set_exclusive_start_key(after.map(|position| Key::api_key_entry(position).attributes()))
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(limit)
            .send()
            .await
            .map_err(StoreError::request("listing API keys"))?;
        let position = |item| Position::parse(&Key::from_item(item)?.sk);
        let positions: Vec<Position> = output.items().iter().filter_map(position).collect();
        let next = output.last_evaluated_key.as_ref().and_then(position);
        if positions.is_empty() {
            return Ok(KeyPage { keys: Vec::new(), next });
        }
        let keys = positions.iter().map(|position| Key::api_key(KeyId::from_uuid(position.id)));
        let keys: Vec<Key> = keys.collect();
        let mut found = self.0.get_all("reading API keys", keys.clone()).await?;
        let keys = keys.iter().filter_map(|key| found.remove(key));
        Ok(KeyPage { keys: keys.map(|item| item::read(API_KEY, item)).collect::<Result<_, _>>()?, next })
    }
}
