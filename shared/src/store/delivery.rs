//! The outbox: claiming a pending message, settling it, and finding what the stream did not bring.

use aws_sdk_dynamodb::{
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure as OnFailure},
};
use uuid::Uuid;

use super::{
    Store, StoreError,
    inbound::MESSAGE,
    item::{self, Item, number, string},
    keys::{DUE_SHARDS, Key, MessageKey, due_key, wamid_key},
};
use crate::{
    id::ChatId,
    message::{DeliveryEvent, Message, MessageStatus},
    time::Timestamp,
};

/// What claiming a message found.
#[derive(Debug)]
pub enum Claim {
    /// It is ours to post until the lease ends.
    Claimed(Box<Message>),
    /// Another `deliver` has it, or it has been settled.
    Taken(MessageStatus),
    /// There is no such message.
    Missing,
}

/// How a post ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// WhatsApp accepted the message.
    Accepted {
        /// WhatsApp's id of it.
        wamid: String,
    },
    /// WhatsApp refused it for good.
    Rejected {
        /// WhatsApp's reason.
        error: String,
    },
    /// It certainly was not sent.
    NotSent {
        /// Why not.
        error: String,
        /// When to try again.
        retry_at: Timestamp,
    },
    /// It may have been sent.
    Unanswered {
        /// What is known.
        error: String,
    },
}

impl Settlement {
    fn event(&self) -> DeliveryEvent {
        match self {
            Self::Accepted { .. } => DeliveryEvent::Accepted,
            Self::Rejected { .. } => DeliveryEvent::Rejected,
            Self::NotSent { .. } => DeliveryEvent::NotSent,
            Self::Unanswered { .. } => DeliveryEvent::Unanswered,
        }
    }
}

impl Store {
    /// Takes a pending message under a lease. Of all that try, one succeeds; `lease` is a random id of this try, by which
    /// a try whose answer was lost knows its own success.
    pub async fn claim(&self, key: &MessageKey, lease: Uuid, until: Timestamp) -> Result<Claim, StoreError> {
        let request = self
            .update_message(key, MessageStatus::Sending)
            .update_expression(
                "SET #status = :status, status_rank = :rank, lease = :lease, lease_until = :until ADD attempts :one",
            )
            .condition_expression("#status = :pending")
            .expression_attribute_values(":pending", string(MessageStatus::Pending.as_str()))
            .expression_attribute_values(":lease", string(lease.to_string()))
            .expression_attribute_values(":until", string(until.to_string()))
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllNew);
        let item = match self.past_conflicts(|| request.clone().send()).await {
            Ok(output) => output.attributes,
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => match refused.item().cloned() {
                    Some(item) if item.get("lease") == Some(&string(lease.to_string())) => Some(item),
                    Some(item) => return Ok(Claim::Taken(item::read::<Message>(MESSAGE, item)?.status)),
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

    /// Writes how a post ended, unless a status webhook or the end of the lease said more in the meantime.
    pub async fn settle(&self, message: &Message, lease: Uuid, settlement: &Settlement) -> Result<(), StoreError> {
        let key = MessageKey { chat_id: message.chat_id, time: message.timestamp, message_id: message.id };
        let Some(status) = MessageStatus::Sending.on(settlement.event()) else { return Ok(()) };
        let mut set = "SET #status = :status, status_rank = :rank".to_owned();
        let mut remove = " REMOVE lease, lease_until".to_owned();
        let mut request = self.update_message(&key, status);
        match settlement {
            Settlement::Accepted { wamid } => {
                set += ", wamid = :wamid, wamid_key = :wamid_key, accepted_at = :now";
                remove += ", due_key, due_at, #error";
                request = request
                    .expression_attribute_names("#error", "error")
                    .expression_attribute_values(":wamid", string(wamid))
                    .expression_attribute_values(":wamid_key", string(wamid_key(&message.phone_number_id, wamid)))
                    .expression_attribute_values(":now", string((self.system.now)().to_string()));
            }
            Settlement::Rejected { error } | Settlement::Unanswered { error } => {
                set += ", #error = :error";
                remove += ", due_key, due_at";
                request = request
                    .expression_attribute_names("#error", "error")
                    .expression_attribute_values(":error", string(error));
            }
            Settlement::NotSent { error, retry_at } => {
                set += ", #error = :error, due_at = :retry_at";
                request = request
                    .expression_attribute_names("#error", "error")
                    .expression_attribute_values(":error", string(error))
                    .expression_attribute_values(":retry_at", string(retry_at.to_string()));
            }
        }
        let request = request
            .update_expression(set + &remove)
            .condition_expression("#status = :sending AND lease = :lease")
            .expression_attribute_values(":sending", string(MessageStatus::Sending.as_str()))
            .expression_attribute_values(":lease", string(lease.to_string()));
        match self.past_conflicts(|| request.clone().send()).await {
            Ok(_) => Ok(()),
            Err(error) => match (error.as_service_error(), settlement) {
                (Some(UpdateItemError::ConditionalCheckFailedException(_)), Settlement::Accepted { wamid }) => {
                    self.settle_late(&key, &message.phone_number_id, wamid).await
                }
                (Some(UpdateItemError::ConditionalCheckFailedException(_)), _) => Ok(()),
                _ => Err(StoreError::request("settling a message")(error)),
            },
        }
    }

    /// WhatsApp's acceptance of a message that has moved on: the lease ran out, or a status came first. The first try is
    /// for the one, the second for the other.
    async fn settle_late(&self, key: &MessageKey, phone_number_id: &str, wamid: &str) -> Result<(), StoreError> {
        let learn = "wamid = if_not_exists(wamid, :wamid), wamid_key = if_not_exists(wamid_key, :wamid_key), \
                     accepted_at = if_not_exists(accepted_at, :now)";
        let Some(status) = MessageStatus::Unknown.on(DeliveryEvent::Accepted) else { return Ok(()) };
        let revive = self
            .update_message(key, status)
            .update_expression(format!("SET #status = :status, status_rank = :rank, {learn} REMOVE #error"))
            .condition_expression("#status = :unknown")
            .expression_attribute_names("#error", "error")
            .expression_attribute_values(":unknown", string(MessageStatus::Unknown.as_str()))
            .expression_attribute_values(":wamid", string(wamid))
            .expression_attribute_values(":wamid_key", string(wamid_key(phone_number_id, wamid)))
            .expression_attribute_values(":now", string((self.system.now)().to_string()));
        match self.past_conflicts(|| revive.clone().send()).await {
            Ok(_) => return Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => {}
                _ => return Err(StoreError::request("settling a message")(error)),
            },
        }
        self.past_conflicts(|| {
            self.client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(key.key().attributes()))
                .update_expression(format!("SET {learn}"))
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_values(":wamid", string(wamid))
                .expression_attribute_values(":wamid_key", string(wamid_key(phone_number_id, wamid)))
                .expression_attribute_values(":now", string((self.system.now)().to_string()))
                .send()
        })
        .await
        .map(drop)
        .map_err(StoreError::request("settling a message"))
    }

    /// A message whose `deliver` ended without settling it may have been sent: its lease ran out before `now`.
    pub async fn expire_lease(&self, key: &MessageKey, now: Timestamp) -> Result<(), StoreError> {
        let Some(status) = MessageStatus::Sending.on(DeliveryEvent::Unanswered) else { return Ok(()) };
        let request = self
            .update_message(key, status)
            .update_expression(
                "SET #status = :status, status_rank = :rank, #error = :error REMOVE lease, lease_until, due_key, due_at",
            )
            .condition_expression("#status = :sending AND lease_until < :now")
            .expression_attribute_names("#error", "error")
            .expression_attribute_values(":sending", string(MessageStatus::Sending.as_str()))
            .expression_attribute_values(":now", string(now.to_string()))
            .expression_attribute_values(":error", string("The send was interrupted. It may have gone out"));
        match self.past_conflicts(|| request.clone().send()).await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(StoreError::request("ending a lease")(error)),
            },
        }
    }

    /// Notes where WhatsApp says that a contact is reached.
    pub async fn learn_wa_id(&self, chat_id: ChatId, wa_id: &str) -> Result<(), StoreError> {
        self.past_conflicts(|| {
            self.client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(Key::chat(chat_id).attributes()))
                .update_expression("SET wa_id = :wa_id")
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_values(":wa_id", string(wa_id))
                .send()
        })
        .await
        .map(drop)
        .map_err(StoreError::request("noting a wa_id"))
    }

    /// Messages whose time to be looked at has come, up to `limit` for each shard. An idle table answers with one empty
    /// page, whatever the number of shards.
    pub async fn due(&self, now: Timestamp, limit: i32) -> Result<Vec<MessageKey>, StoreError> {
        let scan = self.client.scan().table_name(&self.table).index_name("due").limit(1);
        let first = scan.send().await.map_err(StoreError::request("looking for due messages"))?;
        if first.items().is_empty() && first.last_evaluated_key().is_none() {
            return Ok(Vec::new());
        }
        let mut due = Vec::new();
        for shard in 0..DUE_SHARDS {
            let output = self
                .client
                .query()
                .table_name(&self.table)
                .index_name("due")
                .key_condition_expression("due_key = :shard AND due_at <= :now")
                .expression_attribute_values(":shard", string(due_key(shard)))
                .expression_attribute_values(":now", string(now.to_string()))
                .limit(limit)
                .send()
                .await
                .map_err(StoreError::request("reading due messages"))?;
            due.extend(output.items().iter().filter_map(message_key));
        }
        Ok(due)
    }

    fn update_message(&self, key: &MessageKey, status: MessageStatus) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.key().attributes()))
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":status", string(status.as_str()))
            .expression_attribute_values(":rank", number(status.rank()))
            .return_values_on_condition_check_failure(OnFailure::AllOld)
    }
}

fn message_key(item: &Item) -> Option<MessageKey> {
    let text = |name: &str| item.get(name).and_then(|value: &AttributeValue| value.as_s().ok());
    MessageKey::from_key(text("pk")?, text("sk")?)
}
