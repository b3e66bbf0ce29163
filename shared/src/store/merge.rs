//! Merging the chats of one contact: messages stay where they are, and one chat points to the other.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};

use super::{
    Chats, StoreError,
    chat::{CHANGED, CHAT},
    item::{self, Attribute, Item, string},
    keys::{Key, inbox_key, inbox_position},
    transaction::Transaction,
    update::{Condition, UpdateBuilder},
};
use crate::domain::{
    chat::{Chat, MAX_MERGED},
    contact,
    id::ChatId,
};

/// Attempts to merge two chats while other writers change them.
const ROUNDS: u32 = 20;

impl Chats<'_> {
    /// Returns the chat with this id, or the one that it was merged into. Its messages are in all its
    /// [`Chat::partitions`].
    pub async fn get(self, id: ChatId) -> Result<Option<Chat>, StoreError> {
        Ok(self.get_item(id).await?.map(|(_, chat)| chat))
    }

    /// Returns whether these are the same chat, because it is one or because they were merged.
    pub async fn are_one(self, one: ChatId, other: ChatId) -> Result<bool, StoreError> {
        if one == other {
            return Ok(true);
        }
        let (one, other) = (self.get(one).await?, self.get(other).await?);
        Ok(one.zip(other).is_some_and(|(one, other)| one.id == other.id))
    }

    /// Returns the chat with its item.
    pub(super) async fn get_item(self, id: ChatId) -> Result<Option<(Item, Chat)>, StoreError> {
        let mut id = id;
        for _ in 0..=MAX_MERGED {
            let Some(item) = self.0.get("reading a chat", &Key::chat(id)).await? else { return Ok(None) };
            let chat: Chat = item::read(CHAT, item.clone())?;
            match chat.merged_into {
                Some(into) => id = into,
                None => return Ok(Some((item, chat))),
            }
        }
        Err(StoreError::Contention { operation: "following merged chats" })
    }

    /// Updates a chat, or the chat that it was merged into. Does nothing when another condition of `update` fails.
    pub(super) async fn update_live(
        self,
        operation: &'static str,
        mut chat_id: ChatId,
        update: impl Fn(UpdateBuilder) -> UpdateBuilder,
    ) -> Result<(), StoreError> {
        loop {
            let live = UpdateBuilder::new(&Key::chat(chat_id)).condition("attribute_not_exists(merged_into)");
            if self.0.update_if(operation, update(live)).await? {
                return Ok(());
            }
            match self.get(chat_id).await? {
                Some(survivor) if survivor.id != chat_id => chat_id = survivor.id,
                _ => return Ok(()),
            }
        }
    }

    /// Merges two chats of one contact. Returns the surviving one; `None` if it would exceed the maximum number of
    /// merged chats, and nothing was changed.
    pub(super) async fn merge(self, one: ChatId, other: ChatId) -> Result<Option<ChatId>, StoreError> {
        for round in 0..ROUNDS {
            if round > 0 {
                self.0.pause(round).await;
            }
            let (found_one, found_other) = (self.get_item(one).await?, self.get_item(other).await?);
            let (Some((one_item, one)), Some((other_item, other))) = (&found_one, &found_other) else {
                let there = found_one.or(found_other);
                return Ok(Some(there.map_or(one, |(_, chat)| chat.id)));
            };
            if one.id == other.id {
                return Ok(Some(one.id));
            }
            let Some(merge) = contact::merge(one, other, self.0.system.now()) else {
                tracing::warn!(one = %one.id, other = %other.id, "chats not merged: too many chats of one contact");
                return Ok(None);
            };
            let before = |chat: &Chat| if chat.id == one.id { one_item } else { other_item };
            let actions = vec![
                self.replace(before(&merge.survivor), &merge.survivor)?,
                self.replace(before(&merge.merged), &merge.merged)?,
            ];
            if let Transaction::Committed = self.0.transact("merging chats", actions).await? {
                tracing::info!(survivor = %merge.survivor.id, ended = %merge.merged.id, "chats merged");
                return Ok(Some(merge.survivor.id));
            }
        }
        Err(StoreError::Contention { operation: "merging chats" })
    }

    /// Returns the action that replaces a chat's item. It fails if the item isn't as it was read.
    pub(super) fn replace(self, found: &Item, chat: &Chat) -> Result<TransactWriteItem, StoreError> {
        let wanted = self.attributes(chat)?;
        let mut update = UpdateBuilder::new(&Key::chat(chat.id));
        let names: BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
        for name in names.into_iter().filter(|name| !matches!(name.as_str(), "pk" | "sk")) {
            update = update.condition(Condition::equals(name, found.get(name).cloned()));
            update = match wanted.get(name) {
                // An attribute of another version stays as it is.
                None => update,
                Some(None) if found.contains_key(name) => update.remove([name]),
                Some(Some(value)) if found.get(name) != Some(value) => update.set(name, value.clone()),
                Some(_) => update,
            };
        }
        Ok(self.0.update_action(update))
    }

    /// Returns every attribute of a chat's item; `None` for one to remove. A merged chat isn't in the inbox.
    fn attributes(self, chat: &Chat) -> Result<HashMap<String, Option<AttributeValue>>, StoreError> {
        let row: Item = serde_dynamo::aws_sdk_dynamodb_1::to_item(chat)
            .map_err(|source| StoreError::Item { kind: CHAT, source: source.into() })?;
        let mut attributes: HashMap<String, Option<AttributeValue>> =
            row.into_iter().map(|(name, value)| (name, (!value.is_null()).then_some(value))).collect();
        // An empty list isn't written, but a list by another writer must not be overlooked.
        attributes.entry("merged".to_owned()).or_insert(None);
        let listed = chat.last_message_at.filter(|_| chat.merged_into.is_none());
        let shard = chat.id.shard(self.0.inbox_shards);
        let in_list = listed.map(|_| string(inbox_key(chat.session_id, chat.status, shard)));
        attributes.insert("inbox_key".to_owned(), in_list);
        if let Some(expires_at) = chat.last_message_at.and_then(|at| self.0.expires_at(at)) {
            attributes.insert("expires_at".to_owned(), Some(expires_at));
        }
        // The merge of this chat.
        if chat.merged_into.is_some() {
            attributes.insert(CHANGED.to_owned(), Some(self.0.system.now().attribute()));
        }
        attributes.insert("inbox_position".to_owned(), listed.map(|at| string(inbox_position(at, chat.id))));
        Ok(attributes)
    }
}
