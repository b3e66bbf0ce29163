//! The client of the Cloud API.

use std::{error::Error, time::Duration};

use aws_smithy_runtime_api::client::{
    connection::CaptureSmithyConnection,
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use serde_json::{Value, json};

use super::errors::{GraphError, redacted};
use crate::domain::{id::MAX_ID_BYTES, number::is_phone_number_id, whatsapp_error::ErrorClass};

/// The timeout of a send request, well under the lease of a claimed message.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// The timeout of a read receipt or typing indicator, which an API caller waits for.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(5);

/// The maximum `Retry-After`. Longer values are reduced to it.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// The maximum length of the part of a plain text response that an error quotes, in characters.
const EXCERPT_LIMIT: usize = 200;

/// A client of the Cloud API.
#[derive(Clone, Debug)]
pub struct CloudApi {
    http: SharedHttpConnector,
    url: String,
}

/// The result of a send request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendResult {
    /// WhatsApp accepted the message.
    Accepted {
        /// WhatsApp's message ID.
        wamid: String,
        /// The recipient's WhatsApp ID, if the response has it.
        wa_id: Option<String>,
        /// The recipient's business-scoped user ID, if the response has it.
        user_id: Option<String>,
        /// Why WhatsApp holds the message back, such as `held_for_quality_assessment`, if it does.
        message_status: Option<String>,
    },
    /// WhatsApp didn't accept the message, or the outcome is unknown.
    Failed(SendError),
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendError {
    /// The effect on the message.
    pub class: ErrorClass,
    /// A sentence for the sender.
    pub error: String,
    /// WhatsApp's error code.
    pub code: Option<i64>,
    /// WhatsApp's trace ID of the request.
    pub fbtrace_id: Option<String>,
    /// The wait that WhatsApp asks for, at most an hour.
    pub retry_after: Option<Duration>,
    /// Whether WhatsApp refused the access token, so that a newer one can succeed.
    pub is_token_refused: bool,
}

impl From<GraphError> for SendError {
    fn from(error: GraphError) -> Self {
        Self {
            class: error.class(),
            is_token_refused: error.is_token_refused(),
            error: error.to_string(),
            code: error.code,
            fbtrace_id: error.fbtrace_id,
            retry_after: None,
        }
    }
}

impl SendError {
    /// Creates an error without a WhatsApp code.
    pub fn new(class: ErrorClass, error: impl Into<String>) -> Self {
        Self { class, error: error.into(), code: None, fbtrace_id: None, retry_after: None, is_token_refused: false }
    }
}

impl CloudApi {
    /// Creates a client for the Graph API at `url`, which includes the version.
    pub fn new(http: SharedHttpConnector, url: String) -> Self {
        Self { http, url }
    }

    /// Sends a message once. Never retries, because the caller decides by the result.
    pub async fn post(&self, phone_number_id: &str, access_token: &str, request: &Value) -> SendResult {
        match self.call(phone_number_id, access_token, request, TIMEOUT).await {
            Ok(body) => send_result(&body),
            Err(error) => SendResult::Failed(error),
        }
    }

    /// Marks a contact's message and all earlier ones as read (Meta, *Mark messages as read*).
    ///
    /// # Errors
    /// If WhatsApp doesn't accept the receipt, or doesn't respond.
    pub async fn mark_read(&self, phone_number_id: &str, access_token: &str, wamid: &str) -> Result<(), SendError> {
        let request = json!({"messaging_product": "whatsapp", "status": "read", "message_id": wamid});
        self.call(phone_number_id, access_token, &request, RECEIPT_TIMEOUT).await.map(drop)
    }

    /// Shows the contact that the business is typing, until it sends a message, for at most 25 seconds. Also marks the
    /// contact's message and all earlier ones as read, because WhatsApp has no request for the indicator alone (Meta,
    /// *Typing indicators*).
    ///
    /// # Errors
    /// If WhatsApp doesn't accept the request, or doesn't respond.
    pub async fn show_typing(&self, phone_number_id: &str, access_token: &str, wamid: &str) -> Result<(), SendError> {
        let request = json!({
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": wamid,
            "typing_indicator": {"type": "text"},
        });
        self.call(phone_number_id, access_token, &request, RECEIPT_TIMEOUT).await.map(drop)
    }

    /// Returns the body of a successful response.
    async fn call(
        &self,
        phone_number_id: &str,
        access_token: &str,
        request: &Value,
        timeout: Duration,
    ) -> Result<Vec<u8>, SendError> {
        // Other characters could lead to another URL.
        if !is_phone_number_id(phone_number_id) {
            return Err(SendError::new(ErrorClass::Refused, "The number's phone_number_id doesn't consist of digits"));
        }
        let mut request = http_request(&format!("{}/{phone_number_id}/messages", self.url), access_token, request)
            .map_err(|error| not_sent(&*error))?;
        let connection = CaptureSmithyConnection::new();
        request.add_extension(connection.clone());
        let exchange = async {
            let response = match self.http.call(request).await {
                Ok(response) => response,
                // Without a connection, nothing was sent. After any later failure, WhatsApp may have the message.
                Err(error) if connection.get().is_none() => return Err(not_sent(&error)),
                Err(error) => return Err(indeterminate(format!("WhatsApp didn't respond: {}", cause(&error)))),
            };
            let (status, retry_after) = (response.status(), retry_after(&response));
            match ByteStream::new(response.into_body()).collect().await {
                Ok(body) if status.is_success() => Ok(body.to_vec()),
                Ok(body) => {
                    let error = send_error(status.as_u16(), retry_after, &body.to_vec());
                    Err(SendError { error: redacted(&error.error, access_token), ..error })
                }
                Err(error) => Err(indeterminate(format!("WhatsApp's response is incomplete: {}", cause(&error)))),
            }
        };
        let timed_out = |_| Err(indeterminate("WhatsApp didn't respond: timed out".to_owned()));
        tokio::time::timeout(timeout, exchange).await.unwrap_or_else(timed_out)
    }
}

/// Creates a POST request with a JSON body.
fn http_request(url: &str, access_token: &str, body: &Value) -> Result<HttpRequest, Box<dyn Error + Send + Sync>> {
    let mut request = authorized(HttpRequest::new(SdkBody::from(body.to_string())), url, access_token)?;
    request.set_method("POST")?;
    request.headers_mut().try_insert("content-type", "application/json")?;
    Ok(request)
}

/// Sets the URL of a request, and its headers without those of a body. A request without a method is a GET.
pub(super) fn authorized(
    mut request: HttpRequest,
    url: &str,
    access_token: &str,
) -> Result<HttpRequest, Box<dyn Error + Send + Sync>> {
    request.set_uri(url)?;
    request.headers_mut().try_insert("authorization", format!("Bearer {access_token}"))?;
    request.headers_mut().try_insert("user-agent", concat!("qasid/", env!("CARGO_PKG_VERSION")))?;
    Ok(request)
}

fn not_sent(error: &(dyn Error + 'static)) -> SendError {
    SendError::new(ErrorClass::NotSent, format!("The connection to WhatsApp failed: {}", cause(error)))
}

fn indeterminate(error: String) -> SendError {
    SendError::new(ErrorClass::Indeterminate, error)
}

/// Reads `Retry-After` in seconds. WhatsApp doesn't use the form with a date.
pub(super) fn retry_after(response: &HttpResponse) -> Option<Duration> {
    let seconds = response.headers().get("retry-after")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

/// Parses the response to a send request (Meta, *Send messages*). Only the message's ID is required.
fn send_result(body: &[u8]) -> SendResult {
    let response: Value = serde_json::from_slice(body).unwrap_or_default();
    // Some resellers return the object without its list.
    let first = |name: &str| response[name].get(0).or(response.get(name)).cloned().unwrap_or_default();
    let (message, contact) = (first("messages"), first("contacts"));
    match id(&message["id"]).filter(|id| id.len() <= MAX_ID_BYTES) {
        Some(wamid) => SendResult::Accepted {
            wamid,
            wa_id: id(&contact["wa_id"]),
            user_id: id(&contact["user_id"]),
            message_status: held_status(&message["message_status"]),
        },
        None => SendResult::Failed(match GraphError::parse_response(body) {
            Some(error) => SendError::from(error),
            None => indeterminate("WhatsApp's response has no message ID".to_owned()),
        }),
    }
}

/// Returns a nonempty string, or a number as text.
fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        _ => None,
    }
}

/// Returns the `message_status` of a message that WhatsApp accepted and doesn't send yet. Documented values are
/// `accepted`, `held_for_quality_assessment`, and `paused` (Meta, *Template pacing*); others are kept.
fn held_status(value: &Value) -> Option<String> {
    let is_name = |text: &&str| {
        (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    value.as_str().filter(is_name).filter(|name| !name.eq_ignore_ascii_case("accepted")).map(str::to_owned)
}

pub(super) fn send_error(status: u16, retry_after: Option<Duration>, body: &[u8]) -> SendError {
    match GraphError::parse_response(body) {
        Some(error) => SendError { retry_after, ..error.into() },
        None => indeterminate(format!("WhatsApp responded {status} without an error{}", excerpt(body))),
    }
}

/// Returns the start of a plain text body, such as a proxy's `upstream connect error`, to append to a sentence.
pub(super) fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let text: String = text.collect::<Vec<_>>().join(" ").chars().take(EXCERPT_LIMIT).collect();
    let is_plain = !text.is_empty() && !text.starts_with(['<', '{', '[', '"']);
    if is_plain { format!(": {text}") } else { String::new() }
}

/// Returns the innermost cause, which doesn't contain the URL.
pub(super) fn cause(error: &(dyn Error + 'static)) -> String {
    std::iter::successors(Some(error), |&error| error.source()).last().unwrap_or(error).to_string()
}

#[cfg(test)]
mod tests;
