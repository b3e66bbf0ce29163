//! The due poller: delivers bulk messages, retries, messages with an unknown outcome, and messages that the stream
//! missed.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::task::JoinSet;
use tracing::Instrument as _;
use uuid::Uuid;

use super::{DUE_SOON, DeliveryError, Dispatcher, PendingMessage};
use crate::{
    domain::{
        id::{ChatId, SessionId},
        message::Priority,
        time::Timestamp,
    },
    store::Due,
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
            let job = async move {
                job.await;
                key
            };
            self.running.spawn(job.in_current_span());
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
        let Dispatcher { store, system, self_invoker, metrics, .. } = &self.dispatcher;
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
                self_invoker.invoke_now().await;
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
        let Dispatcher { store, system, settings, .. } = &self.dispatcher;
        // About what is sent until the next look, and what waits meanwhile.
        let limit = 2 * settings.rate.max(50) as usize;
        let mut renewed_at = None;
        loop {
            let now = system.now();
            let items = store.outbox().due_items(now, now.after(DUE_SOON), limit).await?;
            let (early_updates, due): (Vec<Due>, Vec<Due>) =
                items.due.into_iter().partition(|due| matches!(due, Due::EarlyUpdate(_)));
            self.recheck(early_updates).await?;
            if now >= end || (due.is_empty() && items.next.is_none() && jobs.keys.is_empty()) {
                return Ok(());
            }
            if renewed_at.is_none_or(|renewed_at| now.since(renewed_at) >= HEARTBEAT_INTERVAL) {
                *is_leader = store.outbox().acquire_poller_lease(poller_id, now.after(LEASE)).await?;
                if !*is_leader {
                    return Ok(());
                }
                renewed_at = Some(now);
            }
            self.start_jobs(due, now.after(DUE_SOON).min(end), jobs);
            tokio::time::sleep(POLL_INTERVAL).await;
            jobs.remove_ended();
        }
    }

    /// Applies early updates whose message is found by now.
    async fn recheck(&self, early_updates: Vec<Due>) -> Result<(), DeliveryError> {
        for due in early_updates {
            if let Due::EarlyUpdate(key) = due {
                let applied = self.dispatcher.store.messages().recheck_early_update(&key).await?;
                self.dispatcher.count_undelivered(applied);
            }
        }
        Ok(())
    }

    /// Starts the jobs for due items, oldest first.
    fn start_jobs(&self, due: Vec<Due>, give_up: Timestamp, jobs: &mut Jobs) {
        let mut oldest: Option<Timestamp> = None;
        let mut chats: Vec<ChatId> = Vec::new();
        let mut messages: HashMap<ChatId, Vec<PendingMessage>> = HashMap::new();
        for due in due {
            match due {
                Due::Message { key, priority } => {
                    if priority == Priority::Normal {
                        oldest = Some(oldest.map_or(key.time, |oldest| oldest.min(key.time)));
                    }
                    let chat = messages.entry(key.chat_id).or_default();
                    if chat.is_empty() {
                        chats.push(key.chat_id);
                    }
                    chat.push(PendingMessage::At(key));
                }
                Due::Resume(session_id) => {
                    let dispatcher = self.dispatcher.clone();
                    jobs.start(JobKey::Resume(session_id), async move { resume(&dispatcher, session_id).await });
                }
                Due::EarlyUpdate(_) => {}
            }
        }
        for chat_id in chats {
            let mut messages = messages.remove(&chat_id).unwrap_or_default();
            messages.sort_by_key(|pending| pending.key().sort_key());
            let dispatcher = self.dispatcher.clone();
            jobs.start(JobKey::Chat(chat_id), async move {
                for error in dispatcher.deliver_chat(messages, give_up).await.into_iter().filter_map(Result::err) {
                    tracing::error!(%chat_id, error = telemetry::chain(&error), "due message delivery failed");
                }
            });
        }
        // A bulk message may wait for long.
        if let Some(oldest) = oldest {
            let age = self.dispatcher.system.now().since(oldest);
            self.dispatcher.metrics.add(Metric::OldestPendingSeconds, age.as_secs());
        }
    }
}

/// Makes a session's waiting messages due. If that fails, the resumption stays due.
async fn resume(dispatcher: &Dispatcher, session_id: SessionId) {
    if let Err(error) = dispatcher.store.outbox().resume_session(session_id).await {
        tracing::error!(%session_id, error = telemetry::chain(&error), "session resume failed");
    }
}
