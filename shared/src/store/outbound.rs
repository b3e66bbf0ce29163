//! Outbound messages: stored as pending with the update of their chat, in one transaction. `deliver` sends them.

use std::time::Duration;

use aws_sdk_dynamodb::types::TransactWriteItem;
use serde::{Deserialize, Serialize};

use super::{
    Outbox, StoreError,
    chat::{CHAT, Expected, IDENTITY, Summary, Unread},
    item::{self, number, string},
    keys::{Key, due_key, worker_due_key},
    message_item,
    saved_name::SavedNames,
    transaction::Transaction,
};
use crate::domain::{
    chat::Chat,
    contact::{Alias, AliasWrite},
    delivery::GRACE,
    id::{ChatId, SessionId},
    identity::Identity,
    message::{Category, Channel, Message, Priority},
    profile::SavedName,
    retry::expires_at,
    session::Session,
    time::Timestamp,
};

/// How long an idempotency key is kept.
const IDEMPOTENCY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

const IDEMPOTENCY: &str = "idempotency";

/// The items that a send needs.
#[derive(Debug)]
pub struct SendContext {
    /// The session.
    pub session: Option<Session>,
    /// The chat's id, whether the chat exists or not.
    pub chat_id: ChatId,
    /// The chat.
    pub chat: Option<Chat>,
    /// The write that makes the identity lead to the chat, if it doesn't yet.
    pub alias_write: Option<AliasWrite>,
    /// The saved name for the identity.
    pub saved_name: Option<SavedName>,
    /// The response to an earlier request with the same idempotency key.
    pub replay: Option<Replay>,
}

/// The response to an earlier request with the same idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// Hash of the request. A repetition has the same.
    pub request_hash: String,
    /// The response, as JSON.
    pub response: String,
    /// When the key expires, in seconds since 1970.
    pub expires_at: i64,
}

/// A message to store.
#[derive(Debug)]
pub struct Outbound<'a> {
    /// The message, pending.
    pub message: &'a Message,
    /// The chat after the message.
    pub chat: &'a Chat,
    /// The chat as it was read; `None` if it doesn't exist.
    pub known: Option<&'a Chat>,
    /// The write that makes the identity lead to the chat.
    pub alias_write: Option<&'a AliasWrite>,
    /// The saved name for the identity as it was read.
    pub saved_name: Option<&'a SavedName>,
    /// The caller's idempotency key and the response to store with it.
    pub idempotency: Option<(&'a str, Replay)>,
    /// Whether the session is paused.
    pub is_paused: bool,
}

/// The outcome of [`Outbox::store`].
#[derive(Debug)]
pub enum SendOutcome {
    /// Message and chat are stored.
    Stored,
    /// A concurrent request has used the idempotency key.
    Replayed(Replay),
    /// The chat isn't as it was read. Read it again and retry.
    Changed,
}

impl Replay {
    /// Returns the response to store for a request from `now` on.
    pub fn new(request_hash: String, response: String, now: Timestamp) -> Self {
        Self { request_hash, response, expires_at: now.after(IDEMPOTENCY_LIFETIME).seconds() }
    }
}

impl Outbox<'_> {
    /// Reads the items that a send needs. Takes one request, a second one if the contact's chat isn't the one derived
    /// from the identity, and a third if that chat was merged. A number that a contact moved away from leads to that
    /// contact until another contact uses it.
    pub async fn send_context(
        self,
        session_id: SessionId,
        identity: &Identity,
        idempotency_key: Option<&str>,
    ) -> Result<SendContext, StoreError> {
        let derived = ChatId::for_identity(session_id, identity);
        let identity_key = Key::identity(session_id, identity);
        let mut keys = vec![Key::session(session_id), identity_key.clone(), Key::chat(derived)];
        keys.push(Key::saved_name(session_id, identity));
        let replay_key = idempotency_key.map(|key| Key::idempotency(session_id, key));
        keys.extend(replay_key.clone());
        let mut items = self.0.get_all("reading the context of a send", keys).await?;

        let session = items.remove(&Key::session(session_id)).map(|item| item::read("session", item)).transpose()?;
        let found: Option<Alias> = items.remove(&identity_key).map(|item| item::read(IDENTITY, item)).transpose()?;
        let mut chat_id = found.as_ref().map_or(derived, |found| found.chat_id);
        let mut chat: Option<Chat> = if chat_id == derived {
            items.remove(&Key::chat(chat_id)).map(|item| item::read(CHAT, item)).transpose()?
        } else {
            self.0.chats().get(chat_id).await?
        };
        if let Some(survivor) = chat.as_ref().and_then(|chat| chat.merged_into) {
            chat = self.0.chats().get(survivor).await?;
        }
        if let Some(chat) = &chat {
            chat_id = chat.id;
        }
        let alias_write = match found {
            Some(found) if found.chat_id == chat_id => None,
            found => {
                let alias = Alias { chat_id, ..found.clone().unwrap_or(Alias::to(chat_id)) };
                Some(AliasWrite { identity: identity.clone(), expected: found, alias })
            }
        };
        let saved_name = SavedNames::take(session_id, std::slice::from_ref(identity), &mut items)?.latest().cloned();
        let now = self.0.system.now().seconds();
        let replay = replay_key
            .and_then(|key| items.remove(&key))
            .map(|item| item::read::<Replay>(IDEMPOTENCY, item))
            .transpose()?
            // DynamoDB may take days to delete expired items.
            .filter(|replay| replay.expires_at > now);
        Ok(SendContext { session, chat_id, chat, alias_write, saved_name, replay })
    }

    /// Returns the action that writes a pending message with its entry in the `due` index. Stores the caller's
    /// idempotency key, because an erasure also deletes the response under that key.
    pub(super) fn put_pending(
        self,
        message: &Message,
        idempotency_key: Option<&str>,
        is_paused: bool,
    ) -> Result<TransactWriteItem, StoreError> {
        let mut item = message_item::write(message)?;
        item.insert("status_rank".to_owned(), number(message.status.rank()));
        let (due_key, due_at) = match message.channel {
            Channel::CloudApi => {
                let due_key = due_key(message.priority, message.session_id, message.chat_id, self.0.inbox_shards);
                let due_at = match message.priority {
                    // Resuming the session makes its messages due.
                    _ if is_paused => expires_at(message),
                    Priority::Normal => message.timestamp.after(GRACE),
                    Priority::Bulk => message.timestamp,
                };
                (due_key, due_at)
            }
            Channel::Worker => (worker_due_key(message.session_id, message.priority), message.timestamp),
        };
        item.insert("due_key".to_owned(), string(due_key));
        item.insert("due_at".to_owned(), string(due_at.to_string()));
        item.extend(idempotency_key.map(|key| ("idempotency_key".to_owned(), string(key))));
        item.extend(self.0.expires_at(message.timestamp).map(|at| ("expires_at".to_owned(), at)));
        Ok(self.0.put_action(item, "attribute_not_exists(pk)"))
    }

    /// Stores a message, its chat, and its idempotency key in one transaction.
    pub async fn store(self, outbound: &Outbound<'_>) -> Result<SendOutcome, StoreError> {
        let message = outbound.message;
        let summary = Summary {
            chat: outbound.chat,
            unread: Unread::Clear,
            shows: outbound.chat.last_message_at == Some(message.timestamp),
            reopens: false,
            has_latest_profile: false,
            has_latest_addresses: false,
            replaces_saved_name: false,
            merged: None,
            expects: match outbound.known {
                None => Expected::New,
                // Of a marketing message and a STOP, one is first.
                Some(known) if message.category == Some(Category::Marketing) => {
                    Expected::Consent(known.last_outbound.as_deref(), &known.consent)
                }
                Some(known) => Expected::LastOutbound(known.last_outbound.as_deref()),
            },
        };
        let caller_key = outbound.idempotency.as_ref().map(|(key, _)| *key);
        let mut actions =
            vec![self.put_pending(message, caller_key, outbound.is_paused)?, self.0.chats().upsert(&summary)];
        if let Some((caller_key, replay)) = &outbound.idempotency {
            let key = Key::idempotency(message.session_id, caller_key);
            let unused = ("attribute_not_exists(pk) OR expires_at <= ?", self.0.system.now().seconds());
            actions.push(self.0.put_action(item::write(IDEMPOTENCY, &key, replay)?, unused));
        }
        if let Some(alias_write) = outbound.alias_write {
            let read_at = outbound.saved_name.map(|saved| saved.at);
            actions.push(self.0.chats().write_alias(message.session_id, alias_write)?);
            actions.push(self.0.chats().check_saved_name(message.session_id, &alias_write.identity, read_at));
        }
        let refusals = match self.0.transact("storing an outbound message", actions).await? {
            Transaction::Committed => return Ok(SendOutcome::Stored),
            Transaction::Refused(refusals) => refusals,
        };
        let replay = refusals.into_iter().nth(2).filter(|_| outbound.idempotency.is_some());
        match replay.and_then(|refusal| refusal.item) {
            Some(item) => Ok(SendOutcome::Replayed(item::read(IDEMPOTENCY, item)?)),
            None => Ok(SendOutcome::Changed),
        }
    }
}
