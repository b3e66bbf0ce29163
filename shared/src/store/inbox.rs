//! Lists of chats and messages, and changes of a chat.

use std::time::Duration;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use futures_util::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::{
    Chats, Messages, StoreError,
    chat::CHAT,
    item::{self, Item, string},
    keys::{Key, inbox_key, message_key},
    lookup::{MessageMetadata, read_message},
    update::{UpdateBuilder, WriteOutcome},
};
use crate::domain::{
    chat::{Chat, ChatStatus},
    cursor::{MessagePosition, Position},
    id::ChatId,
    inbox::{ChatChange, ChatList, MessageList},
    message::Message,
    page::{Order, Page, Segment, merge},
    time::Timestamp,
};

/// Concurrent requests.
const PARALLEL: usize = 16;

/// The maximum number of chats to read for one page of a filtered list: half a megabyte at most, or about 60 read
/// units.
const MAX_FILTERED: usize = 400;

/// The number of messages to read at once if the requested ones don't include the end of a second.
const SECOND_PAGE: usize = 100;

/// A part of a chat's messages.
type MessageSegment = Segment<(Message, MessageMetadata), MessagePosition>;

/// Attempts to change a chat while it is merged into another one.
const ROUNDS: usize = 5;

impl Chats<'_> {
    /// Returns a page of a session's chats, newest message first. Takes one query per status and shard. Eventually
    /// consistent.
    pub async fn list(self, list: &ChatList) -> Result<Page<Chat>, StoreError> {
        let statuses = list.filter.status.map_or(ChatStatus::ALL.to_vec(), |status| vec![status]);
        let keys: Vec<String> = statuses
            .iter()
            .flat_map(|&status| (0..self.0.inbox_shards).map(move |shard| inbox_key(list.session_id, status, shard)))
            .collect();
        let is_filtered = list.filter.kind.is_some() || list.filter.unread.is_some();
        let share = if is_filtered { MAX_FILTERED / keys.len() } else { 0 };
        let size = segment_size(list.limit, keys.len()).max(share);
        let segments = stream::iter(keys)
            .map(|key| async move {
                let query = self
                    .0
                    .client
                    .query()
                    .table_name(&self.0.table)
                    .index_name("inbox")
                    .expression_attribute_values(":key", string(key));
                let query = match list.after {
                    None => query.key_condition_expression("inbox_key = :key"),
                    Some(after) => query
                        .key_condition_expression("inbox_key = :key AND inbox_position < :after")
                        .expression_attribute_values(":after", string(after.to_string())),
                };
                let position = |item: &Item| Position::parse(item.get("inbox_position")?.as_s().ok()?);
                let segment = segment("listing chats", query, Order::Descending, size, position).await?;
                let read = |(position, item)| Ok((position, item::read::<Chat>(CHAT, item)?));
                let items = segment.items.into_iter().map(read).collect::<Result<_, StoreError>>()?;
                Ok::<_, StoreError>(Segment { items, reached: segment.reached })
            })
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        Ok(merge(segments, Order::Descending, list.limit, |chat| list.filter.matches(chat)))
    }

    /// Changes a chat, or the chat that it was merged into since it was read. Returns the chat after the change; `None`
    /// if it no longer exists.
    pub async fn change(self, chat: &Chat, change: &ChatChange) -> Result<Option<Chat>, StoreError> {
        let operation = "changing a chat";
        let mut chat = chat.clone();
        for _ in 0..ROUNDS {
            let update = self.chat_update(&chat, change).returning_new();
            if let WriteOutcome::Written { item } = self.0.update(operation, update).await? {
                return item::read(CHAT, item.unwrap_or_default()).map(Some);
            }
            match self.get(chat.id).await? {
                Some(found) => chat = found,
                None => return Ok(None),
            }
        }
        Err(StoreError::Contention { operation })
    }

    fn chat_update(self, chat: &Chat, change: &ChatChange) -> UpdateBuilder {
        let shard = chat.id.shard(self.0.inbox_shards);
        let update = UpdateBuilder::new(&Key::chat(chat.id))
            .set("status", change.status)
            .set("inbox_key", change.status.map(|status| inbox_key(chat.session_id, status, shard)))
            .set("is_unread", change.is_unread)
            .set("unread_count", change.is_unread.filter(|is_unread| !is_unread).map(|_| 0))
            .set("consent_api", change.consent.map(|marketing| chat.consent.next(marketing, self.0.system.now())))
            .condition("attribute_exists(pk) AND attribute_not_exists(merged_into)");
        match change.name.as_deref() {
            None => update,
            Some(name) => update.set_or_remove("custom_name", Some(name).filter(|name| !name.is_empty())),
        }
    }
}

impl Messages<'_> {
    /// Returns a page of a chat's messages, including those of the chats that were merged into it. Takes one query per
    /// chat, and more if many messages have the same second.
    pub async fn list(
        self,
        chat: &Chat,
        list: &MessageList,
    ) -> Result<Page<(Message, MessageMetadata), MessagePosition>, StoreError> {
        let partitions: Vec<ChatId> = chat.partitions().collect();
        let size = segment_size(list.limit, partitions.len());
        let segments = stream::iter(partitions)
            .map(|chat_id| self.segment(chat_id, list, size))
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        Ok(merge(segments, list.order, list.limit, |_| true))
    }

    /// Reads at least `size` messages of one partition, unless it has fewer. Sort keys don't order the messages of one
    /// second by arrival, so this reads seconds as a whole: from the start of the cursor's second to the end of another.
    async fn segment(self, chat_id: ChatId, list: &MessageList, size: usize) -> Result<MessageSegment, StoreError> {
        // The start key doesn't have to exist, so one cursor works for all partitions.
        let mut start = list.after.map(|after| second_edge(chat_id, after.second, list.order).attributes());
        let mut items: Vec<(MessagePosition, _)> = Vec::new();
        // One message more shows that a second has ended. Another one is the cursor's own.
        let mut limit = size + 1 + usize::from(list.after.is_some());
        loop {
            let output = self
                .0
                .client
                .query()
                .table_name(&self.0.table)
                .consistent_read(true)
                .key_condition_expression("pk = :pk AND begins_with(sk, :message)")
                .expression_attribute_values(":pk", string(Key::chat(chat_id).pk))
                .expression_attribute_values(":message", string("MESSAGE#"))
                .set_exclusive_start_key(start)
                .scan_index_forward(list.order == Order::Ascending)
                .limit(i32::try_from(limit).unwrap_or(i32::MAX))
                .send()
                .await
                .map_err(StoreError::request("listing messages"))?;
            start = output.last_evaluated_key;
            let mut last_second = None;
            for item in output.items.unwrap_or_default() {
                let (message, metadata) = read_message(item)?;
                let position = message.position();
                last_second = Some(position.second);
                if list.after.is_none_or(|after| list.order.is_before(after, position)) {
                    items.push((position, (message, metadata)));
                }
            }
            let is_complete = |position: &MessagePosition| start.is_none() || Some(position.second) != last_second;
            let complete = items.partition_point(|(position, _)| is_complete(position));
            if start.is_none() || complete >= size {
                items.truncate(complete);
                items.sort_by(|(a, _), (b, _)| if list.order == Order::Ascending { a.cmp(b) } else { b.cmp(a) });
                let reached = start.and(items.last().map(|(position, _)| *position));
                return Ok(Segment { items, reached });
            }
            limit = SECOND_PAGE;
        }
    }
}

/// Returns the key before the messages of a second in a list, in its order.
fn second_edge(chat_id: ChatId, second: Timestamp, order: Order) -> Key {
    let id = if order == Order::Ascending { Uuid::nil() } else { Uuid::max() };
    let at = if order == Order::Ascending { second } else { second.after(Duration::from_millis(999)) };
    message_key(chat_id, Position { at, id })
}

/// Returns how many entries of each segment to read for a page of `limit` entries. With few segments, all of them. With
/// many, about three times the even share, which nearly always fills the page.
fn segment_size(limit: usize, segments: usize) -> usize {
    if segments <= ChatStatus::ALL.len() { limit } else { limit.min(3 * limit / segments + 8) }
}

/// Reads one segment of a list with one request.
async fn segment(
    operation: &'static str,
    query: QueryFluentBuilder,
    order: Order,
    size: usize,
    position: impl Fn(&Item) -> Option<Position>,
) -> Result<Segment<Item>, StoreError> {
    let output = query
        .scan_index_forward(order == Order::Ascending)
        .limit(i32::try_from(size).unwrap_or(i32::MAX))
        .send()
        .await
        .map_err(StoreError::request(operation))?;
    let reached = output.last_evaluated_key.as_ref().and_then(&position);
    let items = output.items.unwrap_or_default().into_iter();
    Ok(Segment { items: items.filter_map(|item| Some((position(&item)?, item))).collect(), reached })
}
