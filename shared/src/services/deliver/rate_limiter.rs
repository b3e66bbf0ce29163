//! The rate limiter: reserves send times for each business phone number.
//!
//! Reservations are taken from an item in the table, in batches, so that all processes together stay within the
//! number's rate with a few writes per second.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::sync::Mutex;

use crate::{
    domain::{
        pacing,
        system::System,
        time::{Timestamp, micros},
    },
    store::{ReservationRequest, ReservationResult, Store, StoreError},
};

/// The maximum number of reservations in a batch. The unused reservations of a process that ends are lost.
const MAX_BATCH: u32 = 16;

/// The maximum time that a process waits for a reservation. A message that would wait longer is deferred.
const MAX_WAIT: Duration = Duration::from_secs(4);

/// How long before its reservation a message is claimed: longer than a claim takes.
const CLAIM_MARGIN: Duration = Duration::from_millis(100);

/// How late a reservation can be used. A later send would be too close to the following ones.
const MAX_DELAY: Duration = Duration::from_millis(20);

/// The time at which one message may be sent, in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reservation(i64);

/// The rate limiter's response to a message that is ready to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Admission {
    /// The message can be sent at the reserved time.
    Reserved(Reservation),
    /// There is no capacity soon enough: retry at this time.
    RetryAt(Timestamp),
}

#[derive(Clone, Debug)]
pub(super) struct RateLimiter {
    store: Store,
    system: System,
    interval: Duration,
    numbers: Arc<Mutex<HashMap<String, NumberReservations>>>,
}

/// The reservations of one number. Times are in microseconds since 1970.
#[derive(Debug, Default)]
struct NumberReservations {
    /// Reserved and unused, earliest first.
    reservations: VecDeque<Reservation>,
    /// The size of the last batch.
    last_batch: u32,
    /// A lower bound for the first time that is free in the table.
    free_from: i64,
    /// The time expected to be free for the last message that was deferred.
    queue_end: i64,
}

impl Reservation {
    /// Returns whether it is too late to use the reservation at `now`, in microseconds since 1970.
    fn is_missed(self, now: i64) -> bool {
        now > self.0 + micros(MAX_DELAY)
    }
}

impl NumberReservations {
    /// Takes the first reservation that isn't before `earliest`. Drops the ones that have passed at `now`.
    fn take(&mut self, now: i64, earliest: i64) -> Option<Reservation> {
        while self.reservations.pop_front_if(|reservation| reservation.0 <= now).is_some() {
            // The last batch was larger than needed.
            self.last_batch /= 2;
        }
        let found = self.reservations.iter().position(|reservation| reservation.0 >= earliest)?;
        self.reservations.remove(found)
    }

    /// Returns when to retry without free capacity. Spreads the retries at the rate at which capacity becomes free, and
    /// early enough to leave none unused.
    fn queue_retry(&mut self, now: Timestamp, step: i64) -> Timestamp {
        self.queue_end = self.free_from.max(self.queue_end + step);
        Timestamp::from_milliseconds((self.queue_end - micros(MAX_WAIT / 2)) / 1000).unwrap_or(now)
    }
}

impl RateLimiter {
    pub(super) fn new(store: Store, system: System, rate: u32) -> Self {
        Self { store, system, interval: pacing::interval(rate), numbers: Arc::default() }
    }

    /// Reserves a send time and waits until shortly before it, which leaves time to claim the message.
    pub(super) async fn wait(&self, phone_number_id: &str) -> Result<Admission, StoreError> {
        self.wait_within(phone_number_id, Duration::ZERO, MAX_WAIT).await
    }

    /// Reserves again for a claimed message that missed its reservation. The new time is far enough ahead not to be
    /// missed for the same reason, and may be further ahead than other messages' reservations.
    pub(super) async fn wait_for_reservation(&self, phone_number_id: &str) -> Result<Admission, StoreError> {
        self.wait_within(phone_number_id, CLAIM_MARGIN, 2 * MAX_WAIT).await
    }

    async fn wait_within(
        &self,
        phone_number_id: &str,
        ahead: Duration,
        horizon: Duration,
    ) -> Result<Admission, StoreError> {
        let admission = self.reserve(phone_number_id, ahead, horizon).await?;
        if let Admission::Reserved(reservation) = admission {
            self.sleep_until(reservation.0 - micros(CLAIM_MARGIN)).await;
        }
        Ok(admission)
    }

    /// Returns whether the number has an unused reservation.
    pub(super) async fn has_reservation(&self, phone_number_id: &str) -> bool {
        let now = self.system.now().microseconds();
        let numbers = self.numbers.lock().await;
        let last = numbers.get(phone_number_id).and_then(|number| number.reservations.back());
        last.is_some_and(|reservation| reservation.0 > now)
    }

    /// Returns when the message with the last known reservation has been claimed.
    pub(super) async fn last_reservation(&self) -> Timestamp {
        let numbers = self.numbers.lock().await;
        let end = numbers.values().map(|number| number.free_from - micros(CLAIM_MARGIN)).max();
        end.and_then(|end| Timestamp::from_milliseconds(end / 1000)).unwrap_or(self.system.now())
    }

    /// Waits until the reserved time. Returns `false` if it was missed.
    pub(super) async fn wait_until(&self, reservation: Reservation) -> bool {
        self.sleep_until(reservation.0).await;
        !reservation.is_missed(self.system.now().microseconds())
    }

    async fn sleep_until(&self, time: i64) {
        let ahead = u64::try_from(time - self.system.now().microseconds()).unwrap_or(0);
        tokio::time::sleep(Duration::from_micros(ahead)).await;
    }

    async fn reserve(
        &self,
        phone_number_id: &str,
        ahead: Duration,
        horizon: Duration,
    ) -> Result<Admission, StoreError> {
        let mut numbers = self.numbers.lock().await;
        let number = numbers.entry(phone_number_id.to_owned()).or_default();
        let now = self.system.now().microseconds();
        if let Some(reservation) = number.take(now, now + micros(ahead)) {
            return Ok(Admission::Reserved(reservation));
        }
        let step = micros(self.interval);
        if number.free_from > now + micros(horizon) {
            return Ok(Admission::RetryAt(number.queue_retry(self.system.now(), step)));
        }
        // Start with one reservation and double the batch while all of them are used.
        let count = (number.last_batch * 2).clamp(1, MAX_BATCH);
        let request = ReservationRequest { count, interval: self.interval, ahead, horizon };
        match self.store.outbox().reserve_sends(phone_number_id, request).await? {
            ReservationResult::RetryAt(free_from) => {
                number.free_from = free_from;
                Ok(Admission::RetryAt(number.queue_retry(self.system.now(), step)))
            }
            ReservationResult::From(first) => {
                number.last_batch = count;
                number.free_from = first + i64::from(count) * step;
                number.reservations.extend((1..i64::from(count)).map(|n| Reservation(first + n * step)));
                Ok(Admission::Reserved(Reservation(first)))
            }
        }
    }
}

#[cfg(test)]
mod tests;
