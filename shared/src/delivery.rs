//! Delivering: pending messages are claimed, posted to the Cloud API once, and settled.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use crate::{
    cloud_api::{CloudApi, Posted, send_request},
    message::Message,
    secrets::{Secrets, SecretsError},
    startup::System,
    store::{Claim, Settlement, Store, StoreError, keys::MessageKey},
};

/// How long a claimed message is ours. Longer than a post can take, so that an expired lease means an ended process.
const LEASE: Duration = Duration::from_secs(60);

/// When a message that certainly was not sent is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Chats that are worked on at once; the messages of one chat go one after the other.
const PARALLEL: usize = 16;

/// The most due messages that one run of the schedule takes from each shard.
const DUE_LIMIT: i32 = 100;

/// Delivers messages.
#[derive(Clone, Debug)]
pub struct Courier {
    store: Store,
    cloud_api: CloudApi,
    secrets: Secrets,
    system: System,
}

/// A message could not be delivered or settled for a reason on our side.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The access token could not be read.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
}

impl Courier {
    /// A courier between these.
    pub fn new(store: Store, cloud_api: CloudApi, secrets: Secrets, system: System) -> Self {
        Self { store, cloud_api, secrets, system }
    }

    /// Opens the connections and reads the token, so that the first event finds them.
    pub async fn warm_up(&self) {
        let (secrets, ()) = tokio::join!(self.secrets.get((self.system.now)()), self.store.warm_up());
        if let Err(error) = secrets {
            tracing::warn!(error = crate::telemetry::chain(&error), "the secret could not be read yet");
        }
    }

    /// Delivers messages, those of one chat in the order given. The outcome of each, in no order.
    pub async fn deliver<T>(&self, messages: Vec<(T, MessageKey)>) -> Vec<(T, Result<(), DeliveryError>)> {
        let mut chats: Vec<Vec<(T, MessageKey)>> = Vec::new();
        for (tag, key) in messages {
            match chats.iter_mut().find(|chat| chat[0].1.chat_id == key.chat_id) {
                Some(chat) => chat.push((tag, key)),
                None => chats.push(vec![(tag, key)]),
            }
        }
        let outcomes: Vec<Vec<_>> = stream::iter(chats)
            .map(|chat| async move {
                let mut outcomes = Vec::with_capacity(chat.len());
                for (tag, key) in chat {
                    outcomes.push((tag, self.deliver_one(&key).await));
                }
                outcomes
            })
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        outcomes.into_iter().flatten().collect()
    }

    /// Delivers what the stream did not bring, and ends the leases of processes that are gone.
    pub async fn deliver_due(&self) -> Result<(), DeliveryError> {
        let now = (self.system.now)();
        let due = self.store.due(now, DUE_LIMIT).await?;
        for key in &due {
            self.store.expire_lease(key, now).await?;
        }
        let outcomes = self.deliver(due.into_iter().map(|key| ((), key)).collect()).await;
        outcomes.into_iter().try_for_each(|((), outcome)| outcome)
    }

    async fn deliver_one(&self, key: &MessageKey) -> Result<(), DeliveryError> {
        let secrets = self.secrets.get((self.system.now)()).await?;
        let lease = (self.system.random)();
        let until = (self.system.now)().after(LEASE);
        let message = match self.store.claim(key, lease, until).await? {
            Claim::Claimed(message) => message,
            Claim::Taken(status) => {
                tracing::debug!(message_id = %key.message_id, status = status.as_str(), "not ours to send");
                return Ok(());
            }
            Claim::Missing => {
                tracing::warn!(message_id = %key.message_id, "a message to deliver is not in the table");
                return Ok(());
            }
        };
        let posted = match send_request(&message) {
            Some(request) => self.cloud_api.post(&message.phone_number_id, &secrets.access_token, &request).await,
            None => Posted::Refused("The message has no address or no content".to_owned()),
        };
        self.settle(&message, lease, posted).await?;
        Ok(())
    }

    async fn settle(&self, message: &Message, lease: uuid::Uuid, posted: Posted) -> Result<(), StoreError> {
        let (settlement, wa_id) = match posted {
            Posted::Accepted { wamid, wa_id } => (Settlement::Accepted { wamid }, wa_id),
            Posted::Refused(error) => (Settlement::Rejected { error }, None),
            Posted::Unanswered(error) => (Settlement::Unanswered { error }, None),
            Posted::NotSent(error) => {
                (Settlement::NotSent { error, retry_at: (self.system.now)().after(RETRY_AFTER) }, None)
            }
        };
        self.store.settle(message, lease, &settlement).await?;
        let Settlement::Accepted { wamid } = settlement else {
            tracing::warn!(message_id = %message.id, ?settlement, "message not sent");
            return Ok(());
        };
        tracing::info!(message_id = %message.id, wamid, "message sent");
        let key = MessageKey { chat_id: message.chat_id, time: message.timestamp, message_id: message.id };
        for status in self.store.parked_statuses(&message.phone_number_id, &wamid).await? {
            self.store.apply_status(&key, &status).await?;
        }
        match wa_id {
            Some(wa_id) if message.to.as_ref() != Some(&wa_id) => self.store.learn_wa_id(message.chat_id, &wa_id).await,
            _ => Ok(()),
        }
    }
}
