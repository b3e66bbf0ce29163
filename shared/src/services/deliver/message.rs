//! The next step of one message, by its status: send, defer, expire, or resolve an unknown outcome.

use std::time::Duration;

use super::{
    DeliveryError, Dispatcher, PendingMessage,
    chat::{FinishedMessage, Progress},
    rate_limiter::Admission,
};
use crate::{
    domain::{
        message::{Attempt, AttemptOutcome, Channel, DeliveryEvent, MessageStatus},
        message_key::MessageKey,
        pacing,
        retry::expires_at,
        session::UnknownPolicy,
        time::Timestamp,
    },
    services::send::WITHHELD,
    store::{Change, OutboxMessage},
    telemetry::Metric,
};

/// How often to check whether a paused session was resumed. Resuming it makes its messages due as well.
pub(super) const PAUSED_RECHECK_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// The time from a predecessor's due time to the message's own. The process that finishes the predecessor normally sends
/// the message earlier.
const PREDECESSOR_RECHECK_DELAY: Duration = Duration::from_secs(5);

/// Whether a message still waits for its predecessor.
enum PredecessorState {
    /// The message can be sent.
    Finished { pair_tat: Option<Timestamp> },
    /// The message has been deferred.
    Unfinished,
}

impl Dispatcher {
    /// Takes the next step of a message. `finished` is the previous message, if this process has just finished it.
    pub(super) async fn deliver_one(
        &self,
        pending: PendingMessage,
        finished: Option<FinishedMessage>,
    ) -> Result<Progress, DeliveryError> {
        const NOTHING_TO_DO: Progress = Progress::Done { has_followers: false, pair_tat: None };
        let found = match pending {
            PendingMessage::Read(found) => *found,
            PendingMessage::At(key) => match self.store.outbox().get(&key).await? {
                Some(found) => found,
                None => return Ok(NOTHING_TO_DO),
            },
        };
        if found.message.channel != Channel::CloudApi {
            return Ok(NOTHING_TO_DO);
        }
        match found.message.status {
            MessageStatus::Pending => self.deliver_pending(found, finished).await,
            MessageStatus::Sending => self.recover(&found).await,
            MessageStatus::Unknown => self.resolve_unknown(found, finished).await,
            _ => Ok(Progress::Done { has_followers: found.waiting, pair_tat: found.pair_tat }),
        }
    }

    async fn deliver_pending(
        &self,
        mut found: OutboxMessage,
        finished: Option<FinishedMessage>,
    ) -> Result<Progress, DeliveryError> {
        let key = found.message.key();
        let now = self.system.now();
        if let Some(not_before) = found.not_before.filter(|not_before| *not_before > now) {
            return self.defer(&key, not_before).await;
        }
        let PredecessorState::Finished { pair_tat } = self.check_predecessor(&mut found, finished).await? else {
            return Ok(Progress::Deferred);
        };
        let expires_at = expires_at(&found.message);
        if expires_at <= now {
            return self.expire(&found).await;
        }
        let mut session = self.sessions.get(found.message.session_id).await?;
        if session.is_paused {
            // The cached state may be older than a resumption.
            self.sessions.forget(found.message.session_id);
            session = self.sessions.get(found.message.session_id).await?;
        }
        if session.is_paused {
            return self.defer(&key, now.after(PAUSED_RECHECK_INTERVAL).min(expires_at)).await;
        }
        let pair_tat = match pacing::pair(pair_tat, now) {
            Ok(pair_tat) => pair_tat,
            Err(allowed_from) => return self.defer(&key, allowed_from.min(expires_at)).await,
        };
        if now > self.last_start() && !self.rate_limiter.has_reservation(&found.message.phone_number_id).await {
            return self.hand_over(&found).await;
        }
        match self.rate_limiter.wait(&found.message.phone_number_id).await? {
            Admission::Reserved(reservation) => self.send(&found, reservation, pair_tat, session.unknown_policy).await,
            Admission::RetryAt(retry_at) => self.defer(&key, retry_at.min(expires_at)).await,
        }
    }

    /// Checks whether the message's predecessor is finished. If it isn't, defers the message.
    async fn check_predecessor(
        &self,
        found: &mut OutboxMessage,
        finished: Option<FinishedMessage>,
    ) -> Result<PredecessorState, DeliveryError> {
        const NONE: PredecessorState = PredecessorState::Finished { pair_tat: None };
        let Some(key) = found.message.predecessor() else { return Ok(NONE) };
        if let Some(finished) = finished.filter(|finished| finished.key == key) {
            return Ok(PredecessorState::Finished { pair_tat: finished.pair_tat });
        }
        let Some(predecessor) = self.store.outbox().get(&key).await? else { return Ok(NONE) };
        let pair_tat = predecessor.pair_tat;
        let policy = self.sessions.get(found.message.session_id).await?.unknown_policy;
        if allows_followers(predecessor.message.status, policy) {
            return Ok(PredecessorState::Finished { pair_tat });
        }
        // The process that finishes the predecessor sends this message too, and the `DuePoller` does otherwise. Defer
        // it before `wait_for`: a process that finishes the predecessor without time for this message makes it due at
        // once, and a later `defer` would overwrite that.
        let now = self.system.now();
        let due_at = predecessor.due_at.unwrap_or(now).max(now).after(PREDECESSOR_RECHECK_DELAY);
        self.defer(&found.message.key(), due_at).await?;
        found.due_at = Some(due_at);
        Ok(if self.store.outbox().wait_for(&key).await? {
            PredecessorState::Unfinished
        } else {
            PredecessorState::Finished { pair_tat }
        })
    }

    /// Makes a message due at `due_at`.
    async fn defer(&self, key: &MessageKey, due_at: Timestamp) -> Result<Progress, DeliveryError> {
        self.store.outbox().postpone(key, due_at).await?;
        self.record_due(due_at);
        Ok(Progress::Deferred)
    }

    /// Leaves a message to the next invocation: makes it due now, unless it already is.
    async fn hand_over(&self, found: &OutboxMessage) -> Result<Progress, DeliveryError> {
        let now = self.system.now();
        if found.due_at.is_some_and(|due_at| due_at <= now) {
            self.record_due(now);
            return Ok(Progress::Deferred);
        }
        self.defer(&found.message.key(), now).await
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

    async fn fail_unsent(
        &self,
        found: &OutboxMessage,
        change: &Change,
        metric: Metric,
    ) -> Result<Progress, DeliveryError> {
        match self.store.outbox().change_if(found, change).await? {
            Some(has_followers) => {
                self.metrics.add(metric, 1);
                Ok(Progress::Done { has_followers, pair_tat: found.pair_tat })
            }
            None => Ok(Progress::Deferred),
        }
    }

    /// Marks a message as unknown if the lease of the process that was sending it has expired.
    async fn recover(&self, found: &OutboxMessage) -> Result<Progress, DeliveryError> {
        let now = self.system.now();
        if found.lease_until.is_some_and(|until| until >= now) {
            return Ok(Progress::Deferred);
        }
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
        let policy = self.sessions.get(found.message.session_id).await?.unknown_policy;
        match self.store.outbox().change_if(found, &change).await? {
            Some(has_followers) => {
                tracing::warn!(message_id = %found.message.id, "send interrupted");
                self.metrics.add(Metric::MessagesUnknown, 1);
                self.record_due(due_at);
                Ok(after_unknown(has_followers, found.pair_tat, policy))
            }
            None => Ok(Progress::Deferred),
        }
    }

    /// Applies the session's policy to an unknown message that has reached its deadline.
    async fn resolve_unknown(
        &self,
        mut found: OutboxMessage,
        finished: Option<FinishedMessage>,
    ) -> Result<Progress, DeliveryError> {
        let now = self.system.now();
        let policy = self.sessions.get(found.message.session_id).await?.unknown_policy;
        if found.due_at.is_some_and(|due_at| due_at > now) {
            return Ok(after_unknown(found.waiting, found.pair_tat, policy));
        }
        let (event, error) = match policy {
            UnknownPolicy::Fail => (
                DeliveryEvent::GivenUp,
                "WhatsApp did not confirm the message. It may have been sent, and is not sent again",
            ),
            UnknownPolicy::Resend => (
                DeliveryEvent::Resent,
                "WhatsApp did not confirm the message. It may have been sent, and is sent again",
            ),
        };
        // A failed message ignores the due time.
        let change = Change::new(event).error(error).due_at(now);
        let Some(has_followers) = self.store.outbox().change_if(&found, &change).await? else {
            return Ok(Progress::Deferred);
        };
        tracing::warn!(message_id = %found.message.id, ?policy, "unknown message reached its deadline");
        match policy {
            UnknownPolicy::Fail => {
                self.metrics.add(Metric::FailedUnconfirmed, 1);
                Ok(Progress::Done { has_followers, pair_tat: found.pair_tat })
            }
            UnknownPolicy::Resend => {
                found.message.status = MessageStatus::Pending;
                found.not_before = None;
                Box::pin(self.deliver_pending(found, finished)).await
            }
        }
    }
}

/// Whether later messages of the chat can be sent. An unknown message blocks them only if it may be resent: it would
/// arrive after them.
fn allows_followers(status: MessageStatus, policy: UnknownPolicy) -> bool {
    status.is_final() || (status == MessageStatus::Unknown && policy == UnknownPolicy::Fail)
}

/// Returns the progress after a message whose outcome is unknown.
pub(super) fn after_unknown(has_followers: bool, pair_tat: Option<Timestamp>, policy: UnknownPolicy) -> Progress {
    match policy {
        UnknownPolicy::Fail => Progress::Done { has_followers, pair_tat },
        UnknownPolicy::Resend => Progress::Deferred,
    }
}
