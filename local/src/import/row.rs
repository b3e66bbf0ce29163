//! Rows of other systems as messages of the API.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use shared::domain::{identity::Recipient, time::Timestamp};

use super::table::Fields;

/// A chat of the old tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OldChat {
    /// The contact's address, or why it is missing.
    contact: Result<String, String>,
    name: Option<String>,
}

/// A message as the API takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// The chat in the old tables, or the spelling of the contact.
    pub(super) old_chat: String,
    /// The contact as the request has it.
    pub(super) contact: String,
    /// The message's JSON.
    pub(super) json: String,
}

impl OldChat {
    /// Reads a row of the table `chats`. The phone number says more than a LID or another address.
    pub(super) fn read(fields: &Fields) -> Self {
        let addresses = ["phone_jid", "remote_id"].map(|name| fields.get(name));
        let contact = match addresses {
            [Some(phone), _] if check_contact(phone).is_ok() => Ok(phone.to_owned()),
            [_, Some(remote)] => check_contact(remote).map(|()| remote.to_owned()),
            [Some(phone), None] => check_contact(phone).map(|()| phone.to_owned()),
            [None, None] => Err("has neither remote_id nor phone_jid".to_owned()),
        };
        Self { contact: contact.map_err(|error| format!("its chat {error}")), name: name(fields) }
    }
}

/// Checks an address. A phone number without `+` can still depend on the session's default country.
fn check_contact(contact: &str) -> Result<(), String> {
    Recipient::parse(contact).map(drop).map_err(|error| format!("has a contact that {error}"))
}

/// Returns the contact's name. The original routes store the address as the name of a contact without one.
fn name(fields: &Fields) -> Option<String> {
    fields.get("name").filter(|name| Recipient::parse(name).is_err()).map(str::to_owned)
}

/// Reads a row of the table `messages`.
pub(super) fn from_supabase(fields: &Fields, chats: &HashMap<String, OldChat>) -> Result<Message, String> {
    let chat_id = fields.get("chat_id").ok_or("has no chat_id")?;
    let chat = chats.get(chat_id).ok_or("has a chat_id that the table chats doesn't have")?;
    let contact = chat.contact.clone()?;
    message(fields, chat_id, contact, chat.name.clone())
}

/// Reads a row of a file with the columns of the API.
pub(super) fn from_csv(fields: &Fields) -> Result<Message, String> {
    let contact = fields.get("contact").ok_or("has no contact")?;
    check_contact(contact)?;
    message(fields, contact, contact.to_owned(), name(fields))
}

fn message(fields: &Fields, old_chat: &str, contact: String, name: Option<String>) -> Result<Message, String> {
    let from_me = boolean(fields, "from_me")?.ok_or("has no from_me")?;
    let kind = kind(fields.get("type"));
    let body = fields.get("body");
    if kind == "text" && body.is_none() {
        return Err("has no body, which a text needs".to_owned());
    }
    let timestamp = fields.get("timestamp").or_else(|| fields.get("created_at")).ok_or("has no timestamp")?;
    let timestamp = timestamp_of(timestamp).ok_or("has a timestamp that is not a time since 1970")?;
    let mut message = Map::new();
    message.insert("id".to_owned(), json!(fields.get("id").ok_or("has no id")?));
    message.insert("contact".to_owned(), json!(contact));
    message.insert("fromMe".to_owned(), json!(from_me));
    message.insert("timestamp".to_owned(), json!(timestamp));
    let status = if from_me { Some(status(fields.get("status"), boolean(fields, "is_sent")?)) } else { None };
    let optional = [
        ("name", name.as_deref()),
        ("type", Some(kind).filter(|kind| *kind != "text")),
        ("body", body),
        ("status", status),
        ("wamid", fields.get("wamid")),
    ];
    message.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))));
    Ok(Message { old_chat: old_chat.to_owned(), contact, json: Value::Object(message).to_string() })
}

fn boolean(fields: &Fields, name: &str) -> Result<Option<bool>, String> {
    let Some(text) = fields.get(name) else { return Ok(None) };
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "1" | "yes" => Ok(Some(true)),
        "false" | "f" | "0" | "no" => Ok(Some(false)),
        _ => Err(format!("has a {name} that is neither true nor false")),
    }
}

/// Returns the API's name of a type: of the Cloud API, of Baileys, or of whatsapp-web.js. A type that the API doesn't have
/// is `unsupported`.
fn kind(text: Option<&str>) -> &'static str {
    let Some(text) = text else { return "text" };
    let text = text.trim().to_ascii_lowercase();
    match text.strip_suffix("message").unwrap_or(&text) {
        "text" | "chat" | "conversation" | "extendedtext" => "text",
        "image" | "photo" => "image",
        "video" | "gif" | "ptv" => "video",
        "audio" | "ptt" | "voice" => "audio",
        "document" | "file" | "documentwithcaption" => "document",
        "sticker" => "sticker",
        "location" | "livelocation" => "location",
        "contact" | "contacts" | "contactsarray" | "vcard" | "multi_vcard" => "contacts",
        "interactive" | "buttons" | "list" | "buttons_response" | "list_response" => "interactive",
        "template" => "template",
        "button" => "button",
        "order" => "order",
        _ => "unsupported",
    }
}

/// Returns the API's name of a status: of the Cloud API or of Baileys. What was never sent has failed.
fn status(text: Option<&str>, is_sent: Option<bool>) -> &'static str {
    match text.map(|text| text.trim().to_ascii_lowercase()).as_deref() {
        Some("read" | "played" | "seen" | "4" | "5") => "read",
        Some("delivered" | "delivery_ack" | "3") => "delivered",
        Some("sent" | "server_ack" | "accepted" | "2") => "sent",
        Some("failed" | "error" | "undelivered" | "0") => "failed",
        Some("pending" | "queued" | "sending" | "1") if is_sent != Some(true) => "failed",
        _ if is_sent == Some(false) => "failed",
        _ => "sent",
    }
}

/// Parses a time as RFC 3339, as Postgres writes it, or in seconds or milliseconds since 1970. A time without an offset is
/// in UTC. Returns it as RFC 3339.
fn timestamp_of(text: &str) -> Option<String> {
    let text = text.trim();
    let parsed = match text.parse::<i64>() {
        // Twelve digits of seconds are after the year 4000, and eleven of milliseconds before the year 1974.
        Ok(number) if number.unsigned_abs() < 100_000_000_000 => Timestamp::from_seconds(number)?,
        Ok(number) => Timestamp::from_milliseconds(number)?,
        Err(_) => {
            let with_offset = text.parse::<jiff::Timestamp>().ok();
            let at = with_offset.or_else(|| {
                let at: jiff::civil::DateTime = text.parse().ok()?;
                jiff::tz::Offset::UTC.to_timestamp(at).ok()
            })?;
            Timestamp::from_milliseconds(at.as_millisecond())?
        }
    };
    Some(parsed.to_string())
}

#[cfg(test)]
mod tests;
