//! What came is kept as it came, however long. An item holds 400 KB and a webhook 4 MB, so what is long is cut into parts,
//! which are written before the item that they belong to: one without the other would be cut off.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::{
    Store, StoreError,
    item::{self, number, string},
    keys::Key,
};
use crate::domain::message::Message;

/// The most of one text that an item holds, in bytes. What was understood of it is beside it in the same item.
pub(super) const PART: usize = 128 * 1024;

/// Cuts `raw` where it does not fit into one item.
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

/// What is to be kept in an item itself.
pub(super) struct Kept<'a> {
    /// The first part.
    pub(super) own: &'a str,
    /// How many parts there are in all.
    pub(super) parts: usize,
}

impl Store {
    /// The text to keep in the item itself, after the rest was written beside it under `id`, to stay for as long.
    pub(super) async fn put_raw_parts<'a>(
        &self,
        id: &str,
        raw: &'a str,
        lifetime: Option<Duration>,
    ) -> Result<Kept<'a>, StoreError> {
        let parts = parts(raw);
        let (own, rest) = parts.split_first().map_or(("", &[][..]), |(own, rest)| (*own, rest));
        stream::iter(rest.iter().zip(1..))
            .map(Ok)
            .try_for_each_concurrent(4, |(part, index)| async move {
                let mut item = item::write("raw", &Key::raw_part(id, index), &json!({"raw": part}))?;
                if let Some(lifetime) = lifetime {
                    item.insert("expires_at".to_owned(), number(self.system.now().after(lifetime).seconds()));
                }
                // Written again, with the same content, when it is delivered again.
                let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
                put.send().await.map(drop).map_err(StoreError::request("keeping a long text"))
            })
            .await?;
        Ok(Kept { own, parts: parts.len() })
    }
}

impl Store {
    /// What came of a message, all parts of it; `None` when nothing did.
    pub async fn whole_raw(&self, message: &Message) -> Result<Option<String>, StoreError> {
        let Some(mut raw) = message.raw.clone() else { return Ok(None) };
        if is_first_of_many(&raw) {
            let mut pages = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", string(Key::raw_part(message.id, 0).pk))
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(StoreError::request("reading a long text"))?;
                raw.extend(page.items().iter().filter_map(|part| part.get("raw")?.as_s().ok()).map(String::as_str));
            }
        }
        Ok(Some(raw))
    }
}

/// Whether the text is as long as one that was cut: a part ends before the character that would make it too long.
pub(super) fn is_first_of_many(raw: &str) -> bool {
    raw.len() + 4 > PART
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fit_and_join_to_the_whole() {
        for raw in ["", "{}", &"é".repeat(PART), &"x".repeat(PART), &"x".repeat(3 * 1024 * 1024)] {
            let parts = parts(raw);
            assert!(parts.iter().all(|part| part.len() <= PART));
            assert_eq!(parts.concat(), raw);
        }
    }
}
