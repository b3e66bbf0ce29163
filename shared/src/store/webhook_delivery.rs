//! Failed and waiting deliveries of changes to webhooks. They are in the partition of their chat, so that its erasure
//! includes them; in the `inbox` index by webhook and status; in `by_id`; and in `due` while there is another attempt.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, types::AttributeValue};
use futures_util::{TryStreamExt, stream, stream::StreamExt};
use serde::{Deserialize, Serialize};

use super::{
    StoreError, WebhookDeliveries,
    item::{self, Item, string},
    keys::{Key, notify_key, notify_keys, webhook_deliveries_key, webhook_deliveries_prefix},
    update::WriteOutcome,
    webhook_cursor::CursorId,
};
use crate::domain::{
    change::{Change, ChangeType, NewChange, Subject},
    cursor::Position,
    id::{ChangeId, ChatId, SessionId, WebhookId},
    message_key::MessageKey,
    page::{Order, Page, Segment, merge},
    time::Timestamp,
    webhook_delivery::{DeliveryEvent, DeliveryStatus, WebhookAttempt, WebhookDelivery},
};

pub(super) const WEBHOOK_DELIVERY: &str = "webhook_delivery";

/// Attempts to change a delivery while others change it.
const ROUNDS: usize = 5;

/// Concurrent requests.
const PARALLEL: usize = 8;

/// The maximum number of due entries that a run reads to find its own.
const MAX_OWN_ENTRIES: i32 = 1_000;

/// The work of `notify` that is due.
#[derive(Clone, Debug, Default)]
pub struct DueNotifications {
    /// Sessions with changes that may not be delivered.
    pub sessions: BTreeSet<SessionId>,
    /// Webhooks that were enabled and whose deliveries aren't resumed yet.
    pub webhooks: BTreeSet<WebhookId>,
    /// Positions whose pause has ended, and unfinished replays.
    pub cursors: Vec<CursorId>,
    /// Webhooks with due deliveries, each with its session and the chat; `None` for changes without a chat.
    pub deliveries: BTreeSet<(WebhookId, SessionId, Option<ChatId>)>,
    /// Whether there is more than could be read in time.
    pub has_more: bool,
}

#[derive(Serialize, Deserialize)]
struct DeliveryRow {
    webhook_id: WebhookId,
    session_id: SessionId,
    sequence: u64,
    change_id: ChangeId,
    #[serde(rename = "type")]
    kind: ChangeType,
    change_at: Timestamp,
    appended_at: Timestamp,
    #[serde(default)]
    chat_id: Option<ChatId>,
    subject: Subject,
    status: DeliveryStatus,
    attempts: Vec<WebhookAttempt>,
    attempt_count: u32,
    failures: u32,
    blocking_since: Timestamp,
    #[serde(default)]
    due_at: Option<Timestamp>,
    created_at: Timestamp,
    expires_at: i64,
    /// Incremented by each write.
    version: u64,
}

impl WebhookDeliveries<'_> {
    /// Returns when the delivery of a change expires: with the change.
    pub fn expires_at(self, change: &Change) -> Timestamp {
        change.appended_at.after(self.0.change_retention)
    }

    /// Stores a new delivery. If the same change has an open one, records the attempt there, or leaves it as it is if
    /// there was none. Replaces a closed one: a replay delivers the change again.
    pub async fn put(self, delivery: &WebhookDelivery) -> Result<(), StoreError> {
        let operation = "storing a delivery";
        match self.0.put_if(operation, write(delivery, 0)?, "attribute_not_exists(pk)").await? {
            WriteOutcome::Written { .. } | WriteOutcome::Refused { item: None } => Ok(()),
            WriteOutcome::Refused { item: Some(item) } => {
                let (existing, version) = read(item)?;
                if existing.has_attempt(delivery.attempts.last()) {
                    return Ok(());
                }
                if !existing.status.is_open() {
                    let unchanged = ("version = ?", version);
                    let replaced = write(&delivery.replacing(&existing), version + 1)?;
                    return match self.0.put_if(operation, replaced, unchanged).await? {
                        WriteOutcome::Written { .. } => Ok(()),
                        WriteOutcome::Refused { .. } => Err(StoreError::Contention { operation }),
                    };
                }
                if let Some(attempt) = delivery.attempts.last() {
                    self.update(&existing, &DeliveryEvent::Attempted(attempt.clone())).await?;
                }
                Ok(())
            }
        }
    }

    /// Applies an event to a delivery as it is now. Returns the delivery after it; `None` if it no longer exists, or the
    /// event has no effect.
    pub async fn update(
        self,
        delivery: &WebhookDelivery,
        event: &DeliveryEvent,
    ) -> Result<Option<WebhookDelivery>, StoreError> {
        let operation = "changing a delivery";
        for _ in 0..ROUNDS {
            let Some((found, version)) = self.get(delivery).await? else { return Ok(None) };
            if let DeliveryEvent::Attempted(attempt) = event
                && found.has_attempt(Some(attempt))
            {
                // The response to the same request was lost.
                return Ok(Some(found));
            }
            let Some(changed) = found.on(event.clone(), self.0.system.now(), self.0.system.random_uuid()) else {
                return Ok(None);
            };
            let unchanged = ("version = ?", version);
            match self.0.put_if(operation, write(&changed, version + 1)?, unchanged).await? {
                WriteOutcome::Written { .. } => return Ok(Some(changed)),
                WriteOutcome::Refused { .. } => {}
            }
        }
        Err(StoreError::Contention { operation })
    }

    /// Makes a delivery due now, whatever its status. Returns it; `None` if it no longer exists. Start `notify` with the
    /// webhook's ID afterwards.
    pub async fn retry_now(self, delivery: &WebhookDelivery) -> Result<Option<WebhookDelivery>, StoreError> {
        self.update(delivery, &DeliveryEvent::RetryRequested).await
    }

    /// Returns the delivery of a change to a webhook. If the log has the change twice, the last one. Eventually
    /// consistent.
    pub async fn find(self, webhook_id: WebhookId, change_id: ChangeId) -> Result<Option<WebhookDelivery>, StoreError> {
        let operation = "querying a delivery by its change";
        let mut keys = self.0.keys_by_id(operation, webhook_id.delivery_id(change_id)).await?;
        keys.retain(|key| key.webhook_of_delivery() == Some(webhook_id));
        keys.sort_by(|a, b| a.sk.cmp(&b.sk));
        let Some(key) = keys.pop() else { return Ok(None) };
        self.0.get("reading a delivery", &key).await?.map(|item| Ok(read(item)?.0)).transpose()
    }

    /// Returns a page of a webhook's deliveries, newest first. Eventually consistent.
    pub async fn list(
        self,
        webhook_id: WebhookId,
        status: Option<DeliveryStatus>,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page<WebhookDelivery>, StoreError> {
        let statuses = status.map_or(DeliveryStatus::ALL.to_vec(), |status| vec![status]);
        let segments = stream::iter(statuses)
            .map(|status| self.segment(webhook_id, status, after, limit))
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        let page = merge(segments, Order::Descending, limit, |_| true);
        let mut found = self.0.get_all_eventually("reading listed deliveries", page.items.clone()).await?;
        let items = page.items.iter().filter_map(|key| found.remove(key));
        Ok(Page { items: items.map(|item| Ok(read(item)?.0)).collect::<Result<_, StoreError>>()?, next: page.next })
    }

    /// Returns the deliveries of a chat, or of changes without a chat, that have another attempt, in the order of the log.
    pub async fn open(
        self,
        webhook_id: WebhookId,
        session_id: SessionId,
        chat_id: Option<ChatId>,
    ) -> Result<Vec<WebhookDelivery>, StoreError> {
        let query = self
            .of_chat(webhook_id, session_id, chat_id)
            .consistent_read(true)
            .filter_expression("#status IN (:retrying, :waiting)")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":retrying", string(DeliveryStatus::Retrying.as_str()))
            .expression_attribute_values(":waiting", string(DeliveryStatus::Waiting.as_str()));
        read_all(query).await
    }

    /// Returns a page of the deliveries of changes of one message, newest first. Reads all of the webhook's deliveries in
    /// the message's chat. Eventually consistent.
    pub async fn list_of_message(
        self,
        webhook_id: WebhookId,
        message: &MessageKey,
        session_id: SessionId,
        status: Option<DeliveryStatus>,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page<WebhookDelivery>, StoreError> {
        let query = self
            .of_chat(webhook_id, session_id, Some(message.chat_id))
            .filter_expression("subject.#message.#key = :message")
            .expression_attribute_names("#message", "message")
            .expression_attribute_names("#key", "key")
            .expression_attribute_values(":message", string(message.to_string()));
        let deliveries = read_all(query).await?.into_iter();
        let deliveries = deliveries.filter(|delivery| status.is_none_or(|status| status == delivery.status));
        let mut items: Vec<_> = deliveries.map(|delivery| (position(&delivery), delivery)).collect();
        items.retain(|(position, _)| after.is_none_or(|after| *position < after));
        Ok(merge(vec![Segment { items, reached: None }], Order::Descending, limit, |_| true))
    }

    /// Returns the work of `notify` that is due. Reads until `deadline`: many deliveries can be due for a webhook that
    /// pauses, and entries of others are behind them. Eventually consistent.
    pub async fn due(self, deadline: Timestamp) -> Result<DueNotifications, StoreError> {
        let parts = stream::iter(notify_keys())
            .map(|key| self.due_part(key, deadline))
            .buffer_unordered(PARALLEL)
            .try_collect::<Vec<_>>()
            .await?;
        Ok(parts.into_iter().fold(DueNotifications::default(), DueNotifications::and))
    }

    /// Returns the first due entries in the partition of the `due` index that has a session's. Eventually consistent.
    pub async fn due_of_session(self, session_id: SessionId) -> Result<DueNotifications, StoreError> {
        let query = self.0.due_entries(notify_key(session_id)).limit(MAX_OWN_ENTRIES);
        let output = query.send().await.map_err(StoreError::request("reading due notifications"))?;
        let mut due = DueNotifications::default();
        output.items().iter().for_each(|entry| due.add(entry));
        Ok(due)
    }

    /// Removes the entry of a session's log from the `due` index, unless changes were appended after `last`.
    pub async fn unmark(self, session_id: SessionId, last: u64) -> Result<(), StoreError> {
        let update = super::update::UpdateBuilder::new(&Key::change_log(session_id))
            .remove(["due_key", "due_at"])
            .condition(("#last = ?", last));
        self.0.update_if("removing the mark of a change log", update).await.map(drop)
    }

    /// Deletes a delivery whose webhook no longer exists.
    pub async fn delete(self, delivery: &WebhookDelivery) -> Result<(), StoreError> {
        self.0.delete_if("deleting a delivery", &key(delivery), "attribute_exists(pk)").await.map(drop)
    }

    async fn get(self, delivery: &WebhookDelivery) -> Result<Option<(WebhookDelivery, u64)>, StoreError> {
        self.0.get("reading a delivery", &key(delivery)).await?.map(read).transpose()
    }

    async fn due_part(self, due_key: String, deadline: Timestamp) -> Result<DueNotifications, StoreError> {
        let query = self.0.due_entries(due_key);
        let mut due = DueNotifications::default();
        let mut start = None;
        loop {
            let request = query.clone().set_exclusive_start_key(start).send();
            let output = request.await.map_err(StoreError::request("reading due notifications"))?;
            output.items().iter().for_each(|entry| due.add(entry));
            start = output.last_evaluated_key;
            due.has_more = start.is_some();
            if !due.has_more || self.0.system.now() > deadline {
                return Ok(due);
            }
        }
    }

    /// Reads one status of the list. The entries have the keys of the deliveries.
    async fn segment(
        self,
        webhook_id: WebhookId,
        status: DeliveryStatus,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Segment<Key>, StoreError> {
        let output = self
            .inbox(webhook_deliveries_key(webhook_id, status), after)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(StoreError::request("listing deliveries"))?;
        let position = |entry: &Item| Position::parse(entry.get("inbox_position")?.as_s().ok()?);
        let reached = output.last_evaluated_key().and_then(position);
        let items = output.items().iter().filter_map(|entry| Some((position(entry)?, Key::from_item(entry)?)));
        Ok(Segment { items: items.collect(), reached })
    }

    /// Selects the deliveries of a chat, or of changes without a chat, in the order of the log.
    fn of_chat(self, webhook_id: WebhookId, session_id: SessionId, chat_id: Option<ChatId>) -> QueryFluentBuilder {
        let key = Key::webhook_delivery(session_id, chat_id, webhook_id, 0);
        self.0
            .client
            .query()
            .table_name(&self.0.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", string(key.pk))
            .expression_attribute_values(":prefix", string(webhook_deliveries_prefix(webhook_id)))
    }

    fn inbox(self, key: String, after: Option<Position>) -> QueryFluentBuilder {
        let start = after.map_or_else(|| "~".to_owned(), |after| after.to_string());
        self.0
            .client
            .query()
            .table_name(&self.0.table)
            .index_name("inbox")
            .key_condition_expression("inbox_key = :key AND inbox_position < :start")
            .expression_attribute_values(":key", string(key))
            .expression_attribute_values(":start", string(start))
            .scan_index_forward(false)
    }
}

impl DueNotifications {
    fn add(&mut self, entry: &Item) {
        let Some(key) = Key::from_item(entry) else { return };
        if let Some(session_id) = key.session_of_change_log() {
            self.sessions.insert(session_id);
        } else if let Some(id) = key.webhook_id() {
            self.webhooks.insert(id);
        } else if let Some(id) = CursorId::from_key(&key) {
            self.cursors.push(id);
        } else if let Some(webhook_id) = key.webhook_of_delivery()
            && let Some(session_id) = text(entry, "session_id").and_then(|text| text.parse().ok())
        {
            let chat_id = key.pk.strip_prefix("CHAT#").and_then(|id| id.parse().ok());
            self.deliveries.insert((webhook_id, session_id, chat_id));
        }
    }

    fn and(mut self, other: Self) -> Self {
        self.sessions.extend(other.sessions);
        self.webhooks.extend(other.webhooks);
        self.cursors.extend(other.cursors);
        self.deliveries.extend(other.deliveries);
        self.has_more |= other.has_more;
        self
    }
}

async fn read_all(query: QueryFluentBuilder) -> Result<Vec<WebhookDelivery>, StoreError> {
    let mut pages = query.into_paginator().send();
    let mut deliveries = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(StoreError::request("reading the deliveries of a chat"))?;
        for item in page.items.unwrap_or_default() {
            deliveries.push(read(item)?.0);
        }
    }
    Ok(deliveries)
}

fn text<'a>(item: &'a Item, name: &str) -> Option<&'a String> {
    item.get(name).map(AttributeValue::as_s)?.ok()
}

fn key(delivery: &WebhookDelivery) -> Key {
    let Change { session_id, sequence, .. } = &delivery.change;
    Key::webhook_delivery(*session_id, delivery.change.erased_with(), delivery.webhook_id, *sequence)
}

/// Returns the position in the lists of the webhook's deliveries.
fn position(delivery: &WebhookDelivery) -> Position {
    Position { at: delivery.created_at, id: delivery.webhook_id.delivery_id(delivery.change.change.id) }
}

fn write(delivery: &WebhookDelivery, version: u64) -> Result<Item, StoreError> {
    let WebhookDelivery { webhook_id, change, status, created_at, due_at, .. } = delivery.clone();
    let Change { session_id, sequence, appended_at, change } = change;
    let id = webhook_id.delivery_id(change.id);
    let row = DeliveryRow {
        webhook_id,
        session_id,
        sequence,
        change_id: change.id,
        kind: change.kind,
        change_at: change.at,
        appended_at,
        chat_id: change.chat_id,
        subject: change.subject,
        status,
        attempts: delivery.attempts.clone(),
        attempt_count: delivery.attempt_count,
        failures: delivery.failures,
        blocking_since: delivery.blocking_since,
        due_at,
        created_at,
        expires_at: delivery.expires_at.seconds(),
        version,
    };
    let mut item = item::write(WEBHOOK_DELIVERY, &key(delivery), &row)?;
    item.insert("id".to_owned(), string(id.to_string()));
    item.insert("inbox_key".to_owned(), string(webhook_deliveries_key(webhook_id, status)));
    item.insert("inbox_position".to_owned(), string(position(delivery).to_string()));
    if due_at.is_some() {
        item.insert("due_key".to_owned(), string(notify_key(session_id)));
    }
    Ok(item)
}

/// Returns a delivery and its version.
fn read(item: Item) -> Result<(WebhookDelivery, u64), StoreError> {
    let row: DeliveryRow = item::read(WEBHOOK_DELIVERY, item)?;
    let change =
        NewChange { id: row.change_id, kind: row.kind, at: row.change_at, chat_id: row.chat_id, subject: row.subject };
    let change = Change { session_id: row.session_id, sequence: row.sequence, appended_at: row.appended_at, change };
    let delivery = WebhookDelivery {
        webhook_id: row.webhook_id,
        change,
        status: row.status,
        attempts: row.attempts,
        attempt_count: row.attempt_count,
        failures: row.failures,
        blocking_since: row.blocking_since,
        due_at: row.due_at,
        created_at: row.created_at,
        expires_at: Timestamp::from_seconds(row.expires_at).unwrap_or(Timestamp::MAX),
    };
    Ok((delivery, row.version))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn delivery(chat_id: Option<ChatId>) -> WebhookDelivery {
        let now = Timestamp::from_seconds(1_790_000_000).unwrap();
        let change = Change {
            session_id: SessionId::for_owner("ada"),
            sequence: 41,
            appended_at: now,
            change: NewChange {
                id: ChangeId::for_stream_event("1", "session.paused"),
                kind: ChangeType::SessionPaused,
                at: now,
                chat_id,
                subject: Subject::Session,
            },
        };
        let attempt = WebhookAttempt {
            at: now,
            duration_ms: 15_000,
            status: None,
            response: None,
            error: Some("No response within 15 seconds".to_owned()),
            retry_after_seconds: Some(3),
        };
        let id = WebhookId::from_uuid(Uuid::nil());
        WebhookDelivery::failed(
            id,
            change,
            attempt,
            now.after(std::time::Duration::from_secs(86_400)),
            now,
            Uuid::nil(),
        )
    }

    #[test]
    fn a_delivery_reads_back_as_it_was_written() {
        for chat_id in [None, Some(ChatId::from_uuid(Uuid::max()))] {
            let delivery = delivery(chat_id);
            assert_eq!(read(write(&delivery, 7).unwrap()).unwrap(), (delivery, 7));
        }
    }

    #[test]
    fn the_erasure_of_a_chat_keeps_its_own_deliveries() {
        let mut delivery = delivery(Some(ChatId::from_uuid(Uuid::max())));
        assert!(key(&delivery).pk.starts_with("CHAT#"));
        delivery.change.change.kind = ChangeType::ChatErased;
        assert!(key(&delivery).pk.starts_with("CHANGES#"));
        assert_eq!(read(write(&delivery, 7).unwrap()).unwrap(), (delivery, 7));
    }

    #[test]
    fn due_entries_lead_to_the_work_of_notify() {
        let session_id = SessionId::for_owner("ada");
        let webhook_id = WebhookId::from_uuid(Uuid::nil());
        let entry = |key: Key| {
            let mut entry = key.attributes();
            entry.insert("session_id".to_owned(), string(session_id.to_string()));
            entry
        };
        let chat_id = ChatId::from_uuid(Uuid::max());
        let mut due = DueNotifications::default();
        for key in [
            Key::change_log(session_id),
            Key::webhook_cursor(webhook_id, session_id),
            Key::webhook_replay(webhook_id, session_id),
            Key::webhook_delivery(session_id, Some(chat_id), webhook_id, 1),
            Key::webhook_delivery(session_id, Some(chat_id), webhook_id, 2),
            Key::webhook_delivery(session_id, None, webhook_id, 3),
            Key::webhook(None, webhook_id),
            Key::session(session_id),
        ] {
            due.add(&entry(key));
        }
        let cursor = |is_replay| CursorId { webhook_id, session_id, is_replay };
        assert_eq!(due.sessions.into_iter().collect::<Vec<_>>(), [session_id]);
        assert_eq!(due.cursors, [cursor(false), cursor(true)]);
        assert_eq!(due.webhooks, BTreeSet::from([webhook_id]));
        let deliveries = [(webhook_id, session_id, None), (webhook_id, session_id, Some(chat_id))];
        assert_eq!(due.deliveries, BTreeSet::from(deliveries));
    }
}
