//! What became of messages that went out: WhatsApp's statuses, applied forward only, whatever order they come in.

use std::time::Duration;

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure as OnFailure},
};
use serde::{Deserialize, Serialize};

use super::{
    Store, StoreError,
    item::{self, Item, number, string},
    keys::{Key, MessageKey, wamid_key, wamid_pk},
};
use crate::{
    message::{MessageStatus, Receipt},
    time::Timestamp,
};

/// How long a status waits for its message. WhatsApp repeats webhooks for 7 days.
const PARKED_LIFETIME: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// One status of one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusUpdate {
    /// The number that sent the message.
    pub phone_number_id: String,
    /// The message, as WhatsApp names it.
    pub wamid: String,
    /// What happened.
    pub receipt: Receipt,
    /// When, by WhatsApp's clock.
    pub at: Timestamp,
    /// Why it failed.
    pub error: Option<String>,
}

impl Store {
    /// Applies a status to the message at `key`. `false` when there is no such message of this number.
    pub async fn apply_status(&self, key: &MessageKey, update: &StatusUpdate) -> Result<bool, StoreError> {
        let status = update.receipt.status();
        let mut set = format!(
            "SET #status = :status, status_rank = :rank, {0} = if_not_exists({0}, :at), \
             wamid = if_not_exists(wamid, :wamid), wamid_key = if_not_exists(wamid_key, :wamid_key)",
            time_attribute(status),
        );
        let mut remove = "REMOVE due_key, due_at, lease, lease_until".to_owned();
        if update.error.is_some() {
            set += ", #error = :error";
        } else {
            // What was delivered after all did not fail.
            remove += ", #error";
        }
        let mut request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.key().attributes()))
            .update_expression(format!("{set} {remove}"))
            .condition_expression("phone_number_id = :number AND from_me = :true AND status_rank < :rank")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#error", "error")
            .expression_attribute_values(":status", string(status.as_str()))
            .expression_attribute_values(":rank", number(status.rank()))
            .expression_attribute_values(":at", string(update.at.to_string()))
            .expression_attribute_values(":wamid", string(&update.wamid))
            .expression_attribute_values(":wamid_key", string(wamid_key(&update.phone_number_id, &update.wamid)))
            .expression_attribute_values(":number", string(&update.phone_number_id))
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        if let Some(error) = &update.error {
            request = request.expression_attribute_values(":error", string(error));
        }
        match self.past_conflicts(|| request.clone().send()).await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    self.note_passed_status(key, update, refused.item()).await
                }
                _ => Err(StoreError::request("applying a status")(error)),
            },
        }
    }

    /// A status that the message has passed already still has a time, which is noted once.
    async fn note_passed_status(
        &self,
        key: &MessageKey,
        update: &StatusUpdate,
        row: Option<&Item>,
    ) -> Result<bool, StoreError> {
        let attribute = time_attribute(update.receipt.status());
        let Some(row) = row else { return Ok(false) };
        let is_ours = row.get("phone_number_id") == Some(&string(&update.phone_number_id))
            && row.get("from_me") == Some(&AttributeValue::Bool(true));
        if !is_ours {
            return Ok(false);
        }
        if row.contains_key(attribute) {
            return Ok(true);
        }
        self.past_conflicts(|| {
            self.client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(key.key().attributes()))
                .update_expression(format!("SET {attribute} = if_not_exists({attribute}, :at)"))
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_values(":at", string(update.at.to_string()))
                .send()
        })
        .await
        .map(|_| true)
        .map_err(StoreError::request("noting the time of a status"))
    }

    /// The message that WhatsApp knows by this id.
    pub async fn message_by_wamid(&self, phone_number_id: &str, wamid: &str) -> Result<Option<MessageKey>, StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("wamid")
            .key_condition_expression("wamid_key = :key")
            .expression_attribute_values(":key", string(wamid_key(phone_number_id, wamid)))
            .limit(1)
            .send()
            .await
            .map_err(StoreError::request("finding a message by its wamid"))?;
        Ok(output.items().first().and_then(Key::from_item).and_then(|key| MessageKey::from_key(&key.pk, &key.sk)))
    }

    /// Keeps a status until its message is known. Once per message and status.
    pub async fn park_status(&self, update: &StatusUpdate) -> Result<(), StoreError> {
        let key = Key::parked_status(&update.phone_number_id, &update.wamid, update.receipt);
        let mut item = item::write("parked_status", &key, update)?;
        let expires_at = (self.system.now)().after(PARKED_LIFETIME).seconds();
        item.insert("expires_at".to_owned(), number(expires_at));
        self.keep("parking a status", item, Vec::new()).await
    }

    /// The statuses that wait for a message.
    pub async fn parked_statuses(&self, phone_number_id: &str, wamid: &str) -> Result<Vec<StatusUpdate>, StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", string(wamid_pk(phone_number_id, wamid)))
            .consistent_read(true)
            .send()
            .await
            .map_err(StoreError::request("reading parked statuses"))?;
        output.items.unwrap_or_default().into_iter().map(|item| item::read("parked status", item)).collect()
    }
}

/// The attribute that keeps when a status was reached.
fn time_attribute(status: MessageStatus) -> &'static str {
    match status {
        MessageStatus::Sent => "sent_at",
        MessageStatus::Delivered => "delivered_at",
        MessageStatus::Read => "read_at",
        MessageStatus::Played => "played_at",
        MessageStatus::Failed | MessageStatus::Undelivered => "failed_at",
        MessageStatus::Received | MessageStatus::Pending | MessageStatus::Sending | MessageStatus::Unknown => {
            "noted_at"
        }
    }
}
