//! Sending: from a caller's request to a pending message that `deliver` will post.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    chat::{Chat, ChatRow},
    http::{ApiError, JsonObject, read_session_id},
    id::{MessageId, SessionId},
    identity::{Address, Identity},
    message::{Message, MessageRow, MessageStatus, MessageType, TEXT_LIMIT},
    startup::System,
    store::{Outbound, Replay, SendContext, SendOutcome, Store},
};

/// How often a send is built anew because the table changed between reading and writing: each time another writer got
/// somewhere.
const ROUNDS: usize = 20;

/// A caller's request to send a message, read and found to be in order.
#[derive(Debug)]
pub struct SendRequest {
    session_id: SessionId,
    /// As the caller gave it; the chat's name until the contact's own is known.
    to: String,
    address: Address,
    text: String,
    idempotency_key: Option<String>,
}

#[derive(Serialize)]
struct SendAnswer {
    success: bool,
    chat: ChatRow,
    message: MessageRow,
}

impl SendRequest {
    /// Reads `{"sessionId", "to", "message"}`, or `{"sessionId", "to", "type": "text", "text": {"body"}}` in the Cloud
    /// API's own shape.
    pub fn read(body: &JsonObject, idempotency_key: Option<&str>) -> Result<Self, ApiError> {
        let session_id = body.string("sessionId")?;
        let to = body.string("to")?;
        let typed = typed_text(body)?;
        let text = body.string("message")?.or(typed.as_deref());
        let (Some(session_id), Some(to), Some(text)) = (filled(session_id), filled(to), filled(text)) else {
            return Err(ApiError::bad_request("missing_field", "sessionId, to, and message are required"));
        };
        let session_id = read_session_id(session_id)?;
        let address = Address::parse(to).ok_or_else(|| {
            let hint = "give a phone number with its country code, a business-scoped user id or a jid";
            ApiError::bad_request("invalid_recipient", format!("to is not a WhatsApp address: {hint}"))
        })?;
        let length = text.chars().count();
        if length > TEXT_LIMIT {
            let message = format!("message has {length} characters: WhatsApp takes up to {TEXT_LIMIT}");
            return Err(ApiError::bad_request("text_too_long", message));
        }
        let idempotency_key = idempotency_key.map(read_idempotency_key).transpose()?;
        Ok(Self { session_id, to: to.trim().to_owned(), address, text: text.to_owned(), idempotency_key })
    }

    /// What makes two requests the same. The address counts as it was written, as a caller who repeats a request repeats
    /// its bytes.
    fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for part in [self.to.as_str(), self.text.as_str()] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn filled(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}

fn typed_text(body: &JsonObject) -> Result<Option<String>, ApiError> {
    match body.string("type")? {
        None => Ok(None),
        Some("text") => match body.object("text")? {
            Some(text) => Ok(text.string("body")?.map(str::to_owned)),
            None => Ok(None),
        },
        Some(_) => Err(ApiError::bad_request("invalid_field", "type must be text")),
    }
}

fn read_idempotency_key(key: &str) -> Result<String, ApiError> {
    if (1..=255).contains(&key.len()) {
        return Ok(key.to_owned());
    }
    Err(ApiError::bad_request("invalid_header", "Idempotency-Key must have 1 to 255 characters"))
}

/// Stores the message and its chat, and gives the answer as JSON text: the same text for the same idempotency key.
pub async fn send(store: &Store, system: System, request: SendRequest) -> Result<String, ApiError> {
    let identity = request.address.identity();
    let hash = request.hash();
    for _ in 0..ROUNDS {
        let key = request.idempotency_key.as_deref();
        let context = store.send_context(request.session_id, &identity, key).await?;
        if let Some(replay) = &context.replay {
            return repeated(replay, &hash);
        }
        let (message, chat, is_new_chat) = build(system, &request, &context)?;
        let answer = SendAnswer { success: true, chat: chat.row(), message: message.row() };
        let answer = serde_json::to_string(&answer).map_err(|error| ApiError::internal(&error))?;
        let idempotency = key.map(|key| (key, Replay::new(hash.clone(), answer.clone(), message.timestamp)));
        let bind: Option<&Identity> = (!context.is_bound).then_some(&identity);
        let outbound = Outbound { message: &message, chat: &chat, is_new_chat, bind, idempotency };
        match store.store_outbound(&outbound).await? {
            SendOutcome::Stored => return Ok(answer),
            SendOutcome::Replayed(replay) => return repeated(&replay, &hash),
            SendOutcome::Changed => {}
        }
    }
    Err(crate::store::StoreError::Contention { operation: "sending a message" }.into())
}

fn repeated(replay: &Replay, hash: &str) -> Result<String, ApiError> {
    if replay.request_hash == hash {
        return Ok(replay.response.clone());
    }
    let message = "This Idempotency-Key was used with another body: use a new key for a new message";
    Err(ApiError::conflict("idempotency_key_reused", message))
}

fn build(system: System, request: &SendRequest, context: &SendContext) -> Result<(Message, Chat, bool), ApiError> {
    let Some(session) = &context.session else {
        return Err(ApiError::session_not_found());
    };
    let Some(phone_number_id) = session.phone_number_id.as_ref().filter(|_| session.was_paired()) else {
        let message = "Session is not connected: scan the QR code of GET /api/qr with WhatsApp and send its text";
        return Err(ApiError::conflict("session_not_connected", message));
    };
    let now = (system.now)();
    let is_new_chat = context.chat.is_none();
    let chat = context
        .chat
        .clone()
        .unwrap_or_else(|| Chat::new(context.chat_id, session.id, &request.address, request.to.clone(), now));
    let to = match &request.address {
        Address::Phone(digits) => chat.wa_id.as_ref().unwrap_or(digits).clone(),
        Address::Bsuid(id) => id.clone(),
        Address::Group(_) => request.address.remote_id(),
    };
    let message = Message {
        id: MessageId::from_uuid((system.ordered)()),
        chat_id: chat.id,
        session_id: session.id,
        phone_number_id: phone_number_id.clone(),
        kind: MessageType::Text,
        body: Some(request.text.clone()),
        from_me: true,
        status: MessageStatus::Pending,
        wamid: None,
        error: None,
        to: Some(to),
        timestamp: now,
        raw: None,
    };
    let chat = chat.after_send(&message);
    Ok((message, chat, is_new_chat))
}
