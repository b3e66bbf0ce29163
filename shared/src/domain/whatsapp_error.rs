//! Errors reported by WhatsApp.

use serde::{Deserialize, Serialize};

/// The code of the error that the contact stopped marketing messages of the business (Meta, *Cloud API error codes*).
pub const MARKETING_STOPPED: i64 = 131_050;

/// An error of WhatsApp as stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatsAppError {
    /// WhatsApp's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// The title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The details of this occurrence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

/// The consequence of an error for the message to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// WhatsApp did not process the request. A retry can't send the message twice.
    NotSent,
    /// WhatsApp did not process the request, because the rate limit of the recipient was exceeded.
    RecipientLimit,
    /// WhatsApp may have processed the request.
    Indeterminate,
    /// WhatsApp rejected the message for a reason that applies to all messages of the session: token, permission, or
    /// account.
    AccountBlocked,
    /// WhatsApp rejected the message, and would reject it again.
    Refused,
}

/// Why a read of the Graph API failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// WhatsApp refused the request.
    Refused(Refusal),
    /// WhatsApp didn't respond, or not in its format. Has a sentence without a period.
    NoResponse(String),
}

/// A refused read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// WhatsApp's sentence.
    pub error: String,
    /// WhatsApp's error code.
    pub code: Option<i64>,
    /// WhatsApp's trace ID of the request.
    pub fbtrace_id: Option<String>,
    /// Whether WhatsApp refused the access token, so that a newer one can succeed.
    pub is_token_refused: bool,
}

impl ReadError {
    /// Returns whether WhatsApp refused the access token, so that a newer one can succeed.
    pub fn is_token_refused(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.is_token_refused)
    }
}
