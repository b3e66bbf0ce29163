//! Claims: leases a session's pending messages to a worker, each to one worker at a time, normal ones before bulk ones,
//! and those of a chat in order.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use serde::Serialize;
use serde_json::value::RawValue;

use super::{WorkerError, require_worker};
use crate::{
    domain::{
        id::{ChatId, SessionId},
        message::{Category, DeliveryEvent, MessageResponse, MessageStatus, Priority},
        message_key::MessageKey,
        retry::expires_at,
        session::Session,
        system::System,
        time::Timestamp,
    },
    services::{
        media::{MediaLinks, MediaResponse},
        send::WITHHELD,
    },
    store::{Store, WorkerMessage},
};

/// The number of successive reads of predecessors in one claim. Each reads the next predecessor of several messages.
const MAX_PREDECESSOR_READS: usize = 100;

/// The number of these reads that a group of messages has in any case: most follow a final message.
const MIN_PREDECESSOR_READS: usize = 5;

const EXPIRED: &str = "The message expired before a worker claimed it";
const ABANDONED: &str = "The worker's lease expired before the worker settled the message. It may have been sent";

/// A worker's request for messages.
#[derive(Debug)]
pub struct ClaimRequest {
    pub(crate) session_id: SessionId,
    pub(crate) limit: usize,
    pub(crate) lease: Duration,
}

/// A message that is leased to a worker.
#[derive(Debug, Serialize)]
pub struct Claimed {
    #[serde(flatten)]
    message: MessageResponse,
    to: Option<String>,
    /// The Cloud API's message object.
    content: Option<Box<RawValue>>,
    /// The uploaded file to send.
    media: Option<MediaResponse>,
    lease: String,
    lease_until: Timestamp,
}

/// Leases the session's next messages to a worker: normal messages, oldest first, each after the bulk messages of its
/// chat that it follows; then other bulk messages. Each message has its own lease.
///
/// # Errors
///
/// - [`WorkerError::SessionNotFound`] if the session doesn't exist.
/// - The errors of [`require_worker`].
pub async fn claim(
    store: &Store,
    links: &MediaLinks,
    system: System,
    request: &ClaimRequest,
) -> Result<Vec<Claimed>, WorkerError> {
    let session = store.sessions().get(request.session_id).await?.ok_or(WorkerError::SessionNotFound)?;
    require_worker(&session)?;
    let mut scan = OutboxScan {
        store,
        links,
        system,
        session: &session,
        request,
        blocked: HashSet::new(),
        cut: HashMap::new(),
        predecessor_reads: MAX_PREDECESSOR_READS,
        finished: HashSet::new(),
        claimed: Vec::new(),
    };
    for priority in [Priority::Normal, Priority::Bulk] {
        scan.cut.clear();
        let mut start = None;
        while !scan.is_full() {
            let page = store.outbox().worker_page(session.id, priority, start).await?;
            scan.claim_page(page.keys).await?;
            start = page.next;
            if start.is_none() {
                break;
            }
        }
    }
    Ok(scan.claimed)
}

/// One claim's scan of the outbox: the normal messages and then the bulk messages, each oldest first.
struct OutboxScan<'a> {
    store: &'a Store,
    links: &'a MediaLinks,
    system: System,
    session: &'a Session,
    request: &'a ClaimRequest,
    /// Chats with a message that another worker holds or has just changed. Their later messages can't be claimed.
    blocked: HashSet<ChatId>,
    /// Chats with a chain of messages whose start was too far to read, and the time of the earliest message read. This
    /// message and later ones can't be claimed before earlier ones, which have their own entries in the index.
    cut: HashMap<ChatId, Timestamp>,
    /// The reads of predecessors that are left.
    predecessor_reads: usize,
    /// Messages that don't block their followers: final, or claimed in this scan.
    finished: HashSet<MessageKey>,
    claimed: Vec<Claimed>,
}

impl OutboxScan<'_> {
    fn is_full(&self) -> bool {
        self.claimed.len() >= self.request.limit
    }

    /// Returns whether a message may be claimable, as far as this scan has shown.
    fn is_open(&self, key: &MessageKey) -> bool {
        !self.blocked.contains(&key.chat_id)
            && !self.finished.contains(key)
            && self.cut.get(&key.chat_id).is_none_or(|cut| key.time < *cut)
    }

    /// Claims the given messages, as far as their order and the limit allow.
    async fn claim_page(&mut self, keys: Vec<MessageKey>) -> Result<(), WorkerError> {
        let mut rest = keys.into_iter();
        while !self.is_full() {
            // Read about as many as can still be claimed.
            let count = (self.request.limit - self.claimed.len()).max(10);
            let keys: Vec<MessageKey> = rest.by_ref().filter(|key| self.is_open(key)).take(count).collect();
            if keys.is_empty() {
                return Ok(());
            }
            let mut rows = self.store.outbox().worker_messages(keys.clone()).await?;
            self.add_predecessors(&mut rows).await?;
            for key in keys {
                for row in take_chain(&mut rows, key) {
                    if !self.is_full() && self.is_open(&row.message.key()) {
                        self.claim_message(row).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds the unfinished predecessors of these messages, such as the bulk messages that a normal one follows. Records
    /// those that are final or deleted.
    async fn add_predecessors(&mut self, rows: &mut HashMap<MessageKey, WorkerMessage>) -> Result<(), WorkerError> {
        let mut next: HashSet<MessageKey> = rows.values().filter_map(|row| row.message.predecessor()).collect();
        // A longer chain is claimed from its start, like other bulk messages.
        for _ in 0..self.predecessor_reads.max(MIN_PREDECESSOR_READS) {
            next.retain(|key| !self.finished.contains(key) && !rows.contains_key(key));
            if next.is_empty() {
                break;
            }
            self.predecessor_reads = self.predecessor_reads.saturating_sub(1);
            let keys: Vec<MessageKey> = next.drain().collect();
            let mut found = self.store.outbox().worker_messages(keys.clone()).await?;
            for key in keys {
                match found.remove(&key).filter(|row| !row.message.status.is_final()) {
                    Some(row) => {
                        next.extend(row.message.predecessor());
                        rows.insert(key, row);
                    }
                    None => {
                        self.finished.insert(key);
                    }
                }
            }
        }
        Ok(())
    }

    /// Claims a message if its predecessor allows it. Ends its expired lease and fails an expired message first.
    async fn claim_message(&mut self, mut row: WorkerMessage) -> Result<(), WorkerError> {
        let now = self.system.now();
        let key = row.message.key();
        if row.message.status == MessageStatus::Sending && row.lease_until.is_none_or(|until| until <= now) {
            let policy = self.session.unknown_policy;
            match self.store.outbox().end_worker_lease(&row, policy, now, ABANDONED).await? {
                Some(ended) => row = ended,
                None => return Ok(()),
            }
        }
        if row.message.status.is_final() {
            self.finished.insert(key);
            return Ok(());
        }
        if row.message.status != MessageStatus::Pending {
            self.blocked.insert(row.message.chat_id);
            return Ok(());
        }
        if row.message.predecessor().is_some_and(|before| !self.finished.contains(&before)) {
            self.cut.insert(key.chat_id, key.time);
            return Ok(());
        }
        if expires_at(&row.message) <= now {
            return self.fail(&row, DeliveryEvent::Expired, EXPIRED).await;
        }
        if row.message.category == Some(Category::Marketing)
            && self.store.chats().get(key.chat_id).await?.is_some_and(|chat| chat.consent.denies_marketing())
        {
            return self.fail(&row, DeliveryEvent::Withheld, WITHHELD).await;
        }
        let lease = self.system.random_uuid().to_string();
        let until = now.after(self.request.lease);
        let leased = self.store.outbox().lease_to_worker(&row, &lease, until).await?;
        let leased = leased.filter(|leased| leased.lease.as_ref() == Some(&lease));
        self.record(key, leased.is_some());
        if let Some(leased) = leased {
            self.claimed.push(Claimed {
                media: self.links.of(&leased.message),
                message: leased.message.response(),
                to: leased.message.to,
                content: leased.message.content.map(RawValue::from_string).transpose()?,
                lease,
                lease_until: until,
            });
        }
        Ok(())
    }

    /// Fails a pending message that can't be sent anymore.
    async fn fail(&mut self, row: &WorkerMessage, event: DeliveryEvent, error: &str) -> Result<(), WorkerError> {
        let failed = self.store.outbox().fail_for_worker(row, event, error).await?;
        self.record(row.message.key(), failed.is_none_or(|row| row.message.status.is_final()));
        Ok(())
    }

    /// Records whether a message allows or blocks the following messages of its chat.
    fn record(&mut self, key: MessageKey, is_finished: bool) {
        if is_finished {
            self.finished.insert(key);
        } else {
            self.blocked.insert(key.chat_id);
        }
    }
}

/// Takes a message and the messages that it follows, oldest first.
fn take_chain(rows: &mut HashMap<MessageKey, WorkerMessage>, last: MessageKey) -> Vec<WorkerMessage> {
    let mut chain = Vec::new();
    let mut next = Some(last);
    while let Some(row) = next.and_then(|key| rows.remove(&key)) {
        next = row.message.predecessor();
        chain.push(row);
    }
    chain.reverse();
    chain
}
