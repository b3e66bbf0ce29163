//! Inbound messages: stored once, in one transaction with the update of their chat.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use futures_util::{StreamExt, stream};

use super::{
    Messages, StoreError,
    call::CALL_ENDED,
    chat::{CHAT, Expected, Summary, Unread},
    identity::ResolvedChat,
    item::{self, Item, number},
    keys::Key,
    message_item::{self, change_texts},
    message_time::LIFETIME,
    raw::PART,
    transaction::{Refusal, TRANSACTION_LIMIT, Transaction},
    update::UpdateBuilder,
};
use crate::{
    domain::{
        call::CallStatus,
        chat::{Chat, ENTRY_POINT_WINDOW},
        contact::Merges,
        id::ChatId,
        identity::Address,
        inbound::{Inbound, InboundBatch},
        message::{Channel, Message, MessageType, Priority, Source},
        message_key::MessageKey,
        profile::SavedName,
        time::Timestamp,
    },
    telemetry,
};

/// The maximum number of messages and bytes in a transaction. DynamoDB allows 100 actions and 4 MB, which include the
/// actions for the chat and its identities.
const MAX_ACTIONS: usize = 90;
const MAX_BYTES: usize = 3 * 1024 * 1024 + 512 * 1024;

/// Attempts to store a batch while other writers change the chat.
const ROUNDS: u32 = 20;

/// The outcome of [`Messages::receive`].
#[derive(Debug, Default)]
pub struct ReceiveOutcome {
    /// Number of new messages.
    pub stored: usize,
    /// Messages that may have early updates: wamid and key.
    pub recheck: Vec<(String, MessageKey)>,
    /// The chat of the messages.
    pub chat_id: Option<ChatId>,
    /// The times of calls, and of messages whose time isn't WhatsApp's, by wamid.
    pub times: HashMap<String, Timestamp>,
}

impl ReceiveOutcome {
    fn record_times(&mut self, messages: &[Inbound]) {
        let has_own_time = |message: &&Inbound| message.call.is_some() || message.is_redated;
        let time = |message: &Inbound| (message.wamid.clone(), message.timestamp);
        self.times.extend(messages.iter().filter(has_own_time).map(time));
    }
}

impl Messages<'_> {
    /// Stores the messages that are new, and counts live ones from the contact as unread.
    pub async fn receive(self, batch: InboundBatch) -> Result<ReceiveOutcome, StoreError> {
        let mut outcome = ReceiveOutcome::default();
        let messages = self.with_fixed_times(&batch.phone_number_id, batch.messages).await?;
        outcome.record_times(&messages);
        let batch = InboundBatch { messages, ..batch };
        let mut rest = batch.messages.as_slice();
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(chunk_length(rest));
            self.receive_chunk(&batch, chunk.to_vec(), &mut outcome).await?;
            rest = after;
        }
        Ok(outcome)
    }

    async fn receive_chunk(
        self,
        batch: &InboundBatch,
        mut messages: Vec<Inbound>,
        outcome: &mut ReceiveOutcome,
    ) -> Result<(), StoreError> {
        let mut all = messages.clone();
        let Some(at) = all.iter().map(|message| message.timestamp).max() else { return Ok(()) };
        let mut seen = Seen {
            shows: true,
            reopens: false,
            has_pending_annotation: batch.source == Some(Source::Echo),
            has_latest_profile: true,
            has_latest_addresses: true,
            replaces_saved_name: false,
        };
        let mut merges = Merges::default();
        let mut duplicates = Vec::new();
        let mut has_known_times = seen.has_pending_annotation;
        for _ in 0..ROUNDS {
            let resolved = self.0.chats().resolve(batch.session_id, &batch.addresses, at, &mut merges).await?;
            outcome.chat_id = Some(resolved.chat_id);
            if messages.len() > 1 && resolved.actions(&messages) > TRANSACTION_LIMIT {
                let halves = all.split_at(all.len() / 2);
                Box::pin(self.receive_chunk(batch, halves.0.to_vec(), outcome)).await?;
                return Box::pin(self.receive_chunk(batch, halves.1.to_vec(), outcome)).await;
            }
            if !messages.is_empty()
                && let Round::Refused { chat_and_identities, is_known } =
                    self.receive_round(batch, &messages, &resolved, seen).await?
            {
                if let Some(refusal) = chat_and_identities.first().filter(|chat| chat.failed) {
                    match self.chat_as_refused(refusal).await? {
                        Some(mut found) => {
                            if found.id != resolved.chat_id {
                                self.0.chats().forget(batch.session_id, &batch.addresses);
                                merges.record(resolved.chat_id, found.id);
                            }
                            if let Some(until) =
                                found.pending_annotation_until.take_if(|until| *until < self.0.system.now())
                            {
                                self.clear_pending_annotation(found.id, until).await?;
                            }
                            seen = seen.after(&found, &messages, at, resolved.saved_names.latest());
                        }
                        None => self.0.chats().remember_merged(resolved.chat_id, &[]),
                    }
                }
                if chat_and_identities.iter().skip(1).any(|identity| identity.failed) {
                    self.0.chats().forget(batch.session_id, &batch.addresses);
                }
                let (new, known) = split(messages, &is_known);
                // The two webhooks of a call aren't duplicates of each other.
                let repeated = known.iter().filter(|message| message.call.is_none());
                duplicates.extend(repeated.map(|message| key_of(batch, resolved.chat_id, message)));
                messages = new;
                if seen.has_pending_annotation && !has_known_times {
                    // One of the messages may be a repeated one that was from the future when it was first received.
                    has_known_times = true;
                    let times = self.known_times(&batch.phone_number_id, &messages).await?;
                    messages = redated(messages, &times);
                    all = redated(all, &times);
                    outcome.record_times(&all);
                }
                continue;
            }
            outcome.stored += messages.len();
            if seen.has_pending_annotation {
                let key = |message: &Inbound| (message.wamid.clone(), key_of(batch, resolved.chat_id, message));
                outcome.recheck.extend(all.iter().filter(|message| message.has_wamid).map(key));
            }
            self.count_duplicates(duplicates).await;
            return Ok(());
        }
        Err(StoreError::Contention { operation: "storing inbound messages" })
    }

    /// Returns the chat that a refused update found, or the one that it was merged into.
    async fn chat_as_refused(self, refusal: &Refusal) -> Result<Option<Chat>, StoreError> {
        let Some(item) = refusal.item.clone() else { return Ok(None) };
        let found: Chat = item::read(CHAT, item)?;
        let found = if found.merged_into.is_some() { self.0.chats().get(found.id).await? } else { Some(found) };
        if let Some(chat) = &found {
            self.0.chats().remember_merged(chat.id, &chat.merged);
        }
        Ok(found)
    }

    /// Runs one transaction: the chat's summary, its identities, and the messages.
    async fn receive_round(
        self,
        batch: &InboundBatch,
        messages: &[Inbound],
        resolved: &ResolvedChat,
        seen: Seen,
    ) -> Result<Round, StoreError> {
        let chat = inbound_chat(batch, resolved, messages, self.0.system.now());
        let Seen { has_latest_profile, has_latest_addresses, replaces_saved_name, reopens, .. } = seen;
        let shows = seen.shows && last_shown(messages).is_some();
        let (unread, merged) = (unread(batch, messages, shows), Some(resolved.merged.len()));
        let summary = Summary {
            chat: &chat,
            unread,
            shows,
            reopens,
            has_latest_profile,
            has_latest_addresses,
            replaces_saved_name,
            merged,
            expects: expected(seen),
        };
        let mut actions = vec![self.0.chats().upsert(&summary)];
        for alias_write in &resolved.alias_writes {
            actions.push(self.0.chats().write_alias(batch.session_id, alias_write)?);
            let read_at = resolved.saved_names.saved_at(&alias_write.identity);
            actions.push(self.0.chats().check_saved_name(batch.session_id, &alias_write.identity, read_at));
        }
        let first_message = actions.len();
        for message in messages {
            actions.push(self.inbound_action(batch, resolved.chat_id, message).await?);
            // A message that was stored before its chat was merged into this one is in another partition.
            for merged in resolved.partitions_of(message) {
                actions.push(self.0.check_absent(&Key::message(&key_of(batch, merged, message))));
            }
        }
        let mut refusals = match self.0.transact("storing inbound messages", actions).await? {
            Transaction::Committed => {
                self.0.chats().remember(batch.session_id, resolved);
                if !shows {
                    self.open_window(chat.id, chat.last_inbound_at, chat.last_inbound_wamid.as_deref()).await?;
                    self.record_agent_reply(&chat).await?;
                }
                return Ok(Round::Stored);
            }
            Transaction::Refused(refusals) => refusals,
        };
        let mut rows = refusals.split_off(first_message.min(refusals.len())).into_iter();
        let is_known = |message: &Inbound| {
            let own = rows.by_ref().take(1 + resolved.partitions_of(message).count());
            own.filter(|row| row.failed).count() > 0
        };
        let is_known = messages.iter().map(is_known).collect();
        Ok(Round::Refused { chat_and_identities: refusals, is_known })
    }

    /// Opens the customer service window for a message or call that isn't the chat's last, unless a later one has opened
    /// it.
    pub(super) async fn open_window(
        self,
        chat_id: ChatId,
        at: Option<Timestamp>,
        wamid: Option<&str>,
    ) -> Result<(), StoreError> {
        let Some(at) = at else { return Ok(()) };
        self.0
            .chats()
            .update_live("opening a customer service window", chat_id, |update| {
                update
                    .set("last_inbound_at", at)
                    .set("last_inbound_wamid", wamid)
                    .condition(("attribute_not_exists(last_inbound_at) OR last_inbound_at < ?", at))
            })
            .await
    }

    /// Records an agent's reply that isn't the chat's last message.
    async fn record_agent_reply(self, chat: &Chat) -> Result<(), StoreError> {
        let Some(at) = chat.answered_at else { return Ok(()) };
        self.0
            .chats()
            .update_live("recording an agent's reply", chat.id, |update| {
                update.set("answered_at", at).condition(("attribute_not_exists(answered_at) OR answered_at < ?", at))
            })
            .await
    }

    async fn inbound_action(
        self,
        batch: &InboundBatch,
        chat_id: ChatId,
        inbound: &Inbound,
    ) -> Result<TransactWriteItem, StoreError> {
        let id = batch.message_id(inbound);
        let raw = self.0.put_raw_parts(&id.to_string(), &inbound.raw, self.0.retention).await?;
        let mut item = inbound_item(batch, chat_id, inbound, raw.first, self.0.system.now())?;
        item.extend(self.0.expires_at(inbound.timestamp).map(|at| ("expires_at".to_owned(), at)));
        Ok(self.0.put_action(item, "attribute_not_exists(pk)"))
    }

    /// Replaces a history message's media placeholder with the media message that WhatsApp sends later (Meta, *history
    /// webhook reference*). Leaves any other message as it is.
    pub async fn fill_placeholder(self, key: &MessageKey, inbound: &Inbound) -> Result<(), StoreError> {
        if inbound.kind == MessageType::MediaPlaceholder {
            return Ok(());
        }
        let operation = "replacing a media placeholder";
        for round in 0..ROUNDS {
            let Some(item) = self.0.get(operation, &Key::message(key)).await? else { return Ok(()) };
            let before: Message = message_item::read(item.clone())?;
            if before.kind != MessageType::MediaPlaceholder {
                return Ok(());
            }
            let raw = self.0.put_raw_parts(&key.message_id.to_string(), &inbound.raw, None).await?;
            let Inbound { kind, body, content, .. } = inbound.clone();
            let after = Message { kind, body, content, raw: Some(raw.first.to_owned()), ..before };
            let update = UpdateBuilder::new(&Key::message(key))
                .set("type", item::value(&kind)?)
                .condition(("#type = ?", item::value(&MessageType::MediaPlaceholder)?));
            if self.0.update_if(operation, change_texts(update, &item, &after)?).await? {
                return Ok(());
            }
            self.0.pause(round).await;
        }
        Err(StoreError::Contention { operation })
    }

    /// Counts repeated deliveries on their messages. Best effort.
    async fn count_duplicates(self, keys: Vec<MessageKey>) {
        stream::iter(keys)
            .for_each_concurrent(16, |key| async move {
                let update =
                    UpdateBuilder::new(&Key::message(&key)).add("duplicates", 1).condition("attribute_exists(pk)");
                if let Err(error) = self.0.update_if("counting a duplicate", update).await {
                    tracing::warn!(error = telemetry::chain(&error), "duplicate not counted");
                }
            })
            .await;
    }
}

/// The outcome of one transaction of [`Messages::receive`].
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

/// What earlier rounds have found out about the chat.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Whether the batch's last message is the chat's last one.
    shows: bool,
    /// Whether the chat is resolved or archived.
    reopens: bool,
    /// Whether an early action waits for a message of the chat.
    has_pending_annotation: bool,
    /// Whether WhatsApp has not reported a later profile of the contact.
    has_latest_profile: bool,
    /// Whether WhatsApp has not reported later addresses of the contact.
    has_latest_addresses: bool,
    /// Whether the chat has an older saved name than the one that was read.
    replaces_saved_name: bool,
}

impl Seen {
    /// Returns what is known after an update was refused because of the chat's state.
    fn after(self, found: &Chat, messages: &[Inbound], at: Timestamp, saved: Option<&SavedName>) -> Self {
        Self {
            replaces_saved_name: found.saved_name.as_ref().zip(saved).is_some_and(|(known, read)| known.at < read.at),
            has_latest_profile: found.profile_at.is_none_or(|known_at| known_at <= at),
            has_latest_addresses: found.addresses_at.is_none_or(|known_at| known_at <= at),
            shows: last_shown(messages).is_none_or(|shown| found.is_latest(shown.timestamp)),
            reopens: found.status.is_closed(),
            has_pending_annotation: self.has_pending_annotation || found.pending_annotation_until.is_some(),
        }
    }
}

fn expected(seen: Seen) -> Expected<'static> {
    if seen.has_pending_annotation { Expected::Anything } else { Expected::NoPendingAnnotation }
}

fn unread(batch: &InboundBatch, messages: &[Inbound], shows: bool) -> Unread {
    let count = messages.iter().filter(|message| message.counts_as_unread()).count();
    match batch.source {
        Some(Source::History | Source::Standby) => Unread::Keep,
        Some(Source::Echo) if shows && !batch.may_be_copy => Unread::Clear,
        None | Some(Source::Device) if count > 0 => Unread::Add { count },
        _ => Unread::Keep,
    }
}

fn key_of(batch: &InboundBatch, chat_id: ChatId, message: &Inbound) -> MessageKey {
    MessageKey { chat_id, time: message.timestamp, message_id: batch.message_id(message) }
}

/// Returns the messages with these times, by wamid.
fn redated(messages: Vec<Inbound>, times: &HashMap<String, Timestamp>) -> Vec<Inbound> {
    let redated = |message: Inbound| match times.get(&message.wamid) {
        Some(at) => message.dated(*at),
        None => message,
    };
    messages.into_iter().map(redated).collect()
}

/// Splits messages into new and known ones.
fn split(messages: Vec<Inbound>, is_known: &[bool]) -> (Vec<Inbound>, Vec<Inbound>) {
    let mut is_known = is_known.iter();
    messages.into_iter().partition(|_| !is_known.next().copied().unwrap_or_default())
}

/// Returns the last message that the inbox can show.
fn last_shown(messages: &[Inbound]) -> Option<&Inbound> {
    messages.iter().filter(|message| message.kind.is_shown_in_inbox()).max_by_key(|message| message.timestamp)
}

/// Returns how many of these messages fit into one transaction: at least one.
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

fn inbound_message(batch: &InboundBatch, chat_id: ChatId, inbound: &Inbound, raw: &str, now: Timestamp) -> Message {
    Message {
        id: batch.message_id(inbound),
        chat_id,
        session_id: batch.session_id,
        phone_number_id: batch.phone_number_id.clone(),
        kind: inbound.kind,
        body: inbound.body.clone(),
        from_me: inbound.from_me,
        writer: inbound.writer.clone(),
        status: inbound.status,
        wamid: inbound.has_wamid.then(|| inbound.wamid.clone()),
        error: None,
        to: None,
        timestamp: inbound.timestamp,
        received_at: (!batch.is_import).then(|| batch.received_at.unwrap_or(now)),
        receive_index: inbound.index,
        request_id: batch.request_id.clone(),
        raw: Some(raw.to_owned()),
        content: inbound.content.clone(),
        media: None,
        valid_until: None,
        reference: None,
        message_status: None,
        category: None,
        priority: Priority::default(),
        channel: Channel::CloudApi,
        source: batch.source,
        previous: None,
        attempts: Vec::new(),
    }
}

pub(super) fn inbound_item(
    batch: &InboundBatch,
    chat_id: ChatId,
    inbound: &Inbound,
    raw: &str,
    now: Timestamp,
) -> Result<Item, StoreError> {
    let message = inbound_message(batch, chat_id, inbound, raw, now);
    let mut item = message_item::write(&message)?;
    item.insert("status_rank".to_owned(), number(message.status.rank()));
    // The ID is derived, mostly from the wamid: one entry in the `wamid` index serves both, instead of another in `by_id`.
    let id = item.remove("id");
    item.extend(id.map(|id| ("wamid_key".to_owned(), id)));
    if inbound.call.is_some_and(CallStatus::is_final) {
        item.insert(CALL_ENDED.to_owned(), AttributeValue::Bool(true));
    }
    Ok(item)
}

/// Returns the chat and the messages as an empty table would have them after [`Messages::receive`], and the sizes of
/// the messages' items in bytes.
#[cfg(test)]
pub(crate) fn received_rows(
    batch: &InboundBatch,
    now: Timestamp,
) -> (Chat, Vec<(Message, super::MessageMetadata, usize)>) {
    let chat_id = ChatId::for_identity(batch.session_id, &batch.addresses[0].identity());
    let chat = inbound_chat(batch, &ResolvedChat::unlinked(chat_id), &batch.messages, now);
    let chat = item::read(CHAT, item::write(CHAT, &Key::chat(chat_id), &chat).unwrap()).unwrap();
    let row = |inbound: &Inbound| {
        let raw = super::raw::first_part(&inbound.raw);
        let item = inbound_item(batch, chat_id, inbound, raw, now).unwrap();
        let size = item::size(&item);
        let (message, metadata) = super::lookup::read_message(item).unwrap();
        (message, metadata, size)
    };
    (chat, batch.messages.iter().map(row).collect())
}

fn inbound_chat(batch: &InboundBatch, resolved: &ResolvedChat, messages: &[Inbound], now: Timestamp) -> Chat {
    let address = &batch.addresses[0];
    let name = address.display_name();
    // The address that names the chat may not be a current one.
    let chat = Chat {
        wa_id: None,
        user_id: None,
        lid: None,
        ..Chat::new(resolved.chat_id, batch.session_id, address, name, now)
    };
    let reported_at = messages.iter().map(|message| message.timestamp).max();
    let profile = batch.profile.clone();
    let shown = last_shown(messages).or(messages.last());
    let latest = |wanted: fn(&&Inbound) -> bool| messages.iter().filter(wanted).max_by_key(|message| message.timestamp);
    // WhatsApp doesn't document whether history messages open the window.
    let is_live = batch.source != Some(Source::History);
    let opening = latest(|message| message.opens_window).filter(|_| is_live);
    let read = latest(|message| message.opens_window && message.call.is_none()).filter(|_| is_live);
    let is_from_the_future = messages.iter().any(|message| message.is_redated && message.call.is_none());
    let advertised = latest(|message| message.has_referral).filter(|_| is_live);
    let is_agents = batch.source == Some(Source::Echo) && !batch.may_be_copy;
    let answer = latest(|message| message.from_me).filter(|_| is_agents);
    let is_written = |message: &&Inbound| {
        !message.from_me && (message.kind.is_user_authored() || message.kind == MessageType::RequestWelcome)
    };
    let first = messages.iter().filter(is_written).min_by_key(|message| message.timestamp);
    Chat {
        profile_at: reported_at.filter(|_| !profile.is_empty()),
        profile_name: profile.name,
        username: profile.username,
        saved_name: resolved.saved_names.latest().cloned(),
        addresses_at: reported_at.filter(|_| !matches!(address, Address::Group(_))),
        last_message: shown.map(Inbound::preview),
        last_message_at: shown.map(|shown| shown.timestamp),
        last_inbound_at: opening.map(|message| message.timestamp),
        last_inbound_wamid: read.map(|message| message.wamid.clone()),
        entry_point_until: advertised.map(|message| message.timestamp.after(ENTRY_POINT_WINDOW)),
        answered_at: answer.map(|message| message.timestamp),
        // WhatsApp may deliver the message again when its time is no longer in the future.
        pending_annotation_until: is_from_the_future.then(|| now.after(LIFETIME)),
        first_inbound: first.map(|first| batch.message_id(first)),
        ..chat.with_addresses(&resolved.current(&batch.addresses), now)
    }
}

#[cfg(test)]
mod tests;
