//! Interactive messages (Meta, *WhatsApp Cloud API - Message API*, and the page of each type).

mod carousel;
mod flow;
mod list;
mod order;
mod product;

use std::{borrow::Cow, collections::HashSet};

use serde_json::Value;

use super::{
    media,
    param::{Param, check_url, invalid, required},
};
use crate::whatsapp::graph_error::GraphError;

/// The types in the order of Meta's error message. Meta's documentation of business-scoped user IDs has named one type
/// both `contact_request` and `request_contact_info`.
const TYPES: [&str; 16] = [
    "address_message",
    "button",
    "call_permission_request",
    "carousel",
    "catalog_message",
    "contact_request",
    "cta_url",
    "flow",
    "list",
    "location_request_message",
    "order_details",
    "order_status",
    "product",
    "product_list",
    "request_contact_info",
    "voice_call",
];

/// The members of `action` of all types together.
const ACTION: [&str; 8] =
    ["name", "parameters", "button", "buttons", "sections", "catalog_id", "product_retailer_id", "cards"];

const MAX_BODY_CHARS: usize = 1024;
const MAX_LIST_BODY_CHARS: usize = 4096;
const MAX_HEADER_CHARS: usize = 60;
const MAX_FOOTER_CHARS: usize = 60;
const MAX_BUTTONS: usize = 3;
const MAX_BUTTON_CHARS: usize = 20;
const MAX_BUTTON_ID_CHARS: usize = 256;

pub(super) fn check(content: &Value) -> Result<(), GraphError> {
    let known = ["type", "header", "body", "footer", "action"];
    let message = Param::new("interactive".to_owned(), content, &known)?;
    let kind = message.word("type", &TYPES)?;
    check_header(&message, kind)?;
    check_body(&message, kind)?;
    check_footer(&message)?;
    let action = message.required_object("action", &ACTION)?;
    match kind {
        "button" => check_buttons(&action, "reply", MAX_BUTTON_ID_CHARS),
        "list" => list::check(&action),
        "cta_url" => check_url_button(&action),
        "flow" => flow::check(&action),
        "location_request_message" => check_name(&action, "send_location"),
        "contact_request" | "request_contact_info" => check_name(&action, "request_contact_info"),
        "address_message" => check_address(&action),
        "call_permission_request" => check_name(&action, "call_permission_request"),
        "voice_call" => check_voice_call(&action),
        "product" => product::check(&action),
        "product_list" => product::check_list(&action),
        "catalog_message" => product::check_catalog(&action),
        "carousel" => carousel::check(&action),
        "order_details" => order::check_details(&action),
        _ => order::check_status(&action),
    }
}

/// Checks the header. A list, a list of products, and an order have headers of one kind only. A product, a carousel, and
/// a catalog have none of their own.
fn check_header(message: &Param<'_>, kind: &str) -> Result<(), GraphError> {
    let header = header(message)?;
    let allowed = match (kind, header) {
        ("product_list", None) => {
            return Err(required(format!("{} is required for type {kind}.", message.path("header"))));
        }
        (_, None) => return Ok(()),
        ("list" | "product_list", Some(header)) => header == "text",
        ("order_details", Some(header)) => header == "image",
        ("product" | "carousel" | "catalog_message", Some(_)) => false,
        (_, Some(_)) => true,
    };
    if allowed {
        Ok(())
    } else {
        Err(invalid(format!("{} has a type that {kind} does not support", message.path("header"))))
    }
}

/// Checks the content of the header of a message or card. Returns its type.
fn header(message: &Param<'_>) -> Result<Option<&'static str>, GraphError> {
    let known = ["type", "text", "sub_text", "image", "video", "document"];
    let Some(header) = message.object("header", &known)? else { return Ok(None) };
    let kind = header.word("type", &["text", "video", "image", "document"])?;
    let Some(content) = header.get(kind) else {
        let name = if kind == "text" { "Text" } else { "Media" };
        return Err(invalid(format!("{name} cannot be null for header type {kind}")));
    };
    if kind == "text" {
        check_length("Header text", &header.text("text")?.unwrap_or_default(), 1, MAX_HEADER_CHARS)?;
        check_length("Header sub text", &header.text("sub_text")?.unwrap_or_default(), 0, MAX_HEADER_CHARS)?;
    } else {
        media::check_at(header.path(kind), kind, content)?;
    }
    Ok(Some(kind))
}

fn check_body(message: &Param<'_>, kind: &str) -> Result<(), GraphError> {
    let limit = if kind == "list" { MAX_LIST_BODY_CHARS } else { MAX_BODY_CHARS };
    let Some(body) = message.object("body", &["text"])? else {
        return match kind {
            "product" | "call_permission_request" => Ok(()),
            _ => Err(required(format!("{} is required for type {kind}.", message.path("body")))),
        };
    };
    check_length("Body text", &body.required_text("text")?, 1, limit)
}

fn check_footer(message: &Param<'_>) -> Result<(), GraphError> {
    match message.object("footer", &["text"])? {
        Some(_) if message.get("type").is_some_and(|kind| kind == "carousel") => {
            Err(invalid(format!("{} is not supported for type carousel", message.path("footer"))))
        }
        Some(footer) => check_length("Footer text", &footer.text("text")?.unwrap_or_default(), 0, MAX_FOOTER_CHARS),
        None => Ok(()),
    }
}

/// Checks the buttons of a message or card: `reply` or `quick_reply` objects with a unique ID and a unique title.
fn check_buttons(action: &Param<'_>, kind: &'static str, max_id: usize) -> Result<(), GraphError> {
    let buttons = action.list("buttons", &["type", kind])?;
    if !(1..=MAX_BUTTONS).contains(&buttons.len()) {
        let details = format!("Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: {MAX_BUTTONS}");
        return Err(invalid(details));
    }
    let (mut ids, mut titles) = (Unique::new("button id"), Unique::new("button title"));
    for button in &buttons {
        button.word("type", &[kind])?;
        let reply = button.required_object(kind, &["id", "title"])?;
        let (id, title) = (reply.required_text("id")?, reply.required_text("title")?);
        check_length("Button id", &id, 1, max_id)?;
        check_length("Button title", &title, 1, MAX_BUTTON_CHARS)?;
        ids.add(id)?;
        titles.add(title)?;
    }
    Ok(())
}

/// Checks that the name of the action belongs to the type of the message.
fn check_name(action: &Param<'_>, expected: &'static str) -> Result<(), GraphError> {
    action.word("name", &[expected]).map(drop)
}

/// Checks a URL button (Meta, *Interactive Call-to-Action URL Button Messages*; *Enhanced payment links*).
fn check_url_button(action: &Param<'_>) -> Result<(), GraphError> {
    check_name(action, "cta_url")?;
    let parameters = action.required_object("parameters", &["display_text", "url", "payment_link_preview"])?;
    check_length("Button title", &parameters.required_text("display_text")?, 1, MAX_BUTTON_CHARS)?;
    check_url(&parameters.path("url"), &parameters.required_text("url")?)?;
    parameters.flag("payment_link_preview")
}

/// Checks the request of an address. The other parameters depend on the country (Meta, *Address Messages*).
fn check_address(action: &Param<'_>) -> Result<(), GraphError> {
    check_name(action, "address_message")?;
    let known = ["country", "values", "saved_addresses", "validation_errors"];
    let parameters = action.required_object("parameters", &known)?;
    let country = parameters.required_text("country")?;
    if country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Ok(());
    }
    Err(invalid(format!("{} must be an ISO country code, such as IN", parameters.path("country"))))
}

/// Checks a call button (Meta, *Send WhatsApp call button messages and deep links*).
fn check_voice_call(action: &Param<'_>) -> Result<(), GraphError> {
    check_name(action, "voice_call")?;
    let Some(parameters) = action.object("parameters", &["display_text", "ttl_minutes", "payload"])? else {
        return Ok(());
    };
    check_length("Button title", &parameters.text("display_text")?.unwrap_or_default(), 0, MAX_BUTTON_CHARS)?;
    parameters.integer("ttl_minutes", 1..=43_200)?;
    check_length("Payload", &parameters.text("payload")?.unwrap_or_default(), 0, 512)
}

/// Checks the length of a text with Meta's sentence.
fn check_length(name: &str, text: &str, min: usize, max: usize) -> Result<(), GraphError> {
    if (min..=max).contains(&text.chars().count()) {
        return Ok(());
    }
    Err(invalid(format!("{name} length invalid. Min length: {min}, Max length: {max}")))
}

/// Values that must differ within a message.
struct Unique<'a> {
    name: &'static str,
    seen: HashSet<Cow<'a, str>>,
}

impl<'a> Unique<'a> {
    fn new(name: &'static str) -> Unique<'a> {
        Unique { name, seen: HashSet::new() }
    }

    fn add(&mut self, value: Cow<'a, str>) -> Result<(), GraphError> {
        if self.seen.insert(value) { Ok(()) } else { Err(invalid(format!("Duplicate {}", self.name))) }
    }
}
