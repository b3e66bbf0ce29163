//! One message: gathers what [`decide`] needs, and carries out its decision.

use std::time::Duration;

use super::{DeliveryError, Dispatcher, PendingMessage, rate_limiter::Admission};
use crate::{
    domain::{
        delivery::{Action, OutboxMessage, allows_next, decide},
        message::{Attempt, AttemptOutcome, DeliveryEvent, MessageStatus},
        retry::expires_at,
        session::UnknownPolicy,
        time::Timestamp,
    },
    services::send::WITHHELD,
    store::{Change, StoreError},
    telemetry::Metric,
};

/// How often to look at an unfinished previous message.
const PREVIOUS_INTERVAL: Duration = Duration::from_millis(200);

/// Whether the next message of the chat can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It can.
    Finished,
    /// The message is due later.
    Deferred,
}

/// The result of [`Dispatcher::advance`].
enum Step {
    /// There is nothing more to do now.
    Done(Progress),
    /// The previous message of the chat has to be delivered first.
    DeliverFirst(PendingMessage),
}

impl Dispatcher {
    /// Delivers a message, after those before it in its chat that are pending. Waits until `give_up` for what delays them,
    /// and then defers them.
    pub(super) async fn deliver_message(
        &self,
        pending: PendingMessage,
        mut give_up: Timestamp,
    ) -> Result<Progress, DeliveryError> {
        let mut rest = vec![pending];
        let mut progress = Progress::Finished;
        while let Some(pending) = rest.pop() {
            let key = pending.key();
            match self.advance(pending, give_up).await? {
                Step::Done(done) => progress = done,
                Step::DeliverFirst(previous) => rest.extend([PendingMessage::At(key), previous]),
            }
            if progress == Progress::Deferred {
                // The following messages wait for this one, so they are deferred too.
                give_up = give_up.min(self.system.now());
            }
        }
        Ok(progress)
    }

    /// Takes the steps of a message. The stream also contains unknown messages that a status settled: the later messages
    /// of their chats no longer have to wait.
    async fn advance(&self, pending: PendingMessage, give_up: Timestamp) -> Result<Step, DeliveryError> {
        let key = pending.key();
        let mut found = match pending {
            PendingMessage::Read(found) if found.message.status.is_final() => {
                self.store.outbox().make_chat_due(&found.message).await?;
                self.record_due(self.system.now());
                None
            }
            PendingMessage::Read(found) => Some(*found),
            PendingMessage::At(key) => self.store.outbox().get(&key).await?,
        };
        let mut capacity = self.system.now();
        let mut file = None;
        while let Some(message) = found {
            let session = self.sessions.get(message.message.session_id).await?;
            let previous = self.previous(&message).await?;
            let (now, policy) = (self.system.now(), session.unknown_policy);
            let retry_at = match decide(&message, session, previous.as_deref(), capacity, now) {
                Action::Finished => break,
                Action::Send { .. } => {
                    if file.is_none() {
                        file = Some(self.uploaded_file(&message.message).await?);
                    }
                    let number = &message.message.phone_number_id;
                    match self.rate_limiter.permit(number, message.message.priority, give_up).await? {
                        // The message may have waited for the permit for seconds.
                        Admission::Permitted(permit) => {
                            let session = self.sessions.get(message.message.session_id).await?;
                            let now = self.system.now();
                            if let Action::Send { pair_tat } = decide(&message, session, previous.as_deref(), now, now)
                                && let Some(file) = file.take()
                            {
                                return self.send(&message, file, permit, (pair_tat, policy)).await.map(Step::Done);
                            }
                        }
                        Admission::RetryAt(retry_at) => capacity = retry_at,
                    }
                    found = Some(message);
                    continue;
                }
                Action::PromotePrevious => match previous {
                    Some(mut previous) if now <= give_up => {
                        self.store.outbox().promote(&previous.message).await?;
                        previous.message.priority = message.message.priority;
                        return Ok(Step::DeliverFirst(PendingMessage::Read(previous)));
                    }
                    _ => now.after(PREVIOUS_INTERVAL),
                },
                Action::Expire => return self.expire(&message).await.map(Step::Done),
                Action::Interrupt => return self.interrupt(&message, policy).await.map(Step::Done),
                Action::GiveUp => return self.give_up(&message).await.map(Step::Done),
                Action::Resend => {
                    self.resend(&message).await?;
                    now
                }
                Action::Wait(until) => until,
                Action::WaitForPrevious(until) => match previous {
                    // No other process may be waiting for its time.
                    Some(previous) if until <= give_up && previous.message.status == MessageStatus::Pending => {
                        self.sleep_until(until).await;
                        return Ok(Step::DeliverFirst(PendingMessage::At(previous.message.key())));
                    }
                    _ => until.max(now.after(PREVIOUS_INTERVAL)),
                },
            };
            if retry_at > give_up {
                return Ok(Step::Done(self.defer(&message, retry_at, policy).await?));
            }
            self.sleep_until(retry_at).await;
            found = self.store.outbox().get(&key).await?;
        }
        Ok(Step::Done(Progress::Finished))
    }

    /// Reads the chat's previous outbound message, if a decision depends on it.
    async fn previous(&self, found: &OutboxMessage) -> Result<Option<Box<OutboxMessage>>, StoreError> {
        match found.message.predecessor().filter(|_| found.message.status == MessageStatus::Pending) {
            Some(key) => Ok(self.store.outbox().get(&key).await?.map(Box::new)),
            None => Ok(None),
        }
    }

    /// Leaves a message to a [`DuePoller`](super::DuePoller), from `due_at` on.
    async fn defer(
        &self,
        found: &OutboxMessage,
        due_at: Timestamp,
        policy: UnknownPolicy,
    ) -> Result<Progress, StoreError> {
        match found.message.status {
            MessageStatus::Pending => {
                let due_at = due_at.min(expires_at(&found.message));
                // A message that is due soon and was due before is found again without a write.
                let is_due = found.due_at.is_some_and(|current| current <= self.system.now());
                if !(is_due && self.is_soon(due_at)) && found.due_at != Some(due_at) {
                    self.store.outbox().postpone(&found.message.key(), due_at).await?;
                }
                self.record_due(due_at);
                Ok(Progress::Deferred)
            }
            // The message is due at its deadline, or when its lease has ended.
            status => Ok(after(status, policy)),
        }
    }

    /// Marks a message as failed because it expired.
    async fn expire(&self, found: &OutboxMessage) -> Result<Progress, DeliveryError> {
        tracing::warn!(message_id = %found.message.id, "message expired");
        let change = Change::new(DeliveryEvent::Expired).error("The message expired before it could be sent");
        self.fail_unsent(found, &change, Metric::FailedExpired).await
    }

    /// Marks a message as failed because the contact refuses it.
    pub(super) async fn withhold(&self, found: &OutboxMessage) -> Result<Progress, DeliveryError> {
        tracing::warn!(message_id = %found.message.id, "message withheld");
        let change = Change::new(DeliveryEvent::Withheld).error(WITHHELD);
        self.fail_unsent(found, &change, Metric::FailedWithheld).await
    }

    /// Marks an unknown message that has reached its deadline as failed.
    async fn give_up(&self, found: &OutboxMessage) -> Result<Progress, DeliveryError> {
        tracing::warn!(message_id = %found.message.id, "unknown message given up");
        let error = "WhatsApp did not confirm the message. It may have been sent, and is not sent again";
        self.fail_unsent(found, &Change::new(DeliveryEvent::GivenUp).error(error), Metric::FailedUnconfirmed).await
    }

    async fn fail_unsent(
        &self,
        found: &OutboxMessage,
        change: &Change,
        metric: Metric,
    ) -> Result<Progress, DeliveryError> {
        if !self.store.outbox().change_if(found, change).await? {
            return Ok(Progress::Deferred);
        }
        self.metrics.add(metric, 1);
        Ok(Progress::Finished)
    }

    /// Makes an unknown message that has reached its deadline pending again.
    async fn resend(&self, found: &OutboxMessage) -> Result<(), DeliveryError> {
        tracing::warn!(message_id = %found.message.id, "unknown message resent");
        let error = "WhatsApp did not confirm the message. It may have been sent, and is sent again";
        let change = Change::new(DeliveryEvent::Resent).error(error).due_at(self.system.now());
        self.store.outbox().change_if(found, &change).await.map(drop).map_err(Into::into)
    }

    /// Marks a message as unknown, because the process that was sending it has ended.
    async fn interrupt(&self, found: &OutboxMessage, policy: UnknownPolicy) -> Result<Progress, DeliveryError> {
        let now = self.system.now();
        let due_at = now.after(self.settings.unknown_deadline);
        let attempt = Attempt {
            at: now,
            outcome: AttemptOutcome::Unanswered,
            code: None,
            fbtrace_id: None,
            error: Some("The send was interrupted".to_owned()),
        };
        let change = Change::new(DeliveryEvent::Unanswered)
            .error("The send was interrupted. WhatsApp may have accepted the message")
            .due_at(due_at)
            .attempt(attempt);
        if !self.store.outbox().change_if(found, &change).await? {
            return Ok(Progress::Deferred);
        }
        tracing::warn!(message_id = %found.message.id, "send interrupted");
        self.metrics.add(Metric::MessagesUnknown, 1);
        self.record_due(due_at);
        Ok(after(MessageStatus::Unknown, policy))
    }
}

/// Returns the progress after a message that has this status now.
pub(super) fn after(status: MessageStatus, policy: UnknownPolicy) -> Progress {
    if allows_next(status, policy) { Progress::Finished } else { Progress::Deferred }
}
