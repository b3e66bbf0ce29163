//! Responses with outgoing webhooks and their secrets.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use crate::{
    domain::{
        id::{SessionId, WebhookId},
        time::Timestamp,
        webhook_endpoint::{DisabledReason, EventPattern, Format, Order, WebhookEndpoint},
        webhook_signature::WebhookSecret,
    },
    http::{ApiError, ApiResponse},
    services::webhook_endpoints::WebhookStatus,
};

/// A webhook as shown in API responses.
#[derive(Serialize)]
struct WebhookResponse<'a> {
    id: WebhookId,
    session_id: Option<SessionId>,
    url: &'a str,
    events: &'a [EventPattern],
    format: Format,
    order: Order,
    headers: &'a BTreeMap<String, String>,
    description: Option<&'a str>,
    enabled: bool,
    disabled_reason: Option<DisabledReason>,
    last_success_at: Option<Timestamp>,
    failing_since: Option<Timestamp>,
    failures: Option<u32>,
    behind: Option<u64>,
    previous_secret_until: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'a> From<&'a WebhookStatus> for WebhookResponse<'a> {
    fn from(WebhookStatus { webhook, health }: &'a WebhookStatus) -> Self {
        let health = health.as_ref();
        Self {
            id: webhook.id,
            session_id: webhook.session_id,
            url: &webhook.url,
            events: &webhook.events,
            format: webhook.format,
            order: webhook.order,
            headers: &webhook.headers,
            description: webhook.description.as_deref(),
            enabled: webhook.enabled,
            disabled_reason: webhook.disabled_reason,
            last_success_at: health.and_then(|health| health.last_success_at),
            failing_since: health.and_then(|health| health.failing_since),
            failures: health.map(|health| health.failures),
            behind: health.and_then(|health| health.behind),
            previous_secret_until: webhook.previous_secret_until,
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
        }
    }
}

/// `{"success", "webhook"}`.
pub fn webhook(status: &WebhookStatus) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(&json!({"webhook": WebhookResponse::from(status)}))
}

/// `{"success", "webhooks"}`.
pub fn webhooks(statuses: &[WebhookStatus]) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(&json!({"webhooks": statuses.iter().map(WebhookResponse::from).collect::<Vec<_>>()}))
}

/// `{"success", "webhook", "secret"}`.
pub fn created_webhook((status, secret): &(WebhookStatus, WebhookSecret)) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(&json!({"webhook": WebhookResponse::from(status), "secret": secret.reveal()}))
}

/// `{"success", "secret", "previous_secret_until"}`.
pub fn webhook_secret(webhook: &WebhookEndpoint, secret: &WebhookSecret) -> Result<ApiResponse, ApiError> {
    let until = webhook.previous_secret_until;
    ApiResponse::success(&json!({"secret": secret.reveal(), "previous_secret_until": until}))
}
