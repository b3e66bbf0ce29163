use proptest::prelude::*;

use super::*;

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_milliseconds(milliseconds).unwrap()
}

proptest! {
    /// Any sequence of sends stays within the burst plus one message per 6 seconds.
    #[test]
    fn recipient_limit_allows_burst_plus_rate(gaps in proptest::collection::vec(0i64..8_000, 1..300)) {
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
fn exhausted_burst_returns_next_allowed_time() {
    let (now, mut tat) = (at(1_000_000), None);
    for _ in 0..PAIR_BURST {
        tat = Some(pair(tat, now).unwrap());
    }
    assert_eq!(pair(tat, now), Err(at(1_006_000)));
    assert!(pair(tat, at(1_006_000)).is_ok());
}

#[test]
fn number_interval_uses_most_of_its_rate() {
    let per_second = 1.0 / interval(80).as_secs_f64();
    assert!((76.0..80.0).contains(&per_second), "{per_second}");
}
