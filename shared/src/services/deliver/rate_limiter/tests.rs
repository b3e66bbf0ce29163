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
        let reservations = (0i64..).map(|number| Reservation(number * step));
        let tries = reservations.zip(delays).map(|(reservation, delay)| (reservation, reservation.0 + delay));
        let mut posts: Vec<i64> =
            tries.filter(|(reservation, now)| !reservation.is_missed(*now)).map(|(_, now)| now).collect();
        posts.sort_unstable();
        for posts in posts.windows(rate as usize + 1) {
            prop_assert!(posts[rate as usize] - posts[0] >= 1_000_000, "{posts:?}");
        }
    }

    #[test]
    fn reservations_are_taken_once_and_ahead(
        asked in proptest::collection::vec((0i64..300_000, 0i64..200_000), 1..100),
    ) {
        let reservations = (0..64).map(|number| Reservation(number * 12_500)).collect();
        let mut number = NumberReservations { reservations, ..NumberReservations::default() };
        let (mut now, mut taken) = (0, Vec::new());
        for (passed, ahead) in asked {
            now += passed;
            let Some(reservation) = number.take(now, now + ahead) else { continue };
            prop_assert!(reservation.0 > now && reservation.0 >= now + ahead && !taken.contains(&reservation));
            taken.push(reservation);
        }
    }
}
