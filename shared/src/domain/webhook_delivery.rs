//! Deliveries of changes to webhooks: attempts and what follows from them.
//!
//! A change that a receiver accepts at once leaves nothing but the position of the webhook. A change whose delivery
//! fails, or waits for a failed one of its chat, becomes a [`WebhookDelivery`].

mod health;
mod progress;
mod retry;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::{health::EndpointHealth, progress::Progress};
use crate::domain::{change::Change, id::WebhookId, time::Timestamp};

/// The number of attempts that a delivery keeps.
pub const MAX_ATTEMPTS_KEPT: usize = 10;

/// How long later changes of a chat wait for a failed one, with the order `chat`.
pub const MAX_CHAT_WAIT: Duration = Duration::from_secs(60 * 60);

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

impl AttemptResult {
    /// Returns how long the receiver asks to wait.
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Overloaded(retry_after) | Self::Failed(retry_after) => retry_after,
            Self::Delivered | Self::Gone => None,
        }
    }
}

/// The status of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// The last attempt failed, and there will be another one.
    Retrying,
    /// Not attempted, because an earlier change of the chat isn't delivered.
    Waiting,
    /// All attempts failed.
    Failed,
    /// The receiver accepted the change after a failure or a wait.
    Delivered,
}

impl DeliveryStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Retrying, Self::Waiting, Self::Failed, Self::Delivered];

    /// Returns the name in requests, responses, and the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retrying => "retrying",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
        }
    }

    /// Returns whether there will be an attempt.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Retrying | Self::Waiting)
    }
}

/// A change whose delivery to a webhook failed, or waits for a failed one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookDelivery {
    /// The webhook.
    pub webhook_id: WebhookId,
    /// The change.
    pub change: Change,
    /// The status. Only [`WebhookDelivery::on`] changes it.
    pub status: DeliveryStatus,
    /// The last attempts, oldest first.
    pub attempts: Vec<WebhookAttempt>,
    /// The number of attempts.
    pub attempt_count: u32,
    /// The number of failures since the first attempt, or since a retry was requested.
    pub failures: u32,
    /// When the delivery failed first, or began to wait.
    pub blocking_since: Timestamp,
    /// When the next attempt is due. `None` after the last one, and while the webhook is disabled.
    pub due_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it expires: with the change.
    pub expires_at: Timestamp,
}

/// An event that changes a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryEvent {
    /// The change was sent to the receiver.
    Attempted(WebhookAttempt),
    /// A user asked for an attempt.
    RetryRequested,
    /// The delivery that this one waited for has ended.
    Unblocked,
    /// An earlier delivery of its chat isn't delivered.
    Blocked,
    /// The webhook was found disabled.
    Suspended,
    /// The webhook was enabled.
    Resumed,
}

impl WebhookDelivery {
    /// Creates the delivery of a change whose first attempt failed.
    pub fn failed(
        webhook_id: WebhookId,
        change: Change,
        attempt: WebhookAttempt,
        expires_at: Timestamp,
        now: Timestamp,
        random: Uuid,
    ) -> Self {
        Self::waiting(webhook_id, change, expires_at, now).after_failure(attempt, now, random)
    }

    /// Creates the delivery of a change that waits for an earlier one of its chat.
    pub fn waiting(webhook_id: WebhookId, change: Change, expires_at: Timestamp, now: Timestamp) -> Self {
        Self {
            webhook_id,
            change,
            status: DeliveryStatus::Waiting,
            attempts: Vec::new(),
            attempt_count: 0,
            failures: 0,
            blocking_since: now,
            due_at: Some(now.after(MAX_CHAT_WAIT)),
            created_at: now,
            expires_at,
        }
    }

    /// Returns the delivery after an event; `None` if the event has no effect on it.
    pub fn on(&self, event: DeliveryEvent, now: Timestamp, random: Uuid) -> Option<Self> {
        use DeliveryStatus::{Delivered, Failed, Retrying, Waiting};
        match (self.status, event) {
            (_, DeliveryEvent::Attempted(attempt)) if attempt.result() == AttemptResult::Delivered => {
                Some(Self { status: Delivered, due_at: None, ..self.with(attempt) })
            }
            (Retrying | Waiting, DeliveryEvent::Attempted(attempt)) => {
                Some(self.clone().after_failure(attempt, now, random))
            }
            (_, DeliveryEvent::RetryRequested) => {
                Some(Self { status: Retrying, failures: 0, due_at: Some(now), ..self.clone() })
            }
            (Waiting, DeliveryEvent::Unblocked) => Some(Self { due_at: Some(now), ..self.clone() }),
            (Waiting, DeliveryEvent::Blocked) => {
                let due_at = Some(self.blocking_since.after(MAX_CHAT_WAIT));
                (self.due_at != due_at).then(|| Self { due_at, ..self.clone() })
            }
            (Retrying | Waiting, DeliveryEvent::Suspended) if self.due_at.is_some() => {
                Some(Self { due_at: None, ..self.clone() })
            }
            (Retrying | Waiting, DeliveryEvent::Resumed) if self.due_at.is_none() => {
                Some(Self { due_at: Some(now), ..self.clone() })
            }
            (Failed | Delivered, _) | (Retrying, DeliveryEvent::Unblocked | DeliveryEvent::Blocked) => None,
            (Retrying | Waiting, DeliveryEvent::Suspended | DeliveryEvent::Resumed) => None,
        }
    }

    /// Returns this new delivery with the attempts of an earlier one of the same change.
    pub fn replacing(&self, earlier: &Self) -> Self {
        let attempts = self.attempts.iter().cloned();
        let start = Self { attempts: earlier.attempts.clone(), attempt_count: earlier.attempt_count, ..self.clone() };
        attempts.fold(start, |delivery, attempt| delivery.with(attempt))
    }

    /// Returns whether this attempt is the last one.
    pub fn has_attempt(&self, attempt: Option<&WebhookAttempt>) -> bool {
        attempt.is_some() && self.attempts.last() == attempt
    }

    /// Returns until when later changes of the chat wait for this one, with the order `chat`; `None` if they don't.
    pub fn blocks_until(&self) -> Option<Timestamp> {
        self.status.is_open().then(|| self.blocking_since.after(MAX_CHAT_WAIT))
    }

    /// Returns whether to attempt the delivery. `is_blocked` is whether an earlier change of the chat blocks this one.
    pub fn is_due(&self, is_blocked: bool, now: Timestamp) -> bool {
        let is_due = self.due_at.is_some_and(|due_at| due_at <= now);
        match self.status {
            // Also while it is blocked: a waiting delivery is due when it has waited for long enough.
            DeliveryStatus::Retrying => is_due,
            DeliveryStatus::Waiting => self.due_at.is_some() && (!is_blocked || self.has_waited(now)),
            DeliveryStatus::Failed | DeliveryStatus::Delivered => false,
        }
    }

    fn has_waited(&self, now: Timestamp) -> bool {
        self.blocking_since.after(MAX_CHAT_WAIT) <= now
    }

    fn after_failure(self, attempt: WebhookAttempt, now: Timestamp, random: Uuid) -> Self {
        let failures = self.failures.saturating_add(1);
        let delay = retry::delay(failures, attempt.result().retry_after(), random);
        let due_at = delay.map(|delay| now.after(delay)).filter(|due_at| *due_at < self.expires_at);
        let status = if due_at.is_some() { DeliveryStatus::Retrying } else { DeliveryStatus::Failed };
        let blocking_since = if self.status == DeliveryStatus::Waiting { now } else { self.blocking_since };
        Self { status, failures, due_at, blocking_since, ..self.with(attempt) }
    }

    fn with(&self, attempt: WebhookAttempt) -> Self {
        let mut attempts = self.attempts.clone();
        attempts.push(attempt);
        attempts.drain(..attempts.len().saturating_sub(MAX_ATTEMPTS_KEPT));
        Self { attempts, attempt_count: self.attempt_count.saturating_add(1), ..self.clone() }
    }
}

#[cfg(test)]
mod tests;
