//! Chats: listing and changing them.

use crate::{
    domain::{
        chat::Chat,
        identity::{Address, AddressError},
        inbox::{ChatChange, ChatList, ChatLookup},
        page::Page,
    },
    store::{Store, StoreError},
};

/// Why a request for a chat fails.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// There is no such chat.
    #[error("Chat not found")]
    NotFound,
    /// The text of a lookup is no address.
    #[error("phone {0}")]
    InvalidAddress(AddressError),
    /// There is no such session.
    #[error("Session not found")]
    SessionNotFound,
    /// The table didn't respond.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns a page of a session's chats, newest first. The session is read at the same time: one that doesn't exist has no
/// chats.
pub async fn list(store: &Store, list: &ChatList) -> Result<Page<Chat>, ChatError> {
    let (session, page) = tokio::join!(store.sessions().get(list.session_id), store.chats().list(list));
    session?.ok_or(ChatError::SessionNotFound)?;
    Ok(page?)
}

/// Returns the chat of the contact or group with an address, if it matches the filter. Any spelling of the address and
/// any of the contact's addresses leads to the chat. Strongly consistent.
pub async fn find(store: &Store, lookup: &ChatLookup) -> Result<Option<Chat>, ChatError> {
    let session = store.sessions().get(lookup.session_id).await?.ok_or(ChatError::SessionNotFound)?;
    let address = Address::parse(&lookup.address, session.default_country).map_err(ChatError::InvalidAddress)?;
    let chat = store.chats().find(lookup.session_id, &address.identity()).await?;
    Ok(chat.filter(|chat| lookup.filter.matches(chat)))
}

/// Returns every identity of the chat's contact.
pub async fn identities(store: &Store, chat: &Chat) -> Result<Vec<String>, StoreError> {
    store.chats().identities_of(chat).await
}

/// Changes a chat and returns it.
pub async fn change(store: &Store, chat: &Chat, change: &ChatChange) -> Result<Chat, ChatError> {
    store.chats().change(chat, change).await?.ok_or(ChatError::NotFound)
}
