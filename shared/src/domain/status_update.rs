//! Status updates: what WhatsApp reports about messages that went out.

use serde::{Deserialize, Serialize};

use crate::domain::{message::Receipt, time::Timestamp, whatsapp_error::WhatsAppError};

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
    /// Why it failed, in a sentence.
    pub error: Option<String>,
    /// The same as WhatsApp says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<WhatsAppError>,
    /// What WhatsApp charges, as its JSON.
    #[serde(default)]
    pub pricing: Option<String>,
    /// The conversation that is charged, as its JSON.
    #[serde(default)]
    pub conversation: Option<String>,
    /// The member of a group that it is about; then it says nothing of the others.
    #[serde(default)]
    pub participant: Option<String>,
}

impl StatusUpdate {
    /// What an echo of a message says: WhatsApp has it.
    pub fn sent(phone_number_id: &str, wamid: &str, at: Timestamp) -> Self {
        Self {
            phone_number_id: phone_number_id.to_owned(),
            wamid: wamid.to_owned(),
            receipt: Receipt::Sent,
            at,
            error: None,
            errors: Vec::new(),
            pricing: None,
            conversation: None,
            participant: None,
        }
    }
}
