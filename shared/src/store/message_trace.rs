//! Traces of wamids without a stored message: a message to a number without a session, a pairing attempt, an early update,
//! or a payload that could not be parsed. A trace reads these items and stores nothing itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Messages, StoreError,
    early_update::{EARLY_ACTION, EARLY_STATUS},
    event::EVENT,
    item::{self, Item},
    keys::{Key, wamid_key},
    pairing::PAIRING,
};
use crate::domain::{
    id::{MessageId, SessionId},
    inbound::Inbound,
    message::{Receipt, Source},
    time::Timestamp,
};

/// How long a message without a session is kept.
const UNOWNED_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The maximum number of events and pairing attempts in a trace.
const MAX_INDEXED_ITEMS: usize = 10;

const UNOWNED: &str = "unowned_message";

/// One item under a wamid without a stored message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum MessageTrace {
    /// No session owns the number.
    NoSession {
        /// When it was received.
        received_at: Option<Timestamp>,
        /// When the item expires, in seconds since 1970.
        expires_at: Option<i64>,
    },
    /// The message linked a session to the number.
    Paired {
        /// The session.
        session_id: SessionId,
        /// When it was received.
        received_at: Option<Timestamp>,
        /// When the item expires, in seconds since 1970.
        expires_at: Option<i64>,
    },
    /// The message had a session's pairing code, but couldn't link the session.
    PairingRefused {
        /// The session.
        session_id: SessionId,
        /// Why it couldn't be linked.
        reason: String,
        /// When it was received.
        received_at: Option<Timestamp>,
        /// When the item expires, in seconds since 1970.
        expires_at: Option<i64>,
    },
    /// A status that arrived before its message.
    EarlyStatus {
        /// The status.
        status: Receipt,
        /// When it happened, according to WhatsApp.
        at: Timestamp,
        /// When it was received.
        received_at: Option<Timestamp>,
        /// When the item expires, in seconds since 1970.
        expires_at: Option<i64>,
    },
    /// A reaction, an edit, or a deletion that arrived before its message.
    EarlyAction {
        /// The wamid of the action.
        wamid: String,
        /// When it was received.
        received_at: Option<Timestamp>,
        /// When the item expires, in seconds since 1970.
        expires_at: Option<i64>,
    },
    /// An update about the message besides its delivery, such as a payment, stored as an event.
    Event {
        /// The webhook field, such as `messages.payment`.
        field: String,
        /// When it was received.
        received_at: Option<Timestamp>,
        /// When the item expires, in seconds since 1970.
        expires_at: Option<i64>,
    },
    /// A message that could not be parsed, stored as an event.
    NotUnderstood {
        /// Why it could not be parsed.
        reason: Option<String>,
        /// When it was received.
        received_at: Option<Timestamp>,
        /// When the item expires, in seconds since 1970.
        expires_at: Option<i64>,
    },
}

/// The items that a trace can contain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceScope {
    /// The number of the wamid. `None` for a session that isn't linked to one.
    pub phone_number_id: Option<String>,
    /// The session whose pairing attempts the trace contains. `None` for those of every session.
    pub session_id: Option<SessionId>,
    /// The time from which the trace contains what the number received. `None` for all of it.
    pub since: Option<Timestamp>,
}

/// The attributes of these items.
#[derive(Deserialize)]
struct TraceItem {
    entity: String,
    #[serde(default)]
    received_at: Option<Timestamp>,
    #[serde(default)]
    expires_at: Option<i64>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    field: Option<String>,
    #[serde(default)]
    wamid: Option<String>,
    #[serde(default)]
    session_id: Option<SessionId>,
    #[serde(default)]
    receipt: Option<Receipt>,
    #[serde(default)]
    at: Option<Timestamp>,
}

impl TraceItem {
    fn trace(self) -> Option<MessageTrace> {
        let (received_at, expires_at) = (self.received_at, self.expires_at);
        Some(match self.entity.as_str() {
            UNOWNED => MessageTrace::NoSession { received_at, expires_at },
            PAIRING => match (self.session_id?, self.reason) {
                (session_id, None) => MessageTrace::Paired { session_id, received_at, expires_at },
                (session_id, Some(reason)) => {
                    MessageTrace::PairingRefused { session_id, reason, received_at, expires_at }
                }
            },
            EARLY_STATUS => MessageTrace::EarlyStatus { status: self.receipt?, at: self.at?, received_at, expires_at },
            EARLY_ACTION => MessageTrace::EarlyAction { wamid: self.wamid?, received_at, expires_at },
            EVENT if self.reason.is_none() => MessageTrace::Event { field: self.field?, received_at, expires_at },
            EVENT => MessageTrace::NotUnderstood { reason: self.reason, received_at, expires_at },
            _ => return None,
        })
    }
}

impl Messages<'_> {
    /// Stores a message to a number that no session owns.
    pub async fn put_unowned_if_absent(
        self,
        phone_number_id: &str,
        inbound: &Inbound,
        source: Option<Source>,
    ) -> Result<(), StoreError> {
        let id = MessageId::for_inbound(phone_number_id, &inbound.wamid);
        let raw = self.0.put_raw_parts(&id.to_string(), &inbound.raw, Some(UNOWNED_LIFETIME)).await?;
        let now = self.0.system.now();
        let row = serde_json::json!({
            "wamid": inbound.wamid,
            "phone_number_id": phone_number_id,
            "timestamp": inbound.timestamp.clamped_to(now),
            "type": inbound.kind,
            "source": source,
            "received_at": now,
            "expires_at": now.after(UNOWNED_LIFETIME).seconds(),
            "raw": raw.first,
        });
        let key = Key::unowned(phone_number_id, &inbound.wamid);
        self.0.put_if_absent("storing a message without a session", item::write(UNOWNED, &key, &row)?).await
    }

    /// Returns the trace of a wamid.
    pub async fn trace(self, wamid: &str, scope: &TraceScope) -> Result<Vec<MessageTrace>, StoreError> {
        let mut items = Vec::new();
        if let Some(number) = &scope.phone_number_id {
            items.extend(self.items_by_wamid(number, wamid).await?);
            items.extend(self.indexed_items(number, wamid, scope.session_id).await?);
        }
        if let Some(since) = scope.since.map(|since| since.to_string()) {
            let is_later = |item: &Item| item.get("received_at").and_then(|at| at.as_s().ok()) >= Some(&since);
            items.retain(is_later);
        }
        if let Some(session_id) = scope.session_id {
            items.extend(self.0.get("reading a pairing attempt", &Key::pairing(session_id, wamid)).await?);
        }
        let items: Result<Vec<TraceItem>, StoreError> =
            items.into_iter().map(|item| item::read("message trace", item)).collect();
        let now = self.0.system.now().seconds();
        // DynamoDB may take days to delete expired items.
        let is_live = |item: &TraceItem| item.expires_at.is_none_or(|expires_at| expires_at > now);
        Ok(items?.into_iter().filter(is_live).filter_map(TraceItem::trace).collect())
    }

    /// Returns events, and without a session the pairing attempts of every session.
    async fn indexed_items(
        self,
        phone_number_id: &str,
        wamid: &str,
        session_id: Option<SessionId>,
    ) -> Result<Vec<Item>, StoreError> {
        let keys = self.0.keys_by_wamid_key("querying events by wamid", wamid_key(phone_number_id, wamid)).await?;
        let is_wanted = |key: &Key| session_id.is_none() || !key.is_pairing();
        let keys: Vec<Key> = keys.into_iter().filter(is_wanted).take(MAX_INDEXED_ITEMS).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.0.get_all("reading events", keys).await?.into_values().collect())
    }
}
