//! The outbox: claiming a pending message, settling it, and keeping the order of its chat.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure},
};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Store, StoreError,
    inbound::MESSAGE,
    item::{self, Item, number, string},
    keys::{Key, wamid_key},
};
use crate::{
    domain::id::ChatId,
    domain::message::{Attempt, DeliveryEvent, Message, MessageStatus},
    domain::message_key::MessageKey,
    domain::time::Timestamp,
};

/// A message and what `deliver` alone knows of it.
#[derive(Clone, Debug, Deserialize)]
pub struct OutboxMessage {
    /// The message.
    #[serde(flatten)]
    pub message: Message,
    /// When this chat may be sent to next, if it had been sent to in no burst: see [`crate::domain::pacing::PairPace`].
    #[serde(default)]
    pub pair_tat: Option<Timestamp>,
    /// Not to be posted before this time.
    #[serde(default)]
    pub not_before: Option<Timestamp>,
    /// When the schedule looks at the message.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
    /// When a message that is being posted may have been left behind.
    #[serde(default)]
    pub lease_until: Option<Timestamp>,
    /// Whether later messages of the chat wait for this one.
    #[serde(default)]
    pub waiting: bool,
}

/// What claiming a message found.
#[derive(Debug)]
pub enum Claim {
    /// It is ours to post until the lease ends.
    Claimed(Box<OutboxMessage>),
    /// Another `deliver` has it, it has been settled, or its time has not come.
    Taken,
    /// There is no such message.
    Missing,
}

/// What is written when a message is claimed.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// A random id of this try, by which a try whose answer was lost knows its own success.
    pub id: Uuid,
    /// The time of the claim.
    pub now: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// The chat's pace after this message.
    pub pair_tat: Timestamp,
    /// When the schedule should look at the message again, where that is not written already.
    pub due_at: Option<Timestamp>,
}

/// A change of a message's status by `deliver`.
#[derive(Clone, Debug)]
pub struct Change {
    /// What happened.
    pub event: DeliveryEvent,
    /// WhatsApp's id, once there is one.
    pub wamid: Option<String>,
    /// Why, for whoever sent it.
    pub error: Option<String>,
    /// When to look at the message again; `None` when there is nothing left to do.
    pub due_at: Option<Timestamp>,
    /// Not to be posted before `due_at`, even when the stream brings the message again.
    pub holds: bool,
    /// What is added to the message's attempts.
    pub attempt: Option<Attempt>,
}

impl Store {
    /// Takes a pending message whose time has come. Of all that try, one succeeds.
    pub async fn claim(&self, key: &MessageKey, lease: &Lease) -> Result<Claim, StoreError> {
        let mut set = "SET #status = :status, status_rank = :rank, lease = :lease, lease_until = :until, \
                       pair_tat = :pair_tat, attempt_count = if_not_exists(attempt_count, :zero) + :one"
            .to_owned();
        let mut request = self.update_message(key, MessageStatus::Sending);
        if let Some(due_at) = lease.due_at {
            set += ", due_at = :due_at";
            request = request.expression_attribute_values(":due_at", string(due_at.to_string()));
        }
        let request = request
            .update_expression(set + " REMOVE not_before")
            .condition_expression("#status = :pending AND (attribute_not_exists(not_before) OR not_before <= :now)")
            .expression_attribute_values(":pending", string(MessageStatus::Pending.as_str()))
            .expression_attribute_values(":now", string(lease.now.to_string()))
            .expression_attribute_values(":lease", string(lease.id.to_string()))
            .expression_attribute_values(":until", string(lease.until.to_string()))
            .expression_attribute_values(":pair_tat", string(lease.pair_tat.to_string()))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllNew);
        let item = match self.retry_on_conflict(|| request.clone().send()).await {
            Ok(output) => output.attributes,
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => match refused.item() {
                    Some(item) if item.get("lease") == Some(&string(lease.id.to_string())) => Some(item.clone()),
                    Some(_) => return Ok(Claim::Taken),
                    None => None,
                },
                _ => return Err(StoreError::request("claiming a message")(error)),
            },
        };
        match item {
            Some(item) => Ok(Claim::Claimed(Box::new(item::read(MESSAGE, item)?))),
            None => Ok(Claim::Missing),
        }
    }

    /// Writes how a post ended, unless a status or the end of the lease said more in the meantime. Whether later
    /// messages of the chat wait for this one.
    pub async fn settle(&self, claimed: &OutboxMessage, lease: Uuid, change: &Change) -> Result<bool, StoreError> {
        let key = claimed.message.key();
        let attempts_value = item::value(&claimed.message.attempts_with(change.attempt.clone()))?;
        let Some((request, expression)) = self.change(&claimed.message, MessageStatus::Sending, change)? else {
            return Ok(false);
        };
        let request = request
            .update_expression(expression)
            .condition_expression("#status = :from AND lease = :lease")
            .expression_attribute_values(":lease", string(lease.to_string()))
            .return_values(ReturnValue::AllNew);
        match self.retry_on_conflict(|| request.clone().send()).await {
            Ok(output) => Ok(output.attributes.is_some_and(|item| has_waiting(&item))),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    let waiting = refused.item().is_some_and(has_waiting);
                    let settled = refused.item().and_then(|item| item.get("attempts")) == Some(&attempts_value);
                    if let (Some(wamid), false) = (&change.wamid, settled) {
                        self.settle_late(&key, &claimed.message.phone_number_id, wamid, attempts_value).await?;
                    }
                    Ok(waiting)
                }
                _ => Err(StoreError::request("settling a message")(error)),
            },
        }
    }

    /// WhatsApp's acceptance of a message that has moved on: the lease ran out, or a status came first. It counts like the
    /// receipt `sent`, by rank. The first try is for the one, the second for the other.
    async fn settle_late(
        &self,
        key: &MessageKey,
        phone_number_id: &str,
        wamid: &str,
        attempts: AttributeValue,
    ) -> Result<(), StoreError> {
        let learn = "wamid = if_not_exists(wamid, :wamid), wamid_key = if_not_exists(wamid_key, :wamid_key), \
                     accepted_at = if_not_exists(accepted_at, :now), attempts = :attempts";
        let now = string(self.system.now().to_string());
        let revive = self
            .update_message(key, MessageStatus::Sent)
            .update_expression(format!(
                "SET #status = :status, status_rank = :rank, {learn} \
                 REMOVE #error, lease, lease_until, due_key, due_at, not_before"
            ))
            .condition_expression("attribute_exists(pk) AND status_rank < :rank")
            .expression_attribute_names("#error", "error")
            .expression_attribute_values(":wamid", string(wamid))
            .expression_attribute_values(":wamid_key", string(wamid_key(phone_number_id, wamid)))
            .expression_attribute_values(":attempts", attempts.clone())
            .expression_attribute_values(":now", now.clone());
        match self.retry_on_conflict(|| revive.clone().send()).await {
            Ok(_) => return Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => {}
                _ => return Err(StoreError::request("settling a message")(error)),
            },
        }
        self.retry_on_conflict(|| {
            self.client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(Key::message(key).attributes()))
                .update_expression(format!("SET {learn}"))
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_values(":wamid", string(wamid))
                .expression_attribute_values(":wamid_key", string(wamid_key(phone_number_id, wamid)))
                .expression_attribute_values(":attempts", attempts.clone())
                .expression_attribute_values(":now", now.clone())
                .send()
        })
        .await
        .map(drop)
        .map_err(StoreError::request("settling a message"))
    }

    /// Moves a message that nobody is posting: what was found when it was looked at still has to hold. Whether it moved,
    /// and whether later messages of the chat wait for it.
    pub async fn change_if(&self, found: &OutboxMessage, change: &Change) -> Result<Option<bool>, StoreError> {
        let Some((request, expression)) = self.change(&found.message, found.message.status, change)? else {
            return Ok(None);
        };
        let lease = found.lease_until.map(|until| string(until.to_string()));
        let condition = match &lease {
            Some(_) => "#status = :from AND lease_until = :found",
            None => "#status = :from AND attribute_not_exists(lease_until)",
        };
        let mut request =
            request.update_expression(expression).condition_expression(condition).return_values(ReturnValue::AllNew);
        if let Some(until) = lease {
            request = request.expression_attribute_values(":found", until);
        }
        match self.retry_on_conflict(|| request.clone().send()).await {
            Ok(output) => Ok(Some(output.attributes.is_some_and(|item| has_waiting(&item)))),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
                _ => Err(StoreError::request("moving a message")(error)),
            },
        }
    }

    /// Lets a pending message wait until `due_at`, without another change.
    pub async fn wait_until(&self, key: &MessageKey, due_at: Timestamp) -> Result<(), StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::message(key).attributes()))
            .update_expression("SET due_at = :due_at")
            .condition_expression("#status = :pending")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":pending", string(MessageStatus::Pending.as_str()))
            .expression_attribute_values(":due_at", string(due_at.to_string()));
        self.update_if("letting a message wait", request).await.map(drop)
    }

    /// The update of a message's status, and its expression; `None` when the event changes nothing.
    fn change(
        &self,
        message: &Message,
        from: MessageStatus,
        change: &Change,
    ) -> Result<Option<(UpdateItemFluentBuilder, String)>, StoreError> {
        let Some(to) = from.on(change.event) else { return Ok(None) };
        let now = string(self.system.now().to_string());
        let mut set = "SET #status = :status, status_rank = :rank".to_owned();
        let mut remove = " REMOVE lease, lease_until".to_owned();
        let mut request = self
            .update_message(&message.key(), to)
            .expression_attribute_names("#error", "error")
            .expression_attribute_values(":from", string(from.as_str()));
        match &change.error {
            Some(error) => {
                set += ", #error = :error";
                request = request.expression_attribute_values(":error", string(error));
            }
            None => remove += ", #error",
        }
        if let Some(wamid) = &change.wamid {
            set += ", wamid = :wamid, wamid_key = :wamid_key, accepted_at = :now";
            request = request
                .expression_attribute_values(":wamid", string(wamid))
                .expression_attribute_values(":wamid_key", string(wamid_key(&message.phone_number_id, wamid)))
                .expression_attribute_values(":now", now);
        } else if to == MessageStatus::Failed {
            set += ", failed_at = if_not_exists(failed_at, :now)";
            request = request.expression_attribute_values(":now", now);
        }
        if change.attempt.is_some() {
            set += ", attempts = :attempts";
            let attempts = item::value(&message.attempts_with(change.attempt.clone()))?;
            request = request.expression_attribute_values(":attempts", attempts);
        }
        match change.due_at {
            Some(due_at) => {
                set += ", due_at = :due_at";
                if change.holds {
                    set += ", not_before = :due_at";
                }
                request = request.expression_attribute_values(":due_at", string(due_at.to_string()));
            }
            None => remove += ", due_key, due_at, not_before",
        }
        Ok(Some((request, set + &remove)))
    }

    /// Annotations on a message that a later one of its chat waits for it. `false` when there is nothing to wait for: it is
    /// final, or not there.
    pub async fn wait_for(&self, predecessor: &MessageKey) -> Result<bool, StoreError> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::message(predecessor).attributes()))
            .update_expression("SET waiting = :true")
            .condition_expression("#status IN (:pending, :sending, :unknown)")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":pending", string(MessageStatus::Pending.as_str()))
            .expression_attribute_values(":sending", string(MessageStatus::Sending.as_str()))
            .expression_attribute_values(":unknown", string(MessageStatus::Unknown.as_str()));
        self.update_if("waiting for a message", request).await
    }

    /// A message as `deliver` sees it.
    pub async fn outbox_message(&self, key: &MessageKey) -> Result<Option<OutboxMessage>, StoreError> {
        self.get("reading a message", &Key::message(key)).await?.map(|item| item::read(MESSAGE, item)).transpose()
    }

    /// The pending messages of a chat after `key`, in order, up to one page of the table.
    pub async fn followers(&self, key: &MessageKey) -> Result<Vec<OutboxMessage>, StoreError> {
        let Key { pk, sk } = Key::message(key);
        let mut start: Option<HashMap<String, AttributeValue>> = None;
        loop {
            let output = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :pk AND sk BETWEEN :after AND :end")
                .filter_expression("from_me = :true AND #status = :pending")
                .expression_attribute_names("#status", "status")
                .expression_attribute_values(":pk", string(&pk))
                .expression_attribute_values(":after", string(format!("{sk}\u{1}")))
                .expression_attribute_values(":end", string("MESSAGE#~"))
                .expression_attribute_values(":true", AttributeValue::Bool(true))
                .expression_attribute_values(":pending", string(MessageStatus::Pending.as_str()))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(StoreError::request("reading the messages that wait"))?;
            let messages: Vec<OutboxMessage> = output
                .items
                .unwrap_or_default()
                .into_iter()
                .map(|item| item::read(MESSAGE, item))
                .collect::<Result<_, StoreError>>()?;
            start = output.last_evaluated_key;
            if !messages.is_empty() || start.is_none() {
                return Ok(messages);
            }
        }
    }

    /// Annotations where WhatsApp says that a contact is reached.
    pub async fn learn_wa_id(&self, chat_id: ChatId, wa_id: &str) -> Result<(), StoreError> {
        self.update_live_chat("noting a wa_id", chat_id, |update| {
            update
                .update_expression("SET wa_id = :wa_id")
                .condition_expression("attribute_exists(pk) AND attribute_not_exists(merged_into)")
                .expression_attribute_values(":wa_id", string(wa_id))
        })
        .await
    }

    fn update_message(&self, key: &MessageKey, status: MessageStatus) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::message(key).attributes()))
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":status", string(status.as_str()))
            .expression_attribute_values(":rank", number(status.rank()))
            .return_values_on_condition_check_failure(OnFailure::AllOld)
    }

    /// Runs a conditional update; whether its condition held.
    pub(super) async fn update_if(
        &self,
        operation: &'static str,
        request: UpdateItemFluentBuilder,
    ) -> Result<bool, StoreError> {
        match self.retry_on_conflict(|| request.clone().send()).await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(StoreError::request(operation)(error)),
            },
        }
    }
}

fn has_waiting(item: &Item) -> bool {
    item.get("waiting") == Some(&AttributeValue::Bool(true))
}
