//! What a phone shows of a message with a template.

use serde_json::{Value, json};

use super::{
    Template,
    message::{components, filled, find, parameters},
    text,
};
use crate::whatsapp::graph_error::GraphError;

/// Returns the components of the template with the parameters of a message: texts, the media or location of the header,
/// the URLs and codes of buttons, and the payloads of quick replies. The cards of a carousel stay as in the template.
///
/// # Errors
/// Returns an error if a component has an unknown type, which the check of the message refuses.
pub(super) fn render(content: &Value, template: &Template) -> Result<Vec<Value>, GraphError> {
    let sent = components(&content["components"])?;
    let buttons: Vec<&Value> =
        sent.iter().filter(|component| component.kind == "BUTTON").map(|component| component.value).collect();
    let rendered = template.components.iter().map(|component| {
        let mut shown = component.clone();
        if let Some(members) = shown.as_object_mut() {
            members.remove("example");
        }
        let kind = component["type"].as_str().unwrap_or_default();
        let values = parameters(find(&sent, kind));
        if let Some(text) = component["text"].as_str() {
            shown["text"] = json!(filled(text, values, template.parameter_format));
        }
        if kind == "HEADER"
            && let Some(format) = component["format"].as_str().filter(|format| *format != "TEXT")
            && let Some(value) = values.first()
        {
            let name = format.to_lowercase();
            shown[&name] = value[&name].clone();
        }
        for (index, button) in shown.get_mut("buttons").and_then(Value::as_array_mut).into_iter().flatten().enumerate()
        {
            if let Some(sent) = buttons.iter().find(|sent| text::integer(&sent["index"]) == Some(index as u64)) {
                fill_button(button, parameters(Some(sent)));
            }
        }
        shown
    });
    Ok(rendered.collect())
}

fn fill_button(button: &mut Value, parameters: &[Value]) {
    let Some(parameter) = parameters.first() else { return };
    if let (Some(url), Some(value)) = (button["url"].as_str(), text::of(&parameter["text"])) {
        button["url"] = json!(text::fill(url, |_| value.clone().into_owned()));
    }
    for name in ["payload", "coupon_code"] {
        if let Some(value) = parameter.get(name) {
            button[name] = value.clone();
        }
    }
    if let Some(members) = button.as_object_mut() {
        members.remove("example");
    }
}

#[cfg(test)]
mod tests;
