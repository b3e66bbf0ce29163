//! Authentication templates: Meta writes their texts (Meta, *Authentication templates*).

use serde_json::{Value, json};

use super::{
    buttons::MAX_LABEL_CHARS,
    components::{Object, missing, one_of, required_text, unexpected},
};
use crate::whatsapp::graph_error::GraphError;

/// Maximum number of apps of a one-tap or zero-tap button.
const MAX_APPS: usize = 5;

/// Checks the components of an authentication template, and returns them with Meta's texts. Meta writes them in the
/// language of the template, the simulator in English.
pub(super) fn parse(components: &[Object]) -> Result<Vec<Value>, GraphError> {
    let mut parsed = Vec::with_capacity(components.len());
    for component in components {
        parsed.push(match component["type"].as_str() {
            Some("BODY") => body(component)?,
            Some("FOOTER") => footer(component)?,
            Some("BUTTONS") => buttons(component)?,
            kind => {
                let kind = kind.unwrap_or_default();
                let sentence = format!("An authentication template can't have a component of type {kind}.");
                return Err(GraphError::for_user(2_388_042, "Message template components are invalid", &sentence));
            }
        });
    }
    if !components.iter().any(|component| component["type"] == "BUTTONS") {
        return Err(missing("BUTTONS", "buttons"));
    }
    Ok(parsed)
}

fn body(body: &Object) -> Result<Value, GraphError> {
    if let Some(member) = ["text", "example"].into_iter().find(|member| body.contains_key(*member)) {
        return Err(unexpected("BODY", member));
    }
    let mut text = "*{{1}}* is your verification code.".to_owned();
    let recommends = body.get("add_security_recommendation") == Some(&json!(true));
    if recommends {
        text.push_str(" For your security, do not share this code.");
    }
    let example = json!({"body_text": [["123456"]]});
    Ok(json!({"type": "BODY", "text": text, "add_security_recommendation": recommends, "example": example}))
}

fn footer(footer: &Object) -> Result<Value, GraphError> {
    if footer.contains_key("text") {
        return Err(unexpected("FOOTER", "text"));
    }
    let minutes = match footer.get("code_expiration_minutes") {
        None => return Err(missing("FOOTER", "code_expiration_minutes")),
        Some(minutes) => minutes.as_u64().or_else(|| minutes.as_str().and_then(|text| text.parse().ok())),
    };
    match minutes {
        Some(minutes @ 1..=90) => {
            let text = format!("This code expires in {minutes} minutes.");
            Ok(json!({"type": "FOOTER", "text": text, "code_expiration_minutes": minutes}))
        }
        _ => Err(GraphError::parameter("Param code_expiration_minutes must be a number from 1 to 90.")),
    }
}

/// Meta stores the button as a URL button.
fn buttons(component: &Object) -> Result<Value, GraphError> {
    let buttons = component.get("buttons").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let [Value::Object(button)] = buttons else {
        return Err(missing("BUTTONS", "buttons"));
    };
    one_of(button.get("type"), "components['buttons']['type']", &["OTP"])?;
    let kind = one_of(button.get("otp_type"), "otp_type", &["COPY_CODE", "ONE_TAP", "ZERO_TAP"])?;
    for label in ["text", "autofill_text"] {
        if button.contains_key(label) {
            required_text(button, "BUTTONS", label, MAX_LABEL_CHARS)?;
        }
    }
    if kind != "COPY_CODE" {
        check_apps(button)?;
    }
    if kind == "ZERO_TAP" && button.get("zero_tap_terms_accepted") != Some(&json!(true)) {
        return Err(missing("BUTTONS", "zero_tap_terms_accepted"));
    }
    let url = format!("https://www.whatsapp.com/otp/code/?otp_type={kind}&code=otp{{{{1}}}}");
    let text = button.get("text").cloned().unwrap_or_else(|| json!("Copy code"));
    let example = [url.replace("{{1}}", "123456")];
    Ok(json!({"type": "BUTTONS", "buttons": [{"type": "URL", "text": text, "url": url, "example": example}]}))
}

fn check_apps(button: &Object) -> Result<(), GraphError> {
    // Up to version 20.0, the members of the only app are in the button itself.
    let own = [Value::Object(button.clone())];
    let apps = button.get("supported_apps").and_then(Value::as_array).map_or(own.as_slice(), Vec::as_slice);
    if apps.is_empty() || apps.len() > MAX_APPS {
        return Err(GraphError::parameter("Param supported_apps must have 1 to 5 apps."));
    }
    for app in apps {
        let package = app["package_name"].as_str().ok_or_else(|| missing("BUTTONS", "package_name"))?;
        let is_segment = |segment: &str| {
            segment.starts_with(|c: char| c.is_ascii_alphabetic())
                && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if !package.contains('.') || !package.split('.').all(is_segment) {
            return Err(GraphError::parameter("Param package_name must be the name of an Android package."));
        }
        let hash = app["signature_hash"].as_str().ok_or_else(|| missing("BUTTONS", "signature_hash"))?;
        if !hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)) {
            return Err(GraphError::parameter("Param signature_hash must be the hash of an app signing key."));
        }
    }
    Ok(())
}
