//! Status updates of outbound messages.

use serde::{Deserialize, Serialize};

use crate::domain::{message::Receipt, message_action::Payment, time::Timestamp, whatsapp_error::WhatsAppError};

/// A status update of one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusUpdate {
    /// Meta's ID of the number that sent the message.
    pub phone_number_id: String,
    /// WhatsApp's ID of the message.
    pub wamid: String,
    /// The reported status.
    pub receipt: Receipt,
    /// The time of the status, by WhatsApp's clock.
    pub at: Timestamp,
    /// Why the message failed, as a sentence.
    pub error: Option<String>,
    /// The errors as reported by WhatsApp.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<WhatsAppError>,
    /// WhatsApp's `pricing` object, as JSON text.
    #[serde(default)]
    pub pricing: Option<String>,
    /// WhatsApp's `conversation` object, as JSON text.
    #[serde(default)]
    pub conversation: Option<String>,
    /// The group participant that the status applies to. `None` if it applies to the whole message.
    #[serde(default)]
    pub participant: Option<String>,
}

/// A status of the payment that a message asks for. It says nothing about the message's delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentUpdate {
    /// Meta's ID of the number that sent the message.
    pub phone_number_id: String,
    /// WhatsApp's ID of the message.
    pub wamid: String,
    /// The payment.
    pub payment: Payment,
}

impl StatusUpdate {
    /// Creates the `sent` status of a message whose echo arrived.
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
