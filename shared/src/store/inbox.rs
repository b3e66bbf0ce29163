//! The inbox: chats by their last message, messages of a chat by their time, and a chat's own row.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    Store, StoreError,
    chat::CHAT,
    item::{self, Item, string},
    keys::{Key, inbox_key, message_key, message_position},
    lookup::{MessageMetadata, read_message},
    update::{UpdateBuilder, WriteOutcome},
};
use crate::{
    domain::chat::{Chat, ChatStatus},
    domain::cursor::Position,
    domain::id::ChatId,
    domain::inbox::{ChatChange, ChatList, MessageList},
    domain::message::Message,
    domain::page::{Order, Page, Segment, merge},
};

/// Lists that are read at once.
const PARALLEL: usize = 16;

/// The most chats that are looked at for one page of a filtered list, whatever the number of chats. They come to half a
/// megabyte at most, which costs about 60 read units.
const MAX_FILTERED: usize = 400;

/// How often an update is made anew because the chat was merged into another one.
const ROUNDS: usize = 5;

impl Store {
    /// A page of a session's chats, newest message first. It takes one query for each list and shard, whatever the
    /// number of chats. The index follows the table by a moment.
    pub async fn chats(&self, list: &ChatList) -> Result<Page<Chat>, StoreError> {
        let statuses = list.filter.status.map_or(ChatStatus::ALL.to_vec(), |status| vec![status]);
        let keys: Vec<String> = statuses
            .iter()
            .flat_map(|&status| (0..self.inbox_shards).map(move |shard| inbox_key(list.session_id, status, shard)))
            .collect();
        let is_filtered = list.filter.kind.is_some() || list.filter.unread.is_some();
        let share = if is_filtered { MAX_FILTERED / keys.len() } else { 0 };
        let most = per_lane(list.limit, keys.len()).max(share);
        let segments = stream::iter(keys)
            .map(|key| async move {
                let query = self
                    .client
                    .query()
                    .table_name(&self.table)
                    .index_name("inbox")
                    .expression_attribute_values(":key", string(key));
                let query = match list.after {
                    None => query.key_condition_expression("inbox_key = :key"),
                    Some(after) => query
                        .key_condition_expression("inbox_key = :key AND inbox_position < :after")
                        .expression_attribute_values(":after", string(after.to_string())),
                };
                let position = |item: &Item| Position::parse(item.get("inbox_position")?.as_s().ok()?);
                let segment = segment("listing chats", query, Order::Descending, most, position).await?;
                let read = |(position, item)| Ok((position, item::read::<Chat>(CHAT, item)?));
                let items = segment.items.into_iter().map(read).collect::<Result<_, StoreError>>()?;
                Ok::<_, StoreError>(Segment { items, reached: segment.reached })
            })
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        Ok(merge(segments, Order::Descending, list.limit, |chat| list.filter.takes(chat)))
    }

    /// A page of a chat's messages, those of the chats that were merged into it included: one query for each.
    pub async fn messages(
        &self,
        chat: &Chat,
        list: &MessageList,
    ) -> Result<Page<(Message, MessageMetadata)>, StoreError> {
        let partitions: Vec<ChatId> = chat.partitions().collect();
        let most = per_lane(list.limit, partitions.len());
        let segments = stream::iter(partitions)
            .map(|chat_id| async move {
                let query = self
                    .client
                    .query()
                    .table_name(&self.table)
                    .consistent_read(true)
                    .key_condition_expression("pk = :pk AND begins_with(sk, :message)")
                    .expression_attribute_values(":pk", string(Key::chat(chat_id).pk))
                    .expression_attribute_values(":message", string("MESSAGE#"))
                    // A place between two messages will do, so one cursor goes for all partitions.
                    .set_exclusive_start_key(list.after.map(|after| message_key(chat_id, after).attributes()));
                let position = |item: &Item| message_position(item.get("sk")?.as_s().ok()?);
                let segment = segment("listing messages", query, list.order, most, position).await?;
                let read = |(position, item): (Position, Item)| Ok((position, read_message(item)?));
                let items = segment.items.into_iter().map(read).collect::<Result<_, StoreError>>()?;
                Ok::<_, StoreError>(Segment { items, reached: segment.reached })
            })
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        Ok(merge(segments, list.order, list.limit, |_| true))
    }

    /// Changes a chat's row, and gives the chat as it then is. The chat may have been merged into another one since it
    /// was read; then that one is changed. `None` when it is gone.
    pub async fn change_chat(&self, chat: &Chat, change: &ChatChange) -> Result<Option<Chat>, StoreError> {
        let operation = "changing a chat";
        let mut chat = chat.clone();
        for _ in 0..ROUNDS {
            let update = self.chat_update(&chat, change).returning_new();
            if let WriteOutcome::Written { item } = self.update(operation, update).await? {
                return item::read(CHAT, item.unwrap_or_default()).map(Some);
            }
            match self.chat(chat.id).await? {
                Some(found) => chat = found,
                None => return Ok(None),
            }
        }
        Err(StoreError::Contention { operation })
    }

    fn chat_update(&self, chat: &Chat, change: &ChatChange) -> UpdateBuilder {
        let shard = chat.id.shard(self.inbox_shards);
        let update = UpdateBuilder::new(&Key::chat(chat.id))
            .set("status", change.status)
            .set("inbox_key", change.status.map(|status| inbox_key(chat.session_id, status, shard)))
            .set("is_unread", change.is_unread)
            .set("unread_count", change.is_unread.filter(|is_unread| !is_unread).map(|_| 0))
            .condition("attribute_exists(pk) AND attribute_not_exists(merged_into)");
        match change.name.as_deref() {
            None => update,
            Some(name) => update.set_or_remove("custom_name", Some(name).filter(|name| !name.is_empty())),
        }
    }
}

/// How much of each list to read for a page of `limit`: all of it where there are few lists; else three times a list's
/// even share and a few more, with which a page is nearly always full.
fn per_lane(limit: usize, segments: usize) -> usize {
    if segments <= ChatStatus::ALL.len() { limit } else { limit.min(3 * limit / segments + 8) }
}

/// One stretch of a list: one request.
async fn segment(
    operation: &'static str,
    query: QueryFluentBuilder,
    order: Order,
    most: usize,
    position: impl Fn(&Item) -> Option<Position>,
) -> Result<Segment<Item>, StoreError> {
    let output = query
        .scan_index_forward(order == Order::Ascending)
        .limit(i32::try_from(most).unwrap_or(i32::MAX))
        .send()
        .await
        .map_err(StoreError::request(operation))?;
    let reached = output.last_evaluated_key.as_ref().and_then(&position);
    let items = output.items.unwrap_or_default().into_iter();
    Ok(Segment { items: items.filter_map(|item| Some((position(&item)?, item))).collect(), reached })
}
