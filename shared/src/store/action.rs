//! Reactions, edits, and deletions of messages.

use serde::Deserialize;

use super::{
    EarlyAction, Messages, StoreError,
    item::{self, Item},
    keys::Key,
    message_item::{self, change_texts},
    update::{Condition, UpdateBuilder},
};
use crate::domain::{
    id::ChatId,
    message::{Message, MessageStatus, preview},
    message_action::{ActionKind, Annotations, MessageAction, merged_content},
    message_key::MessageKey,
    status_update::PaymentUpdate,
};

/// Attempts to annotate a message while other writers annotate it too.
const ROUNDS: u32 = 20;

/// The inbox preview of a message that its sender deleted.
const REVOKED: &str = "[deleted message]";

#[derive(Deserialize)]
struct AnnotatedItem {
    #[serde(default)]
    annotations: Annotations,
}

/// Reads the annotations of a message's item.
pub(super) fn annotations(item: Item) -> Result<Annotations, StoreError> {
    Ok(message_item::read::<AnnotatedItem>(item)?.annotations)
}

/// The result of annotating a message.
pub(super) struct Annotated {
    /// The message before.
    pub(super) before: Message,
    /// The message after.
    pub(super) after: Message,
    /// Whether anything was written.
    pub(super) changed: bool,
}

impl Messages<'_> {
    /// Applies an action of a chat to the message at `key`. Returns `false` if this number has no such message in this
    /// chat.
    pub async fn apply_action(
        self,
        phone_number_id: &str,
        key: &MessageKey,
        action: &MessageAction,
        chat_id: ChatId,
    ) -> Result<bool, StoreError> {
        if !self.0.chats().are_one(key.chat_id, chat_id).await? {
            return Ok(false);
        }
        let annotated = self.annotate(key, |annotations, message| {
            if !message.allows(action) || message.phone_number_id != phone_number_id {
                return false;
            }
            let changed = annotations.apply(action, message.body.as_deref(), message.content.as_deref());
            if changed && let ActionKind::Edit { body, content } = &action.kind {
                message.content = merged_content(message.content.as_deref(), content.as_deref());
                message.body.clone_from(body);
            }
            changed
        });
        let Some(annotated) = annotated.await? else { return Ok(false) };
        if annotated.changed {
            self.update_preview(&annotated, &action.kind).await?;
        }
        Ok(annotated.before.phone_number_id == phone_number_id)
    }

    /// Applies an action to its target in the same chat, or stores it as an early update until the target is known.
    /// Applying it again changes nothing. Without `chat_id`, the action's own message has the chat.
    pub async fn apply_or_store_action(
        self,
        phone_number_id: &str,
        action: MessageAction,
        chat_id: Option<ChatId>,
    ) -> Result<(), StoreError> {
        let chat_id = match chat_id {
            Some(chat_id) => Some(chat_id),
            None => self.find_by_wamid(phone_number_id, &action.wamid).await?.map(|key| key.chat_id),
        };
        let Some(chat_id) = chat_id else { return Ok(()) };
        if self.apply_to_target(phone_number_id, &action, chat_id).await? {
            return Ok(());
        }
        let early = EarlyAction::new(phone_number_id, action, chat_id, self.0.system.now());
        self.put_early_action(&early).await
    }

    /// Returns whether the target is stored.
    async fn apply_to_target(
        self,
        phone_number_id: &str,
        action: &MessageAction,
        chat_id: ChatId,
    ) -> Result<bool, StoreError> {
        for key in self.keys_by_wamid(phone_number_id, &action.target).await? {
            if self.apply_action(phone_number_id, &key, action, chat_id).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Shows a reaction that was sent through the API on its target once WhatsApp has accepted it, and removes it again
    /// if WhatsApp couldn't deliver it. Does nothing for other messages.
    ///
    /// Call this after every change of a reaction's status. The status can change meanwhile, so it is read again until
    /// it is the one that the target shows.
    pub async fn sync_reaction(self, key: &MessageKey) -> Result<(), StoreError> {
        let mut shown = None;
        for _ in 0..ROUNDS {
            let Some(item) = self.0.get("reading a reaction", &Key::message(key)).await? else { return Ok(()) };
            let message: Message = message_item::read(item)?;
            let Some(action) = message.own_reaction() else { return Ok(()) };
            let should_show = match message.status {
                MessageStatus::Sent | MessageStatus::Delivered | MessageStatus::Read | MessageStatus::Played => true,
                // With an ID from WhatsApp, a failed message is an undelivered one, which is stored as `failed`.
                MessageStatus::Undelivered | MessageStatus::Failed => false,
                _ => return Ok(()),
            };
            if shown == Some(should_show) {
                return Ok(());
            }
            let number = message.phone_number_id.as_str();
            if should_show {
                self.apply_or_store_action(number, action, Some(message.chat_id)).await?;
            } else if let Some(target) = self.find_by_wamid(number, &action.target).await? {
                let withdraw = |annotations: &mut Annotations, _: &mut Message| {
                    annotations.withdraw_reaction(&action.by, &action.wamid)
                };
                self.annotate(&target, withdraw).await?;
            }
            shown = Some(should_show);
        }
        Err(StoreError::Contention { operation: "showing a reaction" })
    }

    /// Shows a payment on the message that asked for it. Does nothing if this number has no such message.
    pub async fn apply_payment(self, update: &PaymentUpdate) -> Result<(), StoreError> {
        let Some(key) = self.find_by_wamid(&update.phone_number_id, &update.wamid).await? else { return Ok(()) };
        let apply = |annotations: &mut Annotations, message: &mut Message| {
            message.phone_number_id == update.phone_number_id && annotations.apply_payment(&update.payment)
        };
        self.annotate(&key, apply).await.map(drop)
    }

    /// Applies `change` to the annotations, text, and content of a message, with optimistic locking. `change` runs
    /// again if another writer was faster, and returns whether anything is to be written. Returns `None` if there is no
    /// such message.
    pub(super) async fn annotate(
        self,
        key: &MessageKey,
        change: impl Fn(&mut Annotations, &mut Message) -> bool,
    ) -> Result<Option<Annotated>, StoreError> {
        for attempt in 0..ROUNDS {
            let Some(item) = self.0.get("reading a message", &Key::message(key)).await? else { return Ok(None) };
            let before: Message = message_item::read(item.clone())?;
            let (mut annotations, mut after) = (annotations(item.clone())?, before.clone());
            let known = annotations.version;
            if !change(&mut annotations, &mut after) {
                return Ok(Some(Annotated { before, after, changed: false }));
            }
            annotations.version += 1;
            if self.write_annotations(key, &annotations, known, &item, &after).await? {
                return Ok(Some(Annotated { before, after, changed: true }));
            }
            self.0.pause(attempt).await;
        }
        Err(StoreError::Contention { operation: "annotating a message" })
    }

    async fn write_annotations(
        self,
        key: &MessageKey,
        annotations: &Annotations,
        known: u64,
        before: &Item,
        after: &Message,
    ) -> Result<bool, StoreError> {
        let update = UpdateBuilder::new(&Key::message(key))
            .set("annotations", item::value(annotations)?)
            .condition(has_version(known));
        self.0.update_if("annotating a message", change_texts(update, before, after)?).await
    }

    /// Updates the chat's last message if it is the annotated one.
    async fn update_preview(self, annotated: &Annotated, act: &ActionKind) -> Result<(), StoreError> {
        let Annotated { before, after, .. } = annotated;
        let shown = |message: &Message| preview(message.kind, message.body.as_deref());
        let new = match act {
            ActionKind::React(_) => return Ok(()),
            ActionKind::Edit { .. } => shown(after),
            ActionKind::Revoke => REVOKED.to_owned(),
        };
        let chat_id = self.0.chats().get(before.chat_id).await?.map_or(before.chat_id, |chat| chat.id);
        let update = UpdateBuilder::new(&Key::chat(chat_id))
            .set("last_message", new)
            .condition(("last_message_at = ?", before.timestamp))
            .condition(("last_message = ?", shown(before)));
        self.0.update_if("updating a chat's last message", update).await.map(drop)
    }
}

/// Requires that a message's annotations have this version.
pub(super) fn has_version(version: u64) -> Condition {
    match version {
        0 => "attribute_exists(pk) AND attribute_not_exists(annotations)".into(),
        version => ("annotations.version = ?", version).into(),
    }
}
