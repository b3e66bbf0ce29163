//! The positions of webhooks in the change logs. A run of `notify` holds a lease on a position while it delivers, so that
//! only one run delivers changes from there. A replay has a separate position, one per webhook and log at a time.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    StoreError, WebhookCursors,
    item::{self, Item, number, string},
    keys::{Key, notify_key, webhook_cursors_pk},
    update::{UpdateBuilder, WriteOutcome},
};
use crate::domain::{
    id::{SessionId, WebhookId},
    time::Timestamp,
    webhook_delivery::{EndpointHealth, Progress},
};

const CURSOR: &str = "webhook_cursor";
const REPLAY: &str = "webhook_replay";

/// How long a position is kept after it last moved: longer than the longest log.
const LIFETIME: Duration = Duration::from_secs(60 * 24 * 60 * 60);

/// A position of a webhook in the log of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CursorId {
    /// The webhook.
    pub webhook_id: WebhookId,
    /// The session.
    pub session_id: SessionId,
    /// Whether it is the position of a replay, not that of new changes.
    pub is_replay: bool,
}

/// Which changes a replay delivers again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayOnly {
    /// Those whose delivery failed.
    Failed,
    /// All.
    All,
}

/// A position with its lease, or as it was read.
#[derive(Clone, Debug)]
pub struct WebhookCursor {
    /// Which position it is.
    pub id: CursorId,
    /// The handled changes.
    pub progress: Progress,
    /// The results of the last attempts.
    pub health: EndpointHealth,
    /// Until when a chat may have a delivery that blocks its later changes, with the order `chat`.
    pub failing_until: Option<Timestamp>,
    /// What a replay delivers, and the number of its last change.
    pub replay: Option<(ReplayOnly, u64)>,
}

/// The outcome of acquiring the lease on a position.
#[derive(Debug)]
pub enum Acquired {
    /// The lease was acquired.
    Leased(Box<WebhookCursor>),
    /// Another run has the lease.
    Taken,
    /// Deliveries pause until this time, because the receiver failed.
    Paused(Timestamp),
    /// There is no such position.
    Missing,
}

#[derive(Deserialize)]
struct CursorRow {
    position: u64,
    #[serde(default)]
    handled: Vec<u64>,
    #[serde(flatten)]
    health: EndpointHealth,
    #[serde(default)]
    failing_until: Option<Timestamp>,
    #[serde(default)]
    only: Option<ReplayOnly>,
    #[serde(default)]
    end: Option<u64>,
    #[serde(default)]
    lease: Option<Uuid>,
    #[serde(default)]
    lease_until: Option<Timestamp>,
}

/// Who has the lease on a position.
#[derive(Debug, Default, PartialEq)]
struct Lease {
    id: Option<Uuid>,
    until: Option<Timestamp>,
}

impl CursorId {
    fn key(&self) -> Key {
        match self.is_replay {
            true => Key::webhook_replay(self.webhook_id, self.session_id),
            false => Key::webhook_cursor(self.webhook_id, self.session_id),
        }
    }

    pub(super) fn from_key(key: &Key) -> Option<Self> {
        let (webhook_id, session_id, is_replay) = key.webhook_position()?;
        Some(Self { webhook_id, session_id, is_replay })
    }
}

impl WebhookCursors<'_> {
    /// Creates the position of new changes, unless there is one.
    pub async fn create(self, id: CursorId, position: u64) -> Result<(), StoreError> {
        let mut item = self.item(id, CURSOR, position);
        item.insert("expires_at".to_owned(), number(self.0.system.now().after(LIFETIME).seconds()));
        self.0.put_if_absent("creating the position of a webhook", item).await
    }

    /// Returns whether a position exists.
    pub async fn exists(self, id: CursorId) -> Result<bool, StoreError> {
        Ok(self.0.get_eventually("reading the position of a webhook", &id.key()).await?.is_some())
    }

    /// Starts to deliver changes again that were appended after `position` up to `end`. The schedule finds the replay,
    /// unless `notify` is started with the webhook's ID. Returns `false` if an earlier replay of the log isn't finished.
    pub async fn start_replay(
        self,
        webhook_id: WebhookId,
        session_id: SessionId,
        only: ReplayOnly,
        position: u64,
        end: u64,
    ) -> Result<bool, StoreError> {
        let id = CursorId { webhook_id, session_id, is_replay: true };
        let now = self.0.system.now();
        let mut item = self.item(id, REPLAY, position);
        item.insert("only".to_owned(), item::value(&only)?);
        item.insert("end".to_owned(), number(end));
        item.insert("due_key".to_owned(), string(notify_key(session_id)));
        item.insert("due_at".to_owned(), string(now.to_string()));
        item.insert("expires_at".to_owned(), number(now.after(LIFETIME).seconds()));
        let written = self.0.put_if("starting a replay", item, "attribute_not_exists(pk)").await?;
        Ok(matches!(written, WriteOutcome::Written { .. }))
    }

    /// Returns all positions of a webhook, with those of unfinished replays.
    pub async fn list(self, webhook_id: WebhookId) -> Result<Vec<CursorId>, StoreError> {
        Ok(self.read(webhook_id).await?.into_iter().map(|cursor| cursor.id).collect())
    }

    /// Returns all positions of a webhook, with the results of the last attempts.
    pub async fn read(self, webhook_id: WebhookId) -> Result<Vec<WebhookCursor>, StoreError> {
        let query = self
            .0
            .client
            .query()
            .table_name(&self.0.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", string(webhook_cursors_pk(webhook_id)));
        let mut pages = query.into_paginator().send();
        let mut cursors = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(StoreError::request("reading the positions of a webhook"))?;
            for item in page.items.unwrap_or_default() {
                if let Some(id) = Key::from_item(&item).and_then(|key| CursorId::from_key(&key)) {
                    cursors.push(cursor(id, item)?.0);
                }
            }
        }
        Ok(cursors)
    }

    /// Returns the positions of webhooks in the log of a session, for those that have one. Eventually consistent.
    pub async fn of_session(
        self,
        session_id: SessionId,
        webhook_ids: &[WebhookId],
    ) -> Result<HashMap<WebhookId, WebhookCursor>, StoreError> {
        let id = |webhook_id: &WebhookId| CursorId { webhook_id: *webhook_id, session_id, is_replay: false };
        let keys = webhook_ids.iter().map(|webhook_id| id(webhook_id).key()).collect();
        let mut found = self.0.get_all_eventually("reading the positions of webhooks", keys).await?;
        let items = webhook_ids.iter().filter_map(|webhook_id| {
            let id = id(webhook_id);
            Some((id, found.remove(&id.key())?))
        });
        items.map(|(id, item)| Ok((id.webhook_id, cursor(id, item)?.0))).collect()
    }

    /// Acquires the lease on a position until `until`, unless another run has it, or deliveries pause. With
    /// `ignores_pause`, also while they pause, and ends the pause.
    pub async fn acquire(
        self,
        id: CursorId,
        lease: Uuid,
        until: Timestamp,
        ignores_pause: bool,
    ) -> Result<Acquired, StoreError> {
        let now = self.0.system.now();
        let mut update = UpdateBuilder::new(&id.key())
            .set("lease", lease)
            .set("lease_until", until)
            .condition("attribute_exists(pk)")
            .condition(("attribute_not_exists(lease_until) OR lease_until < ?", now))
            .returning_new();
        if !ignores_pause {
            update = update.condition(("attribute_not_exists(not_before) OR not_before <= ?", now));
        }
        let outcome = self.0.update("acquiring the lease on a webhook's position", update).await?;
        let is_written = matches!(outcome, WriteOutcome::Written { .. });
        let (WriteOutcome::Written { item } | WriteOutcome::Refused { item }) = outcome;
        let Some(item) = item else { return Ok(Acquired::Missing) };
        let (mut cursor, found) = cursor(id, item)?;
        // It is refused if the response to the same request was lost.
        if is_written || found.id == Some(lease) {
            cursor.health.not_before = cursor.health.not_before.filter(|_| !ignores_pause);
            return Ok(Acquired::Leased(Box::new(cursor)));
        }
        let pause = cursor.health.not_before.filter(|_| found.until.is_none_or(|until| until < now));
        Ok(pause.map_or(Acquired::Taken, Acquired::Paused))
    }

    /// Extends a lease. Returns `false` if another run has it.
    pub async fn renew(self, id: CursorId, lease: Uuid, until: Timestamp) -> Result<bool, StoreError> {
        let update = UpdateBuilder::new(&id.key()).set("lease_until", until).condition(("lease = ?", lease));
        self.0.update_if("renewing the lease on a webhook's position", update).await
    }

    /// Saves a position and extends the lease. Returns `false` if another run has it.
    pub async fn save(self, cursor: &WebhookCursor, lease: Uuid, until: Timestamp) -> Result<bool, StoreError> {
        let update = self.saved(cursor)?.set("lease_until", until).condition(("lease = ?", lease));
        self.0.update_if("moving a webhook's position", update).await
    }

    /// Saves a position and releases the lease. With `due_at`, the schedule continues then. Returns `false` if another
    /// run has the lease.
    pub async fn release(
        self,
        cursor: &WebhookCursor,
        lease: Uuid,
        due_at: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let due_key = due_at.map(|_| notify_key(cursor.id.session_id));
        let update = self
            .saved(cursor)?
            .remove(["lease", "lease_until"])
            .set_or_remove("due_key", due_key)
            .set_or_remove("due_at", due_at)
            .condition(("lease = ?", lease));
        self.0.update_if("moving a webhook's position", update).await
    }

    /// Deletes the position of a finished replay.
    pub async fn finish(self, id: CursorId, lease: Uuid) -> Result<(), StoreError> {
        self.0.delete_if("finishing a replay", &id.key(), ("lease = ?", lease)).await.map(drop)
    }

    /// Deletes a position that has no webhook anymore.
    pub async fn delete(self, id: CursorId) -> Result<(), StoreError> {
        self.0.delete_if("deleting a webhook's position", &id.key(), "attribute_exists(pk)").await.map(drop)
    }

    /// Removes a position from the `due` index: its webhook is disabled.
    pub async fn suspend(self, id: CursorId) -> Result<(), StoreError> {
        let update = UpdateBuilder::new(&id.key()).remove(["due_key", "due_at"]).condition("attribute_exists(pk)");
        self.0.update_if("suspending a webhook's position", update).await.map(drop)
    }

    /// Makes a position due: its webhook was enabled.
    pub async fn resume(self, id: CursorId) -> Result<(), StoreError> {
        let update = UpdateBuilder::new(&id.key())
            .set("due_key", notify_key(id.session_id))
            .set("due_at", self.0.system.now())
            .condition("attribute_exists(pk)");
        self.0.update_if("resuming a webhook's position", update).await.map(drop)
    }

    fn item(self, id: CursorId, kind: &str, position: u64) -> Item {
        let mut item = id.key().attributes();
        item.insert("entity".to_owned(), string(kind));
        item.insert("session_id".to_owned(), string(id.session_id.to_string()));
        item.insert("position".to_owned(), number(position));
        item
    }

    fn saved(self, cursor: &WebhookCursor) -> Result<UpdateBuilder, StoreError> {
        let WebhookCursor { id, progress, health, failing_until, .. } = cursor;
        let handled: Vec<u64> = progress.handled().collect();
        let handled = (!handled.is_empty()).then(|| item::value(&handled)).transpose()?;
        let backoffs = (health.backoffs > 0).then_some(health.backoffs);
        let failures = (health.failures > 0).then_some(health.failures);
        Ok(UpdateBuilder::new(&id.key())
            .set("position", progress.position())
            .set_or_remove("handled", handled)
            .set_or_remove("failures", failures)
            .set_or_remove("failing_since", health.failing_since)
            .set_or_remove("last_success_at", health.last_success_at)
            .set_or_remove("backoffs", backoffs)
            .set_or_remove("not_before", health.not_before)
            .set_or_remove("failing_until", *failing_until)
            .set("expires_at", self.0.system.now().after(LIFETIME).seconds()))
    }
}

fn cursor(id: CursorId, item: Item) -> Result<(WebhookCursor, Lease), StoreError> {
    let row: CursorRow = item::read(CURSOR, item)?;
    let cursor = WebhookCursor {
        id,
        progress: Progress::new(row.position, row.handled),
        health: row.health,
        failing_until: row.failing_until,
        replay: row.only.zip(row.end),
    };
    Ok((cursor, Lease { id: row.lease, until: row.lease_until }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_its_attributes() {
        let id = CursorId {
            webhook_id: WebhookId::from_uuid(Uuid::nil()),
            session_id: SessionId::for_owner("ada"),
            is_replay: false,
        };
        let mut row = id.key().attributes();
        row.insert("position".to_owned(), number(u64::MAX / 2));
        let (new, lease) = cursor(id, row.clone()).unwrap();
        let expected = (u64::MAX / 2, EndpointHealth::default(), Lease::default());
        assert_eq!((new.progress.position(), new.health, lease), expected);

        let at = Timestamp::from_seconds(1_790_000_000).unwrap();
        let health = EndpointHealth {
            failures: 12,
            failing_since: Some(at),
            last_success_at: Some(Timestamp::MIN),
            backoffs: 2,
            not_before: Some(at),
        };
        row.extend(item::write(CURSOR, &id.key(), &health).unwrap());
        row.insert("handled".to_owned(), item::value(&[u64::MAX / 2, u64::MAX / 2 + 2]).unwrap());
        row.insert("lease".to_owned(), string(Uuid::max().to_string()));
        row.insert("lease_until".to_owned(), string(at.to_string()));
        let (read, lease) = cursor(id, row).unwrap();
        assert_eq!((read.health, lease), (health, Lease { id: Some(Uuid::max()), until: Some(at) }));
        assert_eq!(read.progress.handled().collect::<Vec<_>>(), [u64::MAX / 2 + 2]);
    }
}
