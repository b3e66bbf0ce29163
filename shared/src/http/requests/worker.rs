//! What linked-device workers send.

use std::time::Duration;

use serde_json::Value;

use crate::{
    domain::{
        caller::Caller, contact_name::clean_name, id::MAX_ID_BYTES, identity::Address, names, profile::Profile,
        time::Timestamp, worker::WorkerOutcome,
    },
    http::{ApiError, Body, JsonObject},
    services::worker::{ClaimRequest, ReceiveRequest, SettleRequest},
    whatsapp::{DeviceMessage, Peer, from_device, replace_lone_surrogates},
};

/// The maximum length of the reason that a worker gives for a failure, in characters.
const REASON_LIMIT: usize = 1000;

/// The fields of a message that a device received, besides the one that has the name of its `type`. `device` is for what
/// the worker wants to keep; it is only stored.
const RECEIVED: &[&str] = &[
    "sessionId",
    "id",
    "timestamp",
    "from",
    "fromAlt",
    "fromMe",
    "to",
    "toAlt",
    "participant",
    "participantAlt",
    "name",
    "type",
    "text",
    "context",
    "referral",
    "errors",
    "device",
];

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
                let id = sent.string("id")?.filter(|id| is_device_id(id));
                let id = id.ok_or_else(|| invalid("sent.id must have 1 to 1024 bytes and not be blank"))?;
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
    /// Parses `{"sessionId", "id", "from", "timestamp", …}` with the message as a webhook contains it: `type`, the field
    /// that it names, `context`, and `referral`. `text` can be a string. 404 for a session of another owner.
    pub fn read(body: &Body, caller: &Caller) -> Result<Self, ApiError> {
        // Phones truncate texts within an emoji, and JavaScript writes half of one as an escape.
        let body = &Body::new(replace_lone_surrogates(body.text()?.as_bytes()).into_owned());
        let object = body.typed_object(RECEIVED)?;
        let session_id = caller.session(object.session_id()?)?;
        let id = object.required("id")?;
        if !is_device_id(id) {
            return Err(ApiError::invalid_field("id must have 1 to 1024 bytes"));
        }
        let from_me = object.boolean("fromMe")?.unwrap_or_default();
        let addresses = chat_addresses(&object, from_me)?;
        let is_group = matches!(addresses[0], Address::Group(_));
        let participant = read_addresses(&object, "participant", "participantAlt")?;
        if !is_group && !participant.is_empty() {
            return Err(ApiError::invalid_field("participant is for messages of groups: leave it out"));
        }
        if participant.iter().any(|address| matches!(address, Address::Group(_))) {
            return Err(ApiError::invalid_field("participant must be the address of a member, not of a group"));
        }
        let profile = Profile { name: object.string("name")?.and_then(clean_name), ..Profile::default() };
        // The name is the sender's: the contact's, a group member's, or the business's own.
        let (profile, sender) = match (from_me, is_group) {
            (true, _) => (Profile::default(), None),
            (false, false) => (profile.clone(), Some(Peer { addresses: addresses.clone(), profile, contact: None })),
            (false, true) if participant.is_empty() && profile.name.is_none() => (profile, None),
            (false, true) => (Profile::default(), Some(Peer { addresses: participant, profile, contact: None })),
        };
        check_members(&object)?;
        let text = body.text()?;
        let json = text.strip_prefix('\u{feff}').unwrap_or(text);
        let timestamp = read_timestamp(object.value("timestamp"))?;
        let id = id.to_owned();
        let message = DeviceMessage { json, id, timestamp, from_me, sender, in_group: is_group };
        let message = from_device(message);
        Ok(Self { session_id, addresses, profile, message: message.map_err(ApiError::invalid_field)? })
    }
}

/// Reads the addresses of the chat: `from`, or `to` of a message from the business.
fn chat_addresses(object: &JsonObject, from_me: bool) -> Result<Vec<Address>, ApiError> {
    if object.value("to").is_none() && object.value("toAlt").is_none() {
        let addresses = read_addresses(object, "from", "fromAlt")?;
        return if addresses.is_empty() { Err(ApiError::missing_field("from")) } else { Ok(addresses) };
    }
    if !from_me {
        return Err(ApiError::invalid_field("to is for messages with fromMe: leave it out"));
    }
    // The addresses of the business, which don't matter.
    read_addresses(object, "from", "fromAlt")?;
    let addresses = read_addresses(object, "to", "toAlt")?;
    if addresses.is_empty() { Err(ApiError::missing_field("to")) } else { Ok(addresses) }
}

/// Reads an address and the other one of the same contact: their LID, or their phone number or BSUID if the first is a LID.
/// Empty if both are missing.
fn read_addresses(object: &JsonObject, field: &str, alt: &str) -> Result<Vec<Address>, ApiError> {
    let read = |field: &str| -> Result<Option<Address>, ApiError> {
        let Some(text) = object.string(field)?.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
        let address = Address::from_device(text);
        address.map(Some).map_err(|error| ApiError::invalid_field(format!("{field} {error}")))
    };
    let mut addresses = match (read(field)?, read(alt)?) {
        (Some(first), Some(second)) => {
            let is_group = |address: &Address| matches!(address, Address::Group(_));
            let is_lid = |address: &Address| matches!(address, Address::Lid(_));
            if is_lid(&first) == is_lid(&second) || is_group(&first) || is_group(&second) {
                let sentence = format!("{alt} must be the contact's LID, or their phone number if {field} is a LID");
                return Err(ApiError::invalid_field(sentence));
            }
            vec![first, second]
        }
        (None, Some(_)) => return Err(ApiError::missing_field(field)),
        (first, None) => first.into_iter().collect(),
    };
    // The first address names a new chat: a phone number says more than a LID.
    addresses.sort_by_key(|address| matches!(address, Address::Lid(_)));
    Ok(addresses)
}

fn is_device_id(id: &str) -> bool {
    !id.trim().is_empty() && id.len() <= MAX_ID_BYTES
}

/// Checks the fields that messages of every type can have, and the text. The object that `type` names is stored as
/// `unsupported` if it isn't as WhatsApp has it.
fn check_members(object: &JsonObject) -> Result<(), ApiError> {
    let invalid = |message: String| Err(ApiError::invalid_field(message));
    for field in ["context", "referral"] {
        match object.value(field) {
            None | Some(Value::Object(_)) => {}
            Some(_) => return invalid(format!("{field} must be an object")),
        }
    }
    let context = object.value("context").and_then(Value::as_object);
    for (name, value) in context.into_iter().flatten() {
        if matches!(name.as_str(), "id" | "message_id") && !value.is_string() && !value.is_null() {
            return invalid(format!("context.{name} must be a string"));
        }
    }
    match object.value("errors") {
        None => {}
        Some(Value::Array(errors)) if errors.iter().all(Value::is_object) => {}
        Some(_) => return invalid("errors must be a list of objects".to_owned()),
    }
    match (object.string("type")?, object.value("text")) {
        (_, None) | (None | Some("text"), Some(Value::String(_))) => Ok(()),
        (None | Some("text"), Some(Value::Object(text))) if text.get("body").is_some_and(Value::is_string) => {
            object.object("text", &["body", "preview_url"]).map(drop)
        }
        (None | Some("text"), Some(_)) => invalid("text must be a string, or an object with a body".to_owned()),
        (Some(kind), Some(_)) => {
            let kind = names::displayed(kind);
            invalid(format!("text is for messages of type text: put the text of this message into {kind}"))
        }
    }
}

/// Parses Unix seconds, as a number or a string, or an RFC 3339 time. Ignores fractions of Unix seconds.
fn read_timestamp(value: Option<&Value>) -> Result<Timestamp, ApiError> {
    let timestamp = match value {
        None => return Err(ApiError::missing_field("timestamp")),
        Some(Value::Number(seconds)) => unix_seconds(&seconds.to_string()),
        Some(Value::String(text)) => unix_seconds(text).or_else(|| text.parse().ok()),
        Some(_) => None,
    };
    timestamp.ok_or_else(|| ApiError::invalid_field("timestamp must be in seconds since 1970, or an RFC 3339 time"))
}

fn unix_seconds(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_decimal = fraction.bytes().all(|byte| byte.is_ascii_digit());
    Timestamp::from_seconds(seconds.parse().ok().filter(|_| is_decimal)?)
}

#[cfg(test)]
mod tests;
