//! Linked-device workers: the state of their sessions, and leases on their messages.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Outbox, Sessions, Store, StoreError,
    delivery::{self, Change},
    item::{self, Item, string},
    keys::{Key, worker_due_key},
    message_item,
    session::SESSION,
    update::{UpdateBuilder, WriteOutcome},
};
use crate::domain::{
    chat::Chat,
    id::SessionId,
    message::{Attempt, AttemptOutcome, DeliveryEvent, Message, MessageStatus, Priority},
    message_key::MessageKey,
    session::{Session, UnknownPolicy},
    time::Timestamp,
    worker::{WorkerOutcome, worker_number},
};

/// Number of keys in a page of the outbox.
const PAGE: i32 = 500;

/// The number of messages that one claim can return.
const MAX_CLAIMED: usize = 100;

const WORKER: &str = "worker";

/// Requires that a session isn't paired over the Cloud API.
const AVAILABLE: (&str, &str) = ("channel = ? OR attribute_not_exists(phone_number_id)", WORKER);

/// A message with the attributes of its worker's lease.
#[derive(Clone, Debug, Deserialize)]
pub struct WorkerMessage {
    /// The message.
    #[serde(flatten)]
    pub message: Message,
    /// The current lease.
    #[serde(default)]
    pub lease: Option<String>,
    /// When the current lease ends.
    #[serde(default)]
    pub lease_until: Option<Timestamp>,
    /// The lease under which the message was settled. A repeated settle request has the same.
    #[serde(default)]
    pub settled_lease: Option<String>,
}

/// A page of a session's unfinished messages of one priority, oldest first.
#[derive(Debug)]
pub struct OutboxPage {
    /// The keys of the messages.
    pub keys: Vec<MessageKey>,
    /// The start of the next page; `None` on the last one.
    pub next: Option<HashMap<String, AttributeValue>>,
}

impl Sessions<'_> {
    /// Sets a worker's QR code, and switches the session to workers. Returns the session after the update: unchanged if
    /// it is connected or paired over the Cloud API; `None` if it doesn't exist.
    pub async fn set_worker_qr(
        self,
        id: SessionId,
        qr: &str,
        lifetime: Duration,
    ) -> Result<Option<Session>, StoreError> {
        let now = self.0.system.now();
        let update = UpdateBuilder::new(&Key::session(id))
            .set("qr", qr)
            .set("qr_expires_at", now.after(lifetime))
            .set("channel", WORKER)
            .set("updated_at", now)
            .remove(["pairing_code", "last_pairing_code", "qr_phone_number_id", "pairing_error"])
            .condition(("is_connected = ?", false))
            .condition(AVAILABLE);
        self.0.item_after("setting a QR code", SESSION, update).await
    }

    /// Sets whether a worker is connected and ready. The first connection links the session to workers permanently.
    /// Returns the session after the update: unchanged if it is paired over the Cloud API; `None` if it doesn't exist.
    pub async fn set_worker_state(
        self,
        id: SessionId,
        is_connected: bool,
        is_ready: bool,
    ) -> Result<Option<Session>, StoreError> {
        let mut update = UpdateBuilder::new(&Key::session(id))
            .set("is_connected", is_connected)
            .set("is_ready", is_ready)
            .set("updated_at", self.0.system.now())
            .condition("attribute_exists(pk)")
            .condition(AVAILABLE);
        if is_connected {
            update = update.set("channel", WORKER).set_if_absent("phone_number_id", worker_number(id)).remove([
                "qr",
                "qr_expires_at",
                "pairing_code",
                "last_pairing_code",
                "qr_phone_number_id",
                "pairing_error",
            ]);
        }
        self.0.item_after("setting a session's state", SESSION, update).await
    }
}

impl Outbox<'_> {
    /// Returns a page of a session's unfinished messages of a priority. Messages that were claimed before are among the
    /// normal ones.
    pub async fn worker_page(
        self,
        session_id: SessionId,
        priority: Priority,
        start: Option<HashMap<String, AttributeValue>>,
    ) -> Result<OutboxPage, StoreError> {
        let output = self
            .0
            .client
            .query()
            .table_name(&self.0.table)
            .index_name("due")
            .key_condition_expression("due_key = :key")
            .expression_attribute_values(":key", string(worker_due_key(session_id, priority)))
            .set_exclusive_start_key(start)
            .limit(PAGE)
            .send()
            .await
            .map_err(StoreError::request("reading a worker's outbox"))?;
        let keys = output.items().iter().filter_map(Key::from_item);
        let keys = keys.filter_map(|key| key.message_key()).collect();
        Ok(OutboxPage { keys, next: output.last_evaluated_key })
    }

    /// Reads up to 100 messages, consistently.
    pub async fn worker_messages(
        self,
        keys: Vec<MessageKey>,
    ) -> Result<HashMap<MessageKey, WorkerMessage>, StoreError> {
        let keys = keys.iter().map(Key::message).collect();
        let items = self.0.get_all("reading a worker's messages", keys).await?.into_values();
        items.map(|item| message_item::read::<WorkerMessage>(item).map(|row| (row.message.key(), row))).collect()
    }

    /// Returns whether a worker has a lease on one of the chat's last messages.
    pub async fn is_sending_in(self, chat: &Chat) -> Result<bool, StoreError> {
        let now = self.0.system.now();
        let mut next = chat.last_outbound.as_deref().and_then(|link| MessageKey::linked(chat.id, link));
        for _ in 0..MAX_CLAIMED {
            let Some(key) = next else { return Ok(false) };
            let Some(row) = self.worker_messages(vec![key]).await?.remove(&key) else { return Ok(false) };
            match row.message.status {
                MessageStatus::Sending if row.lease_until.is_some_and(|until| until > now) => return Ok(true),
                MessageStatus::Sending | MessageStatus::Pending => next = row.message.predecessor(),
                _ => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Leases a pending message to a worker. Returns the message after the update. Of several concurrent calls, one
    /// finds its own lease on it. Moves a bulk message among the normal ones: claims read those first, and a message that
    /// may be sent holds back the later ones of its chat.
    pub async fn lease_to_worker(
        self,
        row: &WorkerMessage,
        lease: &str,
        until: Timestamp,
    ) -> Result<Option<WorkerMessage>, StoreError> {
        let update = delivery::claim(&row.message.key(), lease, until)
            .set("due_key", worker_due_key(row.message.session_id, Priority::Normal));
        self.message_after("leasing a message", update).await
    }

    /// Fails a pending message, because it has expired or the contact refuses it. Returns the message after the update.
    pub async fn fail_for_worker(
        self,
        row: &WorkerMessage,
        event: DeliveryEvent,
        error: &str,
    ) -> Result<Option<WorkerMessage>, StoreError> {
        let update = self.transition(&row.message, MessageStatus::Pending, &Change::new(event).error(error))?;
        let Some(update) = update else { return Ok(None) };
        self.message_after("failing a pending message", update).await
    }

    /// Ends a lease that expired before `now` without a result. The message may have been sent, so the session's policy
    /// decides whether it fails or is pending again. Returns the message after the update.
    pub async fn end_worker_lease(
        self,
        row: &WorkerMessage,
        policy: UnknownPolicy,
        now: Timestamp,
        error: &str,
    ) -> Result<Option<WorkerMessage>, StoreError> {
        let event = match policy {
            UnknownPolicy::Fail => DeliveryEvent::GivenUp,
            UnknownPolicy::Resend => DeliveryEvent::Resent,
        };
        let sending = MessageStatus::Sending;
        let unknown = sending.on(DeliveryEvent::Unanswered);
        let Some(to) = unknown.and_then(|unknown| unknown.on(event)) else { return Ok(None) };
        let change = Change::new(event).attempt(attempt(now, AttemptOutcome::Unanswered, Some(error)));
        let change = if to.is_final() { change.error(error) } else { change };
        let expired = [row.lease.clone().unwrap_or_default(), now.to_string()];
        let update = self
            .status_update(&row.message, sending, to, &change)?
            .condition(("lease = ? AND lease_until <= ?", expired));
        self.message_after("ending a worker's lease", update).await
    }

    /// Settles a message that a worker has under `lease`. Returns the message after the update: unchanged if the lease
    /// is invalid or has expired.
    pub async fn settle_for_worker(
        self,
        row: &WorkerMessage,
        lease: &str,
        outcome: &WorkerOutcome,
    ) -> Result<Option<WorkerMessage>, StoreError> {
        let now = self.0.system.now();
        let change =
            match outcome {
                WorkerOutcome::Sent { id } => {
                    Change::new(DeliveryEvent::Accepted).wamid(id).attempt(attempt(now, AttemptOutcome::Accepted, None))
                }
                WorkerOutcome::Failed { reason } => Change::new(DeliveryEvent::Rejected)
                    .error(reason)
                    .attempt(attempt(now, AttemptOutcome::Rejected, Some(reason))),
            };
        let Some(update) = self.transition(&row.message, MessageStatus::Sending, &change)? else { return Ok(None) };
        let update = update
            .set("settled_lease", lease)
            .condition(("lease = ? AND lease_until > ?", [lease.to_owned(), now.to_string()]));
        self.message_after("settling a worker's message", update).await
    }

    async fn message_after(
        self,
        operation: &'static str,
        update: UpdateBuilder,
    ) -> Result<Option<WorkerMessage>, StoreError> {
        self.0.updated(operation, update).await?.map(message_item::read).transpose()
    }
}

impl Store {
    /// Runs an update and returns the item after it, whether the condition held or not; `None` if there is no such
    /// item. The SDK retries an update whose response was lost, so the caller checks whether the item has what it
    /// wrote.
    pub(super) async fn item_after<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        kind: &'static str,
        update: UpdateBuilder,
    ) -> Result<Option<T>, StoreError> {
        self.updated(operation, update).await?.map(|item| item::read(kind, item)).transpose()
    }

    async fn updated(&self, operation: &'static str, update: UpdateBuilder) -> Result<Option<Item>, StoreError> {
        let (WriteOutcome::Written { item } | WriteOutcome::Refused { item }) =
            self.update(operation, update.returning_new()).await?;
        Ok(item)
    }
}

fn attempt(at: Timestamp, outcome: AttemptOutcome, error: Option<&str>) -> Attempt {
    Attempt { at, outcome, code: None, fbtrace_id: None, error: error.map(str::to_owned) }
}
