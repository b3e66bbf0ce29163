//! Converts function results of payload format 2.0 to HTTP responses, and builds the gateway's own error responses.

use axum::{
    body::Body,
    http::{
        Response, StatusCode,
        header::{
            CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, SET_COOKIE, TE, TRAILER,
            TRANSFER_ENCODING, UPGRADE,
        },
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

/// Headers that the gateway manages itself.
const MANAGED_HEADERS: [HeaderName; 6] = [CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// Returns an error response with API Gateway's wording, such as `{"message": "Not Found"}`.
pub(super) fn error(status: StatusCode) -> Response<Body> {
    let message = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        other => other.canonical_reason().unwrap_or_default(),
    };
    respond(status, json!({ "message": message }).to_string().into_bytes(), "application/json")
}

/// Converts the function's result to a response. Returns `None` for a result that API Gateway rejects with a 500.
/// Without `statusCode`, the entire JSON is the body. Ignores `multiValueHeaders`, which belongs to format 1.0, as AWS
/// does.
pub(super) fn from_function(payload: &[u8]) -> Option<Response<Body>> {
    let value: Value = serde_json::from_slice(payload).ok()?;
    match value {
        Value::Object(result) if result.contains_key("statusCode") => structured(&result),
        Value::String(body) => Some(respond(StatusCode::OK, body.into_bytes(), "application/json")),
        _ => Some(respond(StatusCode::OK, payload.to_vec(), "application/json")),
    }
}

fn structured(result: &Map<String, Value>) -> Option<Response<Body>> {
    let status = result.get("statusCode")?.as_u64().and_then(|status| u16::try_from(status).ok())?;
    let status = StatusCode::from_u16(status).ok().filter(|status| (200..600).contains(&status.as_u16()))?;
    let encoded = match result.get("isBase64Encoded") {
        None | Some(Value::Null) => false,
        Some(flag) => flag.as_bool()?,
    };
    let body = match result.get("body") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(body)) if encoded => STANDARD.decode(body).ok()?,
        Some(Value::String(body)) => body.clone().into_bytes(),
        Some(_) => return None,
    };
    let mut response = respond(status, body, "text/plain;charset=UTF-8");
    let none = Map::new();
    let headers = match result.get("headers") {
        None | Some(Value::Null) => &none,
        Some(headers) => headers.as_object()?,
    };
    for (name, value) in headers {
        let name: HeaderName = name.parse().ok()?;
        if !MANAGED_HEADERS.contains(&name) {
            response.headers_mut().insert(name, header_value(value)?);
        }
    }
    match result.get("cookies") {
        None | Some(Value::Null) => {}
        Some(cookies) => {
            for cookie in cookies.as_array()? {
                response.headers_mut().append(SET_COOKIE, header_value(cookie)?);
            }
        }
    }
    Some(response)
}

fn header_value(value: &Value) -> Option<HeaderValue> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        _ => return None,
    };
    HeaderValue::from_str(&text).ok()
}

fn respond(status: StatusCode, body: Vec<u8>, content_type: &'static str) -> Response<Body> {
    let has_body = !body.is_empty();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    if has_body {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    response
}

#[cfg(test)]
mod tests;
