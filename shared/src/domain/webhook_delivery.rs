//! Deliveries of changes to webhooks: attempts and what follows from them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// The maximum length of the part of a receiver's response that an attempt keeps, in bytes.
pub const RESPONSE_EXCERPT_LIMIT: usize = 1024;

/// An attempt to deliver a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookAttempt {
    /// When the attempt started.
    pub at: Timestamp,
    /// The time until the response, or until the failure, in milliseconds.
    pub duration_ms: u64,
    /// The HTTP status, if the receiver responded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The start of the response's body, up to 1 KB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    /// Why there is no response, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long the receiver asks to wait (`Retry-After`), in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
}

/// The meaning of an attempt (Standard Webhooks, *Operational considerations*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// 2xx: the receiver has the change.
    Delivered,
    /// 410: the receiver wants no more changes.
    Gone,
    /// 429, 502, or 504: the receiver is overloaded.
    Overloaded(Option<Duration>),
    /// Any other response, including a redirect, or none.
    Failed(Option<Duration>),
}

impl WebhookAttempt {
    /// Returns what the attempt means.
    pub fn result(&self) -> AttemptResult {
        let retry_after = self.retry_after_seconds.map(Duration::from_secs);
        match self.status {
            Some(200..=299) => AttemptResult::Delivered,
            Some(410) => AttemptResult::Gone,
            Some(429 | 502 | 504) => AttemptResult::Overloaded(retry_after),
            _ => AttemptResult::Failed(retry_after),
        }
    }
}
