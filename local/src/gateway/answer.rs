//! What a function returned as the HTTP response of payload format 2.0, and the gateway's own refusals.

use axum::body::Body;
use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use axum::http::{Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Headers that are the gateway's own business.
const OF_THE_CONNECTION: [HeaderName; 6] = [CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// `{"message": "Not Found"}` and the like, as API Gateway words them.
pub(super) fn refusal(status: StatusCode) -> Response<Body> {
    let message = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        other => other.canonical_reason().unwrap_or_default(),
    };
    respond(status, json!({ "message": message }).to_string().into_bytes(), "application/json")
}

/// The function's answer; none when API Gateway would not take it, which gives a 500. Without `statusCode` the whole
/// JSON is the body. `multiValueHeaders` belongs to format 1.0 and is ignored, as AWS ignores it.
pub(super) fn from_function(payload: &[u8]) -> Option<Response<Body>> {
    let value: Value = serde_json::from_slice(payload).ok()?;
    match value {
        Value::Object(answer) if answer.contains_key("statusCode") => structured(&answer),
        Value::String(body) => Some(respond(StatusCode::OK, body.into_bytes(), "application/json")),
        _ => Some(respond(StatusCode::OK, payload.to_vec(), "application/json")),
    }
}

fn structured(answer: &Map<String, Value>) -> Option<Response<Body>> {
    let status = answer.get("statusCode")?.as_u64().and_then(|status| u16::try_from(status).ok())?;
    let status = StatusCode::from_u16(status).ok().filter(|status| (200..600).contains(&status.as_u16()))?;
    let encoded = match answer.get("isBase64Encoded") {
        None | Some(Value::Null) => false,
        Some(flag) => flag.as_bool()?,
    };
    let body = match answer.get("body") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(body)) if encoded => STANDARD.decode(body).ok()?,
        Some(Value::String(body)) => body.clone().into_bytes(),
        Some(_) => return None,
    };
    let mut response = respond(status, body, "text/plain;charset=UTF-8");
    let none = Map::new();
    let headers = match answer.get("headers") {
        None | Some(Value::Null) => &none,
        Some(headers) => headers.as_object()?,
    };
    for (name, value) in headers {
        let name: HeaderName = name.parse().ok()?;
        if !OF_THE_CONNECTION.contains(&name) {
            response.headers_mut().insert(name, header_value(value)?);
        }
    }
    match answer.get("cookies") {
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
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use http_body_util::BodyExt;

    use super::*;

    async fn answer(payload: &str) -> (u16, Option<String>, Vec<u8>) {
        let response = from_function(payload.as_bytes()).unwrap();
        let kind = response.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), kind, response.into_body().collect().await.unwrap().to_bytes().to_vec())
    }

    #[tokio::test]
    async fn without_a_status_the_whole_is_the_body() {
        let json = Some("application/json".to_owned());
        assert_eq!(answer(r#"{"a": 1}"#).await, (200, json.clone(), br#"{"a": 1}"#.to_vec()));
        assert_eq!(answer(r#""hello""#).await, (200, json.clone(), b"hello".to_vec()));
        assert_eq!(answer("null").await, (200, json, b"null".to_vec()));
    }

    #[tokio::test]
    async fn a_structured_answer_is_taken_apart() {
        let payload = r#"{"statusCode": 201, "headers": {"Content-Type": "image/png", "X-N": 5, "Content-Length": "9"},
            "multiValueHeaders": {"x-lost": ["a"]}, "cookies": ["a=1; Path=/", "b=2"], "isBase64Encoded": true,
            "body": "AAEC"}"#;
        let response = from_function(payload.as_bytes()).unwrap();
        let cookies: Vec<_> = response.headers().get_all(SET_COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1; Path=/", "b=2"]);
        assert_eq!(response.headers()["x-n"], "5");
        assert!(!response.headers().contains_key("x-lost") && !response.headers().contains_key(CONTENT_LENGTH));
        assert_eq!(answer(payload).await, (201, Some("image/png".into()), vec![0, 1, 2]));
        let plain = Some("text/plain;charset=UTF-8".to_owned());
        assert_eq!(answer(r#"{"statusCode": 404, "body": "no"}"#).await, (404, plain, b"no".to_vec()));
        assert_eq!(answer(r#"{"statusCode": 204, "body": null, "headers": null}"#).await, (204, None, vec![]));
    }

    #[test]
    fn what_api_gateway_refuses_is_none() {
        for payload in [
            "",
            "{",
            r#"{"statusCode": "200"}"#,
            r#"{"statusCode": 99}"#,
            r#"{"statusCode": 600}"#,
            r#"{"statusCode": 100}"#,
            r#"{"statusCode": 200, "body": {}}"#,
            r#"{"statusCode": 200, "body": "*", "isBase64Encoded": true}"#,
            r#"{"statusCode": 200, "headers": {"a b": "x"}}"#,
            r#"{"statusCode": 200, "headers": {"a": "x\ny"}}"#,
            r#"{"statusCode": 200, "headers": []}"#,
            r#"{"statusCode": 200, "cookies": "a=1"}"#,
        ] {
            assert!(from_function(payload.as_bytes()).is_none(), "{payload}");
        }
    }
}
