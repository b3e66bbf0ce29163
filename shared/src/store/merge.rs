//! Chats that turned out to be with the same person: nothing is moved, one row points to the other.

use super::{Store, StoreError, chat::CHAT, item, keys::Key};
use crate::{
    chat::{Chat, MOST_MERGED},
    id::ChatId,
};

impl Store {
    /// The chat with this id, or the one that it was merged into; `None` when there is no such chat. Its messages are in
    /// all its [`Chat::partitions`].
    pub async fn chat(&self, id: ChatId) -> Result<Option<Chat>, StoreError> {
        let mut id = id;
        for _ in 0..=MOST_MERGED {
            let Some(item) = self.get("reading a chat", &Key::chat(id)).await? else { return Ok(None) };
            let chat: Chat = item::read(CHAT, item)?;
            match chat.merged_into {
                Some(into) => id = into,
                None => return Ok(Some(chat)),
            }
        }
        Err(StoreError::Contention { operation: "following merged chats" })
    }
}
