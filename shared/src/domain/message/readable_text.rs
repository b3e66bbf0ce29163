//! The readable text of a message, the same for both directions: what a person would read in a list of chats.

use serde_json::Value;

use super::{MessageType, TEXT_LIMIT};

/// Returns the text that stands for a message of this type, at most [`TEXT_LIMIT`] characters. `object` is the member
/// of the Cloud API's message that the type names. Never blank.
///
/// | type | text |
/// |---|---|
/// | text | the text |
/// | image, video | the caption |
/// | document | the caption, or the file name |
/// | location | the name of the place, or its address |
/// | contacts | the names on the cards |
/// | interactive | the title of the selected button or row, or the text of a message to select from |
/// | template | its text if it has one, or its name |
/// | button, reaction, order, system | the tapped text, the emoji, the contact's remark, the notification |
pub fn readable_text(kind: MessageType, object: &Value) -> Option<String> {
    let first = |keys: &[&str]| keys.iter().find_map(|key| nonblank(object, key));
    let text = match kind {
        MessageType::Text | MessageType::System => first(&["body"]),
        MessageType::Image | MessageType::Video => first(&["caption"]),
        MessageType::Document => first(&["caption", "filename"]),
        MessageType::Location => first(&["name", "address"]),
        MessageType::Contacts => contact_names(object),
        MessageType::Button => first(&["text", "payload"]),
        MessageType::Interactive => interactive_text(object),
        MessageType::Reaction => first(&["emoji"]),
        MessageType::Order => first(&["text"]),
        MessageType::Template => template_text(object),
        MessageType::Audio | MessageType::Sticker | MessageType::Edit | MessageType::Revoke | MessageType::Pin => None,
        MessageType::RequestWelcome | MessageType::MediaPlaceholder | MessageType::Unsupported => None,
        MessageType::Call => None,
    };
    text.map(|text| match text.char_indices().nth(TEXT_LIMIT) {
        Some((end, _)) => text[..end].to_owned(),
        None => text.to_owned(),
    })
}

fn nonblank(object: &Value, key: &str) -> Option<String> {
    object.get(key)?.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

/// Joins the names on contact cards.
fn contact_names(cards: &Value) -> Option<String> {
    let names: Vec<String> = cards.as_array()?.iter().filter_map(contact_name).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Returns the name on a contact card, or its first phone number.
fn contact_name(card: &Value) -> Option<String> {
    let part = |key| nonblank(card.get("name")?, key);
    let parts = || {
        let parts: Vec<String> = ["first_name", "last_name"].into_iter().filter_map(part).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    };
    part("formatted_name").or_else(parts).or_else(|| nonblank(card.pointer("/phones/0")?, "phone"))
}

fn interactive_text(interactive: &Value) -> Option<String> {
    let reply = nonblank(interactive, "type").and_then(|kind| interactive.get(kind));
    reply
        .and_then(|reply| ["title", "body", "response"].iter().find_map(|key| nonblank(reply, key)))
        .or_else(|| ["body", "header"].iter().find_map(|part| nonblank(interactive.get(part)?, "text")))
}

fn template_text(template: &Value) -> Option<String> {
    let is_body = |part: &&Value| part["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("body"));
    let body = template["components"].as_array().and_then(|parts| parts.iter().find(is_body));
    body.and_then(|body| nonblank(body, "text")).or_else(|| nonblank(template, "name"))
}

#[cfg(test)]
mod tests;
