//! Requests to the webhook, which has no authorizer in front of it.

use super::{
    ApiError, ApiRequest, ApiResponse, ErrorCode, Method,
    origin_guard::{self, OriginGuard},
};
use crate::services::webhook::Webhook;

/// The maximum size of a notification, in bytes. Meta sends up to 3 MB.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// Handles Meta's subscription request (GET) and notifications (POST).
pub async fn handle(
    webhook: &Webhook,
    origin_guard: &OriginGuard,
    request: &ApiRequest,
) -> Result<ApiResponse, ApiError> {
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    if !origin_guard.verify(header(origin_guard::HEADER)).await? {
        let message = "This address takes no requests: use the deployment's ApiUrl or WebhookUrl";
        return Err(ApiError::new(ErrorCode::WrongAddress, message));
    }
    if request.method == Method::GET {
        let parameter = |name: &str| request.query.one(name).unwrap_or_default();
        let token = parameter("hub.verify_token").unwrap_or_default();
        webhook.verify(parameter("hub.mode").as_deref(), &token).await?;
        return Ok(ApiResponse::text(parameter("hub.challenge").unwrap_or_default()));
    }
    let (body, signature) = (request.body.bytes(BODY_LIMIT)?, header("x-hub-signature-256"));
    webhook.receive(body, signature, &request.request_id).await?;
    Ok(ApiResponse::json_text(r#"{"success":true}"#.to_owned()))
}

#[cfg(test)]
mod tests;
