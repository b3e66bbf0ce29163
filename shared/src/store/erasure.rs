//! Erasure of chats and sessions. See [`crate::domain::erasure`].

mod delete;
mod session;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};

use super::{
    Chats, Erasures, StoreError,
    chat::CHAT,
    item::{self, Item, string},
    keys::{Key, erase_key},
    transaction::Transaction,
    update::Condition,
};
use crate::domain::{
    chat::Chat,
    erasure::{Erasure, Target},
    id::ChatId,
    time::Timestamp,
};

pub(super) const ERASURE: &str = "erasure";

/// Attempts to start an erasure while the chat or the session changes.
const ROUNDS: usize = 10;

/// The maximum number of identities in the transaction that starts an erasure, each with its saved name, besides up to
/// 51 chats and the request: 100 actions.
/// Further identities are deleted later.
const MAX_IDENTITIES: usize = 24;

/// The result of deleting items.
#[derive(Clone, Copy, Debug, Default)]
pub struct Swept {
    /// Number of deleted messages.
    pub erased: u64,
    /// Whether the partition has messages after the cutoff, which stay.
    has_later: bool,
    /// Whether everything up to the cutoff was processed.
    pub complete: bool,
}

impl Erasures<'_> {
    /// Deletes a chat and its identities, and writes the request to erase its messages, in one transaction. A later
    /// message creates a new chat. Returns `None` if the chat no longer exists.
    pub async fn start_chat(self, chat: &Chat) -> Result<Option<Erasure>, StoreError> {
        let mut chat = chat.clone();
        for _ in 0..ROUNDS {
            let target = Target::Chat(chat.id);
            let mut erasure = Erasure::new(target, chat.session_id, self.0.system.now());
            erasure.chats = chat.partitions().collect();
            let mut actions = vec![self.put_request(&erasure)?];
            // Refused if another chat was merged into this one concurrently.
            let unchanged = "attribute_exists(pk) AND attribute_not_exists(merged_into) \
                             AND (attribute_not_exists(merged) OR size(merged) = ?)";
            actions.push(self.0.delete_action(&Key::chat(chat.id), (unchanged, chat.merged.len())));
            for merged in &chat.merged {
                actions.push(self.0.delete_action(&Key::chat(merged.chat_id), Condition::none()));
            }
            for (chat_id, identity) in self.0.chats().identities(&chat).await?.into_iter().take(MAX_IDENTITIES) {
                actions.extend(self.delete_saved_name(&identity));
                actions.push(self.0.delete_action(&identity, ("chat_id = ?", chat_id)));
            }
            if let Transaction::Committed = self.0.transact("starting to erase a chat", actions).await? {
                return Ok(Some(erasure));
            }
            match self.0.chats().get(chat.id).await? {
                Some(found) => chat = found,
                None => return Ok(None),
            }
        }
        Err(StoreError::Contention { operation: "starting to erase a chat" })
    }

    /// Returns the erasure of a target, if it isn't finished.
    pub async fn get(self, target: Target) -> Result<Option<Erasure>, StoreError> {
        let item = self.0.get("reading an erasure", &Key::erasure(target)).await?;
        item.map(|item| item::read(ERASURE, item)).transpose()
    }

    /// Returns the erasures that are due, oldest first.
    pub async fn due(self, limit: i32) -> Result<Vec<Erasure>, StoreError> {
        let mut erasures = Vec::new();
        for key in self.0.due_keys("querying due erasures", erase_key(), limit).await? {
            if let Some(item) = self.0.get("reading an erasure", &key).await? {
                erasures.push(item::read(ERASURE, item)?);
            }
        }
        Ok(erasures)
    }

    /// Returns the time up to which stored data is erased.
    pub async fn cutoff(self, erasure: &Erasure) -> Result<Timestamp, StoreError> {
        let renewed_at = match erasure.target {
            Target::Chat(_) => None,
            Target::Session(id) => self.0.sessions().get(id).await?.map(|session| session.created_at),
        };
        Ok(erasure.covers_until(renewed_at, self.0.system.now()))
    }

    /// Deletes items until `deadline`. Safe to run concurrently.
    pub async fn delete_items(self, erasure: &Erasure, deadline: Timestamp) -> Result<Swept, StoreError> {
        match erasure.target {
            Target::Chat(_) => self.erase_chat(erasure, deadline).await,
            Target::Session(session_id) => self.erase_session(session_id, erasure, deadline).await,
        }
    }

    /// Saves the progress of an erasure. `complete` says whether this run has processed everything up to the cutoff.
    pub async fn save(self, mut erasure: Erasure, complete: bool) -> Result<Erasure, StoreError> {
        // A complete pass deletes everything before the cutoff. Later passes find only messages that were in flight.
        erasure.complete |= complete;
        let now = self.0.system.now();
        let is_finished = complete && erasure.next_run_at(now).is_none();
        // Refused when a newer request for the same target has replaced this one.
        if is_finished {
            let unchanged = ("attribute_not_exists(pk) OR requested_at = ?", erasure.requested_at);
            self.0.delete_if("ending an erasure", &Key::erasure(erasure.target), unchanged).await?;
        } else {
            let due_at = if complete { erasure.next_run_at(now).unwrap_or(now) } else { now };
            let unchanged = ("requested_at = ?", erasure.requested_at);
            self.0.put_if("saving an erasure", request_item(&erasure, due_at)?, unchanged).await?;
        }
        Ok(erasure)
    }

    async fn erase_chat(self, erasure: &Erasure, deadline: Timestamp) -> Result<Swept, StoreError> {
        let cutoff = erasure.covers_until(None, self.0.system.now());
        let mut all = Swept { complete: true, ..Swept::default() };
        for chat_id in &erasure.chats {
            let swept = self.sweep(*chat_id, cutoff, deadline).await?;
            all.erased += swept.erased;
            all.has_later |= swept.has_later;
            all.complete &= swept.complete;
        }
        if all.complete && !all.has_later {
            for chat_id in &erasure.chats {
                self.delete_chat(*chat_id, cutoff).await?;
            }
        }
        Ok(all)
    }

    /// Deletes a chat that was created before `cutoff` and has no messages, and the identities that lead to a deleted
    /// chat.
    async fn delete_chat(self, chat_id: ChatId, cutoff: Timestamp) -> Result<(), StoreError> {
        if let Some(row) = self.0.get("reading a chat", &Key::chat(chat_id)).await? {
            let chat: Chat = item::read(CHAT, row.clone())?;
            if chat.created_at > cutoff {
                return Ok(());
            }
            let last = row.get("last_message_at").cloned().unwrap_or(AttributeValue::Null(true));
            let unchanged = ("attribute_not_exists(pk) OR last_message_at = ?", last);
            let delete = self.0.delete_action(&Key::chat(chat_id), unchanged);
            if let Transaction::Refused(_) = self.0.transact("erasing a chat", vec![delete]).await? {
                return Ok(());
            }
        }
        for identities in self.0.chats().identity_keys(chat_id).await?.chunks(MAX_IDENTITIES) {
            let mut actions = vec![self.0.check_absent(&Key::chat(chat_id))];
            actions.extend(identities.iter().map(|identity| self.0.delete_action(identity, Condition::none())));
            actions.extend(identities.iter().filter_map(|identity| self.delete_saved_name(identity)));
            self.0.transact("erasing identities", actions).await?;
        }
        Ok(())
    }

    /// Returns the action that deletes the saved name of an identity.
    fn delete_saved_name(self, identity: &Key) -> Option<TransactWriteItem> {
        Some(self.0.delete_action(&identity.saved_name_of_identity()?, Condition::none()))
    }

    fn put_request(self, erasure: &Erasure) -> Result<TransactWriteItem, StoreError> {
        // Replaces an earlier request for the same target, which this one includes.
        let item = request_item(erasure, erasure.requested_at)?;
        Ok(self.0.put_action(item, Condition::none()))
    }
}

impl Chats<'_> {
    /// Returns the keys of the identities that lead to a chat. Eventually consistent.
    pub(super) async fn identity_keys(self, chat_id: ChatId) -> Result<Vec<Key>, StoreError> {
        let keys = self.0.keys_by_id("reading a chat's identities", chat_id).await?;
        Ok(keys.into_iter().filter(Key::is_identity).collect())
    }

    /// Returns the keys of the identities that lead to a chat or to a chat that was merged into it, each with that
    /// chat.
    async fn identities(self, chat: &Chat) -> Result<Vec<(ChatId, Key)>, StoreError> {
        let mut identities = Vec::new();
        for chat_id in chat.partitions() {
            identities.extend(self.identity_keys(chat_id).await?.into_iter().map(|key| (chat_id, key)));
        }
        Ok(identities)
    }

    /// Returns the identities of a chat's contact: `phone:201001234567`, `bsuid:US.1349`.
    pub async fn identities_of(self, chat: &Chat) -> Result<Vec<String>, StoreError> {
        let identifier = |(_, key): (ChatId, Key)| Some(key.pk.splitn(3, '#').nth(2)?.to_owned());
        Ok(self.identities(chat).await?.into_iter().filter_map(identifier).collect())
    }
}

fn request_item(erasure: &Erasure, due_at: Timestamp) -> Result<Item, StoreError> {
    let mut item = item::write(ERASURE, &Key::erasure(erasure.target), erasure)?;
    item.insert("due_key".to_owned(), string(erase_key()));
    item.insert("due_at".to_owned(), string(due_at.to_string()));
    Ok(item)
}
