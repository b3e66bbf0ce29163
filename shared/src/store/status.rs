//! What became of messages that went out: WhatsApp's statuses, applied forward only, whatever order they come in.

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure as OnFailure},
};

use super::{
    Store, StoreError,
    item::{self, Item, number, string},
    keys::{Key, wamid_key},
};
use crate::{
    domain::message::{Message, MessageStatus, Receipt},
    domain::message_action::ParticipantReceipt,
    domain::message_key::MessageKey,
    domain::status_update::StatusUpdate,
};

/// What applying a status found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// There is no such message of this number.
    Missing,
    /// The message is at this status now.
    Moved(Receipt),
    /// The message was there or further already.
    Known,
}

impl Store {
    /// Applies a status to the message at `key`.
    pub async fn apply_status(&self, key: &MessageKey, update: &StatusUpdate) -> Result<Applied, StoreError> {
        let Some(participant) = &update.participant else { return self.advance(key, update).await };
        let receipt = ParticipantReceipt {
            participant: participant.clone(),
            receipt: update.receipt,
            at: update.at,
            errors: update.errors.clone(),
        };
        let is_ours = |message: &Message| message.from_me && message.phone_number_id == update.phone_number_id;
        let noted =
            self.annotate(key, |annotations, message| is_ours(message) && annotations.take_receipt(&receipt)).await?;
        if !noted.is_some_and(|noted| is_ours(&noted.before)) {
            return Ok(Applied::Missing);
        }
        // What one member of a group has got was sent to the group, and no more is said of the whole.
        match update.receipt {
            Receipt::Failed => Ok(Applied::Known),
            _ => {
                let sent = StatusUpdate { receipt: Receipt::Sent, participant: None, ..update.clone() };
                self.advance(key, &sent).await
            }
        }
    }

    async fn advance(&self, key: &MessageKey, update: &StatusUpdate) -> Result<Applied, StoreError> {
        let status = update.receipt.status();
        // `settled_by` lets the stream tell a message that only its status settled: others may be waiting for it.
        let mut set = format!(
            "SET #status = :status, status_rank = :rank, settled_by = :by, {0} = if_not_exists({0}, :at), \
             wamid = if_not_exists(wamid, :wamid), wamid_key = if_not_exists(wamid_key, :wamid_key)",
            time_attribute(status),
        );
        let details = details(update)?;
        for (name, _) in &details {
            set += &format!(", {name} = if_not_exists({name}, :{name})");
        }
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
            .set_key(Some(Key::message(&key).attributes()))
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
            .expression_attribute_values(":by", string("status"))
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        for (name, value) in details {
            request = request.expression_attribute_values(format!(":{name}"), value);
        }
        if let Some(error) = &update.error {
            request = request.expression_attribute_values(":error", string(error));
        }
        match self.retry_on_conflict(|| request.clone().send()).await {
            Ok(_) => Ok(Applied::Moved(update.receipt)),
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
    ) -> Result<Applied, StoreError> {
        let attribute = time_attribute(update.receipt.status());
        let Some(row) = row else { return Ok(Applied::Missing) };
        let is_ours = row.get("phone_number_id") == Some(&string(&update.phone_number_id))
            && row.get("from_me") == Some(&AttributeValue::Bool(true));
        if !is_ours {
            return Ok(Applied::Missing);
        }
        if row.contains_key(attribute) {
            return Ok(Applied::Known);
        }
        let mut set = format!("SET {attribute} = if_not_exists({attribute}, :at)");
        let mut request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::message(&key).attributes()))
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":at", string(update.at.to_string()));
        for (name, value) in details(update)? {
            set += &format!(", {name} = if_not_exists({name}, :{name})");
            request = request.expression_attribute_values(format!(":{name}"), value);
        }
        let request = request.update_expression(set);
        self.update_if("noting the time of a status", request).await.map(|_| Applied::Known)
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
            .send()
            .await
            .map_err(StoreError::request("finding a message by its wamid"))?;
        // A piece of a webhook that could not be understood may have had the same id.
        Ok(output.items().iter().filter_map(Key::from_item).find_map(|key| key.message_key()))
    }
}

/// What a row keeps beside status and time, by attribute; the first that comes.
fn details(update: &StatusUpdate) -> Result<Vec<(&'static str, AttributeValue)>, StoreError> {
    let mut details = Vec::new();
    if let Some(pricing) = &update.pricing {
        details.push(("pricing", string(pricing)));
    }
    if let Some(conversation) = &update.conversation {
        details.push(("conversation", string(conversation)));
    }
    if !update.errors.is_empty() {
        details.push(("errors", item::value(&update.errors)?));
    }
    Ok(details)
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
