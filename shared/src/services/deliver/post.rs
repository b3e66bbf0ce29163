//! One send: claims the message, posts it to the Cloud API, and settles it.

use std::time::Duration;

use serde_json::Value;

use super::{
    DeliveryError, Dispatcher,
    chat::Progress,
    message::{PAUSED_RECHECK_INTERVAL, after_unknown},
    rate_limiter::{Admission, Reservation},
};
use crate::{
    domain::{
        consent::{ConsentDecision, ConsentSource, MarketingConsent},
        identity::Address,
        message::{Attempt, AttemptOutcome, Category, DeliveryEvent, Message, MessageType, Receipt},
        retry::{backoff, expires_at},
        session::UnknownPolicy,
        time::Timestamp,
        whatsapp_error::{ErrorClass, MARKETING_STOPPED},
    },
    services::credentials::{AccessToken, Replacement},
    store::{Applied, Change, Claim, Lease, OutboxMessage, StoreError},
    telemetry::Metric,
    whatsapp::{self, SendError, SendResult, send_request},
};

/// How long a claim lasts. Longer than a post, so an expired lease means that the process has ended.
const LEASE: Duration = Duration::from_secs(30);

/// The end of a lease or an invocation, in which no post starts: the time of a post and its settlement.
const POST_MARGIN: Duration = Duration::from_secs(whatsapp::TIMEOUT.as_secs() + 2);

impl Dispatcher {
    /// Claims, posts, and settles a message that has a reservation.
    pub(super) async fn send(
        &self,
        found: &OutboxMessage,
        reservation: Reservation,
        pair_tat: Timestamp,
        policy: UnknownPolicy,
    ) -> Result<Progress, DeliveryError> {
        if self.refuses(&found.message).await? {
            return self.withhold(found).await;
        }
        let token = self.credentials.access_token(&found.message.phone_number_id).await?;
        let now = self.system.now();
        let until = now.after(LEASE);
        // A new message is already due after this lease. Only a later claim has to postpone it.
        let due_at = found.due_at.is_none_or(|due_at| due_at < until).then_some(until);
        let lease = Lease { id: self.system.random_uuid(), now, until, pair_tat, due_at };
        let claimed = match self.store.outbox().claim(&found.message.key(), &lease).await? {
            Claim::Claimed(claimed) => claimed,
            Claim::Taken => return Ok(Progress::Deferred),
            Claim::Missing => {
                tracing::warn!(message_id = %found.message.id, "outbox message not found");
                return Ok(Progress::Done { has_followers: false, pair_tat: None });
            }
        };
        let message = &claimed.message;
        let last_post = until.min(self.deadline).before(POST_MARGIN);
        if let Some(retry_at) = self.wait_to_post(&message.phone_number_id, reservation, last_post).await? {
            return self.release(&claimed, &lease, retry_at).await;
        }
        let result = match send_request(message) {
            Some(request) => self.post(&message.phone_number_id, token, &request, last_post).await,
            None => {
                let error = "The message has no recipient or no content";
                SendResult::Failed(SendError::new(ErrorClass::Refused, error))
            }
        };
        match result {
            SendResult::Accepted { wamid, wa_id, user_id, message_status } => {
                let has_followers = self.settle_accepted(&claimed, &lease, wamid, message_status).await?;
                self.record_recipient(message, wa_id, user_id).await?;
                Ok(Progress::Done { has_followers, pair_tat: Some(pair_tat) })
            }
            SendResult::Failed(error) => self.settle_failed(&claimed, &lease, error, policy).await,
        }
    }

    /// Returns whether the contact refuses this message. Only marketing messages need the chat.
    async fn refuses(&self, message: &Message) -> Result<bool, StoreError> {
        if message.category != Some(Category::Marketing) {
            return Ok(false);
        }
        let chat = self.store.chats().get(message.chat_id).await?;
        Ok(chat.is_some_and(|chat| chat.consent.denies_marketing()))
    }

    /// Waits for the reservation. Reserves again if a busy machine missed it. Returns when to retry if that would be
    /// after `last_post`, because another process may settle the message once the lease has expired.
    async fn wait_to_post(
        &self,
        phone_number_id: &str,
        mut reservation: Reservation,
        last_post: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        loop {
            let is_on_time = self.rate_limiter.wait_until(reservation).await;
            let now = self.system.now();
            if now > last_post {
                return Ok(Some(now));
            }
            if is_on_time {
                return Ok(None);
            }
            reservation = match self.rate_limiter.wait_for_reservation(phone_number_id).await? {
                Admission::Reserved(reservation) => reservation,
                Admission::RetryAt(retry_at) => return Ok(Some(retry_at)),
            };
        }
    }

    /// Posts a message. If WhatsApp refuses the token, posts once more with a newer one: the first post had no effect.
    /// If newer credentials can't be read, the message counts as not sent, so that an old token doesn't pause the
    /// session.
    async fn post(
        &self,
        phone_number_id: &str,
        token: AccessToken,
        request: &Value,
        last_post: Timestamp,
    ) -> SendResult {
        let result = self.cloud_api.post(phone_number_id, token.as_str(), request).await;
        let SendResult::Failed(error) = &result else { return result };
        if !error.is_token_refused() || self.system.now() > last_post {
            return result;
        }
        match self.credentials.replacement(phone_number_id, &token).await {
            Replacement::Token(token) => self.cloud_api.post(phone_number_id, token.as_str(), request).await,
            Replacement::NotYet => SendResult::Failed(SendError { class: ErrorClass::NotSent, ..error.clone() }),
            Replacement::None => result,
        }
    }

    /// Releases a claimed message that was not posted.
    async fn release(
        &self,
        claimed: &OutboxMessage,
        lease: &Lease,
        due_at: Timestamp,
    ) -> Result<Progress, DeliveryError> {
        tracing::warn!(message_id = %claimed.message.id, "message released unsent");
        let due_at = due_at.min(expires_at(&claimed.message));
        let change = Change::new(DeliveryEvent::NotSent).due_at(due_at);
        self.store.outbox().settle(claimed, lease.id, &change).await?;
        self.record_due(due_at);
        Ok(Progress::Deferred)
    }

    /// Settles a message that WhatsApp accepted. Returns whether later messages wait for it.
    async fn settle_accepted(
        &self,
        claimed: &OutboxMessage,
        lease: &Lease,
        wamid: String,
        message_status: Option<String>,
    ) -> Result<bool, StoreError> {
        let message = &claimed.message;
        let now = self.system.now();
        let attempt = Attempt { at: now, outcome: AttemptOutcome::Accepted, code: None, fbtrace_id: None, error: None };
        let change = Change::new(DeliveryEvent::Accepted).wamid(&wamid).attempt(attempt);
        let change = change.message_status(message_status);
        let has_followers = self.store.outbox().settle(claimed, lease.id, &change).await?;
        // Without the wamid: it contains the recipient's phone number in base64.
        tracing::info!(message_id = %message.id, "message sent");
        self.metrics.add(Metric::MessagesSent, 1);
        let latency = now.since(message.timestamp).as_millis();
        self.metrics.add(Metric::AcceptedToSentMilliseconds, u64::try_from(latency).unwrap_or(u64::MAX));
        let applied =
            self.store.messages().apply_early_updates(&message.phone_number_id, &wamid, &message.key()).await?;
        self.count_undelivered(applied);
        if message.kind == MessageType::Reaction {
            self.store.messages().sync_reaction(&message.key()).await?;
        }
        Ok(has_followers)
    }

    /// Records the identifiers that WhatsApp returned for the recipient.
    async fn record_recipient(
        &self,
        message: &Message,
        wa_id: Option<String>,
        user_id: Option<String>,
    ) -> Result<(), StoreError> {
        let addressed = message.to.as_deref().and_then(Address::from_destination);
        if matches!(addressed, Some(Address::Group(_))) {
            return Ok(());
        }
        let number = wa_id.as_deref().and_then(Address::from_wa_id);
        let user = user_id.as_deref().and_then(Address::from_user_id);
        let addresses: Vec<Address> = [addressed, number, user].into_iter().flatten().collect();
        if addresses.iter().any(|address| address.identity() != addresses[0].identity()) {
            self.store.chats().record_addresses(message.session_id, &addresses, self.system.now()).await?;
        }
        match wa_id {
            Some(wa_id) if message.to.as_ref() != Some(&wa_id) => {
                self.store.chats().record_wa_id(message.chat_id, &wa_id).await
            }
            _ => Ok(()),
        }
    }

    /// Counts the messages that WhatsApp accepted but could not deliver.
    pub(super) fn count_undelivered(&self, applied: impl IntoIterator<Item = Applied>) {
        let failed = applied.into_iter().filter(|applied| *applied == Applied::Moved(Receipt::Failed)).count();
        if failed > 0 {
            self.metrics.add(Metric::FailedUndelivered, failed as u64);
        }
    }

    /// Settles a message that WhatsApp did not accept, or whose outcome is unknown.
    async fn settle_failed(
        &self,
        claimed: &OutboxMessage,
        lease: &Lease,
        error: SendError,
        policy: UnknownPolicy,
    ) -> Result<Progress, DeliveryError> {
        let message = &claimed.message;
        let now = self.system.now();
        let SendError { class, error, code, fbtrace_id, retry_after } = error;
        let earlier = message.attempts.iter().rev().take_while(|attempt| attempt.outcome == AttemptOutcome::NotSent);
        let consecutive_failures = u32::try_from(earlier.count() + 1).unwrap_or(u32::MAX);
        let (event, outcome, due_at) = match class {
            ErrorClass::Refused => (DeliveryEvent::Rejected, AttemptOutcome::Rejected, None),
            ErrorClass::Indeterminate => {
                let deadline = now.after(self.settings.unknown_deadline);
                (DeliveryEvent::Unanswered, AttemptOutcome::Unanswered, Some(deadline))
            }
            ErrorClass::NotSent | ErrorClass::RecipientLimit => {
                let wait = backoff(class, consecutive_failures, retry_after, self.system.random_uuid());
                let retry_at = now.after(wait).min(expires_at(message));
                (DeliveryEvent::NotSent, AttemptOutcome::NotSent, Some(retry_at))
            }
            ErrorClass::AccountBlocked => {
                if self.sessions.pause(message.session_id, &error).await? {
                    tracing::error!(session_id = %message.session_id, code, "session paused");
                    self.metrics.add(Metric::SessionsPaused, 1);
                }
                let retry_at = now.after(PAUSED_RECHECK_INTERVAL).min(expires_at(message));
                (DeliveryEvent::NotSent, AttemptOutcome::NotSent, Some(retry_at))
            }
        };
        if code == Some(MARKETING_STOPPED) {
            let decision = ConsentDecision { marketing: MarketingConsent::Denied, since: now };
            self.store.chats().record_consent(message.chat_id, ConsentSource::Whatsapp, decision).await?;
        }
        tracing::warn!(message_id = %message.id, ?class, code, fbtrace_id, "message not sent");
        let metric = match event {
            DeliveryEvent::Rejected => Metric::FailedRejected,
            DeliveryEvent::Unanswered => Metric::MessagesUnknown,
            _ => Metric::MessagesRetried,
        };
        self.metrics.add(metric, 1);
        let attempt = Attempt { at: now, outcome, code, fbtrace_id, error: Some(error.clone()) };
        let change = Change::new(event).error(&error).attempt(attempt);
        let change = match due_at {
            Some(due_at) if event == DeliveryEvent::NotSent => change.not_before(due_at),
            Some(due_at) => change.due_at(due_at),
            None => change,
        };
        let has_followers = self.store.outbox().settle(claimed, lease.id, &change).await?;
        if let Some(due_at) = due_at {
            self.record_due(due_at);
        }
        Ok(match event {
            DeliveryEvent::Rejected => Progress::Done { has_followers, pair_tat: claimed.pair_tat },
            DeliveryEvent::Unanswered => after_unknown(has_followers, claimed.pair_tat, policy),
            _ => Progress::Deferred,
        })
    }
}
