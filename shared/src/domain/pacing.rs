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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(milliseconds).unwrap()
    }

    proptest! {
        /// Whatever the gaps between them, never more than the burst and one for each 6 seconds.
        #[test]
        fn a_recipient_never_gets_more_than_the_burst_and_the_rate(gaps in proptest::collection::vec(0i64..8_000, 1..300)) {
            let (mut now, mut tat, mut sent) = (1_000_000_000, None, Vec::new());
            for gap in gaps {
                now += gap;
                if let Ok(next) = pair(tat, at(now)) {
                    tat = Some(next);
                    sent.push(now);
                }
            }
            for (first, from) in sent.iter().enumerate() {
                for (last, to) in sent.iter().enumerate().skip(first) {
                    let allowed = i64::from(PAIR_BURST) + (to - from) / 6_000;
                    prop_assert!(i64::try_from(last - first).unwrap() < allowed.max(1) + 1);
                    prop_assert!(i64::try_from(last - first + 1).unwrap() <= allowed);
                }
            }
        }
    }

    #[test]
    fn the_burst_is_used_in_full_and_the_wait_is_told() {
        let (now, mut tat) = (at(1_000_000), None);
        for _ in 0..PAIR_BURST {
            tat = Some(pair(tat, now).unwrap());
        }
        assert_eq!(pair(tat, now), Err(at(1_006_000)));
        assert!(pair(tat, at(1_006_000)).is_ok());
    }

    #[test]
    fn a_number_uses_nearly_all_of_its_rate() {
        let per_second = 1.0 / interval(80).as_secs_f64();
        assert!((76.0..80.0).contains(&per_second), "{per_second}");
    }
}
