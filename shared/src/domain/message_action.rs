//! What later messages and receipts do to a message: reactions, edits, deletions, and the receipts of a group's
//! participants. They come twice and in any order, so each says by its own time whether it still counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    domain::message::{MessageStatus, Receipt},
    domain::time::Timestamp,
    domain::whatsapp_error::WhatsAppError,
};

/// The most ids that are remembered of one second, to know a webhook that comes again.
const MAX_IDS: usize = 20;

/// One message that acts on another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageAction {
    /// The message that it acts on, by WhatsApp's id.
    pub target: String,
    /// The message that brings it, by WhatsApp's id.
    pub wamid: String,
    /// When, by WhatsApp's clock.
    pub at: Timestamp,
    /// Whether the business did it.
    pub from_me: bool,
    /// Who did it: `me`, `contact`, or the identity of a group's participant.
    pub by: String,
    /// What it does.
    pub act: ActionKind,
}

/// What a message does to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Reacts; `None` takes the reaction back.
    React(Option<String>),
    /// Replaces its text or caption.
    Edit {
        /// The new text or caption.
        body: Option<String>,
        /// The new content; see [`crate::domain::message::Message::content`].
        content: Option<String>,
    },
    /// Deletes it for everyone.
    Revoke,
}

/// A receipt of one participant of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantReceipt {
    /// The participant, by phone number, else by user id.
    pub participant: String,
    /// What happened.
    pub receipt: Receipt,
    /// When, by WhatsApp's clock.
    pub at: Timestamp,
    /// Why it failed.
    pub errors: Vec<WhatsAppError>,
}

/// Everything that was done to a message, as its row keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotations {
    /// How often this was written: the condition of the next write.
    #[serde(default)]
    pub version: u64,
    /// The last reaction of each who reacted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reactions: BTreeMap<String, Reaction>,
    /// The last edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<Edited>,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// How far a message to a group is with each participant.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub participants: BTreeMap<String, Participant>,
}

/// The last reaction of one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// `None` when it was taken back, which is kept so that an older reaction does not come back.
    #[serde(default)]
    pub emoji: Option<String>,
    /// When.
    pub at: Timestamp,
    /// The messages of this second that brought one.
    pub ids: Vec<String>,
}

/// The last edit of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edited {
    /// When.
    pub at: Timestamp,
    /// The messages of this second that brought one.
    pub ids: Vec<String>,
    /// The text or caption before the first edit.
    #[serde(default)]
    pub original_body: Option<String>,
    /// The content before the first edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_content: Option<String>,
}

/// How far a message is with one participant.
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
    /// The furthest status that was reached.
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
    /// Takes an effect in, given the message's text and content as they are. Whether it changes anything: not when it is
    /// known already, or a later one of its kind is.
    pub fn take(&mut self, action: &MessageAction, body: Option<&str>, content: Option<&str>) -> bool {
        match &action.act {
            ActionKind::React(emoji) => {
                let known = self.reactions.get(&action.by).map(|known| (known.at, known.ids.as_slice()));
                let Some(ids) = newer(known, action) else { return false };
                let reaction = Reaction { emoji: emoji.clone(), at: action.at, ids };
                self.reactions.insert(action.by.clone(), reaction);
            }
            ActionKind::Edit { .. } => {
                let known = self.edit.as_ref().map(|known| (known.at, known.ids.as_slice()));
                let Some(ids) = newer(known, action) else { return false };
                let (original_body, original_content) = match self.edit.take() {
                    Some(before) => (before.original_body, before.original_content),
                    None => (body.map(str::to_owned), content.map(str::to_owned)),
                };
                self.edit = Some(Edited { at: action.at, ids, original_body, original_content });
            }
            ActionKind::Revoke if self.revoked_at.is_some_and(|known| known <= action.at) => return false,
            ActionKind::Revoke => self.revoked_at = Some(action.at),
        }
        true
    }

    /// Takes a participant's receipt in. Whether it says anything new.
    pub fn take_receipt(&mut self, receipt: &ParticipantReceipt) -> bool {
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

/// The content after an edit: what the edit does not name, such as the picture under a new caption, stays.
pub fn merged_content(before: Option<&str>, new: Option<&str>) -> Option<String> {
    let read = |text: &str| serde_json::from_str::<Map<String, Value>>(text).ok();
    let Some(new) = new.and_then(read) else { return before.map(str::to_owned) };
    let mut merged = before.and_then(read).unwrap_or_default();
    for (name, value) in new {
        match (merged.get_mut(&name), value) {
            (Some(Value::Object(known)), Value::Object(value)) => known.extend(value),
            (_, value) => drop(merged.insert(name, value)),
        }
    }
    Some(Value::Object(merged).to_string())
}

/// The ids to remember when `effect` is newer than what is `known`; `None` when it is older, or the same. WhatsApp's times
/// are whole seconds: of two in one second, the one that comes later counts.
fn newer(known: Option<(Timestamp, &[String])>, action: &MessageAction) -> Option<Vec<String>> {
    let mut ids = match known {
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
