//! The messages of one chat, in order.

use super::{DeliveryError, Dispatcher, PendingMessage};
use crate::{
    domain::{message_key::MessageKey, time::Timestamp},
    store::StoreError,
};

/// The state of a chat after one of its messages was processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The next message of the chat can be sent.
    Done {
        /// Whether later messages are stored as waiting for this one.
        has_followers: bool,
        /// The theoretical arrival time of the chat's pair rate limit, if known.
        pair_tat: Option<Timestamp>,
    },
    /// The message is due later, and later messages of the chat wait for it.
    Deferred,
}

/// A message that this process has just finished.
#[derive(Clone, Copy, Debug)]
pub(super) struct FinishedMessage {
    pub(super) key: MessageKey,
    pub(super) pair_tat: Option<Timestamp>,
}

impl Dispatcher {
    /// Delivers messages of one chat, in order, until one is deferred or fails. Returns one outcome for each.
    pub(super) async fn deliver_chat(&self, pending_messages: Vec<PendingMessage>) -> Vec<Result<(), DeliveryError>> {
        let mut outcomes = Vec::with_capacity(pending_messages.len());
        let mut finished: Option<FinishedMessage> = None;
        let mut rest = pending_messages.into_iter().peekable();
        while let Some(pending) = rest.next() {
            let key = pending.key();
            match self.deliver_one(pending, finished.take()).await {
                Ok(Progress::Done { has_followers, pair_tat }) => {
                    finished = Some(FinishedMessage { key, pair_tat });
                    // Even if the batch has more messages: it may lack the next one, which is not due by itself.
                    outcomes.push(if has_followers { self.deliver_followers(key, pair_tat).await } else { Ok(()) });
                }
                Ok(Progress::Deferred) => {
                    outcomes.push(Ok(()));
                    if rest.peek().is_some() {
                        match self.store.outbox().wait_for(&key).await {
                            Ok(true) => break,
                            // Another process has finished it since.
                            Ok(false) => {}
                            Err(error) => {
                                outcomes.push(Err(error.into()));
                                rest.next();
                                break;
                            }
                        }
                    }
                }
                Err(error) => {
                    outcomes.push(Err(error));
                    break;
                }
            }
        }
        // After a failure, the stream delivers the rest again. Otherwise, the rest waits in the table for the deferred
        // message.
        let has_failed = outcomes.last().is_some_and(Result::is_err);
        outcomes.extend(rest.map(|_| {
            if has_failed { Err(StoreError::Contention { operation: "delivering in order" }.into()) } else { Ok(()) }
        }));
        outcomes
    }

    /// Delivers the messages that wait for the one at `key`.
    async fn deliver_followers(
        &self,
        mut key: MessageKey,
        mut pair_tat: Option<Timestamp>,
    ) -> Result<(), DeliveryError> {
        loop {
            let followers = self.store.outbox().followers(&key).await?;
            if followers.is_empty() {
                return Ok(());
            }
            for follower in followers {
                let next = follower.message.key();
                let finished = FinishedMessage { key, pair_tat };
                match self.deliver_one(PendingMessage::Read(Box::new(follower)), Some(finished)).await? {
                    Progress::Done { pair_tat: tat, .. } => (key, pair_tat) = (next, tat),
                    Progress::Deferred => {
                        return self.store.outbox().wait_for(&next).await.map(drop).map_err(Into::into);
                    }
                }
            }
        }
    }
}
