//! The run of one webhook in one session: acquires the lease on the position, delivers, and releases it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use uuid::Uuid;

use super::{
    Notifier, NotifyError,
    delivery::{Delivery, Ended, Stop},
};
use crate::{
    domain::{
        id::ChatId,
        time::Timestamp,
        webhook_endpoint::{DisabledReason, WebhookEndpoint},
    },
    store::{Acquired, CursorId, WebhookCursor},
    telemetry::{self, Metric},
};

/// How long a lease lasts without a renewal. A run that is killed blocks its position for as long.
pub(super) const LEASE: Duration = Duration::from_secs(30);

/// How often a run renews its lease.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(10);

/// A run waits for its own retries and pauses that end within this time. The schedule finds later ones.
const MAX_WAIT: Duration = Duration::from_secs(15);

/// How often a run that has retries tries to acquire a lease that another run has.
const BUSY_INTERVAL: Duration = Duration::from_secs(1);

/// After this time, a run reads the settings of the webhook again.
pub(super) const SETTINGS_LIFETIME: Duration = Duration::from_secs(5);

/// A webhook whose changes of one session are to be delivered.
pub(super) struct Endpoint {
    notifier: Notifier,
    webhook: WebhookEndpoint,
    read_at: Timestamp,
    id: CursorId,
    /// The chats with deliveries to retry that this run created or attempted, and when the next of them is due.
    retries: BTreeMap<Option<ChatId>, Timestamp>,
}

/// How the run of a webhook ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All changes up to this number of the log are delivered, or have separate deliveries.
    CaughtUp(u64),
    /// The deliveries pause. The schedule continues them.
    Paused,
    /// Another run has the lease.
    Busy,
    /// The webhook was disabled or deleted.
    Disabled,
    /// The invocation has to end. The schedule continues.
    OutOfTime,
}

/// What follows an attempt to acquire the lease.
enum Turn {
    Leased(Box<WebhookCursor>),
    Again,
    End(Outcome),
}

impl Endpoint {
    pub(super) fn new(notifier: Notifier, webhook: WebhookEndpoint, id: CursorId) -> Self {
        let read_at = notifier.system.now();
        Self { notifier, webhook, read_at, id, retries: BTreeMap::new() }
    }

    /// Delivers the due deliveries of `chats`, and the changes after the position. Waits for its own retries that are due
    /// soon.
    pub(super) async fn run(
        mut self,
        mut chats: BTreeSet<Option<ChatId>>,
        mut ignores_pause: bool,
    ) -> Result<Outcome, NotifyError> {
        loop {
            let lease = self.notifier.system.random_uuid();
            let cursor = match self.acquire(lease, ignores_pause).await? {
                Turn::Leased(cursor) => *cursor,
                Turn::Again => continue,
                Turn::End(outcome) => return Ok(outcome),
            };
            let now = self.notifier.system.now();
            chats.extend(self.retries.extract_if(.., |_, due_at| *due_at <= now).map(|(chat_id, _)| chat_id));
            if !self.refresh().await? {
                self.notifier.store.webhook_cursors().release(&cursor, lease, None).await?;
                return self.disabled().await;
            }
            ignores_pause = false;
            let Some(ended) = self.deliver(cursor, lease, std::mem::take(&mut chats)).await? else {
                return Ok(Outcome::Busy);
            };
            let outcome = self.end(ended, lease).await?;
            if outcome == Outcome::Disabled {
                return self.disabled().await;
            }
            if !self.continues_after(outcome).await? {
                return Ok(outcome);
            }
        }
    }

    /// Makes the position due if the webhook was enabled while this run released it.
    async fn disabled(&self) -> Result<Outcome, NotifyError> {
        if self.notifier.current(&self.webhook).await?.is_none() {
            return Ok(Outcome::Disabled);
        }
        self.notifier.store.webhook_cursors().resume(self.id).await?;
        Ok(Outcome::OutOfTime)
    }

    async fn acquire(&mut self, lease: Uuid, ignores_pause: bool) -> Result<Turn, NotifyError> {
        let Notifier { store, system, .. } = &self.notifier;
        let now = system.now();
        Ok(match store.webhook_cursors().acquire(self.id, lease, now.after(LEASE), ignores_pause).await? {
            Acquired::Leased(cursor) => Turn::Leased(cursor),
            // The replay is finished.
            Acquired::Missing if self.id.is_replay => Turn::End(Outcome::Disabled),
            Acquired::Missing => {
                let position = store.changes().first_since(self.id.session_id, self.webhook.created_at).await?;
                store.webhook_cursors().create(self.id, position).await?;
                Turn::Again
            }
            Acquired::Taken if self.is_waiting_for_retry(now) => {
                tokio::time::sleep(BUSY_INTERVAL).await;
                Turn::Again
            }
            Acquired::Taken => Turn::End(Outcome::Busy),
            Acquired::Paused(until) if !self.retries.is_empty() && self.is_soon(until) => {
                self.sleep_until(until).await;
                Turn::Again
            }
            Acquired::Paused(_) => Turn::End(Outcome::Paused),
        })
    }

    /// Delivers while it renews the lease. Returns `None` if another run has the lease.
    async fn deliver(
        &self,
        cursor: WebhookCursor,
        lease: Uuid,
        chats: BTreeSet<Option<ChatId>>,
    ) -> Result<Option<Ended>, NotifyError> {
        let delivery = Delivery::new(&self.notifier, self.webhook.clone(), self.read_at, cursor, lease);
        tokio::select! {
            ended = delivery.run(chats) => Ok(Some(ended)),
            lost = self.keep_lease(lease) => lost.map(|()| None),
        }
    }

    /// Renews the lease until another run has it, or it can't be renewed in time.
    async fn keep_lease(&self, lease: Uuid) -> Result<(), NotifyError> {
        let Notifier { store, system, .. } = &self.notifier;
        let mut renewed_at = system.now();
        loop {
            tokio::time::sleep(HEARTBEAT_INTERVAL).await;
            let now = system.now();
            match store.webhook_cursors().renew(self.id, lease, now.after(LEASE)).await {
                Ok(true) => renewed_at = now,
                Ok(false) => return Ok(()),
                Err(error) if system.now() >= renewed_at.after(LEASE) => return Err(error.into()),
                Err(error) => tracing::warn!(error = telemetry::chain(&error), "lease not renewed"),
            }
        }
    }

    /// Saves the result and releases the lease.
    async fn end(&mut self, ended: Ended, lease: Uuid) -> Result<Outcome, NotifyError> {
        let Notifier { store, system, .. } = self.notifier.clone();
        let Ended { mut cursor, stop, retries, last, error } = ended;
        for (chat_id, due_at) in retries {
            self.retries.insert(chat_id, due_at);
        }
        let now = system.now();
        let (outcome, due_at) = match stop {
            Stop::CaughtUp => {
                let is_paused = cursor.health.is_paused(now);
                cursor.health.not_before = cursor.health.not_before.filter(|_| is_paused);
                (if is_paused { Outcome::Paused } else { Outcome::CaughtUp(last) }, cursor.health.not_before)
            }
            Stop::Finished => {
                store.webhook_cursors().finish(self.id, lease).await?;
                return error.map_or(Ok(Outcome::CaughtUp(last)), Err);
            }
            Stop::Failing(retry_after) => {
                cursor.health.back_off(retry_after, now, system.random_uuid());
                (Outcome::Paused, cursor.health.not_before)
            }
            Stop::Gone | Stop::Dead => {
                let reason = if stop == Stop::Gone { DisabledReason::Gone } else { DisabledReason::Failing };
                match self.disable(reason, now).await? {
                    true => (Outcome::Disabled, None),
                    // Its settings were changed, or another session's deliveries succeed.
                    false => {
                        cursor.health.back_off(None, now, system.random_uuid());
                        (Outcome::Paused, cursor.health.not_before)
                    }
                }
            }
            Stop::Disabled => (Outcome::Disabled, None),
            Stop::OutOfTime => (Outcome::OutOfTime, Some(now)),
        };
        let due_at = due_at.or((self.id.is_replay && outcome != Outcome::Disabled).then_some(now));
        let is_released = store.webhook_cursors().release(&cursor, lease, due_at).await?;
        match error {
            Some(error) => Err(error),
            None => Ok(if is_released { outcome } else { Outcome::Busy }),
        }
    }

    /// Disables the webhook. One for all sessions stays enabled while deliveries of another session succeed.
    async fn disable(&self, reason: DisabledReason, now: Timestamp) -> Result<bool, NotifyError> {
        let store = &self.notifier.store;
        if reason == DisabledReason::Failing && self.webhook.session_id.is_none() {
            let cursors = store.webhook_cursors().read(self.webhook.id).await?;
            if cursors.iter().any(|cursor| cursor.health.succeeded_recently(now)) {
                return Ok(false);
            }
        }
        let is_disabled = store.webhooks().disable(&self.webhook, reason).await?;
        if is_disabled {
            self.notifier.metrics.add(Metric::WebhooksDisabled, 1);
            tracing::warn!(webhook_id = %self.webhook.id, reason = reason.as_str(), "webhook disabled");
        }
        Ok(is_disabled)
    }

    /// Waits until there is more to do soon. Returns `false` if there isn't.
    async fn continues_after(&self, outcome: Outcome) -> Result<bool, NotifyError> {
        let Notifier { store, system, .. } = &self.notifier;
        match outcome {
            Outcome::CaughtUp(last) => {
                // A run that was started meanwhile found the lease taken.
                if !self.id.is_replay && store.changes().end(self.id.session_id).await?.last > last {
                    return Ok(true);
                }
            }
            // Acquiring the lease waits.
            Outcome::Paused => {}
            Outcome::Busy => return Ok(self.is_waiting_for_retry(system.now())),
            Outcome::Disabled | Outcome::OutOfTime => return Ok(false),
        }
        let next = self.retries.values().min().copied().filter(|due_at| self.is_soon(*due_at));
        if let Some(due_at) = next {
            self.sleep_until(due_at).await;
        }
        Ok(next.is_some())
    }

    /// Reads the settings again if they are old. Returns whether the webhook is still enabled.
    async fn refresh(&mut self) -> Result<bool, NotifyError> {
        let now = self.notifier.system.now();
        if now.since(self.read_at) < SETTINGS_LIFETIME {
            return Ok(true);
        }
        let Some(webhook) = self.notifier.current(&self.webhook).await? else { return Ok(false) };
        (self.webhook, self.read_at) = (webhook, now);
        Ok(true)
    }

    /// Returns whether this run waits for a time.
    fn is_soon(&self, time: Timestamp) -> bool {
        let now = self.notifier.system.now();
        time <= now.after(MAX_WAIT) && time < self.notifier.last_start()
    }

    /// Returns whether a retry is due, and has been for less than the time that a run waits.
    fn is_waiting_for_retry(&self, now: Timestamp) -> bool {
        self.retries.values().any(|due_at| *due_at <= now && now.since(*due_at) < MAX_WAIT) && self.notifier.has_time()
    }

    async fn sleep_until(&self, time: Timestamp) {
        tokio::time::sleep(time.since(self.notifier.system.now())).await;
    }
}
