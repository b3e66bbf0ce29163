//! Inbound messages: each is stored once, in the right chat, in the same transaction as its chat's summary.

use aws_sdk_dynamodb::types::TransactWriteItem;
use futures_util::{StreamExt, stream};

use super::{
    Store, StoreError,
    chat::{CHAT, Expected, Summary, Unread},
    identity::ResolvedChat,
    item::{self, number, string},
    keys::{Key, wamid_key},
    raw::PART,
    transaction::{Refusal, TRANSACTION_LIMIT, Transaction},
    update::UpdateBuilder,
};
use crate::{
    domain::chat::{Chat, ENTRY_POINT_WINDOW},
    domain::contact::Merges,
    domain::id::{ChatId, MessageId},
    domain::identity::Address,
    domain::inbound::{Inbound, InboundBatch},
    domain::message::{Channel, Message, MessageType, Source, placeholder, preview},
    domain::message_key::MessageKey,
    domain::time::Timestamp,
    telemetry,
};

pub(super) const MESSAGE: &str = "message";

/// The most actions and bytes of one transaction; DynamoDB takes 100 and 4 MB, and the chat's own actions come on top.
const MAX_ACTIONS: usize = 90;
const MAX_BYTES: usize = 3 * 1024 * 1024 + 512 * 1024;

/// How often a batch is built anew because the table was not as it was read.
const ROUNDS: usize = 20;

/// What became of a batch.
#[derive(Debug, Default)]
pub struct ReceiveOutcome {
    /// How many of its messages were new.
    pub stored: usize,
    /// The messages for which something may be waiting that came before them: wamid and place.
    pub awaited: Vec<(String, MessageKey)>,
    /// The chat that the last of them is in.
    pub chat_id: Option<ChatId>,
}

impl Store {
    /// Stores the messages that are not there yet, and counts live ones of the contact as unread.
    pub async fn receive(&self, batch: InboundBatch) -> Result<ReceiveOutcome, StoreError> {
        let mut receipts = ReceiveOutcome::default();
        let mut rest = batch.messages.as_slice();
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(chunk_length(rest));
            self.receive_chunk(&batch, chunk.to_vec(), &mut receipts).await?;
            rest = after;
        }
        Ok(receipts)
    }

    async fn receive_chunk(
        &self,
        batch: &InboundBatch,
        mut messages: Vec<Inbound>,
        receipts: &mut ReceiveOutcome,
    ) -> Result<(), StoreError> {
        let all = messages.clone();
        let Some(at) = all.iter().map(|message| message.timestamp).max() else { return Ok(()) };
        let mut seen = Seen { shows: true, reopens: false, has_pending_annotation: batch.source == Some(Source::Echo) };
        let mut merges = Merges::default();
        let mut duplicates = Vec::new();
        for _ in 0..ROUNDS {
            let place = self.resolve_chat(batch.session_id, &batch.addresses, at, &mut merges).await?;
            receipts.chat_id = Some(place.chat_id);
            if messages.len() > 1 && place.actions(&messages) > TRANSACTION_LIMIT {
                let halves = all.split_at(all.len() / 2);
                Box::pin(self.receive_chunk(batch, halves.0.to_vec(), receipts)).await?;
                return Box::pin(self.receive_chunk(batch, halves.1.to_vec(), receipts)).await;
            }
            if !messages.is_empty()
                && let Round::Refused { chat_and_identities, is_known } =
                    self.receive_round(batch, &messages, &place, seen).await?
            {
                if let Some(refusal) = chat_and_identities.first().filter(|chat| chat.failed) {
                    match self.chat_as_refused(refusal).await? {
                        Some(mut found) => {
                            if found.id != place.chat_id {
                                self.forget(batch.session_id, &batch.addresses);
                                merges.note(place.chat_id, found.id);
                            }
                            if let Some(until) =
                                found.pending_annotation_until.take_if(|until| *until < self.system.now())
                            {
                                self.end_waiting(found.id, until).await?;
                            }
                            seen = seen.after(&found, &messages);
                        }
                        None => self.remember_merged(place.chat_id, &[]),
                    }
                }
                if chat_and_identities.iter().skip(1).any(|identity| identity.failed) {
                    self.forget(batch.session_id, &batch.addresses);
                }
                let (new, known) = split(messages, &is_known);
                duplicates.extend(known.iter().map(|message| key_of(batch, place.chat_id, message)));
                messages = new;
                continue;
            }
            receipts.stored += messages.len();
            if seen.has_pending_annotation {
                let key = |message: &Inbound| (message.wamid.clone(), key_of(batch, place.chat_id, message));
                receipts.awaited.extend(all.iter().map(key));
            }
            self.count_duplicates(duplicates).await;
            return Ok(());
        }
        Err(StoreError::Contention { operation: "storing inbound messages" })
    }

    /// The chat as a refused update found it, or the one that it was merged into.
    async fn chat_as_refused(&self, refusal: &Refusal) -> Result<Option<Chat>, StoreError> {
        let Some(item) = refusal.item.clone() else { return Ok(None) };
        let found: Chat = item::read(CHAT, item)?;
        let found = if found.merged_into.is_some() { self.chat(found.id).await? } else { Some(found) };
        if let Some(chat) = &found {
            self.remember_merged(chat.id, &chat.merged);
        }
        Ok(found)
    }

    /// Runs one transaction: the chat's summary, its identities, and the messages.
    async fn receive_round(
        &self,
        batch: &InboundBatch,
        messages: &[Inbound],
        place: &ResolvedChat,
        seen: Seen,
    ) -> Result<Round, StoreError> {
        let chat = inbound_chat(batch, place, messages, self.system.now());
        let shows = seen.shows && last_shown(messages).is_some();
        let (unread, merged) = (unread(batch, messages, shows), Some(place.merged.len()));
        let summary = Summary { chat: &chat, unread, shows, reopens: seen.reopens, merged, expects: expected(seen) };
        let mut actions = vec![self.upsert_chat(&summary)];
        for alias_write in &place.alias_writes {
            actions.push(self.write_alias(batch.session_id, alias_write)?);
        }
        let first_message = actions.len();
        for message in messages {
            actions.push(self.inbound_action(batch, place.chat_id, message).await?);
            // A message that was stored before its chat was merged into this one has its key in another partition.
            for merged in place.partitions_of(message) {
                actions.push(self.check_absent(&Key::message(&key_of(batch, merged, message))));
            }
        }
        let mut refusals = match self.transact("storing inbound messages", actions).await? {
            Transaction::Committed => {
                self.remember(batch.session_id, place);
                if !shows {
                    self.open_window(&chat).await?;
                    self.note_answer(&chat).await?;
                }
                return Ok(Round::Stored);
            }
            Transaction::Refused(refusals) => refusals,
        };
        let mut rows = refusals.split_off(first_message.min(refusals.len())).into_iter();
        let is_known = |message: &Inbound| {
            let own = rows.by_ref().take(1 + place.partitions_of(message).count());
            own.filter(|row| row.failed).count() > 0
        };
        let is_known = messages.iter().map(is_known).collect();
        Ok(Round::Refused { chat_and_identities: refusals, is_known })
    }

    /// A message that is not the chat's last still opens the window, unless a later one of the contact did.
    async fn open_window(&self, chat: &Chat) -> Result<(), StoreError> {
        let (Some(at), Some(wamid)) = (chat.last_inbound_at, &chat.last_inbound_wamid) else { return Ok(()) };
        self.update_live_chat("opening a customer service window", chat.id, |update| {
            update
                .set("last_inbound_at", at)
                .set("last_inbound_wamid", wamid)
                .condition(("attribute_not_exists(last_inbound_at) OR last_inbound_at < ?", at))
        })
        .await
    }

    /// A person of the business who wrote before the chat's last message wrote all the same.
    async fn note_answer(&self, chat: &Chat) -> Result<(), StoreError> {
        let Some(at) = chat.answered_at else { return Ok(()) };
        self.update_live_chat("recording an agent's reply", chat.id, |update| {
            update.set("answered_at", at).condition(("attribute_not_exists(answered_at) OR answered_at < ?", at))
        })
        .await
    }

    async fn inbound_action(
        &self,
        batch: &InboundBatch,
        chat_id: ChatId,
        inbound: &Inbound,
    ) -> Result<TransactWriteItem, StoreError> {
        let id = MessageId::for_inbound(&batch.phone_number_id, &inbound.wamid);
        let raw = self.put_raw_parts(&id.to_string(), &inbound.raw, self.retention).await?;
        let message = Message {
            id,
            chat_id,
            session_id: batch.session_id,
            phone_number_id: batch.phone_number_id.clone(),
            kind: inbound.kind,
            body: inbound.body.clone(),
            from_me: inbound.from_me,
            status: inbound.status,
            wamid: Some(inbound.wamid.clone()),
            error: None,
            to: None,
            timestamp: inbound.timestamp,
            raw: Some(raw.own.to_owned()),
            content: inbound.content.clone(),
            valid_until: None,
            channel: Channel::CloudApi,
            source: batch.source,
            previous: None,
            attempts: Vec::new(),
        };
        let mut item = item::write(MESSAGE, &Key::message(&key_of(batch, chat_id, inbound)), &message)?;
        item.insert("status_rank".to_owned(), number(message.status.rank()));
        item.insert("wamid_key".to_owned(), string(wamid_key(&batch.phone_number_id, &inbound.wamid)));
        item.insert("received_at".to_owned(), string(self.system.now().to_string()));
        item.extend(self.expires_at(inbound.timestamp).map(|at| ("expires_at".to_owned(), at)));
        Ok(self.put_action(item, "attribute_not_exists(pk)"))
    }

    /// Gives a message of the past, which first came without its picture, what WhatsApp tells of it later (Meta: "history
    /// webhook reference"). Any other row stays as it is.
    pub async fn fill_placeholder(&self, key: &MessageKey, inbound: &Inbound) -> Result<(), StoreError> {
        if inbound.kind == MessageType::MediaPlaceholder {
            return Ok(());
        }
        let raw = self.put_raw_parts(&key.message_id.to_string(), &inbound.raw, None).await?;
        let update = UpdateBuilder::new(&Key::message(key))
            .set("type", item::value(&inbound.kind)?)
            .set("raw", raw.own)
            .set("body", inbound.body.as_ref())
            .set("content", inbound.content.as_ref())
            .condition(("#type = ?", item::value(&MessageType::MediaPlaceholder)?));
        self.update_if("replacing a media placeholder", update).await.map(drop)
    }

    /// Annotations on messages that WhatsApp delivered again how often it did. Best effort: nothing depends on it.
    async fn count_duplicates(&self, keys: Vec<MessageKey>) {
        stream::iter(keys)
            .for_each_concurrent(16, |key| async move {
                let update =
                    UpdateBuilder::new(&Key::message(&key)).add("duplicates", 1).condition("attribute_exists(pk)");
                if let Err(error) = self.update_if("counting a duplicate", update).await {
                    tracing::warn!(error = telemetry::chain(&error), "duplicate not counted");
                }
            })
            .await;
    }
}

/// The outcome of one transaction of [`Store::receive`].
enum Round {
    /// All of it is durable.
    Stored,
    /// None of it happened.
    Refused {
        /// The results for the chat and then for its identities.
        chat_and_identities: Vec<Refusal>,
        /// For each message, whether it was stored before.
        is_known: Vec<bool>,
    },
}

/// What earlier rounds have found of the chat.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// The batch's last message is the chat's last one.
    shows: bool,
    /// The chat was resolved or archived.
    reopens: bool,
    /// Something waits for a message of the chat.
    has_pending_annotation: bool,
}

impl Seen {
    /// What is known after an update was refused because the chat was like this.
    fn after(self, found: &Chat, messages: &[Inbound]) -> Self {
        Self {
            shows: last_shown(messages).is_none_or(|shown| found.shows(shown.timestamp)),
            reopens: found.status.is_closed(),
            has_pending_annotation: self.has_pending_annotation || found.pending_annotation_until.is_some(),
        }
    }
}

fn expected(seen: Seen) -> Expected<'static> {
    if seen.has_pending_annotation { Expected::Anything } else { Expected::NoPendingAnnotation }
}

fn unread(batch: &InboundBatch, messages: &[Inbound], shows: bool) -> Unread {
    let names = batch.name.is_some();
    let count = messages.iter().filter(|message| !message.from_me && message.kind.counts()).count();
    match batch.source {
        Some(Source::History | Source::Standby) => Unread::Keep { names },
        Some(Source::Echo) if shows => Unread::Clear,
        None | Some(Source::Device) if count > 0 => Unread::Add { count, names },
        _ => Unread::Keep { names },
    }
}

fn key_of(batch: &InboundBatch, chat_id: ChatId, message: &Inbound) -> MessageKey {
    let message_id = MessageId::for_inbound(&batch.phone_number_id, &message.wamid);
    MessageKey { chat_id, time: message.timestamp, message_id }
}

/// The messages that are new, and those whose rows were there.
fn split(messages: Vec<Inbound>, is_known: &[bool]) -> (Vec<Inbound>, Vec<Inbound>) {
    let mut is_known = is_known.iter();
    messages.into_iter().partition(|_| !is_known.next().copied().unwrap_or_default())
}

/// The last message that an inbox would show.
fn last_shown(messages: &[Inbound]) -> Option<&Inbound> {
    messages.iter().filter(|message| message.kind.counts()).max_by_key(|message| message.timestamp)
}

/// How many of these messages fit into one transaction; at least one.
fn chunk_length(messages: &[Inbound]) -> usize {
    let mut bytes = 0;
    messages
        .iter()
        .take(MAX_ACTIONS)
        .take_while(|message| {
            let text = message.body.as_ref().map_or(0, String::len) + message.content.as_ref().map_or(0, String::len);
            bytes += message.raw.len().min(PART) + text + 1024;
            bytes <= MAX_BYTES
        })
        .count()
        .max(1)
}

fn inbound_chat(batch: &InboundBatch, place: &ResolvedChat, messages: &[Inbound], now: Timestamp) -> Chat {
    let address = &batch.addresses[0];
    let name = match (&batch.name, address) {
        (Some(name), _) => name.clone(),
        (None, Address::Phone(digits)) => format!("+{digits}"),
        (None, Address::Bsuid(id) | Address::Group(id)) => id.clone(),
    };
    // Where the sender is reached is what is current of his addresses, which may not be the one that names the chat.
    let chat = Chat { wa_id: None, user_id: None, ..Chat::new(place.chat_id, batch.session_id, address, name, now) };
    let shown = last_shown(messages).or(messages.last());
    let preview = |shown: &Inbound| shown.body.as_deref().map_or_else(|| placeholder(shown.kind), preview);
    let latest = |wanted: fn(&&Inbound) -> bool| messages.iter().filter(wanted).max_by_key(|message| message.timestamp);
    // WhatsApp does not say whether what it tells of the past opens the window.
    let is_live = batch.source != Some(Source::History);
    let opening = latest(|message| message.opens_window).filter(|_| is_live);
    let advertised = latest(|message| message.has_referral).filter(|_| is_live);
    let answer = latest(|message| message.from_me).filter(|_| batch.source == Some(Source::Echo));
    let is_written = |message: &&Inbound| !message.from_me && message.kind.is_written();
    let first = messages.iter().filter(is_written).min_by_key(|message| message.timestamp);
    Chat {
        last_message: shown.map(preview),
        last_message_at: shown.map(|shown| shown.timestamp),
        last_inbound_at: opening.map(|message| message.timestamp),
        last_inbound_wamid: opening.map(|message| message.wamid.clone()),
        entry_point_until: advertised.map(|message| message.timestamp.after(ENTRY_POINT_WINDOW)),
        answered_at: answer.map(|message| message.timestamp),
        first_inbound: first.map(|first| key_of(batch, place.chat_id, first).sort_key()),
        ..chat.learned(&place.current(&batch.addresses), now)
    }
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
            content: None,
            from_me: false,
            status: crate::domain::message::MessageStatus::Received,
            action: None,
            ours: None,
            opens_window: true,
            has_referral: false,
        }
    }

    #[test]
    fn chunks_stay_within_what_a_transaction_takes() {
        assert_eq!(chunk_length(&vec![inbound(300); 1_000]), MAX_ACTIONS);
        // Only the first part of what is long is written in the transaction.
        assert_eq!(chunk_length(&vec![inbound(1_000_000); 100]), MAX_BYTES / (PART + 1024));
        let long = Inbound { body: Some("x".repeat(5_000_000)), ..inbound(0) };
        assert_eq!(chunk_length(&[long]), 1);
    }
}
