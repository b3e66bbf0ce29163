//! What a worker's device receives, stored the way a webhook's messages are.

use serde_json::Value;

use super::{ID_LIMIT, require_worker};
use crate::{
    domain::caller::Caller,
    domain::id::SessionId,
    domain::identity::Address,
    domain::inbound::{Inbound, InboundBatch},
    domain::message::{MessageStatus, MessageType, Source},
    domain::time::Timestamp,
    domain::worker::worker_number,
    http::{ApiError, Body, JsonObject},
    store::Store,
};

/// A message that a device received.
#[derive(Debug)]
pub struct ReceiveRequest {
    session_id: SessionId,
    from: Address,
    name: Option<String>,
    message: Inbound,
}

impl ReceiveRequest {
    /// Reads `{"sessionId", "id", "from", "timestamp", "name"?, "type"?, "text"?, …}`. The text is a string or
    /// `{"body"}`; a message without one is kept as it came, and so is what else the object has.
    /// 404 for a session that is not the caller's.
    pub fn read(body: &Body, caller: &Caller) -> Result<Self, ApiError> {
        let object = body.object()?;
        let session_id = caller.session(object.session_id()?)?;
        let invalid = |message: &str| ApiError::bad_request("invalid_field", message);
        let id = object.required("id")?;
        if id.len() > ID_LIMIT {
            return Err(invalid("id must have 1 to 1024 bytes"));
        }
        let from = Address::parse(object.required("from")?).ok_or_else(|| {
            invalid("from is not a WhatsApp address: give a phone number with its country code, a jid or a group's jid")
        })?;
        let timestamp = read_timestamp(object.value("timestamp"))?;
        let is_text = object.string("type")?.is_none_or(|kind| kind == "text");
        let text = read_text(&object)?.filter(|_| is_text);
        let name = object.string("name")?.map(str::trim).filter(|name| !name.is_empty());
        // In a group the name is the writer's, and the chat is the group's.
        let name = name.filter(|_| !matches!(from, Address::Group(_)));
        Ok(Self {
            session_id,
            name: name.map(str::to_owned),
            message: Inbound {
                opens_window: true,
                has_referral: false,
                wamid: id.to_owned(),
                timestamp,
                kind: if text.is_some() { MessageType::Text } else { MessageType::Unsupported },
                body: text,
                content: None,
                from_me: false,
                status: MessageStatus::Received,
                action: None,
                ours: None,
                raw: body.text()?.to_owned(),
            },
            from,
        })
    }
}

fn read_text(object: &JsonObject) -> Result<Option<String>, ApiError> {
    match object.value("text") {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Object(text)) if text.get("body").is_some_and(Value::is_string) => {
            Ok(text["body"].as_str().map(str::to_owned))
        }
        Some(_) => Err(ApiError::bad_request("invalid_field", "text must be a string, or an object with a body")),
    }
}

/// Unix seconds, as a number or a string, or RFC 3339.
fn read_timestamp(value: Option<&Value>) -> Result<Timestamp, ApiError> {
    let timestamp = match value {
        None => return Err(ApiError::bad_request("missing_field", "timestamp is required")),
        Some(Value::Number(seconds)) => seconds.as_i64().and_then(Timestamp::from_seconds),
        Some(Value::String(text)) => match text.parse() {
            Ok(seconds) => Timestamp::from_seconds(seconds),
            Err(_) => text.parse().ok(),
        },
        Some(_) => None,
    };
    timestamp.ok_or_else(|| {
        ApiError::bad_request("invalid_field", "timestamp must be in seconds since 1970, or an RFC 3339 time")
    })
}

/// Stores a message unless it is there. Whether it was.
pub async fn receive(store: &Store, request: ReceiveRequest) -> Result<bool, ApiError> {
    let ReceiveRequest { session_id, from, name, message } = request;
    let session = store.session(session_id).await?.ok_or_else(ApiError::session_not_found)?;
    require_worker(&session)?;
    let phone_number_id = worker_number(session_id);
    // The row's key has the time in it, and a worker that hands a message in again may write its time in another way.
    // This also keeps a device's echo of what it has sent for us from being stored as a customer's.
    if store.message_by_wamid(&phone_number_id, &message.wamid).await?.is_some() {
        return Ok(true);
    }
    let (addresses, messages) = (vec![from], vec![message]);
    let source = Some(Source::Device);
    let batch = InboundBatch { session_id, phone_number_id, addresses, name, source, messages };
    let stored = store.receive(batch).await?.stored;
    tracing::info!(%session_id, stored, "message received from a worker");
    Ok(stored == 0)
}
