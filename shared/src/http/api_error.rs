//! Error responses.

use std::error::Error;

use serde_json::json;

use super::{
    ApiResponse, ErrorCode,
    routes::{Route, similar_path},
};
use crate::{services::webhook_deliveries::WebhookDeliveryError, telemetry::chain};

/// An error response: `{"error", "code", "requestId"}`.
#[derive(Debug)]
pub struct ApiError {
    code: ErrorCode,
    message: String,
    /// The value of the `Allow` header.
    allow: Option<String>,
    /// The internal cause, for the log only.
    cause: Option<String>,
}

impl ApiError {
    /// An error with `code` and a sentence that says what is wrong and what to do.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), allow: None, cause: None }
    }

    /// The code.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// 400: `field` is missing or blank.
    pub fn missing_field(field: &str) -> Self {
        Self::new(ErrorCode::MissingField, format!("{field} is required"))
    }

    /// 400: a field has the wrong type or an unacceptable value.
    pub fn invalid_field(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidField, message)
    }

    /// 404: no such session for this caller.
    pub fn session_not_found() -> Self {
        Self::new(ErrorCode::SessionNotFound, "Session not found")
    }

    /// 404: no such chat for this caller.
    pub fn chat_not_found() -> Self {
        Self::new(ErrorCode::ChatNotFound, "Chat not found")
    }

    /// 404: no such message for this caller.
    pub fn message_not_found() -> Self {
        Self::new(ErrorCode::MessageNotFound, "Message not found")
    }

    /// 404: no such auto-reply rule for this caller.
    pub fn auto_reply_not_found() -> Self {
        Self::new(ErrorCode::AutoReplyNotFound, "Auto-reply not found")
    }

    /// 404: no such webhook for this caller.
    pub fn webhook_not_found() -> Self {
        Self::new(ErrorCode::WebhookNotFound, "Webhook not found")
    }

    /// 404: no failed delivery of this change.
    pub fn attempt_not_found() -> Self {
        WebhookDeliveryError::NotFound.into()
    }

    /// 404: no such API key.
    pub fn key_not_found() -> Self {
        Self::new(ErrorCode::KeyNotFound, "Key not found")
    }

    /// 404: no such number.
    pub fn number_not_found() -> Self {
        Self::new(ErrorCode::NumberNotFound, "Number not found")
    }

    /// 405: the path of `route` doesn't support the method.
    pub(crate) fn method_not_allowed(route: &Route) -> Self {
        let message = format!("Use {} on this path", route.methods());
        Self { allow: Some(route.allow()), ..Self::new(ErrorCode::MethodNotAllowed, message) }
    }

    /// 404: no such path.
    pub(crate) fn path_not_found(path: &str) -> Self {
        let message = match similar_path(path) {
            Some(similar) => format!("There is nothing at this path: did you mean {similar}?"),
            None => "There is nothing at this path".to_owned(),
        };
        Self::new(ErrorCode::PathNotFound, message)
    }

    /// 500: a bug. The response has no detail but the request ID.
    pub fn internal(error: &dyn Error) -> Self {
        Self {
            cause: Some(chain(error)),
            ..Self::new(ErrorCode::InternalError, "An internal error occurred. Report it with the request ID")
        }
    }

    /// 503: a dependency didn't respond.
    pub(super) fn unavailable(error: &dyn Error) -> Self {
        let message = "The service is temporarily unavailable. Try again in a moment";
        Self { cause: Some(chain(error)), ..Self::new(ErrorCode::Unavailable, message) }
    }

    /// The internal cause, for the log.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// Converts the error to a response.
    pub(crate) fn into_api_response(self, request_id: &str) -> ApiResponse {
        // The contract's body for a failed webhook verification has neither code nor request ID.
        let body = if self.code == ErrorCode::VerificationFailed {
            json!({"error": self.message})
        } else {
            json!({"error": self.message, "code": self.code.as_str(), "requestId": request_id})
        };
        let status = self.code.status();
        let retry_after = (status == 503).then_some(1);
        ApiResponse::json_text(body.to_string()).error(status, retry_after, self.allow)
    }
}
