//! Due items, the lease of the `DuePoller`, and the rate limit of each number.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::{
    Outbox, StoreError,
    item::{Item, string},
    keys::{DUE_SHARDS, Key, due_key},
    update::{UpdateBuilder, WriteOutcome},
};
use crate::domain::{
    id::SessionId,
    message::MessageStatus,
    message_key::MessageKey,
    time::{Timestamp, micros},
};

/// An item in the `due` index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// An outbound message.
    Message(MessageKey),
    /// A request to make all pending messages of a session due.
    Resume(SessionId),
    /// An early status or action to recheck.
    EarlyUpdate(Key),
}

/// The next items of the `due` index.
#[derive(Debug, Default)]
pub struct DueItems {
    /// The items that are due, oldest first.
    pub due: Vec<Due>,
    /// When the next item after these is due.
    pub next: Option<Timestamp>,
}

/// A request for reservations with the rate limiter.
#[derive(Clone, Copy, Debug)]
pub struct ReservationRequest {
    /// Number of sends.
    pub count: u32,
    /// Time from one send to the next.
    pub interval: Duration,
    /// Minimum time until the first send.
    pub ahead: Duration,
    /// Maximum time until the first send.
    pub horizon: Duration,
}

/// The result of a [`ReservationRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservationResult {
    /// Time of the first send, in microseconds since 1970. The others follow at the requested interval.
    From(i64),
    /// The number has no capacity until this time, in microseconds since 1970.
    RetryAt(i64),
}

/// The holder of the lease of the `DuePoller`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollerLease {
    /// The caller.
    Ours,
    /// Another process, until this time unless it renews the lease.
    Until(Timestamp),
}

impl Outbox<'_> {
    /// Reads up to `limit` entries of each shard. Takes a single request if the index is empty.
    pub async fn due_items(self, now: Timestamp, limit: i32) -> Result<DueItems, StoreError> {
        let scan = self.0.client.scan().table_name(&self.0.table).index_name("due").limit(1);
        let first = scan.send().await.map_err(StoreError::request("scanning for due items"))?;
        if first.items().is_empty() && first.last_evaluated_key().is_none() {
            return Ok(DueItems::default());
        }
        let shards: Vec<Vec<Item>> = stream::iter(0..DUE_SHARDS)
            .map(|shard| self.shard(shard, limit))
            .buffer_unordered(usize::from(DUE_SHARDS))
            .try_collect()
            .await?;
        let mut entries: Vec<(Timestamp, Due)> = shards.iter().flatten().filter_map(entry).collect();
        entries.sort_by_key(|(due_at, _)| *due_at);
        let next = entries.iter().map(|(due_at, _)| *due_at).find(|due_at| *due_at > now);
        let due = entries.into_iter().take_while(|(due_at, _)| *due_at <= now).map(|(_, due)| due).collect();
        Ok(DueItems { due, next })
    }

    async fn shard(self, shard: u8, limit: i32) -> Result<Vec<Item>, StoreError> {
        let output = self
            .0
            .client
            .query()
            .table_name(&self.0.table)
            .index_name("due")
            .key_condition_expression("due_key = :shard")
            .expression_attribute_values(":shard", string(due_key(shard)))
            .limit(limit)
            .send()
            .await
            .map_err(StoreError::request("reading due items"))?;
        Ok(output.items.unwrap_or_default())
    }

    /// Makes every pending message of a session due, and deletes the request to do so.
    pub async fn make_session_due(self, session_id: SessionId) -> Result<(), StoreError> {
        let now = self.0.system.now();
        for shard in 0..DUE_SHARDS {
            let mut start = None;
            loop {
                let output = self
                    .0
                    .client
                    .query()
                    .table_name(&self.0.table)
                    .index_name("due")
                    .key_condition_expression("due_key = :shard AND due_at > :now")
                    .filter_expression("session_id = :session")
                    .expression_attribute_values(":shard", string(due_key(shard)))
                    .expression_attribute_values(":now", string(now.to_string()))
                    .expression_attribute_values(":session", string(session_id.to_string()))
                    .set_exclusive_start_key(start)
                    .send()
                    .await
                    .map_err(StoreError::request("reading a session's pending messages"))?;
                let keys: Vec<Key> = output.items().iter().filter_map(Key::from_item).collect();
                stream::iter(keys).map(Ok).try_for_each_concurrent(16, |key| self.make_due(key, now)).await?;
                start = output.last_evaluated_key;
                if start.is_none() {
                    break;
                }
            }
        }
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

    async fn make_due(self, key: Key, now: Timestamp) -> Result<(), StoreError> {
        let update = UpdateBuilder::new(&key)
            .set("due_at", now)
            .remove(["not_before"])
            .condition(("#status = ?", MessageStatus::Pending));
        self.0.update_if("making a message due", update).await.map(drop)
    }

    /// Acquires or renews the lease of the `DuePoller`. If another process holds it, returns when that lease ends.
    pub async fn acquire_poller_lease(self, poller_id: Uuid, until: Timestamp) -> Result<PollerLease, StoreError> {
        let (now, lease) = (self.0.system.now(), poller_id.to_string());
        let update = UpdateBuilder::new(&Key::poller_lease())
            .set("lease", &lease)
            .set("lease_until", until)
            .set("entity", "poller_lease")
            .condition(("attribute_not_exists(pk) OR lease_until < ? OR lease = ?", [now.to_string(), lease.clone()]));
        match self.0.update("acquiring the poller lease", update).await? {
            WriteOutcome::Written { .. } => Ok(PollerLease::Ours),
            WriteOutcome::Refused { item } => {
                let until = item.and_then(|item| text(&item, "lease_until")?.parse().ok());
                Ok(PollerLease::Until(until.unwrap_or(now.after(Duration::MAX))))
            }
        }
    }

    /// Reserves sends from a number, unless it has no capacity before the horizon. One conditional write reserves many
    /// sends: the item is written a few times a second at most.
    pub async fn reserve_sends(
        self,
        phone_number_id: &str,
        request: ReservationRequest,
    ) -> Result<ReservationResult, StoreError> {
        let operation = "reserving sends";
        let span = micros(request.interval).saturating_mul(i64::from(request.count));
        for attempt in 0..12 {
            if attempt > 0 {
                self.0.pause(attempt).await;
            }
            let now = self.0.system.now().microseconds();
            let (earliest, horizon) = (now + micros(request.ahead), now + micros(request.horizon));
            // Usually the last reservation is before the earliest time, and one write is enough.
            let key = Key::rate_limit(phone_number_id);
            let start = UpdateBuilder::new(&key)
                .set("next_send_at", earliest + span)
                .set("entity", "rate_limit")
                .condition(("attribute_not_exists(pk) OR next_send_at < ?", earliest));
            let next = match self.0.update(operation, start).await? {
                WriteOutcome::Written { .. } => return Ok(ReservationResult::From(earliest)),
                WriteOutcome::Refused { item } => item.as_ref().and_then(next_send_at).unwrap_or(earliest),
            };
            if next > horizon {
                return Ok(ReservationResult::RetryAt(next));
            }
            // Otherwise the new reservations follow the last one.
            let append = UpdateBuilder::new(&key)
                .add("next_send_at", span)
                .condition(("next_send_at >= ? AND next_send_at <= ?", [earliest, horizon]))
                .returning_new();
            if let WriteOutcome::Written { item } = self.0.update(operation, append).await? {
                let end = item.as_ref().and_then(next_send_at);
                return Ok(ReservationResult::From(end.map_or(next, |end| end - span)));
            }
        }
        Err(StoreError::Contention { operation })
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
        _ => Due::Message(Key { pk: pk.clone(), sk: sk.clone() }.message_key()?),
    };
    Some((due_at, due))
}
