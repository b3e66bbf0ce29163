//! What a run does while it holds the lease on a position: retries due deliveries, and delivers the changes of the log.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use uuid::Uuid;

use super::{LIST_PAGE, Notifier, NotifyError, endpoint::SETTINGS_LIFETIME};
use crate::{
    domain::{
        change::{
            Change,
            log::{ChangePage, PageEnd},
        },
        id::ChatId,
        time::Timestamp,
        webhook_delivery::{
            AttemptResult, DeliveryEvent, DeliveryStatus, EndpointHealth, WebhookAttempt, WebhookDelivery,
        },
        webhook_endpoint::{Order, WebhookEndpoint},
    },
    services::changes::{self, ResolvedChange},
    store::{ReplayOnly, StoreError, WebhookCursor},
    telemetry::Metric,
};

/// The number of changes of a page. The position moves once per page.
const PAGE: usize = 100;

/// The number of changes whose content is read at once: all of a run that has a permit, or of one that has none.
const CONTENTS: usize = 32;
const CONTENTS_WITHOUT_PERMIT: usize = 4;

/// How often a run looks for due deliveries of earlier runs.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// After this time, a run reads the content of a change again, which may have been erased.
const CONTENT_LIFETIME: Duration = Duration::from_secs(5);

/// After this many failed repeats, a run continues with the log. The other repeats stay due.
const MAX_FAILED_REPEATS: u32 = 10;

/// How long a run waits before it reads a change again that is being stored: doubles each time.
const FIRST_GAP_WAIT: Duration = Duration::from_millis(20);
const MAX_GAP_WAIT: Duration = Duration::from_millis(500);

/// Why a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The end of the log was reached, or the deliveries pause already.
    CaughtUp,
    /// A replay was finished.
    Finished,
    /// The receiver fails. It can ask for a pause.
    Failing(Option<Duration>),
    /// The receiver responded 410.
    Gone,
    /// The receiver has failed for days.
    Dead,
    /// The webhook was disabled or deleted.
    Disabled,
    /// The invocation has to end, or an error occurred.
    OutOfTime,
}

/// The result of a run.
pub(super) struct Ended {
    pub(super) cursor: WebhookCursor,
    pub(super) stop: Stop,
    /// The chats with deliveries to retry, and when the next of them is due.
    pub(super) retries: BTreeMap<Option<ChatId>, Timestamp>,
    /// The last number of the log when its end was reached.
    pub(super) last: u64,
    pub(super) error: Option<NotifyError>,
}

pub(super) struct Delivery<'a> {
    notifier: &'a Notifier,
    lease: Uuid,
    state: Mutex<State>,
}

/// What the concurrent requests of a run change.
struct State {
    webhook: Arc<WebhookEndpoint>,
    /// When the settings of the webhook were read.
    read_at: Timestamp,
    cursor: WebhookCursor,
    stop: Option<Stop>,
    /// Whether a change was sent after a pause. The result decides about the others.
    has_probed: bool,
    failed_repeats: u32,
    retries: BTreeMap<Option<ChatId>, Timestamp>,
    error: Option<NotifyError>,
}

impl<'a> Delivery<'a> {
    /// Prepares a run with the settings of the webhook that were read at `read_at`.
    pub(super) fn new(
        notifier: &'a Notifier,
        webhook: WebhookEndpoint,
        read_at: Timestamp,
        cursor: WebhookCursor,
        lease: Uuid,
    ) -> Self {
        let state = State {
            webhook: Arc::new(webhook),
            read_at,
            cursor,
            stop: None,
            has_probed: false,
            failed_repeats: 0,
            retries: BTreeMap::new(),
            error: None,
        };
        Self { notifier, lease, state: Mutex::new(state) }
    }

    /// Retries the due deliveries of `chats`, and delivers the changes after the position.
    pub(super) async fn run(self, chats: BTreeSet<Option<ChatId>>) -> Ended {
        let result = self.deliver(chats).await;
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (stop, last, error) = match result {
            Ok((stop, last)) => (stop, last, state.error),
            Err(error) => (Stop::OutOfTime, 0, Some(error)),
        };
        Ended { cursor: state.cursor, stop, retries: state.retries, last, error }
    }

    async fn deliver(&self, mut chats: BTreeSet<Option<ChatId>>) -> Result<(Stop, u64), NotifyError> {
        let replay = self.state().cursor.replay;
        if let Some((ReplayOnly::Failed, end)) = replay {
            return self.retry_failed(end).await.map(|stop| (stop, 0));
        }
        let end = replay.map(|(_, end)| end);
        let mut checked_at = self.notifier.system.now();
        let mut gap_wait = FIRST_GAP_WAIT;
        loop {
            let now = self.notifier.system.now();
            if let Some(stop) = self.stop(now) {
                return Ok((stop, 0));
            }
            if now.since(checked_at) >= CHECK_INTERVAL {
                checked_at = now;
                if self.current_webhook().await?.is_none() {
                    continue;
                }
                chats.extend(self.due_chats(now).await?);
            }
            // After a pause, a new change is the probe: the receiver may reject only those that are due.
            if !chats.is_empty() && !self.health().is_probing() {
                self.retry(std::mem::take(&mut chats)).await;
                continue;
            }
            let page = self.read().await?;
            let (page_end, last, is_empty) = (page.end, page.last, page.changes.is_empty());
            let is_complete = self.deliver_page(page, end).await?;
            if let Some(stop) = self.stop(self.notifier.system.now()) {
                return Ok((stop, 0));
            }
            if !is_complete {
                continue;
            }
            let position = self.state().cursor.progress.position();
            if end.is_some_and(|end| position >= end || page_end == PageEnd::CaughtUp) {
                return Ok((Stop::Finished, last));
            }
            match page_end {
                PageEnd::CaughtUp if !chats.is_empty() => self.retry(std::mem::take(&mut chats)).await,
                PageEnd::CaughtUp => return Ok((Stop::CaughtUp, last)),
                PageEnd::More if self.save().await? => self.notifier.record_progress(),
                // Another run has the lease.
                PageEnd::More => return Ok((Stop::OutOfTime, 0)),
                PageEnd::Gap if !is_empty => gap_wait = FIRST_GAP_WAIT,
                PageEnd::Gap => {
                    tokio::time::sleep(gap_wait).await;
                    gap_wait = (gap_wait * 2).min(MAX_GAP_WAIT);
                }
            }
        }
    }

    /// Reads the changes after the position. If the log no longer has the next ones, the page leads to its oldest.
    async fn read(&self) -> Result<ChangePage, NotifyError> {
        let id = self.state().cursor.id;
        let position = self.position();
        let log = self.notifier.store.changes();
        if let Ok(page) = log.read(id.session_id, position, PAGE).await? {
            return Ok(page);
        }
        let (oldest, last) = (log.oldest(id.session_id).await?, log.end(id.session_id).await?.last);
        let end = if oldest > position { PageEnd::More } else { PageEnd::CaughtUp };
        if end == PageEnd::More && !id.is_replay {
            let expired = oldest - position;
            self.notifier.metrics.add(Metric::WebhookChangesExpired, expired);
            tracing::warn!(webhook_id = %id.webhook_id, expired, "changes expired before their delivery");
        }
        Ok(ChangePage { changes: Vec::new(), next: oldest.max(position), end, last })
    }

    /// Delivers the changes of a page up to `end`, several chats at once, and moves the position. Returns `false` if
    /// changes are left.
    async fn deliver_page(&self, page: ChangePage, end: Option<u64>) -> Result<bool, NotifyError> {
        let end = end.unwrap_or(u64::MAX);
        let webhook = self.webhook();
        let is_wanted = |change: &Change| change.sequence <= end && webhook.subscribes_to(change.change.kind);
        let wanted: Vec<Change> = page.changes.into_iter().filter(is_wanted).collect();
        let sequences: Vec<u64> = wanted.iter().map(|change| change.sequence).collect();
        let mut unhandled = {
            let progress = &self.state().cursor.progress;
            wanted.into_iter().filter(|change| !progress.is_handled(change.sequence)).collect::<Vec<_>>()
        };
        while !unhandled.is_empty() && !self.is_stopping(self.notifier.system.now()) {
            // A run without a permit doesn't wait for the slow receiver of another one.
            let permit = self.notifier.contents.try_acquire();
            let count = if permit.is_ok() { CONTENTS } else { CONTENTS_WITHOUT_PERMIT };
            let rest = unhandled.split_off(count.min(unhandled.len()));
            let resolved_at = self.notifier.system.now();
            let resolved = changes::resolve(&self.notifier.store, std::mem::replace(&mut unhandled, rest)).await?;
            let chats = by_chat(resolved);
            let concurrency = self.health().concurrency();
            stream::iter(chats)
                .for_each_concurrent(concurrency, |(chat_id, changes)| async move {
                    if let Err(error) = self.deliver_chat(chat_id, changes, resolved_at).await {
                        self.fail(error);
                    }
                })
                .await;
        }
        let mut state = self.state();
        let is_complete = sequences.iter().all(|sequence| state.cursor.progress.is_handled(*sequence));
        state.cursor.progress.advance(sequences, page.next.min(end));
        state.has_probed = false;
        Ok(is_complete)
    }

    /// Delivers changes of a chat in order, until the run stops.
    async fn deliver_chat(
        &self,
        chat_id: Option<ChatId>,
        changes: Vec<ResolvedChange>,
        resolved_at: Timestamp,
    ) -> Result<(), NotifyError> {
        let deliveries = self.notifier.store.webhook_deliveries();
        let id = self.state().cursor.id;
        let in_order = self.webhook().order == Order::Chat && chat_id.is_some();
        let failing_until = self.state().cursor.failing_until;
        let now = self.notifier.system.now();
        let mut blocking = Vec::new();
        if in_order && failing_until.is_some_and(|until| until > now) {
            let first = changes.first().map_or(0, |change| change.change.sequence);
            blocking = deliveries.open(id.webhook_id, id.session_id, chat_id).await?;
            let blocks = |delivery: &WebhookDelivery| delivery.blocks_until().is_some_and(|until| until > now);
            blocking.retain(|delivery| delivery.change.sequence < first && blocks(delivery));
        }
        let mut blocked_until = blocking.iter().filter_map(WebhookDelivery::blocks_until).max();
        for change in changes {
            let now = self.notifier.system.now();
            if self.is_stopping(now) {
                return Ok(());
            }
            let sequence = change.change.sequence;
            let expires_at = deliveries.expires_at(&change.change);
            let chat_id = change.change.erased_with();
            // The erasure of a chat doesn't wait for a delivery that it deletes.
            let delivery = if chat_id.is_some() && blocked_until.is_some_and(|until| until > now) {
                if self.health().is_probing() {
                    // The first of the chat that isn't delivered is the probe.
                    if let Some((first, next)) = blocking.split_first() {
                        self.attempt(first, next, in_order).await?;
                        self.state().retries.insert(chat_id, now);
                    }
                    return Ok(());
                }
                WebhookDelivery::waiting(id.webhook_id, change.change, expires_at, now)
            } else {
                let Some(attempt) = self.post(&change, resolved_at, false).await? else { return Ok(()) };
                let Some(attempt) = attempt else {
                    self.handle(sequence);
                    continue;
                };
                match attempt.result() {
                    AttemptResult::Delivered => {
                        self.record_latency(&change.change);
                        self.handle(sequence);
                        continue;
                    }
                    AttemptResult::Gone => return Ok(()),
                    AttemptResult::Overloaded(_) | AttemptResult::Failed(_) => {}
                }
                let random = self.notifier.system.random_uuid();
                let now = self.notifier.system.now();
                WebhookDelivery::failed(id.webhook_id, change.change, attempt, expires_at, now, random)
            };
            deliveries.put(&delivery).await?;
            let in_order = in_order && chat_id.is_some();
            if in_order {
                blocked_until = blocked_until.max(delivery.blocks_until());
            }
            self.record_open(&delivery, in_order);
            self.handle(sequence);
        }
        Ok(())
    }

    /// Retries the due deliveries of chats, several at once.
    async fn retry(&self, chats: BTreeSet<Option<ChatId>>) {
        self.state().failed_repeats = 0;
        loop {
            let concurrency = self.health().concurrency();
            stream::iter(&chats)
                .for_each_concurrent(concurrency, |chat_id| async move {
                    if let Err(error) = self.retry_chat(*chat_id).await {
                        self.fail(error);
                    }
                })
                .await;
            let mut state = self.state();
            // After a successful probe, the others follow.
            if !std::mem::take(&mut state.has_probed) || state.stop.is_some() {
                return;
            }
        }
    }

    /// Retries the due deliveries of a chat in order, and delivers those that waited for them.
    async fn retry_chat(&self, chat_id: Option<ChatId>) -> Result<(), NotifyError> {
        let Notifier { store, system, .. } = self.notifier;
        let id = self.state().cursor.id;
        let in_order = self.webhook().order == Order::Chat && chat_id.is_some();
        let open = store.webhook_deliveries().open(id.webhook_id, id.session_id, chat_id).await?;
        let mut blocked_until = None;
        for (index, delivery) in open.iter().enumerate() {
            let now = system.now();
            if self.is_stopping(now) || self.state().failed_repeats >= MAX_FAILED_REPEATS {
                return Ok(());
            }
            let is_blocked = in_order && blocked_until.is_some_and(|until| until > now);
            let mut current = Some(delivery.clone());
            if delivery.is_due(is_blocked, now) {
                let next = &open[index + 1..];
                current = match self.attempt(delivery, next, in_order).await? {
                    Some(current) => current,
                    None => return Ok(()),
                };
            } else if is_blocked && delivery.due_at.is_some_and(|due_at| due_at <= now) {
                // A run that ended early left it due.
                store.webhook_deliveries().update(delivery, &DeliveryEvent::Blocked).await?;
            }
            blocked_until = blocked_until.max(current.and_then(|delivery| delivery.blocks_until()));
        }
        Ok(())
    }

    /// Attempts a delivery and stores the result. Returns the delivery afterwards, if there still is one; `None` if it wasn't
    /// attempted.
    async fn attempt(
        &self,
        delivery: &WebhookDelivery,
        next: &[WebhookDelivery],
        in_order: bool,
    ) -> Result<Option<Option<WebhookDelivery>>, NotifyError> {
        let deliveries = self.notifier.store.webhook_deliveries();
        let now = self.notifier.system.now();
        let resolved = changes::resolve(&self.notifier.store, vec![delivery.change.clone()]).await?;
        let Some(change) = resolved.first() else { return Ok(None) };
        let Some(attempt) = self.post(change, now, delivery.attempt_count > 0).await? else { return Ok(None) };
        let Some(attempt) = attempt else {
            // It has no content anymore.
            deliveries.delete(delivery).await?;
            return Ok(Some(None));
        };
        let is_delivered = attempt.result() == AttemptResult::Delivered;
        if !is_delivered && delivery.status == DeliveryStatus::Retrying && delivery.due_at > Some(now) {
            // A probe doesn't take one of its retries.
            return Ok(None);
        }
        if is_delivered && let Some(next) = next.iter().find(|next| next.status == DeliveryStatus::Waiting) {
            // If the process ends here, the schedule continues with it.
            deliveries.update(next, &DeliveryEvent::Unblocked).await?;
        }
        let current = deliveries.update(delivery, &DeliveryEvent::Attempted(attempt)).await?;
        if let Some(current) = &current {
            if current.status == DeliveryStatus::Failed {
                self.notifier.metrics.add(Metric::WebhooksFailed, 1);
            }
            self.record_open(current, in_order);
        }
        Ok(Some(current))
    }

    /// Makes the failed deliveries of a replay due.
    async fn retry_failed(&self, end: u64) -> Result<Stop, NotifyError> {
        let Notifier { store, .. } = self.notifier;
        let id = self.state().cursor.id;
        let position = self.position();
        let mut after = None;
        loop {
            if !self.notifier.has_time() {
                return Ok(Stop::OutOfTime);
            }
            let page =
                store.webhook_deliveries().list(id.webhook_id, Some(DeliveryStatus::Failed), after, LIST_PAGE).await?;
            for delivery in page.items {
                let Change { session_id, sequence, .. } = delivery.change;
                if session_id == id.session_id && (position + 1..=end).contains(&sequence) {
                    store.webhook_deliveries().retry_now(&delivery).await?;
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        // The next run finds them.
        self.notifier.record_progress();
        self.notifier.record_incomplete();
        Ok(Stop::Finished)
    }

    /// Sends a change whose content was read at `resolved_at`, again if it `is_repeat`. Returns `None` if the run stops,
    /// and an inner `None` if the change has no form in the webhook's format.
    async fn post(
        &self,
        change: &ResolvedChange,
        resolved_at: Timestamp,
        is_repeat: bool,
    ) -> Result<Option<Option<WebhookAttempt>>, NotifyError> {
        let Notifier { store, sender, system, metrics, requests, .. } = self.notifier;
        // The semaphore is never closed.
        let permit = requests.acquire().await;
        if self.is_stopping(system.now()) {
            return Ok(None);
        }
        let Some(webhook) = self.current_webhook().await? else { return Ok(None) };
        let again = if system.now().since(resolved_at) < CONTENT_LIFETIME {
            Vec::new()
        } else {
            changes::resolve(store, vec![change.change.clone()]).await?
        };
        let change = again.first().unwrap_or(change);
        let Some(attempt) = sender.send(&webhook, change).await? else { return Ok(Some(None)) };
        drop(permit);
        self.notifier.record_progress();
        let (result, now) = (attempt.result(), system.now());
        let mut state = self.state();
        let is_replay = state.cursor.id.is_replay;
        let health = &mut state.cursor.health;
        let (was_probing, counts) = (health.is_probing(), health.counts(result, is_repeat));
        if counts {
            health.record(result, now);
        }
        let stop = match result {
            AttemptResult::Delivered => None,
            AttemptResult::Gone => Some(Stop::Gone),
            _ if !counts => None,
            _ if !is_replay && health.is_dead(webhook.enabled_at.unwrap_or(webhook.created_at), now) => {
                Some(Stop::Dead)
            }
            _ => health.stops_after(result).then(|| Stop::Failing(result.retry_after())),
        };
        state.has_probed |= was_probing;
        state.failed_repeats += u32::from(is_repeat && result != AttemptResult::Delivered);
        if let Some(stop) = stop {
            state.stop.get_or_insert(stop);
        }
        drop(state);
        if result == AttemptResult::Delivered {
            metrics.add(Metric::WebhooksDelivered, 1);
        } else {
            metrics.add(Metric::WebhookAttemptsFailed, 1);
            tracing::info!(
                webhook_id = %webhook.id,
                change_id = %change.change.change.id,
                status = attempt.status,
                duration_ms = attempt.duration_ms,
                "webhook attempt failed"
            );
        }
        Ok(Some(Some(attempt)))
    }

    /// Returns the chats with due deliveries: those of this run, and those of earlier ones.
    async fn due_chats(&self, now: Timestamp) -> Result<BTreeSet<Option<ChatId>>, StoreError> {
        let id = self.state().cursor.id;
        let mut chats: BTreeSet<Option<ChatId>> = {
            let mut state = self.state();
            state.retries.extract_if(.., |_, due_at| *due_at <= now).map(|(chat_id, _)| chat_id).collect()
        };
        if !id.is_replay {
            let due = self.notifier.store.webhook_deliveries().due_of_session(id.session_id).await?;
            let own = due
                .deliveries
                .into_iter()
                .filter(|(webhook_id, session_id, _)| *webhook_id == id.webhook_id && *session_id == id.session_id);
            chats.extend(own.map(|(_, _, chat_id)| chat_id));
        }
        Ok(chats)
    }

    /// Returns the settings of the webhook, which it reads again if they are old. Returns `None` if the webhook was disabled
    /// or deleted, and stops the run.
    async fn current_webhook(&self) -> Result<Option<Arc<WebhookEndpoint>>, StoreError> {
        let now = self.notifier.system.now();
        let (webhook, read_at) = {
            let state = self.state();
            (Arc::clone(&state.webhook), state.read_at)
        };
        if now.since(read_at) < SETTINGS_LIFETIME {
            return Ok(Some(webhook));
        }
        let current = self.notifier.current(&webhook).await?.map(Arc::new);
        let mut state = self.state();
        match &current {
            Some(webhook) => (state.webhook, state.read_at) = (Arc::clone(webhook), now),
            None => _ = state.stop.get_or_insert(Stop::Disabled),
        }
        Ok(current)
    }

    fn webhook(&self) -> Arc<WebhookEndpoint> {
        Arc::clone(&self.state().webhook)
    }

    async fn save(&self) -> Result<bool, StoreError> {
        let cursor = self.state().cursor.clone();
        let until = self.notifier.system.now().after(super::endpoint::LEASE);
        self.notifier.store.webhook_cursors().save(&cursor, self.lease, until).await
    }

    /// Returns why the run has to stop, if it has to.
    fn stop(&self, now: Timestamp) -> Option<Stop> {
        let state = self.state();
        let is_paused = state.cursor.health.is_paused(now);
        state
            .stop
            .or_else(|| (!self.notifier.has_time()).then_some(Stop::OutOfTime))
            .or_else(|| is_paused.then_some(Stop::CaughtUp))
    }

    /// Returns whether to send no further change of this page.
    fn is_stopping(&self, now: Timestamp) -> bool {
        let state = self.state();
        state.stop.is_some() || state.has_probed || now >= self.notifier.last_start()
    }

    fn fail(&self, error: NotifyError) {
        let mut state = self.state();
        state.stop = Some(Stop::OutOfTime);
        state.error.get_or_insert(error);
    }

    fn handle(&self, sequence: u64) {
        self.state().cursor.progress.handle(sequence);
    }

    /// Remembers when an open delivery is due, and until when it blocks its chat.
    fn record_open(&self, delivery: &WebhookDelivery, in_order: bool) {
        let mut state = self.state();
        if delivery.status == DeliveryStatus::Retrying
            && let Some(due_at) = delivery.due_at
        {
            let next = state.retries.entry(delivery.change.erased_with()).or_insert(due_at);
            *next = due_at.min(*next);
        }
        if in_order {
            state.cursor.failing_until = state.cursor.failing_until.max(delivery.blocks_until());
        }
    }

    fn record_latency(&self, change: &Change) {
        if !self.state().cursor.id.is_replay {
            let duration = self.notifier.system.now().since(change.appended_at);
            let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            self.notifier.metrics.add(Metric::WebhookMilliseconds, milliseconds);
        }
    }

    fn position(&self) -> u64 {
        self.state().cursor.progress.position()
    }

    fn health(&self) -> EndpointHealth {
        self.state().cursor.health.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Groups changes by chat, in order. The groups are in the order of their first changes.
fn by_chat(changes: Vec<ResolvedChange>) -> Vec<(Option<ChatId>, Vec<ResolvedChange>)> {
    let mut chats: Vec<(Option<ChatId>, Vec<ResolvedChange>)> = Vec::new();
    let mut indexes: HashMap<Option<ChatId>, usize> = HashMap::new();
    for change in changes {
        let chat_id = change.change.change.chat_id;
        let index = *indexes.entry(chat_id).or_insert(chats.len());
        match chats.get_mut(index) {
            Some((_, changes)) => changes.push(change),
            None => chats.push((chat_id, vec![change])),
        }
    }
    chats
}
