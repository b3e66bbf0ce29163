//! Posting messages to the Cloud API.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{GraphError, class};
use crate::domain::whatsapp_error::ErrorClass;

/// How long a post may take in all. Well under the lease of a claimed message.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// The same for a read receipt, which a caller waits for.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest `Retry-After` that is believed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// A connection to the Cloud API.
#[derive(Clone, Debug)]
pub struct CloudApi {
    http: reqwest::Client,
    url: String,
}

/// How a post ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendResult {
    /// WhatsApp accepted the message.
    Accepted {
        /// WhatsApp's id of it.
        wamid: String,
        /// Where WhatsApp says that the recipient is reached, when it says so.
        wa_id: Option<String>,
        /// The recipient's business-scoped user id, when it says so.
        user_id: Option<String>,
    },
    /// WhatsApp did not accept it, or nobody knows.
    Failed(SendError),
}

/// Why a message was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendError {
    /// What it means for the message.
    pub class: ErrorClass,
    /// A sentence for whoever sent it.
    pub error: String,
    /// WhatsApp's code.
    pub code: Option<i64>,
    /// WhatsApp's id of the request.
    pub fbtrace_id: Option<String>,
    /// How long WhatsApp asks to wait.
    pub retry_after: Option<Duration>,
}

impl SendError {
    /// Whether WhatsApp did not take the access token (Meta: "Error codes", 190).
    pub fn is_token_refused(&self) -> bool {
        self.code == Some(190)
    }

    /// A problem that WhatsApp has no code for.
    pub fn new(class: ErrorClass, error: impl Into<String>) -> Self {
        Self { class, error: error.into(), code: None, fbtrace_id: None, retry_after: None }
    }
}

#[derive(Deserialize)]
struct Accepted {
    messages: Vec<AcceptedMessage>,
    #[serde(default)]
    contacts: Vec<AcceptedContact>,
}

#[derive(Deserialize)]
struct AcceptedMessage {
    id: String,
}

#[derive(Deserialize)]
struct AcceptedContact {
    #[serde(default)]
    wa_id: Option<String>,
    #[serde(default)]
    user_id: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: GraphError,
}

impl CloudApi {
    /// A client for the Graph API at `url`, version included.
    pub fn new(url: String) -> Result<Self, reqwest::Error> {
        // Fails only when a provider is installed already, which then is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // A lost answer must not become a second post.
            .retry(reqwest::retry::never())
            .user_agent(concat!("qasid/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, url })
    }

    /// Posts a message once. Never tries again by itself: whoever calls decides by the outcome.
    pub async fn post(&self, phone_number_id: &str, access_token: &str, request: &Value) -> SendResult {
        match self.call(phone_number_id, access_token, request, TIMEOUT).await {
            Ok(body) => accepted(&body),
            Err(problem) => SendResult::Failed(problem),
        }
    }

    /// Marks a message of a customer as read, and with it every earlier one (Meta: "Mark messages as read").
    pub async fn mark_read(&self, phone_number_id: &str, access_token: &str, wamid: &str) -> Result<(), SendError> {
        let request = json!({"messaging_product": "whatsapp", "status": "read", "message_id": wamid});
        self.call(phone_number_id, access_token, &request, RECEIPT_TIMEOUT).await.map(drop)
    }

    /// The body of an answer that says success.
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
            // No connection, no message. Any later failure leaves open whether WhatsApp has it.
            Err(error) if error.is_connect() || error.is_builder() => {
                let sentence = format!("WhatsApp could not be reached: {}", cause(&error));
                return Err(SendError::new(ErrorClass::NotSent, sentence));
            }
            Err(error) => return Err(unanswered(format!("WhatsApp did not answer: {}", cause(&error)))),
        };
        let status = response.status();
        let retry_after = retry_after(&response);
        match response.bytes().await {
            Ok(body) if status.is_success() => Ok(body.into()),
            Ok(body) => Err(refused(status.as_u16(), retry_after, &body)),
            Err(error) => Err(unanswered(format!("WhatsApp's answer broke off: {}", cause(&error)))),
        }
    }
}

fn unanswered(error: String) -> SendError {
    SendError::new(ErrorClass::Indeterminate, error)
}

/// In seconds; WhatsApp does not use the form with a date.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds = response.headers().get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

fn accepted(body: &[u8]) -> SendResult {
    match serde_json::from_slice::<Accepted>(body) {
        Ok(Accepted { messages, contacts }) if messages.first().is_some_and(|message| !message.id.is_empty()) => {
            let (wa_id, user_id) =
                contacts.into_iter().next().map_or((None, None), |contact| (contact.wa_id, contact.user_id));
            SendResult::Accepted {
                wamid: messages.into_iter().next().map(|message| message.id).unwrap_or_default(),
                wa_id,
                user_id,
            }
        }
        _ => SendResult::Failed(unanswered("WhatsApp's answer names no message".to_owned())),
    }
}

fn refused(status: u16, retry_after: Option<Duration>, body: &[u8]) -> SendError {
    let Ok(Refused { error }) = serde_json::from_slice(body) else {
        return unanswered(format!("WhatsApp answered {status} without saying why"));
    };
    SendError {
        class: class(error.code),
        error: error.to_string(),
        code: error.code,
        fbtrace_id: error.fbtrace_id,
        retry_after,
    }
}

/// The innermost cause, without the URL.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { "timed out".to_owned() } else { cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_decide_what_an_error_means() {
        let answer = |code: i64| {
            let body = format!(r#"{{"error":{{"message":"m","code":{code},"fbtrace_id":"A"}}}}"#);
            refused(400, None, body.as_bytes())
        };
        for (class, codes) in [
            (ErrorClass::NotSent, &[4, 80007, 130_429, 131_057][..]),
            (ErrorClass::RecipientLimit, &[131_056]),
            (ErrorClass::Indeterminate, &[1, 2, 131_000, 131_016]),
            (ErrorClass::AccountBlocked, &[0, 10, 190, 200, 299, 368, 131_031, 131_042]),
            (ErrorClass::Refused, &[100, 131_026, 131_047, 132_001, 999_999, -1]),
        ] {
            for &code in codes {
                assert_eq!(answer(code).class, class, "{code}");
            }
        }
        let problem = answer(131_026);
        assert_eq!((problem.code, problem.fbtrace_id.as_deref()), (Some(131_026), Some("A")));
    }

    #[test]
    fn an_answer_that_says_nothing_leaves_it_open() {
        assert_eq!(refused(502, None, b"<html>").class, ErrorClass::Indeterminate);
        assert_eq!(refused(400, None, b"{\"error\":{}}").class, ErrorClass::Indeterminate);
        for body in ["{}", "{\"messages\":[]}"] {
            let SendResult::Failed(problem) = accepted(body.as_bytes()) else { panic!("accepted") };
            assert_eq!(problem.class, ErrorClass::Indeterminate);
        }
    }
}
