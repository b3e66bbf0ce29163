//! One send: claims the message, posts it to the Cloud API, and settles it.

use std::time::Duration;

use serde_json::Value;

use super::{
    DeliveryError, Dispatcher,
    file::UploadedFile,
    message::{Progress, after},
    rate_limiter::{Admission, Permit},
};
use crate::{
    domain::{
        consent::{ConsentDecision, ConsentSource, MarketingConsent},
        delivery::OutboxMessage,
        identity::Address,
        message::{Attempt, AttemptOutcome, Category, DeliveryEvent, Message, MessageStatus, MessageType, Receipt},
        retry::{backoff, expires_at},
        session::UnknownPolicy,
        time::Timestamp,
        whatsapp_error::{ErrorClass, MARKETING_STOPPED},
    },
    services::credentials::{AccessToken, Replacement},
    store::{Applied, Change, Claim, Lease, StoreError},
    telemetry::Metric,
    whatsapp::{self, SendError, SendResult, send_request},
};

/// How long a claim lasts. Longer than a post, so an expired lease means that the process has ended.
const LEASE: Duration = Duration::from_secs(30);

/// The end of a lease or an invocation, in which no post starts: the time of a post and its settlement.
const POST_MARGIN: Duration = Duration::from_secs(whatsapp::TIMEOUT.as_secs() + 2);

impl Dispatcher {
    /// Claims, posts, and settles a message that has a permit. A message whose file WhatsApp doesn't have isn't posted.
    pub(super) async fn send(
        &self,
        found: &OutboxMessage,
        file: UploadedFile,
        permit: Permit,
        (pair_tat, policy): (Timestamp, UnknownPolicy),
    ) -> Result<Progress, DeliveryError> {
        if self.refuses(&found.message).await? {
            return self.withhold(found).await;
        }
        let token = self.credentials.access_token(&found.message.phone_number_id).await?;
        let now = self.system.now();
        let until = now.after(LEASE);
        let lease = Lease { id: self.system.random_uuid(), now, until, pair_tat };
        let claimed = match self.store.outbox().claim(&found.message.key(), &lease).await? {
            Claim::Claimed(claimed) => claimed,
            // The next message finds out whether it has to wait.
            Claim::Taken => return Ok(Progress::Finished),
            Claim::Missing => {
                tracing::warn!(message_id = %found.message.id, "outbox message not found");
                return Ok(Progress::Finished);
            }
        };
        let message = &claimed.message;
        let file = match file {
            Ok(file) => file,
            Err(error) => return self.settle_failed(&claimed, &lease, error, policy).await,
        };
        let last_post = until.min(self.deadline).before(POST_MARGIN);
        if !self.wait_to_post(message, permit, last_post).await? {
            return self.release(&claimed, &lease).await;
        }
        let result = match send_request(message, file.as_deref()) {
            Some(request) => self.post(&message.phone_number_id, token, &request, last_post).await,
            None => {
                let error = "The message has no recipient or no content";
                SendResult::Failed(SendError::new(ErrorClass::Refused, error))
            }
        };
        match result {
            SendResult::Accepted { wamid, wa_id, user_id, message_status } => {
                self.settle_accepted(&claimed, &lease, wamid, message_status).await?;
                self.record_recipient(message, wa_id, user_id).await?;
                Ok(Progress::Finished)
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

    /// Waits for the time of the permit, and of another one if a busy machine missed it. Returns `false` if that would be
    /// after `last_post`, because another process may settle the message once the lease has expired.
    async fn wait_to_post(
        &self,
        message: &Message,
        mut permit: Permit,
        last_post: Timestamp,
    ) -> Result<bool, StoreError> {
        loop {
            let is_on_time = self.rate_limiter.wait_until(permit).await;
            if self.system.now() > last_post || is_on_time {
                return Ok(self.system.now() <= last_post);
            }
            permit = match self.rate_limiter.permit(&message.phone_number_id, message.priority, last_post).await? {
                Admission::Permitted(permit) => permit,
                Admission::RetryAt(_) => return Ok(false),
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
        if !error.is_token_refused || self.system.now() > last_post {
            return result;
        }
        match self.credentials.replacement(phone_number_id, &token).await {
            Replacement::Token(token) => self.cloud_api.post(phone_number_id, token.as_str(), request).await,
            Replacement::NotYet => SendResult::Failed(SendError { class: ErrorClass::NotSent, ..error.clone() }),
            Replacement::None => result,
        }
    }

    /// Releases a claimed message that was not posted.
    async fn release(&self, claimed: &OutboxMessage, lease: &Lease) -> Result<Progress, DeliveryError> {
        tracing::warn!(message_id = %claimed.message.id, "message released unsent");
        let now = self.system.now();
        self.store.outbox().settle(claimed, lease.id, &Change::new(DeliveryEvent::NotSent).due_at(now)).await?;
        self.record_due(now);
        Ok(Progress::Deferred)
    }

    /// Settles a message that WhatsApp accepted.
    async fn settle_accepted(
        &self,
        claimed: &OutboxMessage,
        lease: &Lease,
        wamid: String,
        message_status: Option<String>,
    ) -> Result<(), StoreError> {
        let message = &claimed.message;
        let now = self.system.now();
        let attempt = Attempt { at: now, outcome: AttemptOutcome::Accepted, code: None, fbtrace_id: None, error: None };
        let change = Change::new(DeliveryEvent::Accepted).wamid(&wamid).attempt(attempt);
        let change = change.message_status(message_status);
        self.store.outbox().settle(claimed, lease.id, &change).await?;
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
        Ok(())
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
        let SendError { class, error, code, fbtrace_id, retry_after, .. } = error;
        let earlier = message.attempts.iter().rev().take_while(|attempt| attempt.outcome == AttemptOutcome::NotSent);
        let consecutive_failures = u32::try_from(earlier.count() + 1).unwrap_or(u32::MAX);
        let expires_at = expires_at(message);
        let (event, outcome, due_at) = match class {
            ErrorClass::Refused => (DeliveryEvent::Rejected, AttemptOutcome::Rejected, None),
            ErrorClass::Indeterminate => {
                let deadline = now.after(self.settings.unknown_deadline);
                (DeliveryEvent::Unanswered, AttemptOutcome::Unanswered, Some(deadline))
            }
            ErrorClass::NotSent | ErrorClass::RecipientLimit => {
                let wait = backoff(class, consecutive_failures, retry_after, self.system.random_uuid());
                (DeliveryEvent::NotSent, AttemptOutcome::NotSent, Some(now.after(wait).min(expires_at)))
            }
            ErrorClass::AccountBlocked => {
                if self.sessions.pause(message.session_id, &error).await? {
                    tracing::error!(session_id = %message.session_id, code, "session paused");
                    self.metrics.add(Metric::SessionsPaused, 1);
                }
                // Resuming the session makes the message due.
                (DeliveryEvent::NotSent, AttemptOutcome::NotSent, Some(expires_at))
            }
        };
        if code == Some(MARKETING_STOPPED) {
            let decision = ConsentDecision { marketing: MarketingConsent::Denied, since: now };
            self.store.chats().record_consent(message.chat_id, ConsentSource::Whatsapp, decision).await?;
        }
        tracing::warn!(message_id = %message.id, ?class, code, fbtrace_id, "message not sent");
        let (metric, status) = match event {
            DeliveryEvent::Rejected => (Metric::FailedRejected, MessageStatus::Failed),
            DeliveryEvent::Unanswered => (Metric::MessagesUnknown, MessageStatus::Unknown),
            _ => (Metric::MessagesRetried, MessageStatus::Pending),
        };
        self.metrics.add(metric, 1);
        let attempt = Attempt { at: now, outcome, code, fbtrace_id, error: Some(error.clone()) };
        let change = Change::new(event).error(&error).attempt(attempt);
        let change = match due_at {
            Some(due_at) if event == DeliveryEvent::NotSent => change.not_before(due_at),
            Some(due_at) => change.due_at(due_at),
            None => change,
        };
        self.store.outbox().settle(claimed, lease.id, &change).await?;
        if let Some(due_at) = due_at {
            self.record_due(due_at);
        }
        Ok(after(status, policy))
    }
}
