//! The times of messages whose key can't contain WhatsApp's time.
//!
//! A message's key contains its time, and the key prevents duplicates. That fails for two kinds of messages:
//!
//! - A message from the future gets the time of its receipt, which differs between deliveries.
//! - A call has two webhooks with different times.
//!
//! The first writer stores the time under the message's wamid, and all others use it.

use std::{collections::HashMap, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::json;

use super::{
    Messages, StoreError,
    item::{self, Item, number},
    keys::Key,
    transaction::TRANSACTION_LIMIT,
    update::WriteOutcome,
};
use crate::domain::{inbound::Inbound, time::Timestamp};

const MESSAGE_TIME: &str = "message_time";

/// How long a time is kept. WhatsApp repeats webhooks for 7 days.
pub(super) const LIFETIME: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Concurrent requests.
const PARALLEL: usize = 16;

#[derive(Deserialize)]
struct MessageTime {
    at: Timestamp,
}

fn read(item: Item) -> Result<Timestamp, StoreError> {
    Ok(item::read::<MessageTime>(MESSAGE_TIME, item)?.at)
}

impl Messages<'_> {
    /// Returns messages with the times under which they are stored.
    pub(super) async fn with_fixed_times(
        self,
        phone_number_id: &str,
        messages: Vec<Inbound>,
    ) -> Result<Vec<Inbound>, StoreError> {
        let now = self.0.system.now();
        stream::iter(messages)
            .map(|message| async move {
                if message.call.is_none() && !message.timestamp.is_ahead_of(now) {
                    return Ok(message);
                }
                let at = message.timestamp.clamped_to(now);
                let at = self.fix_time(phone_number_id, &message.wamid, at).await?;
                Ok(message.dated(at))
            })
            .buffered(PARALLEL)
            .try_collect()
            .await
    }

    /// Stores a message's time unless another writer has. Returns the stored time.
    async fn fix_time(self, phone_number_id: &str, wamid: &str, at: Timestamp) -> Result<Timestamp, StoreError> {
        let key = Key::message_time(phone_number_id, wamid);
        let mut item = item::write(MESSAGE_TIME, &key, &json!({"at": at}))?;
        item.insert("expires_at".to_owned(), number(self.0.system.now().after(LIFETIME).seconds()));
        match self.0.put_if("storing a message's time", item, "attribute_not_exists(pk)").await? {
            WriteOutcome::Refused { item: Some(item) } => read(item),
            WriteOutcome::Written { .. } | WriteOutcome::Refused { item: None } => Ok(at),
        }
    }

    /// Returns the stored time of a message, if it isn't WhatsApp's.
    pub async fn known_time(self, phone_number_id: &str, wamid: &str) -> Result<Option<Timestamp>, StoreError> {
        let item = self.0.get("reading a message's time", &Key::message_time(phone_number_id, wamid)).await?;
        item.map(read).transpose()
    }

    /// Returns the stored times of these messages by wamid, as far as they aren't WhatsApp's.
    pub(super) async fn known_times(
        self,
        phone_number_id: &str,
        messages: &[Inbound],
    ) -> Result<HashMap<String, Timestamp>, StoreError> {
        let mut times = HashMap::new();
        for messages in messages.chunks(TRANSACTION_LIMIT) {
            let key = |message: &Inbound| Key::message_time(phone_number_id, &message.wamid);
            let mut items = self.0.get_all("reading messages' times", messages.iter().map(key).collect()).await?;
            for message in messages {
                if let Some(item) = items.remove(&key(message)) {
                    times.insert(message.wamid.clone(), read(item)?);
                }
            }
        }
        Ok(times)
    }
}
