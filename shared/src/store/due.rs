//! Due items, the leader lease of the `DuePoller`, and the rate limit of each number.

use std::collections::HashMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::{
    Outbox, StoreError,
    item::{Item, string},
    keys::{Key, due_keys, due_priority},
    update::{UpdateBuilder, WriteOutcome},
};
use crate::domain::{
    id::{ChatId, SessionId},
    message::{MessageStatus, Priority},
    message_key::MessageKey,
    time::Timestamp,
};

/// Number of entries in a page of the index.
const PAGE: i32 = 200;

/// The maximum number of pages to read of a partition whose first messages are those of few chats.
const MAX_PAGES: usize = 20;

/// The maximum number of messages of one chat to return. Its recipient accepts about as many at once.
const CHAT_LIMIT: usize = 45;

/// Concurrent requests for partitions of the index.
const DUE_REQUESTS: usize = 16;

/// An outbound message in the `due` index.
#[derive(Clone, Copy, Debug)]
pub struct DueMessage {
    /// Its key.
    pub key: MessageKey,
    /// Its priority.
    pub priority: Priority,
    /// When it became due.
    pub due_at: Timestamp,
}

/// The due items of the `due` index, the first due one first.
#[derive(Debug, Default)]
pub struct DueItems {
    /// Outbound messages.
    pub messages: Vec<DueMessage>,
    /// Sessions whose pending messages are to be made due.
    pub resumptions: Vec<SessionId>,
    /// Early updates to recheck.
    pub early_updates: Vec<Key>,
    /// Whether more messages or resumptions are due soon.
    pub has_more_soon: bool,
}

/// An entry of the index.
enum Due {
    Message(DueMessage),
    Resume(SessionId),
    EarlyUpdate(Key),
}

impl DueItems {
    /// Returns whether no message or resumption is due soon.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.resumptions.is_empty() && !self.has_more_soon
    }
}

impl Outbox<'_> {
    /// Reads the entries that are due until `soon`, at least `limit` of each partition if it has so many, and up to
    /// [`CHAT_LIMIT`] messages of each chat. Takes one request while the index fits into a page.
    pub async fn due_items(self, now: Timestamp, soon: Timestamp, limit: usize) -> Result<DueItems, StoreError> {
        let scan = self.0.client.scan().table_name(&self.0.table).index_name("due").limit(PAGE);
        let output = scan.send().await.map_err(StoreError::request("scanning for due items"))?;
        let mut entries: Vec<(Timestamp, Due)> = if output.last_evaluated_key().is_none() {
            output.items().iter().filter_map(entry).filter(|(due_at, _)| *due_at <= soon).collect()
        } else {
            let parts = stream::iter(due_keys())
                .map(|key| self.due_part(key, soon, limit))
                .buffer_unordered(DUE_REQUESTS)
                .try_collect::<Vec<_>>()
                .await?;
            parts.into_iter().flatten().collect()
        };
        entries.sort_by_key(|(due_at, _)| *due_at);
        let mut items = DueItems::default();
        for (due_at, due) in entries {
            match due {
                Due::EarlyUpdate(key) => items.early_updates.extend((due_at <= now).then_some(key)),
                _ if due_at > now => items.has_more_soon = true,
                Due::Message(message) => items.messages.push(message),
                Due::Resume(session_id) => items.resumptions.push(session_id),
            }
        }
        Ok(items)
    }

    async fn due_part(self, key: String, soon: Timestamp, limit: usize) -> Result<Vec<(Timestamp, Due)>, StoreError> {
        let mut entries = Vec::new();
        let mut chats: HashMap<ChatId, usize> = HashMap::new();
        let mut start = None;
        for _ in 0..MAX_PAGES {
            let output = self
                .0
                .client
                .query()
                .table_name(&self.0.table)
                .index_name("due")
                .key_condition_expression("due_key = :key AND due_at <= :soon")
                .expression_attribute_values(":key", string(&key))
                .expression_attribute_values(":soon", string(soon.to_string()))
                .limit(PAGE)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(StoreError::request("reading due items"))?;
            for entry in output.items().iter().filter_map(entry) {
                if let Due::Message(DueMessage { key, .. }) = &entry.1 {
                    let count = chats.entry(key.chat_id).or_default();
                    *count += 1;
                    if *count > CHAT_LIMIT {
                        continue;
                    }
                }
                entries.push(entry);
            }
            start = output.last_evaluated_key;
            if start.is_none() || entries.len() >= limit {
                break;
            }
        }
        Ok(entries)
    }

    /// Makes every pending message of a session due, and deletes the request to do so.
    pub async fn resume_session(self, session_id: SessionId) -> Result<(), StoreError> {
        self.make_messages_due("session_id = :id", session_id.to_string()).await?;
        self.0
            .client
            .delete_item()
            .table_name(&self.0.table)
            .set_key(Some(Key::resume(session_id).attributes()))
            .send()
            .await
            .map(drop)
            .map_err(StoreError::request("deleting a resume request"))
    }

    /// Makes every pending message of a chat due.
    pub async fn make_chat_due(self, chat_id: ChatId) -> Result<(), StoreError> {
        self.make_messages_due("pk = :id", Key::chat(chat_id).pk).await
    }

    async fn make_messages_due(self, filter: &str, id: String) -> Result<(), StoreError> {
        let now = self.0.system.now();
        for key in due_keys() {
            let query = self
                .0
                .client
                .query()
                .table_name(&self.0.table)
                .index_name("due")
                .key_condition_expression("due_key = :key AND due_at > :now")
                .filter_expression(filter)
                .expression_attribute_values(":key", string(&key))
                .expression_attribute_values(":now", string(now.to_string()))
                .expression_attribute_values(":id", string(&id));
            let mut pages = query.into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(StoreError::request("reading pending messages"))?;
                let keys: Vec<Key> = page.items().iter().filter_map(Key::from_item).collect();
                stream::iter(keys).map(Ok).try_for_each_concurrent(DUE_REQUESTS, |key| self.make_due(key, now)).await?;
            }
        }
        Ok(())
    }

    async fn make_due(self, key: Key, now: Timestamp) -> Result<(), StoreError> {
        let update = UpdateBuilder::new(&key)
            .set("due_at", now)
            .remove(["not_before"])
            .condition(("#status = ?", MessageStatus::Pending));
        self.0.update_if("making a message due", update).await.map(drop)
    }

    /// Acquires or renews the leader lease of the `DuePoller`. Returns `false` if another process holds it.
    pub async fn acquire_poller_lease(self, poller_id: Uuid, until: Timestamp) -> Result<bool, StoreError> {
        let (now, lease) = (self.0.system.now(), poller_id.to_string());
        let update = UpdateBuilder::new(&Key::poller_lease())
            .set("lease", &lease)
            .set("lease_until", until)
            .set("entity", "poller_lease")
            .condition(("attribute_not_exists(pk) OR lease_until < ? OR lease = ?", [now.to_string(), lease.clone()]));
        self.0.update_if("acquiring the poller lease", update).await
    }

    /// Reserves the time of a number from `first` to `end`, in microseconds since 1970. If the number has no free time
    /// before, returns when it has.
    pub async fn reserve_sends(self, phone_number_id: &str, first: i64, end: i64) -> Result<Option<i64>, StoreError> {
        let update = UpdateBuilder::new(&Key::rate_limit(phone_number_id))
            .set("next_send_at", end)
            .set("entity", "rate_limit")
            .condition(("attribute_not_exists(pk) OR next_send_at <= ?", first));
        match self.0.update("reserving sends", update).await? {
            WriteOutcome::Written { .. } => Ok(None),
            WriteOutcome::Refused { item } => Ok(Some(item.as_ref().and_then(next_send_at).unwrap_or(end))),
        }
    }
}

fn next_send_at(item: &Item) -> Option<i64> {
    item.get("next_send_at")?.as_n().ok()?.parse().ok()
}

fn text<'a>(item: &'a Item, name: &str) -> Option<&'a String> {
    item.get(name)?.as_s().ok()
}

fn entry(item: &Item) -> Option<(Timestamp, Due)> {
    let text = |name| text(item, name);
    let due_at = text("due_at")?.parse().ok()?;
    let (pk, sk) = (text("pk")?, text("sk")?);
    let due = match pk.split_once('#')?.0 {
        "RESUME" => Due::Resume(pk.strip_prefix("RESUME#")?.parse().ok()?),
        "WAMID" => Due::EarlyUpdate(Key { pk: pk.clone(), sk: sk.clone() }),
        _ => {
            let key = Key { pk: pk.clone(), sk: sk.clone() }.message_key()?;
            Due::Message(DueMessage { key, priority: due_priority(text("due_key")?)?, due_at })
        }
    };
    Some((due_at, due))
}
