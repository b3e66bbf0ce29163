//! Delivery of Cloud API messages: claims pending messages, sends each one once, and settles it.
//!
//! - Messages of one chat are sent in order. Each one waits for its predecessor.
//! - Sends respect WhatsApp's rate limits per business phone number and per recipient.
//! - Normal messages are sent before bulk messages, by the invocation that the table's stream starts. Bulk messages, and
//!   whatever that invocation can't send, are left to the [`DuePoller`].
//! - A send that WhatsApp certainly did not accept is retried. If the outcome of a send is unknown, the session's
//!   [`UnknownPolicy`](crate::domain::session::UnknownPolicy) decides.

mod due_poller;
mod file;
mod message;
mod post;
mod rate_limiter;
mod sessions;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream};

pub use self::{due_poller::DuePoller, file::FileUploader};
use self::{message::Progress, rate_limiter::RateLimiter, sessions::Sessions};
use crate::{
    domain::{
        delivery::OutboxMessage,
        message::{Channel, Priority},
        message_key::MessageKey,
        system::System,
        time::Timestamp,
    },
    services::{
        credentials::{Credentials, CredentialsError},
        function_invoker::{DeliverEvent, FunctionInvoker},
    },
    store::{Store, StoreError},
    telemetry::Metrics,
    whatsapp::CloudApi,
};

/// The end of an invocation, in which it takes no more permits. Messages that have one by then can still be sent and
/// settled, or released, before Lambda ends the process.
const SHUTDOWN_MARGIN: Duration = Duration::from_secs(20);

/// How long a message of a stream batch waits for its turn before it is left to a [`DuePoller`].
const MAX_WAIT: Duration = Duration::from_secs(4);

/// The minimum time between invocations of `deliver` by one process. Skipping one is safe: the previous invocation is
/// starting, and the schedule starts one every minute.
const INVOKE_INTERVAL: Duration = Duration::from_secs(1);

/// The maximum number of chats to process concurrently.
const MAX_CONCURRENT_CHATS: usize = 100;

/// A [`DuePoller`] waits for messages that are due within this time. The schedule finds later ones.
const DUE_SOON: Duration = Duration::from_secs(15);

/// The delivery settings of a deployment.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The maximum number of messages per second for each business phone number.
    pub rate: u32,
    /// How long to wait for a status update of a message that may have been sent.
    pub unknown_deadline: Duration,
}

/// Starts other invocations.
#[derive(Clone, Debug)]
pub struct Invokers {
    /// Of `deliver`.
    pub deliver: FunctionInvoker,
    /// Of `notify`.
    pub notify: FunctionInvoker,
    /// Of `media-fetch`; `None` if files stay at WhatsApp.
    pub media_fetch: Option<FunctionInvoker>,
}

/// Delivers messages through the Cloud API.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    store: Store,
    cloud_api: CloudApi,
    credentials: Credentials,
    invokers: Invokers,
    /// `None` if files stay at WhatsApp.
    files: Option<FileUploader>,
    system: System,
    settings: Settings,
    sessions: Sessions,
    rate_limiter: RateLimiter,
    metrics: Metrics,
    /// When Lambda ends the process.
    deadline: Timestamp,
    /// Whether messages are left to a [`DuePoller`] that are due soon.
    has_left_messages: Arc<AtomicBool>,
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

    /// Returns whether only a [`DuePoller`] sends the message, and it is due. It isn't if its session was paused when
    /// it was stored.
    fn is_left_to_poller(&self, now: Timestamp) -> bool {
        match self {
            Self::Read(found) => {
                let OutboxMessage { message, due_at, .. } = &**found;
                message.channel == Channel::CloudApi
                    && message.priority == Priority::Bulk
                    && due_at.is_some_and(|due_at| due_at <= now)
            }
            Self::At(_) => false,
        }
    }
}

impl Dispatcher {
    /// Creates a dispatcher without a deadline. See [`Self::until`].
    pub fn new(
        store: Store,
        cloud_api: CloudApi,
        credentials: Credentials,
        invokers: Invokers,
        files: Option<FileUploader>,
        system: System,
        settings: Settings,
    ) -> Self {
        let rate_limiter = RateLimiter::new(store.clone(), system, settings.rate);
        let sessions = Sessions::new(store.clone(), system);
        Self {
            store,
            cloud_api,
            credentials,
            invokers,
            files,
            system,
            settings,
            sessions,
            rate_limiter,
            metrics: Metrics::default(),
            deadline: system.now().after(Duration::MAX),
            has_left_messages: Arc::default(),
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
        self.invokers.deliver.invoke_at_intervals(INVOKE_INTERVAL, self.system.now(), &DeliverEvent::Due).await;
    }

    /// Delivers messages, those of one chat in order, and starts a [`DuePoller`] if messages are left to it that are due
    /// soon. Returns each message's outcome, in any order.
    pub async fn deliver<T>(&self, messages: Vec<(T, PendingMessage)>) -> Vec<(T, Result<(), DeliveryError>)> {
        let started = self.system.now();
        let mut outcomes = Vec::with_capacity(messages.len());
        let mut chats: BTreeMap<_, (Vec<T>, Vec<PendingMessage>)> = BTreeMap::new();
        for (tag, pending) in messages {
            if pending.is_left_to_poller(started) {
                self.record_due(started);
                outcomes.push((tag, Ok(())));
            } else {
                let chat = chats.entry(pending.key().chat_id).or_default();
                chat.0.push(tag);
                chat.1.push(pending);
            }
        }
        let give_up = started.after(MAX_WAIT).min(self.last_start());
        let delivered: Vec<Vec<_>> = stream::iter(chats.into_values())
            .map(|(tags, messages)| async move {
                tags.into_iter().zip(self.deliver_chat(messages, give_up).await).collect()
            })
            .buffer_unordered(MAX_CONCURRENT_CHATS)
            .collect()
            .await;
        outcomes.extend(delivered.into_iter().flatten());
        let now = self.system.now();
        if self.has_left_messages.swap(false, Ordering::Relaxed) {
            self.invokers.deliver.invoke_at_intervals(INVOKE_INTERVAL, now, &DeliverEvent::Due).await;
        }
        self.metrics.write(now);
        outcomes
    }

    /// Delivers messages of one chat, which are in order, and waits for those that can't be sent yet until `give_up`.
    /// Returns one outcome for each.
    async fn deliver_chat(&self, messages: Vec<PendingMessage>, give_up: Timestamp) -> Vec<Result<(), DeliveryError>> {
        let mut outcomes = Vec::with_capacity(messages.len());
        let mut messages = messages.into_iter();
        let mut give_up = give_up;
        for pending in messages.by_ref() {
            let progress = self.deliver_message(pending, give_up).await;
            if matches!(progress, Ok(Progress::Deferred)) {
                // The following messages wait for this one, so they are deferred too.
                give_up = self.system.now();
            }
            outcomes.push(progress.map(drop));
            if outcomes.last().is_some_and(Result::is_err) {
                break;
            }
        }
        let in_order = || StoreError::Contention { operation: "delivering in order" };
        outcomes.extend(messages.map(|_| Err(in_order().into())));
        outcomes
    }

    /// Remembers that a message is left to a [`DuePoller`], if it is due soon.
    fn record_due(&self, due_at: Timestamp) {
        self.has_left_messages.fetch_or(self.is_soon(due_at), Ordering::Relaxed);
    }

    /// Returns whether a [`DuePoller`] waits for a message that is due at this time.
    fn is_soon(&self, due_at: Timestamp) -> bool {
        due_at <= self.system.now().after(DUE_SOON)
    }

    async fn sleep_until(&self, time: Timestamp) {
        tokio::time::sleep(time.since(self.system.now())).await;
    }
}
