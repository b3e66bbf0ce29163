//! Messages: from contacts, echoes of what the business sent in other ways, and history.

use serde_json::{Map, Value, json, value::RawValue};

use super::{
    Peer, contact_update,
    contacts::{self, Contact},
    content::{self, Content, Form},
    json::Object,
};
use crate::{
    domain::{
        contact_name::clean_name,
        identity::Address,
        inbound::Inbound,
        message::{CONTENT_LIMIT, MessageStatus, MessageType, shortened},
        message_action::{ActionKind, CONTACT, ME, MessageAction},
        profile::{Profile, Writer},
        time::Timestamp,
        whatsapp_error::WhatsAppError,
    },
    whatsapp::errors::GraphError,
};

/// The maximum length of a string in shortened content, in bytes.
const SHORT: usize = 1024;

/// The maximum depth of content. `serde_json` reads up to 127 levels.
const MAX_DEPTH: usize = 100;

/// A message that a linked device received, or that the business sent from the device.
#[derive(Debug)]
pub struct DeviceMessage<'a> {
    /// The message's JSON: `type`, the object that it names, `context`, and `referral`, as webhooks have them.
    pub json: &'a str,
    /// The device's ID of the message.
    pub id: String,
    /// When the message was sent.
    pub timestamp: Timestamp,
    /// Whether the business sent it.
    pub from_me: bool,
    /// The contact who wrote the message. In a group, they can be without addresses.
    pub sender: Option<Peer>,
    /// Whether the message is in a group.
    pub in_group: bool,
}

/// A message and its contact or group, or why the message is unusable.
pub(super) type ParsedMessage = Result<(Peer, Inbound), &'static str>;

/// Parses a message from a contact.
pub(super) fn from_contact(raw: &RawValue, contacts: &[Contact]) -> ParsedMessage {
    let message = Object::parse(raw).ok_or("the message isn't an object")?;
    let sender = contacts::addresses(&message, "from", ["from_user_id", "from_parent_user_id"]);
    let sender = contacts::peer(sender, contacts);
    if let Some(group_id) = message.string("group_id") {
        let group = Address::from_group_id(&group_id).ok_or("invalid group id")?;
        let sender = sender.or_else(|| contacts::only(contacts));
        let inbound = parse(raw, &message, &message, Direction::In { author: sender.as_ref() })?;
        let writer = sender.as_ref().and_then(writer);
        return Ok((group_peer(group), Inbound { writer, ..inbound }));
    }
    // A change of user ID has no sender. The message belongs to the contact with the former addresses, or else the new.
    let former = || contacts::peer(contact_update::former_addresses(&message)?, &[]);
    let sender = sender.or_else(former).or_else(|| system_contact(&message)).or_else(|| contacts::only(contacts));
    let sender = sender.ok_or("no usable sender")?;
    let inbound = parse(raw, &message, &message, Direction::In { author: None })?;
    Ok((sender.clone(), Inbound { writer: writer(&sender), ..inbound }))
}

pub(super) fn writer(sender: &Peer) -> Option<Writer> {
    Writer::new(&sender.addresses, sender.profile.username.as_deref(), sender.contact.as_deref())
}

fn group_peer(group: Address) -> Peer {
    Peer { addresses: vec![group], profile: Profile::default(), contact: None }
}

/// Returns the contact that a system message is about.
fn system_contact(message: &Object<'_>) -> Option<Peer> {
    contacts::peer(contacts::addresses(&message.object("system")?, "wa_id", ["user_id", "parent_user_id"]), &[])
}

/// Parses a message that the business sent in another way (Meta, *smb_message_echoes webhook reference*). In `standby`,
/// the field `message` has the body of the send request.
pub(super) fn echo(raw: &RawValue, contacts: &[Contact]) -> ParsedMessage {
    let echo = Object::parse(raw).ok_or("the echo isn't an object")?;
    let request = echo.object("message");
    let message = request.as_ref().unwrap_or(&echo);
    let recipient = match (message.string("to"), message.string("recipient_type").as_deref()) {
        (Some(group_id), Some("group")) => Address::from_group_id(&group_id).map(group_peer),
        _ => {
            let to = contacts::addresses(message, "to", ["to_user_id", "to_parent_user_id"]);
            contacts::peer(contacts::union(to, [contacts::addresses(message, "", ["recipient", ""])]), contacts)
        }
    };
    let recipient = recipient.ok_or("no usable recipient")?;
    let inbound = parse(raw, &echo, message, Direction::Out(MessageStatus::Sent))?;
    Ok((recipient, inbound))
}

/// Parses a message from before the number was connected, in either direction.
pub(super) fn history(raw: &RawValue, thread: &Object<'_>, display_number: Option<&str>) -> ParsedMessage {
    let message = Object::parse(raw).ok_or("the message isn't an object")?;
    let context = thread.object("context").unwrap_or_default();
    let mut addresses = contacts::addresses(&context, "wa_id", ["user_id", "parent_user_id"]);
    if addresses.is_empty() {
        addresses = contacts::addresses(thread, "id", ["id", ""]);
    }
    let mut contact = contacts::peer(addresses, &[]).ok_or("no usable contact")?;
    contact.profile.username = context.string("username").as_deref().and_then(clean_name);
    let from = message.string("from").map(|from| from.trim_start_matches('+').to_owned());
    // A message with a recipient is from the business. Without one, the sender's number decides.
    let from_me = message.raw("to").is_some() || (from.is_some() && from.as_deref() == display_number);
    let direction = if from_me {
        let status = message.object("history_context").and_then(|context| context.string("status"));
        Direction::Out(history_status(status.as_deref()))
    } else {
        Direction::In { author: None }
    };
    let inbound = parse(raw, &message, &message, direction)?;
    let writer = writer(&contact).filter(|_| !from_me);
    Ok((contact, Inbound { writer, ..inbound }))
}

/// Parses a status of the history webhook. A message that was pending in the phone may have been sent since.
fn history_status(status: Option<&str>) -> MessageStatus {
    match status {
        Some("DELIVERED") => MessageStatus::Delivered,
        Some("READ") => MessageStatus::Read,
        Some("PLAYED") => MessageStatus::Played,
        Some("ERROR") => MessageStatus::Undelivered,
        Some("PENDING") => MessageStatus::Unknown,
        _ => MessageStatus::Sent,
    }
}

/// The direction of a message.
enum Direction<'a> {
    /// From the contact, or from the author of a group's message.
    In {
        author: Option<&'a Peer>,
    },
    Out(MessageStatus),
}

/// Parses a message whose ID and time are in `head`, and whose type and content are in `message`. Only a standby echo
/// has two objects.
fn parse(
    raw: &RawValue,
    head: &Object<'_>,
    message: &Object<'_>,
    direction: Direction<'_>,
) -> Result<Inbound, &'static str> {
    let wamid = head.wamid("id")?;
    let timestamp = head.timestamp()?;
    Ok(inbound(raw, (wamid, timestamp), message, Form::Webhook, direction))
}

/// Parses a message that a linked device received or that the business sent from it.
///
/// # Errors
///
/// If the message isn't JSON, or why it is unusable.
pub fn from_device(message: DeviceMessage<'_>) -> Result<Inbound, &'static str> {
    let DeviceMessage { json, id, timestamp, from_me, sender, in_group } = message;
    let raw: &RawValue = serde_json::from_str(json).map_err(|_| "the message isn't JSON")?;
    let message = Object::parse(raw).ok_or("the message isn't an object")?;
    let author = sender.as_ref().filter(|_| in_group);
    let direction = match from_me {
        true => Direction::Out(MessageStatus::Sent),
        false => Direction::In { author },
    };
    let inbound = inbound(raw, (id, timestamp), &message, Form::Device, direction);
    Ok(Inbound { writer: sender.as_ref().and_then(writer).filter(|_| !from_me), ..inbound })
}

fn inbound(
    raw: &RawValue,
    (wamid, timestamp): (String, Timestamp),
    message: &Object<'_>,
    form: Form,
    direction: Direction<'_>,
) -> Inbound {
    let content = content::parse(message, form);
    let (from_me, author, status) = match direction {
        Direction::In { author } => (false, author, MessageStatus::Received),
        Direction::Out(status) => (true, None, status),
    };
    let has_referral = message.object("referral").is_some();
    Inbound {
        opens_window: !from_me && content.kind != MessageType::System,
        has_referral: !from_me && has_referral,
        index: 0,
        is_redated: false,
        call: None,
        action: action(message, form, &content).map(|(target, kind)| {
            let (by, also_by) = if from_me { (ME.to_owned(), Vec::new()) } else { actor(author) };
            MessageAction { target, wamid: wamid.clone(), at: timestamp, from_me, by, also_by, kind }
        }),
        ours: message.string("biz_opaque_callback_data").and_then(|data| data.parse().ok()).filter(|_| from_me),
        content: content_json(message, &content, author),
        kind: content.kind,
        body: content.body,
        raw: raw.get().to_owned(),
        writer: None,
        wamid,
        has_wamid: true,
        timestamp,
        from_me,
        status,
    }
}

/// Returns the content as the Cloud API's JSON, or `None` if the body is all of it.
fn content_json(message: &Object<'_>, content: &Content, author: Option<&Peer>) -> Option<String> {
    let mut fields = content.fields.clone();
    for key in ["context", "referral"] {
        if let Some(object @ Value::Object(_)) = message.value(key) {
            fields.insert(key.to_owned(), object);
        }
    }
    // The quoted message's ID is `message_id` in a send request, which an echo contains, and `id` in a webhook.
    if let Some(Value::Object(context)) = fields.get_mut("context")
        && let Some(id) = context.remove("message_id")
    {
        context.insert("id".to_owned(), id);
    }
    let errors = GraphError::parse_list(message.raw("errors"));
    if !errors.is_empty() {
        let errors: Vec<WhatsAppError> = errors.iter().map(WhatsAppError::from).collect();
        fields.insert("errors".to_owned(), json!(errors));
    }
    if let Some(author) = author {
        fields.insert("author".to_owned(), author_json(author));
    }
    if fields.is_empty() {
        return None;
    }
    fields.insert("type".to_owned(), json!(content.kind));
    limited(fields)
}

/// Returns content as JSON that can be stored and read again. Shortens its strings if it is too long. If that isn't
/// enough, or if it is too deep, leaves out the object of the type and keeps the rest.
pub(super) fn limited(fields: Map<String, Value>) -> Option<String> {
    let fits = |content: &Value| {
        let text = content.to_string();
        (text.len() <= CONTENT_LIMIT && depth(content) <= MAX_DEPTH).then_some(text)
    };
    let mut content = Value::Object(fields);
    if let Some(text) = fits(&content) {
        return Some(text);
    }
    shorten(&mut content);
    if let Some(text) = fits(&content) {
        return Some(text);
    }
    if let Value::Object(fields) = &mut content {
        fields.retain(|name, _| matches!(name.as_str(), "type" | "context" | "referral" | "author" | "errors"));
    }
    fits(&content)
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn shorten(value: &mut Value) {
    match value {
        Value::String(text) => *text = shortened(std::mem::take(text), SHORT),
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(members) => members.values_mut().for_each(shorten),
        _ => {}
    }
}

/// Returns the author of a group message.
fn author_json(author: &Peer) -> Value {
    let Profile { name, username } = &author.profile;
    let mut json = json!({"name": name.as_ref().or(username.as_ref())});
    if let Some(username) = username {
        json["username"] = json!(username);
    }
    for address in &author.addresses {
        match address {
            Address::Phone(digits) => json["phone"] = json!(digits),
            Address::Bsuid(id) if !address.is_parent() => json["user_id"] = json!(id),
            Address::Lid(_) => json["lid"] = json!(address.remote_id()),
            Address::Bsuid(_) | Address::Group(_) => {}
        }
    }
    json
}

/// Returns the identities of the author of an action: the first one, and the others.
fn actor(author: Option<&Peer>) -> (String, Vec<String>) {
    let addresses = author.map(|author| author.addresses.as_slice()).unwrap_or_default();
    let mut identities = addresses.iter().map(|address| address.identity().to_string());
    let by = identities.next().unwrap_or_else(|| CONTACT.to_owned());
    (by, identities.collect())
}

/// Returns the target and the kind of the action that a message is.
fn action(message: &Object<'_>, form: Form, content: &Content) -> Option<(String, ActionKind)> {
    let target = content.target.clone()?;
    let kind = match content.kind {
        MessageType::Reaction => ActionKind::React(content.body.clone()),
        MessageType::Revoke => ActionKind::Revoke,
        MessageType::Edit => {
            let (edited, new) = content::edited(message, form)?;
            ActionKind::Edit { content: content_json(&edited, &new, None), body: new.body }
        }
        _ => return None,
    };
    Some((target, kind))
}
