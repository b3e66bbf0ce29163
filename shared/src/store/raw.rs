//! Payloads as received. An item holds 400 KB and a webhook payload is up to 4 MB, so long payloads are split into
//! parts. The parts are written before the item that they belong to, so that a stored item is never truncated.

use std::{fmt, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::{
    Events, Messages, Store, StoreError, StoredEvent,
    item::{self, number, string},
    keys::Key,
};
use crate::domain::message::Message;

/// The maximum size of a part in bytes. The parsed content is in the same item as the first part.
pub(super) const PART: usize = 128 * 1024;

/// Splits a payload into parts.
fn parts(raw: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = raw;
    while rest.len() > PART {
        let (part, after) = rest.split_at(rest.floor_char_boundary(PART));
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    parts
}

/// Returns the first part of a payload.
#[cfg(test)]
pub(super) fn first_part(raw: &str) -> &str {
    parts(raw)[0]
}

/// A payload whose parts after the first are stored.
pub(super) struct RawParts<'a> {
    /// The first part.
    pub(super) first: &'a str,
    /// Number of parts, including the first.
    pub(super) count: usize,
}

impl Store {
    /// Writes the parts of a payload after the first under `id`.
    pub(super) async fn put_raw_parts<'a>(
        &self,
        id: &str,
        raw: &'a str,
        lifetime: Option<Duration>,
    ) -> Result<RawParts<'a>, StoreError> {
        let parts = parts(raw);
        let (first, rest) = parts.split_first().map_or(("", &[][..]), |(first, rest)| (*first, rest));
        stream::iter(rest.iter().zip(1..))
            .map(Ok)
            .try_for_each_concurrent(4, |(part, index)| async move {
                let mut item = item::write("raw", &Key::raw_part(id, index), &json!({"raw": part}))?;
                if let Some(lifetime) = lifetime {
                    item.insert("expires_at".to_owned(), number(self.system.now().after(lifetime).seconds()));
                }
                // A repeated delivery writes the same content again.
                let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
                put.send().await.map(drop).map_err(StoreError::request("storing a part of a payload"))
            })
            .await?;
        Ok(RawParts { first, count: parts.len() })
    }
}

impl Store {
    /// Appends the parts after the first that are stored under `id`.
    async fn append_raw_parts(&self, id: impl fmt::Display, raw: &mut String) -> Result<(), StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", string(Key::raw_part(id, 0).pk))
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(StoreError::request("reading the parts of a payload"))?;
            raw.extend(page.items().iter().filter_map(|part| part.get("raw")?.as_s().ok()).map(String::as_str));
        }
        Ok(())
    }
}

impl Messages<'_> {
    /// Returns the full payload of a message; `None` if it has none.
    pub async fn full_raw(self, message: &Message) -> Result<Option<String>, StoreError> {
        let Some(mut raw) = message.raw.clone() else { return Ok(None) };
        if may_have_more_parts(&raw) {
            self.0.append_raw_parts(message.id, &mut raw).await?;
        }
        Ok(Some(raw))
    }
}

impl Events<'_> {
    /// Returns the full payload of an event.
    pub async fn full_raw(self, event: &StoredEvent) -> Result<String, StoreError> {
        let mut raw = event.raw.clone();
        if event.parts > 1 {
            self.0.append_raw_parts(event.id, &mut raw).await?;
        }
        Ok(raw)
    }
}

/// Returns whether the first part of a payload is long enough to have more parts. A part ends at a character boundary.
pub(super) fn may_have_more_parts(raw: &str) -> bool {
    raw.len() + 4 > PART
}

#[cfg(test)]
mod tests;
