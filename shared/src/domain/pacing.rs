//! WhatsApp's rate limits (Meta, *Throughput*): each business number has a rate, and each recipient accepts a burst of
//! 45 messages and then one per 6 seconds. Both limits use the generic cell rate algorithm (GCRA), whose only state is
//! one time, the theoretical arrival time (TAT).

use std::time::Duration;

use crate::domain::time::Timestamp;

/// The interval between messages to one recipient.
const PAIR_INTERVAL: Duration = Duration::from_secs(6);

/// The burst size for one recipient, in messages.
const PAIR_BURST: u32 = 45;

/// The share of a number's rate to use. WhatsApp counts requests when they arrive, and the network delay varies.
const USED_SHARE: f64 = 0.97;

/// Returns the interval between two sends from one number, for a `rate` in messages per second.
pub fn interval(rate: u32) -> Duration {
    Duration::from_secs_f64(1.0 / (f64::from(rate.max(1)) * USED_SHARE))
}

/// Checks whether a message to a recipient is allowed at `now`, given the TAT after the previous message. Returns the
/// new TAT to store.
///
/// # Errors
///
/// Returns the earliest time at which the message is allowed.
pub fn pair(tat: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Timestamp> {
    let tat = tat.map_or(now, |tat| tat.max(now));
    let allowed_from = tat.before(PAIR_INTERVAL * (PAIR_BURST - 1));
    if allowed_from <= now { Ok(tat.after(PAIR_INTERVAL)) } else { Err(allowed_from) }
}

#[cfg(test)]
mod tests;
