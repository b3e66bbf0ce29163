//! A contact's STOP and START.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{Store, StoreError, item::string, keys::Key};
use crate::{domain::auto_reply::ConsentWord, domain::chat::ChatType, domain::id::ChatId, domain::time::Timestamp};

/// How often the chat is read again because it was merged between reading and writing.
const ROUNDS: u32 = 5;

impl Store {
    /// Keeps the word that the contact of a chat said at `at`, unless he said another one later. Of two in one second
    /// STOP counts. What one says in a group is not the group's word.
    pub async fn set_consent(&self, chat_id: ChatId, word: ConsentWord, at: Timestamp) -> Result<(), StoreError> {
        let (opted_out, earlier) = match word {
            ConsentWord::Stop => (true, "consent_at <= :at"),
            ConsentWord::Start => (false, "consent_at < :at"),
        };
        for _ in 0..ROUNDS {
            let Some(chat) = self.chat(chat_id).await?.filter(|chat| chat.kind != ChatType::Group) else {
                return Ok(());
            };
            if chat.consent_at.is_some_and(|said| said > at) {
                return Ok(());
            }
            let request = self
                .client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(Key::chat(chat.id).attributes()))
                .update_expression("SET opted_out = :opted_out, consent_at = :at")
                .condition_expression(format!(
                    "attribute_exists(pk) AND attribute_not_exists(merged_into) AND \
                     (attribute_not_exists(consent_at) OR {earlier})"
                ))
                .expression_attribute_values(":opted_out", AttributeValue::Bool(opted_out))
                .expression_attribute_values(":at", string(at.to_string()));
            if self.update_if("keeping a contact's consent", request).await? || chat.consent_at == Some(at) {
                return Ok(());
            }
        }
        Err(StoreError::Contention { operation: "keeping a contact's consent" })
    }
}
