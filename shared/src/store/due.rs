//! Due items, the leader lease of the `DuePoller`, and the rate limit of each number.

use std::{collections::HashMap, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::{
    Outbox, StoreError,
    item::{Item, string},
    keys::{Key, MEDIA_DUE, due_key, due_keys, due_priority, is_notify_key},
    update::{UpdateBuilder, WriteOutcome},
};
use crate::domain::{
    id::{ChatId, SessionId},
    message::{Message, MessageStatus, Priority},
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

/// The number of messages of a resumed session to make due before the next look.
const RESUME_LIMIT: usize = 2_000;

/// How long after a resumption to look for further messages of the session: longer than a send takes.
const RESUME_AGAIN_AFTER: Duration = Duration::from_secs(12);

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

/// A request to make all pending messages of a session due.
#[derive(Clone, Copy, Debug)]
pub struct Resumption {
    /// The session.
    pub session_id: SessionId,
    /// When the request became due.
    pub due_at: Timestamp,
}

/// The due items of the `due` index, the first due one first.
#[derive(Debug, Default)]
pub struct DueItems {
    /// Outbound messages.
    pub messages: Vec<DueMessage>,
    /// Resumed sessions.
    pub resumptions: Vec<Resumption>,
    /// Early updates to recheck.
    pub early_updates: Vec<Key>,
    /// Whether more messages or resumptions are due soon.
    pub has_more_soon: bool,
    /// Whether work of `notify` is due, or may be.
    pub has_notifications: bool,
    /// Whether files are due, or may be.
    pub has_files: bool,
}

/// An entry of the index.
enum Due {
    Message(DueMessage),
    Resume(Resumption),
    EarlyUpdate(Key),
    Notification,
    File,
}

impl DueItems {
    /// Returns whether no message or resumption is due soon.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.resumptions.is_empty() && !self.has_more_soon
    }
}

impl Outbox<'_> {
    /// Reads the entries that are due until `soon`, at least `limit` messages of each partition if it has so many, and up to
    /// 45 messages of each chat. Takes one request while the index fits into a page.
    pub async fn due_items(self, now: Timestamp, soon: Timestamp, limit: usize) -> Result<DueItems, StoreError> {
        let scan = self.0.client.scan().table_name(&self.0.table).index_name("due").limit(PAGE);
        let output = scan.send().await.map_err(StoreError::request("scanning for due items"))?;
        let is_complete = output.last_evaluated_key().is_none();
        let mut entries: Vec<(Timestamp, Due)> = if is_complete {
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
        // The partitions of the messages don't show it.
        let mut items = DueItems { has_notifications: !is_complete, has_files: !is_complete, ..DueItems::default() };
        for (due_at, due) in entries {
            match due {
                Due::File => items.has_files |= due_at <= now,
                Due::Notification => items.has_notifications |= due_at <= now,
                Due::EarlyUpdate(key) => items.early_updates.extend((due_at <= now).then_some(key)),
                _ if due_at > now => items.has_more_soon = true,
                Due::Message(message) => items.messages.push(message),
                Due::Resume(resumption) => items.resumptions.push(resumption),
            }
        }
        Ok(items)
    }

    async fn due_part(self, key: String, soon: Timestamp, limit: usize) -> Result<Vec<(Timestamp, Due)>, StoreError> {
        let mut entries = Vec::new();
        let mut chats: HashMap<ChatId, usize> = HashMap::new();
        let mut messages = 0;
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
                    messages += 1;
                }
                entries.push(entry);
            }
            start = output.last_evaluated_key;
            if start.is_none() || messages >= limit {
                break;
            }
        }
        Ok(entries)
    }

    /// Makes pending messages of a session due: up to 2,000 at once. The request to do so stays due until there
    /// are no more. It is repeated once, because the index may not yet show a message that was deferred just before, and
    /// a send that began before can return its message to `pending` afterwards.
    pub async fn resume_session(self, resumption: &Resumption) -> Result<(), StoreError> {
        let filter = ("session_id = :id", resumption.session_id.to_string());
        let update = |key: &Key| make_due(key, self.0.system.now()).remove(["not_before"]);
        if self.make_messages_due(due_keys().collect(), filter, RESUME_LIMIT, update).await? >= RESUME_LIMIT {
            return Ok(());
        }
        let key = Key::resume(resumption.session_id);
        let repeat = UpdateBuilder::new(&key)
            .set("due_at", self.0.system.now().after(RESUME_AGAIN_AFTER))
            .set("is_repeated", true)
            .condition(("due_at = ?", resumption.due_at))
            .condition("attribute_not_exists(is_repeated)");
        if self.0.update_if("repeating a resumption", repeat).await? {
            return Ok(());
        }
        // Unless the session was resumed again meanwhile.
        let done = self.0.delete_action(&key, ("due_at = ?", resumption.due_at));
        self.0.transact("deleting a resume request", vec![done]).await.map(drop)
    }

    /// Makes the pending messages of a message's chat due that have not been tried yet.
    pub async fn make_chat_due(self, message: &Message) -> Result<(), StoreError> {
        let Message { session_id, chat_id, .. } = *message;
        let keys = Priority::ALL.map(|priority| due_key(priority, session_id, chat_id, self.0.inbox_shards));
        let update = |key: &Key| make_due(key, self.0.system.now()).condition("attribute_not_exists(not_before)");
        let filter = ("pk = :id", Key::chat(chat_id).pk);
        self.make_messages_due(keys.to_vec(), filter, usize::MAX, update).await.map(drop)
    }

    /// Updates messages that are due later, up to about `limit`. Returns how many there were.
    async fn make_messages_due(
        self,
        due_keys: Vec<String>,
        (filter, id): (&str, String),
        limit: usize,
        update: impl Fn(&Key) -> UpdateBuilder,
    ) -> Result<usize, StoreError> {
        let now = self.0.system.now();
        let mut count = 0;
        for due_key in due_keys {
            let query = self
                .0
                .client
                .query()
                .table_name(&self.0.table)
                .index_name("due")
                .key_condition_expression("due_key = :key AND due_at > :now")
                .filter_expression(filter)
                .expression_attribute_values(":key", string(due_key))
                .expression_attribute_values(":now", string(now.to_string()))
                .expression_attribute_values(":id", string(&id));
            let mut pages = query.into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(StoreError::request("reading pending messages"))?;
                let keys: Vec<Key> = page.items().iter().filter_map(Key::from_item).collect();
                count += keys.len();
                stream::iter(keys.iter().map(&update))
                    .map(Ok)
                    .try_for_each_concurrent(DUE_REQUESTS, |update| async move {
                        self.0.update_if("making a message due", update).await.map(drop)
                    })
                    .await?;
                if count >= limit {
                    return Ok(count);
                }
            }
        }
        Ok(count)
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

/// Returns the update that makes a pending message due.
fn make_due(key: &Key, now: Timestamp) -> UpdateBuilder {
    UpdateBuilder::new(key).set("due_at", now).condition(("#status = ?", MessageStatus::Pending))
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
    let (pk, sk, due_key) = (text("pk")?, text("sk")?, text("due_key")?);
    if is_notify_key(due_key) {
        return Some((due_at, Due::Notification));
    }
    if due_key == MEDIA_DUE {
        return Some((due_at, Due::File));
    }
    let due = match pk.split_once('#')?.0 {
        "RESUME" => Due::Resume(Resumption { session_id: pk.strip_prefix("RESUME#")?.parse().ok()?, due_at }),
        "WAMID" => Due::EarlyUpdate(Key { pk: pk.clone(), sk: sk.clone() }),
        _ => {
            let key = Key { pk: pk.clone(), sk: sk.clone() }.message_key()?;
            Due::Message(DueMessage { key, priority: due_priority(due_key)?, due_at })
        }
    };
    Some((due_at, due))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{cursor::Position, id::WebhookId},
        store::keys::{message_key, notify_key},
    };

    /// Returns what the index has of an item that is due.
    fn due(key: &Key, due_key: &str) -> Option<Due> {
        let mut item = key.attributes();
        item.insert("due_key".to_owned(), string(due_key));
        item.insert("due_at".to_owned(), string("2026-11-26T12:00:00.000Z"));
        entry(&item).map(|(_, due)| due)
    }

    #[test]
    fn deliveries_of_webhooks_are_not_messages() {
        let session_id = SessionId::for_owner("ada");
        let chat_id = ChatId::from_uuid(Uuid::nil());
        let webhook_id = WebhookId::from_uuid(Uuid::nil());
        for key in [
            Key::change_log(session_id),
            Key::webhook_cursor(webhook_id, session_id),
            Key::webhook_delivery(session_id, Some(chat_id), webhook_id, 7),
        ] {
            assert!(matches!(due(&key, &notify_key(session_id)), Some(Due::Notification)), "{key:?}");
        }
        let message = message_key(chat_id, Position { at: Timestamp::MIN, id: Uuid::max() });
        let due_key = due_key(Priority::Bulk, session_id, chat_id, 1);
        assert!(matches!(due(&message, &due_key), Some(Due::Message(_))));
    }
}
