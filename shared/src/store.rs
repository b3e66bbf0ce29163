//! The DynamoDB table. Every state change is a conditional write: there is no check-then-write.

mod action;
mod api_key;
mod batch_write;
mod call;
mod change_images;
mod change_log;
mod change_subject;
mod chat;
mod consent;
mod delivery;
mod due;
mod early_update;
mod erasure;
mod event;
mod identity;
mod inbound;
mod inbox;
mod item;
pub mod keys;
mod lookup;
mod media;
mod merge;
mod message_item;
mod message_time;
mod message_trace;
mod number;
mod outbound;
mod pairing;
mod payload;
mod raw;
mod read;
mod reply;
mod resume;
mod rule;
mod saved_name;
mod session;
mod stats;
mod status;
mod transaction;
mod update;
mod webhook_cursor;
mod webhook_delivery;
mod webhook_endpoint;
mod worker;

use std::{
    error::Error,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_sdk_dynamodb::{Client, error::ProvideErrorMetadata, types::AttributeValue};

use crate::domain::{system::System, time::Timestamp};

pub use api_key::KeyPage;
pub use change_images::read_write;
pub use change_log::Appended;
pub use change_subject::Subjects;
pub use delivery::{Change, Claim, Lease};
pub use due::{DueItems, DueMessage, Resumption};
pub use early_update::{EarlyAction, EarlyUpdate};
pub use event::{EventOwner, StoredEvent};
pub use inbound::ReceiveOutcome;
#[cfg(test)]
pub(crate) use inbound::received_rows;
pub use lookup::{MessageMetadata, StatusTimes};
pub use message_item::read_message_image;
pub use message_trace::{MessageTrace, TraceScope};
pub use number::{EncryptedCredentials, NumberChange, NumberIdentity, NumberOwner};
pub use outbound::{Outbound, Replay, SendContext, SendOutcome};
pub use pairing::{Pairing, PairingMessage};
pub use reply::{Reply, ReplyContext, ReplyOutcome};
pub use resume::Resumed;
pub use rule::RuleCreated;
pub use session::Created;
pub use status::Applied;
pub use webhook_cursor::{Acquired, CursorId, ReplayOnly, WebhookCursor};
pub use webhook_delivery::DueNotifications;
pub use webhook_endpoint::{SessionWebhooks, WebhookCreated};
pub use worker::{OutboxPage, WorkerMessage};

/// How long change logs keep their entries, if nothing else is set.
const DEFAULT_CHANGE_RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The DynamoDB table that all functions share.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    table: String,
    system: System,
    inbox_shards: u8,
    retention: Option<Duration>,
    change_retention: Duration,
    known_webhooks: Arc<Mutex<change_log::KnownWebhooks>>,
    remembered: Arc<Mutex<identity::Remembered>>,
}

/// An error of a table operation.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// DynamoDB rejected the request or didn't respond, after the SDK's retries.
    #[error("{operation} failed")]
    Request {
        /// The operation, as a gerund phrase: "reading a message".
        operation: &'static str,
        /// The SDK's error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Other writers kept changing the same items.
    #[error("{operation} kept conflicting with other writers")]
    Contention {
        /// The operation, as a gerund phrase.
        operation: &'static str,
    },
    /// An item doesn't have the expected attributes.
    #[error("cannot deserialize an item as {kind}")]
    Item {
        /// The expected kind of item.
        kind: &'static str,
        /// The deserialization error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StoreError {
    fn request<E, R>(operation: &'static str) -> impl FnOnce(aws_sdk_dynamodb::error::SdkError<E, R>) -> Self
    where
        E: Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        move |source| Self::Request { operation, source: source.into() }
    }
}

impl Store {
    /// Returns a store for the table with this name.
    pub fn new(client: Client, table: String, system: System) -> Self {
        Self {
            client,
            table,
            system,
            inbox_shards: 1,
            retention: None,
            change_retention: DEFAULT_CHANGE_RETENTION,
            known_webhooks: Arc::default(),
            remembered: Arc::default(),
        }
    }

    /// Spreads each inbox list of a session over this many partitions of the `inbox` index.
    pub fn with_inbox_shards(self, inbox_shards: u8) -> Self {
        Self { inbox_shards: inbox_shards.max(1), ..self }
    }

    /// Expires messages this long after their timestamp, and chats this long after their last message.
    pub fn with_retention(self, retention: Option<Duration>) -> Self {
        Self { retention, ..self }
    }

    /// Expires the entries of change logs this long after they were appended.
    pub fn with_change_retention(self, change_retention: Duration) -> Self {
        Self { change_retention, ..self }
    }

    /// Returns the `expires_at` attribute of an item with this timestamp; `None` without a retention period.
    fn expires_at(&self, at: Timestamp) -> Option<AttributeValue> {
        self.retention.map(|retention| item::number(at.after(retention).seconds()))
    }

    /// Opens the connection with a request for an item that doesn't exist.
    pub async fn warm_up(&self) {
        let key = keys::Key { pk: "WARM-UP".to_owned(), sk: "WARM-UP".to_owned() };
        let result = self.client.get_item().table_name(&self.table).set_key(Some(key.attributes())).send().await;
        if let Err(error) = result {
            tracing::warn!(error = crate::telemetry::chain(&error), "table warm-up failed");
        }
    }
}

/// Declares a handle per aggregate: a borrow of the store with the operations of that aggregate.
macro_rules! handles {
    ($($(#[doc = $doc:literal])+ $method:ident: $handle:ident,)+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug)]
            pub struct $handle<'a>(&'a Store);
        )+

        impl Store {
            $(
                $(#[doc = $doc])+
                pub fn $method(&self) -> $handle<'_> {
                    $handle(self)
                }
            )+
        }
    };
}

handles! {
    /// Messages with their statuses, actions, and payloads.
    messages: Messages,
    /// Chats, the contacts that they belong to, and their merges.
    chats: Chats,
    /// Sessions: pairing, pausing, and the state of linked-device workers.
    sessions: Sessions,
    /// Outbound messages from storing to settling, the `due` index, and rate limits.
    outbox: Outbox,
    /// Auto-reply rules.
    rules: Rules,
    /// API keys.
    api_keys: ApiKeys,
    /// Registered numbers and the sessions that own them.
    numbers: Numbers,
    /// Webhook events that are neither messages nor statuses.
    events: Events,
    /// Erasure of chats and sessions.
    erasures: Erasures,
    /// Endpoints that receive outgoing webhooks.
    webhooks: Webhooks,
    /// The change logs of sessions.
    changes: Changes,
    /// The positions of webhooks in the change logs, and replays.
    webhook_cursors: WebhookCursors,
    /// Failed and waiting deliveries of changes to webhooks.
    webhook_deliveries: WebhookDeliveries,
    /// Files of messages.
    media: MediaFiles,
    /// The hourly counters of sessions.
    stats: Stats,
}

/// Returns whether a transaction of another writer held the item. The SDK doesn't retry these errors by itself.
fn is_transaction_conflict(error: &impl ProvideErrorMetadata) -> bool {
    matches!(error.code(), Some("TransactionConflictException" | "TransactionInProgressException"))
}
