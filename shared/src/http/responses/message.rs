//! A message with all that became of it, as answers give it.

use serde::Serialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    domain::message::{Attempt, Message, MessageResponse, MessageStatus, MessageType, Source},
    domain::message_action::{Annotations, Edit, Participant},
    domain::time::Timestamp,
    domain::whatsapp_error::WhatsAppError,
    store::{MessageMetadata, StatusTimes},
};

/// A message as `GET /api/messages/{messageId}` and the lists of messages give it: `null` where unset.
#[derive(Debug, Serialize)]
pub struct MessageDetailResponse {
    #[serde(flatten)]
    row: MessageResponse,
    to: Option<String>,
    /// How it came to be here, where it was neither live nor sent through the API.
    source: Option<Source>,
    /// The Cloud API's object: `{"type": "image", "image": {…}}`.
    content: Option<Value>,
    /// Its JSON as it came, where it was not understood.
    raw: Option<Value>,
    /// What it answers or forwards: `{"id", "from", "forwarded", …}`.
    context: Option<Value>,
    /// The advertisement that it came from.
    referral: Option<Value>,
    /// Who wrote it in a group: `{"name", "phone", "user_id"}`.
    author: Option<Value>,
    /// Newest first.
    reactions: Vec<ReactionResponse>,
    edited_at: Option<Timestamp>,
    /// The text or caption before it was edited.
    original_body: Option<String>,
    revoked_at: Option<Timestamp>,
    valid_until: Option<Timestamp>,
    attempts: Vec<Attempt>,
    statuses: StatusTimes,
    /// Why it failed, or could not be received, as WhatsApp says it.
    errors: Vec<WhatsAppError>,
    pricing: Option<Box<RawValue>>,
    conversation: Option<Box<RawValue>>,
    /// How far a message to a group is with each participant.
    participants: Vec<ParticipantResponse>,
    /// When a webhook first brought it.
    received_at: Option<Timestamp>,
    /// How often it was delivered again.
    duplicates: u64,
}

#[derive(Debug, Serialize)]
struct ReactionResponse {
    by: String,
    emoji: String,
    at: Timestamp,
}

#[derive(Debug, Serialize)]
struct ParticipantResponse {
    participant: String,
    status: Option<MessageStatus>,
    #[serde(flatten)]
    times: Participant,
}

impl MessageDetailResponse {
    /// Fails when the row holds no JSON where it should.
    pub fn new(message: Message, metadata: MessageMetadata) -> Result<Self, serde_json::Error> {
        let row = message.response();
        let mut content: Map<String, Value> =
            message.content.as_deref().map(serde_json::from_str).transpose()?.unwrap_or_default();
        let inbound_errors = content.remove("errors").map(serde_json::from_value).transpose()?.unwrap_or_default();
        // A send keeps it as the Cloud API takes it, and as the caller wrote it.
        let context = match message.raw {
            Some(_) => content.remove("context"),
            None => content.get("context").map(|context| json!({"id": context["message_id"]})),
        };
        let is_unread = message.kind == MessageType::Unsupported;
        // One that is cut into parts is no JSON here.
        let raw = message.raw.as_deref().filter(|_| is_unread).and_then(|raw| serde_json::from_str(raw).ok());
        let (referral, author) = (content.remove("referral"), content.remove("author"));
        // The type alone says nothing that the row does not.
        let content = (content.len() > 1).then_some(Value::Object(content));
        let Annotations { reactions, edit, revoked_at, participants, .. } = metadata.annotations;
        let mut reactions: Vec<ReactionResponse> = reactions
            .into_iter()
            .filter_map(|(by, reaction)| Some(ReactionResponse { by, emoji: reaction.emoji?, at: reaction.at }))
            .collect();
        reactions.sort_by_key(|reaction| std::cmp::Reverse(reaction.at));
        let (edited_at, original_body) = match edit {
            Some(Edit { at, original_body, .. }) => (Some(at), original_body),
            None => (None, None),
        };
        let participant = |(participant, times): (String, Participant)| ParticipantResponse {
            participant,
            status: times.status(),
            times,
        };
        Ok(Self {
            row,
            to: message.to,
            source: message.source,
            content,
            raw,
            context,
            referral,
            author,
            reactions,
            edited_at,
            original_body,
            revoked_at,
            valid_until: message.valid_until,
            attempts: message.attempts,
            statuses: metadata.statuses,
            errors: if metadata.errors.is_empty() { inbound_errors } else { metadata.errors },
            pricing: metadata.pricing.map(RawValue::from_string).transpose()?,
            conversation: metadata.conversation.map(RawValue::from_string).transpose()?,
            participants: participants.into_iter().map(participant).collect(),
            received_at: metadata.received_at,
            duplicates: metadata.duplicates,
        })
    }
}
