//! A contact's STOP and START.

use super::{Store, StoreError, keys::Key, update::UpdateBuilder};
use crate::{domain::auto_reply::ConsentWord, domain::chat::ChatType, domain::id::ChatId, domain::time::Timestamp};

/// How often the chat is read again because it was merged between reading and writing.
const ROUNDS: u32 = 5;

const OPERATION: &str = "recording a contact's consent";

impl Store {
    /// Keeps the word that the contact of a chat said at `at`, unless he said another one later. Of two in one second
    /// STOP counts. What one says in a group is not the group's word.
    pub async fn set_consent(&self, chat_id: ChatId, word: ConsentWord, at: Timestamp) -> Result<(), StoreError> {
        let (opted_out, earlier) = match word {
            ConsentWord::Stop => (true, "consent_at <= ?"),
            ConsentWord::Start => (false, "consent_at < ?"),
        };
        for _ in 0..ROUNDS {
            let Some(chat) = self.chat(chat_id).await?.filter(|chat| chat.kind != ChatType::Group) else {
                return Ok(());
            };
            if chat.consent_at.is_some_and(|said| said > at) {
                return Ok(());
            }
            let update = UpdateBuilder::new(&Key::chat(chat.id))
                .set("opted_out", opted_out)
                .set("consent_at", at)
                .condition("attribute_exists(pk) AND attribute_not_exists(merged_into)")
                .condition((&*format!("attribute_not_exists(consent_at) OR {earlier}"), at));
            if self.update_if(OPERATION, update).await? || chat.consent_at == Some(at) {
                return Ok(());
            }
        }
        Err(StoreError::Contention { operation: OPERATION })
    }
}
