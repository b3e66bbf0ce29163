//! Changes to a message by later messages and receipts: reactions, edits, deletions, and the receipts of a group's
//! participants. They arrive more than once and in any order, so their own times decide which one applies.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::{
    identity::Address,
    message::{CONTENT_LIMIT, Message, MessageStatus, MessageType, Receipt},
    time::Timestamp,
    whatsapp_error::WhatsAppError,
};

/// The number of message IDs stored for one second, to recognize a repeated webhook.
const MAX_IDS: usize = 20;

/// The value of [`MessageAction::by`] for the business.
pub const ME: &str = "me";

/// The value of [`MessageAction::by`] for the contact, and for a group's participant without an address.
pub const CONTACT: &str = "contact";

/// A message that changes another message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageAction {
    /// The wamid of the message to change.
    pub target: String,
    /// The wamid of the message that contains the action.
    pub wamid: String,
    /// The time of the action, by WhatsApp's clock.
    pub at: Timestamp,
    /// Whether the business performed the action.
    pub from_me: bool,
    /// The author: `me`, `contact`, or the identity of a group's participant.
    pub by: String,
    /// The participant's other identities, such as their LID.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_by: Vec<String>,
    /// The action.
    #[serde(rename = "act")]
    pub kind: ActionKind,
}

impl MessageAction {
    /// Returns whether the author has this identity.
    fn is_by(&self, identity: &str) -> bool {
        self.by == identity || self.also_by.iter().any(|other| other == identity)
    }
}

/// The kind of a message action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Sets the author's reaction. `None` removes it.
    React(Option<String>),
    /// Replaces the text or caption.
    Edit {
        /// The new text or caption.
        body: Option<String>,
        /// The new content. See [`Message::content`](crate::domain::message::Message::content).
        content: Option<String>,
    },
    /// Deletes the message for everyone.
    Revoke,
}

/// A receipt for one participant of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantReceipt {
    /// The participant's phone number, or the user ID if the number is unknown.
    pub participant: String,
    /// The reported status.
    pub receipt: Receipt,
    /// The time of the receipt, by WhatsApp's clock.
    pub at: Timestamp,
    /// The errors of a failed delivery.
    pub errors: Vec<WhatsAppError>,
}

/// The changes to a message, as its item stores them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotations {
    /// The number of writes, used for optimistic locking.
    #[serde(default)]
    pub version: u64,
    /// The last reaction of each author.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reactions: BTreeMap<String, Reaction>,
    /// The last edit, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<Edit>,
    /// When the message was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// The delivery status of a group message per participant.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub participants: BTreeMap<String, Participant>,
    /// The payment of the order that the message asks to pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<Payment>,
}

/// The last status of a payment, as stored and as shown in API responses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// WhatsApp's status, such as `pending`, `captured`, or `failed`.
    pub status: String,
    /// The time of the status, by WhatsApp's clock.
    pub at: Timestamp,
    /// WhatsApp's `payment` object as JSON text: `{"reference_id": …}`.
    #[serde(default)]
    pub details: Option<String>,
}

impl Payment {
    /// Returns the key that decides which of two statuses is the last one. WhatsApp's times are whole seconds, and a
    /// payment in progress is pending first.
    fn order(&self) -> (Timestamp, bool, &str, Option<&str>) {
        let is_settled = !matches!(self.status.as_str(), "new" | "pending");
        (self.at, is_settled, &self.status, self.details.as_deref())
    }
}

/// The last reaction of one author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// The emoji. `None` if the reaction was removed, which is stored so that an older reaction doesn't reappear.
    #[serde(default)]
    pub emoji: Option<String>,
    /// The time of the reaction, by WhatsApp's clock.
    pub at: Timestamp,
    /// The wamids of the author's reactions in the same second.
    pub ids: Vec<String>,
    /// The author's other identities. See [`MessageAction::also_by`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_by: Vec<String>,
}

/// The last edit of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The time of the edit, by WhatsApp's clock.
    pub at: Timestamp,
    /// The wamids of the edits in the same second.
    pub ids: Vec<String>,
    /// The text or caption before the first edit.
    #[serde(default)]
    pub original_body: Option<String>,
    /// The content before the first edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_content: Option<String>,
}

/// The delivery status of a message for one participant: the time of each receipt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Participant {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub played_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<WhatsAppError>,
}

impl Participant {
    /// Returns the furthest status that was reached.
    pub fn status(&self) -> Option<MessageStatus> {
        let reached = [
            (self.played_at, Receipt::Played),
            (self.read_at, Receipt::Read),
            (self.delivered_at, Receipt::Delivered),
            (self.failed_at, Receipt::Failed),
            (self.sent_at, Receipt::Sent),
        ];
        reached.into_iter().find(|(at, _)| at.is_some()).map(|(_, receipt)| receipt.status())
    }
}

impl Annotations {
    /// Applies `action` to a message whose current text and content are `body` and `content`. Returns whether anything
    /// changed: an action that was applied before, or that is older than the last one of its kind, changes nothing.
    pub fn apply(&mut self, action: &MessageAction, body: Option<&str>, content: Option<&str>) -> bool {
        match &action.kind {
            ActionKind::React(emoji) => return self.react(action, emoji.clone()),
            ActionKind::Edit { .. } => {
                let last = self.edit.as_ref().map(|last| (last.at, last.ids.as_slice()));
                let Some(ids) = ids_if_newer(last, action) else { return false };
                let (original_body, original_content) = match self.edit.take() {
                    Some(before) => (before.original_body, before.original_content),
                    None => (body.map(str::to_owned), content.map(str::to_owned)),
                };
                self.edit = Some(Edit { at: action.at, ids, original_body, original_content });
            }
            ActionKind::Revoke if self.revoked_at.is_some_and(|revoked_at| revoked_at <= action.at) => return false,
            ActionKind::Revoke => self.revoked_at = Some(action.at),
        }
        true
    }

    /// Sets the author's reaction. An author has one reaction, under whichever of their identities they react.
    fn react(&mut self, action: &MessageAction, emoji: Option<String>) -> bool {
        let is_authors = |(by, reaction): &(&String, &Reaction)| {
            action.is_by(by) || reaction.also_by.iter().any(|other| action.is_by(other))
        };
        let keys: Vec<String> = self.reactions.iter().filter(is_authors).map(|(by, _)| by.clone()).collect();
        let last = keys.iter().filter_map(|by| self.reactions.get(by)).max_by_key(|last| last.at);
        let Some(ids) = ids_if_newer(last.map(|last| (last.at, last.ids.as_slice())), action) else { return false };
        let mut identities: BTreeSet<String> = action.also_by.iter().chain([&action.by]).cloned().collect();
        for by in keys {
            identities.extend(self.reactions.remove(&by).into_iter().flat_map(|reaction| reaction.also_by));
            identities.insert(by);
        }
        // A phone number says more than a LID.
        let phone = identities.iter().find(|identity| identity.starts_with("phone:"));
        let by = phone.unwrap_or(&action.by).clone();
        identities.remove(&by);
        self.reactions.insert(by, Reaction { emoji, at: action.at, ids, also_by: identities.into_iter().collect() });
        true
    }

    /// Removes the author's reaction with this wamid, if it is their last one, because WhatsApp could not deliver it.
    /// Returns whether anything changed.
    pub fn withdraw_reaction(&mut self, by: &str, wamid: &str) -> bool {
        let Some(reaction) = self.reactions.get_mut(by) else { return false };
        if reaction.ids.last().is_none_or(|last| last != wamid) {
            return false;
        }
        // Without its ID, the reaction applies again if WhatsApp delivers it after all.
        reaction.ids.pop();
        reaction.emoji = None;
        true
    }

    /// Adds the annotations of a copy of `message`, with the text and content that an edit gave the copy. Returns whether
    /// anything changed. Adding them again changes nothing.
    pub fn add_from_copy(&mut self, message: &mut Message, copy: &Message, annotations: &Self) -> bool {
        let before = (self.clone(), message.body.clone(), message.content.clone());
        for (by, reaction) in &annotations.reactions {
            if self.reactions.get(by).is_none_or(|own| own.at < reaction.at) {
                self.reactions.insert(by.clone(), reaction.clone());
            }
        }
        let last = self.edit.as_ref().map(|edit| edit.at);
        if let Some(edit) = annotations.edit.as_ref().filter(|edit| last.is_none_or(|last| last < edit.at)) {
            let (original_body, original_content) = match self.edit.take() {
                Some(before) => (before.original_body, before.original_content),
                None => (message.body.clone(), message.content.clone()),
            };
            self.edit = Some(Edit { at: edit.at, ids: edit.ids.clone(), original_body, original_content });
            message.content = merged_content(message.content.as_deref(), copy.content.as_deref());
            message.body.clone_from(&copy.body);
        }
        self.revoked_at = self.revoked_at.into_iter().chain(annotations.revoked_at).min();
        before != (self.clone(), message.body.clone(), message.content.clone())
    }

    /// Applies a status of a payment. Returns whether anything changed. The last status counts, whatever the order of
    /// arrival.
    pub fn apply_payment(&mut self, payment: &Payment) -> bool {
        if self.payment.as_ref().is_some_and(|last| last.order() >= payment.order()) {
            return false;
        }
        self.payment = Some(payment.clone());
        true
    }

    /// Applies a participant's receipt. Returns whether anything changed.
    pub fn apply_receipt(&mut self, receipt: &ParticipantReceipt) -> bool {
        let participant = self.participants.entry(receipt.participant.clone()).or_default();
        let time = match receipt.receipt {
            Receipt::Sent => &mut participant.sent_at,
            Receipt::Delivered => &mut participant.delivered_at,
            Receipt::Read => &mut participant.read_at,
            Receipt::Played => &mut participant.played_at,
            Receipt::Failed => &mut participant.failed_at,
        };
        if time.is_some() {
            return false;
        }
        *time = Some(receipt.at);
        participant.errors.extend(receipt.errors.iter().cloned());
        true
    }
}

impl Message {
    /// Returns whether the author of an action may perform it on this message. The caller checks that both are in one
    /// chat.
    pub fn allows(&self, action: &MessageAction) -> bool {
        match action.kind {
            ActionKind::React(_) => true,
            // An administrator of a group can delete a member's message.
            ActionKind::Revoke => self.from_me == action.from_me,
            ActionKind::Edit { .. } => self.from_me == action.from_me && (self.from_me || self.is_by_author_of(action)),
        }
    }

    /// Returns whether the author of an action wrote this message, as far as a group tells them apart.
    fn is_by_author_of(&self, action: &MessageAction) -> bool {
        let content = self.content.as_deref().and_then(|content| serde_json::from_str::<Value>(content).ok());
        let author = content.as_ref().and_then(|content| content.get("author"));
        let member = |name: &str| author.and_then(|author| author.get(name)).and_then(Value::as_str);
        let authors = [
            member("phone").and_then(Address::from_wa_id),
            member("user_id").and_then(Address::from_user_id),
            member("lid").and_then(Address::from_lid),
        ];
        let mut authors = authors.into_iter().flatten().map(|author| author.identity().to_string()).peekable();
        match authors.peek() {
            None => action.by == CONTACT,
            Some(_) => authors.any(|author| action.is_by(&author)),
        }
    }

    /// Returns the reaction to another message that this message is, if it was sent through the API and WhatsApp, or a
    /// worker's device, has given it an ID. Its time is the message's own, which follows the order of the chat.
    pub fn own_reaction(&self) -> Option<MessageAction> {
        if !self.from_me || self.kind != MessageType::Reaction || self.raw.is_some() {
            return None;
        }
        let content: Value = serde_json::from_str(self.content.as_deref()?).ok()?;
        Some(MessageAction {
            target: content["reaction"]["message_id"].as_str()?.to_owned(),
            wamid: self.wamid.clone()?,
            at: self.timestamp,
            from_me: true,
            by: ME.to_owned(),
            also_by: Vec::new(),
            kind: ActionKind::React(self.body.clone()),
        })
    }
}

/// Returns the content after an edit. Members that the edit doesn't contain, such as the image of a new caption,
/// remain. The content stays as it is if it would become too large.
pub fn merged_content(before: Option<&str>, new: Option<&str>) -> Option<String> {
    let read = |text: &str| serde_json::from_str::<Map<String, Value>>(text).ok();
    let Some(new) = new.and_then(read) else { return before.map(str::to_owned) };
    let mut merged = before.and_then(read).unwrap_or_default();
    for (name, value) in new {
        match (merged.get_mut(&name), value) {
            (Some(Value::Object(current)), Value::Object(value)) => current.extend(value),
            (_, value) => drop(merged.insert(name, value)),
        }
    }
    let merged = Value::Object(merged).to_string();
    if merged.len() > CONTENT_LIMIT { before.map(str::to_owned) } else { Some(merged) }
}

/// Returns the IDs to store if `action` is newer than the `last` one, or `None` if it is older or was applied before.
/// WhatsApp's times are whole seconds: of two actions in one second, the one that arrives later applies.
fn ids_if_newer(last: Option<(Timestamp, &[String])>, action: &MessageAction) -> Option<Vec<String>> {
    let mut ids = match last {
        Some((at, _)) if action.at < at => return None,
        Some((at, ids)) if action.at == at => {
            if ids.contains(&action.wamid) {
                return None;
            }
            ids.to_vec()
        }
        _ => Vec::new(),
    };
    ids.push(action.wamid.clone());
    ids.drain(..ids.len().saturating_sub(MAX_IDS));
    Some(ids)
}

#[cfg(test)]
mod tests;
