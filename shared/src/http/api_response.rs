//! Responses and their headers.

use lambda_http::{
    Body, Response,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
};
use serde::Serialize;

use super::ApiError;

/// A response to a request.
#[derive(Debug)]
pub struct ApiResponse {
    status: u16,
    content_type: &'static str,
    cache_control: &'static str,
    retry_after: Option<u32>,
    /// The value of the `Allow` header.
    allow: Option<String>,
    /// Other headers.
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Body,
}

impl ApiResponse {
    /// 200 with `body` as JSON.
    pub fn json<T: Serialize>(body: &T) -> Result<Self, ApiError> {
        Ok(Self::json_text(serde_json::to_string(body)?))
    }

    /// 200 with `{"success": true}` and the fields of `fields`.
    pub fn success<T: Serialize>(fields: &T) -> Result<Self, ApiError> {
        #[derive(Serialize)]
        struct Success<'a, T> {
            success: bool,
            #[serde(flatten)]
            fields: &'a T,
        }
        Self::json(&Success { success: true, fields })
    }

    /// 200 with `body`, which is JSON text.
    pub fn json_text(body: String) -> Self {
        Self::new("application/json", Body::Text(body))
    }

    /// 200 with plain text.
    pub fn text(body: String) -> Self {
        Self::new("text/plain; charset=utf-8", Body::Text(body))
    }

    /// 200 with an image that must not be cached.
    pub fn image(content_type: &'static str, body: Body) -> Self {
        Self { cache_control: "no-store, no-cache, must-revalidate", ..Self::new(content_type, body) }
    }

    /// 200 with a file.
    pub(super) fn file(
        content_type: &'static str,
        cache_control: &'static str,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: Vec<u8>,
    ) -> Self {
        Self { cache_control, headers, ..Self::new(content_type, Body::Binary(body)) }
    }

    /// 304: the client has the current file.
    pub(super) fn not_modified(
        content_type: &'static str,
        cache_control: &'static str,
        headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Self {
        Self { status: 304, cache_control, headers, ..Self::new(content_type, Body::Empty) }
    }

    /// 204 with the methods that a path supports.
    pub(crate) fn no_content(allow: &str) -> Self {
        Self { status: 204, allow: Some(allow.to_owned()), ..Self::new("text/plain; charset=utf-8", Body::Empty) }
    }

    pub(super) fn error(self, status: u16, retry_after: Option<u32>, allow: Option<String>) -> Self {
        Self { status, retry_after, allow, ..self }
    }

    /// Sets the status to 202: the work continues after the response.
    pub fn accepted(self) -> Self {
        Self { status: 202, ..self }
    }

    /// 302 to `location`.
    pub(super) fn redirect(location: &str) -> Result<Self, ApiError> {
        let location = HeaderValue::from_str(location).map_err(|error| ApiError::internal(&error))?;
        let headers = vec![(header::LOCATION, location)];
        Ok(Self { status: 302, headers, ..Self::new("text/plain; charset=utf-8", Body::Empty) })
    }

    /// Sets `Retry-After`, in seconds.
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    fn new(content_type: &'static str, body: Body) -> Self {
        let headers = Vec::new();
        Self { status: 200, content_type, cache_control: "no-store", retry_after: None, allow: None, headers, body }
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// Converts the response to a request with `method` to the Lambda runtime's type.
    pub(crate) fn into_response(self, method: &Method, request_id: &str) -> Response<Body> {
        let mut response = Response::new(if *method == Method::HEAD { Body::Empty } else { self.body });
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or_default();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.cache_control));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert("x-request-id", id);
        }
        headers.extend(self.headers);
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(Ok(allow)) = self.allow.as_deref().map(HeaderValue::from_str) {
            headers.insert(header::ALLOW, allow);
        }
        response
    }
}
