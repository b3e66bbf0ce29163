//! Delivery of Cloud API messages: claims pending messages, sends each one once, and settles it.
//!
//! - Messages of one chat are sent in order. Each one waits for its predecessor.
//! - Sends respect WhatsApp's rate limits per business phone number and per recipient.
//! - A send that WhatsApp certainly did not accept is retried. If the outcome of a send is unknown, the session's
//!   [`UnknownPolicy`](crate::domain::session::UnknownPolicy) decides.

mod chat;
mod due_poller;
mod message;
mod post;
mod rate_limiter;
mod sessions;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{StreamExt, stream};

pub use self::due_poller::DuePoller;
use self::{rate_limiter::RateLimiter, sessions::Sessions};
use crate::{
    domain::{message_key::MessageKey, system::System, time::Timestamp},
    services::{
        credentials::{Credentials, CredentialsError},
        self_invoker::SelfInvoker,
    },
    store::{OutboxMessage, Store, StoreError},
    telemetry::Metrics,
    whatsapp::CloudApi,
};

/// The end of an invocation, in which it requests no more reservations. Messages that have one by then can still be
/// sent and settled, or released, before Lambda ends the process.
const SHUTDOWN_MARGIN: Duration = Duration::from_secs(20);

/// The maximum number of chats to process concurrently.
const MAX_CONCURRENT_CHATS: usize = 64;

/// Messages that are due within this time are left to a [`DuePoller`], which waits for them.
const DUE_SOON: Duration = Duration::from_secs(60);

/// The delivery settings of a deployment.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The maximum number of messages per second for each business phone number.
    pub rate: u32,
    /// How long to wait for a status update of a message that may have been sent.
    pub unknown_deadline: Duration,
}

/// Delivers messages through the Cloud API.
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
    /// When Lambda ends the process.
    deadline: Timestamp,
    /// The earliest due time that this process has set for a message.
    next_due: Arc<Mutex<Option<Timestamp>>>,
}

/// A message could not be delivered or settled because a dependency other than WhatsApp failed.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// A DynamoDB request failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The access token could not be read.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

/// A message to deliver.
#[derive(Clone, Debug)]
pub enum PendingMessage {
    /// The message as a stream record or a query returned it.
    Read(Box<OutboxMessage>),
    /// The key of a message that has not been read yet.
    At(MessageKey),
}

impl PendingMessage {
    /// Returns the message's key.
    pub fn key(&self) -> MessageKey {
        match self {
            Self::Read(found) => found.message.key(),
            Self::At(key) => *key,
        }
    }
}

impl Dispatcher {
    /// Creates a dispatcher without a deadline. See [`Self::until`].
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
            next_due: Arc::default(),
        }
    }

    /// Returns a dispatcher for one invocation, which claims only messages that it can settle before `deadline`, in
    /// milliseconds since 1970. Ignores a deadline in the past, such as the one that `cargo lambda watch` sends.
    pub fn until(&self, deadline: u64) -> Self {
        let deadline = i64::try_from(deadline).ok().and_then(Timestamp::from_milliseconds);
        let deadline = deadline.filter(|deadline| *deadline > self.system.now()).unwrap_or(self.deadline);
        Self { deadline, ..self.clone() }
    }

    /// Returns when this invocation stops starting with messages.
    fn last_start(&self) -> Timestamp {
        self.deadline.before(SHUTDOWN_MARGIN)
    }

    /// Opens the connections and reads the access token before the first event arrives.
    pub async fn warm_up(&self) {
        tokio::join!(self.credentials.warm_up(), self.store.warm_up());
    }

    /// Starts an invocation that delivers due messages.
    pub async fn invoke(&self) {
        self.self_invoker.invoke(self.system.now()).await;
    }

    /// Delivers messages, those of one chat in order, and starts a [`DuePoller`] if one of them is due again soon.
    /// Returns each message's outcome, in any order.
    pub async fn deliver<T>(&self, messages: Vec<(T, PendingMessage)>) -> Vec<(T, Result<(), DeliveryError>)> {
        let outcomes = self.deliver_chats(messages).await;
        let next_due = self.next_due.lock().ok().and_then(|mut next_due| next_due.take());
        let now = self.system.now();
        if next_due.is_some_and(|due_at| due_at <= now.after(DUE_SOON)) {
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
            .buffer_unordered(MAX_CONCURRENT_CHATS)
            .collect()
            .await;
        outcomes.into_iter().flatten().collect()
    }

    /// Remembers when a message is due, for [`Self::deliver`].
    fn record_due(&self, due_at: Timestamp) {
        if let Ok(mut next_due) = self.next_due.lock() {
            *next_due = Some(next_due.map_or(due_at, |next_due| next_due.min(due_at)));
        }
    }
}
