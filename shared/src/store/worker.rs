//! What linked-device workers write: the state of their sessions, and leases on the messages that they carry.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Store, StoreError,
    inbound::MESSAGE,
    item::{self, Item, number, string},
    keys::{Key, wamid_key, worker_due_key},
    session::SESSION,
};
use crate::{
    domain::id::SessionId,
    domain::message::{Attempt, AttemptOutcome, DeliveryEvent, Message, MessageStatus},
    domain::message_key::MessageKey,
    domain::session::{Session, UnknownPolicy},
    domain::time::Timestamp,
    domain::worker::{WorkerOutcome, worker_number},
};

/// Keys that one page of the outbox holds.
const PAGE: i32 = 500;

/// A message and what only its worker's calls look at.
#[derive(Clone, Debug, Deserialize)]
pub struct WorkerMessage {
    /// The message.
    #[serde(flatten)]
    pub message: Message,
    /// The lease of the worker that has it.
    #[serde(default)]
    pub lease: Option<String>,
    /// When the lease ends.
    #[serde(default)]
    pub lease_until: Option<Timestamp>,
    /// The lease under which it was settled, by which a repeated settle is known.
    #[serde(default)]
    pub settled_lease: Option<String>,
}

/// Some of a session's unfinished messages, oldest first.
#[derive(Debug)]
pub struct OutboxPage {
    /// Where they are.
    pub keys: Vec<MessageKey>,
    /// Where the next page starts; `None` after the last one.
    pub next: Option<HashMap<String, AttributeValue>>,
}

impl Store {
    /// Shows a worker's QR code, and leaves the session to workers. `None` when there is no such session. The row is
    /// unchanged when the session is connected, or paired over the Cloud API.
    pub async fn set_worker_qr(
        &self,
        id: SessionId,
        qr: &str,
        lifetime: Duration,
    ) -> Result<Option<Session>, StoreError> {
        let now = self.system.now();
        let request = self
            .update_worker_session(id)
            .update_expression(
                "SET qr = :qr, qr_expires_at = :expires, channel = :worker, updated_at = :now \
                 REMOVE pairing_code, pairing_error",
            )
            .condition_expression(
                "is_connected = :false AND (channel = :worker OR attribute_not_exists(phone_number_id))",
            )
            .expression_attribute_values(":qr", string(qr))
            .expression_attribute_values(":expires", string(now.after(lifetime).to_string()))
            .expression_attribute_values(":false", AttributeValue::Bool(false))
            .expression_attribute_values(":worker", string("worker"))
            .expression_attribute_values(":now", string(now.to_string()));
        self.row_after("setting a QR code", SESSION, request).await
    }

    /// Annotations whether a worker is connected and ready. The first connection links the session to its worker for good.
    /// `None` when there is no such session. The row is unchanged when the session is paired over the Cloud API.
    pub async fn set_worker_state(
        &self,
        id: SessionId,
        is_connected: bool,
        is_ready: bool,
    ) -> Result<Option<Session>, StoreError> {
        let mut expression = "SET is_connected = :connected, is_ready = :ready, updated_at = :now".to_owned();
        let mut request = self.update_worker_session(id);
        if is_connected {
            expression += ", channel = :worker, phone_number_id = if_not_exists(phone_number_id, :number) \
                           REMOVE qr, qr_expires_at, pairing_code, pairing_error";
            request = request.expression_attribute_values(":number", string(worker_number(id)));
        }
        let request = request
            .update_expression(expression)
            .condition_expression(
                "attribute_exists(pk) AND (channel = :worker OR attribute_not_exists(phone_number_id))",
            )
            .expression_attribute_values(":connected", AttributeValue::Bool(is_connected))
            .expression_attribute_values(":ready", AttributeValue::Bool(is_ready))
            .expression_attribute_values(":worker", string("worker"))
            .expression_attribute_values(":now", string(self.system.now().to_string()));
        self.row_after("setting a session's state", SESSION, request).await
    }

    /// A page of a session's unfinished messages: those of a worker that has them included.
    pub async fn worker_outbox(
        &self,
        session_id: SessionId,
        start: Option<HashMap<String, AttributeValue>>,
    ) -> Result<OutboxPage, StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("due")
            .key_condition_expression("due_key = :key")
            .expression_attribute_values(":key", string(worker_due_key(session_id)))
            .set_exclusive_start_key(start)
            .limit(PAGE)
            .send()
            .await
            .map_err(StoreError::request("reading a worker's outbox"))?;
        let keys = output.items().iter().filter_map(Key::from_item);
        let keys = keys.filter_map(|key| key.message_key()).collect();
        Ok(OutboxPage { keys, next: output.last_evaluated_key })
    }

    /// Up to 100 messages, read consistently.
    pub async fn worker_messages(
        &self,
        keys: Vec<MessageKey>,
    ) -> Result<HashMap<MessageKey, WorkerMessage>, StoreError> {
        let keys = keys.iter().map(Key::message).collect();
        let rows = self.get_all("reading a worker's messages", keys).await?.into_values();
        rows.map(|item| item::read::<WorkerMessage>(MESSAGE, item).map(|row| (row.message.key(), row))).collect()
    }

    /// Gives a pending message to a worker. The row as it is then: of all who try, one finds his own lease on it.
    pub async fn lease_to_worker(
        &self,
        row: &WorkerMessage,
        lease: &str,
        until: Timestamp,
    ) -> Result<Option<WorkerMessage>, StoreError> {
        let Some(status) = MessageStatus::Pending.on(DeliveryEvent::Claimed) else { return Ok(None) };
        let request = self
            .update_worker_message(row, status)
            .update_expression("SET #status = :status, status_rank = :rank, lease = :lease, lease_until = :until")
            .condition_expression("#status = :pending")
            .expression_attribute_values(":pending", string(MessageStatus::Pending.as_str()))
            .expression_attribute_values(":lease", string(lease))
            .expression_attribute_values(":until", string(until.to_string()));
        self.row_after("leasing a message", MESSAGE, request).await
    }

    /// Fails a pending message whose time is over. The row as it is then.
    pub async fn expire_for_worker(
        &self,
        row: &WorkerMessage,
        error: &str,
    ) -> Result<Option<WorkerMessage>, StoreError> {
        let Some(status) = MessageStatus::Pending.on(DeliveryEvent::Expired) else { return Ok(None) };
        let request = self
            .update_worker_message(row, status)
            .update_expression(
                "SET #status = :status, status_rank = :rank, #error = :error, failed_at = :now REMOVE due_key, due_at",
            )
            .condition_expression("#status = :pending")
            .expression_attribute_names("#error", "error")
            .expression_attribute_values(":pending", string(MessageStatus::Pending.as_str()))
            .expression_attribute_values(":error", string(error))
            .expression_attribute_values(":now", string(self.system.now().to_string()));
        self.row_after("failing an expired message", MESSAGE, request).await
    }

    /// Ends a lease that ran out before `now` without a word. The message may have been sent, so the session's policy
    /// says whether it is given up or offered again. The row as it is then.
    pub async fn end_worker_lease(
        &self,
        row: &WorkerMessage,
        policy: UnknownPolicy,
        now: Timestamp,
        error: &str,
    ) -> Result<Option<WorkerMessage>, StoreError> {
        let decision = match policy {
            UnknownPolicy::Fail => DeliveryEvent::GivenUp,
            UnknownPolicy::Resend => DeliveryEvent::Resent,
        };
        let unknown = MessageStatus::Sending.on(DeliveryEvent::Unanswered);
        let Some(status) = unknown.and_then(|unknown| unknown.on(decision)) else { return Ok(None) };
        let attempt = attempt(now, AttemptOutcome::Unanswered, Some(error));
        let mut set = "SET #status = :status, status_rank = :rank, attempts = :attempts".to_owned();
        let mut remove = "REMOVE lease, lease_until".to_owned();
        let mut request = self.update_worker_message(row, status);
        if status.is_final() {
            set += ", #error = :error, failed_at = :now";
            remove += ", due_key, due_at";
            request = request
                .expression_attribute_names("#error", "error")
                .expression_attribute_values(":error", string(error));
        }
        let request = request
            .update_expression(format!("{set} {remove}"))
            .condition_expression("#status = :sending AND lease = :lease AND lease_until <= :now")
            .expression_attribute_values(":sending", string(MessageStatus::Sending.as_str()))
            .expression_attribute_values(":lease", string(row.lease.as_deref().unwrap_or_default()))
            .expression_attribute_values(":now", string(now.to_string()))
            .expression_attribute_values(":attempts", item::value(&row.message.attempts_with(Some(attempt)))?);
        self.row_after("ending a worker's lease", MESSAGE, request).await
    }

    /// Writes what a worker says of a message that it has under `lease`. The row as it is then: unchanged when the lease
    /// is another or over.
    pub async fn settle_for_worker(
        &self,
        row: &WorkerMessage,
        lease: &str,
        outcome: &WorkerOutcome,
    ) -> Result<Option<WorkerMessage>, StoreError> {
        let now = self.system.now();
        let (event, mut set, attempt) = match outcome {
            WorkerOutcome::Sent { .. } => {
                let set = "SET wamid = :wamid, wamid_key = :wamid_key, accepted_at = :now";
                (DeliveryEvent::Accepted, set.to_owned(), attempt(now, AttemptOutcome::Accepted, None))
            }
            WorkerOutcome::Failed { reason } => {
                let set = "SET #error = :error, failed_at = :now";
                (DeliveryEvent::Rejected, set.to_owned(), attempt(now, AttemptOutcome::Rejected, Some(reason)))
            }
        };
        let Some(status) = MessageStatus::Sending.on(event) else { return Ok(None) };
        let mut request = self.update_worker_message(row, status);
        request = match outcome {
            WorkerOutcome::Sent { id } => request
                .expression_attribute_values(":wamid", string(id))
                .expression_attribute_values(":wamid_key", string(wamid_key(&row.message.phone_number_id, id))),
            WorkerOutcome::Failed { reason } => request
                .expression_attribute_names("#error", "error")
                .expression_attribute_values(":error", string(reason)),
        };
        set += ", #status = :status, status_rank = :rank, attempts = :attempts, settled_lease = :lease \
                REMOVE lease, lease_until, due_key, due_at";
        let request = request
            .update_expression(set)
            .condition_expression("#status = :sending AND lease = :lease AND lease_until > :now")
            .expression_attribute_values(":sending", string(MessageStatus::Sending.as_str()))
            .expression_attribute_values(":lease", string(lease))
            .expression_attribute_values(":now", string(now.to_string()))
            .expression_attribute_values(":attempts", item::value(&row.message.attempts_with(Some(attempt)))?);
        self.row_after("settling a worker's message", MESSAGE, request).await
    }

    fn update_worker_session(&self, id: SessionId) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).set_key(Some(Key::session(id).attributes()))
    }

    fn update_worker_message(&self, row: &WorkerMessage, status: MessageStatus) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::message(&row.message.key()).attributes()))
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":status", string(status.as_str()))
            .expression_attribute_values(":rank", number(status.rank()))
    }

    /// Runs a conditional update, and gives the row as it is after it, whether the condition held or not; `None` when
    /// there is none. A caller who reads from the row whether it says what he wrote is right even when the SDK had to
    /// repeat an update whose answer was lost.
    async fn row_after<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        kind: &'static str,
        request: UpdateItemFluentBuilder,
    ) -> Result<Option<T>, StoreError> {
        let request =
            request.return_values(ReturnValue::AllNew).return_values_on_condition_check_failure(OnFailure::AllOld);
        let item: Option<Item> = match self.retry_on_conflict(|| request.clone().send()).await {
            Ok(output) => output.attributes,
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => refused.item().cloned(),
                _ => return Err(StoreError::request(operation)(error)),
            },
        };
        item.map(|item| item::read(kind, item)).transpose()
    }
}

fn attempt(at: Timestamp, outcome: AttemptOutcome, error: Option<&str>) -> Attempt {
    Attempt { at, outcome, code: None, fbtrace_id: None, error: error.map(str::to_owned) }
}
