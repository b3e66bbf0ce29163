//! The change logs of sessions. See [`crate::domain::change::log`] for how they are read.
//!
//! A log costs two write units for each append, and one more for each further change: one item has the last number, and
//! each change is an item that is never written again.

use std::{
    collections::HashSet,
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use serde::{Deserialize, Serialize};

use super::{
    Changes, StoreError,
    item::{self, Item, string},
    keys::{CHANGES_PER_PARTITION, Key, change_sk, changes_pk, notify_key},
    update::{UpdateBuilder, WriteOutcome},
};
use crate::domain::{
    change::{
        Change, ChangeType, NewChange, Subject,
        log::{ChangePage, Entry, Expired, Found, GAP_LIMIT, LogEnd, STORE_LIMIT, is_over},
    },
    id::{ChangeId, ChatId, SessionId},
    time::Timestamp,
};

const CHANGE: &str = "change";

/// The item with the last number of a log.
pub(super) const CHANGE_LOG: &str = "change_log";

/// How long the numbers of an erased session's log are kept: longer than the log and the positions of webhooks, which are
/// kept for 60 days, together.
const NUMBERS_LIFETIME: Duration = Duration::from_secs(100 * 24 * 60 * 60);

/// How long after an append the schedule looks for undelivered changes, in case `notify` wasn't started.
const NOTIFY_AFTER: Duration = Duration::from_secs(60);

/// How long a process assumes that there are webhooks for all sessions.
const ASSUME_WEBHOOKS: Duration = Duration::from_secs(10);

/// The maximum number of sessions that a process remembers.
const MAX_REMEMBERED: usize = 10_000;

/// The outcome of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The number of the first change.
    pub first: u64,
    /// The number of the last change.
    pub last: u64,
    /// Whether webhooks receive the session's changes: those of the session, or those for all sessions.
    pub has_webhooks: bool,
}

/// Which sessions have webhooks, as far as a process knows.
#[derive(Debug, Default)]
pub(super) struct KnownWebhooks {
    /// The sessions that had webhooks at the last append.
    sessions: HashSet<SessionId>,
    /// When there were webhooks for all sessions.
    all_at: Option<Timestamp>,
}

/// A change as stored. It has no `id`, because that would put it into the `by_id` index.
#[derive(Serialize, Deserialize)]
struct ChangeRow {
    change_id: ChangeId,
    #[serde(rename = "type")]
    kind: ChangeType,
    at: Timestamp,
    #[serde(default)]
    chat_id: Option<ChatId>,
    subject: Subject,
    appended_at: Timestamp,
    expires_at: i64,
}

/// The item with the last number of a log.
#[derive(Default, Deserialize)]
struct LogRow {
    #[serde(flatten)]
    end: LogEnd,
    #[serde(default)]
    webhook_count: u64,
    #[serde(default)]
    due_key: Option<String>,
}

impl ChangeRow {
    fn new(change: &NewChange, appended_at: Timestamp, expires_at: i64) -> Self {
        let NewChange { id: change_id, kind, at, chat_id, subject } = change.clone();
        Self { change_id, kind, at, chat_id, subject, appended_at, expires_at }
    }
}

impl LogRow {
    fn read(item: Option<Item>) -> Result<Self, StoreError> {
        item.map_or_else(|| Ok(Self::default()), |item| item::read(CHANGE_LOG, item))
    }
}

impl Changes<'_> {
    /// Lets the numbers of an erased session's log expire, unless changes are appended later. Until then, a new session of
    /// its owner continues them, because the positions of readers refer to them.
    pub(super) async fn expire(self, session_id: SessionId) -> Result<(), StoreError> {
        let update = UpdateBuilder::new(&Key::change_log(session_id))
            .set("expires_at", self.0.system.now().after(NUMBERS_LIFETIME).seconds())
            .condition("attribute_exists(pk)")
            .condition(("attribute_not_exists(webhook_count) OR webhook_count = ?", 0));
        self.0.update_if("ending a change log", update).await.map(drop)
    }

    /// Appends changes, at least one, to the log of a session, in this order and without other changes between them.
    ///
    /// If the session has webhooks, the log gets an entry in the `due` index, so that the changes are delivered even if
    /// the caller ends before it starts `notify`.
    ///
    /// # Errors
    ///
    /// If the changes can't be stored in time. Some of them may be in the log; append all of them again.
    pub async fn append(self, session_id: SessionId, changes: &[NewChange]) -> Result<Appended, StoreError> {
        let operation = "appending changes";
        let started = self.0.system.now();
        let expires_at = started.after(self.0.change_retention).seconds();
        let count = u64::try_from(changes.len()).unwrap_or(u64::MAX);
        let is_known = self.known_webhooks().sessions.contains(&session_id);
        let key = Key::change_log(session_id);
        let mut update = UpdateBuilder::new(&key)
            .add("last", count)
            .set("entity", CHANGE_LOG)
            .set("appended_at", started)
            .remove(["expires_at"])
            .returning_new();
        if is_known {
            update = mark(update, session_id, started);
        }
        let (outcome, has_webhooks_for_all) =
            tokio::join!(self.0.update(operation, update), self.has_webhooks_for_all(started));
        let log = match outcome? {
            WriteOutcome::Written { item } => LogRow::read(item)?,
            WriteOutcome::Refused { .. } => return Err(StoreError::Contention { operation }),
        };
        let has_webhooks = has_webhooks_for_all? || log.webhook_count > 0;
        self.remember_webhooks(session_id, has_webhooks);
        let first = (log.end.last + 1).saturating_sub(count);
        // The time after the numbers were taken: no writer that took lower numbers started later.
        let appended_at = self.0.system.now();
        let mut puts = Vec::with_capacity(changes.len());
        for (sequence, change) in (first..).zip(changes) {
            let row = ChangeRow::new(change, appended_at, expires_at);
            let item = item::write(CHANGE, &Key::change(session_id, sequence), &row)?;
            let put = PutRequest::builder().set_item(Some(item)).build();
            let put = put.map_err(|source| StoreError::Request { operation, source: source.into() })?;
            puts.push(WriteRequest::builder().put_request(put).build());
        }
        let mark_log = async {
            if !has_webhooks || log.due_key.is_some() {
                return Ok(());
            }
            let update = mark(UpdateBuilder::new(&key), session_id, started);
            self.0.update("marking a change log as undelivered", update).await.map(drop)
        };
        // Later, readers may already have stepped over the numbers.
        let rest = STORE_LIMIT.saturating_sub(appended_at.since(started));
        let stored = tokio::time::timeout(rest, self.0.write_all(operation, puts));
        let (stored, marked) = tokio::join!(stored, mark_log);
        stored.unwrap_or(Err(StoreError::Contention { operation }))?;
        marked?;
        Ok(Appended { first, last: log.end.last, has_webhooks })
    }

    /// Returns up to `limit` changes of a session after a position, in order. See [`ChangePage`].
    ///
    /// # Errors
    ///
    /// The inner error if changes after the position have expired. [`Changes::oldest`] is then the position to
    /// continue from.
    pub async fn read(
        self,
        session_id: SessionId,
        after: u64,
        limit: usize,
    ) -> Result<Result<ChangePage, Expired>, StoreError> {
        // The change at the position as well: while it exists, none after it has expired.
        let most = limit.saturating_add(1);
        let (end, first) = tokio::join!(self.end(session_id), self.entries(session_id, after, most));
        let (end, (mut entries, mut is_partial)) = (end?, first?);
        let last_partition = end.last / CHANGES_PER_PARTITION;
        let mut partition = after / CHANGES_PER_PARTITION;
        while !is_partial && entries.len() < most && partition < last_partition {
            partition += 1;
            if entries.is_empty() && partition < last_partition {
                // Skips the partitions whose changes have been deleted.
                let oldest = self.oldest(session_id).await?;
                partition = partition.max((oldest + 1) / CHANGES_PER_PARTITION).min(last_partition);
            }
            let rest = most - entries.len();
            let (found, has_more) = self.entries(session_id, partition * CHANGES_PER_PARTITION, rest).await?;
            entries.extend(found);
            is_partial = has_more;
        }
        is_partial |= partition < last_partition;
        if entries.len() == most && entries.first().is_some_and(|entry| entry.change.sequence != after) {
            entries.pop();
            is_partial = true;
        }
        Ok(Found { entries, is_partial, end }.page(after, self.0.system.now()))
    }

    /// Returns the end of a session's log.
    pub async fn end(self, session_id: SessionId) -> Result<LogEnd, StoreError> {
        let item = self.0.get("reading the end of a change log", &Key::change_log(session_id)).await?;
        Ok(LogRow::read(item)?.end)
    }

    /// Returns the time since which the log has all changes. Older ones can have expired.
    pub fn kept_since(self) -> Timestamp {
        self.0.system.now().before(self.0.change_retention)
    }

    /// Returns the position before the oldest change that hasn't expired, or the end of the log.
    pub async fn oldest(self, session_id: SessionId) -> Result<u64, StoreError> {
        self.first_since(session_id, Timestamp::MIN).await
    }

    /// Returns the position before the first change that was appended at `time` or later, or the end of the log. As
    /// exact as the clocks of the processes that append. Changes that are being stored are after the position.
    pub async fn first_since(self, session_id: SessionId, time: Timestamp) -> Result<u64, StoreError> {
        for attempt in 0.. {
            let end = self.end(session_id).await?;
            let now = self.0.system.now();
            // The position is between these, which are possible positions themselves.
            let (mut low, mut high) = (0, end.last);
            while low < high {
                let middle = low + (high - low).div_ceil(2);
                match self.last_until(session_id, middle, low).await? {
                    Some(entry) if entry.change.appended_at >= time && !is_over(entry.expires_at, now) => {
                        high = entry.change.sequence - 1;
                    }
                    _ => low = middle,
                }
            }
            if low == 0 {
                break;
            }
            // Numbers that are missing before the position may be those of changes that are being stored.
            match self.last_until(session_id, low, 0).await? {
                Some(entry) if !is_over(entry.expires_at, now) => return Ok(entry.change.sequence),
                None if low == end.last && end.appended_at.is_some_and(|at| now.since(at) < GAP_LIMIT) => {
                    self.0.pause(attempt).await;
                }
                _ => return Ok(low),
            }
        }
        Ok(0)
    }

    /// Returns the first entries of a partition from a number on, up to `limit`, and whether the partition has more.
    async fn entries(self, session_id: SessionId, from: u64, limit: usize) -> Result<(Vec<Entry>, bool), StoreError> {
        let output = self
            .0
            .client
            .query()
            .table_name(&self.0.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk >= :from")
            .expression_attribute_values(":pk", string(changes_pk(session_id, from)))
            .expression_attribute_values(":from", string(change_sk(from)))
            .limit(i32::try_from(limit.max(1)).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(StoreError::request("reading changes"))?;
        let has_more = output.last_evaluated_key.is_some();
        let entries = output.items.unwrap_or_default().into_iter().map(|item| read_entry(session_id, item));
        Ok((entries.collect::<Result<_, _>>()?, has_more))
    }

    /// Returns the last entry up to a number and after another one, if it is in the number's partition or the one
    /// before.
    async fn last_until(self, session_id: SessionId, until: u64, after: u64) -> Result<Option<Entry>, StoreError> {
        let mut until = until;
        for _ in 0..2 {
            let output = self
                .0
                .client
                .query()
                .table_name(&self.0.table)
                .consistent_read(true)
                .key_condition_expression("pk = :pk AND sk <= :until")
                .expression_attribute_values(":pk", string(changes_pk(session_id, until)))
                .expression_attribute_values(":until", string(change_sk(until)))
                .scan_index_forward(false)
                .limit(1)
                .send()
                .await
                .map_err(StoreError::request("searching a change log"))?;
            if let Some(item) = output.items.unwrap_or_default().pop() {
                return read_entry(session_id, item)
                    .map(|entry| Some(entry).filter(|found| found.change.sequence > after));
            }
            let start = until - until % CHANGES_PER_PARTITION;
            if start <= after {
                break;
            }
            until = start - 1;
        }
        Ok(None)
    }

    /// Returns whether there are webhooks for all sessions. A process that found some assumes so for a moment.
    async fn has_webhooks_for_all(self, now: Timestamp) -> Result<bool, StoreError> {
        if self.known_webhooks().all_at.is_some_and(|at| now.since(at) < ASSUME_WEBHOOKS) {
            return Ok(true);
        }
        let item = self.0.get("reading the number of webhooks", &Key::webhook_count()).await?;
        let has_webhooks = LogRow::read(item)?.webhook_count > 0;
        self.known_webhooks().all_at = has_webhooks.then_some(now);
        Ok(has_webhooks)
    }

    fn remember_webhooks(self, session_id: SessionId, has_webhooks: bool) {
        let mut known = self.known_webhooks();
        if known.sessions.len() >= MAX_REMEMBERED {
            known.sessions.clear();
        }
        if has_webhooks {
            known.sessions.insert(session_id);
        } else {
            known.sessions.remove(&session_id);
        }
    }

    fn known_webhooks(&self) -> MutexGuard<'_, KnownWebhooks> {
        self.0.known_webhooks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a log into the `due` index, unless it is there already.
fn mark(update: UpdateBuilder, session_id: SessionId, now: Timestamp) -> UpdateBuilder {
    update.set_if_absent("due_key", notify_key(session_id)).set_if_absent("due_at", now.after(NOTIFY_AFTER))
}

/// Returns the number in the sort key of a change.
fn sequence_of(item: &Item) -> Option<u64> {
    item.get("sk")?.as_s().ok()?.parse().ok()
}

fn read_entry(session_id: SessionId, item: Item) -> Result<Entry, StoreError> {
    let sequence = sequence_of(&item)
        .ok_or_else(|| StoreError::Item { kind: CHANGE, source: "the sort key isn't a number".into() })?;
    let row: ChangeRow = item::read(CHANGE, item)?;
    let ChangeRow { change_id: id, kind, at, chat_id, subject, appended_at, expires_at } = row;
    let change = NewChange { id, kind, at, chat_id, subject };
    Ok(Entry { change: Change { session_id, sequence, appended_at, change }, expires_at })
}

#[cfg(test)]
mod tests;
