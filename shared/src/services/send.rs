//! Sends: turns a caller's request into a pending message, which `deliver` or a worker sends.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    domain::{
        chat::{Chat, ChatResponse},
        contact_name::clean_name,
        content::Content,
        id::{MessageId, SessionId},
        identity::Address,
        message::{Channel, Message, MessageResponse, MessageStatus, MessageType},
        message_key::MessageKey,
        retry::LIFETIME,
        session::Session,
        system::System,
        time::Timestamp,
    },
    store::{Outbound, Replay, SendContext, SendOutcome, Store, StoreError},
};

/// How long to retry while other writers change the chat. Shorter than the function's timeout, so that the caller
/// receives a response.
const RETRY_BUDGET: Duration = Duration::from_secs(6);

/// A caller's valid request to send a message.
#[derive(Debug)]
pub struct SendRequest {
    pub(crate) session_id: SessionId,
    /// The recipient as the caller wrote it. Names the chat until the contact's name is known.
    pub(crate) to: String,
    pub(crate) address: Address,
    pub(crate) content: Content,
    pub(crate) valid_until: Option<Timestamp>,
    pub(crate) idempotency_key: Option<String>,
}

#[derive(Serialize)]
struct SendResponse {
    success: bool,
    chat: ChatResponse,
    message: MessageResponse,
}

impl SendRequest {
    /// Returns the SHA-256 hash, in hexadecimal, by which two requests with the same idempotency key are compared. Uses
    /// the recipient as written, because a repeated request repeats its bytes.
    fn hash(&self) -> String {
        let mut hash = Sha256::new();
        let content = self.content.json.to_string();
        let valid_until = self.valid_until.map(|time| time.to_string()).unwrap_or_default();
        let reply_to = self.content.reply_to.as_deref().unwrap_or_default();
        for part in [self.to.as_str(), content.as_str(), reply_to, valid_until.as_str()] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        hex::encode(hash.finalize())
    }
}

/// A message was not stored.
#[derive(Debug, thiserror::Error)]
pub enum NotStored {
    /// A DynamoDB request failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The response could not be serialized as JSON.
    #[error(transparent)]
    Response(#[from] serde_json::Error),
    /// There is no such session.
    #[error("Session not found")]
    SessionNotFound,
    /// The session was never paired.
    #[error("Session is not connected: scan the QR code of GET /api/qr with WhatsApp and send its text")]
    SessionNotConnected,
    /// `validUntil` is in the past.
    #[error("`validUntil` must be in the future")]
    Expired,
    /// The customer service window is closed.
    #[error(
        "The contact's last message is over 24 hours old, so WhatsApp accepts templates only: \
         send a message of type template"
    )]
    OutsideServiceWindow,
    /// The message that `field` refers to isn't in the session.
    #[error("{field}.message_id doesn't refer to a message of this session")]
    UnknownMessage {
        /// `context`, `reaction`, or `pin`.
        field: &'static str,
    },
    /// WhatsApp has not accepted the message that `field` refers to.
    #[error("{field}.message_id refers to a message that WhatsApp has not accepted yet: try again later")]
    MessageNotAccepted {
        /// `context`, `reaction`, or `pin`.
        field: &'static str,
    },
    /// The idempotency key belongs to another request.
    #[error("This Idempotency-Key was used with another body: use a new key for a new message")]
    IdempotencyKeyReused,
}

/// Stores the message and its chat. Returns the response's JSON, which is the same text for the same idempotency key.
///
/// # Errors
///
/// [`NotStored`]. Returns [`StoreError::Contention`] if other writers change the chat for too long.
pub async fn send(store: &Store, system: System, request: SendRequest) -> Result<String, NotStored> {
    let identity = request.address.identity();
    let hash = request.hash();
    let started = system.now();
    for round in 0.. {
        if round > 0 {
            store.pause(round).await;
        }
        if system.now().since(started) > RETRY_BUDGET {
            break;
        }
        let key = request.idempotency_key.as_deref();
        let context = store.outbox().send_context(request.session_id, &identity, key).await?;
        if let Some(replay) = &context.replay {
            return replayed(replay, &hash);
        }
        let message = build(store, system, &request, &context).await?;
        let chat = chat_after(&request, &context, &message);
        let response = SendResponse { success: true, chat: chat.response(), message: message.response() };
        let response = serde_json::to_string(&response)?;
        let idempotency = key.map(|key| (key, Replay::new(hash.clone(), response.clone(), message.timestamp)));
        let outbound = Outbound {
            message: &message,
            chat: &chat,
            known: context.chat.as_ref(),
            alias_write: context.alias_write.as_ref(),
            saved_name: context.saved_name.as_ref(),
            idempotency,
        };
        match store.outbox().store(&outbound).await? {
            SendOutcome::Stored => return Ok(response),
            SendOutcome::Replayed(replay) => return replayed(&replay, &hash),
            SendOutcome::Changed => {}
        }
    }
    Err(StoreError::Contention { operation: "sending a message" }.into())
}

/// Returns the stored response if the request is the same.
fn replayed(replay: &Replay, hash: &str) -> Result<String, NotStored> {
    if replay.request_hash == hash {
        return Ok(replay.response.clone());
    }
    Err(NotStored::IdempotencyKeyReused)
}

/// Returns the message to store, based on the session and the chat as read from the table.
async fn build(
    store: &Store,
    system: System,
    request: &SendRequest,
    context: &SendContext,
) -> Result<Message, NotStored> {
    let session = context.session.as_ref().ok_or(NotStored::SessionNotFound)?;
    let phone_number_id = number_of(session)?;
    let now = system.now();
    if request.valid_until.is_some_and(|until| until <= now) {
        return Err(NotStored::Expired);
    }
    let chat = context.chat.as_ref();
    if let Some(until) = chat.and_then(Chat::window_until)
        && until <= now
        && session.channel == Channel::CloudApi
        && request.content.kind != MessageType::Template
        && !matches!(request.address, Address::Group(_))
    {
        return Err(NotStored::OutsideServiceWindow);
    }
    let (timestamp, previous) = chain_position(chat, now);
    let to = match &request.address {
        Address::Phone(given) | Address::Bsuid(given) => chat.and_then(Chat::destination).unwrap_or(given).to_owned(),
        Address::Group(_) => request.address.remote_id(),
    };
    Ok(Message {
        id: MessageId::from_uuid(system.ordered_uuid()),
        chat_id: context.chat_id,
        session_id: session.id,
        phone_number_id: phone_number_id.to_owned(),
        kind: request.content.kind,
        body: request.content.body.clone(),
        from_me: true,
        writer: None,
        status: MessageStatus::Pending,
        wamid: None,
        error: None,
        to: Some(to),
        timestamp,
        received_at: None,
        receive_index: 0,
        raw: None,
        content: Some(resolved(store, session, &request.content).await?.to_string()),
        valid_until: request.valid_until,
        channel: session.channel,
        source: None,
        previous,
        attempts: Vec::new(),
    })
}

fn number_of(session: &Session) -> Result<&str, NotStored> {
    session.phone_number_id.as_deref().ok_or(NotStored::SessionNotConnected)
}

/// Returns the timestamp and the predecessor of the chat's next outbound message. The timestamp is later than the
/// predecessor's, even if clocks differ. An old predecessor that can't be pending anymore is omitted.
pub(crate) fn chain_position(chat: Option<&Chat>, now: Timestamp) -> (Timestamp, Option<String>) {
    let last = chat.and_then(|chat| MessageKey::linked(chat.id, chat.last_outbound.as_deref()?));
    let Some(last) = last else { return (now, None) };
    let timestamp = now.max(last.time.after(Duration::from_millis(1)));
    let is_recent = now.since(last.time) < LIFETIME + Duration::from_secs(60 * 60);
    (timestamp, chat.filter(|_| is_recent).map(|chat| last.link_from(chat.id)))
}

/// Returns the content's JSON with message IDs replaced by wamids.
async fn resolved(store: &Store, session: &Session, content: &Content) -> Result<Value, NotStored> {
    let mut resolved = content.json.clone();
    if let Some(id) = &content.reply_to {
        resolved["context"] = json!({"message_id": wamid_of(store, session, id, "context").await?});
    }
    if let Some(member) = content.target_member()
        && let Some(id) = resolved[member]["message_id"].as_str().map(str::to_owned)
    {
        resolved[member]["message_id"] = json!(wamid_of(store, session, &id, member).await?);
    }
    Ok(resolved)
}

/// Returns the wamid of the message with this ID. Any other text is a wamid already.
async fn wamid_of(store: &Store, session: &Session, id: &str, field: &'static str) -> Result<String, NotStored> {
    let Ok(id) = id.parse::<MessageId>() else { return Ok(id.to_owned()) };
    let known = match store.messages().find_by_id(id).await? {
        Some(key) => store.outbox().get(&key).await?.map(|found| found.message),
        None => None,
    };
    let Some(message) = known.filter(|message| {
        message.session_id == session.id && Some(&message.phone_number_id) == session.phone_number_id.as_ref()
    }) else {
        return Err(NotStored::UnknownMessage { field });
    };
    message.wamid.ok_or(NotStored::MessageNotAccepted { field })
}

/// Returns the chat with the message as its last one.
fn chat_after(request: &SendRequest, context: &SendContext, message: &Message) -> Chat {
    let chat = context.chat.clone().unwrap_or_else(|| {
        let name = clean_name(&request.to).unwrap_or_else(|| request.address.display_name());
        let chat = Chat::new(context.chat_id, message.session_id, &request.address, name, message.timestamp);
        Chat { saved_name: context.saved_name.clone(), ..chat }
    });
    chat.after_send(message)
}
