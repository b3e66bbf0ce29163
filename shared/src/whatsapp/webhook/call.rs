//! Calls (Meta, *User-initiated calls* and *Business-initiated calls*). A call has a `connect` and a `terminate`
//! webhook, in any order. Either one is enough to show the call.

use serde_json::{Map, Value, json, value::RawValue};

use super::{
    contacts::{self, Contact},
    json::Object,
    message::{ParsedMessage, limited, writer},
};
use crate::{
    domain::{
        call::CallStatus,
        inbound::Inbound,
        message::{MessageStatus, MessageType},
        time::Timestamp,
        whatsapp_error::WhatsAppError,
    },
    whatsapp::errors::GraphError,
};

/// Parses a call. Returns `None` for an event that is neither its start nor its end.
///
/// `display_number` has the digits of the business number.
pub(super) fn parse(raw: &RawValue, contacts: &[Contact], display_number: Option<&str>) -> Option<ParsedMessage> {
    let Some(call) = Object::parse(raw) else { return Some(Err("the call isn't an object")) };
    let status = match call.string("event").as_deref() {
        Some("connect") => CallStatus::Started,
        Some("terminate") if is_accepted(&call) => CallStatus::Completed,
        Some("terminate") => CallStatus::Missed,
        Some(_) => return None,
        None => return Some(Err("missing event")),
    };
    Some(parse_known(raw, &call, status, contacts, display_number))
}

/// Returns whether the other side accepted the call. Only then, the `terminate` webhook has a duration. A call can be
/// `FAILED` after that, when its connection breaks.
fn is_accepted(call: &Object<'_>) -> bool {
    started_at(call).is_some() || call.string("duration").is_some()
}

/// Returns when the other side accepted the call. A zero is an unset time.
fn started_at(call: &Object<'_>) -> Option<Timestamp> {
    set_time(call, "start_time")
}

fn set_time(call: &Object<'_>, key: &str) -> Option<Timestamp> {
    call.time(key).filter(|at| *at > Timestamp::MIN)
}

fn parse_known(
    raw: &RawValue,
    call: &Object<'_>,
    status: CallStatus,
    contacts: &[Contact],
    display_number: Option<&str>,
) -> ParsedMessage {
    let wamid = call.wamid("id")?;
    let timestamp = call.timestamp()?;
    // Early webhooks have no direction: a call that isn't from the business number is from the contact.
    let is_own = |key: &str| display_number.is_some() && call.string(key).map(digits).as_deref() == display_number;
    let from_me = match call.string("direction").as_deref() {
        Some("BUSINESS_INITIATED") => true,
        Some("USER_INITIATED") => false,
        _ => is_own("from"),
    };
    let from = ("from", ["from_user_id", "from_parent_user_id"]);
    let to = ("to", ["to_user_id", "to_parent_user_id"]);
    let sides = if from_me { [to, from] } else { [from, to] };
    let side = |(phone, user_ids): (&str, [&str; 2])| {
        let phone = if is_own(phone) { "" } else { phone };
        contacts::peer(contacts::addresses(call, phone, user_ids), contacts)
    };
    // Some of Meta's examples have the two sides interchanged.
    let peer = sides.into_iter().find_map(side).or_else(|| contacts::only(contacts)).ok_or("no usable contact")?;
    let inbound = Inbound {
        // The connect webhook of a call can arrive after the other one, which has the time of the start as well.
        timestamp: started_at(call).filter(|start| *start < timestamp).unwrap_or(timestamp),
        is_redated: false,
        kind: MessageType::Call,
        body: None,
        content: content(call, status, from_me),
        raw: raw.get().to_owned(),
        index: 0,
        from_me,
        writer: writer(&peer).filter(|_| !from_me),
        status: if from_me { MessageStatus::Sent } else { MessageStatus::Received },
        action: None,
        call: Some(status),
        ours: None,
        // Meta, *Send messages*, customer service windows: a call by the contact opens it, answered or not, and so does
        // the contact when they accept a call.
        opens_window: !from_me || status == CallStatus::Completed,
        has_referral: false,
        wamid,
        has_wamid: true,
    };
    Ok((peer, inbound))
}

fn digits(number: String) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}

/// Returns the call as JSON. Leaves out the session description, which is in the raw JSON and worthless after the call.
fn content(call: &Object<'_>, status: CallStatus, from_me: bool) -> Option<String> {
    let mut fields = Map::new();
    let direction = if from_me { "BUSINESS_INITIATED" } else { "USER_INITIATED" };
    fields.insert("direction".to_owned(), json!(direction));
    fields.insert("status".to_owned(), json!(status));
    let seconds: Option<u32> = call.string("duration").and_then(|seconds| seconds.parse().ok());
    fields.extend(seconds.map(|seconds| ("duration".to_owned(), json!(seconds))));
    let time = |key| set_time(call, key).map(|at: Timestamp| json!(at));
    fields.extend(time("start_time").map(|at| ("started_at".to_owned(), at)));
    fields.extend(time("end_time").map(|at| ("ended_at".to_owned(), at)));
    for key in ["deeplink_payload", "cta_payload", "biz_opaque_callback_data"] {
        fields.extend(call.string(key).map(|text| (key.to_owned(), json!(text))));
    }
    let errors = GraphError::parse_list(call.raw("errors"));
    let errors: Vec<WhatsAppError> = errors.iter().map(WhatsAppError::from).collect();
    let mut content =
        Map::from_iter([("type".to_owned(), json!(MessageType::Call)), ("call".to_owned(), Value::Object(fields))]);
    if !errors.is_empty() {
        content.insert("errors".to_owned(), json!(errors));
    }
    limited(content)
}

#[cfg(test)]
mod tests;
