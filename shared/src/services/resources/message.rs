//! Messages with their delivery history, as responses and webhooks contain them.

use serde::Serialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    domain::{
        message::{Attempt, Message, MessageResponse, MessageStatus, MessageType, Source},
        message_action::{Annotations, Edit, Participant, Payment},
        time::Timestamp,
        whatsapp_error::WhatsAppError,
    },
    services::media::{MediaLinks, MediaResponse},
    store::{MessageMetadata, StatusTimes},
};

/// A message as `GET /api/messages/{messageId}` and the lists of messages return it: `null` where unset.
#[derive(Debug, Serialize)]
pub struct MessageDetailResponse {
    #[serde(flatten)]
    row: MessageResponse,
    to: Option<String>,
    /// Where it comes from, if it was neither received live nor sent through the API.
    source: Option<Source>,
    /// The Cloud API's object: `{"type": "image", "image": {…}}`.
    content: Option<Value>,
    /// The file.
    media: Option<MediaResponse>,
    /// The JSON that WhatsApp sent, if it couldn't be parsed or was asked for.
    raw: Option<Box<RawValue>>,
    /// The message that it replies to or forwards: `{"id", "from", "forwarded", …}`.
    context: Option<Value>,
    /// The advertisement that the contact responded to.
    referral: Option<Value>,
    /// The author in a group: `{"name", "phone", "user_id"}`.
    author: Option<Value>,
    /// Newest first.
    reactions: Vec<ReactionResponse>,
    edited_at: Option<Timestamp>,
    /// The text or caption before the edit.
    original_body: Option<String>,
    revoked_at: Option<Timestamp>,
    valid_until: Option<Timestamp>,
    /// Why WhatsApp holds it back after accepting it.
    message_status: Option<String>,
    attempts: Vec<Attempt>,
    statuses: StatusTimes,
    /// WhatsApp's errors, if it failed or couldn't be received.
    errors: Vec<WhatsAppError>,
    pricing: Option<Box<RawValue>>,
    conversation: Option<Box<RawValue>>,
    /// The payment that the message asks for.
    payment: Option<PaymentResponse>,
    /// The status of a group message for each participant.
    participants: Vec<ParticipantResponse>,
    /// When a webhook first delivered it.
    received_at: Option<Timestamp>,
    /// The request that stored it.
    request_id: Option<String>,
    /// How often webhooks delivered it again.
    duplicates: u64,
}

#[derive(Debug, Serialize)]
struct ReactionResponse {
    by: String,
    emoji: String,
    at: Timestamp,
}

#[derive(Debug, Serialize)]
struct PaymentResponse {
    status: String,
    at: Timestamp,
    /// As WhatsApp sent it.
    details: Option<Box<RawValue>>,
}

#[derive(Debug, Serialize)]
struct ParticipantResponse {
    participant: String,
    status: Option<MessageStatus>,
    #[serde(flatten)]
    times: Participant,
}

impl MessageDetailResponse {
    /// Returns the message with the JSON as received.
    pub fn with_raw(self, raw: Option<Box<RawValue>>) -> Self {
        Self { raw, ..self }
    }

    /// Combines a message with its metadata. Fails if the table's item has invalid JSON.
    pub fn new(message: Message, metadata: MessageMetadata, links: &MediaLinks) -> Result<Self, serde_json::Error> {
        let (row, media) = (message.response(), links.of(&message));
        let mut content: Map<String, Value> =
            message.content.as_deref().map(serde_json::from_str).transpose()?.unwrap_or_default();
        let inbound_errors = content.remove("errors").map(serde_json::from_value).transpose()?.unwrap_or_default();
        // An outbound message stores `context` as the Cloud API accepts it.
        let context = match message.raw {
            Some(_) => content.remove("context"),
            None => content.get("context").map(|context| json!({"id": context["message_id"]})),
        };
        let is_unread = message.kind == MessageType::Unsupported;
        // Only the first part of a large message is here, which isn't JSON. Lists and webhooks leave out JSON with numbers
        // and depths that common parsers refuse.
        let raw = message.raw.clone().filter(|raw| is_unread && serde_json::from_str::<Value>(raw).is_ok());
        let raw = raw.map(RawValue::from_string).transpose()?;
        let (referral, author) = (content.remove("referral"), content.remove("author"));
        // An object with the type only adds nothing to the other fields.
        let content = (content.len() > 1).then_some(Value::Object(content));
        let Annotations { reactions, edit, revoked_at, participants, payment, .. } = metadata.annotations;
        let mut reactions: Vec<ReactionResponse> = reactions
            .into_iter()
            .filter_map(|(by, reaction)| Some(ReactionResponse { by, emoji: reaction.emoji?, at: reaction.at }))
            .collect();
        reactions.sort_by_key(|reaction| std::cmp::Reverse(reaction.at));
        let (edited_at, original_body) = match edit {
            Some(Edit { at, original_body, .. }) => (Some(at), original_body),
            None => (None, None),
        };
        let payment = payment.map(|Payment { status, at, details }| {
            Ok(PaymentResponse { status, at, details: details.map(RawValue::from_string).transpose()? })
        });
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
            media,
            raw,
            context,
            referral,
            author,
            reactions,
            edited_at,
            original_body,
            revoked_at,
            valid_until: message.valid_until,
            message_status: message.message_status,
            attempts: message.attempts,
            statuses: metadata.statuses,
            errors: if metadata.errors.is_empty() { inbound_errors } else { metadata.errors },
            pricing: metadata.pricing.map(RawValue::from_string).transpose()?,
            conversation: metadata.conversation.map(RawValue::from_string).transpose()?,
            payment: payment.transpose()?,
            participants: participants.into_iter().map(participant).collect(),
            received_at: message.received_at,
            request_id: message.request_id,
            duplicates: metadata.duplicates,
        })
    }
}
