//! Parses and validates requests to `/{phone number ID}/messages` as Meta does.

mod contacts;
mod interactive;
mod location;
mod media;
mod param;
mod pin;
mod reaction;
mod template;
mod text;

use serde_json::{Map, Value};

use self::param::{Param, invalid, required, unlisted};
use super::{graph_error::GraphError, parameters::Parameters, users::Address};

/// The types of Meta's error message.
const TYPES: [&str; 14] = [
    "audio",
    "contacts",
    "document",
    "gif",
    "image",
    "interactive",
    "link_preview",
    "location",
    "pin",
    "reaction",
    "sticker",
    "template",
    "text",
    "video",
];
/// Maximum length of `biz_opaque_callback_data` (Meta, changelog of the WhatsApp Business Platform).
const MAX_CALLBACK_DATA_CHARS: usize = 512;

/// A parsed request.
#[derive(Debug)]
pub(super) enum SendRequest {
    /// A message to a user.
    Message(OutboundMessage),
    /// A read receipt for a user's message.
    ReadReceipt(ReadReceiptRequest),
}

/// A read receipt for a user's message and all before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReadReceiptRequest {
    pub(super) message_id: String,
    /// Whether to show the user that the business is typing (Meta, *Typing indicators*).
    pub(super) typing_indicator: bool,
}

/// A valid message.
#[derive(Debug)]
pub(super) struct OutboundMessage {
    pub(super) recipient: Address,
    /// The value of `to` or `recipient`.
    pub(super) input: String,
    pub(super) kind: String,
    pub(super) callback_data: Option<String>,
    /// The entire request.
    pub(super) body: Map<String, Value>,
}

/// Members that can be strings that contain JSON.
const OBJECTS: [&str; 14] = [
    "audio",
    "contacts",
    "context",
    "document",
    "image",
    "interactive",
    "location",
    "pin",
    "reaction",
    "sticker",
    "template",
    "text",
    "typing_indicator",
    "video",
];

/// Parses the parameters of a request. `business` is the `wa_id` of the sending number.
pub(super) fn parse(mut parameters: Parameters, business: &str) -> Result<SendRequest, GraphError> {
    parameters.expand(&OBJECTS);
    let product = parameters.required_string("messaging_product")?;
    if product != "whatsapp" {
        return Err(unlisted("messaging_product", &["whatsapp"], &product));
    }
    if parameters.get("status").is_some() {
        return read_receipt(&parameters).map(SendRequest::ReadReceipt);
    }
    message(parameters, business).map(SendRequest::Message)
}

fn read_receipt(parameters: &Parameters) -> Result<ReadReceiptRequest, GraphError> {
    let status = parameters.required_string("status")?;
    if status != "read" {
        return Err(unlisted("status", &["read"], &status));
    }
    let message_id = parameters.required_string("message_id")?;
    let indicator = parameters.get("typing_indicator");
    if let Some(indicator) = indicator {
        Param::new("typing_indicator".to_owned(), indicator, &["type"])?.word("type", &["text"])?;
    }
    Ok(ReadReceiptRequest { message_id, typing_indicator: indicator.is_some() })
}

fn message(parameters: Parameters, business: &str) -> Result<OutboundMessage, GraphError> {
    let is_group = match parameters.string("recipient_type")?.as_deref() {
        None | Some("individual") => false,
        Some("group") => true,
        Some(other) => return Err(unlisted("recipient_type", &["individual", "group"], other)),
    };
    let kind = parameters.string("type")?.unwrap_or_else(|| "text".to_owned());
    if !TYPES.contains(&kind.as_str()) {
        return Err(unlisted("type", &TYPES, &kind));
    }
    check_content(&parameters, &kind)?;
    check_context(&parameters, &kind)?;
    if parameters.get("category").is_some() && kind != "template" {
        // Direct Send (Meta, *Direct Send*) needs Meta's approval for the account.
        let details = "Direct Send is not enabled for this WhatsApp Business Account".to_owned();
        return Err(GraphError::new(100, Some(details)));
    }
    let callback_data = parameters.string("biz_opaque_callback_data")?;
    if callback_data.as_ref().is_some_and(|data| data.chars().count() > MAX_CALLBACK_DATA_CHARS) {
        return Err(GraphError::too_long("biz_opaque_callback_data", MAX_CALLBACK_DATA_CHARS));
    }
    if is_group {
        // The simulated business has no groups: they need an Official Business Account (Meta, *Groups API*).
        return Err(match Address::phone(&parameters.required_string("to")?) {
            Some(_) => invalid("recipient_type and the type of to do not match".to_owned()),
            None => GraphError::new(131_041, None),
        });
    }
    if kind == "pin" {
        return Err(invalid("Messages of type pin can only be sent to groups".to_owned()));
    }
    let (recipient, input) = recipient(&parameters)?;
    if recipient == Address::Phone(business.to_owned()) {
        return Err(GraphError::new(131_021, Some("Sender and recipient phone number is the same.".to_owned())));
    }
    Ok(OutboundMessage { recipient, input, kind, callback_data, body: parameters.0 })
}

/// `to` takes precedence over `recipient` (Meta, *Business-scoped user IDs*).
fn recipient(parameters: &Parameters) -> Result<(Address, String), GraphError> {
    let (address, input) = match (parameters.string("to")?, parameters.string("recipient")?) {
        (Some(to), _) => (Address::phone(&to), to),
        (None, Some(recipient)) => (Address::user_id(&recipient), recipient),
        (None, None) => return Err(GraphError::missing("to")),
    };
    let malformed = || invalid("The phone number is malformed: Please use the format: +1234567890.".to_owned());
    Ok((address.ok_or_else(malformed)?, input))
}

/// Checks the message to reply to. A reaction cannot be a reply (Meta, *Contextual replies*).
fn check_context(parameters: &Parameters, kind: &str) -> Result<(), GraphError> {
    let Some(context) = parameters.get("context") else { return Ok(()) };
    Param::new("context".to_owned(), context, &["message_id"])?.required_text("message_id")?;
    if kind == "reaction" { Err(invalid("A reaction cannot be a contextual reply".to_owned())) } else { Ok(()) }
}

/// Checks the object named by `type`.
fn check_content(parameters: &Parameters, kind: &str) -> Result<(), GraphError> {
    let Some(content) = parameters.get(kind) else {
        return Err(required(format!("Parameter '{kind}' is mandatory for type '{kind}'")));
    };
    match kind {
        "audio" | "document" | "image" | "sticker" | "video" => media::check(kind, content),
        "contacts" => contacts::check(content),
        "interactive" => interactive::check(content),
        "location" => location::check(content),
        "pin" => pin::check(content),
        "reaction" => reaction::check(content),
        "template" => template::check(content),
        "text" => text::check(content),
        // Meta lists these types in its error message, but documents no way to send them.
        _ => Err(GraphError::new(131_051, Some("Message type is not currently supported".to_owned()))),
    }
}

#[cfg(test)]
mod tests;
