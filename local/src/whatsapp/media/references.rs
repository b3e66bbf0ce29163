//! The files that a message refers to by their IDs.

use serde_json::{Map, Value};

use super::Kind;

/// A reference to a file.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::whatsapp) struct Reference {
    /// The name of the parameter in Meta's error messages, such as `interactive['header']['image']['id']`.
    pub(in crate::whatsapp) parameter: String,
    pub(in crate::whatsapp) kind: Kind,
    pub(in crate::whatsapp) id: String,
}

/// Returns all references in the content of a message: in a media message, the header of an interactive message or of
/// its cards, and the parameters of a template and of its cards. `kind` is the `type` of the message.
pub(in crate::whatsapp) fn references(kind: &str, body: &Map<String, Value>) -> Vec<Reference> {
    let mut found = Vec::new();
    if let Some(content) = body.get(kind) {
        member(kind, content, kind, &mut found);
    }
    found
}

/// Adds the references in the member `name` with this value.
fn member(name: &str, value: &Value, parameter: &str, found: &mut Vec<Reference>) {
    match (kind(name, value), value) {
        // Data of a business's own flow.
        _ if matches!(name, "flow_action_payload" | "flow_action_data") => {}
        (Some(kind), Value::Object(object)) => {
            let id = match object.get("id") {
                Some(Value::String(id)) if !id.is_empty() => id.clone(),
                Some(Value::Number(id)) => id.to_string(),
                _ => return,
            };
            found.push(Reference { parameter: format!("{parameter}['id']"), kind, id });
        }
        (_, Value::Object(object)) => {
            for (name, value) in object {
                member(name, value, &format!("{parameter}['{name}']"), found);
            }
        }
        (_, Value::Array(array)) => {
            for (index, value) in array.iter().enumerate() {
                member("", value, &format!("{parameter}[{index}]"), found);
            }
        }
        _ => {}
    }
}

fn kind(name: &str, value: &Value) -> Option<Kind> {
    match name {
        "audio" if value["voice"] == true => Some(Kind::Voice),
        "audio" => Some(Kind::Audio),
        "document" => Some(Kind::Document),
        "image" => Some(Kind::Image),
        "sticker" => Some(Kind::Sticker),
        "video" => Some(Kind::Video),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
