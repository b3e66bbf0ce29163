//! What has a time: messages to be looked at again, sessions to be resumed, the keeper's lease, and the reservations in which a
//! number sends.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::{
    Store, StoreError,
    item::{Item, string},
    keys::{DUE_SHARDS, Key, due_key},
    update::{UpdateBuilder, WriteOutcome},
};
use crate::{
    domain::id::SessionId,
    domain::message::MessageStatus,
    domain::message_key::MessageKey,
    domain::time::{Timestamp, micros},
};

/// Something with a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// A message to look at.
    Message(MessageKey),
    /// A session whose waiting messages are to be looked at.
    Resume(SessionId),
    /// Something that came before its message, to be looked at once more.
    EarlyUpdate(Key),
}

/// What the `due` index holds next.
#[derive(Debug, Default)]
pub struct DueItems {
    /// What is due, oldest first.
    pub due: Vec<Due>,
    /// When the next thing after these is due.
    pub next: Option<Timestamp>,
}

/// ReservationResult to reserve.
#[derive(Clone, Copy, Debug)]
pub struct ReservationRequest {
    /// How many.
    pub count: u32,
    /// From one to the next.
    pub interval: Duration,
    /// How far ahead the first one is at least.
    pub ahead: Duration,
    /// How far ahead the first one is at most.
    pub horizon: Duration,
}

/// ReservationResult that were reserved for posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservationResult {
    /// The first reservation, in microseconds since 1970; the others follow at the number's interval.
    From(i64),
    /// The number is busy until this time, in microseconds since 1970.
    RetryAt(i64),
}

/// Whose the lease of the keeper is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollerLease {
    /// The asker's.
    Ours,
    /// Another one's until this time, unless it prolongs it.
    Until(Timestamp),
}

impl Store {
    /// Reads up to `limit` entries of each shard. An idle table answers with one empty page, whatever the number of
    /// shards.
    pub async fn due_items(&self, now: Timestamp, limit: i32) -> Result<DueItems, StoreError> {
        let scan = self.client.scan().table_name(&self.table).index_name("due").limit(1);
        let first = scan.send().await.map_err(StoreError::request("looking for due messages"))?;
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

    async fn shard(&self, shard: u8, limit: i32) -> Result<Vec<Item>, StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("due")
            .key_condition_expression("due_key = :shard")
            .expression_attribute_values(":shard", string(due_key(shard)))
            .limit(limit)
            .send()
            .await
            .map_err(StoreError::request("reading due messages"))?;
        Ok(output.items.unwrap_or_default())
    }

    /// Makes every waiting message of a session due, and forgets the order to do so.
    pub async fn wake_session(&self, session_id: SessionId) -> Result<(), StoreError> {
        let now = self.system.now();
        for shard in 0..DUE_SHARDS {
            let mut start = None;
            loop {
                let output = self
                    .client
                    .query()
                    .table_name(&self.table)
                    .index_name("due")
                    .key_condition_expression("due_key = :shard AND due_at > :now")
                    .filter_expression("session_id = :session")
                    .expression_attribute_values(":shard", string(due_key(shard)))
                    .expression_attribute_values(":now", string(now.to_string()))
                    .expression_attribute_values(":session", string(session_id.to_string()))
                    .set_exclusive_start_key(start)
                    .send()
                    .await
                    .map_err(StoreError::request("reading a session's messages"))?;
                let keys: Vec<Key> = output.items().iter().filter_map(Key::from_item).collect();
                stream::iter(keys).map(Ok).try_for_each_concurrent(16, |key| self.make_due(key, now)).await?;
                start = output.last_evaluated_key;
                if start.is_none() {
                    break;
                }
            }
        }
        self.client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(Key::resume(session_id).attributes()))
            .send()
            .await
            .map(drop)
            .map_err(StoreError::request("ending a resumption"))
    }

    async fn make_due(&self, key: Key, now: Timestamp) -> Result<(), StoreError> {
        let update = UpdateBuilder::new(&key)
            .set("due_at", now)
            .remove(["not_before"])
            .condition(("#status = ?", MessageStatus::Pending));
        self.update_if("making a message due", update).await.map(drop)
    }

    /// Takes the lease of the keeper, or sets the end of one's own; or tells when the lease of another one ends.
    pub async fn acquire_poller_lease(&self, poller_id: Uuid, until: Timestamp) -> Result<PollerLease, StoreError> {
        let (now, lease) = (self.system.now(), poller_id.to_string());
        let update = UpdateBuilder::new(&Key::poller_lease())
            .set("lease", &lease)
            .set("lease_until", until)
            .set("entity", "poller_lease")
            .condition(("attribute_not_exists(pk) OR lease_until < ? OR lease = ?", [now.to_string(), lease.clone()]));
        match self.update("acquiring the poller lease", update).await? {
            WriteOutcome::Written { .. } => Ok(PollerLease::Ours),
            WriteOutcome::Refused { item } => {
                let until = item.and_then(|item| text(&item, "lease_until")?.parse().ok());
                Ok(PollerLease::Until(until.unwrap_or(now.after(Duration::MAX))))
            }
        }
    }

    /// Reserves reservations for posts from a number, unless it is busy beyond the horizon.
    /// One conditional write for many posts, so that the item is written a few times a second at most.
    pub async fn reserve_sends(
        &self,
        phone_number_id: &str,
        wanted: ReservationRequest,
    ) -> Result<ReservationResult, StoreError> {
        let operation = "reserving sends";
        let span = micros(wanted.interval).saturating_mul(i64::from(wanted.count));
        for attempt in 0..12 {
            if attempt > 0 {
                self.pause(attempt).await;
            }
            let now = self.system.now().microseconds();
            let (earliest, horizon) = (now + micros(wanted.ahead), now + micros(wanted.horizon));
            // Usually the last reservation is before the earliest time, and one write is enough.
            let key = Key::rate_limit(phone_number_id);
            let start = UpdateBuilder::new(&key)
                .set("next_send_at", earliest + span)
                .set("entity", "rate_limit")
                .condition(("attribute_not_exists(pk) OR next_send_at < ?", earliest));
            let next = match self.update(operation, start).await? {
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
            if let WriteOutcome::Written { item } = self.update(operation, append).await? {
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
