//! Messages: listing a chat's, and finding one by its ID or WhatsApp's.

use crate::{
    domain::{
        chat::Chat,
        cursor::MessagePosition,
        id::SessionId,
        inbox::MessageList,
        message::{Channel, Message},
        message_key::MessageKey,
        page::Page,
        session::Session,
    },
    store::{MessageMetadata, MessageTrace, Store, StoreError, TraceScope},
};

/// Why a request for a message fails.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// There is no such message.
    #[error("Message not found")]
    NotFound,
    /// There is no such session.
    #[error("Session not found")]
    SessionNotFound,
    /// The table didn't respond.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A message, or what is known of one that isn't stored.
#[derive(Debug)]
pub enum FoundMessage {
    /// The message with its delivery history.
    Message(Box<(Message, MessageMetadata)>),
    /// Records that mention the wamid: its number has no session, the message paired one, or it couldn't be parsed.
    Trace(Vec<MessageTrace>),
}

/// Returns a page of a chat's messages.
pub async fn list(
    store: &Store,
    chat: &Chat,
    list: &MessageList,
) -> Result<Page<(Message, MessageMetadata), MessagePosition>, StoreError> {
    store.messages().list(chat, list).await
}

/// Finds a message by its ID or wamid, in one session or in all. A wamid is unique within a number: the session's, or the
/// deployment's own. A tenant finds no traces from before the session was linked to the number.
pub async fn find(
    store: &Store,
    own_number: Option<String>,
    id: &str,
    session_id: Option<SessionId>,
    is_admin: bool,
) -> Result<FoundMessage, MessageError> {
    if let Ok(id) = id.parse()
        && let Some(key) = store.messages().find_by_id(id).await?
        && let Some(found) = read(store, &key, session_id).await?
    {
        return Ok(found);
    }
    let session = match session_id {
        Some(session_id) => Some(store.sessions().get(session_id).await?.ok_or(MessageError::SessionNotFound)?),
        None => None,
    };
    let number = session.as_ref().map_or(own_number, |session| session.phone_number_id.clone());
    if let Some(number) = &number
        && let Some(key) = store.messages().find_by_wamid(number, id).await?
        && let Some(found) = read(store, &key, session_id).await?
    {
        return Ok(found);
    }
    let scope = match session.filter(|_| !is_admin) {
        Some(session) => scope_of_tenant(store, &session).await?,
        None => TraceScope { phone_number_id: number, session_id, since: None },
    };
    let trace = store.messages().trace(id, &scope).await?;
    if trace.is_empty() { Err(MessageError::NotFound) } else { Ok(FoundMessage::Trace(trace)) }
}

async fn scope_of_tenant(store: &Store, session: &Session) -> Result<TraceScope, StoreError> {
    let of_session = TraceScope { session_id: Some(session.id), ..TraceScope::default() };
    let Some(number) = session.phone_number_id.clone() else { return Ok(of_session) };
    if session.channel == Channel::Worker {
        return Ok(TraceScope { phone_number_id: Some(number), ..of_session });
    }
    let owner = store.numbers().owner(&number).await?.filter(|owner| owner.session_id == session.id);
    Ok(owner.map_or(of_session.clone(), |owner| TraceScope {
        phone_number_id: Some(number),
        since: Some(owner.linked_at),
        ..of_session
    }))
}

/// `None` if the message belongs to another session.
async fn read(
    store: &Store,
    key: &MessageKey,
    session_id: Option<SessionId>,
) -> Result<Option<FoundMessage>, StoreError> {
    let found = store.messages().get(key).await?;
    let found = found.filter(|(message, _)| session_id.is_none_or(|session_id| session_id == message.session_id));
    Ok(found.map(|found| FoundMessage::Message(Box::new(found))))
}
