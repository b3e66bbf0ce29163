//! What linked-device workers send.

use std::time::Duration;

use serde_json::Value;

use crate::{
    domain::{
        caller::Caller,
        contact_name::clean_name,
        identity::Address,
        inbound::Inbound,
        message::{BODY_LIMIT, MessageStatus, MessageType, shortened},
        profile::Profile,
        time::Timestamp,
        worker::WorkerOutcome,
    },
    http::{ApiError, Body, JsonObject},
    services::worker::{ClaimRequest, ReceiveRequest, SettleRequest},
};

/// The maximum length of the id that a device gives a message, in bytes.
const ID_LIMIT: usize = 1024;

/// The maximum length of the reason that a worker gives for a failure, in characters.
const REASON_LIMIT: usize = 1000;

/// The fields of a message that a device received, besides the one that has the name of its `type`. `device` is for what the
/// worker wants to keep; it is only stored.
const RECEIVED: &[&str] = &["sessionId", "id", "from", "fromAlt", "timestamp", "name", "type", "text", "device"];

impl ClaimRequest {
    /// Parses `{"sessionId", "limit"?, "leaseSeconds"?}`. 404 for a session of another owner.
    pub fn read(body: &Body, caller: &Caller) -> Result<Self, ApiError> {
        let body = body.object(&["sessionId", "limit", "leaseSeconds"])?;
        let session_id = caller.session(body.session_id()?)?;
        let limit = body.whole_number("limit", 1..=100)?.unwrap_or(10);
        let lease = body.whole_number("leaseSeconds", 5..=600)?.unwrap_or(60);
        Ok(Self { session_id, limit: limit as usize, lease: Duration::from_secs(lease.into()) })
    }
}

impl SettleRequest {
    /// Parses `{"messageId", "lease", "sent": {"id"}}` or `{"messageId", "lease", "failed": {"reason"}}`.
    pub fn read(body: &Body) -> Result<Self, ApiError> {
        let body = body.object(&["messageId", "lease", "sent", "failed"])?;
        let invalid = |message: &str| ApiError::invalid_field(message);
        let message_id = body.required("messageId")?.parse().map_err(|_| invalid("messageId must be a UUID"))?;
        let lease = body.required("lease")?.parse().map_err(|_| invalid("lease must be a UUID"))?;
        let outcome = match (body.object("sent", &["id"])?, body.object("failed", &["reason"])?) {
            (Some(sent), None) => {
                let id = sent.string("id")?.filter(|id| (1..=ID_LIMIT).contains(&id.len()));
                let id = id.ok_or_else(|| invalid("sent.id must have 1 to 1024 bytes"))?;
                WorkerOutcome::Sent { id: id.to_owned() }
            }
            (None, Some(failed)) => {
                let reason = failed.string("reason")?.map(str::trim);
                let reason = reason.filter(|reason| (1..=REASON_LIMIT).contains(&reason.chars().count()));
                let reason = reason.ok_or_else(|| invalid("failed.reason must have 1 to 1000 characters"))?;
                WorkerOutcome::Failed { reason: reason.to_owned() }
            }
            _ => return Err(invalid("Give either sent or failed")),
        };
        Ok(Self { message_id, lease, outcome })
    }
}

impl ReceiveRequest {
    /// Parses `{"sessionId", "id", "from", "fromAlt"?, "timestamp", "name"?, "type"?, "text"?, …}`. `text` is a string or
    /// `{"body"}`. A message without text is stored as it is, with the field that has the name of its `type`. 404 for a
    /// session of another owner.
    pub fn read(body: &Body, caller: &Caller) -> Result<Self, ApiError> {
        let object = body.typed_object(RECEIVED)?;
        let session_id = caller.session(object.session_id()?)?;
        let id = object.required("id")?;
        if id.len() > ID_LIMIT {
            return Err(ApiError::invalid_field("id must have 1 to 1024 bytes"));
        }
        let from = object.required("from")?;
        let from = Address::from_device(from).map_err(|error| ApiError::invalid_field(format!("from {error}")))?;
        let from_alt = object.string("fromAlt")?.map(|text| read_from_alt(&from, text)).transpose()?;
        let timestamp = read_timestamp(object.value("timestamp"))?;
        let is_text = object.string("type")?.is_none_or(|kind| kind == "text");
        let text = read_text(&object)?.filter(|_| is_text);
        let name = object.string("name")?.and_then(clean_name);
        // In a group the name is the sender's, and the chat is the group's.
        let name = name.filter(|_| !matches!(from, Address::Group(_)));
        Ok(Self {
            session_id,
            profile: Profile { name, ..Profile::default() },
            message: Inbound {
                opens_window: true,
                has_referral: false,
                index: 0,
                is_redated: false,
                call: None,
                wamid: id.to_owned(),
                timestamp,
                kind: if text.is_some() { MessageType::Text } else { MessageType::Unsupported },
                body: text.map(|text| shortened(text, BODY_LIMIT)),
                content: None,
                from_me: false,
                writer: None,
                status: MessageStatus::Received,
                action: None,
                ours: None,
                raw: body.text()?.to_owned(),
            },
            from,
            from_alt,
        })
    }
}

/// Reads the other address of the contact in `from`: their LID, or their phone number or BSUID if `from` is a LID.
fn read_from_alt(from: &Address, text: &str) -> Result<Address, ApiError> {
    let alt = Address::from_device(text).map_err(|error| ApiError::invalid_field(format!("fromAlt {error}")))?;
    let is_group = |address: &Address| matches!(address, Address::Group(_));
    if matches!(from, Address::Lid(_)) == matches!(alt, Address::Lid(_)) || is_group(from) || is_group(&alt) {
        let sentence = "fromAlt must be the contact's LID, or their phone number if from is a LID";
        return Err(ApiError::invalid_field(sentence));
    }
    Ok(alt)
}

fn read_text(object: &JsonObject) -> Result<Option<String>, ApiError> {
    match object.value("text") {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Object(text)) if text.get("body").is_some_and(Value::is_string) => {
            Ok(text["body"].as_str().map(str::to_owned))
        }
        Some(_) => Err(ApiError::invalid_field("text must be a string, or an object with a body")),
    }
}

/// Parses Unix seconds, as a number or a string, or an RFC 3339 time.
fn read_timestamp(value: Option<&Value>) -> Result<Timestamp, ApiError> {
    let timestamp = match value {
        None => return Err(ApiError::missing_field("timestamp")),
        Some(Value::Number(seconds)) => seconds.as_i64().and_then(Timestamp::from_seconds),
        Some(Value::String(text)) => match text.parse() {
            Ok(seconds) => Timestamp::from_seconds(seconds),
            Err(_) => text.parse().ok(),
        },
        Some(_) => None,
    };
    timestamp.ok_or_else(|| ApiError::invalid_field("timestamp must be in seconds since 1970, or an RFC 3339 time"))
}
