//! Erasing chats and sessions. See [`crate::domain::erasure`].

mod delete;
mod session;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};

use super::{
    Store, StoreError,
    chat::CHAT,
    item::{self, Item, string},
    keys::{Key, erase_key},
    transaction::Transaction,
    update::Condition,
};
use crate::{
    domain::chat::Chat,
    domain::erasure::{Erasure, Target},
    domain::id::ChatId,
    domain::time::Timestamp,
};

const ERASURE: &str = "erasure";

/// How often an erasure is begun anew because the chat or the session changed.
const ROUNDS: usize = 10;

/// The most identities that go in the transaction that an erasure begins with; 51 rows and the order come on top. The
/// others, if a person should have so many, go with the rest.
const MAX_IDENTITIES: usize = 40;

/// What going through a partition found.
#[derive(Clone, Copy, Debug, Default)]
struct Swept {
    /// Messages that are gone.
    erased: u64,
    /// Whether anything came later and stays.
    has_later: bool,
    /// Whether it was gone through to the end.
    complete: bool,
}

impl Store {
    /// Takes a chat's rows and its identities away, and leaves the order to erase the rest, in one transaction. What
    /// comes from now on makes the chat anew. `None` when the chat is gone.
    pub async fn begin_chat_erasure(&self, chat: &Chat) -> Result<Option<Erasure>, StoreError> {
        let mut chat = chat.clone();
        for _ in 0..ROUNDS {
            let target = Target::Chat(chat.id);
            let mut erasure = Erasure::new(target, chat.session_id, self.system.now());
            erasure.chats = chat.partitions().collect();
            let mut actions = vec![self.order(&erasure)?];
            // A chat that was merged into this one in the meantime would be left behind.
            let unchanged = "attribute_exists(pk) AND attribute_not_exists(merged_into) \
                             AND (attribute_not_exists(merged) OR size(merged) = ?)";
            actions.push(self.delete_action(&Key::chat(chat.id), (unchanged, chat.merged.len())));
            for merged in &chat.merged {
                actions.push(self.delete_action(&Key::chat(merged.chat_id), Condition::none()));
            }
            for (chat_id, identity) in self.identities(&chat).await?.into_iter().take(MAX_IDENTITIES) {
                actions.push(self.delete_action(&identity, ("chat_id = ?", chat_id)));
            }
            if let Transaction::Committed = self.transact("beginning to erase a chat", actions).await? {
                return Ok(Some(erasure));
            }
            match self.chat(chat.id).await? {
                Some(found) => chat = found,
                None => return Ok(None),
            }
        }
        Err(StoreError::Contention { operation: "beginning to erase a chat" })
    }

    /// The order to erase something, if it is not carried out yet.
    pub async fn erasure(&self, target: Target) -> Result<Option<Erasure>, StoreError> {
        let item = self.get("reading an erasure", &Key::erasure(target)).await?;
        item.map(|item| item::read(ERASURE, item)).transpose()
    }

    /// The orders that are due, oldest first.
    pub async fn due_erasures(&self, limit: i32) -> Result<Vec<Erasure>, StoreError> {
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("due")
            .key_condition_expression("due_key = :key AND due_at <= :now")
            .expression_attribute_values(":key", string(erase_key()))
            .expression_attribute_values(":now", string(self.system.now().to_string()))
            .limit(limit)
            .send()
            .await
            .map_err(StoreError::request("looking for erasures"))?;
        let mut erasures = Vec::new();
        for key in output.items().iter().filter_map(Key::from_item) {
            if let Some(item) = self.get("reading an erasure", &key).await? {
                erasures.push(item::read(ERASURE, item)?);
            }
        }
        Ok(erasures)
    }

    /// Goes on with an erasure until `deadline`, and keeps how far it came. Two who do so at once do no harm.
    pub async fn erase(&self, mut erasure: Erasure, deadline: Timestamp) -> Result<Erasure, StoreError> {
        let swept = match erasure.target {
            Target::Chat(_) => self.erase_chat(&erasure, deadline).await?,
            Target::Session(session_id) => self.erase_session(session_id, &erasure, deadline).await?,
        };
        erasure.erased += swept.erased;
        // One pass to the end and all that there was is gone; a later look can only find stragglers.
        erasure.complete |= swept.complete;
        let now = self.system.now();
        let is_over = swept.complete && erasure.next_look(now).is_none();
        // Refused when a newer request for the same target has replaced this one.
        if is_over {
            let unchanged = ("attribute_not_exists(pk) OR requested_at = ?", erasure.requested_at);
            self.delete_if("ending an erasure", &Key::erasure(erasure.target), unchanged).await?;
        } else {
            let due_at = if swept.complete { erasure.next_look(now).unwrap_or(now) } else { now };
            let unchanged = ("requested_at = ?", erasure.requested_at);
            self.put_if("saving an erasure", order_item(&erasure, due_at)?, unchanged).await?;
        }
        Ok(erasure)
    }

    async fn erase_chat(&self, erasure: &Erasure, deadline: Timestamp) -> Result<Swept, StoreError> {
        let cutoff = erasure.covers_until(None, self.system.now());
        let mut all = Swept { complete: true, ..Swept::default() };
        for chat_id in &erasure.chats {
            let swept = self.sweep(*chat_id, cutoff, deadline).await?;
            all.erased += swept.erased;
            all.has_later |= swept.has_later;
            all.complete &= swept.complete;
        }
        if all.complete && !all.has_later {
            for chat_id in &erasure.chats {
                self.drop_row(*chat_id, cutoff).await?;
            }
        }
        Ok(all)
    }

    /// Takes away the row of a chat that was made by a message which came before `cutoff` and is gone, and what still
    /// leads to a chat that there is not.
    async fn drop_row(&self, chat_id: ChatId, cutoff: Timestamp) -> Result<(), StoreError> {
        if let Some(row) = self.get("reading a chat", &Key::chat(chat_id)).await? {
            let chat: Chat = item::read(CHAT, row.clone())?;
            if chat.created_at > cutoff {
                return Ok(());
            }
            let last = row.get("last_message_at").cloned().unwrap_or(AttributeValue::Null(true));
            let unchanged = ("attribute_not_exists(pk) OR last_message_at = ?", last);
            let delete = self.delete_action(&Key::chat(chat_id), unchanged);
            if let Transaction::Refused(_) = self.transact("erasing a chat", vec![delete]).await? {
                return Ok(());
            }
        }
        for identities in self.identity_keys(chat_id).await?.chunks(MAX_IDENTITIES) {
            let mut actions = vec![self.check_absent(&Key::chat(chat_id))];
            actions.extend(identities.iter().map(|identity| self.delete_action(identity, Condition::none())));
            self.transact("erasing identities", actions).await?;
        }
        Ok(())
    }

    /// The items by which a person is found who has this chat. The index follows the table by a moment.
    pub(super) async fn identity_keys(&self, chat_id: ChatId) -> Result<Vec<Key>, StoreError> {
        let keys = self.keys_by_id("reading a chat's identities", chat_id).await?;
        Ok(keys.into_iter().filter(Key::is_identity).collect())
    }

    /// The same for a chat with those that were merged into it; each with the chat that it leads to.
    async fn identities(&self, chat: &Chat) -> Result<Vec<(ChatId, Key)>, StoreError> {
        let mut identities = Vec::new();
        for chat_id in chat.partitions() {
            identities.extend(self.identity_keys(chat_id).await?.into_iter().map(|key| (chat_id, key)));
        }
        Ok(identities)
    }

    /// What the person of a chat is known by: `phone:201001234567`, `bsuid:US.1349`.
    pub async fn identities_of(&self, chat: &Chat) -> Result<Vec<String>, StoreError> {
        let identifier = |(_, key): (ChatId, Key)| Some(key.pk.splitn(3, '#').nth(2)?.to_owned());
        Ok(self.identities(chat).await?.into_iter().filter_map(identifier).collect())
    }

    fn order(&self, erasure: &Erasure) -> Result<TransactWriteItem, StoreError> {
        // An earlier order for the same chat is taken up by this one, which covers more.
        let item = order_item(erasure, erasure.requested_at)?;
        Ok(self.put_action(item, Condition::none()))
    }
}

fn order_item(erasure: &Erasure, due_at: Timestamp) -> Result<Item, StoreError> {
    let mut item = item::write(ERASURE, &Key::erasure(erasure.target), erasure)?;
    item.insert("due_key".to_owned(), string(erase_key()));
    item.insert("due_at".to_owned(), string(due_at.to_string()));
    Ok(item)
}
