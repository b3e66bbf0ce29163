//! Statuses of outbound messages. They move forward only, whatever their order of arrival.

use super::{
    Messages, StoreError,
    item::{self, Item, string},
    keys::{Key, wamid_key},
    message_item::compressed,
    update::{UpdateBuilder, WriteOutcome},
};
use crate::domain::{
    consent::{ConsentDecision, ConsentSource, MarketingConsent},
    message::{Message, Receipt},
    message_action::ParticipantReceipt,
    message_key::MessageKey,
    status_update::StatusUpdate,
    whatsapp_error::MARKETING_STOPPED,
};
use aws_sdk_dynamodb::types::AttributeValue;

/// The outcome of applying a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// This number has no such message.
    Missing,
    /// The message moved to this status.
    Moved(Receipt),
    /// The message already had this status or a later one.
    Known,
}

impl Messages<'_> {
    /// Applies a status to the message at `key`. If it says that the contact stopped marketing messages, records that.
    pub async fn apply_status(self, key: &MessageKey, update: &StatusUpdate) -> Result<Applied, StoreError> {
        let applied = self.apply(key, update).await?;
        if applied != Applied::Missing
            && update.participant.is_none()
            && update.errors.iter().any(|error| error.code == Some(MARKETING_STOPPED))
        {
            let decision = ConsentDecision { marketing: MarketingConsent::Denied, since: update.at };
            self.0.chats().record_consent(key.chat_id, ConsentSource::Whatsapp, decision).await?;
        }
        Ok(applied)
    }

    async fn apply(self, key: &MessageKey, update: &StatusUpdate) -> Result<Applied, StoreError> {
        let Some(participant) = &update.participant else { return self.advance(key, update).await };
        let receipt = ParticipantReceipt {
            participant: participant.clone(),
            receipt: update.receipt,
            at: update.at,
            errors: update.errors.clone(),
        };
        let is_ours = |message: &Message| message.from_me && message.phone_number_id == update.phone_number_id;
        let annotated =
            self.annotate(key, |annotations, message| is_ours(message) && annotations.apply_receipt(&receipt)).await?;
        if !annotated.is_some_and(|annotated| is_ours(&annotated.before)) {
            return Ok(Applied::Missing);
        }
        // A participant's status proves only that the message was sent to the group.
        match update.receipt {
            Receipt::Failed => Ok(Applied::Known),
            _ => {
                let sent = StatusUpdate { receipt: Receipt::Sent, ..update.clone() };
                self.advance(key, &sent).await
            }
        }
    }

    async fn advance(self, key: &MessageKey, received: &StatusUpdate) -> Result<Applied, StoreError> {
        let (applied, item) = match self.read_passed(key, received.receipt).await? {
            Some(item) => (self.record_passed_status(key, received, Some(&item)).await?, Some(item)),
            None => self.move_to(key, received).await?,
        };
        // Also for a repeated status: an earlier process may have ended before it changed the target.
        if applied != Applied::Missing && item.as_ref().and_then(|item| item.get("type")) == Some(&string("reaction")) {
            self.sync_reaction(key).await?;
        }
        Ok(applied)
    }

    /// Returns the message's item if the message has passed a status, as far as a cheap read shows. Only `sent` is worth
    /// the read: settling a message has usually recorded it, and a refused write costs twice as much. The read may be
    /// outdated, but a message that was sent stays sent.
    async fn read_passed(self, key: &MessageKey, receipt: Receipt) -> Result<Option<Item>, StoreError> {
        if receipt != Receipt::Sent {
            return Ok(None);
        }
        let item = self.0.get_eventually("reading a message's status", &Key::message(key)).await?;
        let rank = |item: &Item| item.get("status_rank")?.as_n().ok()?.parse::<u8>().ok();
        Ok(item.filter(|item| rank(item).is_some_and(|rank| rank >= receipt.status().rank())))
    }

    /// Moves a message to a status, unless it has passed it. Returns the message's item as well.
    async fn move_to(self, key: &MessageKey, received: &StatusUpdate) -> Result<(Applied, Option<Item>), StoreError> {
        let status = received.receipt.status();
        let update = UpdateBuilder::new(&Key::message(key))
            .set("status", status)
            .set("status_rank", status.rank())
            .set_if_absent(time_attribute(received.receipt), received.at)
            .set_if_absent("wamid", &received.wamid)
            .set_if_absent("wamid_key", wamid_key(&received.phone_number_id, &received.wamid))
            // A message that was delivered after all didn't fail.
            .set_or_remove("error", received.error.as_ref())
            .remove(["due_key", "due_at", "lease", "lease_until"])
            // WhatsApp no longer holds the message back.
            .remove(["message_status"])
            .condition(("phone_number_id = ?", &received.phone_number_id))
            .condition(("from_me = ?", true))
            .condition(("status_rank < ?", status.rank()));
        let update = details(update, received)?.returning_new();
        Ok(match self.0.update("applying a status", update).await? {
            WriteOutcome::Written { item } => (Applied::Moved(received.receipt), item),
            WriteOutcome::Refused { item } => (self.record_passed_status(key, received, item.as_ref()).await?, item),
        })
    }

    /// Records the time of a status that the message has already passed. `sent` is recorded only if it says more than
    /// that WhatsApp accepted the message, which `accepted_at` says. Its pricing alone isn't recorded: a later status
    /// has it too.
    async fn record_passed_status(
        self,
        key: &MessageKey,
        update: &StatusUpdate,
        row: Option<&Item>,
    ) -> Result<Applied, StoreError> {
        let attribute = time_attribute(update.receipt);
        let Some(row) = row else { return Ok(Applied::Missing) };
        let is_ours = row.get("phone_number_id") == Some(&string(&update.phone_number_id))
            && row.get("from_me") == Some(&AttributeValue::Bool(true));
        if !is_ours {
            return Ok(Applied::Missing);
        }
        let is_news = match update.receipt {
            Receipt::Sent => {
                let is_new = |name: &str, is_given: bool| is_given && !row.contains_key(name);
                // A group's statuses are about its participants: no later one is about the whole message.
                let is_in_group = update.participant.is_some();
                row.contains_key("message_status")
                    || (is_new(attribute, true) && is_new("accepted_at", true))
                    || is_new("errors", !update.errors.is_empty())
                    || is_new("pricing", is_in_group && update.pricing.is_some())
                    // Only `sent` has the conversation's expiration.
                    || is_new("conversation", update.conversation.is_some())
            }
            _ => !row.contains_key(attribute),
        };
        if !is_news {
            return Ok(Applied::Known);
        }
        let passed = UpdateBuilder::new(&Key::message(key))
            .set_if_absent(attribute, update.at)
            .remove(["message_status"])
            .condition("attribute_exists(pk)");
        let passed = details(passed, update)?;
        self.0.update_if("recording the time of a status", passed).await.map(|_| Applied::Known)
    }

    /// Returns the key of the message with this wamid. Eventually consistent.
    pub async fn find_by_wamid(self, phone_number_id: &str, wamid: &str) -> Result<Option<MessageKey>, StoreError> {
        Ok(self.keys_by_wamid(phone_number_id, wamid).await?.first().copied())
    }

    /// Returns the keys of the messages with this wamid. There are several while a device's copy of a message is stored
    /// that the API sent.
    pub(super) async fn keys_by_wamid(self, phone_number_id: &str, wamid: &str) -> Result<Vec<MessageKey>, StoreError> {
        let keys = self.0.keys_by_wamid_key("querying a message by wamid", wamid_key(phone_number_id, wamid)).await?;
        Ok(keys.iter().filter_map(Key::message_key).collect())
    }
}

/// Adds what a status says besides the status itself. The first status that says it counts.
fn details(update: UpdateBuilder, received: &StatusUpdate) -> Result<UpdateBuilder, StoreError> {
    let errors = (!received.errors.is_empty()).then(|| item::value(&received.errors)).transpose()?;
    Ok(update
        .set_if_absent("pricing", received.pricing.as_deref().map(compressed).transpose()?.flatten())
        .set_if_absent("conversation", received.conversation.as_deref().map(compressed).transpose()?.flatten())
        .set_if_absent("errors", errors))
}

/// Returns the attribute with the time of a status.
fn time_attribute(receipt: Receipt) -> &'static str {
    match receipt {
        Receipt::Sent => "sent_at",
        Receipt::Delivered => "delivered_at",
        Receipt::Read => "read_at",
        Receipt::Played => "played_at",
        Receipt::Failed => "failed_at",
    }
}
