//! The due poller: delivers bulk messages, retries, messages with an unknown outcome, and messages that the stream missed,
//! and starts `notify` for due webhooks and `media-fetch` for due files.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tokio::task::JoinSet;
use tracing::Instrument as _;
use uuid::Uuid;

use super::{DUE_SOON, DeliveryError, Dispatcher, PendingMessage};
use crate::{
    domain::{id::ChatId, message::Priority, time::Timestamp},
    services::function_invoker::{DeliverEvent, FetchEvent, NotifyEvent},
    store::{DueMessage, keys::Key},
    telemetry::{self, Metric},
};

/// The maximum time that a poller runs, if the function's timeout allows it.
const MAX_RUN_TIME: Duration = Duration::from_secs(10 * 60);

/// How long the leader lease lasts without a renewal.
const LEASE: Duration = Duration::from_secs(15);

/// How often the leader renews its lease.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// How often to look for due items.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The minimum time between invocations of `notify`, and of `media-fetch`, by one process.
const NOTIFY_INTERVAL: Duration = Duration::from_secs(15);

/// The maximum number of early updates to recheck between two looks, and how many of them concurrently.
const RECHECK_LIMIT: usize = 500;
const RECHECK_REQUESTS: usize = 16;

/// Delivers due messages while it holds the leader lease, for as long as more are due soon.
#[derive(Clone, Debug)]
pub struct DuePoller {
    dispatcher: Dispatcher,
}

/// The chats whose messages are being delivered in the background, so that a slow chat doesn't delay the others.
#[derive(Default)]
struct Jobs {
    running: JoinSet<ChatId>,
    chats: HashSet<ChatId>,
}

impl Jobs {
    /// Starts a chat's job, unless one is running.
    fn start(&mut self, chat_id: ChatId, job: impl Future<Output = ()> + Send + 'static) {
        if self.chats.insert(chat_id) {
            let job = async move {
                job.await;
                chat_id
            };
            self.running.spawn(job.in_current_span());
        }
    }

    /// Removes the jobs that have ended.
    fn remove_ended(&mut self) {
        while let Some(ended) = self.running.try_join_next() {
            if let Ok(chat_id) = ended {
                self.chats.remove(&chat_id);
            }
        }
    }
}

impl DuePoller {
    /// Creates a poller that delivers through `dispatcher`.
    pub fn new(dispatcher: Dispatcher) -> Self {
        Self { dispatcher }
    }

    /// Delivers due messages until no more are due soon, another poller has the lease, or the run time is over. Without
    /// due items, this is one query that returns nothing.
    ///
    /// # Errors
    ///
    /// [`DeliveryError::Store`] if due items or the lease can't be read or written. Failures of single messages are
    /// logged.
    pub async fn run(&self) -> Result<(), DeliveryError> {
        let Dispatcher { store, system, invokers, metrics, .. } = &self.dispatcher;
        let poller_id = system.random_uuid();
        let started = system.now();
        let end = started.after(MAX_RUN_TIME).min(self.dispatcher.last_start());
        let mut jobs = Jobs::default();
        let mut is_leader = false;
        let result = self.poll(poller_id, end, &mut jobs, &mut is_leader).await;
        while jobs.running.join_next().await.is_some() {}
        metrics.write(system.now());
        if is_leader {
            store.outbox().acquire_poller_lease(poller_id, started).await?;
            // Another poller may have found the lease taken since the last look.
            let now = system.now();
            if !store.outbox().due_items(now, now.after(DUE_SOON), 1).await?.is_empty() {
                invokers.deliver.invoke(&DeliverEvent::Due).await;
            }
        }
        result
    }

    async fn poll(
        &self,
        poller_id: Uuid,
        end: Timestamp,
        jobs: &mut Jobs,
        is_leader: &mut bool,
    ) -> Result<(), DeliveryError> {
        let Dispatcher { store, system, settings, invokers, .. } = &self.dispatcher;
        // About what is sent until the next look, and what waits meanwhile.
        let limit = 2 * settings.rate.max(50) as usize;
        let mut renewed_at = None;
        loop {
            let now = system.now();
            let items = store.outbox().due_items(now, now.after(DUE_SOON), limit).await?;
            if items.has_notifications {
                invokers.notify.invoke_at_intervals(NOTIFY_INTERVAL, now, &NotifyEvent::due()).await;
            }
            if items.has_files
                && let Some(media_fetch) = &invokers.media_fetch
            {
                media_fetch.invoke_at_intervals(NOTIFY_INTERVAL, now, &FetchEvent::due()).await;
            }
            if now >= end {
                return Ok(());
            }
            if items.is_empty() && jobs.chats.is_empty() {
                self.recheck(items.early_updates).await;
                return Ok(());
            }
            if renewed_at.is_none_or(|renewed_at| now.since(renewed_at) >= HEARTBEAT_INTERVAL) {
                *is_leader = store.outbox().acquire_poller_lease(poller_id, now.after(LEASE)).await?;
                if !*is_leader {
                    return Ok(());
                }
                renewed_at = Some(now);
            }
            self.start_jobs(&items.messages, now.after(DUE_SOON).min(end), jobs);
            for resumption in &items.resumptions {
                // After a failure, the resumption stays due.
                if let Err(error) = store.outbox().resume_session(resumption).await {
                    let session_id = resumption.session_id;
                    tracing::error!(%session_id, error = telemetry::chain(&error), "session resume failed");
                }
            }
            self.recheck(items.early_updates).await;
            tokio::time::sleep(POLL_INTERVAL).await;
            jobs.remove_ended();
        }
    }

    /// Applies early updates whose message is found by now. Those that fail, or exceed the limit, stay due.
    async fn recheck(&self, early_updates: Vec<Key>) {
        stream::iter(early_updates.into_iter().take(RECHECK_LIMIT))
            .for_each_concurrent(RECHECK_REQUESTS, |key| async move {
                match self.dispatcher.store.messages().recheck_early_update(&key).await {
                    Ok(applied) => self.dispatcher.count_undelivered(applied),
                    Err(error) => tracing::error!(error = telemetry::chain(&error), "early update recheck failed"),
                }
            })
            .await;
    }

    /// Starts a job for each chat that has due messages.
    fn start_jobs(&self, due: &[DueMessage], give_up: Timestamp, jobs: &mut Jobs) {
        // A bulk message may wait for long.
        let normal = due.iter().filter(|message| message.priority == Priority::Normal);
        if let Some(oldest) = normal.map(|message| message.due_at).min() {
            let overdue = self.dispatcher.system.now().since(oldest);
            self.dispatcher.metrics.add(Metric::OldestPendingSeconds, overdue.as_secs());
        }
        let mut chats: HashMap<ChatId, Vec<PendingMessage>> = HashMap::new();
        for message in due {
            chats.entry(message.key.chat_id).or_default().push(PendingMessage::At(message.key));
        }
        // In the order in which their first messages are due.
        for chat_id in due.iter().map(|message| message.key.chat_id) {
            let Some(mut messages) = chats.remove(&chat_id) else { continue };
            messages.sort_by_key(|pending| pending.key().sort_key());
            let dispatcher = self.dispatcher.clone();
            jobs.start(chat_id, async move {
                for error in dispatcher.deliver_chat(messages, give_up).await.into_iter().filter_map(Result::err) {
                    tracing::error!(%chat_id, error = telemetry::chain(&error), "due message delivery failed");
                }
            });
        }
    }
}
