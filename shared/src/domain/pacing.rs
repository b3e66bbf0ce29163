//! How fast WhatsApp may be sent to (Meta: "Throughput"): each number at its rate, and each recipient in a burst of 45
//! and then once in 6 seconds. Both are the generic cell rate algorithm: one time tells all that was sent before.

use std::time::Duration;

use crate::domain::time::Timestamp;

/// The rate for one recipient.
const PAIR_INTERVAL: Duration = Duration::from_secs(6);

/// How many messages one recipient may get at once.
const PAIR_BURST: u32 = 45;

/// The share of a number's rate that is used. WhatsApp counts when posts arrive, which is a little earlier or later than
/// we sent them.
const USED: f64 = 0.97;

/// The time from one post of a number to the next, for a rate in messages per second.
pub fn interval(rate: u32) -> Duration {
    Duration::from_secs_f64(1.0 / (f64::from(rate.max(1)) * USED))
}

/// Whether a recipient may be sent to at `now`, given the value that the message before left: then the value to leave
/// for the next one, else the time from which on he may.
pub fn pair(tat: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Timestamp> {
    let tat = tat.map_or(now, |tat| tat.max(now));
    let allowed_from = tat.before(PAIR_INTERVAL * (PAIR_BURST - 1));
    if allowed_from <= now { Ok(tat.after(PAIR_INTERVAL)) } else { Err(allowed_from) }
}

#[cfg(test)]
mod tests;
