//! A customer writes: from what a test asks for to the webhook that Meta would send.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    status::{Content, contact},
    users::{Address, People, Person},
    wamid::{self, Direction},
};

/// What `POST /simulator/messages` takes for one message. Every other member is copied into the
/// webhook as it is: the object that `type` names, `context`, `referral`, `errors`, …
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
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

/// Unix seconds, as a number or in the string form of the webhooks.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Timestamp {
    Number(u32),
    Text(String),
}

/// One message of a customer.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) id: String,
    pub(super) person: Person,
    /// When it was written, in Unix seconds.
    pub(super) at: i64,
    /// The message without the sender, which depends on the faults in force.
    message: Map<String, Value>,
}

/// Reads one message, or says in a sentence what is wrong with it. `now` is in Unix seconds.
pub(super) fn parse(request: Value, people: &People, now: i64) -> Result<Inbound, String> {
    let request: Request = serde_json::from_value(request).map_err(|error| format!("The message is wrong: {error}"))?;
    let sender = sender(&request, people)?;
    let mut message = request.content;
    let kind = match (request.kind, message.get("text")) {
        (Some(kind), _) => kind,
        (None, Some(_)) => "text".to_owned(),
        (None, None) => return Err("text, or type and its object, is required".to_owned()),
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
        Some(Timestamp::Number(seconds)) => seconds.to_string(),
        Some(Timestamp::Text(text)) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => text,
        Some(Timestamp::Text(_)) => return Err("timestamp must be in Unix seconds".to_owned()),
    };
    let id = request
        .id
        .unwrap_or_else(|| wamid::fresh(sender.wa_id.as_deref().unwrap_or(&sender.user_id), Direction::Inbound));
    message.insert("id".to_owned(), json!(id));
    message.insert("timestamp".to_owned(), json!(timestamp));
    message.insert("type".to_owned(), json!(kind));
    Ok(Inbound { id, person: sender, at: timestamp.parse().unwrap_or(now), message })
}

fn sender(request: &Request, people: &People) -> Result<Person, String> {
    let address = Address::phone(&request.from)
        .or_else(|| Address::user_id(&request.from))
        .ok_or("from must be a phone number with its country code, or a business-scoped user id")?;
    let mut person = people.get(&address);
    if address == Address::UserId(person.user_id.clone()) {
        // Who writes under a user id keeps the phone number private, known or not.
        person.wa_id = None;
    }
    if let Some(user_id) = &request.from_user_id {
        let Some(Address::UserId(user_id)) = Address::user_id(user_id) else {
            return Err("fromUserId must be a business-scoped user id, such as US.13491208655302741918".to_owned());
        };
        person.user_id = user_id;
    }
    if let Some(name) = &request.name {
        person.name = Some(name.clone());
    }
    Ok(person)
}

/// The members of one webhook that carries all of `messages`.
pub(super) fn content(messages: &[Inbound], bsuid_only: bool) -> Content {
    let wa_id = |inbound: &Inbound| inbound.person.wa_id.clone().filter(|_| !bsuid_only);
    let objects: Vec<Value> = messages
        .iter()
        .map(|inbound| {
            let mut message = inbound.message.clone();
            if let Some(wa_id) = wa_id(inbound) {
                message.insert("from".to_owned(), json!(wa_id));
            }
            message.insert("from_user_id".to_owned(), json!(inbound.person.user_id));
            Value::Object(message)
        })
        .collect();
    // A system message has no contact (Meta, "system messages webhook").
    let contacts: Vec<Value> = messages
        .iter()
        .filter(|inbound| inbound.message.get("type") != Some(&json!("system")))
        .map(|inbound| contact(&inbound.person, wa_id(inbound).as_deref()))
        .collect();
    let mut content = vec![("messages", json!(objects))];
    if !contacts.is_empty() {
        content.push(("contacts", json!(contacts)));
    }
    content
}

#[cfg(test)]
mod tests;
