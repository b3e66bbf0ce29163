//! Converts customer messages of the control API to webhooks.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    phones::{self, Entry, MessageState, Origin, PhoneEvent, Phones},
    status::{ValueMembers, contact},
    users::{Address, User, Users},
    wamid::{self, Direction},
    webhook::BusinessNumber,
};

/// A message for `POST /simulator/messages`. All other members, such as `context`, `referral`, `errors`, and the object
/// named by `type`, are copied to the webhook unchanged.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InboundRequest {
    from: String,
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    id: Option<String>,
    timestamp: Option<Timestamp>,
    from_user_id: Option<String>,
    #[serde(flatten)]
    content: Map<String, Value>,
}

/// Unix seconds, as a number or as a string as in webhooks.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Timestamp {
    Integer(u32),
    Text(String),
}

/// A customer message.
#[derive(Debug)]
pub(super) struct InboundMessage {
    pub(super) id: String,
    pub(super) user: User,
    /// The phone number, if the user shares it with the business.
    shared_number: Option<String>,
    /// Time of the message in Unix seconds.
    at: i64,
    /// The message without its sender, which depends on the active faults.
    message: Map<String, Value>,
}

/// Parses a message to `business`. `now` is in Unix seconds.
///
/// # Errors
/// Returns a sentence that describes the problem.
pub(super) fn parse(
    request: Value,
    users: &Users,
    phones: &Phones,
    business: &BusinessNumber,
    now: i64,
) -> Result<InboundMessage, String> {
    let request: InboundRequest =
        serde_json::from_value(request).map_err(|error| format!("The message is invalid: {error}"))?;
    let (sender, is_by_number) = sender(&request, users)?;
    let settings = phones.settings_of(&sender);
    settings.check_reachable()?;
    let shared_number = sender.wa_id.clone().filter(|_| is_by_number && settings.shares_number);
    let mut message = request.content;
    complete_context(&mut message, phones, business, shared_number.as_deref());
    let kind = match (request.kind, message.get("text")) {
        (Some(kind), _) => kind,
        (None, Some(_)) => "text".to_owned(),
        (None, None) => return Err("Either text, or type and its object, is required".to_owned()),
    };
    if kind == "text" {
        let text = match message.remove("text") {
            Some(Value::String(body)) => json!({"body": body}),
            Some(text @ Value::Object(_)) => text,
            _ => return Err("text must be a string, or an object with a body".to_owned()),
        };
        message.insert("text".to_owned(), text);
    }
    let timestamp = match request.timestamp {
        None => now.to_string(),
        Some(Timestamp::Integer(seconds)) => seconds.to_string(),
        Some(Timestamp::Text(text)) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => text,
        Some(Timestamp::Text(_)) => return Err("timestamp must be in Unix seconds".to_owned()),
    };
    let id = request.id.unwrap_or_else(|| wamid::generate(sender.key(), Direction::Inbound));
    message.insert("id".to_owned(), json!(id));
    message.insert("timestamp".to_owned(), json!(timestamp));
    message.insert("type".to_owned(), json!(kind));
    Ok(InboundMessage { id, user: sender, shared_number, at: timestamp.parse().unwrap_or(now), message })
}

/// Returns the sender, and whether the request identifies them by phone number.
fn sender(request: &InboundRequest, users: &Users) -> Result<(User, bool), String> {
    let address = Address::parse(&request.from)
        .ok_or("from must be a phone number with its country code, or a business-scoped user ID")?;
    let mut user = users.get(&address);
    if let Some(user_id) = &request.from_user_id {
        let Some(Address::UserId(user_id)) = Address::user_id(user_id) else {
            return Err("fromUserId must be a business-scoped user ID, such as US.13491208655302741918".to_owned());
        };
        user.user_id = user_id;
    }
    if let Some(name) = &request.name {
        user.name = Some(name.clone());
    }
    Ok((user, matches!(address, Address::Phone(_))))
}

/// Adds the sender of a quoted message (Meta, *messages webhook reference*, context).
fn complete_context(
    message: &mut Map<String, Value>,
    phones: &Phones,
    business: &BusinessNumber,
    shared_number: Option<&str>,
) {
    let Some(context) = message.get_mut("context").and_then(Value::as_object_mut) else { return };
    let quoted = context.get("id").and_then(Value::as_str).and_then(|id| phones.find(id));
    let from = match quoted {
        Some((_, entry)) if entry.is_of_business() => Some(business.display_phone_number.as_str()),
        Some(_) => shared_number,
        None => None,
    };
    if let Some(from) = from {
        context.entry("from").or_insert(json!(from));
    }
}

impl InboundMessage {
    /// Returns the message as its phone shows it.
    pub(super) fn entry(&self, business: &BusinessNumber, state: MessageState) -> Entry {
        let kind = self.message.get("type").and_then(Value::as_str).unwrap_or_default();
        let content = phones::content(kind, &self.message);
        let number = business.phone_number_id.clone();
        Entry::new(self.id.clone(), number, Origin::Phone, kind.to_owned(), self.at, state, content)
    }
}

/// Returns the messages in the body of a webhook, which can be anything, with their senders. `now` is in Unix seconds.
pub(super) fn of_webhook(body: &str, users: &Users, now: i64) -> Vec<(User, PhoneEvent)> {
    let body: Value = super::json::parse(body.as_bytes()).unwrap_or_default();
    let items = |object: &Value, name: &str| object[name].as_array().cloned().unwrap_or_default();
    let changes = items(&body, "entry").into_iter().flat_map(|entry| items(&entry, "changes"));
    let messages = changes.flat_map(|change| {
        let number = change["value"]["metadata"]["phone_number_id"].as_str().unwrap_or_default().to_owned();
        items(&change["value"], "messages").into_iter().map(move |message| (number.clone(), message))
    });
    messages.filter_map(|(number, message)| of_webhook_message(number, &message, users, now)).collect()
}

fn of_webhook_message(number: String, message: &Value, users: &Users, now: i64) -> Option<(User, PhoneEvent)> {
    let address = |name: &str, parse: fn(&str) -> Option<Address>| message[name].as_str().and_then(parse);
    let (from, user_id) = (address("from", Address::phone), address("from_user_id", Address::user_id));
    let mut user = users.get(from.as_ref().or(user_id.as_ref())?);
    if let Some(Address::UserId(user_id)) = user_id {
        user.user_id = user_id;
    }
    let (id, kind) = (message["id"].as_str()?.to_owned(), message["type"].as_str()?);
    let at = message["timestamp"].as_str().and_then(|at| at.parse().ok()).filter(|at| *at >= 0).unwrap_or(now);
    let content = phones::content(kind, message.as_object()?);
    let entry = Entry::new(id, number, Origin::Phone, kind.to_owned(), at, MessageState::Delivered, content);
    let event = PhoneEvent::of(user.key(), entry);
    Some((user, event))
}

/// Returns the members of one webhook with all `messages`.
pub(super) fn content(messages: &[InboundMessage], bsuid_only: bool) -> ValueMembers {
    let wa_id = |inbound: &InboundMessage| inbound.shared_number.clone().filter(|_| !bsuid_only);
    let objects: Vec<Value> = messages
        .iter()
        .map(|inbound| {
            let mut message = inbound.message.clone();
            if let Some(wa_id) = wa_id(inbound) {
                message.insert("from".to_owned(), json!(wa_id));
            }
            message.insert("from_user_id".to_owned(), json!(inbound.user.user_id));
            Value::Object(message)
        })
        .collect();
    // System messages have no contact (Meta, *system messages webhook*).
    let contacts: Vec<Value> = messages
        .iter()
        .filter(|inbound| inbound.message.get("type") != Some(&json!("system")))
        .map(|inbound| contact(&inbound.user, wa_id(inbound).as_deref()))
        .collect();
    let mut content = vec![("messages", json!(objects))];
    if !contacts.is_empty() {
        content.push(("contacts", json!(contacts)));
    }
    content
}

#[cfg(test)]
mod tests;
