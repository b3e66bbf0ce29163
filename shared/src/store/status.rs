//! What became of messages that went out: WhatsApp's statuses, applied forward only, whatever order they come in.

use super::{
    Store, StoreError,
    item::{self, Item, string},
    keys::{Key, wamid_key},
    update::{UpdateBuilder, WriteOutcome},
};
use crate::{
    domain::message::{Message, MessageStatus, Receipt},
    domain::message_action::ParticipantReceipt,
    domain::message_key::MessageKey,
    domain::status_update::StatusUpdate,
};
use aws_sdk_dynamodb::types::AttributeValue;

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

    async fn advance(&self, key: &MessageKey, received: &StatusUpdate) -> Result<Applied, StoreError> {
        let status = received.receipt.status();
        let update = UpdateBuilder::new(&Key::message(key))
            .set("status", status)
            .set("status_rank", status.rank())
            // The stream filter of `deliver` selects messages that a status settled: later messages may wait for them.
            .set("settled_by", "status")
            .set_if_absent(time_attribute(status), received.at)
            .set_if_absent("wamid", &received.wamid)
            .set_if_absent("wamid_key", wamid_key(&received.phone_number_id, &received.wamid))
            // A message that was delivered after all didn't fail.
            .set_or_remove("error", received.error.as_ref())
            .remove(["due_key", "due_at", "lease", "lease_until"])
            .condition(("phone_number_id = ?", &received.phone_number_id))
            .condition(("from_me = ?", true))
            .condition(("status_rank < ?", status.rank()));
        match self.update("applying a status", details(update, received)?).await? {
            WriteOutcome::Written { .. } => Ok(Applied::Moved(received.receipt)),
            WriteOutcome::Refused { item } => self.record_passed_status(key, received, item.as_ref()).await,
        }
    }

    /// A status that the message has passed already still has a time, which is noted once.
    async fn record_passed_status(
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
        let passed = UpdateBuilder::new(&Key::message(key))
            .set_if_absent(attribute, update.at)
            .condition("attribute_exists(pk)");
        let passed = details(passed, update)?;
        self.update_if("recording the time of a status", passed).await.map(|_| Applied::Known)
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

/// Adds what a status says besides the status itself. The first status that says it counts.
fn details(update: UpdateBuilder, received: &StatusUpdate) -> Result<UpdateBuilder, StoreError> {
    let errors = (!received.errors.is_empty()).then(|| item::value(&received.errors)).transpose()?;
    Ok(update
        .set_if_absent("pricing", received.pricing.as_ref())
        .set_if_absent("conversation", received.conversation.as_ref())
        .set_if_absent("errors", errors))
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
