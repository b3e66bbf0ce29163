//! Lookup of messages.

use serde::{Deserialize, Serialize};

use super::{Messages, StoreError, item::Item, keys::Key, message_item};
use crate::domain::{
    id::MessageId, message::Message, message_action::Annotations, message_key::MessageKey, time::Timestamp,
    whatsapp_error::WhatsAppError,
};

/// When a message reached each status; `None` for a status that it hasn't reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct StatusTimes {
    pub accepted_at: Option<Timestamp>,
    pub sent_at: Option<Timestamp>,
    pub delivered_at: Option<Timestamp>,
    pub read_at: Option<Timestamp>,
    pub played_at: Option<Timestamp>,
    pub failed_at: Option<Timestamp>,
}

/// The attributes of a message besides [`Message`].
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct MessageMetadata {
    /// When the message reached each status.
    #[serde(skip)]
    pub statuses: StatusTimes,
    /// Reactions, edits, and deletions of the message.
    #[serde(default)]
    pub annotations: Annotations,
    /// WhatsApp's `pricing` object, as JSON.
    pub pricing: Option<String>,
    /// WhatsApp's `conversation` object, as JSON.
    pub conversation: Option<String>,
    /// WhatsApp's errors, if the message failed.
    #[serde(default)]
    pub errors: Vec<WhatsAppError>,
    /// Number of repeated deliveries.
    #[serde(default)]
    pub duplicates: u64,
}

impl MessageMetadata {
    /// Reads the metadata from a message's item.
    pub(super) fn read(item: Item) -> Result<Self, StoreError> {
        let statuses: StatusTimes = message_item::read(item.clone())?;
        // A message that WhatsApp accepts is `sent` from then on. A status stores a time only if it changes that.
        // Later statuses have WhatsApp's clock, in whole seconds, so they can be earlier than `accepted_at`.
        let later = [statuses.delivered_at, statuses.read_at, statuses.played_at, statuses.failed_at];
        let earliest = later.into_iter().flatten().min();
        let accepted_at = statuses.accepted_at.map(|at| earliest.map_or(at, |earliest| at.min(earliest)));
        let sent_at = statuses.sent_at.or(accepted_at);
        Ok(Self { statuses: StatusTimes { sent_at, ..statuses }, ..message_item::read(item)? })
    }
}

impl Messages<'_> {
    /// Returns the key of the message with this id. Eventually consistent.
    ///
    /// The `wamid` index contains the messages whose id is derived from their wamid, `by_id` the others. Auto-replies
    /// have a derived id, but not from a wamid.
    pub async fn find_by_id(self, id: MessageId) -> Result<Option<MessageKey>, StoreError> {
        let operation = "querying a message by id";
        let find = |keys: Vec<Key>| keys.iter().filter_map(Key::message_key).find(|key| key.message_id == id);
        if id.is_derived()
            && let Some(key) = find(self.0.keys_by_wamid_key(operation, id.to_string()).await?)
        {
            return Ok(Some(key));
        }
        Ok(find(self.0.keys_by_id(operation, id).await?))
    }

    /// Returns the key of the received or imported message with this ID, which is derived. Eventually consistent.
    pub async fn find_received(self, id: MessageId) -> Result<Option<MessageKey>, StoreError> {
        let keys = self.0.keys_by_wamid_key("querying a received message by id", id.to_string()).await?;
        Ok(keys.iter().find_map(Key::message_key))
    }

    /// Returns a message with its metadata.
    pub async fn get(self, key: &MessageKey) -> Result<Option<(Message, MessageMetadata)>, StoreError> {
        let Some(item) = self.0.get("reading a message", &Key::message(key)).await? else { return Ok(None) };
        read_message(item).map(Some)
    }
}

/// Reads a message and its metadata, which are attributes of the same item.
pub(super) fn read_message(item: Item) -> Result<(Message, MessageMetadata), StoreError> {
    Ok((message_item::read(item.clone())?, MessageMetadata::read(item)?))
}
