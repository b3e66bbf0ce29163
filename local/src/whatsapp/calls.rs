//! Calls of users to a business number (Meta, *User-initiated calls*). A call carries no sound: the phone offers a session
//! and ignores the answer. It rings until the user hangs up or the business ends it; Meta ends it after a minute.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    clock,
    graph_error::GraphError,
    parameters::Parameters,
    status::{ValueMembers, contact},
    users::User,
    webhook::BusinessNumber,
};

/// The session that the phone offers (RFC 8866): one stream of Opus audio, as in Meta's sample.
const SDP_OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE audio\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111 126\r\nc=IN IP4 127.0.0.1\r\na=mid:audio\r\na=sendrecv\r\na=rtcp-mux\r\n\
    a=setup:actpass\r\na=ice-ufrag:4ZcD\r\na=ice-pwd:2/1muCWoOi3uLifh0NuRHlph\r\n\
    a=rtpmap:111 opus/48000/2\r\na=rtpmap:126 telephone-event/8000\r\n";

/// Maximum length of `biz_opaque_callback_data` (Meta, *User-initiated calls*).
const MAX_CALLBACK_DATA_CHARS: usize = 512;

/// A call, in the format of a phone's feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Call {
    #[serde(flatten)]
    pub(super) state: CallState,
    /// The user's phone number, if they share it with the business.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shared_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) callback_data: Option<String>,
}

/// How far a call got. Times are in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(super) enum CallState {
    Ringing,
    Accepted {
        started_at: i64,
    },
    Completed {
        started_at: i64,
        ended_at: i64,
    },
    /// It ended before the business accepted it.
    Failed,
}

/// What the business does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallAction {
    PreAccept,
    Accept,
    Reject,
    Terminate,
}

/// A request of the business to `/{phone number ID}/calls`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CallRequest {
    pub(super) call_id: String,
    pub(super) action: CallAction,
    pub(super) callback_data: Option<String>,
}

impl CallState {
    /// Returns the state after an action of the business; `None` if the call doesn't allow it.
    pub(super) fn after(self, action: CallAction, now: i64) -> Option<CallState> {
        match (self, action) {
            (CallState::Ringing, CallAction::PreAccept) => Some(self),
            (CallState::Ringing, CallAction::Accept) => Some(CallState::Accepted { started_at: now }),
            (CallState::Ringing, CallAction::Reject) | (_, CallAction::Terminate) => self.ended(now),
            _ => None,
        }
    }

    /// Returns the state after either side hangs up; `None` if the call has ended.
    pub(super) fn ended(self, now: i64) -> Option<CallState> {
        match self {
            CallState::Ringing => Some(CallState::Failed),
            CallState::Accepted { started_at } => Some(CallState::Completed { started_at, ended_at: now }),
            CallState::Completed { .. } | CallState::Failed => None,
        }
    }

    pub(super) fn has_ended(self) -> bool {
        matches!(self, CallState::Completed { .. } | CallState::Failed)
    }
}

impl Call {
    /// Returns the call in the content of a phone's entry.
    pub(super) fn of(content: &Map<String, Value>) -> Option<Call> {
        Call::deserialize(content.get("call")?).ok()
    }

    pub(super) fn content(&self) -> Map<String, Value> {
        Map::from_iter([("call".to_owned(), json!(self))])
    }

    /// Returns the members of the webhook that reports the call's state.
    pub(super) fn webhook(&self, id: &str, user: &User, business: &BusinessNumber, at: i64) -> ValueMembers {
        let mut call = json!({
            "id": id,
            "to": business.display_phone_number,
            "from_user_id": user.user_id,
            "timestamp": at.to_string(),
            "direction": "USER_INITIATED",
        });
        if let Some(number) = &self.shared_number {
            call["from"] = json!(number);
        }
        match self.state {
            CallState::Ringing | CallState::Accepted { .. } => {
                call["event"] = json!("connect");
                call["session"] = json!({"sdp_type": "offer", "sdp": SDP_OFFER});
            }
            CallState::Completed { started_at, ended_at } => {
                call["event"] = json!("terminate");
                call["status"] = json!("COMPLETED");
                call["start_time"] = json!(started_at.to_string());
                call["end_time"] = json!(ended_at.to_string());
                call["duration"] = json!(ended_at - started_at);
            }
            CallState::Failed => {
                call["event"] = json!("terminate");
                call["status"] = json!("FAILED");
            }
        }
        if self.state.has_ended()
            && let Some(data) = &self.callback_data
        {
            call["biz_opaque_callback_data"] = json!(data);
        }
        vec![("contacts", json!([contact(user, self.shared_number.as_deref())])), ("calls", json!([call]))]
    }
}

/// Generates a call ID in WhatsApp's format: `wacid.` and unpadded Base64.
pub(super) fn generate_id() -> String {
    let mut bytes = vec![0x00, 0x11, 0x86];
    bytes.extend(clock::random().as_bytes());
    format!("wacid.{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// Parses a request of the business.
pub(super) fn parse(parameters: &Parameters) -> Result<CallRequest, GraphError> {
    parameters.require_messaging_product()?;
    let action = match parameters.required_string("action")?.as_str() {
        "pre_accept" => CallAction::PreAccept,
        "accept" => CallAction::Accept,
        "reject" => CallAction::Reject,
        "terminate" => CallAction::Terminate,
        // No user of the simulated WhatsApp permits calls by the business.
        "connect" => return Err(GraphError::new(138_006, None)),
        _ => {
            let sentence = "Param action must be one of {CONNECT, PRE_ACCEPT, ACCEPT, REJECT, TERMINATE}.";
            return Err(GraphError::parameter(sentence));
        }
    };
    let call_id = parameters.required_string("call_id")?;
    if let Some(session) = parameters.object("session")? {
        let is_answer = session.get("sdp_type") == Some(&json!("answer"));
        if !is_answer || session.get("sdp").and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(GraphError::parameter("Param session must have sdp_type \"answer\" and an sdp."));
        }
    }
    let callback_data = parameters.string("biz_opaque_callback_data")?;
    if callback_data.as_ref().is_some_and(|data| data.chars().count() > MAX_CALLBACK_DATA_CHARS) {
        return Err(GraphError::too_long("biz_opaque_callback_data", MAX_CALLBACK_DATA_CHARS));
    }
    Ok(CallRequest { call_id, action, callback_data })
}

#[cfg(test)]
mod tests;
