//! What changes are about: the messages, chats, sessions, and events that the log has the keys of.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{
    Store, StoreError,
    chat::CHAT,
    event::EVENT,
    item::{self, Item, string},
    keys::Key,
    lookup::{MessageMetadata, read_message},
    session::SESSION,
};
use crate::{
    domain::{
        change::{Change, Subject},
        chat::Chat,
        id::{ChatId, SessionId},
        message::Message,
        message_key::MessageKey,
        session::Session,
    },
    store::StoredEvent,
    telemetry,
};

/// The maximum number of items in a `BatchGetItem` request.
const BATCH: usize = 100;

/// Concurrent requests.
const PARALLEL: usize = 4;

/// The items that changes are about, as they were read. Items that no longer exist are missing.
#[derive(Debug, Default)]
pub struct Subjects {
    messages: HashMap<MessageKey, Arc<(Message, MessageMetadata)>>,
    chats: HashMap<ChatId, Arc<Chat>>,
    sessions: HashMap<SessionId, Arc<Session>>,
    events: HashMap<Uuid, Arc<StoredEvent>>,
}

impl Subjects {
    /// Returns a message with its metadata. `None` if it was erased or has expired, or if its chat was erased.
    pub fn message(&self, key: &MessageKey) -> Option<&Arc<(Message, MessageMetadata)>> {
        // The erasure of a chat deletes its item first and its messages after that.
        self.chat(key.chat_id)?;
        self.messages.get(key)
    }

    /// Returns a chat, or the chat that it was merged into.
    pub fn chat(&self, id: ChatId) -> Option<&Arc<Chat>> {
        let mut chat = self.chats.get(&id)?;
        while let Some(into) = chat.merged_into {
            chat = self.chats.get(&into)?;
        }
        Some(chat)
    }

    /// Returns a session.
    pub fn session(&self, id: SessionId) -> Option<&Arc<Session>> {
        self.sessions.get(&id)
    }

    /// Returns an event.
    pub fn event(&self, id: Uuid) -> Option<&Arc<StoredEvent>> {
        self.events.get(&id)
    }

    fn insert(&mut self, key: &Key, item: Item) {
        if let Some(message_key) = key.message_key() {
            let message = readable(read_message(item)).map(|message| (message_key, Arc::new(message)));
            self.messages.extend(message);
        } else if key.is_session() {
            self.sessions.extend(read::<Session>(SESSION, item).map(|session| (session.id, session)));
        } else if let Some(id) = key.event_id() {
            let item = item.into_iter().chain([("id".to_owned(), string(id.to_string()))]).collect();
            self.events.extend(read(EVENT, item).map(|event| (id, event)));
        } else {
            self.chats.extend(read::<Chat>(CHAT, item).map(|chat| (chat.id, chat)));
        }
    }

    /// Returns the keys of chats that others were merged into and that haven't been read.
    fn unread_targets(&self, read: &HashSet<Key>) -> HashSet<Key> {
        let targets = self.chats.values().filter_map(|chat| chat.merged_into).map(Key::chat);
        targets.filter(|key| !read.contains(key)).collect()
    }
}

fn read<T: DeserializeOwned>(kind: &'static str, item: Item) -> Option<Arc<T>> {
    readable(item::read(kind, item)).map(Arc::new)
}

/// Logs an item that can't be read. It must not hold up the other changes of its log.
fn readable<T>(read: Result<T, StoreError>) -> Option<T> {
    read.inspect_err(|error| tracing::error!(error = telemetry::chain(error), "item of a change is invalid")).ok()
}

impl Store {
    /// Reads the items that changes are about, following merges. Strongly consistent: the stream reports a change as
    /// soon as it is durable, and an eventually consistent read can return the item as it was before.
    pub async fn subjects_of(&self, changes: &[Change]) -> Result<Subjects, StoreError> {
        let mut subjects = Subjects::default();
        let mut unread: HashSet<Key> = changes.iter().flat_map(keys_of).collect();
        let mut read = HashSet::new();
        while !unread.is_empty() {
            let keys: Vec<Key> = unread.iter().cloned().collect();
            let items: Vec<HashMap<Key, Item>> = stream::iter(keys.chunks(BATCH).map(<[Key]>::to_vec))
                .map(|keys| self.get_all("reading what changes are about", keys))
                .buffer_unordered(PARALLEL)
                .try_collect()
                .await?;
            for (key, item) in items.into_iter().flatten() {
                subjects.insert(&key, item);
            }
            read.extend(unread);
            unread = subjects.unread_targets(&read);
        }
        Ok(subjects)
    }
}

fn keys_of(change: &Change) -> Vec<Key> {
    let chat = change.change.chat_id.map(Key::chat);
    match &change.change.subject {
        Subject::Message { .. } => {
            let Some(key) = change.change.message_key() else { return Vec::new() };
            vec![Key::message(&key), Key::chat(key.chat_id)]
        }
        Subject::Chat { merged_into } => chat.into_iter().chain(merged_into.map(Key::chat)).collect(),
        Subject::Session => vec![Key::session(change.session_id)],
        Subject::Event { id } => vec![Key::event(*id)],
        Subject::Webhook { .. } => Vec::new(),
    }
}
