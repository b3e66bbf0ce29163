//! The parser: walks entries and changes, and collects their updates.

use serde_json::value::RawValue;

use super::{
    ContactUpdate, ReceivedMessage, Update, call, contact_update, contacts,
    json::Object,
    message::{self, ParsedMessage},
    saved_name,
    status::{self, ParsedStatus},
};
use crate::domain::{
    message::{Source, shortened},
    number::is_phone_number_id,
    webhook_event::{WebhookEvent, is_shared_by_account},
};

/// The maximum number of updates of a body. WhatsApp sends up to 1,000 (Meta, *Webhooks overview*, batching), but one
/// update of the history can contain thousands of messages.
const MAX_UPDATES: usize = 20_000;

/// The maximum number of events of a body: twice the updates that WhatsApp sends. Each is a separate write.
const MAX_EVENTS: usize = 2000;

/// The maximum length of a field's name, in bytes. Meta's have up to about 40.
const FIELD_LIMIT: usize = 100;

/// Why an update has no number.
const NO_NUMBER: &str = "missing or invalid phone_number_id";

/// Reads a contact update from an entry of a list.
type ReadContactUpdate = fn(&Object<'_>) -> Option<ContactUpdate>;

/// The updates so far, and the fields of the current entry and change.
#[derive(Default)]
pub(super) struct Parser {
    updates: Vec<Update>,
    /// The number of events among the updates.
    events: usize,
    /// Whether the body has more updates than the maximum.
    is_truncated: bool,
    waba_id: Option<String>,
    time: Option<String>,
    phone_number_id: Option<String>,
    /// The business number's digits.
    display_number: Option<String>,
    field: String,
}

impl Parser {
    /// Returns the updates of a webhook. Invalid JSON structures become events. If there are too many updates, the last
    /// one is an event with the whole webhook.
    pub(super) fn parse(mut self, webhook: &RawValue) -> Vec<Update> {
        match Object::parse(webhook).and_then(|webhook| webhook.array("entry")) {
            Some(entries) => entries.into_iter().for_each(|entry| self.entry(entry)),
            None => self.invalid("webhook", "missing entry array", webhook),
        }
        if self.is_truncated {
            let (field, raw) = ("webhook".to_owned(), webhook.get().to_owned());
            let reason = Some("too many updates: the first ones are stored");
            self.updates.push(Update::Event(WebhookEvent { field, reason, raw, ..WebhookEvent::default() }));
        }
        self.updates
    }

    /// Adds an update, unless there are too many.
    fn push(&mut self, update: Update) {
        let is_event = matches!(update, Update::Event(_));
        if self.updates.len() >= MAX_UPDATES || (is_event && self.events >= MAX_EVENTS) {
            self.is_truncated = true;
            return;
        }
        self.events += usize::from(is_event);
        self.updates.push(update);
    }

    fn entry(&mut self, raw: &RawValue) {
        if self.is_truncated {
            return;
        }
        let entry = Object::parse(raw).unwrap_or_default();
        (self.waba_id, self.time, self.phone_number_id) = (entry.meta_id("id"), entry.string("time"), None);
        match entry.array("changes") {
            Some(changes) => changes.into_iter().for_each(|change| self.change(change)),
            None => self.invalid("entry", "missing changes array", raw),
        }
    }

    fn change(&mut self, raw: &RawValue) {
        if self.is_truncated {
            return;
        }
        self.phone_number_id = None;
        let change = Object::parse(raw).unwrap_or_default();
        let Some(value) = change.object("value") else {
            return self.invalid("change", "missing field or value", raw);
        };
        // Messages have the number in `metadata`, handovers in `recipient`.
        let metadata = value.object("metadata").or_else(|| value.object("recipient")).unwrap_or_default();
        self.phone_number_id = metadata.meta_id("phone_number_id");
        let digits = |number: String| number.chars().filter(char::is_ascii_digit).collect();
        self.display_number = metadata.string("display_phone_number").map(digits);
        self.field = match change.string("field") {
            Some(field) => shortened(field, FIELD_LIMIT),
            None if ["messages", "statuses"].iter().any(|key| value.raw(key).is_some()) => "messages".to_owned(),
            None => return self.invalid("change", "missing field or value", raw),
        };
        let is_parsed = match self.field.as_str() {
            "messages" => self.conversation(&value, None),
            "smb_message_echoes" | "message_echoes" => self.conversation(&value, Some(Source::Echo)),
            "standby" => value.object("standby").is_some_and(|value| self.conversation(&value, Some(Source::Standby))),
            "history" => self.history(&value),
            "calls" => self.calls(&value),
            field => {
                let contact_updates: Option<(&str, ReadContactUpdate)> = match field {
                    "user_id_update" => Some(("user_id_update", contact_update::from_user_id_update)),
                    "smb_app_state_sync" => Some(("state_sync", saved_name::from_state_sync)),
                    "group_lifecycle_update" | "group_settings_update" => Some(("groups", saved_name::from_group)),
                    "user_preferences" => {
                        let contacts = contacts::parse(value.raw("contacts"));
                        let entries = value.array("user_preferences").unwrap_or_default();
                        let parse = |raw| contact_update::from_user_preference(&Object::parse(raw)?, &contacts);
                        entries.into_iter().filter_map(parse).for_each(|update| self.contact(Some(update), None));
                        None
                    }
                    _ => None,
                };
                if let Some((key, parse)) = contact_updates {
                    let entries = value.array(key).unwrap_or_default();
                    let parse = |raw| parse(&Object::parse(raw)?);
                    entries.into_iter().filter_map(parse).for_each(|update| self.contact(Some(update), None));
                }
                self.account_event(&value, raw);
                true
            }
        };
        if !is_parsed {
            self.event(Some("no known content"), raw, None);
        }
    }

    /// Parses messages, statuses, and other fields of a change. Returns `false` if there are none.
    fn conversation(&mut self, value: &Object<'_>, source: Option<Source>) -> bool {
        let contacts = contacts::of_change(value);
        let mut is_parsed = false;
        for key in value.keys() {
            let Some(list) = value.array(key) else {
                let is_null = value.raw(key).is_some_and(|raw| raw.get() == "null");
                if !is_null && !matches!(key, "messaging_product" | "metadata" | "contacts") {
                    self.other_field(key, value);
                    is_parsed = true;
                }
                continue;
            };
            match key {
                "messages" => list.iter().for_each(|raw| {
                    self.message(message::from_contact(raw, &contacts), source, raw);
                    let update = |message| contact_update::from_message(&message, &contacts);
                    self.contact(Object::parse(raw).and_then(update), Some(raw));
                }),
                "message_echoes" => {
                    let source = source.or(Some(Source::Echo));
                    list.iter().for_each(|raw| self.message(message::echo(raw, &contacts), source, raw));
                }
                "statuses" => list.iter().for_each(|raw| {
                    self.status(raw);
                    let update = |status| contact_update::from_status(&status, &contacts);
                    self.contact(Object::parse(raw).and_then(update), None);
                }),
                "contacts" => continue,
                _ => self.other_field(key, value),
            }
            is_parsed = true;
        }
        is_parsed
    }

    /// Parses calls. Their statuses and other fields become events. Returns `false` if there is nothing.
    fn calls(&mut self, value: &Object<'_>) -> bool {
        let contacts = contacts::parse(value.raw("contacts"));
        let mut is_parsed = false;
        for key in value.keys().filter(|key| !matches!(*key, "messaging_product" | "metadata" | "contacts")) {
            match (key, value.array(key)) {
                ("calls", Some(calls)) => {
                    for raw in calls {
                        match call::parse(raw, &contacts, self.display_number.as_deref()) {
                            Some(parsed) => self.message(parsed, None, raw),
                            None => self.event(None, raw, None),
                        }
                    }
                }
                _ if value.raw(key).is_some_and(|raw| raw.get() == "null") => continue,
                _ => self.other_field(key, value),
            }
            is_parsed = true;
        }
        is_parsed
    }

    /// Parses chats from before the number was connected (Meta, *history webhook reference*).
    fn history(&mut self, value: &Object<'_>) -> bool {
        let Some(chunks) = value.array("history") else {
            // The media messages whose placeholders were in earlier chunks.
            return self.conversation(value, Some(Source::History));
        };
        for raw in chunks {
            let chunk = Object::parse(raw).unwrap_or_default();
            let Some(threads) = chunk.array("threads") else {
                self.event(None, raw, None);
                continue;
            };
            for raw in threads {
                let thread = Object::parse(raw).unwrap_or_default();
                match thread.array("messages") {
                    Some(messages) => messages.iter().for_each(|raw| {
                        let parsed = message::history(raw, &thread, self.display_number.as_deref());
                        self.message(parsed, Some(Source::History), raw);
                    }),
                    None => self.event(Some("missing messages array"), raw, None),
                }
            }
        }
        true
    }

    fn message(&mut self, parsed: ParsedMessage, source: Option<Source>, raw: &RawValue) {
        let wamid = || Object::parse(raw).and_then(|message| message.wamid("id").ok());
        match (parsed, self.phone_number_id.clone()) {
            (Ok((peer, message)), Some(phone_number_id)) => {
                let waba_id = self.waba_id.clone();
                let received = ReceivedMessage { phone_number_id, waba_id, peer, source, message };
                self.push(Update::Message(Box::new(received)));
            }
            (Ok(_), None) => self.event(Some(NO_NUMBER), raw, wamid()),
            (Err(reason), _) => self.event(Some(reason), raw, wamid()),
        }
    }

    fn status(&mut self, raw: &RawValue) {
        let number = self.phone_number_id.as_deref().ok_or(NO_NUMBER);
        match number.and_then(|number| status::parse(number, raw)) {
            Ok(ParsedStatus::Delivery(update, key)) => self.push(Update::Status(update, key)),
            Ok(ParsedStatus::Payment(update)) => {
                self.named_event("payment", raw, Some(update.wamid.clone()));
                self.push(Update::Payment(update));
            }
            Err(reason) => {
                let wamid = Object::parse(raw).and_then(|status| status.wamid("id").ok());
                self.event(Some(reason), raw, wamid);
            }
        }
    }

    /// Adds what a message or another value reveals about a contact.
    fn contact(&mut self, update: Option<ContactUpdate>, message: Option<&RawValue>) {
        if let Some((update, phone_number_id)) = update.zip(self.phone_number_id.clone()) {
            let wamid = message.and_then(Object::parse).and_then(|message| message.wamid("id").ok());
            self.push(Update::Contact { phone_number_id, wamid, update });
        }
    }

    /// Adds an event for a field beside the messages, such as `errors` and `user_actions`.
    fn other_field(&mut self, key: &str, value: &Object<'_>) {
        let Some(raw) = value.raw(key) else { return };
        match key {
            "errors" => {
                let outer = std::mem::replace(&mut self.field, key.to_owned());
                self.event(None, raw, None);
                self.field = outer;
            }
            _ => self.named_event(key, raw, None),
        }
    }

    /// Adds an event whose field is the change's field and `name`, such as `messages.user_actions`.
    fn named_event(&mut self, name: &str, raw: &RawValue, wamid: Option<String>) {
        let field = format!("{}.{name}", self.field);
        let outer = std::mem::replace(&mut self.field, shortened(field, FIELD_LIMIT));
        self.event(None, raw, wamid);
        self.field = outer;
    }

    /// Adds an event of a field without messages. It can name the number that it concerns in several places.
    fn account_event(&mut self, value: &Object<'_>, raw: &RawValue) {
        let digits = |number: String| number.chars().filter(char::is_ascii_digit).collect::<String>();
        let alerted = value.string("entity_type").is_some_and(|kind| kind == "PHONE_NUMBER");
        let settings = value.object("phone_number_settings");
        let phone_number_id = value
            .string("phone_number_id")
            .or_else(|| settings.and_then(|settings| settings.string("phone_number_id")))
            .or_else(|| value.string("entity_id").filter(|_| alerted))
            .filter(|id| is_phone_number_id(id));
        self.phone_number_id = self.phone_number_id.take().or(phone_number_id);
        let named = value.string("display_phone_number").or_else(|| value.string("phone_number"));
        let is_shared = is_shared_by_account(&self.field, value.keys());
        let event = WebhookEvent { display_phone_number: named.map(digits), is_shared, ..self.new_event(raw) };
        self.push(Update::Event(event));
    }

    fn invalid(&mut self, field: &str, reason: &'static str, raw: &RawValue) {
        field.clone_into(&mut self.field);
        self.event(Some(reason), raw, None);
    }

    fn event(&mut self, reason: Option<&'static str>, raw: &RawValue, wamid: Option<String>) {
        self.push(Update::Event(WebhookEvent { reason, wamid, ..self.new_event(raw) }));
    }

    fn new_event(&self, raw: &RawValue) -> WebhookEvent {
        WebhookEvent {
            field: self.field.clone(),
            raw: raw.get().to_owned(),
            phone_number_id: self.phone_number_id.clone(),
            waba_id: self.waba_id.clone(),
            time: self.time.clone(),
            ..WebhookEvent::default()
        }
    }
}
