//! Messages of the business: stored as pending, with their chat, in one transaction. `deliver` takes them from there.

use std::time::Duration;

use aws_sdk_dynamodb::types::TransactWriteItem;
use serde::{Deserialize, Serialize};

use super::{
    Store, StoreError,
    chat::{CHAT, Expected, IDENTITY, Summary, Unread},
    inbound::MESSAGE,
    item::{self, number, string},
    keys::{DUE_SHARDS, Key, due_key, worker_due_key},
    transaction::Transaction,
};
use crate::{
    domain::chat::Chat,
    domain::contact::{Alias, AliasWrite},
    domain::id::{ChatId, SessionId},
    domain::identity::Identity,
    domain::message::{Channel, Message},
    domain::session::Session,
    domain::time::Timestamp,
};

/// How long a message waits for the stream before the schedule looks at it. Longer than a `deliver` holds a message, so
/// that the index entry is written once and not moved by the claim.
pub(crate) const GRACE: Duration = Duration::from_secs(45);

/// How long an idempotency key is kept.
const IDEMPOTENCY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

const IDEMPOTENCY: &str = "idempotency";

/// All that a send has to know, read in one round trip.
#[derive(Debug)]
pub struct SendContext {
    /// The session.
    pub session: Option<Session>,
    /// The chat's id, whether the chat is there or not.
    pub chat_id: ChatId,
    /// The chat.
    pub chat: Option<Chat>,
    /// What is to be written for the identity to lead to the chat, when it does not yet.
    pub alias_write: Option<AliasWrite>,
    /// The first answer to the same idempotency key.
    pub replay: Option<Replay>,
}

/// What is kept for an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// Hash of the request, to tell a repetition from another request.
    pub request_hash: String,
    /// The answer, as JSON text.
    pub response: String,
    /// When the key may be used anew, in seconds since 1970.
    pub expires_at: i64,
}

/// A message to store.
#[derive(Debug)]
pub struct Outbound<'a> {
    /// The message, pending.
    pub message: &'a Message,
    /// The chat after it.
    pub chat: &'a Chat,
    /// The chat as it was read; `None` when it has to be made.
    pub known: Option<&'a Chat>,
    /// What is to be written for the identity to lead to the chat.
    pub alias_write: Option<&'a AliasWrite>,
    /// The caller's idempotency key and what is to be kept for it.
    pub idempotency: Option<(&'a str, Replay)>,
}

/// What became of a message to store.
#[derive(Debug)]
pub enum SendOutcome {
    /// Message and chat are durable.
    Stored,
    /// The idempotency key was used in the meantime.
    Replayed(Replay),
    /// The table is not as it was read: read it again.
    Changed,
}

impl Replay {
    /// What to keep for a request and its answer from `now` on.
    pub fn new(request_hash: String, response: String, now: Timestamp) -> Self {
        Self { request_hash, response, expires_at: now.after(IDEMPOTENCY_LIFETIME).seconds() }
    }
}

impl Store {
    /// Reads all that a send has to know. One round trip; a second one when the person's chat is not the one that the
    /// identity derives, and a third when that was merged into another. A number that its person gave up still leads to
    /// him, until somebody else is seen under it.
    pub async fn send_context(
        &self,
        session_id: SessionId,
        identity: &Identity,
        idempotency_key: Option<&str>,
    ) -> Result<SendContext, StoreError> {
        let derived = ChatId::for_identity(session_id, identity);
        let identity_key = Key::identity(session_id, identity);
        let mut keys = vec![Key::session(session_id), identity_key.clone(), Key::chat(derived)];
        let replay_key = idempotency_key.map(|key| Key::idempotency(session_id, key));
        keys.extend(replay_key.clone());
        let mut items = self.get_all("reading what a send needs", keys).await?;

        let session = items.remove(&Key::session(session_id)).map(|item| item::read("session", item)).transpose()?;
        let found: Option<Alias> = items.remove(&identity_key).map(|item| item::read(IDENTITY, item)).transpose()?;
        let mut chat_id = found.as_ref().map_or(derived, |found| found.chat_id);
        let mut chat: Option<Chat> = if chat_id == derived {
            items.remove(&Key::chat(chat_id)).map(|item| item::read(CHAT, item)).transpose()?
        } else {
            self.chat(chat_id).await?
        };
        if let Some(survivor) = chat.as_ref().and_then(|chat| chat.merged_into) {
            chat = self.chat(survivor).await?;
        }
        if let Some(chat) = &chat {
            chat_id = chat.id;
        }
        let alias_write = match found {
            Some(found) if found.chat_id == chat_id => None,
            found => {
                let alias = Alias { chat_id, ..found.clone().unwrap_or(Alias::to(chat_id)) };
                Some(AliasWrite { identity: identity.clone(), found, alias })
            }
        };
        let now = self.system.now().seconds();
        let replay = replay_key
            .and_then(|key| items.remove(&key))
            .map(|item| item::read::<Replay>(IDEMPOTENCY, item))
            .transpose()?
            // DynamoDB deletes what has expired when it has time.
            .filter(|replay| replay.expires_at > now);
        Ok(SendContext { session, chat_id, chat, alias_write, replay })
    }

    /// The action that makes a pending message, in the `due` index of whoever carries it.
    /// `idempotency_key` is the caller's: what is kept under it has the message's text, and is erased with the message.
    pub(super) fn put_pending(
        &self,
        message: &Message,
        idempotency_key: Option<&str>,
    ) -> Result<TransactWriteItem, StoreError> {
        let mut item = item::write(MESSAGE, &Key::message(&message.key()), message)?;
        item.insert("status_rank".to_owned(), number(message.status.rank()));
        let (due_key, due_at) = match message.channel {
            Channel::CloudApi => (due_key(message.chat_id.shard(DUE_SHARDS)), message.timestamp.after(GRACE)),
            Channel::Worker => (worker_due_key(message.session_id), message.timestamp),
        };
        item.insert("due_key".to_owned(), string(due_key));
        item.insert("due_at".to_owned(), string(due_at.to_string()));
        item.extend(idempotency_key.map(|key| ("idempotency_key".to_owned(), string(key))));
        item.extend(self.expires_at(message.timestamp).map(|at| ("expires_at".to_owned(), at)));
        Ok(self.put_action(item, "attribute_not_exists(pk)"))
    }

    /// Stores a message of the business, its chat and its idempotency key, or nothing.
    pub async fn store_outbound(&self, outbound: &Outbound<'_>) -> Result<SendOutcome, StoreError> {
        let message = outbound.message;
        let summary = Summary {
            chat: outbound.chat,
            unread: Unread::Clear,
            shows: outbound.chat.last_message_at == Some(message.timestamp),
            reopens: false,
            merged: None,
            expects: match outbound.known {
                None => Expected::New,
                Some(known) => Expected::LastOutbound(known.last_outbound.as_deref()),
            },
        };
        let caller_key = outbound.idempotency.as_ref().map(|(key, _)| *key);
        let mut actions = vec![self.put_pending(message, caller_key)?, self.upsert_chat(&summary)];
        if let Some((caller_key, replay)) = &outbound.idempotency {
            let key = Key::idempotency(message.session_id, caller_key);
            let unused = ("attribute_not_exists(pk) OR expires_at <= ?", self.system.now().seconds());
            actions.push(self.put_action(item::write(IDEMPOTENCY, &key, replay)?, unused));
        }
        if let Some(alias_write) = outbound.alias_write {
            actions.push(self.write_alias(message.session_id, alias_write)?);
        }
        let refusals = match self.transact("storing an outbound message", actions).await? {
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
