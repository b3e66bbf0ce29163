//! Automatic replies: the conditions of one transaction enforce one reply per message and the limits.

use serde_json::json;

use super::{
    Outbox, StoreError,
    chat::{CHAT, Expected, Summary, Unread},
    item::{self, number},
    keys::Key,
    transaction::Transaction,
    update::{Condition, UpdateBuilder},
};
use crate::domain::{
    auto_reply::History,
    chat::{Chat, MAX_MERGED},
    id::{ChatId, MessageId, RuleId},
    message::Message,
    message_key::MessageKey,
    time::Timestamp,
};

const REPLIES: &str = "replies";

/// The chat data that an auto-reply decision needs.
#[derive(Debug)]
pub struct ReplyContext {
    /// The chat, or the one that it was merged into.
    pub chat: Chat,
    /// The history of its automatic replies.
    pub history: History,
}

/// A reply to store.
#[derive(Debug)]
pub struct Reply<'a> {
    /// The reply, pending.
    pub message: &'a Message,
    /// The message that it answers.
    pub inbound: MessageKey,
    /// The rule that matched.
    pub rule_id: RuleId,
    /// The chat as it was read.
    pub chat: &'a Chat,
    /// The last automatic reply of the chat as it was read.
    pub last_reply: Option<MessageId>,
    /// The history after this reply.
    pub history: &'a History,
    /// When the history expires.
    pub history_expires_at: Timestamp,
    /// The reply is stored only if no agent has replied after this time.
    pub quiet_since: Timestamp,
}

/// The outcome of [`Outbox::store_reply`].
#[derive(Debug, PartialEq, Eq)]
pub enum ReplyOutcome {
    /// The reply is stored.
    Stored,
    /// The message already has an automatic reply, or no longer exists.
    Settled,
    /// The chat isn't as it was read. Decide again.
    Changed,
}

impl Outbox<'_> {
    /// Returns a chat and the history of its automatic replies. Takes one request unless the chat was merged.
    pub async fn reply_context(self, chat_id: ChatId) -> Result<Option<ReplyContext>, StoreError> {
        let mut chat_id = chat_id;
        for _ in 0..=MAX_MERGED {
            let (chat_key, history_key) = (Key::chat(chat_id), Key::replies(chat_id));
            let mut items = self.0.get_all("reading a chat", vec![chat_key.clone(), history_key.clone()]).await?;
            let Some(chat) = items.remove(&chat_key) else { return Ok(None) };
            let chat: Chat = item::read(CHAT, chat)?;
            if let Some(into) = chat.merged_into {
                chat_id = into;
                continue;
            }
            let history = items.remove(&history_key).map(|item| item::read(REPLIES, item)).transpose()?;
            return Ok(Some(ReplyContext { chat, history: history.unwrap_or_default() }));
        }
        Err(StoreError::Contention { operation: "following merged chats" })
    }

    /// Stores a reply in one transaction. Marks the message that it answers, which refuses a second reply, and requires
    /// that the chat is as it was when the rules were evaluated.
    pub async fn store_reply(self, reply: &Reply<'_>) -> Result<ReplyOutcome, StoreError> {
        let chat = reply.chat.clone().after_reply(reply.message);
        let summary = Summary {
            chat: &chat,
            unread: Unread::Leave,
            reopens: false,
            has_latest_profile: false,
            has_latest_addresses: false,
            replaces_saved_name: false,
            merged: None,
            shows: chat.last_message_at == Some(reply.message.timestamp),
            expects: Expected::Quiet(reply.chat.last_outbound.as_deref(), reply.quiet_since),
        };
        let mut history = item::write(REPLIES, &Key::replies(chat.id), reply.history)?;
        history.insert("expires_at".to_owned(), number(reply.history_expires_at.seconds()));
        let unchanged = match reply.last_reply {
            None => "attribute_not_exists(pk)".into(),
            Some(last) => Condition::from(("last_reply = ?", last)),
        };
        let mark = UpdateBuilder::new(&Key::message(&reply.inbound))
            .set("auto_reply", item::value(&json!({"rule_id": reply.rule_id, "message_id": reply.message.id}))?)
            .condition("attribute_exists(pk) AND attribute_not_exists(auto_reply)");
        let actions = vec![
            self.0.update_action(mark),
            self.put_pending(reply.message, None, false)?,
            self.0.chats().upsert(&summary),
            self.0.put_action(history, unchanged),
        ];
        match self.0.transact("storing an automatic reply", actions).await? {
            Transaction::Committed => Ok(ReplyOutcome::Stored),
            Transaction::Refused(refusals) if refusals.first().is_some_and(|mark| mark.failed) => {
                Ok(ReplyOutcome::Settled)
            }
            Transaction::Refused(_) => Ok(ReplyOutcome::Changed),
        }
    }
}
