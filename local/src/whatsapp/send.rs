//! Parses and validates requests to `/{phone number ID}/messages` as Meta does.

use serde_json::{Map, Value};

use super::{graph_error::GraphError, parameters::Parameters, users::Address};

const TYPES: [&str; 12] = [
    "audio",
    "contacts",
    "document",
    "image",
    "interactive",
    "location",
    "pin",
    "reaction",
    "sticker",
    "template",
    "text",
    "video",
];
/// Maximum length of a text (Meta, *Text messages*).
const MAX_TEXT_CHARS: usize = 4096;
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
    let Parameters(body) = parameters;
    match string(&body, "messaging_product")? {
        Some("whatsapp") => {}
        Some(other) => {
            let sentence = format!("Param messaging_product must be one of {{WHATSAPP}} - got \"{other}\".");
            return Err(GraphError::parameter(&sentence));
        }
        None => return Err(GraphError::missing("messaging_product")),
    }
    if body.contains_key("status") {
        return read_receipt(&body).map(SendRequest::ReadReceipt);
    }
    message(body, business).map(SendRequest::Message)
}

fn read_receipt(body: &Map<String, Value>) -> Result<ReadReceiptRequest, GraphError> {
    if string(body, "status")? != Some("read") {
        return Err(GraphError::parameter("Param status must be one of {READ}."));
    }
    let message_id = match string(body, "message_id")? {
        Some(id) if id.starts_with("wamid.") => id.to_owned(),
        Some(_) => {
            return Err(GraphError::new(131_009, Some("message_id is not a message ID".to_owned())));
        }
        None => return Err(GraphError::missing("message_id")),
    };
    match body.get("typing_indicator") {
        None => Ok(ReadReceiptRequest { message_id, typing_indicator: false }),
        Some(indicator) if indicator["type"] == "text" => Ok(ReadReceiptRequest { message_id, typing_indicator: true }),
        Some(_) => Err(GraphError::parameter("Param typing_indicator['type'] must be one of {TEXT}.")),
    }
}

fn message(body: Map<String, Value>, business: &str) -> Result<OutboundMessage, GraphError> {
    if let Some(recipient_type) = string(&body, "recipient_type")?
        && recipient_type != "individual"
    {
        // Groups require an Official Business Account, which the simulated number does not have.
        return Err(GraphError::parameter("Param recipient_type must be one of {INDIVIDUAL}."));
    }
    let (recipient, input) = recipient(&body)?;
    if recipient == Address::Phone(business.to_owned()) {
        return Err(GraphError::new(131_021, Some("Sender and recipient phone number is the same.".to_owned())));
    }
    let kind = string(&body, "type")?.unwrap_or("text").to_owned();
    if !TYPES.contains(&kind.as_str()) {
        let listed = TYPES.join(", ").to_uppercase();
        return Err(GraphError::parameter(&format!("Param type must be one of {{{listed}}} - got \"{kind}\".")));
    }
    check_content(&body, &kind)?;
    if let Some(context) = body.get("context")
        && !context["message_id"].is_string()
    {
        return Err(GraphError::parameter("The parameter context['message_id'] is required."));
    }
    let callback_data = string(&body, "biz_opaque_callback_data")?.map(str::to_owned);
    if callback_data.as_ref().is_some_and(|data| data.chars().count() > MAX_CALLBACK_DATA_CHARS) {
        return Err(too_long("biz_opaque_callback_data", MAX_CALLBACK_DATA_CHARS));
    }
    Ok(OutboundMessage { recipient, input, kind, callback_data, body })
}

/// `to` takes precedence over `recipient` (Meta, *Business-scoped user IDs*).
fn recipient(body: &Map<String, Value>) -> Result<(Address, String), GraphError> {
    let (address, input) = match (string(body, "to")?, string(body, "recipient")?) {
        (Some(to), _) => (Address::phone(to), to),
        (None, Some(recipient)) => (Address::user_id(recipient), recipient),
        (None, None) => return Err(GraphError::missing("to")),
    };
    let address = address.ok_or_else(|| {
        GraphError::new(131_009, Some("The recipient is neither a phone number nor a user ID".to_owned()))
    })?;
    Ok((address, input.to_owned()))
}

/// Checks that the object named by `type` exists. Validates only the content of texts, which the functions send.
fn check_content(body: &Map<String, Value>, kind: &str) -> Result<(), GraphError> {
    let content = body.get(kind).filter(|content| !content.is_null());
    let Some(content) = content else {
        let details = format!("The parameter {kind} is required for type {kind}.");
        return Err(GraphError::new(131_008, Some(details)));
    };
    let has_shape = if kind == "contacts" { content.is_array() } else { content.is_object() };
    if !has_shape {
        return Err(GraphError::parameter(&format!("Param {kind} must be a JSON object or, for contacts, an array.")));
    }
    if kind == "text" {
        match content["body"].as_str() {
            Some(text) if text.chars().count() > MAX_TEXT_CHARS => {
                return Err(too_long("text['body']", MAX_TEXT_CHARS));
            }
            Some(text) if !text.is_empty() => {}
            _ => return Err(GraphError::missing("text['body']")),
        }
    }
    Ok(())
}

fn string<'a>(body: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, GraphError> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(GraphError::parameter(&format!("Param {name} must be a string."))),
    }
}

fn too_long(name: &str, limit: usize) -> GraphError {
    GraphError::parameter(&format!("Param {name} must be at most {limit} characters long."))
}

#[cfg(test)]
mod tests;
