//! A contact's opt-out (STOP) and opt-in (START).

use super::{Chats, StoreError, keys::Key, update::UpdateBuilder};
use crate::domain::{auto_reply::ConsentWord, chat::ChatType, id::ChatId, time::Timestamp};

/// Attempts to update the chat while it is merged into another one.
const ROUNDS: u32 = 5;

const OPERATION: &str = "recording a contact's consent";

impl Chats<'_> {
    /// Records that the contact of a chat opted out or in at `at`, unless they sent a later word. Of two words in the
    /// same second, STOP wins. Words in a group don't count.
    pub async fn set_consent(self, chat_id: ChatId, word: ConsentWord, at: Timestamp) -> Result<(), StoreError> {
        let (opted_out, earlier) = match word {
            ConsentWord::Stop => (true, "consent_at <= ?"),
            ConsentWord::Start => (false, "consent_at < ?"),
        };
        for _ in 0..ROUNDS {
            let Some(chat) = self.get(chat_id).await?.filter(|chat| chat.kind != ChatType::Group) else {
                return Ok(());
            };
            if chat.consent_at.is_some_and(|consent_at| consent_at > at) {
                return Ok(());
            }
            let update = UpdateBuilder::new(&Key::chat(chat.id))
                .set("opted_out", opted_out)
                .set("consent_at", at)
                .condition("attribute_exists(pk) AND attribute_not_exists(merged_into)")
                .condition((&*format!("attribute_not_exists(consent_at) OR {earlier}"), at));
            if self.0.update_if(OPERATION, update).await? || chat.consent_at == Some(at) {
                return Ok(());
            }
        }
        Err(StoreError::Contention { operation: OPERATION })
    }
}
