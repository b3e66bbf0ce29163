//! Delivery of changes to webhooks.
//!
//! - A webhook has a position in the log of each session. A run holds a lease on it while it delivers, so that two runs
//!   never deliver the same changes, and moves it once per page of the log. If a run ends in between, its page is
//!   delivered again, with the same IDs.
//! - A change that the receiver doesn't accept becomes a separate delivery, which is retried. The changes after it are
//!   delivered meanwhile, except those of the same chat with the order `chat`.
//! - If a receiver fails several times in a row, its deliveries pause, and its position stays.
//! - Each webhook has its own task, so that a slow receiver delays no other.
//!
//! `relay` starts a run after it has appended changes. The schedule finds what was left: sessions whose run ended early,
//! retries, and pauses that are over.

mod delivery;
mod endpoint;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use tokio::{sync::Semaphore, task::JoinSet};
use tracing::Instrument as _;

use self::endpoint::{Endpoint, Outcome};
use crate::{
    domain::{
        id::{ChatId, SessionId, WebhookId},
        system::System,
        time::Timestamp,
        webhook_delivery::{DeliveryEvent, DeliveryStatus, WebhookDelivery},
        webhook_endpoint::WebhookEndpoint,
    },
    services::{
        function_invoker::{FunctionInvoker, NotifyEvent},
        webhook_client::TIMEOUT,
        webhook_sender::{SendWebhookError, WebhookSender},
    },
    store::{CursorId, DueNotifications, Store, StoreError},
    telemetry::{self, Metrics},
};

/// The end of an invocation, in which it sends no further changes: the timeout of a receiver, and the time to save the
/// results.
const SHUTDOWN_MARGIN: Duration = TIMEOUT.saturating_add(Duration::from_secs(10));

/// The maximum number of concurrent requests of a process, which Lambda allows 1,024 open files.
const MAX_REQUESTS: usize = 512;

/// The number of runs of a process that read the content of many changes at once. The content of a message is up to
/// 128 KB in the table.
const MAX_CONTENTS: usize = 16;

/// The maximum number of sessions that a run delivers concurrently, except one that `relay` starts: it delivers all of its
/// sessions at once.
const MAX_SESSIONS: usize = 100;

/// How long an invocation waits for the `due` and `inbox` indexes to show a request that was just stored.
const INDEX_DELAY: Duration = Duration::from_secs(1);

/// How long a run reads the entries of the `due` index. At an entry's size, that is millions.
const MAX_DUE_READ: Duration = Duration::from_secs(30);

/// The number of deliveries to read at once.
const LIST_PAGE: usize = 100;

/// Delivers changes to webhooks. Clones share connections, caches, and metrics.
#[derive(Clone, Debug)]
pub struct Notifier {
    store: Store,
    sender: WebhookSender,
    self_invoker: FunctionInvoker,
    system: System,
    metrics: Metrics,
    requests: Arc<Semaphore>,
    contents: Arc<Semaphore>,
    /// Positions of disabled webhooks that exist.
    known: Arc<Mutex<HashSet<CursorId>>>,
    /// When Lambda ends the process.
    deadline: Timestamp,
    invocation: Arc<Invocation>,
}

/// What the tasks of an invocation record.
#[derive(Debug, Default)]
struct Invocation {
    /// Whether due work is left, which needs another invocation.
    is_incomplete: AtomicBool,
    /// Whether a change was sent or a position moved. Otherwise, another invocation wouldn't do more either.
    has_progress: AtomicBool,
}

/// Changes could not be delivered because a dependency other than the receiver failed.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// A DynamoDB request failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A change could not be sent.
    #[error(transparent)]
    Send(#[from] SendWebhookError),
    /// A task panicked.
    #[error("a task of a webhook panicked")]
    Panicked,
    /// Some sessions or webhooks failed. Each failure was logged.
    #[error("{0} deliveries failed")]
    Partial(usize),
}

/// What to deliver of a session.
#[derive(Clone, Debug, Default)]
struct Work {
    /// Whether to deliver the changes of the log to every webhook, and whether its mark is due.
    log: Option<Mark>,
    /// Webhooks whose position or deliveries are due, with the chats of the deliveries.
    webhooks: BTreeMap<WebhookId, BTreeSet<Option<ChatId>>>,
    /// Unfinished replays.
    replays: Vec<CursorId>,
    /// Whether to deliver although deliveries pause.
    ignores_pause: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mark {
    /// The log may be in the `due` index.
    Stays,
    /// Remove the log from the `due` index when everything is delivered.
    IsDue,
}

impl Work {
    fn add(&mut self, cursor: CursorId) {
        match cursor.is_replay {
            true => self.replays.push(cursor),
            false => _ = self.webhooks.entry(cursor.webhook_id).or_default(),
        }
    }
}

impl Notifier {
    /// Creates a notifier without a deadline. See [`Self::until`].
    pub fn new(store: Store, sender: WebhookSender, self_invoker: FunctionInvoker, system: System) -> Self {
        Self {
            store,
            sender,
            self_invoker,
            system,
            metrics: Metrics::default(),
            requests: Arc::new(Semaphore::new(MAX_REQUESTS)),
            contents: Arc::new(Semaphore::new(MAX_CONTENTS)),
            known: Arc::default(),
            deadline: system.now().after(Duration::MAX),
            invocation: Arc::default(),
        }
    }

    /// Returns a notifier for one invocation, which ends before `deadline`, in milliseconds since 1970. Ignores a deadline
    /// in the past, such as the one that `cargo lambda watch` sends.
    pub fn until(&self, deadline: u64) -> Self {
        let deadline = i64::try_from(deadline).ok().and_then(Timestamp::from_milliseconds);
        let deadline = deadline.filter(|deadline| *deadline > self.system.now()).unwrap_or(self.deadline);
        Self { deadline, invocation: Arc::default(), ..self.clone() }
    }

    /// Opens the connections and reads the signing key before the first event arrives.
    pub async fn warm_up(&self) {
        tokio::join!(self.store.warm_up(), self.sender.warm_up());
    }

    /// Returns the time after which no change is sent.
    fn last_start(&self) -> Timestamp {
        self.deadline.before(SHUTDOWN_MARGIN)
    }

    /// Returns the settings of a webhook as they are now; `None` if it was disabled or deleted.
    async fn current(&self, webhook: &WebhookEndpoint) -> Result<Option<WebhookEndpoint>, StoreError> {
        let webhooks = self.store.webhooks().list(webhook.session_id).await?;
        Ok(webhooks.into_iter().find(|found| found.id == webhook.id && found.enabled))
    }

    fn has_time(&self) -> bool {
        self.system.now() < self.last_start()
    }

    fn record_incomplete(&self) {
        self.invocation.is_incomplete.store(true, Ordering::Relaxed);
    }

    fn record_progress(&self) {
        self.invocation.has_progress.store(true, Ordering::Relaxed);
    }

    /// Delivers what an event asks for: `{"sessions": […]}` the new changes of these sessions, `{"webhook": …}` everything
    /// of this webhook, and any other event what is due.
    ///
    /// # Errors
    ///
    /// If something couldn't be delivered for a reason other than its receiver. Lambda repeats the invocation, and the
    /// schedule delivers what is left.
    pub async fn run(&self, event: Value) -> Result<(), NotifyError> {
        let result = match serde_json::from_value(event) {
            Ok(NotifyEvent::Sessions { sessions }) => {
                let work = Work { log: Some(Mark::Stays), ..Work::default() };
                let sessions: BTreeSet<SessionId> = sessions.into_iter().collect();
                let count = sessions.len();
                self.run_all(sessions.into_iter().map(|id| (id, work.clone())), count).await
            }
            Ok(NotifyEvent::Webhook { webhook }) => self.run_webhook(webhook).await,
            Ok(NotifyEvent::Due { .. }) | Err(_) => self.run_due().await,
        };
        let Invocation { is_incomplete, has_progress } = &*self.invocation;
        if is_incomplete.load(Ordering::Relaxed) && has_progress.load(Ordering::Relaxed) {
            self.self_invoker.invoke(&NotifyEvent::due()).await;
        }
        self.metrics.write(self.system.now());
        result
    }

    /// Delivers what is due.
    async fn run_due(&self) -> Result<(), NotifyError> {
        let due = self.store.webhook_deliveries().due(self.system.now().after(MAX_DUE_READ)).await?;
        if due.has_more {
            self.record_incomplete();
        }
        let webhooks = stream::iter(due.webhooks.clone())
            .map(|id| self.run_webhook(id))
            .buffer_unordered(MAX_SESSIONS)
            .fold(Ok(()), |result, next| async { result.and(next) });
        let (webhooks, others) = tokio::join!(webhooks, self.run_all(work_of(due), MAX_SESSIONS));
        webhooks.and(others)
    }

    /// Delivers everything of a webhook, also while its deliveries pause.
    async fn run_webhook(&self, id: WebhookId) -> Result<(), NotifyError> {
        let Some(webhook) = self.store.webhooks().find(id).await? else { return Ok(()) };
        if !webhook.enabled {
            return Ok(());
        }
        let cursors = self.resume_positions(&webhook).await?;
        let mut chats = self.resume_deliveries(&webhook).await?;
        if chats.is_empty() && !cursors.iter().any(|cursor| cursor.is_replay) {
            // It may be a retry that the index doesn't show yet.
            tokio::time::sleep(INDEX_DELAY).await;
            chats = self.resume_deliveries(&webhook).await?;
        }
        let mut sessions: BTreeMap<SessionId, Work> = BTreeMap::new();
        if let Some(session_id) = webhook.session_id {
            sessions.entry(session_id).or_default().webhooks.entry(id).or_default();
        }
        for cursor in cursors {
            sessions.entry(cursor.session_id).or_default().add(cursor);
        }
        for (session_id, chat_id) in chats {
            sessions.entry(session_id).or_default().webhooks.entry(id).or_default().insert(chat_id);
        }
        for work in sessions.values_mut() {
            work.ignores_pause = true;
        }
        self.run_all(sessions.into_iter(), MAX_SESSIONS).await
    }

    /// Makes the positions of a webhook due that was enabled, with those of unfinished replays. Returns all of them.
    async fn resume_positions(&self, webhook: &WebhookEndpoint) -> Result<Vec<CursorId>, StoreError> {
        let cursors = self.store.webhook_cursors();
        let mut found = cursors.list(webhook.id).await?;
        if webhook.due_at.is_some() {
            let own =
                webhook.session_id.map(|session_id| CursorId { webhook_id: webhook.id, session_id, is_replay: false });
            if let Some(id) = own.filter(|id| !found.contains(id)) {
                cursors.create(id, self.store.changes().first_since(id.session_id, webhook.created_at).await?).await?;
                found.push(id);
            }
            stream::iter(found.clone())
                .map(|id| cursors.resume(id))
                .buffer_unordered(MAX_SESSIONS)
                .try_for_each(|()| async { Ok(()) })
                .await?;
        }
        Ok(found)
    }

    /// Makes the deliveries of a webhook due that were open when it was disabled. Returns the chats with due deliveries.
    /// Call [`Self::resume_positions`] before: afterwards, the webhook itself isn't due anymore.
    async fn resume_deliveries(
        &self,
        webhook: &WebhookEndpoint,
    ) -> Result<BTreeSet<(SessionId, Option<ChatId>)>, StoreError> {
        let deliveries = self.store.webhook_deliveries();
        let now = self.system.now();
        let mut chats = BTreeSet::new();
        for status in DeliveryStatus::ALL.into_iter().filter(|status| status.is_open()) {
            let mut after = None;
            loop {
                if !self.has_time() {
                    // The webhook stays due.
                    self.record_incomplete();
                    return Ok(chats);
                }
                let page = deliveries.list(webhook.id, Some(status), after, LIST_PAGE).await?;
                for delivery in page.items {
                    // The list may not show yet that a delivery was suspended.
                    if delivery.due_at.is_none() || webhook.due_at.is_some() {
                        let resumed = deliveries.update(&delivery, &DeliveryEvent::Resumed).await?;
                        resumed.iter().for_each(|_| self.record_progress());
                    }
                    if delivery.due_at.is_none_or(|due_at| due_at <= now) {
                        chats.insert(chat_of(&delivery));
                    }
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        self.store.webhooks().resumed(webhook).await?;
        Ok(chats)
    }

    /// Runs the work of sessions. Logs failures.
    async fn run_all(
        &self,
        work: impl Iterator<Item = (SessionId, Work)>,
        concurrent: usize,
    ) -> Result<(), NotifyError> {
        let failed = stream::iter(work)
            .map(|(session_id, work)| async move {
                let span = tracing::info_span!("session", %session_id);
                let result = self.run_session(session_id, work).instrument(span).await;
                result.unwrap_or_else(|error| {
                    tracing::error!(%session_id, error = telemetry::chain(&error), "webhook delivery failed");
                    1
                })
            })
            .buffer_unordered(concurrent.max(1))
            .fold(0, |sum, failed| async move { sum + failed })
            .await;
        if failed > 0 { Err(NotifyError::Partial(failed)) } else { Ok(()) }
    }

    /// Runs the work of a session: each webhook in its own task. Returns how many failed.
    async fn run_session(&self, session_id: SessionId, mut work: Work) -> Result<usize, NotifyError> {
        if !self.has_time() {
            // It stays due.
            self.record_incomplete();
            return Ok(0);
        }
        let found = self.store.webhooks().of_session(session_id).await?;
        let mut tasks = JoinSet::new();
        let mut errors = Vec::new();
        for webhook in found.webhooks {
            let id = CursorId { webhook_id: webhook.id, session_id, is_replay: false };
            let requested = work.webhooks.remove(&webhook.id);
            let (replays, others) = work.replays.into_iter().partition(|replay| replay.webhook_id == webhook.id);
            work.replays = others;
            if !webhook.enabled {
                // Deliveries of other webhooks run already.
                errors.extend(self.suspend(&webhook, id, requested, replays).await.err());
                continue;
            }
            let ids = (work.log.is_some() || requested.is_some()).then_some(id);
            for id in ids.into_iter().chain(replays) {
                let chats = if id.is_replay { BTreeSet::new() } else { requested.clone().unwrap_or_default() };
                let endpoint = Endpoint::new(self.clone(), webhook.clone(), id);
                let task = endpoint.run(chats, work.ignores_pause);
                tasks.spawn(async move { (id, task.await) }.in_current_span());
            }
        }
        errors.extend(self.discard(session_id, work.webhooks, work.replays).await.err());
        for error in &errors {
            tracing::error!(error = telemetry::chain(error), "webhook delivery failed");
        }

        let (mut failed, mut is_delivered) = (errors.len(), errors.is_empty());
        while let Some(ended) = tasks.join_next().await {
            let (id, result) = match ended {
                Ok((id, result)) => (Some(id), result),
                Err(_) => (None, Err(NotifyError::Panicked)),
            };
            match result {
                Ok(Outcome::CaughtUp(last)) => is_delivered &= last >= found.end.last,
                Ok(Outcome::Paused | Outcome::Disabled) => {}
                Ok(Outcome::Busy) => is_delivered = false,
                Ok(Outcome::OutOfTime) => {
                    // Continues where this one ended, which is due.
                    self.record_incomplete();
                    is_delivered = false;
                }
                Err(error) => {
                    failed += 1;
                    is_delivered = false;
                    let webhook_id = id.map(|id| tracing::field::display(id.webhook_id));
                    tracing::error!(webhook_id, error = telemetry::chain(&error), "webhook delivery failed");
                }
            }
        }
        if is_delivered && work.log == Some(Mark::IsDue) {
            self.store.webhook_deliveries().unmark(session_id, found.end.last).await?;
        }
        Ok(failed)
    }

    /// Takes the work of a disabled webhook out of the `due` index. It continues when the webhook is enabled.
    async fn suspend(
        &self,
        webhook: &WebhookEndpoint,
        id: CursorId,
        requested: Option<BTreeSet<Option<ChatId>>>,
        replays: Vec<CursorId>,
    ) -> Result<(), NotifyError> {
        // So that the sessions are known when a webhook for all sessions is enabled.
        let is_known = self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(&id);
        if !is_known && webhook.session_id.is_none() && !self.store.webhook_cursors().exists(id).await? {
            let position = self.store.changes().first_since(id.session_id, webhook.created_at).await?;
            self.store.webhook_cursors().create(id, position).await?;
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        let cursors: Vec<CursorId> = replays.into_iter().chain(requested.is_some().then_some(id)).collect();
        let chats = requested.unwrap_or_default();
        for cursor in &cursors {
            self.store.webhook_cursors().suspend(*cursor).await?;
        }
        self.change_open(id, &chats, &DeliveryEvent::Suspended).await?;
        if !cursors.is_empty() && self.current(webhook).await?.is_some() {
            // It was enabled meanwhile.
            for cursor in &cursors {
                self.store.webhook_cursors().resume(*cursor).await?;
            }
            self.change_open(id, &chats, &DeliveryEvent::Resumed).await?;
        }
        Ok(())
    }

    /// Applies an event to the open deliveries of chats.
    async fn change_open(
        &self,
        id: CursorId,
        chats: &BTreeSet<Option<ChatId>>,
        event: &DeliveryEvent,
    ) -> Result<(), StoreError> {
        let deliveries = self.store.webhook_deliveries();
        for chat_id in chats {
            for delivery in deliveries.open(id.webhook_id, id.session_id, *chat_id).await? {
                deliveries.update(&delivery, event).await?;
            }
        }
        Ok(())
    }

    /// Deletes the work of webhooks that no longer exist.
    async fn discard(
        &self,
        session_id: SessionId,
        webhooks: BTreeMap<WebhookId, BTreeSet<Option<ChatId>>>,
        replays: Vec<CursorId>,
    ) -> Result<(), NotifyError> {
        for (webhook_id, chats) in webhooks {
            self.store.webhook_cursors().delete(CursorId { webhook_id, session_id, is_replay: false }).await?;
            for chat_id in chats {
                for delivery in self.store.webhook_deliveries().open(webhook_id, session_id, chat_id).await? {
                    self.store.webhook_deliveries().delete(&delivery).await?;
                }
            }
        }
        for replay in replays {
            self.store.webhook_cursors().delete(replay).await?;
        }
        Ok(())
    }
}

fn chat_of(delivery: &WebhookDelivery) -> (SessionId, Option<ChatId>) {
    (delivery.change.session_id, delivery.change.erased_with())
}

/// Groups due work by session.
fn work_of(due: DueNotifications) -> impl Iterator<Item = (SessionId, Work)> {
    let mut sessions: BTreeMap<SessionId, Work> = BTreeMap::new();
    for session_id in due.sessions {
        sessions.entry(session_id).or_default().log = Some(Mark::IsDue);
    }
    for cursor in due.cursors {
        sessions.entry(cursor.session_id).or_default().add(cursor);
    }
    for (webhook_id, session_id, chat_id) in due.deliveries {
        let work = sessions.entry(session_id).or_default();
        work.webhooks.entry(webhook_id).or_default().insert(chat_id);
    }
    sessions.into_iter()
}
