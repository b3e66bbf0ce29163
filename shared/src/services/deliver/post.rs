//! One post: claim, call, settle.

use serde_json::Value;

use super::{DeliveryError, Dispatcher, LAST_POST, LEASE, PAUSED, Progress, after_unknown, rate_limiter::Reservation};
use crate::{
    domain::identity::Address,
    domain::message::{Attempt, AttemptOutcome, DeliveryEvent, Message, Receipt},
    domain::retry::{backoff, expires_at},
    domain::session::UnknownPolicy,
    domain::time::Timestamp,
    domain::whatsapp_error::ErrorClass,
    services::credentials::{AccessToken, Replacement},
    store::{Applied, Change, Claim, Lease, OutboxMessage, StoreError},
    telemetry::Metric,
    whatsapp::{SendError, SendResult, send_request},
};

impl Dispatcher {
    /// Claims, posts and settles a message whose turn it is.
    pub(super) async fn post(
        &self,
        found: &OutboxMessage,
        reservation: Reservation,
        pair_tat: Timestamp,
        policy: UnknownPolicy,
    ) -> Result<Progress, DeliveryError> {
        let token = self.credentials.access_token(&found.message.phone_number_id).await?;
        let now = self.system.now();
        let until = now.after(LEASE);
        // The row says already when it was to be looked at first; only a later claim has to say it anew.
        let due_at = found.due_at.is_none_or(|due_at| due_at < until).then_some(until);
        let lease = Lease { id: self.system.random_uuid(), now, until, pair_tat, due_at };
        let claimed = match self.store.outbox().claim(&found.message.key(), &lease).await? {
            Claim::Claimed(claimed) => claimed,
            Claim::Taken => return Ok(Progress::Deferred),
            Claim::Missing => {
                tracing::warn!(message_id = %found.message.id, "a message to deliver is not in the table");
                return Ok(Progress::Done { wakes: false, pair_tat: None });
            }
        };
        let message = &claimed.message;
        let last_post = until.min(self.deadline).before(LAST_POST);
        if let Err(retry_at) = self.wait_for_turn(&message.phone_number_id, reservation, last_post).await? {
            return self.give_back(&claimed, &lease, retry_at).await;
        }
        let posted = match send_request(message) {
            Some(request) => self.call(&message.phone_number_id, token, &request, last_post).await,
            None => {
                let error = "The message has no address or no content";
                SendResult::Failed(SendError::new(ErrorClass::Refused, error))
            }
        };
        match posted {
            SendResult::Accepted { wamid, wa_id, user_id } => {
                let wakes = self.accepted(&claimed, &lease, wamid).await?;
                self.learn_recipient(message, wa_id, user_id).await?;
                Ok(Progress::Done { wakes, pair_tat: Some(pair_tat) })
            }
            SendResult::Failed(problem) => self.not_accepted(&claimed, &lease, problem, policy).await,
        }
    }

    /// A token that is refused may have been replaced a moment ago. WhatsApp has done nothing with the message then, so
    /// that one more post with the new token cannot double it. Where that cannot be found out, the message comes again; the
    /// session is not paused for a token that may be an old one.
    async fn call(
        &self,
        phone_number_id: &str,
        token: AccessToken,
        request: &Value,
        last_post: Timestamp,
    ) -> SendResult {
        let posted = self.cloud_api.post(phone_number_id, token.as_str(), request).await;
        let SendResult::Failed(problem) = &posted else { return posted };
        if !problem.is_token_refused() || self.system.now() > last_post {
            return posted;
        }
        match self.credentials.replacement(phone_number_id, &token).await {
            Replacement::Token(token) => self.cloud_api.post(phone_number_id, token.as_str(), request).await,
            Replacement::NotYet => SendResult::Failed(SendError { class: ErrorClass::NotSent, ..problem.clone() }),
            Replacement::None => posted,
        }
    }

    /// Waits until it is time to post, with another reservation when a busy machine let one lapse. When to come again, if that
    /// would be after `last_post`: an answer after the lease would come when another process has decided without it.
    async fn wait_for_turn(
        &self,
        phone_number_id: &str,
        mut reservation: Reservation,
        last_post: Timestamp,
    ) -> Result<Result<(), Timestamp>, StoreError> {
        loop {
            let is_on_time = self.rate_limiter.wait_until(reservation).await;
            let now = self.system.now();
            if now > last_post {
                return Ok(Err(now));
            }
            if is_on_time {
                return Ok(Ok(()));
            }
            reservation = match self.rate_limiter.wait_for_reservation(phone_number_id).await? {
                Ok(reservation) => reservation,
                Err(retry_at) => return Ok(Err(retry_at)),
            };
        }
    }

    /// Lets go of a message that was claimed and not posted.
    async fn give_back(
        &self,
        claimed: &OutboxMessage,
        lease: &Lease,
        due_at: Timestamp,
    ) -> Result<Progress, DeliveryError> {
        tracing::warn!(message_id = %claimed.message.id, "no time was left to post a message");
        let due_at = due_at.min(expires_at(&claimed.message));
        let change = Change::new(DeliveryEvent::NotSent).due_at(due_at);
        self.store.outbox().settle(claimed, lease.id, &change).await?;
        self.note(due_at);
        Ok(Progress::Deferred)
    }

    async fn accepted(&self, claimed: &OutboxMessage, lease: &Lease, wamid: String) -> Result<bool, StoreError> {
        let message = &claimed.message;
        let now = self.system.now();
        let attempt = Attempt { at: now, outcome: AttemptOutcome::Accepted, code: None, fbtrace_id: None, error: None };
        let change = Change::new(DeliveryEvent::Accepted).wamid(&wamid).attempt(attempt);
        let wakes = self.store.outbox().settle(claimed, lease.id, &change).await?;
        // The wamid is left out: it holds the recipient's number in base64.
        tracing::info!(message_id = %message.id, "message sent");
        self.metrics.add(Metric::MessagesSent, 1);
        let taken = now.since(message.timestamp).as_millis();
        self.metrics.add(Metric::AcceptedToSentMilliseconds, u64::try_from(taken).unwrap_or(u64::MAX));
        let applied =
            self.store.messages().apply_early_updates(&message.phone_number_id, &wamid, &message.key()).await?;
        self.count_undelivered(applied);
        Ok(wakes)
    }

    /// Annotations who WhatsApp says that the recipient is, beside how he was addressed.
    async fn learn_recipient(
        &self,
        message: &Message,
        wa_id: Option<String>,
        user_id: Option<String>,
    ) -> Result<(), StoreError> {
        let named = message.to.as_deref().and_then(Address::parse);
        if matches!(named, Some(Address::Group(_))) {
            return Ok(());
        }
        let number = wa_id.as_deref().and_then(Address::from_wa_id);
        let forms: Vec<Address> =
            [named, number, user_id.as_deref().and_then(Address::from_user_id)].into_iter().flatten().collect();
        if forms.iter().any(|form| form.identity() != forms[0].identity()) {
            self.store.chats().record_addresses(message.session_id, &forms, self.system.now()).await?;
        }
        match wa_id {
            Some(wa_id) if message.to.as_ref() != Some(&wa_id) => {
                self.store.chats().record_wa_id(message.chat_id, &wa_id).await
            }
            _ => Ok(()),
        }
    }

    /// Counts the messages that turned out not to be delivered.
    pub(super) fn count_undelivered(&self, applied: impl IntoIterator<Item = Applied>) {
        let failed = applied.into_iter().filter(|applied| *applied == Applied::Moved(Receipt::Failed)).count();
        if failed > 0 {
            self.metrics.add(Metric::FailedUndelivered, failed as u64);
        }
    }

    async fn not_accepted(
        &self,
        claimed: &OutboxMessage,
        lease: &Lease,
        problem: SendError,
        policy: UnknownPolicy,
    ) -> Result<Progress, DeliveryError> {
        let message = &claimed.message;
        let now = self.system.now();
        let SendError { class, error, code, fbtrace_id, retry_after } = problem;
        let in_a_row = message.attempts.iter().rev().take_while(|one| one.outcome == AttemptOutcome::NotSent).count();
        let failures = u32::try_from(in_a_row + 1).unwrap_or(u32::MAX);
        let (event, outcome, due_at) = match class {
            ErrorClass::Refused => (DeliveryEvent::Rejected, AttemptOutcome::Rejected, None),
            ErrorClass::Indeterminate => {
                let deadline = now.after(self.settings.unknown_deadline);
                (DeliveryEvent::Unanswered, AttemptOutcome::Unanswered, Some(deadline))
            }
            ErrorClass::NotSent | ErrorClass::RecipientLimit => {
                let wait = backoff(class, failures, retry_after, self.system.random_uuid());
                let then = now.after(wait).min(expires_at(message));
                (DeliveryEvent::NotSent, AttemptOutcome::NotSent, Some(then))
            }
            ErrorClass::AccountBlocked => {
                if self.sessions.pause(message.session_id, &error).await? {
                    tracing::error!(session_id = %message.session_id, code, "session paused");
                    self.metrics.add(Metric::SessionsPaused, 1);
                }
                let then = now.after(PAUSED).min(expires_at(message));
                (DeliveryEvent::NotSent, AttemptOutcome::NotSent, Some(then))
            }
        };
        tracing::warn!(message_id = %message.id, ?class, code, fbtrace_id, "message not sent");
        self.metrics.add(
            match event {
                DeliveryEvent::Rejected => Metric::FailedRejected,
                DeliveryEvent::Unanswered => Metric::MessagesUnknown,
                _ => Metric::MessagesRetried,
            },
            1,
        );
        let change = Change::new(event).error(&error).attempt(Attempt {
            at: now,
            outcome,
            code,
            fbtrace_id,
            error: Some(error.clone()),
        });
        let change = match due_at {
            Some(due_at) if event == DeliveryEvent::NotSent => change.not_before(due_at),
            Some(due_at) => change.due_at(due_at),
            None => change,
        };
        let wakes = self.store.outbox().settle(claimed, lease.id, &change).await?;
        if let Some(due_at) = due_at {
            self.note(due_at);
        }
        Ok(match event {
            DeliveryEvent::Rejected => Progress::Done { wakes, pair_tat: claimed.pair_tat },
            DeliveryEvent::Unanswered => after_unknown(wakes, claimed.pair_tat, policy),
            _ => Progress::Deferred,
        })
    }
}
