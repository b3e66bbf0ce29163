//! Answers, good and bad.

use std::error::Error;

use lambda_http::{
    Body, Response,
    http::{HeaderValue, header},
};
use serde::Serialize;
use serde_json::json;

use crate::{
    secrets::SecretsError, secrets::cipher::CipherError, services::credentials::CredentialsError, store::StoreError,
    telemetry::chain,
};

/// An answer to a request.
#[derive(Debug)]
pub struct ApiResponse {
    status: u16,
    content_type: &'static str,
    cache_control: &'static str,
    retry_after: Option<u32>,
    /// The methods that the path knows, where the answer is about them.
    allow: Option<String>,
    body: Body,
}

impl ApiResponse {
    /// 200 with a JSON body.
    pub fn json<T: Serialize>(body: &T) -> Result<Self, ApiError> {
        let body = serde_json::to_string(body).map_err(|error| ApiError::internal(&error))?;
        Ok(Self::new("application/json", Body::Text(body)))
    }

    /// 200 with a JSON body that has been written before.
    pub fn written_json(body: String) -> Self {
        Self::new("application/json", Body::Text(body))
    }

    /// 200 with plain text.
    pub fn text(body: String) -> Self {
        Self::new("text/plain; charset=utf-8", Body::Text(body))
    }

    /// 200 with a picture, never to be cached anywhere.
    pub fn picture(content_type: &'static str, body: Vec<u8>) -> Self {
        let body = if content_type.starts_with("image/svg") {
            String::from_utf8(body).map_or_else(|error| Body::Binary(error.into_bytes()), Body::Text)
        } else {
            Body::Binary(body)
        };
        Self { cache_control: "no-store, no-cache, must-revalidate", ..Self::new(content_type, body) }
    }

    /// 204 that tells which methods a path knows.
    pub(super) fn no_content(allow: &str) -> Self {
        Self { status: 204, allow: Some(allow.to_owned()), ..Self::new("text/plain; charset=utf-8", Body::Empty) }
    }

    /// 202: begun, and going on by itself.
    pub fn accepted(self) -> Self {
        Self { status: 202, ..self }
    }

    /// Asks the caller to come again after `seconds`.
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    fn new(content_type: &'static str, body: Body) -> Self {
        Self { status: 200, content_type, cache_control: "no-store", retry_after: None, allow: None, body }
    }

    /// The HTTP status.
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    pub(super) fn into_response(self, request_id: &str) -> Response<Body> {
        let mut response = Response::new(self.body);
        *response.status_mut() = lambda_http::http::StatusCode::from_u16(self.status).unwrap_or_default();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.cache_control));
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert("x-request-id", id);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(Ok(allow)) = self.allow.as_deref().map(HeaderValue::from_str) {
            headers.insert(header::ALLOW, allow);
        }
        response
    }
}

/// A request that was refused, or that could not be served.
#[derive(Debug)]
pub struct ApiError {
    status: u16,
    code: &'static str,
    message: String,
    /// The methods that the path knows, of a 405.
    allow: Option<String>,
    /// What went wrong inside, for the log alone.
    cause: Option<String>,
}

impl ApiError {
    /// 400: the request has to change.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// 401: not signed, or not by the one who must.
    pub fn unauthorized(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(401, code, message)
    }

    /// 403: known, and not allowed.
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(403, code, message)
    }

    /// 404: not there, or not for this caller to know of.
    pub fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(404, code, message)
    }

    /// 404: no such session.
    pub fn session_not_found() -> Self {
        Self::not_found("session_not_found", "Session not found")
    }

    /// 404: no such chat.
    pub fn chat_not_found() -> Self {
        Self::not_found("chat_not_found", "Chat not found")
    }

    /// 405: the path knows other methods.
    pub fn method_not_allowed(allow: &str) -> Self {
        let message = format!("Use {allow} on this path");
        Self { allow: Some(allow.to_owned()), ..Self::new(405, "method_not_allowed", message) }
    }

    /// 409: right in itself, and wrong in the present state.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(409, code, message)
    }

    /// 413: too large.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(413, "body_too_large", message)
    }

    /// 500: a bug. The caller learns nothing of it but the request id.
    pub fn internal(error: &dyn Error) -> Self {
        Self { cause: Some(chain(error)), ..Self::new(500, "internal_error", "Something went wrong on our side") }
    }

    /// 503: something that we depend on does not answer.
    fn unavailable(error: &dyn Error) -> Self {
        let message = "The service is temporarily unavailable. Try again in a moment";
        Self { cause: Some(chain(error)), ..Self::new(503, "unavailable", message) }
    }

    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), allow: None, cause: None }
    }

    /// What the log should say about it.
    pub(super) fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    pub(super) fn into_api_response(self, request_id: &str) -> ApiResponse {
        // The webhook's refusal of a verification has a shape of its own, without code and id.
        let body = if self.code == "verification_failed" {
            json!({"error": self.message})
        } else {
            json!({"error": self.message, "code": self.code, "requestId": request_id})
        };
        let retry_after = (self.status == 503).then_some(1);
        ApiResponse {
            status: self.status,
            retry_after,
            allow: self.allow,
            ..ApiResponse::written_json(body.to_string())
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::unavailable(&error)
    }
}

impl From<CipherError> for ApiError {
    fn from(error: CipherError) -> Self {
        Self::unavailable(&error)
    }
}

impl From<SecretsError> for ApiError {
    fn from(error: SecretsError) -> Self {
        Self::unavailable(&error)
    }
}

impl From<CredentialsError> for ApiError {
    fn from(error: CredentialsError) -> Self {
        Self::unavailable(&error)
    }
}
