//! Flows (Meta, *WhatsApp Cloud API - Message API*; *Sending a Flow*). The simulated business has every Flow.

use serde_json::{Map, Value};

use super::check_name;
use crate::whatsapp::{
    graph_error::GraphError,
    send::param::{Param, invalid, required},
};

const PARAMETERS: [&str; 8] = [
    "flow_message_version",
    "flow_id",
    "flow_name",
    "flow_cta",
    "mode",
    "flow_token",
    "flow_action",
    "flow_action_payload",
];

pub(super) fn check(action: &Param<'_>) -> Result<(), GraphError> {
    check_name(action, "flow")?;
    let parameters = action.required_object("parameters", &PARAMETERS)?;
    parameters.word("flow_message_version", &["3"])?;
    let not_empty = |name| Ok::<_, GraphError>(parameters.text(name)?.is_some_and(|text| !text.is_empty()));
    let (id, name) = (parameters.path("flow_id"), parameters.path("flow_name"));
    match (not_empty("flow_id")?, not_empty("flow_name")?) {
        (true, true) => return Err(invalid(format!("{id} and {name} exclude each other."))),
        (false, false) => return Err(required(format!("Either {id} or {name} is required."))),
        _ => {}
    }
    // Meta advises at most 30 characters without emoji, but states no limit.
    parameters.required_text("flow_cta")?;
    parameters.text("flow_token")?;
    parameters.optional_word("mode", &["draft", "published"])?;
    parameters.optional_word("flow_action", &["navigate", "data_exchange"])?;
    let Some(payload) = parameters.object("flow_action_payload", &["screen", "data"])? else { return Ok(()) };
    payload.required_text("screen")?;
    match payload.get("data") {
        Some(data) if !is_filled_object(data) => {
            Err(invalid("flow_action_payload data must be dynamic_object".to_owned()))
        }
        _ => Ok(()),
    }
}

/// Returns whether `data` is an object with members. Meta's example sends the object as JSON text.
fn is_filled_object(data: &Value) -> bool {
    match data {
        Value::Object(members) => !members.is_empty(),
        Value::String(text) => {
            serde_json::from_str::<Map<String, Value>>(text).is_ok_and(|members| !members.is_empty())
        }
        _ => false,
    }
}
