//! The client of the Cloud API.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::GraphError;
use crate::domain::whatsapp_error::ErrorClass;

/// The timeout of a send request, well under the lease of a claimed message.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// The timeout of a read receipt, which an API caller waits for.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(5);

/// The timeout for opening a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The maximum `Retry-After`. Longer values are reduced to it.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// A client of the Cloud API.
#[derive(Clone, Debug)]
pub struct CloudApi {
    http: reqwest::Client,
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
}

impl SendError {
    /// Returns whether WhatsApp refused the access token (Meta, *Error codes*, 190).
    pub fn is_token_refused(&self) -> bool {
        self.code == Some(190)
    }

    /// Creates an error without a WhatsApp code.
    pub fn new(class: ErrorClass, error: impl Into<String>) -> Self {
        Self { class, error: error.into(), code: None, fbtrace_id: None, retry_after: None }
    }
}

/// The response to a send request (Meta, *Send messages*).
#[derive(Deserialize)]
struct SendResponse {
    messages: Vec<ResponseMessage>,
    #[serde(default)]
    contacts: Vec<ResponseContact>,
}

#[derive(Deserialize)]
struct ResponseMessage {
    id: String,
}

#[derive(Default, Deserialize)]
struct ResponseContact {
    #[serde(default)]
    wa_id: Option<String>,
    #[serde(default)]
    user_id: Option<String>,
}

#[derive(Deserialize)]
struct ErrorResponse {
    error: GraphError,
}

impl CloudApi {
    /// Creates a client for the Graph API at `url`, which includes the version.
    ///
    /// # Errors
    /// If the TLS configuration can't be loaded.
    pub fn new(url: String) -> Result<Self, reqwest::Error> {
        // Fails only if the process has already installed `ring`.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // A lost response must not cause a second send.
            .retry(reqwest::retry::never())
            .user_agent(concat!("qasid/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, url })
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

    /// Returns the body of a successful response.
    async fn call(
        &self,
        phone_number_id: &str,
        access_token: &str,
        request: &Value,
        timeout: Duration,
    ) -> Result<Vec<u8>, SendError> {
        let url = format!("{}/{phone_number_id}/messages", self.url);
        let response = self.http.post(url).bearer_auth(access_token).json(request).timeout(timeout).send().await;
        let response = match response {
            Ok(response) => response,
            // Without a connection, nothing was sent. After any later failure, WhatsApp may have the message.
            Err(error) if error.is_connect() || error.is_builder() => {
                let sentence = format!("The connection to WhatsApp failed: {}", cause(&error));
                return Err(SendError::new(ErrorClass::NotSent, sentence));
            }
            Err(error) => return Err(indeterminate(format!("WhatsApp didn't respond: {}", cause(&error)))),
        };
        let status = response.status();
        let retry_after = retry_after(&response);
        match response.bytes().await {
            Ok(body) if status.is_success() => Ok(body.into()),
            Ok(body) => Err(send_error(status.as_u16(), retry_after, &body)),
            Err(error) => Err(indeterminate(format!("WhatsApp's response is incomplete: {}", cause(&error)))),
        }
    }
}

fn indeterminate(error: String) -> SendError {
    SendError::new(ErrorClass::Indeterminate, error)
}

/// Reads `Retry-After` in seconds. WhatsApp doesn't use the form with a date.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds = response.headers().get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

fn send_result(body: &[u8]) -> SendResult {
    let response = serde_json::from_slice::<SendResponse>(body).ok();
    let ids = response.and_then(|response| {
        let message = response.messages.into_iter().next().filter(|message| !message.id.is_empty())?;
        Some((message.id, response.contacts.into_iter().next().unwrap_or_default()))
    });
    match ids {
        Some((wamid, ResponseContact { wa_id, user_id })) => SendResult::Accepted { wamid, wa_id, user_id },
        None => SendResult::Failed(indeterminate("WhatsApp's response has no message ID".to_owned())),
    }
}

fn send_error(status: u16, retry_after: Option<Duration>, body: &[u8]) -> SendError {
    let Ok(ErrorResponse { error }) = serde_json::from_slice(body) else {
        return indeterminate(format!("WhatsApp responded {status} without an error"));
    };
    SendError {
        class: error.class(),
        error: error.to_string(),
        code: error.code,
        fbtrace_id: error.fbtrace_id,
        retry_after,
    }
}

/// Returns the innermost cause, which doesn't contain the URL.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { "timed out".to_owned() } else { cause.to_string() }
}

#[cfg(test)]
mod tests;
