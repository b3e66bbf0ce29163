//! Posting messages to the Cloud API.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::errors::{GraphError, Meaning};

/// How long a post may take in all. Well under the lease of a claimed message.
const TIMEOUT: Duration = Duration::from_secs(20);

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection to the Cloud API.
#[derive(Clone, Debug)]
pub struct CloudApi {
    http: reqwest::Client,
    url: String,
}

/// How a post ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// WhatsApp accepted the message.
    Accepted {
        /// WhatsApp's id of it.
        wamid: String,
        /// Where WhatsApp says that the recipient is reached, when it says so.
        wa_id: Option<String>,
    },
    /// It certainly was not sent, and may be tried again.
    NotSent(String),
    /// It may have been sent.
    Unanswered(String),
    /// WhatsApp refused it for good.
    Refused(String),
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
}

#[derive(Deserialize)]
struct Refused {
    error: GraphError,
}

impl CloudApi {
    /// A client for the Graph API at `url`, version included.
    #[allow(clippy::disallowed_methods, reason = "called once, at init")]
    pub fn new(url: String) -> Result<Self, reqwest::Error> {
        // Fails only when a provider is installed already, which then is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("qasid/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, url })
    }

    /// Posts a message once. Never tries again by itself: whoever calls decides by the outcome.
    pub async fn post(&self, phone_number_id: &str, access_token: &str, request: &Value) -> Posted {
        let url = format!("{}/{phone_number_id}/messages", self.url);
        let response = self.http.post(url).bearer_auth(access_token).json(request).send().await;
        let response = match response {
            Ok(response) => response,
            // No connection, no message. Any later failure leaves open whether WhatsApp has it.
            Err(error) if error.is_connect() || error.is_builder() => {
                return Posted::NotSent(format!("WhatsApp could not be reached: {}", cause(&error)));
            }
            Err(error) => return Posted::Unanswered(format!("WhatsApp did not answer: {}", cause(&error))),
        };
        let status = response.status();
        match response.bytes().await {
            Ok(body) if status.is_success() => accepted(&body),
            Ok(body) => refused(status.as_u16(), &body),
            Err(error) => Posted::Unanswered(format!("WhatsApp's answer broke off: {}", cause(&error))),
        }
    }
}

fn accepted(body: &[u8]) -> Posted {
    match serde_json::from_slice::<Accepted>(body) {
        Ok(Accepted { messages, contacts }) if messages.first().is_some_and(|message| !message.id.is_empty()) => {
            Posted::Accepted {
                wamid: messages.into_iter().next().map(|message| message.id).unwrap_or_default(),
                wa_id: contacts.into_iter().next().and_then(|contact| contact.wa_id),
            }
        }
        _ => Posted::Unanswered("WhatsApp's answer names no message".to_owned()),
    }
}

fn refused(status: u16, body: &[u8]) -> Posted {
    let Ok(Refused { error }) = serde_json::from_slice(body) else {
        return Posted::Unanswered(format!("WhatsApp answered {status} without saying why"));
    };
    match error.meaning() {
        Meaning::NotSent => Posted::NotSent(error.to_string()),
        Meaning::MaybeSent => Posted::Unanswered(error.to_string()),
        Meaning::Refused => Posted::Refused(error.to_string()),
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
        let answer = |code: i64| refused(400, format!(r#"{{"error":{{"message":"m","code":{code}}}}}"#).as_bytes());
        assert_eq!(answer(130_429), Posted::NotSent("m (130429)".to_owned()));
        assert_eq!(answer(131_000), Posted::Unanswered("m (131000)".to_owned()));
        assert_eq!(answer(131_026), Posted::Refused("m (131026)".to_owned()));
        assert_eq!(answer(999_999), Posted::Refused("m (999999)".to_owned()));
    }

    #[test]
    fn an_answer_that_says_nothing_leaves_it_open() {
        assert!(matches!(refused(502, b"<html>"), Posted::Unanswered(_)));
        assert!(matches!(refused(400, b"{\"error\":{}}"), Posted::Unanswered(_)));
        assert!(matches!(accepted(b"{}"), Posted::Unanswered(_)));
        assert!(matches!(accepted(b"{\"messages\":[]}"), Posted::Unanswered(_)));
    }
}
