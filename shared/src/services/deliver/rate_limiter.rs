//! The reservations in which a number posts. They are reserved in the table, some at a time, so that all processes together stay
//! within the number's rate, and the table's item is written a few times a second at most.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::sync::Mutex;

use crate::{
    domain::pacing,
    domain::system::System,
    domain::time::{Timestamp, micros},
    store::{ReservationRequest, ReservationResult, Store, StoreError},
};

/// The most reservations that are reserved at once: those of a process that ends are lost.
const MAX_AT_ONCE: u32 = 16;

/// How far ahead a process waits for its reservation. A message that would have to wait longer goes back to the table, where it
/// holds nobody up.
const HORIZON: Duration = Duration::from_secs(4);

/// How long before its reservation a message is claimed: longer than a claim takes.
const LEAD: Duration = Duration::from_millis(100);

/// How late a reservation can be used. A post that comes later crowds those after it.
const GRACE: Duration = Duration::from_millis(20);

/// A time in which one message may be posted, in microseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reservation(i64);

#[derive(Clone, Debug)]
pub(super) struct RateLimiter {
    store: Store,
    system: System,
    interval: Duration,
    numbers: Arc<Mutex<HashMap<String, NumberReservations>>>,
}

/// Reserved reservations in microseconds since 1970, and how many were reserved the last time.
#[derive(Debug, Default)]
struct NumberReservations {
    reservations: VecDeque<i64>,
    last_reserved: u32,
    /// The first reservation that is free in the table, as far as is known: it may be later, and never earlier.
    free_from: i64,
    /// The place that was given to the last of those who were sent away.
    queue_end: i64,
}

impl Reservation {
    /// Whether it can be used no more at `now`, in microseconds since 1970.
    fn is_over(self, now: i64) -> bool {
        now > self.0 + micros(GRACE)
    }
}

impl NumberReservations {
    /// The first reserved reservation that is not before `earliest`; those that have passed at `now` are lost.
    fn take(&mut self, now: i64, earliest: i64) -> Option<i64> {
        while self.reservations.pop_front_if(|reservation| *reservation <= now).is_some() {
            // They were reserved for more work than there was.
            self.last_reserved /= 2;
        }
        let found = self.reservations.iter().position(|reservation| *reservation >= earliest)?;
        self.reservations.remove(found)
    }

    /// When somebody for whom no reservation is free yet should come again. They come one by one, at the pace at which reservations
    /// become free, and a little early, so that none stays unused.
    fn queue_retry(&mut self, now: Timestamp, step: i64) -> Timestamp {
        self.queue_end = self.free_from.max(self.queue_end + step);
        Timestamp::from_milliseconds((self.queue_end - micros(HORIZON / 2)) / 1000).unwrap_or(now)
    }
}

impl RateLimiter {
    pub(super) fn new(store: Store, system: System, rate: u32) -> Self {
        Self { store, system, interval: pacing::interval(rate), numbers: Arc::default() }
    }

    /// Waits until a reservation is near; or tells when to come again, where it is too far ahead. What has to be done before
    /// the post can then be done in time.
    pub(super) async fn wait(&self, phone_number_id: &str) -> Result<Result<Reservation, Timestamp>, StoreError> {
        self.wait_within(phone_number_id, Duration::ZERO, HORIZON).await
    }

    /// The same for a message that has been claimed and whose reservation has lapsed: a reservation that is not now, as it would lapse
    /// like the one before, and may be later than others'.
    pub(super) async fn wait_for_reservation(
        &self,
        phone_number_id: &str,
    ) -> Result<Result<Reservation, Timestamp>, StoreError> {
        self.wait_within(phone_number_id, LEAD, 2 * HORIZON).await
    }

    async fn wait_within(
        &self,
        phone_number_id: &str,
        ahead: Duration,
        horizon: Duration,
    ) -> Result<Result<Reservation, Timestamp>, StoreError> {
        let reservation = match self.next(phone_number_id, ahead, horizon).await? {
            Ok(reservation) => reservation,
            Err(retry_at) => return Ok(Err(retry_at)),
        };
        self.sleep_until(reservation - micros(LEAD)).await;
        Ok(Ok(Reservation(reservation)))
    }

    /// Whether a reservation is reserved and not taken yet.
    pub(super) async fn has_reservation(&self, phone_number_id: &str) -> bool {
        let now = self.system.now().microseconds();
        let numbers = self.numbers.lock().await;
        numbers
            .get(phone_number_id)
            .and_then(|number| number.reservations.back())
            .is_some_and(|reservation| *reservation > now)
    }

    /// When the last reservation that is reserved, as far as is known, has come, and who has it has claimed his message.
    pub(super) async fn last_reservation(&self) -> Timestamp {
        let numbers = self.numbers.lock().await;
        let end = numbers.values().map(|number| number.free_from - micros(LEAD)).max();
        end.and_then(|end| Timestamp::from_milliseconds(end / 1000)).unwrap_or(self.system.now())
    }

    /// Waits for the reservation itself. `false` when it has lapsed.
    pub(super) async fn wait_until(&self, reservation: Reservation) -> bool {
        self.sleep_until(reservation.0).await;
        !reservation.is_over(self.system.now().microseconds())
    }

    async fn sleep_until(&self, time: i64) {
        let ahead = u64::try_from(time - self.system.now().microseconds()).unwrap_or(0);
        tokio::time::sleep(Duration::from_micros(ahead)).await;
    }

    async fn next(
        &self,
        phone_number_id: &str,
        ahead: Duration,
        horizon: Duration,
    ) -> Result<Result<i64, Timestamp>, StoreError> {
        let mut numbers = self.numbers.lock().await;
        let number = numbers.entry(phone_number_id.to_owned()).or_default();
        let now = self.system.now().microseconds();
        if let Some(reservation) = number.take(now, now + micros(ahead)) {
            return Ok(Ok(reservation));
        }
        let step = micros(self.interval);
        if number.free_from > now + micros(horizon) {
            return Ok(Err(number.queue_retry(self.system.now(), step)));
        }
        // One at first, then more for as long as all of them are used.
        let count = (number.last_reserved * 2).clamp(1, MAX_AT_ONCE);
        let wanted = ReservationRequest { count, interval: self.interval, ahead, horizon };
        match self.store.outbox().reserve_sends(phone_number_id, wanted).await? {
            ReservationResult::RetryAt(next) => {
                number.free_from = next;
                Ok(Err(number.queue_retry(self.system.now(), step)))
            }
            ReservationResult::From(first) => {
                number.last_reserved = count;
                number.free_from = first + i64::from(count) * step;
                number.reservations.extend((1..i64::from(count)).map(|n| first + n * step));
                Ok(Ok(first))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever holds up whoever has a reservation, and however long.
        #[test]
        fn no_second_has_more_posts_than_the_rate(
            rate in prop_oneof![Just(20), Just(80), Just(1_000), 1u32..1_000],
            delays in proptest::collection::vec(prop_oneof![3 => Just(0i64), 1 => 0..400_000i64], 1..3_000),
        ) {
            let step = micros(pacing::interval(rate));
            let reservations = (0i64..).map(|number| Reservation(number * step));
            let tries = reservations.zip(delays).map(|(reservation, delay)| (reservation, reservation.0 + delay));
            let mut posts: Vec<i64> = tries.filter(|(reservation, now)| !reservation.is_over(*now)).map(|(_, now)| now).collect();
            posts.sort_unstable();
            for posts in posts.windows(rate as usize + 1) {
                prop_assert!(posts[rate as usize] - posts[0] >= 1_000_000, "{posts:?}");
            }
        }

        /// And each reservation is given once, none that has passed, and none sooner than asked for.
        #[test]
        fn slots_are_taken_once_and_ahead(asked in proptest::collection::vec((0i64..300_000, 0i64..200_000), 1..100)) {
            let mut number = NumberReservations { reservations: (0..64).map(|number| number * 12_500).collect(), ..NumberReservations::default() };
            let (mut now, mut taken) = (0, Vec::new());
            for (passed, ahead) in asked {
                now += passed;
                let Some(reservation) = number.take(now, now + ahead) else { continue };
                prop_assert!(reservation > now && reservation >= now + ahead && !taken.contains(&reservation));
                taken.push(reservation);
            }
        }
    }
}
