//! The keeper looks after what is due: retries, paced messages, messages of unknown fate, and what the stream did not
//! bring. One at a time does so, for as long as something is due soon.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::task::JoinSet;

use super::{DeliveryError, Dispatcher, PendingMessage, SOON};
use crate::{
    domain::id::{ChatId, SessionId},
    domain::time::Timestamp,
    store::{Due, PollerLease},
    telemetry::{self, Metric},
};

/// How long a keeper stays at most.
const STAY: Duration = Duration::from_secs(40);

/// The longest time from a keeper's leaving to the next one's beginning; longer than a message waits for its reservation.
const HAND_OVER: Duration = Duration::from_secs(6);

/// How long a keeper's lease lasts without a sign of life.
const LEASE: Duration = Duration::from_secs(15);

/// How often a keeper shows that it is there: well within its lease, and no write for every look.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// How often a keeper looks for what has become due. Each look is a request for each shard of the index.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The same while what is due waits for work on its chat to end.
const LOOK_AT_ONCE: Duration = Duration::from_millis(100);

/// The most entries that are read of each shard at once: what goes out in a few seconds, and no more, as they all are
/// looked at before the first goes out.
const LIMIT: i32 = 24;

/// What a keeper is at work on. What is slow does not keep it from the rest.
#[derive(Default)]
struct Work {
    tasks: JoinSet<Task>,
    under_way: HashSet<Task>,
}

/// Something that is done once at a time.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Task {
    /// Delivering the messages of a chat.
    Chat(ChatId),
    /// Resuming a session.
    Resume(SessionId),
}

impl Work {
    /// Starts on it, unless it is under way.
    fn begin(&mut self, task: Task, work: impl Future<Output = ()> + Send + 'static) {
        if self.under_way.insert(task) {
            self.tasks.spawn(async move {
                work.await;
                task
            });
        }
    }

    /// Lets go of what has ended.
    fn tidy(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            if let Ok(task) = ended {
                self.under_way.remove(&task);
            }
        }
    }
}

impl Dispatcher {
    /// Delivers what is due, and stays while more is due soon. An idle table costs one empty page.
    pub async fn keep(&self) -> Result<(), DeliveryError> {
        let mut work = Work::default();
        let result = self.run_loop(&mut work).await;
        while work.tasks.join_next().await.is_some() {}
        self.metrics.write(self.system.now());
        result
    }

    async fn run_loop(&self, work: &mut Work) -> Result<(), DeliveryError> {
        let poller_id = self.system.random_uuid();
        let started = self.system.now();
        let end = started.after(STAY).min(self.last_start());
        let mut kept_at = None;
        loop {
            let now = self.system.now();
            let due_items = self.store.outbox().due_items(now, LIMIT).await?;
            let next = due_items.due.first().map(|_| now).or(due_items.next);
            let is_busy = next.is_some_and(|next| next <= now.after(SOON)) || !work.under_way.is_empty();
            if !is_busy {
                break;
            }
            if kept_at.is_none_or(|kept_at| now.since(kept_at) >= HEARTBEAT_INTERVAL) {
                match self.store.outbox().acquire_poller_lease(poller_id, now.after(LEASE)).await? {
                    PollerLease::Ours => kept_at = Some(now),
                    // The keeper is leaving, and this one is the next.
                    PollerLease::Until(until) if until <= now.after(HAND_OVER) => {
                        tokio::time::sleep(until.since(now) + Duration::from_millis(1)).await;
                        continue;
                    }
                    PollerLease::Until(_) => return Ok(()),
                }
            }
            if now >= end {
                // Another process goes on, as this one's time is over. It begins when the reservations of this one are used, as
                // it would take up the messages that wait for them.
                let until = self.rate_limiter.last_reservation().await.clamp(now, now.after(HAND_OVER));
                self.store.outbox().acquire_poller_lease(poller_id, until).await?;
                self.self_invoker.invoke_now().await;
                return Ok(());
            }
            if let Some(oldest) = oldest(&due_items.due) {
                self.metrics.add(Metric::OldestPendingSeconds, now.since(oldest).as_secs());
            }
            self.begin(due_items.due, work).await?;
            let wait = next.map_or(LOOK_AGAIN, |next| next.since(now));
            tokio::time::sleep(wait.clamp(LOOK_AT_ONCE, LOOK_AGAIN)).await;
            work.tidy();
        }
        // Whoever wants to be the keeper next need not wait for the lease to run out.
        if kept_at.is_some() {
            self.store.outbox().acquire_poller_lease(poller_id, started).await?;
        }
        Ok(())
    }

    /// Starts on what is due.
    async fn begin(&self, due: Vec<Due>, work: &mut Work) -> Result<(), DeliveryError> {
        let mut chats: HashMap<ChatId, Vec<PendingMessage>> = HashMap::new();
        for due in due {
            match due {
                Due::Message(key) => chats.entry(key.chat_id).or_default().push(PendingMessage::At(key)),
                Due::Resume(session_id) => {
                    let dispatcher = self.clone();
                    work.begin(Task::Resume(session_id), async move { dispatcher.resume(session_id).await });
                }
                Due::EarlyUpdate(key) => {
                    let applied = self.store.messages().recheck_early_update(&key).await?;
                    self.count_undelivered(applied);
                }
            }
        }
        for (chat_id, mut pending_messages) in chats {
            pending_messages.sort_by_key(|pending| pending.key().sort_key());
            let dispatcher = self.clone();
            work.begin(Task::Chat(chat_id), async move {
                for outcome in dispatcher.deliver_chat(pending_messages).await {
                    if let Err(error) = outcome {
                        tracing::error!(error = telemetry::chain(&error), "a due message could not be delivered");
                    }
                }
            });
        }
        Ok(())
    }

    /// Makes what waits for a session due. Its order stays until that is done.
    async fn resume(&self, session_id: SessionId) {
        self.sessions.forget(session_id);
        if let Err(error) = self.store.outbox().make_session_due(session_id).await {
            tracing::error!(%session_id, error = telemetry::chain(&error), "a session could not be resumed yet");
        }
    }
}

fn oldest(due: &[Due]) -> Option<Timestamp> {
    due.iter()
        .filter_map(|due| match due {
            Due::Message(key) => Some(key.time),
            Due::Resume(_) | Due::EarlyUpdate(_) => None,
        })
        .min()
}
