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
