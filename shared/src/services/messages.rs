//! Messages: listing a chat's, and finding one by its ID or WhatsApp's.

use crate::{
    domain::{
        chat::Chat, cursor::MessagePosition, id::SessionId, inbox::MessageList, message::Message,
        message_key::MessageKey, page::Page,
    },
    store::{MessageMetadata, MessageTrace, Store, StoreError},
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
    /// Records that mention the wamid: its number has no session, or the message couldn't be parsed.
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
/// deployment's own.
pub async fn find(
    store: &Store,
    own_number: Option<String>,
    id: &str,
    session_id: Option<SessionId>,
) -> Result<FoundMessage, MessageError> {
    if let Ok(id) = id.parse()
        && let Some(key) = store.messages().find_by_id(id).await?
        && let Some(found) = read(store, &key, session_id).await?
    {
        return Ok(found);
    }
    let number = match session_id {
        Some(session_id) => {
            store.sessions().get(session_id).await?.ok_or(MessageError::SessionNotFound)?.phone_number_id
        }
        None => own_number,
    };
    let number = number.ok_or(MessageError::NotFound)?;
    if let Some(key) = store.messages().find_by_wamid(&number, id).await?
        && let Some(found) = read(store, &key, session_id).await?
    {
        return Ok(found);
    }
    let trace = store.messages().trace(&number, id).await?;
    if trace.is_empty() { Err(MessageError::NotFound) } else { Ok(FoundMessage::Trace(trace)) }
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
