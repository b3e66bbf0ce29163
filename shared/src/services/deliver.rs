//! Delivering: pending messages are claimed, posted to the Cloud API once, and settled; in order within a chat, at the
//! pace that WhatsApp allows, and again when they certainly were not sent.

mod due_poller;
mod post;
mod rate_limiter;
mod sessions;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{StreamExt, stream};

use self::{rate_limiter::RateLimiter, sessions::Sessions};
use crate::{
    domain::message::{Attempt, AttemptOutcome, Channel, DeliveryEvent, MessageStatus},
    domain::message_key::MessageKey,
    domain::pacing,
    domain::retry::expires_at,
    domain::session::UnknownPolicy,
    domain::system::System,
    domain::time::Timestamp,
    services::credentials::{Credentials, CredentialsError},
    services::self_invoker::SelfInvoker,
    store::{Change, OutboxMessage, Store, StoreError},
    telemetry::{Metric, Metrics},
    whatsapp::{self, CloudApi},
};

/// How long a claimed message is ours. Longer than a post can take, so that an expired lease means an ended process.
const LEASE: Duration = Duration::from_secs(30);

/// The end of an invocation in which no reservation is asked for any more. What has one by then can wait for it, be posted, or
/// given back, and settled before the process is ended.
const SHUTDOWN_MARGIN: Duration = Duration::from_secs(20);

/// The end of a lease or an invocation in which nothing is posted any more: as long as a post and its settling take.
const LAST_POST: Duration = Duration::from_secs(whatsapp::TIMEOUT.as_secs() + 2);

/// Chats that are worked on at once; the messages of one chat go one after the other.
const PARALLEL: usize = 64;

/// How often the messages of a paused session are looked at, beside that resuming it wakes them.
const PAUSED: Duration = Duration::from_secs(10 * 60);

/// Work that is due within this time is waited for by a keeper.
const SOON: Duration = Duration::from_secs(60);

/// What the operator sets.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Messages per second from one number.
    pub rate: u32,
    /// How long to wait for news of a message that may have been sent.
    pub unknown_deadline: Duration,
}

/// Delivers messages.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    store: Store,
    cloud_api: CloudApi,
    credentials: Credentials,
    self_invoker: SelfInvoker,
    system: System,
    settings: Settings,
    sessions: Sessions,
    rate_limiter: RateLimiter,
    metrics: Metrics,
    /// When the process is ended, whatever it is doing.
    deadline: Timestamp,
    /// The soonest time that this process has set for a message to be looked at.
    soonest: Arc<Mutex<Option<Timestamp>>>,
}

/// A message could not be delivered or settled for a reason on our side.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The access token could not be read.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

/// A message to deliver: as it was read, or where to read it.
#[derive(Clone, Debug)]
pub enum PendingMessage {
    /// As the stream or a query brought it.
    Read(Box<OutboxMessage>),
    /// Only its key is known.
    At(MessageKey),
}

/// Where a message stands after it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// There is nothing left to do with it, and the next one of the chat can go. `wakes` when later ones wait for it.
    Done { wakes: bool, pair_tat: Option<Timestamp> },
    /// Its time has not come, and no later message of the chat can go before it.
    Deferred,
}

/// The message before, when this process has just seen it final.
#[derive(Clone, Debug)]
struct PredecessorState {
    key: MessageKey,
    pair_tat: Option<Timestamp>,
}

impl PendingMessage {
    /// Where it is.
    pub fn key(&self) -> MessageKey {
        match self {
            Self::Read(found) => found.message.key(),
            Self::At(key) => *key,
        }
    }
}

impl Dispatcher {
    /// A dispatcher between these.
    pub fn new(
        store: Store,
        cloud_api: CloudApi,
        credentials: Credentials,
        self_invoker: SelfInvoker,
        system: System,
        settings: Settings,
    ) -> Self {
        let rate_limiter = RateLimiter::new(store.clone(), system, settings.rate);
        let sessions = Sessions::new(store.clone(), system);
        Self {
            store,
            cloud_api,
            credentials,
            self_invoker,
            system,
            settings,
            sessions,
            rate_limiter,
            metrics: Metrics::default(),
            deadline: system.now().after(Duration::MAX),
            soonest: Arc::default(),
        }
    }

    /// The same dispatcher for one invocation, which is ended at `deadline`, in milliseconds since 1970. It claims nothing
    /// that it might not finish by then. A deadline that has passed already is none: `cargo lambda watch` gives such.
    pub fn until(&self, deadline: u64) -> Self {
        let given = i64::try_from(deadline).ok().and_then(Timestamp::from_milliseconds);
        let deadline = given.filter(|deadline| *deadline > self.system.now()).unwrap_or(self.deadline);
        Self { deadline, ..self.clone() }
    }

    /// The last moment to begin with a message.
    fn last_start(&self) -> Timestamp {
        self.deadline.before(SHUTDOWN_MARGIN)
    }

    /// Opens the connections and reads the token, so that the first event finds them.
    pub async fn warm_up(&self) {
        tokio::join!(self.credentials.warm_up(), self.store.warm_up());
    }

    /// Has what is due looked after, soon and elsewhere.
    pub async fn invoke(&self) {
        self.self_invoker.invoke(self.system.now()).await;
    }

    /// Delivers a batch of the stream, the messages of one chat in their order. The outcome of each, in no order. What
    /// has to be looked at again soon gets a keeper.
    pub async fn deliver<T>(&self, messages: Vec<(T, PendingMessage)>) -> Vec<(T, Result<(), DeliveryError>)> {
        let outcomes = self.deliver_chats(messages).await;
        let soonest = self.soonest.lock().ok().and_then(|mut soonest| soonest.take());
        let now = self.system.now();
        if soonest.is_some_and(|due_at| due_at <= now.after(SOON)) {
            self.self_invoker.invoke(now).await;
        }
        self.metrics.write(self.system.now());
        outcomes
    }

    async fn deliver_chats<T>(&self, messages: Vec<(T, PendingMessage)>) -> Vec<(T, Result<(), DeliveryError>)> {
        let mut chats: BTreeMap<_, Vec<(T, PendingMessage)>> = BTreeMap::new();
        for (tag, pending) in messages {
            chats.entry(pending.key().chat_id).or_default().push((tag, pending));
        }
        let outcomes: Vec<Vec<_>> = stream::iter(chats.into_values())
            .map(|mut chat| async move {
                chat.sort_by_key(|(_, pending)| pending.key().sort_key());
                let (tags, pending_messages): (Vec<T>, Vec<PendingMessage>) = chat.into_iter().unzip();
                let delivered = self.deliver_chat(pending_messages).await;
                tags.into_iter().zip(delivered).collect()
            })
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        outcomes.into_iter().flatten().collect()
    }

    /// Messages of one chat, in order, as far as they can go. One outcome for each.
    async fn deliver_chat(&self, pending_messages: Vec<PendingMessage>) -> Vec<Result<(), DeliveryError>> {
        let mut outcomes = Vec::with_capacity(pending_messages.len());
        let mut before: Option<PredecessorState> = None;
        let mut rest = pending_messages.into_iter().peekable();
        while let Some(pending) = rest.next() {
            let key = pending.key();
            match self.deliver_one(pending, before.take()).await {
                Ok(Progress::Done { wakes, pair_tat }) => {
                    before = Some(PredecessorState { key, pair_tat });
                    // Also when more pending_messages follow: there may be messages between them that are not due by themselves.
                    outcomes.push(if wakes { self.deliver_followers(key, pair_tat).await } else { Ok(()) });
                }
                Ok(Progress::Deferred) => {
                    outcomes.push(Ok(()));
                    // Those behind it wait for it; unless it was finished just now, and can wait no more.
                    if rest.peek().is_some() {
                        match self.store.outbox().wait_for(&key).await {
                            Ok(true) => break,
                            Ok(false) => {}
                            Err(error) => {
                                outcomes.push(Err(error.into()));
                                rest.next();
                                break;
                            }
                        }
                    }
                }
                Err(error) => {
                    outcomes.push(Err(error));
                    break;
                }
            }
        }
        // What was not reached waits in the table: for the message before it, or for the batch to come again.
        let failed = outcomes.last().is_some_and(Result::is_err);
        outcomes.extend(rest.map(|_| {
            if failed { Err(StoreError::Contention { operation: "delivering in order" }.into()) } else { Ok(()) }
        }));
        outcomes
    }

    /// The messages that waited for the one at `key`.
    async fn deliver_followers(
        &self,
        mut key: MessageKey,
        mut pair_tat: Option<Timestamp>,
    ) -> Result<(), DeliveryError> {
        loop {
            let followers = self.store.outbox().followers(&key).await?;
            if followers.is_empty() {
                return Ok(());
            }
            for follower in followers {
                let next = follower.message.key();
                let before = PredecessorState { key, pair_tat };
                match self.deliver_one(PendingMessage::Read(Box::new(follower)), Some(before)).await? {
                    Progress::Done { pair_tat: tat, .. } => (key, pair_tat) = (next, tat),
                    Progress::Deferred => {
                        return self.store.outbox().wait_for(&next).await.map(drop).map_err(Into::into);
                    }
                }
            }
        }
    }

    async fn deliver_one(
        &self,
        pending: PendingMessage,
        before: Option<PredecessorState>,
    ) -> Result<Progress, DeliveryError> {
        const GONE: Progress = Progress::Done { wakes: false, pair_tat: None };
        let found = match pending {
            PendingMessage::Read(found) => *found,
            PendingMessage::At(key) => match self.store.outbox().get(&key).await? {
                Some(found) => found,
                None => return Ok(GONE),
            },
        };
        if found.message.channel != Channel::CloudApi {
            return Ok(GONE);
        }
        match found.message.status {
            MessageStatus::Pending => self.deliver_pending(found, before).await,
            MessageStatus::Sending => self.recover(&found).await,
            MessageStatus::Unknown => self.reconcile(found, before).await,
            _ => Ok(Progress::Done { wakes: found.waiting, pair_tat: found.pair_tat }),
        }
    }

    async fn deliver_pending(
        &self,
        mut found: OutboxMessage,
        before: Option<PredecessorState>,
    ) -> Result<Progress, DeliveryError> {
        let key = found.message.key();
        let now = self.system.now();
        if let Some(not_before) = found.not_before.filter(|not_before| *not_before > now) {
            return self.defer(&key, not_before).await;
        }
        let tat = match self.before(&mut found, before).await? {
            Ok(tat) => tat,
            Err(deferred) => return Ok(deferred),
        };
        let expires_at = expires_at(&found.message);
        if expires_at <= now {
            return self.expire(&found).await;
        }
        let mut session = self.sessions.get(found.message.session_id).await?;
        if session.is_paused {
            // What was remembered may be older than its resumption.
            self.sessions.forget(found.message.session_id);
            session = self.sessions.get(found.message.session_id).await?;
        }
        if session.is_paused {
            return self.defer(&key, now.after(PAUSED).min(expires_at)).await;
        }
        let pair_tat = match pacing::pair(tat, now) {
            Ok(pair_tat) => pair_tat,
            Err(allowed_from) => return self.defer(&key, allowed_from.min(expires_at)).await,
        };
        if now > self.last_start() && !self.rate_limiter.has_reservation(&found.message.phone_number_id).await {
            return self.leave(&found).await;
        }
        match self.rate_limiter.wait(&found.message.phone_number_id).await? {
            Ok(reservation) => self.post(&found, reservation, pair_tat, session.unknown_policy).await,
            Err(retry_at) => self.defer(&key, retry_at.min(expires_at)).await,
        }
    }

    /// Whether the message before this one is out of the way: then the pace of the chat after it; else this one is left
    /// for later.
    async fn before(
        &self,
        found: &mut OutboxMessage,
        known: Option<PredecessorState>,
    ) -> Result<Result<Option<Timestamp>, Progress>, DeliveryError> {
        let Some(previous) = found.message.predecessor() else { return Ok(Ok(None)) };
        if let Some(known) = known.filter(|known| known.key == previous) {
            return Ok(Ok(known.pair_tat));
        }

        let Some(before) = self.store.outbox().get(&previous).await? else { return Ok(Ok(None)) };
        let policy = self.sessions.get(found.message.session_id).await?.unknown_policy;
        if is_out_of_the_way(before.message.status, policy) {
            return Ok(Ok(before.pair_tat));
        }
        // The one before will go on with this one by itself; should it not, the keeper does. This one is left first: whoever
        // ends the one before and has no time for this one either, makes it due at once, and that has to last.
        let now = self.system.now();
        let then = before.due_at.unwrap_or(now).max(now).after(Duration::from_secs(5));
        let deferred = self.defer(&found.message.key(), then).await?;
        found.due_at = Some(then);
        Ok(if self.store.outbox().wait_for(&previous).await? { Err(deferred) } else { Ok(before.pair_tat) })
    }

    /// Leaves a message for later.
    async fn defer(&self, key: &MessageKey, until: Timestamp) -> Result<Progress, DeliveryError> {
        self.store.outbox().postpone(key, until).await?;
        self.note(until);
        Ok(Progress::Deferred)
    }

    /// Leaves a message to the next invocation.
    async fn leave(&self, found: &OutboxMessage) -> Result<Progress, DeliveryError> {
        let now = self.system.now();
        if found.due_at.is_some_and(|due_at| due_at <= now) {
            self.note(now);
            return Ok(Progress::Deferred);
        }
        self.defer(&found.message.key(), now).await
    }

    fn note(&self, due_at: Timestamp) {
        if let Ok(mut soonest) = self.soonest.lock() {
            *soonest = Some(soonest.map_or(due_at, |soonest| soonest.min(due_at)));
        }
    }

    async fn expire(&self, found: &OutboxMessage) -> Result<Progress, DeliveryError> {
        tracing::warn!(message_id = %found.message.id, "message expired");
        let change =
            Change::new(DeliveryEvent::Expired).error("The message could not be sent before its time was over");
        match self.store.outbox().change_if(found, &change).await? {
            Some(wakes) => {
                self.metrics.add(Metric::FailedExpired, 1);
                Ok(Progress::Done { wakes, pair_tat: found.pair_tat })
            }
            None => Ok(Progress::Deferred),
        }
    }

    /// A message that another process is posting, or was when it ended.
    async fn recover(&self, found: &OutboxMessage) -> Result<Progress, DeliveryError> {
        let now = self.system.now();
        if found.lease_until.is_some_and(|until| until >= now) {
            return Ok(Progress::Deferred);
        }
        let due_at = now.after(self.settings.unknown_deadline);
        let attempt = Attempt {
            at: now,
            outcome: AttemptOutcome::Unanswered,
            code: None,
            fbtrace_id: None,
            error: Some("The send was interrupted".to_owned()),
        };
        let change = Change::new(DeliveryEvent::Unanswered)
            .error("The send was interrupted. It may have gone out")
            .due_at(due_at)
            .attempt(attempt);
        let policy = self.sessions.get(found.message.session_id).await?.unknown_policy;
        match self.store.outbox().change_if(found, &change).await? {
            Some(wakes) => {
                tracing::warn!(message_id = %found.message.id, "a send was interrupted");
                self.metrics.add(Metric::MessagesUnknown, 1);
                self.note(due_at);
                Ok(after_unknown(wakes, found.pair_tat, policy))
            }
            None => Ok(Progress::Deferred),
        }
    }

    /// A message of unknown fate: whether it is time for the session's policy to decide.
    async fn reconcile(
        &self,
        mut found: OutboxMessage,
        before: Option<PredecessorState>,
    ) -> Result<Progress, DeliveryError> {
        let now = self.system.now();
        let policy = self.sessions.get(found.message.session_id).await?.unknown_policy;
        if found.due_at.is_some_and(|due_at| due_at > now) {
            return Ok(after_unknown(found.waiting, found.pair_tat, policy));
        }
        let (event, error) = match policy {
            UnknownPolicy::Fail => (
                DeliveryEvent::GivenUp,
                "Whether WhatsApp sent the message could not be found out, and it is not sent again",
            ),
            UnknownPolicy::Resend => (DeliveryEvent::Resent, "The message may have been sent, and is sent again"),
        };
        // Ignored for a message that fails.
        let change = Change::new(event).error(error).due_at(now);
        let Some(wakes) = self.store.outbox().change_if(&found, &change).await? else { return Ok(Progress::Deferred) };
        tracing::warn!(message_id = %found.message.id, ?policy, "nothing was heard of a message");
        match policy {
            UnknownPolicy::Fail => {
                self.metrics.add(Metric::FailedUnconfirmed, 1);
                Ok(Progress::Done { wakes, pair_tat: found.pair_tat })
            }
            UnknownPolicy::Resend => {
                found.message.status = MessageStatus::Pending;
                found.not_before = None;
                Box::pin(self.deliver_pending(found, before)).await
            }
        }
    }
}

/// Whether later messages can go before it. One that is never sent again cannot come after them.
fn is_out_of_the_way(status: MessageStatus, policy: UnknownPolicy) -> bool {
    status.is_final() || (status == MessageStatus::Unknown && policy == UnknownPolicy::Fail)
}

fn after_unknown(wakes: bool, pair_tat: Option<Timestamp>, policy: UnknownPolicy) -> Progress {
    match policy {
        UnknownPolicy::Fail => Progress::Done { wakes, pair_tat },
        UnknownPolicy::Resend => Progress::Deferred,
    }
}
