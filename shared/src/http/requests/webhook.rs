//! Outgoing webhooks as requests contain them.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value};

use crate::{
    domain::{
        caller::Caller,
        change::ChangeType,
        id::SessionId,
        names,
        webhook_endpoint::{EventPattern, Format, Order, WebhookChange, WebhookFields},
        webhook_url::WebhookUrl,
    },
    http::{ApiError, Body, ErrorCode, JsonObject},
    services::webhook_endpoints::Verification,
};

/// The maximum number of entries of `events`.
const MAX_EVENTS: usize = 30;

/// The maximum number of headers.
const MAX_HEADERS: usize = 20;

/// The maximum size of the names and values of all headers, in bytes.
const HEADERS_LIMIT: usize = 4096;

/// The maximum length of a description, in characters.
const DESCRIPTION_LIMIT: usize = 500;

/// The maximum length of a token for the verification of a receiver, in characters.
const VERIFY_TOKEN_LIMIT: usize = 255;

/// The default and the maximum time during which the previous secret signs, in seconds: a day and a week.
const DEFAULT_GRACE: u32 = 24 * 60 * 60;
const MAX_GRACE: u32 = 7 * 24 * 60 * 60;

/// Headers that the request to a receiver has by itself, or that are about a connection (RFC 9110, section 7.6.1).
const RESERVED_HEADERS: [&str; 17] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "traceparent",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];

/// Prefixes of the names of such headers.
const RESERVED_PREFIXES: [&str; 3] = ["webhook-", "x-hub-signature", "proxy-"];

/// A webhook to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWebhook {
    /// The session. `None` for all sessions.
    pub session_id: Option<SessionId>,
    /// The settings.
    pub fields: WebhookFields,
    /// The verification of the receiver, if it is asked for.
    pub verification: Option<Verification>,
}

impl NewWebhook {
    /// Parses `{"sessionId"?, "url", "events"?, "format"?, "order"?, "headers"?, "description"?, "enabled"?,
    /// "verifyToken"?}`. By default, a webhook is enabled and receives all types. 404 for a session of another owner; 400
    /// without a session, except from an admin.
    pub fn read(body: &Body, caller: &Caller, allow_local: bool) -> Result<Self, ApiError> {
        let body = body.object(&[
            "sessionId",
            "url",
            "events",
            "format",
            "order",
            "headers",
            "description",
            "enabled",
            "verifyToken",
        ])?;
        let session_id = caller.session_of_webhook(body.string("sessionId")?)?;
        let url = read_url(&body, allow_local)?.ok_or_else(|| body.missing("url"))?;
        let fields = WebhookFields {
            url: url.as_str().to_owned(),
            events: read_events(&body)?.unwrap_or_else(|| vec![EventPattern::all()]),
            format: read_format(&body)?.unwrap_or_default(),
            order: read_order(&body)?.unwrap_or_default(),
            headers: read_headers(&body)?.unwrap_or_default(),
            description: read_description(&body)?,
            enabled: body.boolean("enabled")?.unwrap_or(true),
        };
        let verification = read_verify_token(&body, fields.format)?.map(|token| Verification { url, token });
        Ok(Self { session_id, fields, verification })
    }
}

impl WebhookChange {
    /// Parses the settings of a webhook, at least one. `headers` and `description` are removed by `null`.
    pub fn read(body: &Body, allow_local: bool) -> Result<Self, ApiError> {
        let body = body.object(&["url", "events", "format", "order", "headers", "description", "enabled"])?;
        let change = Self {
            url: read_url(&body, allow_local)?.map(|url| url.as_str().to_owned()),
            events: read_events(&body)?,
            format: read_format(&body)?,
            order: read_order(&body)?,
            headers: body.setting("headers", read_headers(&body)?),
            description: body.setting("description", read_description(&body)?),
            enabled: body.boolean("enabled")?,
        };
        if change == Self::default() {
            let message = "Give url, events, format, order, headers, description or enabled";
            return Err(ApiError::new(ErrorCode::MissingField, message));
        }
        Ok(change)
    }
}

/// Parses `{"graceSeconds"?}` of a request to rotate a secret. The body can be left out.
pub fn read_rotation(body: &Body) -> Result<Duration, ApiError> {
    let seconds = match body.none() {
        Ok(()) => None,
        Err(_) => body.object(&["graceSeconds"])?.whole_number("graceSeconds", 0..=MAX_GRACE)?,
    };
    Ok(Duration::from_secs(seconds.unwrap_or(DEFAULT_GRACE).into()))
}

fn read_url(body: &JsonObject, allow_local: bool) -> Result<Option<WebhookUrl>, ApiError> {
    let url = body.string("url")?.map(|text| WebhookUrl::parse(text, allow_local));
    url.transpose().map_err(|error| body.invalid("url", &error.to_string()))
}

fn read_verify_token(body: &JsonObject, format: Format) -> Result<Option<String>, ApiError> {
    let Some(token) = body.string("verifyToken")? else { return Ok(None) };
    if format != Format::CloudApi {
        return Err(body.invalid("verifyToken", "must be left out, except with the format cloud_api"));
    }
    if !(1..=VERIFY_TOKEN_LIMIT).contains(&token.chars().count()) {
        return Err(body.invalid("verifyToken", &format!("must have 1 to {VERIFY_TOKEN_LIMIT} characters")));
    }
    Ok(Some(token.to_owned()))
}

fn read_format(body: &JsonObject) -> Result<Option<Format>, ApiError> {
    let Some(word) = body.string("format")? else { return Ok(None) };
    let format = Format::ALL.into_iter().find(|format| format.as_str() == word);
    format.map(Some).ok_or_else(|| body.invalid("format", "must be qasid or cloud_api"))
}

fn read_order(body: &JsonObject) -> Result<Option<Order>, ApiError> {
    let Some(word) = body.string("order")? else { return Ok(None) };
    let order = Order::ALL.into_iter().find(|order| order.as_str() == word);
    order.map(Some).ok_or_else(|| body.invalid("order", "must be none or chat"))
}

fn read_description(body: &JsonObject) -> Result<Option<String>, ApiError> {
    let description = body.string("description")?.map(str::trim).filter(|text| !text.is_empty());
    if description.is_some_and(|text| text.chars().count() > DESCRIPTION_LIMIT) {
        return Err(body.invalid("description", &format!("may have up to {DESCRIPTION_LIMIT} characters")));
    }
    Ok(description.map(str::to_owned))
}

fn read_events(body: &JsonObject) -> Result<Option<Vec<EventPattern>>, ApiError> {
    let Some(value) = body.value("events") else { return Ok(None) };
    let Some(entries) = value.as_array().filter(|entries| (1..=MAX_EVENTS).contains(&entries.len())) else {
        return Err(body.invalid("events", &format!("must be an array of 1 to {MAX_EVENTS} event types")));
    };
    let mut events: Vec<EventPattern> = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        let event = read_event(entry).map_err(|rule| ApiError::invalid_field(format!("events[{at}] {rule}")))?;
        if let Some(first) = events.iter().position(|other| *other == event) {
            return Err(ApiError::invalid_field(format!("events[{at}] repeats events[{first}]: remove one of them")));
        }
        events.push(event);
    }
    Ok(Some(events))
}

/// Returns the pattern, or the rest of a sentence about it.
fn read_event(entry: &Value) -> Result<EventPattern, String> {
    let text = entry.as_str().ok_or("must be a string")?;
    if text == ChangeType::WebhookTest.as_str() {
        return Err("can't be webhook.test: only a test of the webhook sends it, whatever it subscribes to".to_owned());
    }
    read_event_pattern(text)
}

/// Parses the name of a type of changes in the log, or of a group of types. The error is the rest of a sentence.
pub(super) fn read_event_pattern(text: &str) -> Result<EventPattern, String> {
    let is_logged = |kind: &&str| *kind != ChangeType::WebhookTest.as_str();
    text.parse().ok().filter(|_| is_logged(&text)).ok_or_else(|| {
        let types = ChangeType::ALL.iter().map(|kind| kind.as_str()).filter(is_logged);
        let known: Vec<&str> = types.chain(["message.*", "chat.*", "session.*"]).collect();
        let hint = names::nearest(text, &known).map(|nearest| format!(", did you mean {nearest}?")).unwrap_or_default();
        format!("is not an event type: {}{hint}", names::displayed(text))
    })
}

/// Returns the headers by their names in lowercase.
fn read_headers(body: &JsonObject) -> Result<Option<BTreeMap<String, String>>, ApiError> {
    let Some(value) = body.value("headers") else { return Ok(None) };
    let Some(given) = value.as_object().filter(|given| given.len() <= MAX_HEADERS) else {
        return Err(body.invalid("headers", &format!("must be an object with up to {MAX_HEADERS} headers")));
    };
    let size: usize = given.iter().map(|(name, value)| name.len() + value.as_str().map_or(0, str::len)).sum();
    if size > HEADERS_LIMIT {
        let rule = format!("has {size} bytes: names and values together may have up to {HEADERS_LIMIT}");
        return Err(body.invalid("headers", &rule));
    }
    checked_headers(given)
        .map(Some)
        .map_err(|(name, rule)| ApiError::invalid_field(format!("headers.{} {rule}", names::displayed(name))))
}

/// Returns the headers, or the name of an unacceptable one and the rest of a sentence about it.
fn checked_headers(given: &Map<String, Value>) -> Result<BTreeMap<String, String>, (&str, &'static str)> {
    let mut headers = BTreeMap::new();
    for (name, value) in given {
        let refused = |rule| (name.as_str(), rule);
        let lowercase = name.to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(refused("is not a header name: use letters, digits, and hyphens"));
        }
        let is_reserved = RESERVED_HEADERS.contains(&lowercase.as_str())
            || RESERVED_PREFIXES.iter().any(|prefix| lowercase.starts_with(prefix));
        if is_reserved {
            return Err(refused("can't be set: Qasid or the connection sets this header"));
        }
        let value = value.as_str().filter(|value| {
            let is_text = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
            is_text && !value.is_empty() && value.trim() == *value
        });
        let value =
            value.ok_or(refused("must be a string of visible ASCII characters, with spaces only between them"))?;
        if headers.insert(lowercase, value.to_owned()).is_some() {
            return Err(refused("is given twice: the case of a name doesn't matter"));
        }
    }
    Ok(headers)
}

/// Returns whether a byte can be part of a header's name (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
