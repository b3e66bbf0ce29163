//! Lookup of messages.

use serde::{Deserialize, Serialize};

use super::{
    Store, StoreError,
    inbound::MESSAGE,
    item::{self, Item, string},
    keys::Key,
};
use crate::{
    domain::id::MessageId, domain::message::Message, domain::message_action::Annotations,
    domain::message_key::MessageKey, domain::time::Timestamp, domain::whatsapp_error::WhatsAppError,
};

/// When a message reached each status; `None` for one that it has not reached.
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

/// What else a row knows of its message.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct MessageMetadata {
    /// When it reached each status.
    #[serde(skip)]
    pub statuses: StatusTimes,
    /// What was done to it.
    #[serde(default)]
    pub annotations: Annotations,
    /// What WhatsApp charges for it, as its JSON.
    pub pricing: Option<String>,
    /// The conversation that is charged, as its JSON.
    pub conversation: Option<String>,
    /// Why it failed, as WhatsApp says it.
    #[serde(default)]
    pub errors: Vec<WhatsAppError>,
    /// When it was first received.
    pub received_at: Option<Timestamp>,
    /// How often it was delivered again.
    #[serde(default)]
    pub duplicates: u64,
}

impl MessageMetadata {
    /// Reads a message's row.
    pub(super) fn read(item: Item) -> Result<Self, StoreError> {
        let statuses = item::read(MESSAGE, item.clone())?;
        Ok(Self { statuses, ..item::read(MESSAGE, item)? })
    }
}

impl Store {
    /// Returns the key of the message with this id. Eventually consistent.
    pub async fn message_by_id(&self, id: MessageId) -> Result<Option<MessageKey>, StoreError> {
        let keys = self.keys_by_id("querying a message by id", id).await?;
        Ok(keys.iter().find_map(|key| key.message_key()))
    }

    /// Returns the keys of all items with this id. An identity has the id of its chat. Eventually consistent.
    pub(super) async fn keys_by_id(&self, operation: &'static str, id: impl ToString) -> Result<Vec<Key>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by_id")
            .key_condition_expression("id = :id")
            .expression_attribute_values(":id", string(id.to_string()));
        self.keys(operation, query).await
    }

    /// Returns a message with its metadata.
    pub async fn message(&self, key: &MessageKey) -> Result<Option<(Message, MessageMetadata)>, StoreError> {
        let Some(item) = self.get("reading a message", &Key::message(key)).await? else { return Ok(None) };
        read_message(item).map(Some)
    }
}

/// Reads a message and its metadata, which are attributes of the same item.
pub(super) fn read_message(item: Item) -> Result<(Message, MessageMetadata), StoreError> {
    Ok((item::read(MESSAGE, item.clone())?, MessageMetadata::read(item)?))
}
