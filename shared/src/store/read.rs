//! Reads that several aggregates share.

use std::collections::HashMap;

use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, types::KeysAndAttributes};

use super::{
    Store, StoreError,
    item::{Item, string},
    keys::Key,
};

impl Store {
    /// Reads one item, consistently.
    pub(super) async fn get(&self, operation: &'static str, key: &Key) -> Result<Option<Item>, StoreError> {
        self.get_item(operation, key, true).await
    }

    /// Reads one item as it may have been a moment ago, at half the price.
    pub(super) async fn get_eventually(&self, operation: &'static str, key: &Key) -> Result<Option<Item>, StoreError> {
        self.get_item(operation, key, false).await
    }

    async fn get_item(
        &self,
        operation: &'static str,
        key: &Key,
        is_consistent: bool,
    ) -> Result<Option<Item>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .consistent_read(is_consistent)
            .send()
            .await
            .map_err(StoreError::request(operation))?;
        Ok(output.item)
    }

    /// Reads up to 100 items in one request, consistently.
    pub(super) async fn get_all(
        &self,
        operation: &'static str,
        keys: Vec<Key>,
    ) -> Result<HashMap<Key, Item>, StoreError> {
        self.get_batch(operation, keys, true).await
    }

    /// Reads up to 100 items in one request, for half the price of [`Store::get_all`]. Eventually consistent.
    pub(super) async fn get_all_eventually(
        &self,
        operation: &'static str,
        keys: Vec<Key>,
    ) -> Result<HashMap<Key, Item>, StoreError> {
        self.get_batch(operation, keys, false).await
    }

    async fn get_batch(
        &self,
        operation: &'static str,
        keys: Vec<Key>,
        is_consistent: bool,
    ) -> Result<HashMap<Key, Item>, StoreError> {
        let mut found = HashMap::with_capacity(keys.len());
        let mut unread: Vec<_> = keys.iter().map(Key::attributes).collect();
        for attempt in 0..=10 {
            // DynamoDB rejects an empty request.
            if unread.is_empty() {
                return Ok(found);
            }
            if attempt > 0 {
                self.pause(attempt).await;
            }
            let request = KeysAndAttributes::builder()
                .set_keys(Some(unread))
                .consistent_read(is_consistent)
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
            // A throttled table leaves keys out.
            unread = output.unprocessed_keys.unwrap_or_default().into_values().flat_map(|rest| rest.keys).collect();
        }
        if unread.is_empty() { Ok(found) } else { Err(StoreError::Contention { operation }) }
    }

    /// Returns a query for the entries of a partition of the `due` index that are due, the first due one first. Eventually
    /// consistent.
    pub(super) fn due_entries(&self, due_key: impl Into<String>) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .index_name("due")
            .key_condition_expression("due_key = :key AND due_at <= :now")
            .expression_attribute_values(":key", string(due_key))
            .expression_attribute_values(":now", string(self.system.now().to_string()))
    }

    /// Returns the keys of the first entries of [`Store::due_entries`], up to `limit`.
    pub(super) async fn due_keys(
        &self,
        operation: &'static str,
        due_key: &str,
        limit: i32,
    ) -> Result<Vec<Key>, StoreError> {
        let query = self.due_entries(due_key).limit(limit);
        let output = query.send().await.map_err(StoreError::request(operation))?;
        Ok(output.items().iter().filter_map(Key::from_item).collect())
    }

    /// Returns the keys of all items with this id. An identity has the id of its chat. Eventually consistent.
    pub(super) async fn keys_by_id(&self, operation: &'static str, id: impl ToString) -> Result<Vec<Key>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by_id")
            .key_condition_expression("id = :id")
            .expression_attribute_values(":id", string(id.to_string()));
        self.query_keys(operation, query).await
    }

    /// Returns the keys of all items with this key of the `wamid` index: messages, events, and pairing attempts.
    /// Eventually consistent.
    pub(super) async fn keys_by_wamid_key(
        &self,
        operation: &'static str,
        wamid_key: String,
    ) -> Result<Vec<Key>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("wamid")
            .key_condition_expression("wamid_key = :key")
            .expression_attribute_values(":key", string(wamid_key));
        self.query_keys(operation, query).await
    }

    /// Returns the keys of all items that a query finds.
    pub(super) async fn query_keys(
        &self,
        operation: &'static str,
        query: QueryFluentBuilder,
    ) -> Result<Vec<Key>, StoreError> {
        let mut pages = query.projection_expression("pk, sk").into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            keys.extend(page.map_err(StoreError::request(operation))?.items().iter().filter_map(Key::from_item));
        }
        Ok(keys)
    }
}
