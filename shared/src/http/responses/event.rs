//! Account events as answers give them.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{domain::time::Timestamp, store::StoredEvent};

/// An event: `null` where unset.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the fields are those of StoredEvent")]
pub struct EventResponse {
    pub id: Uuid,
    pub field: String,
    pub reason: Option<String>,
    pub received_at: Timestamp,
    pub at: Option<Timestamp>,
    pub phone_number_id: Option<String>,
    pub waba_id: Option<String>,
    pub wamid: Option<String>,
    /// What WhatsApp sent, as JSON.
    pub payload: Option<Value>,
    /// The same as text, where it is no JSON, or too long for an answer: then its first part.
    pub raw: Option<String>,
    /// `base64` where the bytes were no text.
    pub encoding: Option<String>,
    /// Whether `raw` is a part only; the rest is in the table.
    pub is_truncated: bool,
}

impl From<StoredEvent> for EventResponse {
    fn from(row: StoredEvent) -> Self {
        let is_truncated = row.parts > 1;
        let payload = serde_json::from_str(&row.raw).ok().filter(|_| !is_truncated && row.encoding.is_none());
        Self {
            id: row.id,
            field: row.field,
            reason: row.reason,
            received_at: row.received_at,
            at: row.at,
            phone_number_id: row.phone_number_id,
            waba_id: row.waba_id,
            wamid: row.wamid,
            raw: payload.is_none().then_some(row.raw),
            payload,
            encoding: row.encoding,
            is_truncated,
        }
    }
}
