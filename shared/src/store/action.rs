//! Reactions, edits and deletions on the rows of the messages that they name.

use serde::Deserialize;

use super::{
    Store, StoreError,
    inbound::MESSAGE,
    item::{self, Item, number, string},
    keys::Key,
};
use crate::{
    domain::message::{Message, placeholder, preview},
    domain::message_action::{ActionKind, Annotations, MessageAction, merged_content},
    domain::message_key::MessageKey,
};

/// How often a row is read again because another writer noted something in between.
const ROUNDS: u32 = 20;

/// What an inbox shows in place of a message that its sender deleted.
const REVOKED: &str = "[deleted message]";

#[derive(Deserialize)]
struct Noted {
    #[serde(default)]
    annotations: Annotations,
}

/// The notes of a message's row.
pub(super) fn annotations(item: Item) -> Result<Annotations, StoreError> {
    Ok(item::read::<Noted>(MESSAGE, item)?.annotations)
}

/// What annotating a message found.
pub(super) struct Annotated {
    /// The message as it was.
    pub(super) before: Message,
    /// The message as it is now.
    pub(super) after: Message,
    /// Whether anything was written.
    pub(super) changed: bool,
}

impl Store {
    /// Applies an effect to the message at `key`. `false` when there is no such message of this number.
    pub async fn apply_action(
        &self,
        phone_number_id: &str,
        key: &MessageKey,
        action: &MessageAction,
    ) -> Result<bool, StoreError> {
        let annotated = self.annotate(key, |annotations, message| {
            // Only who wrote a message edits or deletes it.
            let may = matches!(action.act, ActionKind::React(_)) || message.from_me == action.from_me;
            if !may || message.phone_number_id != phone_number_id {
                return false;
            }
            let changed = annotations.take(action, message.body.as_deref(), message.content.as_deref());
            if changed && let ActionKind::Edit { body, content } = &action.act {
                message.content = merged_content(message.content.as_deref(), content.as_deref());
                message.body.clone_from(body);
            }
            changed
        });
        let Some(annotated) = annotated.await? else { return Ok(false) };
        if annotated.changed {
            self.show_effect(&annotated, &action.act).await?;
        }
        Ok(annotated.before.phone_number_id == phone_number_id)
    }

    /// Lets `change` work on the notes of a message, and on its text and content, until they are as they were when they
    /// were read. `None` when there is no such message.
    pub(super) async fn annotate(
        &self,
        key: &MessageKey,
        change: impl Fn(&mut Annotations, &mut Message) -> bool,
    ) -> Result<Option<Annotated>, StoreError> {
        for attempt in 0..ROUNDS {
            let Some(item) = self.get("reading a message", &Key::message(&key)).await? else { return Ok(None) };
            let before: Message = item::read(MESSAGE, item.clone())?;
            let (mut annotations, mut after) = (annotations(item)?, before.clone());
            let known = annotations.version;
            if !change(&mut annotations, &mut after) {
                return Ok(Some(Annotated { before, after, changed: false }));
            }
            annotations.version += 1;
            if self.write_notes(key, &annotations, known, &before, &after).await? {
                return Ok(Some(Annotated { before, after, changed: true }));
            }
            self.pause(attempt).await;
        }
        Err(StoreError::Contention { operation: "noting what was done to a message" })
    }

    async fn write_notes(
        &self,
        key: &MessageKey,
        annotations: &Annotations,
        known: u64,
        before: &Message,
        after: &Message,
    ) -> Result<bool, StoreError> {
        let (mut set, mut remove) = ("SET annotations = :annotations".to_owned(), Vec::new());
        let mut request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::message(&key).attributes()))
            .expression_attribute_values(":annotations", item::value(annotations)?);
        let texts = [("body", &before.body, &after.body), ("content", &before.content, &after.content)];
        for (name, _, new) in texts.into_iter().filter(|(_, old, new)| old != new) {
            match new {
                Some(text) => {
                    set += &format!(", {name} = :{name}");
                    request = request.expression_attribute_values(format!(":{name}"), string(text));
                }
                None => remove.push(name),
            }
        }
        if !remove.is_empty() {
            set += &format!(" REMOVE {}", remove.join(", "));
        }
        let request = match known {
            0 => request.condition_expression("attribute_exists(pk) AND attribute_not_exists(annotations)"),
            known => request
                .condition_expression("annotations.version = :known")
                .expression_attribute_values(":known", number(known)),
        };
        self.update_if("noting what was done to a message", request.update_expression(set)).await
    }

    /// The chat's summary follows where it shows the message.
    async fn show_effect(&self, annotated: &Annotated, act: &ActionKind) -> Result<(), StoreError> {
        let Annotated { before, after, .. } = annotated;
        let shown = |message: &Message| message.body.as_deref().map_or_else(|| placeholder(message.kind), preview);
        let new = match act {
            ActionKind::React(_) => return Ok(()),
            ActionKind::Edit { .. } => shown(after),
            ActionKind::Revoke => REVOKED.to_owned(),
        };
        let chat_id = self.chat(before.chat_id).await?.map_or(before.chat_id, |chat| chat.id);
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::chat(chat_id).attributes()))
            .update_expression("SET last_message = :new")
            .condition_expression("last_message_at = :at AND last_message = :old")
            .expression_attribute_values(":new", string(new))
            .expression_attribute_values(":old", string(shown(before)))
            .expression_attribute_values(":at", string(before.timestamp.to_string()));
        self.update_if("showing what was done to a message", request).await.map(drop)
    }
}
