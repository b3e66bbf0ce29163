//! Builds the payload format 2.0 event for an HTTP request.

use std::{collections::BTreeMap, net::SocketAddr};

use axum::http::{
    HeaderMap, Version,
    header::{
        CONNECTION, CONTENT_TYPE, COOKIE, EXPECT, HOST, HeaderName, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
    },
    request::Parts,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::routes::RouteMatch;

pub(super) const ACCOUNT_ID: &str = "000000000000";
pub(super) const API_ID: &str = "local";

/// Connection-specific headers, which API Gateway does not forward.
const HOP_BY_HOP_HEADERS: [HeaderName; 6] = [CONNECTION, EXPECT, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// Properties of the event that the request itself does not contain.
pub(super) struct RequestContext<'a> {
    pub(super) client: SocketAddr,
    pub(super) port: u16,
    pub(super) request_id: &'a str,
    pub(super) now: Timestamp,
    pub(super) path: &'a str,
}

/// Returns the path as an HTTP API passes it on: percent-decoded and cut at a decoded `?`. This matches captures of the
/// live service; REST APIs and function URLs keep the encoding. Invalid encodings stay unchanged.
pub(super) fn decoded_path(path: &str) -> String {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    decoded.split('?').next().unwrap_or_default().to_owned()
}

/// Builds the event without its body, because authorizers don't receive one. [`add_body`] adds it.
pub(super) fn build(request: &Parts, matched: &RouteMatch<'_>, context: &RequestContext<'_>) -> Value {
    let headers = headers(&request.headers, context);
    let domain = headers.get("host").cloned().unwrap_or_default();
    let user_agent = text(request.headers.get(USER_AGENT).map(|value| value.as_bytes()).unwrap_or_default());
    let query = request.uri.query().unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": matched.route.key(),
        "rawPath": context.path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT_ID,
            "apiId": API_ID,
            "domainName": domain,
            "domainPrefix": domain.split(['.', ':']).next(),
            "http": {
                "method": request.method.as_str(),
                "path": context.path,
                "protocol": protocol(request.version),
                "sourceIp": context.client.ip().to_string(),
                "userAgent": user_agent,
            },
            "requestId": context.request_id,
            "routeKey": matched.route.key(),
            "stage": "$default",
            "time": context.now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": context.now.as_millisecond(),
        },
        "isBase64Encoded": false,
    });
    let cookies: Vec<String> = request
        .headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|value| text(value.as_bytes()).split(';').map(|one| one.trim().to_owned()).collect::<Vec<_>>())
        .filter(|cookie| !cookie.is_empty())
        .collect();
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    let parameters = query_parameters(query);
    if !parameters.is_empty() {
        event["queryStringParameters"] = Value::Object(parameters);
    }
    if !matched.parameters.is_empty() {
        event["pathParameters"] = json!(matched.parameters);
    }
    event
}

/// Adds the authorizer's context.
pub(super) fn add_authorizer(event: &mut Value, context: Map<String, Value>) {
    event["requestContext"]["authorizer"] = json!({"lambda": context});
}

pub(super) fn add_body(event: &mut Value, request: &Parts, body: &[u8]) {
    if !body.is_empty() {
        let content_type = text(request.headers.get(CONTENT_TYPE).map(|value| value.as_bytes()).unwrap_or_default());
        match std::str::from_utf8(body) {
            Ok(body) if is_text(&content_type) => event["body"] = Value::from(body),
            _ => {
                event["body"] = Value::String(STANDARD.encode(body));
                event["isBase64Encoded"] = Value::Bool(true);
            }
        }
    }
}

/// Returns the headers with lowercase names. Joins repeated headers with commas, leaves out cookies, and adds API
/// Gateway's forwarding headers.
fn headers(received: &HeaderMap, context: &RequestContext<'_>) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in received {
        if *name == COOKIE || HOP_BY_HOP_HEADERS.contains(name) {
            continue;
        }
        let value = text(value.as_bytes());
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|joined| {
                joined.push(',');
                joined.push_str(&value);
            })
            .or_insert(value);
    }
    headers.entry(HOST.as_str().to_owned()).or_insert_with(|| format!("127.0.0.1:{}", context.port));
    let address = context.client.ip().to_string();
    headers
        .entry("x-forwarded-for".to_owned())
        .and_modify(|addresses| addresses.push_str(&format!(", {address}")))
        .or_insert(address);
    headers.insert("x-forwarded-port".to_owned(), context.port.to_string());
    headers.insert("x-forwarded-proto".to_owned(), "http".to_owned());
    headers
}

/// Returns the decoded query parameters. Joins repeated parameters with commas. A pair with an invalid encoding stays
/// unchanged.
fn query_parameters(query: &str) -> Map<String, Value> {
    let mut parameters = BTreeMap::<String, String>::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = match (decode(name), decode(value)) {
            (Some(name), Some(value)) => (name, value),
            _ => (name.to_owned(), value.to_owned()),
        };
        parameters
            .entry(name)
            .and_modify(|joined| {
                joined.push(',');
                joined.push_str(&value);
            })
            .or_insert(value);
    }
    parameters.into_iter().map(|(name, value)| (name, Value::String(value))).collect()
}

fn decode(encoded: &str) -> Option<String> {
    let valid = encoded
        .split('%')
        .skip(1)
        .all(|after| after.len() >= 2 && after.bytes().take(2).all(|digit| digit.is_ascii_hexdigit()));
    if !valid {
        return None;
    }
    let spaced = encoded.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(|decoded| decoded.into_owned())
}

/// Returns whether a body of this type is passed as text instead of base64.
fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/")
        || ["application/json", "application/javascript", "application/xml"].contains(&kind.as_str())
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn protocol(version: Version) -> &'static str {
    if version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" }
}

#[cfg(test)]
mod tests;
