//! The table. Every change of state is a conditional write; nothing is looked for first and made then.

mod action;
mod api_key;
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
mod merge;
mod message_trace;
mod number;
mod outbound;
mod raw;
mod reply;
mod resume;
mod rule;
mod session;
mod status;
mod transaction;
mod update;
mod worker;

use std::{
    error::Error,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_sdk_dynamodb::{Client, error::ProvideErrorMetadata, types::AttributeValue};

use crate::{domain::system::System, domain::time::Timestamp};

pub use api_key::KeyPage;
pub use delivery::{Change, Claim, Lease, OutboxMessage};
pub use due::{Due, DueItems, PollerLease, ReservationRequest, ReservationResult};
pub use early_update::{EarlyAction, EarlyUpdate};
pub use event::{EventOwner, StoredEvent};
pub use inbound::ReceiveOutcome;
pub use lookup::{MessageMetadata, StatusTimes};
pub use message_trace::MessageTrace;
pub use number::{EncryptedCredentials, NumberChange};
pub use outbound::{Outbound, Replay, SendContext, SendOutcome};
pub use reply::{Reply, ReplyContext, ReplyOutcome};
pub use resume::Resumed;
pub use rule::RuleCreated;
pub use session::{Created, NumberOwner, Pairing};
pub use status::Applied;
pub use worker::{OutboxPage, WorkerMessage};

/// The table behind all functions.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    table: String,
    system: System,
    inbox_shards: u8,
    retention: Option<Duration>,
    remembered: Arc<Mutex<identity::Remembered>>,
}

/// The table could not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// DynamoDB refused the request or did not answer, after the SDK's retries.
    #[error("{operation} failed")]
    Request {
        /// What was to be done.
        operation: &'static str,
        /// What the SDK says.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Other writers held the same items for longer than we wait.
    #[error("{operation} kept conflicting with other writers")]
    Contention {
        /// What was to be done.
        operation: &'static str,
    },
    /// An item is not what this version writes.
    #[error("an item of the table cannot be read as a {kind}")]
    Item {
        /// What it should be.
        kind: &'static str,
        /// What is wrong with it.
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
    /// The table of this name.
    pub fn new(client: Client, table: String, system: System) -> Self {
        Self { client, table, system, inbox_shards: 1, retention: None, remembered: Arc::default() }
    }

    /// Spreads each list of a session's inbox over this many partitions of the index.
    pub fn with_inbox_shards(self, inbox_shards: u8) -> Self {
        Self { inbox_shards: inbox_shards.max(1), ..self }
    }

    /// Keeps messages for this long after their own time, and chats for as long after their last message.
    pub fn with_retention(self, retention: Option<Duration>) -> Self {
        Self { retention, ..self }
    }

    /// When DynamoDB is to delete what has this time; `None` when it is kept.
    fn expires_at(&self, at: Timestamp) -> Option<AttributeValue> {
        self.retention.map(|retention| item::number(at.after(retention).seconds()))
    }

    /// Opens the connection with one cheap request, whose result does not matter.
    pub async fn warm_up(&self) {
        let key = keys::Key { pk: "WARM-UP".to_owned(), sk: "WARM-UP".to_owned() };
        let result = self.client.get_item().table_name(&self.table).set_key(Some(key.attributes())).send().await;
        if let Err(error) = result {
            tracing::warn!(error = crate::telemetry::chain(&error), "the first request to the table failed");
        }
    }
}

/// Whether a transaction of another writer held the item: worth another try, which the SDK does not make by itself.
fn is_transaction_conflict(error: &impl ProvideErrorMetadata) -> bool {
    matches!(error.code(), Some("TransactionConflictException" | "TransactionInProgressException"))
}
