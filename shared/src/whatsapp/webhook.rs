//! Reading webhooks (Meta: "Webhooks overview", "messages webhook reference").
//!
//! A body holds up to 1,000 updates in several entries and changes. Each is read on its own from its own piece of raw
//! JSON, so that one that is new, odd or broken is kept as it came and its neighbours never notice.

mod contact_update;
mod contacts;
mod content;
mod json;
mod message;
mod status;

use serde_json::value::RawValue;

use self::json::{Members, without_lone_surrogates};
use crate::{
    domain::identity::Address, domain::inbound::Inbound, domain::message::Source, domain::message_key::MessageKey,
    domain::status_update::StatusUpdate, domain::webhook_event::WebhookEvent,
};

pub use contact_update::ContactUpdate;

/// One thing that a webhook tells.
#[derive(Debug)]
pub enum Update {
    /// A message: a customer's, or one that the business sent by other means than the API.
    Message(Box<Received>),
    /// Something became of a message that went out; with the key of its row where it is one of ours.
    Status(Box<StatusUpdate>, Option<MessageKey>),
    /// Something about how a person is reached, told to a business number.
    Person {
        /// The number.
        phone_number_id: String,
        /// What was told.
        told: ContactUpdate,
    },
    /// Anything else, to be kept as it came.
    Event(WebhookEvent),
}

/// A message and the conversation that it belongs to.
#[derive(Debug)]
pub struct Received {
    /// The business number that it came to, or was sent from.
    pub phone_number_id: String,
    /// The account that the number belongs to.
    pub waba_id: Option<String>,
    /// The customer, or the group.
    pub sender: Sender,
    /// How it came, where it was not live.
    pub source: Option<Source>,
    /// The message.
    pub message: Inbound,
}

/// The customer, or the group, that a message is exchanged with.
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

/// Reads a body into what it tells, in its order.
pub fn updates(body: &[u8]) -> Result<Vec<Update>, NotJson> {
    let body = without_lone_surrogates(body);
    let whole: &RawValue = serde_json::from_slice(&body).map_err(NotJson)?;
    let mut reader = Reader::default();
    match Members::read(whole).and_then(|envelope| envelope.list("entry")) {
        Some(entries) => entries.into_iter().for_each(|entry| reader.entry(entry)),
        None => reader.unreadable("webhook", "no list of entries", whole),
    }
    Ok(reader.updates)
}

/// What has been read, and where the reader stands.
#[derive(Default)]
struct Reader {
    updates: Vec<Update>,
    waba_id: Option<String>,
    time: Option<String>,
    number: Option<String>,
    /// The business number itself, digits only.
    display_number: Option<String>,
    field: String,
}

impl Reader {
    fn entry(&mut self, raw: &RawValue) {
        let entry = Members::read(raw).unwrap_or_default();
        (self.waba_id, self.time, self.number) = (entry.text("id"), entry.text("time"), None);
        match entry.list("changes") {
            Some(changes) => changes.into_iter().for_each(|change| self.change(change)),
            None => self.unreadable("entry", "no list of changes", raw),
        }
    }

    fn change(&mut self, raw: &RawValue) {
        self.number = None;
        let change = Members::read(raw).unwrap_or_default();
        let Some(value) = change.members("value") else {
            return self.unreadable("change", "no field and value", raw);
        };
        // For messages the number is in `metadata`; a handover has it in `recipient`.
        let metadata = value.members("metadata").or_else(|| value.members("recipient")).unwrap_or_default();
        self.number = metadata.text("phone_number_id").filter(|number| number.len() <= 128);
        let digits = |number: String| number.chars().filter(char::is_ascii_digit).collect();
        self.display_number = metadata.text("display_phone_number").map(digits);
        self.field = match change.text("field") {
            Some(field) => field,
            None if ["messages", "statuses"].iter().any(|list| value.raw(list).is_some()) => "messages".to_owned(),
            None => return self.unreadable("change", "no field and value", raw),
        };
        let is_read = match self.field.as_str() {
            "messages" => self.conversation(&value, None),
            "smb_message_echoes" | "message_echoes" => self.conversation(&value, Some(Source::Echo)),
            "standby" => value.members("standby").is_some_and(|value| self.conversation(&value, Some(Source::Standby))),
            "history" => self.history(&value),
            field => {
                if field == "user_id_update" {
                    let updates = value.list("user_id_update").unwrap_or_default();
                    let told = updates.into_iter().filter_map(|raw| contact_update::by_update(&Members::read(raw)?));
                    told.for_each(|told| self.person(Some(told)));
                }
                self.event(None, raw, None);
                true
            }
        };
        if !is_read {
            self.event(Some("nothing in it that is known"), raw, None);
        }
    }

    /// Messages, statuses and errors. `false` when there is nothing of the kind.
    fn conversation(&mut self, value: &Members<'_>, source: Option<Source>) -> bool {
        let people = contacts::read(value.raw("contacts"));
        let mut found = false;
        for name in value.names() {
            let Some(list) = value.list(name) else {
                let is_null = value.raw(name).is_some_and(|raw| raw.get() == "null");
                if !is_null && !matches!(name, "messaging_product" | "metadata" | "contacts") {
                    self.member(name, value);
                    found = true;
                }
                continue;
            };
            match name {
                "messages" => list.iter().for_each(|raw| {
                    self.message(message::inbound(raw, &people), source, raw);
                    self.person(Members::read(raw).and_then(|message| contact_update::by_message(&message, &people)));
                }),
                "message_echoes" => {
                    let source = source.or(Some(Source::Echo));
                    list.iter().for_each(|raw| self.message(message::echo(raw, &people), source, raw));
                }
                "statuses" => list.iter().for_each(|raw| {
                    self.status(raw);
                    self.person(Members::read(raw).and_then(|status| contact_update::by_status(&status, &people)));
                }),
                "contacts" => continue,
                _ => self.member(name, value),
            }
            found = true;
        }
        found
    }

    /// Chats from before the number was connected (Meta: "history webhook reference").
    fn history(&mut self, value: &Members<'_>) -> bool {
        let Some(chunks) = value.list("history") else {
            // What the placeholders of earlier chunks stand for.
            return self.conversation(value, Some(Source::History));
        };
        for raw in chunks {
            let chunk = Members::read(raw).unwrap_or_default();
            let Some(threads) = chunk.list("threads") else {
                self.event(None, raw, None);
                continue;
            };
            for raw in threads {
                let thread = Members::read(raw).unwrap_or_default();
                match thread.list("messages") {
                    Some(messages) => messages.iter().for_each(|raw| {
                        let read = message::past(raw, &thread, self.display_number.as_deref());
                        self.message(read, Some(Source::History), raw);
                    }),
                    None => self.event(Some("a thread without messages"), raw, None),
                }
            }
        }
        true
    }

    fn message(&mut self, read: Result<(Sender, Inbound), &'static str>, source: Option<Source>, raw: &RawValue) {
        let wamid = || Members::read(raw).and_then(|message| message.wamid("id").ok());
        match (read, self.number.clone()) {
            (Ok((sender, message)), Some(phone_number_id)) => {
                let waba_id = self.waba_id.clone();
                let received = Received { phone_number_id, waba_id, sender, source, message };
                self.updates.push(Update::Message(Box::new(received)));
            }
            (Ok(_), None) => self.event(Some("no phone number id"), raw, wamid()),
            (Err(reason), _) => self.event(Some(reason), raw, wamid()),
        }
    }

    fn status(&mut self, raw: &RawValue) {
        let read = self.number.as_deref().ok_or("no phone number id").and_then(|number| status::read(number, raw));
        match read {
            Ok((update, key)) => self.updates.push(Update::Status(Box::new(update), key)),
            Err(reason) => {
                let wamid = Members::read(raw).and_then(|status| status.wamid("id").ok());
                self.event(Some(reason), raw, wamid);
            }
        }
    }

    fn person(&mut self, told: Option<ContactUpdate>) {
        let told = told.zip(self.number.clone());
        self.updates.extend(told.map(|(told, phone_number_id)| Update::Person { phone_number_id, told }));
    }

    /// A member beside the messages that is kept by itself: `errors`, `user_actions`, …
    fn member(&mut self, name: &str, value: &Members<'_>) {
        let Some(raw) = value.raw(name) else { return };
        let field = if name == "errors" { name.to_owned() } else { format!("{}.{name}", self.field) };
        let outer = std::mem::replace(&mut self.field, field);
        self.event(None, raw, None);
        self.field = outer;
    }

    fn unreadable(&mut self, field: &str, reason: &'static str, raw: &RawValue) {
        field.clone_into(&mut self.field);
        self.event(Some(reason), raw, None);
    }

    fn event(&mut self, reason: Option<&'static str>, raw: &RawValue, wamid: Option<String>) {
        self.updates.push(Update::Event(WebhookEvent {
            field: self.field.clone(),
            reason,
            raw: raw.get().to_owned(),
            phone_number_id: self.number.clone(),
            waba_id: self.waba_id.clone(),
            time: self.time.clone(),
            wamid,
        }));
    }
}

#[cfg(test)]
mod tests;
