//! Requests to the API, repeated while it is busy.

use std::{collections::HashMap, sync::Arc, time::Duration};

use reqwest::{Method, StatusCode, header::RETRY_AFTER};
use serde::Deserialize;
use serde_json::{Value, json};

/// Longer than API Gateway waits for a response.
const TIMEOUT: Duration = Duration::from_secs(40);

/// Attempts for a request. With the pauses between them, they take over two minutes.
const ATTEMPTS: u32 = 10;

/// The longest pause in seconds, unless the API asks for a longer one.
const MAX_PAUSE: u64 = 30;

/// A deployment's API.
pub(super) struct Api {
    client: reqwest::Client,
    url: String,
    key: String,
    /// Whether a request was answered. Until then, the address may be wrong.
    has_answered: bool,
}

/// An import that the API accepted.
#[derive(Debug, Deserialize)]
pub(super) struct Imported {
    pub(super) imported: u64,
    pub(super) duplicates: u64,
    chats: Vec<ImportedChat>,
}

#[derive(Debug, Deserialize)]
struct ImportedChat {
    contact: String,
    chat_id: String,
}

impl Imported {
    /// Returns the chats by contact.
    pub(super) fn chats(&self) -> HashMap<&str, &str> {
        self.chats.iter().map(|chat| (chat.contact.as_str(), chat.chat_id.as_str())).collect()
    }
}

/// An error response.
#[derive(Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// Why, as the API says.
    pub sentence: String,
}

/// A request failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The HTTP client can't be built.
    #[error("cannot start an HTTP client")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is no response.
    #[error("no response from {url}: check that it is running, and --url")]
    NoResponse {
        /// The address.
        url: String,
        /// The cause.
        source: reqwest::Error,
    },
    /// The key isn't an admin's.
    #[error("the API refuses the key: give an admin key in QASID_KEY, or with --key")]
    Key,
    /// The API refuses the request, or stays busy.
    #[error("the API answers {}: {}", .0.status, .0.sentence)]
    Refused(Refusal),
    /// The response isn't one of this API.
    #[error("the response is not one of Qasid's API: check --url")]
    Response(#[source] serde_json::Error),
}

impl Api {
    pub(super) fn new(url: &str, key: &str) -> Result<Self, ApiError> {
        let url = url.trim_end_matches('/').to_owned();
        let provider = rustls::crypto::ring::default_provider();
        let mut client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
        if url.starts_with("https:") {
            // Fails only if another provider is installed, which then serves as well.
            let _ = provider.install_default();
        } else {
            // The client requires a TLS configuration, and the default one root certificates.
            let tls = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
                .with_safe_default_protocol_versions()
                .map_err(|error| ApiError::Client(error.into()))?
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
            client = client.tls_backend_preconfigured(tls);
        }
        let client = client.build().map_err(|error| ApiError::Client(error.into()))?;
        Ok(Self { client, url, key: key.to_owned(), has_answered: false })
    }

    /// Checks that a session exists. Returns its ID.
    pub(super) async fn session(&mut self, session_id: &str) -> Result<String, ApiError> {
        let id: String = form_urlencoded::byte_serialize(session_id.as_bytes()).collect();
        let response = self.send(Method::GET, &format!("/api/session/status?sessionId={id}"), String::new()).await?;
        session_id_of(&response)
    }

    /// Creates the session of an owner, unless it exists. Returns its ID.
    pub(super) async fn create_session(&mut self, user_id: &str) -> Result<String, ApiError> {
        let body = json!({"userId": user_id}).to_string();
        session_id_of(&self.send(Method::POST, "/api/session/create", body).await?)
    }

    /// Imports the messages in `body`.
    pub(super) async fn import(&mut self, body: String) -> Result<Imported, ApiError> {
        let response = self.send(Method::POST, "/api/messages/import", body).await?;
        serde_json::from_value(response).map_err(ApiError::Response)
    }

    async fn send(&mut self, method: Method, path: &str, body: String) -> Result<Value, ApiError> {
        let mut attempt = 1;
        loop {
            let request = self.client.request(method.clone(), format!("{}{path}", self.url));
            let request = request.bearer_auth(&self.key).header("content-type", "application/json");
            let (error, pause) = match request.body(body.clone()).send().await {
                Err(source) if !self.has_answered && source.is_connect() => {
                    return Err(ApiError::NoResponse { url: self.url.clone(), source });
                }
                Err(source) => (ApiError::NoResponse { url: self.url.clone(), source }, None),
                Ok(response) => {
                    self.has_answered = true;
                    let status = response.status();
                    let pause = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                    match response.bytes().await {
                        Ok(body) if status.is_success() => {
                            return serde_json::from_slice(&body).map_err(ApiError::Response);
                        }
                        Ok(body) => (refusal(status, &body), pause),
                        Err(source) => (ApiError::NoResponse { url: self.url.clone(), source }, None),
                    }
                }
            };
            if attempt == ATTEMPTS || !may_succeed_later(&error) {
                return Err(error);
            }
            let backoff = (1 << (attempt - 1)).min(MAX_PAUSE);
            let pause = pause.map_or(backoff, |pause: u64| pause.max(backoff));
            tokio::time::sleep(Duration::from_secs(pause)).await;
            attempt += 1;
        }
    }
}

fn session_id_of(response: &Value) -> Result<String, ApiError> {
    String::deserialize(&response["session"]["id"]).map_err(ApiError::Response)
}

/// Returns the error of a response, in the format of the API or of API Gateway.
fn refusal(status: StatusCode, body: &[u8]) -> ApiError {
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return ApiError::Key;
    }
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let sentence = json["error"].as_str().or_else(|| json["message"].as_str()).unwrap_or("no reason given").to_owned();
    ApiError::Refused(Refusal { status, sentence })
}

fn may_succeed_later(error: &ApiError) -> bool {
    match error {
        ApiError::NoResponse { .. } => true,
        ApiError::Refused(Refusal { status, .. }) => {
            *status == StatusCode::TOO_MANY_REQUESTS
                || (status.is_server_error() && *status != StatusCode::NOT_IMPLEMENTED)
        }
        ApiError::Client(_) | ApiError::Key | ApiError::Response(_) => false,
    }
}
