//! Handing a session's messages to its worker: each to one worker at a time, and those of a chat in their order.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use serde::Serialize;
use serde_json::value::RawValue;

use super::{WorkerError, require_worker};
use crate::{
    domain::id::{ChatId, SessionId},
    domain::message::{Message, MessageResponse, MessageStatus},
    domain::message_key::MessageKey,
    domain::retry::expires_at,
    domain::session::Session,
    domain::system::System,
    domain::time::Timestamp,
    store::{Store, WorkerMessage},
};

const EXPIRED: &str = "The message was not claimed by a worker in time and was not sent";
const LEFT_BEHIND: &str = "The worker that had the message did not say what became of it. It may have been sent";

/// A worker's request for messages.
#[derive(Debug)]
pub struct ClaimRequest {
    pub(crate) session_id: SessionId,
    pub(crate) limit: usize,
    pub(crate) lease: Duration,
}

/// A message that a worker has been given.
#[derive(Debug, Serialize)]

pub struct Claimed {
    #[serde(flatten)]
    row: MessageResponse,
    to: Option<String>,
    /// The Cloud API's object.
    content: Option<Box<RawValue>>,
    lease: String,
    lease_until: Timestamp,
}

/// Gives a worker the next messages of its session, oldest first, each under a lease of its own.
pub async fn claim(store: &Store, system: System, request: &ClaimRequest) -> Result<Vec<Claimed>, WorkerError> {
    let session = store.sessions().get(request.session_id).await?.ok_or(WorkerError::SessionNotFound)?;
    require_worker(&session)?;
    let mut round = Round {
        store,
        system,
        session: &session,
        request,
        blocked: HashSet::new(),
        passed: HashSet::new(),
        claimed: Vec::new(),
    };
    let mut start = None;
    loop {
        let page = store.outbox().worker_page(session.id, start).await?;
        round.offer(page.keys).await?;
        start = page.next;
        if start.is_none() || round.is_full() {
            return Ok(round.claimed);
        }
    }
}

/// One call's walk through the outbox, oldest message first.
struct Round<'a> {
    store: &'a Store,
    system: System,
    session: &'a Session,
    request: &'a ClaimRequest,
    /// Chats with a message that somebody has, or had a moment ago: nothing after it may go.
    blocked: HashSet<ChatId>,
    /// Messages that their followers need not wait for: final, or handed out before them in this very answer.
    passed: HashSet<MessageKey>,
    claimed: Vec<Claimed>,
}

impl Round<'_> {
    fn is_full(&self) -> bool {
        self.claimed.len() >= self.request.limit
    }

    async fn offer(&mut self, keys: Vec<MessageKey>) -> Result<(), WorkerError> {
        let mut rest = keys.into_iter();
        while !self.is_full() {
            // Not more than can be handed out, and none of a chat that has to wait anyway.
            let most = (self.request.limit - self.claimed.len()).max(10);
            let keys: Vec<MessageKey> =
                rest.by_ref().filter(|key| !self.blocked.contains(&key.chat_id)).take(most).collect();
            if keys.is_empty() {
                return Ok(());
            }
            let mut rows = self.store.outbox().worker_messages(keys.clone()).await?;
            self.note_predecessors(&rows).await?;
            for key in keys {
                if let Some(row) = rows.remove(&key).filter(|_| !self.blocked.contains(&key.chat_id))
                    && !self.is_full()
                {
                    self.consider(row).await?;
                }
            }
        }
        Ok(())
    }

    /// Annotations which of the messages before these are final; those among these themselves have their turn. One that is not there any more holds nothing up.
    async fn note_predecessors(&mut self, rows: &HashMap<MessageKey, WorkerMessage>) -> Result<(), WorkerError> {
        let keys: HashSet<MessageKey> = rows.values().filter_map(|row| predecessor(&row.message)).collect();
        let unknown = |key: &MessageKey| !self.passed.contains(key) && !rows.contains_key(key);
        let keys: Vec<MessageKey> = keys.into_iter().filter(unknown).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let found = self.store.outbox().worker_messages(keys.clone()).await?;
        let done = |key: &MessageKey| found.get(key).is_none_or(|row| row.message.status.is_final());
        self.passed.extend(keys.into_iter().filter(done));
        Ok(())
    }

    async fn consider(&mut self, mut row: WorkerMessage) -> Result<(), WorkerError> {
        let now = self.system.now();
        let key = row.message.key();
        if row.message.status == MessageStatus::Sending && row.lease_until.is_none_or(|until| until <= now) {
            let policy = self.session.unknown_policy;
            match self.store.outbox().end_worker_lease(&row, policy, now, LEFT_BEHIND).await? {
                Some(ended) => row = ended,
                None => return Ok(()),
            }
        }
        if row.message.status.is_final() {
            self.passed.insert(key);
            return Ok(());
        }
        if row.message.status != MessageStatus::Pending {
            self.blocked.insert(row.message.chat_id);
            return Ok(());
        }
        if predecessor(&row.message).is_some_and(|before| !self.passed.contains(&before)) {
            return Ok(());
        }
        if expires_at(&row.message) <= now {
            let failed = self.store.outbox().expire_for_worker(&row, EXPIRED).await?;
            return self.go_on(key, &row.message, failed.is_none_or(|row| row.message.status.is_final()));
        }
        let lease = self.system.random_uuid().to_string();
        let until = now.after(self.request.lease);
        let leased = self.store.outbox().lease_to_worker(&row, &lease, until).await?;
        match leased.filter(|leased| leased.lease.as_ref() == Some(&lease)) {
            Some(leased) => {
                self.claimed.push(Claimed {
                    row: leased.message.response(),
                    to: leased.message.to,
                    content: leased.message.content.map(RawValue::from_string).transpose()?,
                    lease,
                    lease_until: until,
                });
                self.go_on(key, &row.message, true)
            }
            None => self.go_on(key, &row.message, false),
        }
    }

    /// Whether the messages after this one may follow.
    fn go_on(&mut self, key: MessageKey, message: &Message, may: bool) -> Result<(), WorkerError> {
        if may {
            self.passed.insert(key);
        } else {
            self.blocked.insert(message.chat_id);
        }
        Ok(())
    }
}

/// Where the message before this one in its chat is.
fn predecessor(message: &Message) -> Option<MessageKey> {
    message.predecessor()
}
