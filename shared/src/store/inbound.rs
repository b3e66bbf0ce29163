//! Inbound messages: each is stored once, in the right chat, in the same transaction as its chat's summary.

use aws_sdk_dynamodb::types::TransactWriteItem;
use serde::Deserialize;

use super::{
    Store, StoreError,
    chat::{CHAT, Expected, Summary, Unread},
    item::{self, number, string},
    keys::{Key, MessageKey, wamid_key},
    transaction::{Refusal, Transaction, put_action},
};
use crate::{
    chat::{Chat, ChatStatus, ENTRY_POINT_WINDOW},
    id::{ChatId, MessageId, SessionId},
    identity::{Address, Identity},
    message::{Channel, Message, MessageStatus, MessageType, placeholder, preview},
    time::Timestamp,
};

pub(super) const MESSAGE: &str = "message";

/// The most actions and bytes of one transaction; DynamoDB takes 100 and 4 MB, and the chat's own actions come on top.
const MOST_ACTIONS: usize = 90;
const MOST_BYTES: usize = 3 * 1024 * 1024 + 512 * 1024;

/// How often a batch is built anew because the table was not as it was read.
const ROUNDS: usize = 20;

/// A message that a customer sent.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// WhatsApp's id, unique within the business number.
    pub wamid: String,
    /// When it was sent.
    pub timestamp: Timestamp,
    /// What it is.
    pub kind: MessageType,
    /// Its text.
    pub body: Option<String>,
    /// Its JSON, as it came.
    pub raw: String,
    /// Whether it opens the customer service window, as anything that a person does, and nothing that WhatsApp tells of
    /// him.
    pub opens_window: bool,
    /// Whether it came from an advertisement.
    pub has_referral: bool,
}

/// Messages of one webhook from one sender, or in one group.
#[derive(Clone, Debug)]
pub struct InboundBatch {
    /// The session that owns the number.
    pub session_id: SessionId,
    /// The number that received them.
    pub phone_number_id: String,
    /// Every form in which the sender is named; at least one. The first is what the chat is called by.
    pub addresses: Vec<Address>,
    /// What the contact calls himself.
    pub name: Option<String>,
    /// The messages, each wamid once.
    pub messages: Vec<Inbound>,
}

/// What decides how a chat is updated, as a refused update found it.
#[derive(Deserialize)]
struct Found {
    status: Option<ChatStatus>,
    last_message_at: Option<Timestamp>,
}

impl Store {
    /// Stores the messages that are not there yet, and counts them as unread. How many were new.
    pub async fn receive(&self, batch: InboundBatch) -> Result<usize, StoreError> {
        let mut stored = 0;
        let mut rest = batch.messages.as_slice();
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(chunk_length(rest));
            stored += self.receive_chunk(&batch, chunk.to_vec()).await?;
            rest = after;
        }
        Ok(stored)
    }

    async fn receive_chunk(&self, batch: &InboundBatch, mut messages: Vec<Inbound>) -> Result<usize, StoreError> {
        let (mut shows, mut reopens) = (true, false);
        for _ in 0..ROUNDS {
            let Some(last) = messages.iter().max_by_key(|message| message.timestamp) else { return Ok(0) };
            let place = self.place(batch.session_id, &batch.addresses).await?;
            let chat = inbound_chat(batch, place.chat_id, &messages, last, (self.system.now)());
            let unread = Unread::Add { count: messages.len(), names: batch.name.is_some() };
            let summary = Summary { chat: &chat, unread, shows, reopens, expects: Expected::Anything };
            let mut actions = vec![self.summarise(&summary)?];
            for identity in &place.unbound {
                actions.push(self.bind_identity(batch.session_id, identity, place.chat_id)?);
            }
            let first_message = actions.len();
            let mut parts = Vec::new();
            for message in &messages {
                let (action, more) = self.inbound_actions(batch, place.chat_id, message)?;
                actions.push(action);
                parts.extend(more);
            }
            actions.extend(parts);
            let refusals = match self.transact("storing inbound messages", actions).await? {
                Transaction::Committed => {
                    self.remember(batch.session_id, &place);
                    if !shows {
                        self.open_window(&chat).await?;
                    }
                    return Ok(messages.len());
                }
                Transaction::Refused(refusals) => refusals,
            };
            if let Some(item) = refusals.first().and_then(|chat| chat.item.clone()) {
                let found: Found = item::read(CHAT, item)?;
                shows &= found.last_message_at.is_none_or(|at| at <= last.timestamp);
                reopens = found.status.is_some_and(ChatStatus::is_closed);
            }
            if refusals.iter().take(first_message).skip(1).any(|identity| identity.failed) {
                self.forget(batch.session_id, &batch.addresses);
            }
            let mut is_new = refusals.iter().skip(first_message).map(|message: &Refusal| !message.failed);
            messages.retain(|_| is_new.next().unwrap_or(true));
        }
        Err(StoreError::Contention { operation: "storing inbound messages" })
    }

    /// A message that is not the chat's last still opens the window, unless a later one of the contact did.
    async fn open_window(&self, chat: &Chat) -> Result<(), StoreError> {
        let (Some(at), Some(wamid)) = (chat.last_inbound_at, &chat.last_inbound_wamid) else { return Ok(()) };
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::chat(chat.id).attributes()))
            .update_expression("SET last_inbound_at = :at, last_inbound_wamid = :wamid")
            .condition_expression("attribute_not_exists(last_inbound_at) OR last_inbound_at < :at")
            .expression_attribute_values(":at", string(at.to_string()))
            .expression_attribute_values(":wamid", string(wamid));
        self.unless_refused("opening a window", request).await.map(drop)
    }

    fn inbound_actions(
        &self,
        batch: &InboundBatch,
        chat_id: ChatId,
        inbound: &Inbound,
    ) -> Result<(TransactWriteItem, Vec<TransactWriteItem>), StoreError> {
        let id = MessageId::for_inbound(&batch.phone_number_id, &inbound.wamid);
        let (raw, parts) = self.keep_raw(id.to_string(), &inbound.raw)?;
        let message = Message {
            id,
            chat_id,
            session_id: batch.session_id,
            phone_number_id: batch.phone_number_id.clone(),
            kind: inbound.kind,
            body: inbound.body.clone(),
            from_me: false,
            status: MessageStatus::Received,
            wamid: Some(inbound.wamid.clone()),
            error: None,
            to: None,
            timestamp: inbound.timestamp,
            raw: Some(raw),
            content: None,
            valid_until: None,
            channel: Channel::CloudApi,
            source: None,
            previous: None,
            attempts: Vec::new(),
        };
        let key = MessageKey { chat_id, time: inbound.timestamp, message_id: id };
        let mut item = item::write(MESSAGE, &key.key(), &message)?;
        item.insert("status_rank".to_owned(), number(message.status.rank()));
        item.insert("wamid_key".to_owned(), string(wamid_key(&batch.phone_number_id, &inbound.wamid)));
        item.insert("received_at".to_owned(), string((self.system.now)().to_string()));
        Ok((put_action(self.put(item, "attribute_not_exists(pk)")), parts))
    }

    /// Keeps a message for a number that no session owns.
    pub async fn keep_unowned(&self, phone_number_id: &str, inbound: &Inbound) -> Result<(), StoreError> {
        let id = MessageId::for_inbound(phone_number_id, &inbound.wamid);
        let (raw, parts) = self.keep_raw(id.to_string(), &inbound.raw)?;
        let key = Key::unowned(phone_number_id, inbound.timestamp, id);
        let row = serde_json::json!({"wamid": inbound.wamid, "raw": raw});
        let item = item::write("unowned_message", &key, &row)?;
        self.keep("keeping a message without a session", item, parts).await
    }
}

/// How many of these messages fit into one transaction; at least one.
fn chunk_length(messages: &[Inbound]) -> usize {
    let mut bytes = 0;
    let mut actions = 0;
    messages
        .iter()
        .take_while(|message| {
            let size = message.raw.len() + message.body.as_ref().map_or(0, String::len) + 1024;
            bytes += size;
            actions += 1 + message.raw.len() / (256 * 1024);
            bytes <= MOST_BYTES && actions <= MOST_ACTIONS
        })
        .count()
        .max(1)
}

fn inbound_chat(batch: &InboundBatch, id: ChatId, messages: &[Inbound], last: &Inbound, now: Timestamp) -> Chat {
    let address = &batch.addresses[0];
    let name = match (&batch.name, address) {
        (Some(name), _) => name.clone(),
        (None, Address::Phone(digits)) => format!("+{digits}"),
        (None, Address::Bsuid(id) | Address::Group(id)) => id.clone(),
    };
    let preview = last.body.as_deref().map_or_else(|| placeholder(last.kind), preview);
    let latest = |wanted: fn(&&Inbound) -> bool| messages.iter().filter(wanted).max_by_key(|message| message.timestamp);
    let opening = latest(|message| message.opens_window);
    Chat {
        last_message: Some(preview),
        last_message_at: Some(last.timestamp),
        last_inbound_at: opening.map(|message| message.timestamp),
        last_inbound_wamid: opening.map(|message| message.wamid.clone()),
        entry_point_until: latest(|message| message.has_referral)
            .map(|message| message.timestamp.after(ENTRY_POINT_WINDOW)),
        ..Chat::new(id, batch.session_id, address, name, now)
    }
}

/// The identities behind several addresses of one person, each once.
pub(super) fn identities(addresses: &[Address]) -> Vec<Identity> {
    let mut identities = Vec::with_capacity(addresses.len());
    for identity in addresses.iter().map(Address::identity) {
        if !identities.contains(&identity) {
            identities.push(identity);
        }
    }
    identities
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbound(bytes: usize) -> Inbound {
        let timestamp = Timestamp::from_seconds(0).unwrap();
        let raw = "x".repeat(bytes);
        Inbound {
            wamid: "w".to_owned(),
            timestamp,
            kind: MessageType::Text,
            body: None,
            raw,
            opens_window: true,
            has_referral: false,
        }
    }

    #[test]
    fn chunks_stay_within_what_a_transaction_takes() {
        assert_eq!(chunk_length(&vec![inbound(300); 1_000]), MOST_ACTIONS);
        assert_eq!(chunk_length(&vec![inbound(1_000_000); 10]), 3);
        assert_eq!(chunk_length(&[inbound(3_900_000)]), 1);
    }
}
