//! Responses about deliveries of outgoing webhooks.

use serde::Serialize;
use serde_json::json;

use crate::{
    domain::{
        change::ChangeType,
        id::{ChangeId, ChatId, SessionId},
        page::Page,
        time::Timestamp,
        webhook_delivery::{AttemptResult, DeliveryStatus, WebhookAttempt, WebhookDelivery},
    },
    http::{ApiError, ApiResponse},
    services::webhook_deliveries::AttemptList,
};

/// A request to a receiver and its result.
#[derive(Serialize)]
struct TryResponse<'a> {
    at: Timestamp,
    duration_ms: u64,
    status: Option<u16>,
    response: Option<&'a str>,
    error: Option<&'a str>,
    delivered: bool,
}

impl<'a> From<&'a WebhookAttempt> for TryResponse<'a> {
    fn from(attempt: &'a WebhookAttempt) -> Self {
        Self {
            at: attempt.at,
            duration_ms: attempt.duration_ms,
            status: attempt.status,
            response: attempt.response.as_deref(),
            error: attempt.error.as_deref(),
            delivered: attempt.result() == AttemptResult::Delivered,
        }
    }
}

/// A delivery that failed at least once, or waits.
#[derive(Serialize)]
struct DeliveryResponse<'a> {
    change_id: ChangeId,
    #[serde(rename = "type")]
    kind: ChangeType,
    sequence: u64,
    session_id: SessionId,
    chat_id: Option<ChatId>,
    status: DeliveryStatus,
    tries: Vec<TryResponse<'a>>,
    try_count: u32,
    next_try_at: Option<Timestamp>,
    created_at: Timestamp,
}

impl<'a> From<&'a WebhookDelivery> for DeliveryResponse<'a> {
    fn from(delivery: &'a WebhookDelivery) -> Self {
        let change = &delivery.change;
        Self {
            change_id: change.change.id,
            kind: change.change.kind,
            sequence: change.sequence,
            session_id: change.session_id,
            chat_id: change.change.chat_id,
            status: delivery.status,
            tries: delivery.attempts.iter().map(TryResponse::from).collect(),
            try_count: delivery.attempt_count,
            next_try_at: delivery.due_at,
            created_at: delivery.created_at,
        }
    }
}

/// `{"success", "attempt"}`, after a test.
pub fn tested_webhook(attempt: Option<&WebhookAttempt>) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(&json!({"attempt": attempt.map(TryResponse::from)}))
}

/// `{"success", "attempts", "nextCursor"}`.
pub fn webhook_attempts(page: &Page<WebhookDelivery>, list: &AttemptList) -> Result<ApiResponse, ApiError> {
    let attempts: Vec<DeliveryResponse> = page.items.iter().map(DeliveryResponse::from).collect();
    let next = page.next.map(|next| next.cursor(&list.name()));
    ApiResponse::success(&json!({"attempts": attempts, "nextCursor": next}))
}

/// 202 with `{"success", "attempt"}`.
pub fn retried_webhook(delivery: &WebhookDelivery) -> Result<ApiResponse, ApiError> {
    Ok(ApiResponse::success(&json!({"attempt": DeliveryResponse::from(delivery)}))?.accepted())
}

/// 202 with `{"success", "from", "to"}`.
pub fn replayed_webhook(range: Option<(u64, u64)>) -> Result<ApiResponse, ApiError> {
    let (from, to) = range.unzip();
    Ok(ApiResponse::success(&json!({"from": from, "to": to}))?.accepted())
}
