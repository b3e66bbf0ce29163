//! Faults that a test asks for: what the next sends and webhooks suffer. They end with the process.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

const LONGEST_HANG_MS: u64 = 600_000;
const MOST_DUPLICATES: u32 = 100;

/// The faults in force, as `/simulator/faults` takes and shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Faults {
    /// What the next sends suffer; `None` for nothing.
    pub(super) sends: Option<SendFault>,
    /// What webhooks suffer.
    pub(super) webhooks: WebhookFaults,
    /// Whether the customer service window is enforced: outside of it only templates are delivered.
    pub(super) window: bool,
}

/// A change of the faults: a member that is there replaces what was in force, one that is not
/// leaves it. `sends` may be `null`, for none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultsChange {
    #[serde(default, deserialize_with = "given")]
    sends: Option<Option<SendFault>>,
    #[serde(default, deserialize_with = "given")]
    webhooks: Option<WebhookFaults>,
    #[serde(default)]
    window: Option<bool>,
}

/// Tells a member that is `null` from one that is not there.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(member: D) -> Result<Option<T>, D::Error> {
    T::deserialize(member).map(Some)
}

/// One way for a send to go wrong; exactly one of the ways is given. Hangs are in milliseconds.
/// `mix` draws one of several ways for each send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct SendFault {
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    mix: Option<Mix>,
    /// How many sends still suffer it; `None` means all, until the faults are cleared.
    times: Option<u32>,
}

/// Faults that are drawn by lot. The same seed draws the same faults for the same number of sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mix {
    /// The state of the generator, which moves on with every send.
    seed: u64,
    faults: Vec<Share>,
}

/// One fault of a mix, and in how many of 100 sends it happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Share {
    percent: u32,
    fault: SendFault,
}

/// What webhooks suffer, until the faults are cleared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct WebhookFaults {
    /// How many more copies of each webhook are delivered, at the same time as the first.
    pub(super) duplicates: u32,
    /// The statuses of a message come in reverse: read, delivered, sent.
    pub(super) reorder: bool,
    /// Senders have a user id and no phone number.
    pub(super) bsuid_only: bool,
    /// Webhooks are queued and not delivered.
    pub(super) hold: bool,
    /// Recipients never report that they have read.
    pub(super) no_read: bool,
    /// The delivered status is skipped, as when the chat is open on the phone.
    pub(super) no_delivered: bool,
    /// Statuses come without `biz_opaque_callback_data`.
    pub(super) without_callback_data: bool,
}

/// What happens to one send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SendOutcome {
    /// Accepted and answered.
    Accepted,
    /// Refused with this code, status and `Retry-After`.
    Refused { code: u32, status: Option<u16>, retry_after: Option<u64> },
    /// Not accepted; the connection closes without an answer after this time.
    LostBeforeAcceptance(Duration),
    /// Accepted; the connection closes without an answer after this time.
    LostAfterAcceptance(Duration),
    /// Accepted and answered, then reported as failed with this code.
    Failed(u32),
}

impl Faults {
    /// Applies `change`, or says in a sentence why it cannot be.
    pub(super) fn change(&mut self, change: FaultsChange) -> Result<(), String> {
        let (sends, webhooks) = (&change.sends, &change.webhooks);
        sends.iter().flatten().try_for_each(SendFault::check)?;
        if webhooks.as_ref().is_some_and(|webhooks| webhooks.duplicates > MOST_DUPLICATES) {
            return Err(format!("webhooks.duplicates must be at most {MOST_DUPLICATES}"));
        }
        if let Some(fault) = change.sends {
            self.sends = fault;
        }
        if let Some(faults) = change.webhooks {
            self.webhooks = faults;
        }
        self.window = change.window.unwrap_or(self.window);
        Ok(())
    }

    /// What the send that has just come suffers; counts it.
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
}

impl SendFault {
    fn check(&self) -> Result<(), String> {
        let ways = [
            self.error_code.is_some(),
            self.timeout_before_acceptance.is_some(),
            self.timeout_after_acceptance.is_some(),
            self.drop_before_acceptance,
            self.drop_after_acceptance,
            self.failed_status.is_some(),
            self.mix.is_some(),
        ];
        if ways.iter().filter(|given| **given).count() != 1 {
            let sentence = "sends must have exactly one of errorCode, timeoutBeforeAcceptance, \
                timeoutAfterAcceptance, dropBeforeAcceptance, dropAfterAcceptance, failedStatus and mix";
            return Err(sentence.to_owned());
        }
        if self.error_code.is_none() && (self.http_status.is_some() || self.retry_after.is_some()) {
            return Err("sends.httpStatus and sends.retryAfter go with sends.errorCode only".to_owned());
        }
        if self.http_status.is_some_and(|status| !(400..=599).contains(&status)) {
            return Err("sends.httpStatus must be from 400 to 599".to_owned());
        }
        if [self.timeout_before_acceptance, self.timeout_after_acceptance]
            .into_iter()
            .flatten()
            .any(|hang| !(1..=LONGEST_HANG_MS).contains(&hang))
        {
            return Err(format!(
                "sends.timeoutBeforeAcceptance and sends.timeoutAfterAcceptance must be from 1 to \
                 {LONGEST_HANG_MS} milliseconds"
            ));
        }
        if self.times == Some(0) {
            return Err("sends.times must be at least 1, or null for no end".to_owned());
        }
        self.mix.as_ref().map_or(Ok(()), Mix::check)
    }

    fn outcome(&mut self) -> SendOutcome {
        if let Some(mix) = &mut self.mix {
            mix.draw()
        } else if let Some(code) = self.error_code {
            SendOutcome::Refused { code, status: self.http_status, retry_after: self.retry_after }
        } else if let Some(code) = self.failed_status {
            SendOutcome::Failed(code)
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

impl Mix {
    fn check(&self) -> Result<(), String> {
        let shares = self.faults.iter().map(|share| u64::from(share.percent));
        if self.faults.is_empty() || shares.sum::<u64>() > 100 {
            return Err(
                "sends.mix.faults must have at least one fault, and their percents at most 100 in sum".to_owned()
            );
        }
        if self.faults.iter().any(|share| share.fault.mix.is_some() || share.fault.times.is_some()) {
            return Err("a fault of sends.mix cannot have a mix or times itself".to_owned());
        }
        self.faults.iter().try_for_each(|share| share.fault.check())
    }

    fn draw(&mut self) -> SendOutcome {
        let mut chance = fastrand::Rng::with_seed(self.seed);
        let mut lot = chance.u32(0..100);
        self.seed = chance.get_seed();
        for share in &mut self.faults {
            match lot.checked_sub(share.percent) {
                Some(rest) => lot = rest,
                None => return share.fault.outcome(),
            }
        }
        SendOutcome::Accepted
    }
}

#[cfg(test)]
mod tests;
