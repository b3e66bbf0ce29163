//! The due poller: delivers retries, paced messages, messages with an unknown outcome, and messages that the stream
//! missed.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::task::JoinSet;

use super::{DUE_SOON, DeliveryError, Dispatcher, PendingMessage};
use crate::{
    domain::{
        id::{ChatId, SessionId},
        time::Timestamp,
    },
    store::{Due, PollerLease},
    telemetry::{self, Metric},
};

/// The maximum time that a poller runs.
const MAX_RUN_TIME: Duration = Duration::from_secs(40);

/// The maximum time between the end of a poller and the start of the next one. Longer than a message waits for its
/// reservation.
const HANDOVER_TIMEOUT: Duration = Duration::from_secs(6);

/// How long the leader lease lasts without a renewal.
const LEASE: Duration = Duration::from_secs(15);

/// How often the leader renews its lease.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// How often to query for due items. Each poll is one request per shard of the index.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How often to query while due items wait for a running job of their chat.
const BUSY_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The maximum number of items to read from each shard in one poll: about what is sent in a few seconds. All of them
/// are read before the first one is sent.
const SHARD_LIMIT: i32 = 24;

/// Delivers due messages while it holds the leader lease, for as long as more are due soon.
#[derive(Clone, Debug)]
pub struct DuePoller {
    dispatcher: Dispatcher,
}

/// Jobs that run in the background, at most one for each key, so that a slow chat doesn't delay the others.
#[derive(Default)]
struct Jobs {
    running: JoinSet<JobKey>,
    keys: HashSet<JobKey>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum JobKey {
    /// Delivery of a chat's messages.
    Chat(ChatId),
    /// Resumption of a session.
    Resume(SessionId),
}

impl Jobs {
    /// Starts a job, unless one with this key is running.
    fn start(&mut self, key: JobKey, job: impl Future<Output = ()> + Send + 'static) {
        if self.keys.insert(key) {
            self.running.spawn(async move {
                job.await;
                key
            });
        }
    }

    /// Removes the jobs that have ended.
    fn remove_ended(&mut self) {
        while let Some(ended) = self.running.try_join_next() {
            if let Ok(key) = ended {
                self.keys.remove(&key);
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
        let mut jobs = Jobs::default();
        let result = self.poll(&mut jobs).await;
        while jobs.running.join_next().await.is_some() {}
        self.dispatcher.metrics.write(self.dispatcher.system.now());
        result
    }

    async fn poll(&self, jobs: &mut Jobs) -> Result<(), DeliveryError> {
        let Dispatcher { store, system, rate_limiter, self_invoker, metrics, .. } = &self.dispatcher;
        let poller_id = system.random_uuid();
        let started = system.now();
        let end = started.after(MAX_RUN_TIME).min(self.dispatcher.last_start());
        let mut renewed_at = None;
        loop {
            let now = system.now();
            let due_items = store.outbox().due_items(now, SHARD_LIMIT).await?;
            let next = due_items.due.first().map(|_| now).or(due_items.next);
            let is_busy = next.is_some_and(|next| next <= now.after(DUE_SOON)) || !jobs.keys.is_empty();
            if !is_busy {
                break;
            }
            if renewed_at.is_none_or(|renewed_at| now.since(renewed_at) >= HEARTBEAT_INTERVAL) {
                match store.outbox().acquire_poller_lease(poller_id, now.after(LEASE)).await? {
                    PollerLease::Ours => renewed_at = Some(now),
                    // The leader is about to end: take over.
                    PollerLease::Until(until) if until <= now.after(HANDOVER_TIMEOUT) => {
                        tokio::time::sleep(until.since(now) + Duration::from_millis(1)).await;
                        continue;
                    }
                    PollerLease::Until(_) => return Ok(()),
                }
            }
            if now >= end {
                // The next poller starts after the last reservation of this one. Earlier, it would try to send the
                // messages that wait for their reservations here.
                let until = rate_limiter.last_reservation().await.clamp(now, now.after(HANDOVER_TIMEOUT));
                store.outbox().acquire_poller_lease(poller_id, until).await?;
                self_invoker.invoke_now().await;
                return Ok(());
            }
            if let Some(oldest) = oldest(&due_items.due) {
                metrics.add(Metric::OldestPendingSeconds, now.since(oldest).as_secs());
            }
            self.start_jobs(due_items.due, jobs).await?;
            let wait = next.map_or(POLL_INTERVAL, |next| next.since(now));
            tokio::time::sleep(wait.clamp(BUSY_POLL_INTERVAL, POLL_INTERVAL)).await;
            jobs.remove_ended();
        }
        // Release the lease, so that the next poller doesn't wait until it expires.
        if renewed_at.is_some() {
            store.outbox().acquire_poller_lease(poller_id, started).await?;
        }
        Ok(())
    }

    async fn start_jobs(&self, due: Vec<Due>, jobs: &mut Jobs) -> Result<(), DeliveryError> {
        let mut chats: HashMap<ChatId, Vec<PendingMessage>> = HashMap::new();
        for due in due {
            match due {
                Due::Message(key) => chats.entry(key.chat_id).or_default().push(PendingMessage::At(key)),
                Due::Resume(session_id) => {
                    let dispatcher = self.dispatcher.clone();
                    jobs.start(JobKey::Resume(session_id), async move { resume(&dispatcher, session_id).await });
                }
                Due::EarlyUpdate(key) => {
                    let applied = self.dispatcher.store.messages().recheck_early_update(&key).await?;
                    self.dispatcher.count_undelivered(applied);
                }
            }
        }
        for (chat_id, mut pending_messages) in chats {
            pending_messages.sort_by_key(|pending| pending.key().sort_key());
            let dispatcher = self.dispatcher.clone();
            jobs.start(JobKey::Chat(chat_id), async move {
                for outcome in dispatcher.deliver_chat(pending_messages).await {
                    if let Err(error) = outcome {
                        tracing::error!(%chat_id, error = telemetry::chain(&error), "due message delivery failed");
                    }
                }
            });
        }
        Ok(())
    }
}

/// Makes a session's waiting messages due. If that fails, the resumption stays due.
async fn resume(dispatcher: &Dispatcher, session_id: SessionId) {
    dispatcher.sessions.forget(session_id);
    if let Err(error) = dispatcher.store.outbox().make_session_due(session_id).await {
        tracing::error!(%session_id, error = telemetry::chain(&error), "session resume failed");
    }
}

/// Returns when the oldest message was accepted by the API.
fn oldest(due: &[Due]) -> Option<Timestamp> {
    due.iter()
        .filter_map(|due| match due {
            Due::Message(key) => Some(key.time),
            Due::Resume(_) | Due::EarlyUpdate(_) => None,
        })
        .min()
}
