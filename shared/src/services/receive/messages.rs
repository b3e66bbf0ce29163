//! Storing of received messages.

use futures_util::{StreamExt, stream};

use super::{Delivery, MAX_CONCURRENT_REQUESTS, Receiver, task::Conversation};
use crate::{
    domain::{
        call::CallStatus,
        id::MessageId,
        inbound::{Inbound, InboundBatch},
        message::Source,
        message_action::MessageAction,
        message_key::MessageKey,
        status_update::StatusUpdate,
    },
    store::{Applied, StoreError},
    telemetry::Metric,
    whatsapp::Peer,
};

impl Receiver {
    /// Stores the messages of a conversation, then applies the updates that arrived before them and the message actions
    /// that they contain.
    pub(super) async fn store_messages(
        &self,
        conversation: Conversation,
        delivery: Delivery<'_>,
    ) -> Result<(), StoreError> {
        let number = conversation.phone_number_id.as_str();
        let Some(owner) = self.number_owners.get(number).await? else { return self.store_unowned(conversation).await };
        self.number_owners.record_account(number, conversation.waba_id, Some(&owner)).await?;
        let Conversation { phone_number_id, peer, source, messages, .. } = conversation;
        let (session_id, Peer { addresses, profile, .. }) = (owner.session_id, peer);
        let actions: Vec<MessageAction> = messages.iter().filter_map(|message| message.action.clone()).collect();
        let is_ended = |message: &&Inbound| message.call.is_some_and(CallStatus::is_final);
        let ended_calls: Vec<Inbound> = messages.iter().filter(is_ended).cloned().collect();
        let count = messages.len();
        let messages = self.without_known(&phone_number_id, source, messages).await?;
        let (number, may_be_copy) = (phone_number_id.clone(), false);
        let (received_at, request_id) = (Some(delivery.at), Some(delivery.request_id.to_owned()));
        let batch = InboundBatch {
            session_id,
            phone_number_id,
            addresses,
            profile,
            source,
            may_be_copy,
            received_at,
            is_import: false,
            request_id,
            messages,
        };
        let receipts = self.store.messages().receive(batch).await?;
        let stored = receipts.stored;
        let request_id = delivery.request_id;
        tracing::info!(request_id, %session_id, ?source, stored, duplicates = count - stored, "messages received");
        for (wamid, key) in &receipts.recheck {
            let applied = self.store.messages().apply_early_updates(&number, wamid, key).await?;
            applied.into_iter().for_each(|applied| self.count_undelivered(applied));
        }
        for call in ended_calls {
            let time = receipts.times.get(&call.wamid).copied().unwrap_or(call.timestamp);
            if let Some(chat_id) = receipts.chat_id {
                let message_id = MessageId::for_inbound(&number, &call.wamid);
                let key = MessageKey { chat_id, time, message_id };
                self.store.messages().end_call(&number, &key, &call).await?;
            }
        }
        for action in actions {
            let at = receipts.times.get(&action.wamid).copied().unwrap_or(action.at.clamped_to(self.system.now()));
            let action = MessageAction { at, ..action };
            self.store.messages().apply_or_store_action(&number, action, receipts.chat_id).await?;
        }
        Ok(())
    }

    /// Removes messages that are stored under another key: messages sent through the API, and repetitions in the
    /// history.
    async fn without_known(
        &self,
        number: &str,
        source: Option<Source>,
        messages: Vec<Inbound>,
    ) -> Result<Vec<Inbound>, StoreError> {
        let unknown: Vec<Result<Option<Inbound>, StoreError>> = stream::iter(messages)
            .map(|message| async move {
                // A call has one key, however it is received.
                let may_be_known = message.call.is_none() && (message.from_me || source == Some(Source::History));
                let is_known = may_be_known && self.is_known(number, &message).await?;
                Ok((!is_known).then_some(message))
            })
            .buffered(MAX_CONCURRENT_REQUESTS)
            .collect()
            .await;
        unknown.into_iter().filter_map(Result::transpose).collect()
    }

    /// Returns whether a message is stored. Updates the stored message if WhatsApp reports more about it.
    async fn is_known(&self, number: &str, message: &Inbound) -> Result<bool, StoreError> {
        if let Some(key) = message.ours {
            let sent_at = message.timestamp.clamped_to(self.system.now());
            let update = StatusUpdate::sent(number, &message.wamid, sent_at);
            if self.store.messages().apply_status(&key, &update).await? != Applied::Missing {
                return Ok(true);
            }
        }
        let Some(key) = self.store.messages().find_by_wamid(number, &message.wamid).await? else { return Ok(false) };
        self.store.messages().fill_placeholder(&key, message).await?;
        Ok(true)
    }

    /// Stores messages for a number that no session owns.
    pub(super) async fn store_unowned(&self, conversation: Conversation) -> Result<(), StoreError> {
        let Conversation { phone_number_id, source, messages, .. } = conversation;
        let (number, count) = (phone_number_id.as_str(), messages.len());
        let results: Vec<_> = stream::iter(messages)
            .map(|message| async move { self.store.messages().put_unowned_if_absent(number, &message, source).await })
            .buffer_unordered(MAX_CONCURRENT_REQUESTS)
            .collect()
            .await;
        results.into_iter().collect::<Result<(), StoreError>>()?;
        tracing::warn!(phone_number_id, count, "unowned messages stored");
        self.metrics.add(Metric::UnownedMessages, count as u64);
        Ok(())
    }
}
