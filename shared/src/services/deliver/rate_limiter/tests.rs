use proptest::prelude::*;

use super::*;

proptest! {
    /// Regardless of how long each sender is delayed.
    #[test]
    fn no_second_has_more_posts_than_the_rate(
        rate in prop_oneof![Just(20), Just(80), Just(1_000), 1u32..1_000],
        delays in proptest::collection::vec(prop_oneof![3 => Just(0i64), 1 => 0..400_000i64], 1..3_000),
    ) {
        let step = micros(pacing::interval(rate));
        let permits = (0i64..).map(|number| Permit(number * step));
        let tries = permits.zip(delays).map(|(permit, delay)| (permit, permit.0 + delay));
        let mut posts: Vec<i64> =
            tries.filter(|(permit, now)| !permit.is_missed(*now)).map(|(_, now)| now).collect();
        posts.sort_unstable();
        for posts in posts.windows(rate as usize + 1) {
            prop_assert!(posts[rate as usize] - posts[0] >= 1_000_000, "{posts:?}");
        }
    }
}

#[test]
fn bulk_messages_take_at_most_a_quarter_second_of_a_number() {
    for (rate, expected) in [(1, 1), (5, 2), (10, 3), (20, 5), (80, 16), (1_000, 16)] {
        let step = micros(pacing::interval(rate));
        assert_eq!(batch(100, 0, step, Priority::Bulk), expected, "{rate}");
        assert_eq!(batch(3, 0, step, Priority::Bulk), expected.min(3), "{rate}: one for each message");
        assert!(batch(100, 0, step, Priority::Normal) >= expected, "{rate}");
    }
}
