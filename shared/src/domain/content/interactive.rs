//! Interactive messages, by `interactive.type`.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{
    ContentError, link, media,
    object::{ANY_COUNT, NO_LIMIT, Object, check_count},
    payment, product,
};

// The limits of texts, in characters.

/// The body of all types except lists.
const BODY_LIMIT: usize = 1024;
/// The body of a list (Meta, *Interactive list messages*).
const LIST_BODY_LIMIT: usize = 4096;
/// The text of a header or footer.
const HEADER_LIMIT: usize = 60;
/// The body of a card of a carousel, and its line breaks (Meta, *Interactive media carousel messages*).
const CARD_BODY_LIMIT: usize = 160;
const MAX_CARD_LINE_BREAKS: usize = 2;
/// The label of a button, except the one that opens a flow.
const BUTTON_LIMIT: usize = 20;
/// The ID of a reply button, and of a quick reply of a card (Meta, *Interactive media carousel messages*).
const BUTTON_ID_LIMIT: usize = 256;
const CARD_BUTTON_ID_LIMIT: usize = 20;
/// The label of the button that opens a flow.
const FLOW_BUTTON_LIMIT: usize = 30;
/// The maximum number of rows of a list, in all sections together (Meta, *Interactive list messages*).
const ROW_LIMIT: usize = 10;

const ANY_HEADER: [&str; 4] = ["text", "image", "video", "document"];

/// The types that Meta documents.
const TYPES: [&str; 16] = [
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
    "order_details",
    "order_status",
];

/// Reads `interactive`.
pub(super) fn interactive(mut object: Object<'_>) -> Result<Value, ContentError> {
    let message = &mut object;
    match message.word("type", &TYPES)? {
        "button" => with_header(message, &ANY_HEADER, BODY_LIMIT, |action| buttons(action, "reply", BUTTON_ID_LIMIT))?,
        "list" => with_header(message, &["text"], LIST_BODY_LIMIT, list)?,
        "cta_url" => with_header(message, &ANY_HEADER, BODY_LIMIT, cta_url)?,
        "flow" => with_header(message, &ANY_HEADER, BODY_LIMIT, |action| named(action, "flow", Some(flow)))?,
        "location_request_message" => {
            body(message, BODY_LIMIT)?;
            message.object("action", |action| named(action, "send_location", None))?;
        }
        "contact_request" | "request_contact_info" => {
            body(message, BODY_LIMIT)?;
            message.object("action", |action| named(action, "request_contact_info", None))?;
        }
        "address_message" => {
            with_header(message, &ANY_HEADER, BODY_LIMIT, |action| named(action, "address_message", Some(address)))?;
        }
        "call_permission_request" => {
            header(message, &ANY_HEADER)?;
            message.optional_object("body", |body| text(body, BODY_LIMIT))?;
            footer(message)?;
            message.object("action", |action| named(action, "call_permission_request", None))?;
        }
        "voice_call" => {
            with_header(message, &ANY_HEADER, BODY_LIMIT, |action| with_options(action, "voice_call", voice_call))?
        }
        "product" => {
            message.optional_object("body", |body| text(body, BODY_LIMIT))?;
            footer(message)?;
            message.object("action", product::reference)?;
        }
        "product_list" => {
            if !message.has("header") {
                return Err(message.missing("header"));
            }
            with_header(message, &["text"], BODY_LIMIT, product::list)?;
        }
        "catalog_message" => {
            body(message, BODY_LIMIT)?;
            footer(message)?;
            message.object("action", |action| with_options(action, "catalog_message", product::thumbnail))?;
        }
        "carousel" => {
            body(message, BODY_LIMIT)?;
            message.object("action", carousel)?;
        }
        "order_details" => with_header(message, &["image"], BODY_LIMIT, |action| {
            named(action, "review_and_pay", Some(payment::order_details))
        })?,
        _ => with_header(message, &ANY_HEADER, BODY_LIMIT, |action| {
            named(action, "review_order", Some(payment::order_status))
        })?,
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
    body(object, body_limit)?;
    footer(object)?;
    object.object("action", action)
}

fn body(object: &mut Object<'_>, limit: usize) -> Result<(), ContentError> {
    object.object("body", |body| text(body, limit))
}

fn header(object: &mut Object<'_>, types: &[&str]) -> Result<(), ContentError> {
    let read = |mut header: Object<'_>| {
        match header.word("type", types)? {
            "text" => {
                header.text("text", HEADER_LIMIT)?;
                header.optional_text("sub_text", HEADER_LIMIT)?;
            }
            "image" => header.object("image", media::header)?,
            "video" => header.object("video", media::header)?,
            _ => header.object("document", media::header_document)?,
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

/// Reads the action of reply buttons (Meta, *Interactive reply buttons messages*). In the cards of a carousel, the type
/// of a button has another name.
fn buttons<'a>(mut action: Object<'a>, kind: &'static str, id_limit: usize) -> Result<Value, ContentError> {
    let (mut ids, mut titles) = (HashSet::new(), HashSet::new());
    action.list("buttons", 1..=3, |mut button| {
        button.word("type", &[kind])?;
        button.object(kind, |mut reply| {
            reply.unique_text("id", id_limit, &mut ids)?;
            reply.unique_text("title", BUTTON_LIMIT, &mut titles)?;
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
        if section.filled_text("title", 24)?.is_none() {
            untitled.get_or_insert(section.missing("title"));
        }
        section.list("rows", 1..=ROW_LIMIT, |mut row| {
            row.unique_text("id", 200, &mut ids)?;
            row.text("title", 24)?;
            row.filled_text("description", 72)?;
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

/// Reads an action with the fixed name `name` that doesn't require parameters.
fn with_options<'a>(
    mut action: Object<'a>,
    name: &str,
    read: fn(Object<'a>) -> Result<Value, ContentError>,
) -> Result<Value, ContentError> {
    action.word("name", &[name])?;
    action.optional_object("parameters", read)?;
    action.finish()
}

fn cta_url(action: Object<'_>) -> Result<Value, ContentError> {
    named(action, "cta_url", Some(url_button))
}

/// Reads the parameters of a URL button (Meta, *Interactive Call-to-Action URL Button Messages*).
fn url_button(mut parameters: Object<'_>) -> Result<Value, ContentError> {
    parameters.text("display_text", BUTTON_LIMIT)?;
    let url = parameters.text("url", NO_LIMIT)?;
    link::check_web(url).map_err(|expected| parameters.invalid("url", expected))?;
    // Meta, Enhanced payment links.
    parameters.optional_flag("payment_link_preview")?;
    parameters.finish()
}

/// Reads the parameters of a call button (Meta, *Call button messages*).
fn voice_call(mut parameters: Object<'_>) -> Result<Value, ContentError> {
    parameters.filled_text("display_text", BUTTON_LIMIT)?;
    parameters.optional_whole("ttl_minutes", 1..=43_200)?;
    parameters.optional_text("payload", 512)?;
    parameters.finish()
}

/// Reads the parameters of an address form, whose fields differ between countries (Meta, *Address messages*).
fn address(mut parameters: Object<'_>) -> Result<Value, ContentError> {
    let country = parameters.text("country", NO_LIMIT)?;
    if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(parameters.invalid("country", "a country code of ISO 3166, such as IN"));
    }
    Ok(parameters.finish_open())
}

/// Reads the action of a carousel (Meta, *Interactive media carousel messages*, *Interactive product carousel
/// messages*). All cards have the same type, header type, catalog, and buttons.
fn carousel(mut action: Object<'_>) -> Result<Value, ContentError> {
    let (mut indexes, mut first) = (HashSet::new(), None);
    action.list("cards", 2..=10, |mut card| {
        let mut replies = 0;
        card.unique_whole("card_index", 0..=9, &mut indexes)?;
        if card.word("type", &["cta_url", "product"])? == "product" {
            card.object("action", product::reference)?;
        } else {
            if !card.has("header") {
                return Err(card.missing("header"));
            }
            header(&mut card, &["image", "video"])?;
            card.optional_object("body", card_body)?;
            // A media card has a URL button or up to three quick replies.
            card.object("action", |mut action| {
                replies = action.count("buttons");
                if action.has("buttons") {
                    return buttons(action, "quick_reply", CARD_BUTTON_ID_LIMIT);
                }
                action.optional_list("buttons", ANY_COUNT, Object::finish)?;
                cta_url(action)
            })?;
        }
        let (kind, header, catalog) = (card.peek("type"), card.peek("header/type"), card.peek("action/catalog_id"));
        let traits = [("type", (kind, 0)), ("header", (header, 0)), ("action", (catalog, replies))];
        let expected = *first.get_or_insert(traits);
        match traits.iter().zip(expected).find(|(own, expected)| *own != expected) {
            Some(((member, _), _)) => Err(card.invalid(member, "like that of the first card")),
            None => card.finish(),
        }
    })?;
    action.finish()
}

fn card_body(mut body: Object<'_>) -> Result<Value, ContentError> {
    let text = body.text("text", CARD_BODY_LIMIT)?;
    if text.lines().count() > MAX_CARD_LINE_BREAKS + 1 {
        return Err(body.invalid("text", "a text with up to 2 line breaks"));
    }
    body.finish()
}

/// Reads the parameters of a flow (Meta, *Sending a Flow*).
fn flow(mut parameters: Object<'_>) -> Result<Value, ContentError> {
    parameters.word("flow_message_version", &["3"])?;
    let id = parameters.filled_text("flow_id", NO_LIMIT)?;
    let name = parameters.filled_text("flow_name", NO_LIMIT)?;
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
        payload.optional_value("data", "an object with at least one member", is_flow_data)?;
        payload.finish()
    })?;
    parameters.finish()
}

/// Meta's text requires an object that is not empty, but its example sends the object as JSON text.
fn is_flow_data(data: &Value) -> bool {
    match data {
        Value::Object(data) => !data.is_empty(),
        Value::String(text) => serde_json::from_str::<Map<String, Value>>(text).is_ok_and(|data| !data.is_empty()),
        _ => false,
    }
}
