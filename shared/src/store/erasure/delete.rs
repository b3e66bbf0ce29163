//! Deletion of the messages of a partition.

use std::collections::HashSet;

use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Erasures, StoreError, Swept};
use crate::{
    domain::{
        id::{ChatId, MediaId, SessionId},
        media::ReceivedFile,
        message::Message,
        time::Timestamp,
    },
    store::{
        item::{Item, string},
        keys::{Key, wamid_pk},
        message_item,
        raw::may_have_more_parts,
    },
};

/// Concurrent requests.
const PARALLEL: usize = 8;

/// Number of items in a page. DynamoDB limits a page to 1 MB.
const PAGE: i32 = 100;

impl Erasures<'_> {
    /// Deletes the messages of a partition that were stored up to `cutoff`, each after its dependent items: the message
    /// leads to them.
    pub(super) async fn sweep(
        self,
        chat_id: ChatId,
        cutoff: Timestamp,
        deadline: Timestamp,
    ) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        let mut others = Vec::new();
        let mut start = None;
        loop {
            let output = self
                .0
                .client
                .query()
                .table_name(&self.0.table)
                .consistent_read(true)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", string(Key::chat(chat_id).pk))
                .limit(PAGE)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(StoreError::request("reading items to erase"))?;
            let (mut messages, mut keys, mut deliveries) = (Vec::new(), Vec::new(), Vec::new());
            for item in output.items.unwrap_or_default() {
                let Some(key) = Key::from_item(&item) else { continue };
                if key == Key::chat(chat_id) {
                    continue;
                }
                // Of a later message of the contact. An attempt of an earlier one can have content in its response.
                if key.webhook_of_delivery().is_some() {
                    if appended_at(&item).is_none_or(|at| at <= cutoff) {
                        deliveries.push(key);
                    }
                    continue;
                }
                match stored_at(&item, &key) {
                    Some(at) if at > cutoff => swept.has_later = true,
                    Some(_) => {
                        messages.push(item);
                        keys.push(key);
                    }
                    None => others.push(key),
                }
            }
            let dependents: Vec<Vec<Key>> = stream::iter(messages)
                .map(|message| async move { self.dependents(message).await })
                .buffer_unordered(PARALLEL)
                .try_collect()
                .await?;
            self.delete_all(deliveries).await?;
            self.delete_all(dependents.concat()).await?;
            swept.erased += u64::try_from(keys.len()).unwrap_or(u64::MAX);
            self.delete_all(keys).await?;
            start = output.last_evaluated_key;
            if start.is_none() {
                break;
            }
            if self.0.system.now() > deadline {
                return Ok(swept);
            }
        }
        // Other items of the chat, unless it has newer messages.
        if !swept.has_later {
            self.delete_all(others).await?;
        }
        Ok(Swept { complete: true, ..swept })
    }

    /// Returns the keys of the items that belong to a message: its received file, further parts of its payload, the response
    /// under its idempotency key, and early updates.
    async fn dependents(self, message: Item) -> Result<Vec<Key>, StoreError> {
        let received: Message = message_item::read(message.clone())?;
        let message = message_item::expanded(message)?;
        let text = |name: &str| message.get(name).and_then(|value| value.as_s().ok());
        let mut keys = Vec::new();
        keys.extend(ReceivedFile::of(&received).map(|_| Key::media(MediaId::for_message(received.id))));
        if let (Some(key), Some(session_id)) = (text("idempotency_key"), text("session_id"))
            && let Ok(session_id) = session_id.parse::<SessionId>()
        {
            keys.push(Key::idempotency(session_id, key));
        }
        if let Some(id) = text("id").filter(|_| text("raw").is_some_and(|raw| may_have_more_parts(raw))) {
            keys.extend(self.partition(Key::raw_part(id, 0).pk).await?);
        }
        if let (Some(number), Some(wamid)) = (text("phone_number_id"), text("wamid")) {
            keys.extend(self.partition(wamid_pk(number, wamid)).await?);
        }
        Ok(keys)
    }

    /// Returns the keys of all items of a partition.
    pub(in crate::store) async fn partition(self, pk: String) -> Result<Vec<Key>, StoreError> {
        let query = self
            .0
            .client
            .query()
            .table_name(&self.0.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", string(pk));
        self.0.query_keys("reading items to erase", query).await
    }

    /// Deletes items, whether they exist or not.
    pub(in crate::store) async fn delete_all(self, keys: Vec<Key>) -> Result<(), StoreError> {
        // A request must not contain an item twice.
        let keys: Vec<Key> = keys.into_iter().collect::<HashSet<_>>().into_iter().collect();
        let delete = |key: &Key| {
            let delete = DeleteRequest::builder().set_key(Some(key.attributes())).build();
            let delete =
                delete.map_err(|source| StoreError::Request { operation: "erasing", source: source.into() })?;
            Ok(WriteRequest::builder().delete_request(delete).build())
        };
        let requests = keys.iter().map(delete).collect::<Result<Vec<_>, StoreError>>()?;
        self.0.write_all("erasing", requests).await
    }
}

fn appended_at(item: &Item) -> Option<Timestamp> {
    item.get("appended_at")?.as_s().ok()?.parse().ok()
}

/// Returns when a message was received, or for an outbound message when it was created.
fn stored_at(item: &Item, key: &Key) -> Option<Timestamp> {
    let received_at = item.get("received_at").and_then(|at| at.as_s().ok()?.parse().ok());
    received_at.or_else(|| key.message_key().map(|key| key.time))
}
