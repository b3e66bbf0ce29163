//! The buttons of a template (Meta, *Template components*, buttons).

use serde_json::{Value, json};

use super::{
    components::{Object, first_text, missing, one_of, required_text, too_long},
    text,
};
use crate::whatsapp::graph_error::GraphError;

/// Maximum length of a button's text.
pub(super) const MAX_LABEL_CHARS: usize = 25;
/// Maximum number of buttons of a template.
const MAX_BUTTONS: usize = 10;
/// Maximum number of buttons of a card (Meta, *Media card carousel templates*).
const MAX_CARD_BUTTONS: usize = 2;
/// Maximum length of a URL.
pub(super) const MAX_URL_CHARS: usize = 2000;
/// Maximum length of a phone number.
const MAX_PHONE_NUMBER_CHARS: usize = 20;
/// Maximum length of a coupon code.
pub(super) const MAX_CODE_CHARS: usize = 15;

/// The types of buttons, with their maximum number in a template.
const TYPES: [(&str, usize); 13] = [
    ("QUICK_REPLY", 10),
    ("URL", 2),
    ("PHONE_NUMBER", 1),
    ("COPY_CODE", 1),
    ("FLOW", 1),
    ("CATALOG", 1),
    ("MPM", 1),
    ("SPM", 1),
    ("VOICE_CALL", 1),
    ("ORDER_DETAILS", 1),
    ("REQUEST_CONTACT_INFO", 1),
    ("APP", 1),
    ("OTP", 1),
];

/// Checks a template's component of buttons.
pub(super) fn component(component: Object) -> Result<Object, GraphError> {
    parse(component, MAX_BUTTONS)
}

/// Checks a card's component of buttons.
pub(super) fn card(component: Object) -> Result<Object, GraphError> {
    parse(component, MAX_CARD_BUTTONS)
}

fn parse(mut component: Object, max: usize) -> Result<Object, GraphError> {
    let buttons = component.get("buttons").and_then(Value::as_array).filter(|buttons| !buttons.is_empty());
    let buttons = buttons.ok_or_else(|| missing("BUTTONS", "buttons"))?;
    if buttons.len() > max {
        return Err(invalid(&format!("A component of type BUTTONS can have up to {max} buttons.")));
    }
    let buttons: Vec<Object> = buttons.iter().map(button).collect::<Result<_, _>>()?;
    let types: Vec<&str> = buttons.iter().filter_map(|button| button["type"].as_str()).collect();
    for (name, max) in TYPES {
        if types.iter().filter(|kind| **kind == name).count() > max {
            return Err(invalid(&format!("A template can have up to {max} buttons of type {name}.")));
        }
    }
    // Quick replies are in one group, and all other buttons in another.
    let changes = types.windows(2).filter(|pair| (pair[0] == "QUICK_REPLY") != (pair[1] == "QUICK_REPLY")).count();
    if changes > 1 {
        return Err(invalid("Quick reply buttons must be in one group, before or after all other buttons."));
    }
    component.insert("buttons".to_owned(), json!(buttons));
    Ok(component)
}

fn button(button: &Value) -> Result<Object, GraphError> {
    let mut button = button.as_object().cloned().ok_or_else(|| missing("BUTTONS", "type"))?;
    let names = TYPES.map(|(name, _)| name);
    let kind = one_of(button.get("type"), "components['buttons']['type']", &names)?;
    button.insert("type".to_owned(), json!(kind));
    match kind.as_str() {
        "QUICK_REPLY" | "VOICE_CALL" => {
            required_text(&button, "BUTTONS", "text", MAX_LABEL_CHARS)?;
        }
        "URL" => {
            required_text(&button, "BUTTONS", "text", MAX_LABEL_CHARS)?;
            check_url(&button)?;
        }
        "PHONE_NUMBER" => {
            required_text(&button, "BUTTONS", "text", MAX_LABEL_CHARS)?;
            required_text(&button, "BUTTONS", "phone_number", MAX_PHONE_NUMBER_CHARS)?;
        }
        "FLOW" => {
            required_text(&button, "BUTTONS", "text", MAX_LABEL_CHARS)?;
            if !["flow_id", "flow_name", "flow_json"].iter().any(|name| button.contains_key(*name)) {
                return Err(missing("BUTTONS", "flow_id"));
            }
        }
        "COPY_CODE" => {
            let code = button.get("example").and_then(first_text).ok_or_else(|| missing("BUTTONS", "example"))?;
            if code.chars().count() > MAX_CODE_CHARS {
                return Err(too_long("BUTTONS", "example", MAX_CODE_CHARS));
            }
            button.entry("text").or_insert_with(|| json!("Copy code"));
        }
        "OTP" => return Err(invalid("Only templates of the category AUTHENTICATION can have a button of type OTP.")),
        _ => {}
    }
    Ok(button)
}

/// A URL can end with one variable.
fn check_url(button: &Object) -> Result<(), GraphError> {
    let url = required_text(button, "BUTTONS", "url", MAX_URL_CHARS)?;
    let variables = text::placeholders(url);
    if !variables.is_empty() {
        if variables.len() > 1 || !url.ends_with("}}") {
            return Err(invalid("A URL can have one variable at its end."));
        }
        if button.get("example").and_then(first_text).is_none() {
            return Err(missing("BUTTONS", "example"));
        }
    }
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(invalid("A URL must start with https:// or http://."));
    }
    Ok(())
}

fn invalid(sentence: &str) -> GraphError {
    GraphError::for_user(2_388_042, "Message template buttons are invalid", sentence)
}
