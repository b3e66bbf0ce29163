//! Errors that WhatsApp reports.

use serde::{Deserialize, Serialize};

/// An error as rows keep it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatsAppError {
    /// WhatsApp's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What WhatsApp says about this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

/// What an error means for the message that was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Rejected before it was processed: it can be posted again without doubling.
    NotSent,
    /// The same, because this recipient was sent too much in too short a time.
    RecipientLimit,
    /// It may have been processed.
    Indeterminate,
    /// Refused for a reason that every message of the session shares: token, permission, account.
    AccountBlocked,
    /// It was refused and will be refused again.
    Refused,
}
