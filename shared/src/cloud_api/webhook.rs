//! Reading webhooks (Meta: "Webhooks overview", "messages webhook reference").
//!
//! A body holds up to 1,000 updates in several entries and changes. Each is read on its own from its own piece of raw
//! JSON, so that one that is new, odd or broken is kept as it came and its neighbours never notice.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    identity::Address,
    message::{MessageType, Receipt},
    store::{Inbound, StatusUpdate, keys::MessageKey},
    time::Timestamp,
};

/// The longest text that becomes a message's body, in bytes: WhatsApp's own limit is 4,096 characters.
const BODY_LIMIT: usize = 64 * 1024;

/// One thing that a webhook tells.
#[derive(Debug)]
pub enum Update {
    /// A customer wrote.
    Message(Box<Received>),
    /// Something became of a message that went out; with the key of its row where it is one of ours.
    Status(StatusUpdate, Option<MessageKey>),
    /// Anything else, to be kept as it came.
    Event {
        /// The webhook field, such as `account_update`.
        field: String,
        /// What was wrong with it, if anything was.
        reason: Option<&'static str>,
        /// Its JSON.
        raw: String,
    },
}

/// A customer's message and who wrote it.
#[derive(Debug)]
pub struct Received {
    /// The business number that it came to.
    pub phone_number_id: String,
    /// Who wrote it.
    pub sender: Sender,
    /// The message.
    pub message: Inbound,
}

/// Who wrote a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Every form in which he is named; at least one. In a group, the group.
    pub addresses: Vec<Address>,
    /// What he calls himself.
    pub name: Option<String>,
}

/// The body is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("the body is not JSON")]
pub struct NotJson(#[source] serde_json::Error);

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    entry: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    changes: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Change<'a> {
    field: String,
    #[serde(borrow)]
    value: &'a RawValue,
}

#[derive(Deserialize)]
struct MessagesValue<'a> {
    metadata: Metadata,
    #[serde(borrow, default)]
    contacts: Option<&'a RawValue>,
    #[serde(borrow, default)]
    messages: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    statuses: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    errors: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Metadata {
    phone_number_id: String,
}

#[derive(Default, Deserialize)]
struct Contact {
    #[serde(default)]
    profile: Option<Profile>,
    #[serde(default)]
    wa_id: Option<String>,
    #[serde(default)]
    user_id: Option<String>,
}

#[derive(Default, Deserialize)]
struct Profile {
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
struct MessageHead {
    id: String,
    #[serde(rename = "type", default)]
    kind: Option<String>,
    timestamp: Value,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    from_user_id: Option<String>,
    #[serde(default)]
    group_id: Option<String>,
    #[serde(default)]
    referral: Option<Value>,
}

#[derive(Deserialize)]
struct TextMessage {
    text: Text,
}

#[derive(Deserialize)]
struct Text {
    body: String,
}

#[derive(Deserialize)]
struct Status {
    id: String,
    status: String,
    timestamp: Value,
    #[serde(default)]
    biz_opaque_callback_data: Option<Value>,
    #[serde(default)]
    errors: Option<Vec<super::errors::GraphError>>,
}

/// Reads a body into what it tells, in its order.
pub fn updates(body: &[u8]) -> Result<Vec<Update>, NotJson> {
    let body = without_lone_surrogates(body);
    let whole: &RawValue = serde_json::from_slice(&body).map_err(NotJson)?;
    let mut updates = Vec::new();
    match serde_json::from_str::<Envelope<'_>>(whole.get()) {
        Ok(envelope) => envelope.entry.into_iter().for_each(|entry| read_entry(entry, &mut updates)),
        Err(_) => updates.push(unreadable("webhook", "no list of entries", whole)),
    }
    Ok(updates)
}

fn read_entry(raw: &RawValue, updates: &mut Vec<Update>) {
    match serde_json::from_str::<Entry<'_>>(raw.get()) {
        Ok(entry) => entry.changes.into_iter().for_each(|change| read_change(change, updates)),
        Err(_) => updates.push(unreadable("entry", "no list of changes", raw)),
    }
}

fn read_change(raw: &RawValue, updates: &mut Vec<Update>) {
    let Ok(change) = serde_json::from_str::<Change<'_>>(raw.get()) else {
        return updates.push(unreadable("change", "no field and value", raw));
    };
    if change.field != "messages" {
        return updates.push(Update::Event { field: change.field, reason: None, raw: raw.get().to_owned() });
    }
    let Ok(value) = serde_json::from_str::<MessagesValue<'_>>(change.value.get()) else {
        return updates.push(unreadable("messages", "no phone number id, or no lists where lists belong", raw));
    };
    let number = value.metadata.phone_number_id;
    let contacts = read_contacts(value.contacts);
    for message in value.messages.iter().flatten() {
        updates.push(match read_message(&number, &contacts, message) {
            Ok(received) => Update::Message(Box::new(received)),
            Err(reason) => unreadable("messages", reason, message),
        });
    }
    for status in value.statuses.iter().flatten() {
        updates.push(match read_status(&number, status) {
            Ok((update, key)) => Update::Status(update, key),
            Err(reason) => unreadable("messages", reason, status),
        });
    }
    if let Some(errors) = value.errors {
        updates.push(Update::Event { field: "errors".to_owned(), reason: None, raw: errors.get().to_owned() });
    }
}

fn unreadable(field: &str, reason: &'static str, raw: &RawValue) -> Update {
    Update::Event { field: field.to_owned(), reason: Some(reason), raw: raw.get().to_owned() }
}

/// A contact that cannot be read costs a name, nothing more.
fn read_contacts(raw: Option<&RawValue>) -> Vec<Contact> {
    let list: Vec<&RawValue> = raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    list.into_iter().map(|raw| serde_json::from_str(raw.get()).unwrap_or_default()).collect()
}

fn read_message(number: &str, contacts: &[Contact], raw: &RawValue) -> Result<Received, &'static str> {
    let head: MessageHead =
        serde_json::from_str(raw.get()).map_err(|_| "no id, or a sender or time that is no text")?;
    if head.id.is_empty() || head.id.len() > 1024 {
        return Err("an empty or overlong id");
    }
    let timestamp = read_timestamp(&head.timestamp).ok_or("no time")?;
    let contact = contact_of(&head, contacts);
    let sender = sender(&head, contact).ok_or("no sender that we could answer")?;
    let body = match head.kind.as_deref() {
        Some("text") => serde_json::from_str::<TextMessage>(raw.get()).ok().map(|message| message.text.body),
        _ => None,
    };
    let body = body.filter(|body| body.len() <= BODY_LIMIT);
    let kind = if body.is_some() { MessageType::Text } else { MessageType::Unsupported };
    let message = Inbound {
        opens_window: head.kind.as_deref() != Some("system"),
        has_referral: head.referral.is_some_and(|referral| referral.is_object()),
        wamid: head.id,
        timestamp,
        kind,
        body,
        raw: raw.get().to_owned(),
    };
    Ok(Received { phone_number_id: number.to_owned(), sender, message })
}

/// Contacts are matched by what they say of themselves; their order is no promise.
fn contact_of<'c>(head: &MessageHead, contacts: &'c [Contact]) -> Option<&'c Contact> {
    let by_user_id = |contact: &&Contact| contact.user_id.is_some() && contact.user_id == head.from_user_id;
    let number = |wa_id: &Option<String>| wa_id.as_deref().and_then(Address::from_wa_id).map(|a| a.identity());
    let by_number = |contact: &&Contact| contact.wa_id.is_some() && number(&contact.wa_id) == number(&head.from);
    contacts.iter().find(by_user_id).or_else(|| contacts.iter().find(by_number))
}

fn sender(head: &MessageHead, contact: Option<&Contact>) -> Option<Sender> {
    if let Some(group_id) = head.group_id.as_deref().filter(|id| !id.is_empty()) {
        return Some(Sender { addresses: vec![Address::from_group_id(group_id)?], name: None });
    }
    let phone = head.from.as_deref().or(contact.and_then(|contact| contact.wa_id.as_deref()));
    let user_id = head.from_user_id.as_deref().or(contact.and_then(|contact| contact.user_id.as_deref()));
    let addresses: Vec<Address> =
        [phone.and_then(Address::from_wa_id), user_id.and_then(Address::from_user_id)].into_iter().flatten().collect();
    let name = contact.and_then(|contact| contact.profile.as_ref()).and_then(|profile| profile.name.clone());
    (!addresses.is_empty()).then(|| Sender { addresses, name: name.filter(|name| !name.trim().is_empty()) })
}

fn read_status(number: &str, raw: &RawValue) -> Result<(StatusUpdate, Option<MessageKey>), &'static str> {
    let status: Status = serde_json::from_str(raw.get()).map_err(|_| "no id, status or time")?;
    let receipt = Receipt::parse(&status.status).ok_or("an unknown status")?;
    let at = read_timestamp(&status.timestamp).ok_or("no time")?;
    if status.id.is_empty() || status.id.len() > 1024 {
        return Err("an empty or overlong id");
    }
    let key = status.biz_opaque_callback_data.as_ref().and_then(Value::as_str).and_then(|data| data.parse().ok());
    let error = (receipt == Receipt::Failed).then(|| {
        let error = status.errors.as_ref().and_then(|errors| errors.first());
        error.map_or_else(|| "WhatsApp gave no reason".to_owned(), ToString::to_string)
    });
    let update = StatusUpdate { phone_number_id: number.to_owned(), wamid: status.id, receipt, at, error };
    Ok((update, key))
}

/// Unix seconds, as a string in messages and statuses, as a number in other fields; both are taken everywhere.
fn read_timestamp(value: &Value) -> Option<Timestamp> {
    let seconds = match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_i64(),
        _ => None,
    };
    Timestamp::from_seconds(seconds?)
}

/// Half of a surrogate pair as an escape (`\ud83d` alone) is JSON by its grammar, but no text; some phones send it where
/// an emoji was cut. It becomes U+FFFD, and the message is not lost with it.
fn without_lone_surrogates(body: &[u8]) -> Cow<'_, [u8]> {
    let unit = |at: usize| -> Option<u16> {
        let digits = body.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut fixed: Option<Vec<u8>> = None;
    let mut at = 0;
    while at < body.len() {
        if body[at] != b'\\' {
            at += 1;
            continue;
        }
        match (unit(at), unit(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => at += 12,
            (Some(0xd800..=0xdfff), _) => {
                fixed.get_or_insert_with(|| body.to_vec())[at..at + 6].copy_from_slice(b"\\ufffd");
                at += 6;
            }
            (Some(_), _) => at += 6,
            // Another escape; the character after the backslash may be one itself.
            (None, _) => at += 2,
        }
    }
    fixed.map_or(Cow::Borrowed(body), Cow::Owned)
}

#[cfg(test)]
mod tests;
