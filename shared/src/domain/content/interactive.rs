//! Messages with something to tap, by their `interactive.type`.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    ContentError, link, media,
    object::{Object, UNSTATED, count},
};

/// The longest body but that of a list.
const BODY_LIMIT: usize = 1024;
/// The longest body of a list (Meta: "Interactive list messages").
const LIST_BODY_LIMIT: usize = 4096;
/// The longest text of a header, and of a footer.
const MARGIN_LIMIT: usize = 60;
/// The longest label of a button, but that of a flow's.
const BUTTON_LIMIT: usize = 20;
/// The longest label of the button that opens a flow.
const FLOW_BUTTON_LIMIT: usize = 30;
/// The most rows of a list, in all of its sections (Meta: "Interactive list messages").
const ROW_LIMIT: usize = 10;

const ANY_HEADER: [&str; 4] = ["text", "image", "video", "document"];

/// The types that Meta documents. The action of those that [`interactive`] does not name goes to WhatsApp as it is.
const TYPES: [&str; 14] = [
    "button",
    "list",
    "cta_url",
    "flow",
    "location_request_message",
    // Meta's page on business-scoped user ids has had both names for one message.
    "contact_request",
    "request_contact_info",
    "address_message",
    "call_permission_request",
    "voice_call",
    "product",
    "product_list",
    "catalog_message",
    "carousel",
];

/// `interactive`.
pub(super) fn interactive(mut object: Object<'_>) -> Result<Value, ContentError> {
    match object.word("type", &TYPES)? {
        "button" => {
            header(&mut object, &ANY_HEADER)?;
            object.object("body", |body| text(body, BODY_LIMIT))?;
            footer(&mut object)?;
            object.object("action", buttons)?;
        }
        "list" => {
            header(&mut object, &["text"])?;
            object.object("body", |body| text(body, LIST_BODY_LIMIT))?;
            footer(&mut object)?;
            object.object("action", list)?;
        }
        "cta_url" => {
            header(&mut object, &ANY_HEADER)?;
            object.object("body", |body| text(body, BODY_LIMIT))?;
            footer(&mut object)?;
            object.object("action", |action| named(action, "cta_url", Some(url_button)))?;
        }
        "flow" => {
            header(&mut object, &ANY_HEADER)?;
            object.object("body", |body| text(body, BODY_LIMIT))?;
            footer(&mut object)?;
            object.object("action", |action| named(action, "flow", Some(flow)))?;
        }
        "location_request_message" => {
            object.object("body", |body| text(body, BODY_LIMIT))?;
            object.object("action", |action| named(action, "send_location", None))?;
        }
        "contact_request" | "request_contact_info" => {
            object.object("body", |body| text(body, BODY_LIMIT))?;
            object.object("action", |action| named(action, "request_contact_info", None))?;
        }
        _ => {
            header(&mut object, &ANY_HEADER)?;
            object.optional_object("body", |body| text(body, BODY_LIMIT))?;
            footer(&mut object)?;
            object.value("action", "an object", Value::is_object)?;
        }
    }
    object.close()
}

fn header(object: &mut Object<'_>, types: &[&str]) -> Result<(), ContentError> {
    let read = |mut header: Object<'_>| {
        match header.word("type", types)? {
            "text" => header.text("text", MARGIN_LIMIT).map(drop)?,
            "image" => header.object("image", media::bare)?,
            "video" => header.object("video", media::bare)?,
            _ => header.object("document", media::file)?,
        }
        header.close()
    };
    object.optional_object("header", read).map(drop)
}

fn footer(object: &mut Object<'_>) -> Result<(), ContentError> {
    object.optional_object("footer", |footer| text(footer, MARGIN_LIMIT)).map(drop)
}

fn text(mut object: Object<'_>, limit: usize) -> Result<Value, ContentError> {
    object.text("text", limit)?;
    object.close()
}

/// Meta: "Interactive reply buttons messages".
fn buttons(mut action: Object<'_>) -> Result<Value, ContentError> {
    let (mut ids, mut titles) = (HashSet::new(), HashSet::new());
    action.list("buttons", 1..=3, |mut button| {
        button.word("type", &["reply"])?;
        button.object("reply", |mut reply| {
            unique(&mut reply, "id", 256, &mut ids)?;
            unique(&mut reply, "title", BUTTON_LIMIT, &mut titles)?;
            reply.close()
        })?;
        button.close()
    })?;
    action.close()
}

/// Meta: "Interactive list messages".
fn list(mut action: Object<'_>) -> Result<Value, ContentError> {
    action.text("button", BUTTON_LIMIT)?;
    let (mut ids, mut untitled, mut sections) = (HashSet::new(), None, 0);
    action.list("sections", 1..=10, |mut section| {
        sections += 1;
        if section.optional_text("title", 24)?.is_none_or(|title| title.trim().is_empty()) {
            untitled.get_or_insert(section.missing("title"));
        }
        section.list("rows", 1..=ROW_LIMIT, |mut row| {
            unique(&mut row, "id", 200, &mut ids)?;
            row.text("title", 24)?;
            row.optional_text("description", 72)?;
            row.close()
        })?;
        section.close()
    })?;
    count(&action.at("sections"), ids.len(), "rows in all", 1..=ROW_LIMIT)?;
    match untitled {
        Some(error) if sections > 1 => Err(error),
        _ => action.close(),
    }
}

/// A text that must differ from those `seen`.
fn unique<'a>(
    object: &mut Object<'a>,
    name: &'static str,
    limit: usize,
    seen: &mut HashSet<&'a str>,
) -> Result<(), ContentError> {
    let text = object.text(name, limit)?;
    if seen.insert(text) { Ok(()) } else { Err(ContentError::Repeated { field: object.at(name) }) }
}

/// An action of which WhatsApp knows the name.
fn named<'a>(
    mut action: Object<'a>,
    name: &str,
    parameters: Option<fn(Object<'a>) -> Result<Value, ContentError>>,
) -> Result<Value, ContentError> {
    action.word("name", &[name])?;
    if let Some(read) = parameters {
        action.object("parameters", read)?;
    }
    action.close()
}

/// Meta: "Interactive Call-to-Action URL Button Messages".
fn url_button(mut parameters: Object<'_>) -> Result<Value, ContentError> {
    parameters.text("display_text", BUTTON_LIMIT)?;
    if !link::is_web(parameters.text("url", UNSTATED)?) {
        return Err(parameters.invalid("url", "an http or https address"));
    }
    parameters.close()
}

/// Meta: "Sending a Flow".
fn flow(mut parameters: Object<'_>) -> Result<Value, ContentError> {
    parameters.word("flow_message_version", &["3"])?;
    let id = parameters.optional_text("flow_id", UNSTATED)?;
    let name = parameters.optional_text("flow_name", UNSTATED)?;
    let (id_at, name_at) = (parameters.at("flow_id"), parameters.at("flow_name"));
    match (id, name) {
        (Some(_), Some(_)) => return Err(ContentError::Excluded { field: id_at, other: name_at }),
        (None, None) => return Err(ContentError::Missing { field: format!("{id_at} or {name_at}") }),
        _ => {}
    }
    parameters.text("flow_cta", FLOW_BUTTON_LIMIT)?;
    parameters.optional_text("flow_token", UNSTATED)?;
    parameters.optional_word("mode", &["draft", "published"])?;
    parameters.optional_word("flow_action", &["navigate", "data_exchange"])?;
    parameters.optional_object("flow_action_payload", |mut payload| {
        payload.text("screen", UNSTATED)?;
        // Meta's text asks for an object, its example sends one as JSON text.
        payload.optional_value("data", "an object", |data| data.is_object() || data.is_string())?;
        payload.close()
    })?;
    parameters.close()
}
