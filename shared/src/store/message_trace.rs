//! What became of a message that WhatsApp told of, where it is not stored as one: it has no session, it waits for the
//! message that it acts on, or it could not be understood. The items themselves are the ledger; nothing is written beside
//! them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Store, StoreError,
    item::{self, Item, string},
    keys::{Key, wamid_key},
};
use crate::{
    domain::id::MessageId,
    domain::inbound::Inbound,
    domain::message::{Receipt, Source},
    domain::time::Timestamp,
};

/// How long a message without a session is kept: long enough to find out and link the number.
const UNOWNED_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

const UNOWNED: &str = "unowned_message";

/// One thing that is known of a message that is not stored as one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum MessageTrace {
    /// No session owns the number; the message is kept until `expires_at`.
    NoSession {
        /// When it came.
        received_at: Option<Timestamp>,
        /// In Unix seconds.
        expires_at: Option<i64>,
    },
    /// A status waits for the message.
    EarlyStatus {
        /// What it says.
        status: Receipt,
        /// When WhatsApp says that it happened.
        at: Timestamp,
        /// When it came.
        received_at: Option<Timestamp>,
        /// In Unix seconds.
        expires_at: Option<i64>,
    },
    /// A reaction, an edit or a deletion waits for the message.
    EarlyAction {
        /// The message that brings it.
        wamid: String,
        /// When it came.
        received_at: Option<Timestamp>,
        /// In Unix seconds.
        expires_at: Option<i64>,
    },
    /// It could not be understood, and is kept as an event.
    NotUnderstood {
        /// Why.
        reason: Option<String>,
        /// When it came.
        received_at: Option<Timestamp>,
        /// In Unix seconds.
        expires_at: Option<i64>,
    },
}

/// The attributes of all these items.
#[derive(Deserialize)]
struct Kept {
    entity: String,
    #[serde(default)]
    received_at: Option<Timestamp>,
    #[serde(default)]
    expires_at: Option<i64>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    wamid: Option<String>,
    #[serde(default)]
    receipt: Option<Receipt>,
    #[serde(default)]
    at: Option<Timestamp>,
}

impl Kept {
    fn trace(self) -> Option<MessageTrace> {
        let (received_at, expires_at) = (self.received_at, self.expires_at);
        Some(match self.entity.as_str() {
            UNOWNED => MessageTrace::NoSession { received_at, expires_at },
            "early_status" => {
                MessageTrace::EarlyStatus { status: self.receipt?, at: self.at?, received_at, expires_at }
            }
            "early_action" => MessageTrace::EarlyAction { wamid: self.wamid?, received_at, expires_at },
            "event" => MessageTrace::NotUnderstood { reason: self.reason, received_at, expires_at },
            _ => return None,
        })
    }
}

impl Store {
    /// Keeps a message for a number that no session owns.
    pub async fn put_unowned_if_absent(
        &self,
        phone_number_id: &str,
        inbound: &Inbound,
        source: Option<Source>,
    ) -> Result<(), StoreError> {
        let id = MessageId::for_inbound(phone_number_id, &inbound.wamid);
        let kept = self.put_raw_parts(&id.to_string(), &inbound.raw, Some(UNOWNED_LIFETIME)).await?;
        let now = self.system.now();
        let row = serde_json::json!({
            "wamid": inbound.wamid,
            "phone_number_id": phone_number_id,
            "timestamp": inbound.timestamp,
            "type": inbound.kind,
            "source": source,
            "received_at": now,
            "expires_at": now.after(UNOWNED_LIFETIME).seconds(),
            "raw": kept.own,
        });
        let key = Key::unowned(phone_number_id, &inbound.wamid);
        self.put_if_absent("keeping a message without a session", item::write(UNOWNED, &key, &row)?).await
    }

    /// All that is known of a wamid that is no stored message.
    pub async fn trace(&self, phone_number_id: &str, wamid: &str) -> Result<Vec<MessageTrace>, StoreError> {
        let mut items = self.under_wamid(phone_number_id, wamid).await?;
        items.extend(self.events_with_wamid(phone_number_id, wamid).await?);
        let kept: Result<Vec<Kept>, StoreError> =
            items.into_iter().map(|item| item::read("message trace", item)).collect();
        let now = self.system.now().seconds();
        // What has expired may stay in the table for days.
        let is_kept = |kept: &Kept| kept.expires_at.is_none_or(|expires_at| expires_at > now);
        Ok(kept?.into_iter().filter(is_kept).filter_map(Kept::trace).collect())
    }

    async fn events_with_wamid(&self, phone_number_id: &str, wamid: &str) -> Result<Vec<Item>, StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("wamid")
            .key_condition_expression("wamid_key = :key")
            .expression_attribute_values(":key", string(wamid_key(phone_number_id, wamid)))
            .limit(10)
            .send()
            .await
            .map_err(StoreError::request("finding events by a wamid"))?;
        let keys: Vec<Key> = output.items().iter().filter_map(Key::from_item).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.get_all("reading events", keys).await?.into_values().collect())
    }
}
