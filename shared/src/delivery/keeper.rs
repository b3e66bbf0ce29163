//! The keeper looks after what is due: retries, paced messages, messages of unknown fate, and what the stream did not
//! bring. One at a time does so, for as long as something is due soon.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::task::JoinSet;

use super::{Candidate, Courier, DeliveryError, SOON};
use crate::{
    id::ChatId,
    store::Due,
    telemetry::{self, Metric},
    time::Timestamp,
};

/// How long a keeper stays at most.
const STAY: Duration = Duration::from_secs(40);

/// How long a keeper that leaves waits for what it has begun; longer than a message waits for its slot.
const HAND_OVER: Duration = Duration::from_secs(6);

/// How long a keeper's lease lasts without a sign of life.
const LEASE: Duration = Duration::from_secs(15);

/// How often a keeper shows that it is there: well within its lease, and no write for every look.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// How often a keeper looks for what has become due. Each look is a request for each shard of the index.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The same while what is due waits for work on its chat to end.
const LOOK_AT_ONCE: Duration = Duration::from_millis(100);

/// The most entries that are read of each shard at once.
const LIMIT: i32 = 64;

/// Chats that a keeper is at work on. One that is slow does not keep it from the others.
#[derive(Default)]
struct Work {
    tasks: JoinSet<ChatId>,
    chats: HashSet<ChatId>,
}

impl Courier {
    /// Delivers what is due, and stays while more is due soon. An idle table costs one empty page.
    pub async fn keep(&self) -> Result<(), DeliveryError> {
        let mut work = Work::default();
        let result = self.keep_with(&mut work).await;
        while work.tasks.join_next().await.is_some() {}
        self.metrics.write((self.system.now)());
        result
    }

    async fn keep_with(&self, work: &mut Work) -> Result<(), DeliveryError> {
        let keeper = (self.system.random)();
        let started = (self.system.now)();
        let end = started.after(STAY).min(self.last_start());
        let mut kept_at = None;
        loop {
            let now = (self.system.now)();
            let agenda = self.store.agenda(now, LIMIT).await?;
            let next = agenda.due.first().map(|_| now).or(agenda.next);
            let is_busy = next.is_some_and(|next| next <= now.after(SOON)) || !work.chats.is_empty();
            if !is_busy {
                break;
            }
            if kept_at.is_none_or(|kept_at| now.since(kept_at) >= SIGN_OF_LIFE) {
                if !self.store.take_keeper_lease(keeper, now.after(LEASE)).await? {
                    return Ok(());
                }
                kept_at = Some(now);
            }
            if now >= end {
                // Another process goes on, as this one's time is over. It comes when the slots that are reserved are used,
                // as it would find them taken.
                self.store.take_keeper_lease(keeper, now.after(LEASE)).await?;
                let finished = async { while work.tasks.join_next().await.is_some() {} };
                if tokio::time::timeout(HAND_OVER, finished).await.is_err() {
                    tracing::info!("the keeper hands over while posts are under way");
                }
                self.store.take_keeper_lease(keeper, started).await?;
                self.waker.wake(now).await;
                return Ok(());
            }
            if let Some(oldest) = oldest(&agenda.due) {
                self.metrics.add(Metric::OldestPendingSeconds, now.since(oldest).as_secs());
            }
            self.begin(agenda.due, work).await?;
            let wait = next.map_or(LOOK_AGAIN, |next| next.since(now));
            tokio::time::sleep(wait.clamp(LOOK_AT_ONCE, LOOK_AGAIN)).await;
            while let Some(done) = work.tasks.try_join_next() {
                if let Ok(chat_id) = done {
                    work.chats.remove(&chat_id);
                }
            }
        }
        // Whoever wants to be the keeper next need not wait for the lease to run out.
        if kept_at.is_some() {
            self.store.take_keeper_lease(keeper, started).await?;
        }
        Ok(())
    }

    /// Starts on what is due and not being worked on.
    async fn begin(&self, due: Vec<Due>, work: &mut Work) -> Result<(), DeliveryError> {
        let mut chats: HashMap<ChatId, Vec<Candidate>> = HashMap::new();
        for due in due {
            match due {
                Due::Message(key) if !work.chats.contains(&key.chat_id) => {
                    chats.entry(key.chat_id).or_default().push(Candidate::At(key));
                }
                Due::Message(_) => {}
                Due::Resume(session_id) => {
                    self.sessions.forget(session_id);
                    self.store.wake_session(session_id).await?;
                }
                Due::Parked(key) => {
                    let applied = self.store.look_again(&key).await?;
                    self.count_undelivered(applied);
                }
            }
        }
        for (chat_id, mut candidates) in chats {
            candidates.sort_by_key(|candidate| candidate.key().key().sk);
            let courier = self.clone();
            work.chats.insert(chat_id);
            work.tasks.spawn(async move {
                for outcome in courier.deliver_chat(candidates).await {
                    if let Err(error) = outcome {
                        tracing::error!(error = telemetry::chain(&error), "a due message could not be delivered");
                    }
                }
                chat_id
            });
        }
        Ok(())
    }
}

fn oldest(due: &[Due]) -> Option<Timestamp> {
    due.iter()
        .filter_map(|due| match due {
            Due::Message(key) => Some(key.time),
            Due::Resume(_) | Due::Parked(_) => None,
        })
        .min()
}
