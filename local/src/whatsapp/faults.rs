//! Injected faults for sends, files, and webhooks. They last until they are cleared or the process ends.

mod media;
mod mix;

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

pub(super) use self::media::{MediaFaults, MediaOutcome, MediaRequest};
use self::mix::{Fault, FaultMix};

const MAX_HANG_MS: u64 = 600_000;
const MAX_DUPLICATES: u32 = 100;

/// The active faults, in the format of `/simulator/faults`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Faults {
    /// The fault for the next sends.
    pub(super) sends: Option<SendFault>,
    /// The faults for the files of messages.
    pub(super) media: MediaFaults,
    /// The faults for webhooks.
    pub(super) webhooks: WebhookFaults,
    /// Whether the customer service window is enforced: only templates are delivered outside of it. `false` is for
    /// measurements that don't need a message from each recipient.
    pub(super) window: bool,
}

impl Default for Faults {
    fn default() -> Faults {
        Faults { sends: None, media: MediaFaults::default(), webhooks: WebhookFaults::default(), window: true }
    }
}

/// An update of the faults. Only the given members are replaced. `sends: null` removes the fault for sends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultsUpdate {
    #[serde(default, deserialize_with = "present")]
    sends: Option<Option<SendFault>>,
    #[serde(default, deserialize_with = "present")]
    media: Option<MediaFaults>,
    #[serde(default, deserialize_with = "present")]
    webhooks: Option<WebhookFaults>,
    #[serde(default)]
    window: Option<bool>,
}

/// Distinguishes a `null` member from an absent one.
pub(super) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(member: D) -> Result<Option<T>, D::Error> {
    T::deserialize(member).map(Some)
}

/// A fault for sends. Exactly one kind is set. Delays and timeouts are in milliseconds. `mix` selects one of several
/// faults at random for each send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct SendFault {
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    /// The message is accepted, with a response, after this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    delay: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_before_acceptance: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_after_acceptance: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    drop_before_acceptance: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    drop_after_acceptance: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_status: Option<u32>,
    /// The `message_status` of an accepted message that is held back, so that it gets no statuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mix: Option<FaultMix<SendFault>>,
    /// Number of remaining messages to affect; `None` for all messages and read receipts until the faults are cleared.
    times: Option<u32>,
}

/// Faults for webhooks, until they are cleared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct WebhookFaults {
    /// Number of additional copies of each webhook, delivered concurrently.
    pub(super) duplicates: u32,
    /// Delivers the statuses of a message in reverse order: read, delivered, sent.
    pub(super) reorder: bool,
    /// Identifies senders by user ID only, without a phone number.
    pub(super) bsuid_only: bool,
    /// Queues webhooks without delivering them.
    pub(super) hold: bool,
    /// Delivers new webhooks after this time, in milliseconds.
    pub(super) delay: u64,
    /// Omits the read status.
    pub(super) no_read: bool,
    /// Omits the delivered status, as if the chat is open on the phone.
    pub(super) no_delivered: bool,
    /// Omits `biz_opaque_callback_data` from statuses.
    pub(super) without_callback_data: bool,
}

/// The outcome of a send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SendOutcome {
    /// Accepted, with a response.
    Accepted,
    /// Accepted, with a response, after this time.
    Delayed(Duration),
    /// Rejected with this code, HTTP status, and `Retry-After` value in seconds.
    Rejected { code: u32, status: Option<u16>, retry_after: Option<u64> },
    /// Not accepted. The connection closes without a response after this time.
    LostBeforeAcceptance(Duration),
    /// Accepted. The connection closes without a response after this time.
    LostAfterAcceptance(Duration),
    /// Accepted, with a response, and then reported as failed with this code.
    Failed(u32),
    /// Accepted, with this `message_status` in the response, and held back.
    Held(String),
}

impl Faults {
    /// Applies an update.
    ///
    /// # Errors
    /// Returns a sentence that describes the problem.
    pub(super) fn change(&mut self, change: FaultsUpdate) -> Result<(), String> {
        let (sends, webhooks) = (&change.sends, &change.webhooks);
        sends.iter().flatten().try_for_each(|fault| fault.check("sends"))?;
        change.media.as_ref().map_or(Ok(()), MediaFaults::check)?;
        if webhooks.as_ref().is_some_and(|webhooks| webhooks.duplicates > MAX_DUPLICATES) {
            return Err(format!("webhooks.duplicates must be at most {MAX_DUPLICATES}"));
        }
        if webhooks.as_ref().is_some_and(|webhooks| webhooks.delay > MAX_HANG_MS) {
            return Err(format!("webhooks.delay must be at most {MAX_HANG_MS} milliseconds"));
        }
        if let Some(fault) = change.sends {
            self.sends = fault;
        }
        if let Some(faults) = change.media {
            self.media = faults;
        }
        if let Some(faults) = change.webhooks {
            self.webhooks = faults;
        }
        self.window = change.window.unwrap_or(self.window);
        Ok(())
    }

    /// Returns the outcome of the next message and decrements the remaining count.
    pub(super) fn next_send(&mut self) -> SendOutcome {
        let Some(fault) = &mut self.sends else {
            return SendOutcome::Accepted;
        };
        let outcome = fault.outcome();
        if let Some(times) = &mut fault.times {
            *times -= 1;
            if *times == 0 {
                self.sends = None;
            }
        }
        outcome
    }

    /// Returns the outcome of a read receipt. A fault with a remaining count is for messages: a typing indicator, which
    /// is a read receipt, precedes the message that the fault is meant for.
    pub(super) fn next_read_receipt(&mut self) -> SendOutcome {
        match &mut self.sends {
            Some(fault) if fault.times.is_none() => fault.outcome(),
            _ => SendOutcome::Accepted,
        }
    }
}

impl WebhookFaults {
    /// Returns the time to wait before new webhooks are delivered.
    pub(super) fn delay(&self) -> Duration {
        Duration::from_millis(self.delay)
    }
}

impl Fault for SendFault {
    type Outcome = SendOutcome;

    const NONE: SendOutcome = SendOutcome::Accepted;

    fn is_nested(&self) -> bool {
        self.mix.is_some() || self.times.is_some()
    }

    fn check(&self, _: &str) -> Result<(), String> {
        let kinds = [
            self.error_code.is_some(),
            self.delay.is_some(),
            self.timeout_before_acceptance.is_some(),
            self.timeout_after_acceptance.is_some(),
            self.drop_before_acceptance,
            self.drop_after_acceptance,
            self.failed_status.is_some(),
            self.message_status.is_some(),
            self.mix.is_some(),
        ];
        if kinds.iter().filter(|given| **given).count() != 1 {
            let sentence = "sends must have exactly one of errorCode, delay, timeoutBeforeAcceptance, \
                timeoutAfterAcceptance, dropBeforeAcceptance, dropAfterAcceptance, failedStatus, messageStatus, \
                and mix";
            return Err(sentence.to_owned());
        }
        if self.error_code.is_none() && (self.http_status.is_some() || self.retry_after.is_some()) {
            return Err("sends.httpStatus and sends.retryAfter require sends.errorCode".to_owned());
        }
        if self.http_status.is_some_and(|status| !(400..=599).contains(&status)) {
            return Err("sends.httpStatus must be from 400 to 599".to_owned());
        }
        if [self.delay, self.timeout_before_acceptance, self.timeout_after_acceptance]
            .into_iter()
            .flatten()
            .any(|hang| !(1..=MAX_HANG_MS).contains(&hang))
        {
            return Err(format!(
                "sends.delay, sends.timeoutBeforeAcceptance, and sends.timeoutAfterAcceptance must be from 1 to \
                 {MAX_HANG_MS} milliseconds"
            ));
        }
        if self.times == Some(0) {
            return Err("sends.times must be at least 1, or null for no limit".to_owned());
        }
        self.mix.as_ref().map_or(Ok(()), |mix| mix.check("sends"))
    }

    fn outcome(&mut self) -> SendOutcome {
        if let Some(mix) = &mut self.mix {
            mix.draw()
        } else if let Some(code) = self.error_code {
            SendOutcome::Rejected { code, status: self.http_status, retry_after: self.retry_after }
        } else if let Some(code) = self.failed_status {
            SendOutcome::Failed(code)
        } else if let Some(status) = &self.message_status {
            SendOutcome::Held(status.clone())
        } else if let Some(delay) = self.delay {
            SendOutcome::Delayed(Duration::from_millis(delay))
        } else if let Some(hang) = self.timeout_before_acceptance {
            SendOutcome::LostBeforeAcceptance(Duration::from_millis(hang))
        } else if let Some(hang) = self.timeout_after_acceptance {
            SendOutcome::LostAfterAcceptance(Duration::from_millis(hang))
        } else if self.drop_before_acceptance {
            SendOutcome::LostBeforeAcceptance(Duration::ZERO)
        } else {
            SendOutcome::LostAfterAcceptance(Duration::ZERO)
        }
    }
}

#[cfg(test)]
mod tests;
