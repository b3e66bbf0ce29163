//! Interactive messages, by `interactive.type`.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    ContentError, link, media,
    object::{NO_LIMIT, Object, check_count},
};

// The limits of texts, in characters.

/// The body of all types except lists.
const BODY_LIMIT: usize = 1024;
/// The body of a list (Meta, *Interactive list messages*).
const LIST_BODY_LIMIT: usize = 4096;
/// The text of a header or footer.
const HEADER_LIMIT: usize = 60;
/// The label of a button, except the one that opens a flow.
const BUTTON_LIMIT: usize = 20;
/// The label of the button that opens a flow.
const FLOW_BUTTON_LIMIT: usize = 30;
/// The maximum number of rows of a list, in all sections together (Meta, *Interactive list messages*).
const ROW_LIMIT: usize = 10;

const ANY_HEADER: [&str; 4] = ["text", "image", "video", "document"];

/// The types that Meta documents. [`interactive`] checks the actions of some of them and passes other actions through.
const TYPES: [&str; 14] = [
    "button",
    "list",
    "cta_url",
    "flow",
    "location_request_message",
    // Meta's documentation of business-scoped user IDs has used both names for one message.
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

/// Reads `interactive`.
pub(super) fn interactive(mut object: Object<'_>) -> Result<Value, ContentError> {
    match object.word("type", &TYPES)? {
        "button" => with_header(&mut object, &ANY_HEADER, BODY_LIMIT, buttons)?,
        "list" => with_header(&mut object, &["text"], LIST_BODY_LIMIT, list)?,
        "cta_url" => {
            let action = |action| named(action, "cta_url", Some(url_button));
            with_header(&mut object, &ANY_HEADER, BODY_LIMIT, action)?;
        }
        "flow" => {
            with_header(&mut object, &ANY_HEADER, BODY_LIMIT, |action| named(action, "flow", Some(flow)))?;
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
    object.finish()
}

/// Reads the header, body, footer, and action of a message that can have all of them.
fn with_header<'a>(
    object: &mut Object<'a>,
    header_types: &[&str],
    body_limit: usize,
    action: impl FnOnce(Object<'a>) -> Result<Value, ContentError>,
) -> Result<(), ContentError> {
    header(object, header_types)?;
    object.object("body", |body| text(body, body_limit))?;
    footer(object)?;
    object.object("action", action)
}

fn header(object: &mut Object<'_>, types: &[&str]) -> Result<(), ContentError> {
    let read = |mut header: Object<'_>| {
        match header.word("type", types)? {
            "text" => header.text("text", HEADER_LIMIT).map(drop)?,
            "image" => header.object("image", media::without_caption)?,
            "video" => header.object("video", media::without_caption)?,
            _ => header.object("document", media::file)?,
        }
        header.finish()
    };
    object.optional_object("header", read).map(drop)
}

fn footer(object: &mut Object<'_>) -> Result<(), ContentError> {
    object.optional_object("footer", |footer| text(footer, HEADER_LIMIT)).map(drop)
}

fn text(mut object: Object<'_>, limit: usize) -> Result<Value, ContentError> {
    object.text("text", limit)?;
    object.finish()
}

/// Reads the action of reply buttons (Meta, *Interactive reply buttons messages*).
fn buttons(mut action: Object<'_>) -> Result<Value, ContentError> {
    let (mut ids, mut titles) = (HashSet::new(), HashSet::new());
    action.list("buttons", 1..=3, |mut button| {
        button.word("type", &["reply"])?;
        button.object("reply", |mut reply| {
            unique(&mut reply, "id", 256, &mut ids)?;
            unique(&mut reply, "title", BUTTON_LIMIT, &mut titles)?;
            reply.finish()
        })?;
        button.finish()
    })?;
    action.finish()
}

/// Reads the action of a list (Meta, *Interactive list messages*).
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
            row.finish()
        })?;
        section.finish()
    })?;
    check_count(&action.path("sections"), ids.len(), "rows in total", 1..=ROW_LIMIT)?;
    match untitled {
        Some(error) if sections > 1 => Err(error),
        _ => action.finish(),
    }
}

/// Reads a text that must differ from those in `seen`.
fn unique<'a>(
    object: &mut Object<'a>,
    name: &'static str,
    limit: usize,
    seen: &mut HashSet<&'a str>,
) -> Result<(), ContentError> {
    let text = object.text(name, limit)?;
    if seen.insert(text) { Ok(()) } else { Err(ContentError::Repeated { field: object.path(name) }) }
}

/// Reads an action with the fixed name `name`.
fn named<'a>(
    mut action: Object<'a>,
    name: &str,
    parameters: Option<fn(Object<'a>) -> Result<Value, ContentError>>,
) -> Result<Value, ContentError> {
    action.word("name", &[name])?;
    if let Some(read) = parameters {
        action.object("parameters", read)?;
    }
    action.finish()
}

/// Reads the parameters of a URL button (Meta, *Interactive Call-to-Action URL Button Messages*).
fn url_button(mut parameters: Object<'_>) -> Result<Value, ContentError> {
    parameters.text("display_text", BUTTON_LIMIT)?;
    if !link::is_web(parameters.text("url", NO_LIMIT)?) {
        return Err(parameters.invalid("url", "an http or https URL"));
    }
    parameters.finish()
}

/// Reads the parameters of a flow (Meta, *Sending a Flow*).
fn flow(mut parameters: Object<'_>) -> Result<Value, ContentError> {
    parameters.word("flow_message_version", &["3"])?;
    let id = parameters.optional_text("flow_id", NO_LIMIT)?;
    let name = parameters.optional_text("flow_name", NO_LIMIT)?;
    let (id_path, name_path) = (parameters.path("flow_id"), parameters.path("flow_name"));
    match (id, name) {
        (Some(_), Some(_)) => return Err(ContentError::Excluded { field: id_path, other: name_path }),
        (None, None) => return Err(ContentError::Missing { field: format!("{id_path} or {name_path}") }),
        _ => {}
    }
    parameters.text("flow_cta", FLOW_BUTTON_LIMIT)?;
    parameters.optional_text("flow_token", NO_LIMIT)?;
    parameters.optional_word("mode", &["draft", "published"])?;
    parameters.optional_word("flow_action", &["navigate", "data_exchange"])?;
    parameters.optional_object("flow_action_payload", |mut payload| {
        payload.text("screen", NO_LIMIT)?;
        // Meta's text requires an object, but its example sends the object as JSON text.
        payload.optional_value("data", "an object", |data| data.is_object() || data.is_string())?;
        payload.finish()
    })?;
    parameters.finish()
}
