//! The end of calls.

use super::{
    Messages, StoreError,
    keys::{Key, inbox_key},
    message_item::{self, change_texts},
    transaction::Transaction,
    update::{Condition, UpdateBuilder},
};
use crate::domain::{
    call::CallStatus,
    chat::{Chat, ChatStatus},
    inbound::Inbound,
    message::Message,
    message_key::MessageKey,
};

/// Attempts to end a call while other writers change its chat.
const ROUNDS: u32 = 20;

/// The attribute of a call that has ended.
pub(super) const CALL_ENDED: &str = "call_ended";

impl Messages<'_> {
    /// Records the end of a call, if its message was stored before it ended. A missed call is unread from then on.
    ///
    /// `expected` is the key of the message, unless it was stored in a chat that was merged later.
    pub async fn end_call(
        self,
        phone_number_id: &str,
        expected: &MessageKey,
        call: &Inbound,
    ) -> Result<(), StoreError> {
        let Some(status) = call.call else { return Ok(()) };
        let mut key = *expected;
        for round in 0..ROUNDS {
            if round > 0 {
                self.0.pause(round).await;
            }
            let Some(item) = self.0.get("reading a call", &Key::message(&key)).await? else {
                match self.find_by_wamid(phone_number_id, &call.wamid).await? {
                    Some(found) if found != key => key = found,
                    _ => return Ok(()),
                }
                continue;
            };
            let has_ended = item.contains_key(CALL_ENDED);
            let before: Message = message_item::read(item.clone())?;
            if call.from_me && call.opens_window {
                // Before the end is recorded, so that a repetition after a failure opens the window too.
                let accepted_at = call.timestamp.clamped_to(self.0.system.now());
                self.open_window(before.chat_id, Some(accepted_at), None).await?;
            }
            if has_ended {
                return Ok(());
            }
            let raw = self.0.put_raw_parts(&before.id.to_string(), &call.raw, self.0.retention).await?;
            let content = call.content.clone().or_else(|| before.content.clone());
            let after = Message { content, raw: Some(raw.first.to_owned()), ..before.clone() };
            let ended = UpdateBuilder::new(&Key::message(&key))
                .set(CALL_ENDED, true)
                .condition("attribute_exists(pk)")
                .condition(Condition::from(&*format!("attribute_not_exists({CALL_ENDED})")));
            let mut actions = vec![self.0.update_action(change_texts(ended, &item, &after)?)];
            if let Some(chat) = self.0.chats().get(before.chat_id).await? {
                actions.extend(self.after_call(&chat, &before, status).map(|update| self.0.update_action(update)));
            }
            if let Transaction::Committed = self.0.transact("ending a call", actions).await? {
                return Ok(());
            }
        }
        Err(StoreError::Contention { operation: "ending a call" })
    }

    /// Returns the update of the chat after one of its calls has ended, if anything changes.
    fn after_call(self, chat: &Chat, call: &Message, status: CallStatus) -> Option<UpdateBuilder> {
        let is_missed = status == CallStatus::Missed && !call.from_me;
        let (before, after) = (CallStatus::Started.preview(call.from_me), status.preview(call.from_me));
        let is_last = chat.last_message_at == Some(call.timestamp)
            && chat.last_message.as_deref() == Some(before)
            && before != after;
        if !is_missed && !is_last {
            return None;
        }
        let mut update = UpdateBuilder::new(&Key::chat(chat.id))
            .condition("attribute_exists(pk)")
            .condition("attribute_not_exists(merged_into)");
        if is_last {
            update = update
                .set("last_message", after)
                .condition(("last_message_at = ?", call.timestamp))
                .condition(("last_message = ?", before));
        }
        if is_missed {
            update = update
                .set("is_unread", true)
                .add("unread_count", 1)
                .condition(Condition::equals("status", Some(chat.status)));
            if chat.status.is_closed() {
                let shard = chat.id.shard(self.0.inbox_shards);
                update = update
                    .set("status", ChatStatus::Inbox)
                    .set("inbox_key", inbox_key(chat.session_id, ChatStatus::Inbox, shard));
            }
        }
        Some(update)
    }
}
