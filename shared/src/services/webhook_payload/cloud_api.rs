//! The bodies that WhatsApp itself would send (Meta, *Webhooks reference*), so that a receiver of WhatsApp's webhooks
//! can receive Qasid's. Each has one change.
//!
//! Messages and events are passed on as they were received. WhatsApp's statuses aren't stored as such, so they are
//! rebuilt from the message.

use super::meta_json::Json;
use crate::{
    domain::{
        change::ChangeType,
        chat::{Chat, ChatType},
        id::ChangeId,
        identity::Address,
        message::{Message, MessageType, Source},
        number::is_phone_number_id,
        time::Timestamp,
        whatsapp_error::WhatsAppError,
    },
    services::changes::ResolvedChange,
    store::{MessageMetadata, NumberIdentity, StoredEvent},
};

/// The code of an error without one: "Something went wrong" (Meta, *Error codes*).
const UNKNOWN_ERROR: i64 = 131_000;

/// The page that Meta links from errors.
const ERROR_CODES: &str = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/";

/// The ID of an account that isn't known. Meta's tests use it as well.
const NO_ACCOUNT: &str = "0";

/// Returns whether a change of a message can have a form: WhatsApp sends messages and actions that contacts and phones
/// sent, and statuses except `unknown`. It doesn't send what a linked device received.
pub(super) fn has_form(change: &ResolvedChange) -> bool {
    let Some((message, _)) = change.message.as_deref() else { return false };
    let is_received = message.raw.is_some() && message.source != Some(Source::Device);
    let has_form = match change.change.change.kind {
        ChangeType::MessageReceived | ChangeType::MessageCreated | ChangeType::MessageAction => is_received,
        _ => reports_status(change),
    };
    has_form && is_phone_number_id(&message.phone_number_id)
}

/// Returns whether a change has the form of a status.
pub(super) fn reports_status(change: &ResolvedChange) -> bool {
    status_name(change.change.change.kind).is_some()
}

fn status_name(kind: ChangeType) -> Option<&'static str> {
    match kind {
        ChangeType::MessageSent => Some("sent"),
        ChangeType::MessageDelivered => Some("delivered"),
        ChangeType::MessageRead => Some("read"),
        ChangeType::MessagePlayed => Some("played"),
        ChangeType::MessageFailed => Some("failed"),
        _ => None,
    }
}

/// Returns the body for a test: a message with the numbers of Meta's own tests (Meta app dashboard, WhatsApp,
/// Configuration, webhook field `messages`, test). Receivers can't be expected to accept a body without entries.
pub(super) fn test(id: ChangeId, at: Timestamp) -> String {
    const CONTACT: &str = "16315551181";
    let string = |text: &str| Some(Json::string(text));
    let profile = Json::object([("name", string("test user name"))]);
    let contact = Json::object([("profile", Some(profile)), ("wa_id", string(CONTACT))]);
    let message = Json::object([
        ("from", string(CONTACT)),
        // Receivers deduplicate by it.
        ("id", Some(Json::string(&format!("wamid.TEST-{id}")))),
        ("timestamp", Some(Json::string(&at.seconds().to_string()))),
        ("type", string("text")),
        ("text", Some(Json::object([("body", string("this is a text message"))]))),
    ]);
    let number = NumberIdentity { display_phone_number: Some("16505551111".to_owned()), ..NumberIdentity::default() };
    let members = [("contacts", Some(Json::array([contact]))), ("messages", Some(Json::array([message])))];
    let value = value("messages", Some(metadata_of("123456123", &number)), members);
    notification([entry(None, None, change_of("messages", value))])
}

/// Returns the body for a message, with its full raw JSON, or for a status.
pub(super) fn message(change: &ResolvedChange, raw: Option<&str>, number: &NumberIdentity) -> Option<String> {
    let (message, metadata) = change.message.as_deref()?;
    let chat = change.chat.as_deref();
    let (list, contacts, item) = match status_name(change.change.change.kind) {
        Some(name) => {
            // WhatsApp's statuses name the contact, except those of failures.
            let contacts = (name != "failed").then(|| contact_of(chat?, None)).flatten();
            ("statuses", contacts, status(name, change.change.change.at, message, metadata, chat))
        }
        None => (list_of(message), contacts(message, chat), Json::received(raw?)?),
    };
    let members = [("contacts", contacts), (list, Some(Json::array([item])))];
    let field = match (message.source, message.kind, list) {
        (Some(Source::Standby), ..) => "standby",
        (_, _, "message_echoes") => "smb_message_echoes",
        (_, MessageType::Call, "calls") => "calls",
        _ => "messages",
    };
    let value = value(field, Some(metadata_of(&message.phone_number_id, number)), members);
    let account = number.waba_id.as_deref();
    Some(notification([entry(account, None, change_of(field, value))]))
}

/// Returns the body for a stored event with its full raw JSON. `None` for one that can't be restored.
pub(super) fn event(event: &StoredEvent, raw: &str, number: Option<&NumberIdentity>) -> Option<String> {
    if event.reason.is_some() || event.encoding.is_some() {
        return None;
    }
    let raw = Json::received(raw)?;
    let metadata = || event.phone_number_id.as_deref().zip(number).map(|(id, number)| metadata_of(id, number));
    let change = match event.field.split_once('.') {
        // A status of a payment. Other events of this form are stored under the name of their member.
        Some((field, "payment")) => {
            change_of(field, value(field, metadata(), [("statuses", Some(Json::array([raw])))]))
        }
        Some((field, member)) => change_of(field, value(field, metadata(), [(member, Some(raw))])),
        None => match event.field.as_str() {
            "errors" => change_of("messages", value("messages", metadata(), [("errors", Some(raw))])),
            field @ ("calls" | "history") => {
                change_of(field, value(field, metadata(), [(field, Some(Json::array([raw])))]))
            }
            // Any other field is stored with its change.
            _ => raw,
        },
    };
    let account = event.waba_id.as_deref().or(number.and_then(|number| number.waba_id.as_deref()));
    Some(notification([entry(account, event.at, change)]))
}

fn notification(entries: impl IntoIterator<Item = Json>) -> String {
    let object = Json::string("whatsapp_business_account");
    Json::object([("object", Some(object)), ("entry", Some(Json::array(entries)))]).into_text()
}

fn entry(account: Option<&str>, time: Option<Timestamp>, change: Json) -> Json {
    Json::object([
        ("id", Some(Json::string(account.unwrap_or(NO_ACCOUNT)))),
        ("time", time.map(|time| Json::number(time.seconds()))),
        ("changes", Some(Json::array([change]))),
    ])
}

fn change_of(field: &str, value: Json) -> Json {
    Json::object([("value", Some(value)), ("field", Some(Json::string(field)))])
}

/// Returns the value of a field. In `standby`, its members are one level deeper.
fn value<'a>(field: &str, metadata: Option<Json>, members: impl IntoIterator<Item = (&'a str, Option<Json>)>) -> Json {
    let head = [("messaging_product", Some(Json::string("whatsapp"))), ("metadata", metadata)];
    if field == "standby" {
        return Json::object(head.into_iter().chain([("standby", Some(Json::object(members)))]));
    }
    Json::object(head.into_iter().chain(members))
}

fn metadata_of(phone_number_id: &str, number: &NumberIdentity) -> Json {
    let display = number.display_phone_number.as_deref().unwrap_or_default();
    Json::object([
        ("display_phone_number", Some(Json::string(display))),
        ("phone_number_id", Some(Json::string(phone_number_id))),
    ])
}

/// Returns the list that a message is in.
fn list_of(message: &Message) -> &'static str {
    match message.kind {
        MessageType::Call => "calls",
        _ if message.from_me => "message_echoes",
        _ => "messages",
    }
}

/// Returns the contacts of a message: as received, or else as the chat has them. A system message has none.
fn contacts(message: &Message, chat: Option<&Chat>) -> Option<Json> {
    let received = message.writer.as_ref().and_then(|writer| Json::received(writer.contact.as_deref()?));
    if received.is_some() {
        return received.map(|contact| Json::array([contact]));
    }
    let is_written = !message.from_me && !matches!(message.kind, MessageType::System | MessageType::Call);
    let user_id = message.writer.as_ref().and_then(|writer| writer.user_id.as_deref());
    contact_of(chat.filter(|_| is_written)?, user_id)
}

/// Returns the contacts with the contact of a chat. `None` for a group.
fn contact_of(chat: &Chat, user_id: Option<&str>) -> Option<Json> {
    if chat.kind != ChatType::Individual {
        return None;
    }
    let text = |text: Option<&str>| text.map(Json::string);
    let user_id = user_id.or(chat.user_id.as_deref());
    let profile =
        Json::object([("name", text(chat.profile_name.as_deref())), ("username", text(chat.username.as_deref()))]);
    let contact = [("profile", Some(profile)), ("wa_id", text(chat.wa_id.as_deref())), ("user_id", text(user_id))];
    Some(Json::array([Json::object(contact)]))
}

fn status(name: &str, at: Timestamp, message: &Message, metadata: &MessageMetadata, chat: Option<&Chat>) -> Json {
    let text = |text: &str| Some(Json::string(text));
    let id = message.id.to_string();
    let reference = message.reference.as_ref().map_or(id.as_str(), |reference| reference.as_str());
    // A message that WhatsApp never accepted has no other ID.
    let mut members = vec![
        ("id", text(message.wamid.as_deref().unwrap_or(&id))),
        ("status", text(name)),
        ("timestamp", text(&at.seconds().to_string())),
    ];
    members.extend(recipient(name, message, chat));
    members.push(("biz_opaque_callback_data", text(reference)));
    let has_price = match name {
        "sent" | "delivered" => true,
        // WhatsApp repeats the price only if it skipped `delivered`.
        "read" => metadata.statuses.delivered_at.is_none(),
        _ => false,
    };
    if has_price {
        let received = |json: &Option<String>| Json::received(json.as_deref()?);
        members.push(("conversation", received(&metadata.conversation)));
        members.push(("pricing", received(&metadata.pricing)));
    }
    if name == "failed" {
        members.push(("errors", Some(errors(message, metadata))));
    }
    Json::object(members)
}

fn recipient(name: &str, message: &Message, chat: Option<&Chat>) -> Vec<(&'static str, Option<Json>)> {
    let text = |text: &str| Some(Json::string(text));
    // An echo doesn't store its recipient.
    let of_chat = || match chat?.kind {
        ChatType::Group => Address::from_destination(&chat?.remote_id),
        ChatType::Individual => chat?.destination(),
    };
    match message.to.as_deref().and_then(Address::from_destination).or_else(of_chat) {
        Some(group @ Address::Group(_)) => {
            vec![("recipient_id", text(&group.remote_id())), ("recipient_type", text("group"))]
        }
        Some(Address::Phone(digits)) => {
            let identity = Address::Phone(digits.clone()).identity();
            let is_same = |wa_id: &&str| Address::from_wa_id(wa_id).is_some_and(|own| own.identity() == identity);
            // WhatsApp reports its own spelling of the number.
            let reported = chat.and_then(|chat| chat.wa_id.as_deref()).filter(is_same);
            let user_id = chat.and_then(|chat| chat.user_id.as_deref()).filter(|_| reported.is_some());
            let user_id = user_id.filter(|_| name != "failed").and_then(text);
            vec![("recipient_id", text(reported.unwrap_or(&digits))), ("recipient_user_id", user_id)]
        }
        Some(user @ Address::Bsuid(_)) => {
            let member = if user.is_parent() { "recipient_parent_user_id" } else { "recipient_user_id" };
            vec![(member, text(&user.destination()))]
        }
        Some(Address::Lid(_)) | None => Vec::new(),
    }
}

/// Returns WhatsApp's errors, or the reason for which a message failed without a status.
fn errors(message: &Message, metadata: &MessageMetadata) -> Json {
    match &metadata.errors[..] {
        [] => Json::array([error(&refusal(message))]),
        errors => Json::array(errors.iter().map(error)),
    }
}

/// Returns the error with which WhatsApp refused a message, from its text `<title> (<code>): <details>`, or the reason for
/// which Qasid didn't send it.
fn refusal(message: &Message) -> WhatsAppError {
    let (code, text) = (message.attempts.last().and_then(|attempt| attempt.code), message.error.as_deref());
    let parts = code.and_then(|code| text?.split_once(&format!(" ({code})")));
    let (title, details) = match parts {
        Some((title, details)) => (Some(title), details.strip_prefix(": ")),
        None => (None, text),
    };
    WhatsAppError { code, title: title.map(str::to_owned), details: details.map(str::to_owned) }
}

fn error(error: &WhatsAppError) -> Json {
    let title = || Some(Json::string(error.title.as_deref().unwrap_or("Something went wrong")));
    let details = error.details.as_deref().map(|details| Json::object([("details", Some(Json::string(details)))]));
    Json::object([
        ("code", Some(Json::number(error.code.unwrap_or(UNKNOWN_ERROR)))),
        ("title", title()),
        ("message", title()),
        ("error_data", details),
        ("href", Some(Json::string(ERROR_CODES))),
    ])
}
