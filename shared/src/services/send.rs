//! Sends: turns a caller's request into a pending message, which `deliver` or a worker sends.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    domain::{
        chat::{Chat, ChatResponse},
        content::Content,
        id::{ChatId, MAX_ID_BYTES, MessageId, SessionId},
        identity::{Address, AddressError, Recipient},
        media_state::MessageMedia,
        message::{
            Category, Channel, Message, MessageResponse, MessageStatus, MessageType, Priority, Reference, readable_text,
        },
        message_action::Annotations,
        message_key::MessageKey,
        message_target::{Referral, TargetError},
        retry::LIFETIME,
        session::Session,
        system::System,
        time::Timestamp,
    },
    services::media::{self, MediaError, MediaLinks},
    store::{Outbound, Replay, SendContext, SendOutcome, Store, StoreError},
};

/// How long to retry while other writers change the chat. Shorter than the function's timeout, so that the caller
/// receives a response.
const RETRY_BUDGET: Duration = Duration::from_secs(6);

/// The error of a marketing message whose contact opted out while it was pending.
pub(crate) const WITHHELD: &str = "The contact opted out of marketing messages before this one was sent";

/// A caller's valid request to send a message.
#[derive(Debug)]
pub struct SendRequest {
    pub(crate) session_id: SessionId,
    /// The recipient as the caller wrote it. Names the chat until the contact's name is known.
    pub(crate) to: String,
    pub(crate) recipient: Recipient,
    pub(crate) content: Content,
    pub(crate) valid_until: Option<Timestamp>,
    pub(crate) reference: Option<Reference>,
    pub(crate) category: Option<Category>,
    pub(crate) priority: Priority,
    pub(crate) idempotency_key: Option<String>,
}

#[derive(Serialize)]
struct SendResponse {
    success: bool,
    chat: ChatResponse,
    message: MessageResponse,
}

impl NotStored {
    fn target(field: &'static str, reason: TargetError) -> Self {
        match reason {
            TargetError::OtherChat | TargetError::NotShown | TargetError::TooOld => {
                Self::InvalidTarget { field, reason }
            }
            TargetError::NotAccepted => Self::MessageNotAccepted { field, reason },
            TargetError::NeverSent | TargetError::NeverConfirmed | TargetError::NotDelivered => {
                Self::MessageFailed { field, reason }
            }
            TargetError::Deleted => Self::MessageDeleted { field, reason },
        }
    }
}

impl SendRequest {
    /// Returns the SHA-256 hash, in hexadecimal, by which two requests with the same idempotency key are compared. Uses
    /// the recipient as written, because a repeated request repeats its bytes.
    pub(crate) fn hash(&self) -> String {
        let mut hash = Sha256::new();
        let content = self.content.json.to_string();
        let valid_until = self.valid_until.map(|time| time.to_string()).unwrap_or_default();
        let reply_to = self.content.reply_to.as_deref().unwrap_or_default();
        // An absent part is empty, which no present one is.
        let reference = self.reference.as_ref().map(Reference::as_str).unwrap_or_default();
        let category = self.category.map(Category::as_str).unwrap_or_default();
        let parts = [self.to.as_str(), content.as_str(), reply_to, valid_until.as_str(), reference, category];
        // The default is no part, so that its requests keep their hash.
        let priority = Some(self.priority.as_str()).filter(|_| self.priority != Priority::default());
        for part in parts.into_iter().chain(priority) {
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
    /// `to` isn't the address of a contact or group.
    #[error("to {0}")]
    Recipient(AddressError),
    /// The session sends through the Cloud API, which knows neither LIDs nor the phone number behind this one.
    #[error(
        "to is a LID, which only linked devices can send to, and the contact's phone number is not known yet: \
         give the phone number"
    )]
    LidOverCloudApi,
    /// `validUntil` is in the past.
    #[error("`validUntil` must be in the future")]
    Expired,
    /// The contact refuses marketing messages.
    #[error(
        "The contact opted out of marketing messages: send it only after they opt in again, which the chat's consent shows"
    )]
    MarketingConsentDenied,
    /// The customer service window is closed.
    #[error(
        "The contact's last message or call is over 24 hours old, so WhatsApp accepts templates only: \
         send a message of type template"
    )]
    OutsideServiceWindow,
    /// The message that `field` refers to isn't in the session.
    #[error("{field}.message_id doesn't refer to a message of this session")]
    UnknownMessage {
        /// `context`, `reaction`, or `pin`.
        field: &'static str,
    },
    /// A message can't refer to the message that `field` names.
    #[error("{field}.message_id refers to {reason}")]
    InvalidTarget {
        /// `context`, `reaction`, or `pin`.
        field: &'static str,
        /// Why it can't.
        reason: TargetError,
    },
    /// WhatsApp has not accepted the message that `field` refers to.
    #[error("{field}.message_id refers to {reason}")]
    MessageNotAccepted {
        /// `context`, `reaction`, or `pin`.
        field: &'static str,
        /// [`TargetError::NotAccepted`].
        reason: TargetError,
    },
    /// The message that `field` refers to failed.
    #[error("{field}.message_id refers to {reason}")]
    MessageFailed {
        /// `context`, `reaction`, or `pin`.
        field: &'static str,
        /// How it failed.
        reason: TargetError,
    },
    /// The message that `field` refers to was deleted.
    #[error("{field}.message_id refers to {reason}")]
    MessageDeleted {
        /// `context`, `reaction`, or `pin`.
        field: &'static str,
        /// [`TargetError::Deleted`].
        reason: TargetError,
    },
    /// The file can't be sent.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The idempotency key belongs to another request.
    #[error("This Idempotency-Key was used with another body: use a new key for a new message")]
    IdempotencyKeyReused,
}

/// Stores the message, with the `request_id`, and its chat. Returns the response's JSON, which is the same text for the same idempotency key.
///
/// # Errors
///
/// [`NotStored`]. Returns [`StoreError::Contention`] if other writers change the chat for too long.
pub async fn send(
    store: &Store,
    links: &MediaLinks,
    system: System,
    request: SendRequest,
    request_id: &str,
) -> Result<String, NotStored> {
    let mut address = match request.recipient.address(None) {
        Ok(address) => address,
        Err(_) => address_in_session(store, &request).await?,
    };
    let hash = request.hash();
    let started = system.now();
    let mut round = 0;
    loop {
        if round > 0 {
            store.pause(round).await;
        }
        if system.now().since(started) > RETRY_BUDGET {
            break;
        }
        let key = request.idempotency_key.as_deref();
        let context = store.outbox().send_context(request.session_id, &address.identity(), key).await?;
        if let Some(replay) = &context.replay {
            return replayed(replay, &hash);
        }
        if let Some(session) = &context.session {
            // The session's default country gives some digits another meaning. Then the context is another chat's.
            let meant = request.recipient.address(session.default_country).map_err(NotStored::Recipient)?;
            if meant != address {
                address = meant;
                continue;
            }
        }
        let message = build(store, links, system, (&request, &address), &context).await?;
        let message = Message { request_id: Some(request_id.to_owned()), ..message };
        let chat = chat_after((&request, &address), &context, &message);
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
            is_paused: context.session.as_ref().is_some_and(|session| session.paused_reason.is_some()),
        };
        match store.outbox().store(&outbound).await? {
            SendOutcome::Stored => return Ok(response),
            SendOutcome::Replayed(replay) => return replayed(&replay, &hash),
            SendOutcome::Changed => round += 1,
        }
    }
    Err(StoreError::Contention { operation: "sending a message" }.into())
}

/// Returns the address that a phone number without a country code means in the session.
async fn address_in_session(store: &Store, request: &SendRequest) -> Result<Address, NotStored> {
    let session = store.sessions().get(request.session_id).await?.ok_or(NotStored::SessionNotFound)?;
    request.recipient.address(session.default_country).map_err(NotStored::Recipient)
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
    links: &MediaLinks,
    system: System,
    (request, address): (&SendRequest, &Address),
    context: &SendContext,
) -> Result<Message, NotStored> {
    let session = context.session.as_ref().ok_or(NotStored::SessionNotFound)?;
    let phone_number_id = number_of(session)?;
    let now = system.now();
    if request.valid_until.is_some_and(|until| until <= now) {
        return Err(NotStored::Expired);
    }
    let chat = context.chat.as_ref();
    if request.category == Some(Category::Marketing) && chat.is_some_and(|chat| chat.consent.denies_marketing()) {
        return Err(NotStored::MarketingConsentDenied);
    }
    if let Some(until) = chat.and_then(Chat::window_until)
        && until <= now
        && session.channel == Channel::CloudApi
        && request.content.kind != MessageType::Template
        && !matches!(address, Address::Group(_))
    {
        return Err(NotStored::OutsideServiceWindow);
    }
    let (timestamp, previous) = chain_position(chat, now);
    let known = chat.and_then(Chat::destination).filter(|_| !matches!(address, Address::Group(_)));
    let destination = known.as_ref().unwrap_or(address);
    if session.channel == Channel::CloudApi && matches!(destination, Address::Lid(_)) {
        return Err(NotStored::LidOverCloudApi);
    }
    let mut content = resolved(store, session, chat, &request.content, now).await?;
    let media = file(store, links, (session.id, context.chat_id), &request.content, &mut content).await?;
    // A document may have got its name only now.
    let named = || readable_text(request.content.kind, &content[content["type"].as_str()?]);
    let body = request.content.body.clone().or_else(named);
    Ok(Message {
        id: MessageId::from_uuid(system.ordered_uuid()),
        chat_id: context.chat_id,
        session_id: session.id,
        phone_number_id: phone_number_id.to_owned(),
        kind: request.content.kind,
        body,
        from_me: true,
        writer: None,
        status: MessageStatus::Pending,
        wamid: None,
        error: None,
        to: Some(destination.destination()),
        timestamp,
        received_at: None,
        receive_index: 0,
        request_id: None,
        raw: None,
        content: Some(content.to_string()),
        media,
        valid_until: request.valid_until,
        reference: request.reference.clone(),
        message_status: None,
        category: request.category,
        priority: request.priority,
        channel: session.channel,
        source: None,
        previous,
        attempts: Vec::new(),
    })
}

fn number_of(session: &Session) -> Result<&str, NotStored> {
    session.phone_number_id.as_deref().ok_or(NotStored::SessionNotConnected)
}

/// Returns the timestamp and the predecessor of the chat's next outbound message. The timestamp is later than those of
/// the predecessor and of the chat's last message, even if clocks differ. An old predecessor that can't be pending
/// anymore is omitted.
pub(crate) fn chain_position(chat: Option<&Chat>, now: Timestamp) -> (Timestamp, Option<String>) {
    let shown_at = chat.and_then(|chat| chat.last_message_at).filter(|at| !at.is_ahead_of(now));
    let now = shown_at.map_or(now, |at| now.max(at.after(Duration::from_millis(1))));
    let last = chat.and_then(|chat| MessageKey::linked(chat.id, chat.last_outbound.as_deref()?));
    let Some(last) = last else { return (now, None) };
    let timestamp = now.max(last.time.after(Duration::from_millis(1)));
    let is_recent = now.since(last.time) < LIFETIME + Duration::from_secs(60 * 60);
    (timestamp, chat.filter(|_| is_recent).map(|chat| last.link_from(chat.id)))
}

/// Attaches the uploaded file that a content refers to. A document without a name gets the file's.
async fn file(
    store: &Store,
    links: &MediaLinks,
    chat: (SessionId, ChatId),
    content: &Content,
    json: &mut Value,
) -> Result<Option<MessageMedia>, NotStored> {
    let Some(file) = content.uploaded_file() else { return Ok(None) };
    let media = media::attach(store, links, chat, (file.id, file.kind), &file.path()).await?;
    if let Some(file_name) = media.file_name.as_ref().filter(|_| file.kind == MessageType::Document)
        && let Some(document) = json.pointer_mut(&file.pointer)
        && document["filename"].is_null()
    {
        document["filename"] = json!(file_name);
    }
    Ok(Some(media.of_message()))
}

/// Returns the content's JSON with message IDs replaced by wamids.
async fn resolved(
    store: &Store,
    session: &Session,
    chat: Option<&Chat>,
    content: &Content,
    now: Timestamp,
) -> Result<Value, NotStored> {
    let mut resolved = content.json.clone();
    let wamid_of = async |id: &str, field, referral| {
        let (target, annotations) = match find_target(store, session, id).await? {
            Target::Known(found) => *found,
            // WhatsApp knows messages that Qasid doesn't, such as those before the number was connected.
            Target::Wamid => return Ok(id.to_owned()),
            Target::Missing => return Err(NotStored::UnknownMessage { field }),
        };
        let wamid = target.target(&annotations, chat, referral, now);
        wamid.map(str::to_owned).map_err(|reason| NotStored::target(field, reason))
    };
    if let Some(id) = &content.reply_to {
        resolved["context"] = json!({"message_id": wamid_of(id, "context", Referral::Reply).await?});
    }
    if let Some(member) = content.target_member()
        && let Some(id) = resolved[member]["message_id"].as_str().map(str::to_owned)
    {
        let referral = if content.kind == MessageType::Pin { Referral::Pin } else { Referral::Reaction };
        resolved[member]["message_id"] = json!(wamid_of(&id, member, referral).await?);
    }
    Ok(resolved)
}

/// The message that an ID in a request names.
enum Target {
    /// A message of the session.
    Known(Box<(Message, Annotations)>),
    /// A wamid of a message that isn't stored.
    Wamid,
    /// An ID of no message, or of one that isn't the session's.
    Missing,
}

/// Finds a message by Qasid's ID, or else by the ID that WhatsApp or a worker's device gave it.
async fn find_target(store: &Store, session: &Session, id: &str) -> Result<Target, NotStored> {
    let number = number_of(session)?;
    let own_id = id.parse::<MessageId>().ok();
    let mut key = match own_id {
        Some(id) => store.messages().find_by_id(id).await?,
        None => None,
    };
    // A device's ID can look like Qasid's.
    if key.is_none() && id.len() <= MAX_ID_BYTES {
        key = store.messages().find_by_wamid(number, id).await?;
    }
    let found = match key {
        Some(key) => store.messages().get(&key).await?,
        None => None,
    };
    let found = found.filter(|(message, _)| message.session_id == session.id && message.phone_number_id == number);
    Ok(match found {
        Some((message, metadata)) => Target::Known(Box::new((message, metadata.annotations))),
        // A device's IDs have no common form, those of the Cloud API do.
        None if own_id.is_some() || session.channel == Channel::CloudApi && !id.starts_with("wamid.") => {
            Target::Missing
        }
        None => Target::Wamid,
    })
}

/// Returns the chat with the message as its last one.
fn chat_after((request, address): (&SendRequest, &Address), context: &SendContext, message: &Message) -> Chat {
    let chat = context.chat.clone().unwrap_or_else(|| {
        let name = address.name_as_written(&request.to);
        let chat = Chat::new(context.chat_id, message.session_id, address, name, message.timestamp);
        Chat { saved_name: context.saved_name.clone(), ..chat }
    });
    chat.after_send(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_later_than_the_message_that_it_answers() {
        let now: Timestamp = "2026-11-26T12:00:00.500Z".parse().unwrap();
        let session_id = SessionId::for_owner("ada");
        let address = Address::Phone("201001234567".to_owned());
        let id = ChatId::for_identity(session_id, &address.identity());
        let mut chat = Chat::new(id, session_id, &address, "Ada".to_owned(), now);
        for (last_message_at, expected) in [
            (None, "2026-11-26T12:00:00.500Z"),
            (Some("2026-11-26T11:00:00.000Z"), "2026-11-26T12:00:00.500Z"),
            // WhatsApp's clock is ahead.
            (Some("2026-11-26T12:00:02.000Z"), "2026-11-26T12:00:02.001Z"),
            (Some("9999-12-30T21:59:59.999Z"), "2026-11-26T12:00:00.500Z"),
        ] {
            chat.last_message_at = last_message_at.map(|at| at.parse().unwrap());
            let (timestamp, previous) = chain_position(Some(&chat), now);
            assert_eq!((timestamp.to_string().as_str(), previous), (expected, None), "{last_message_at:?}");
        }
        assert_eq!(chain_position(None, now), (now, None));
    }
}
