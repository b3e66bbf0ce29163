//! The slots in which a number posts. They are reserved in the table, some at a time, so that all processes together stay
//! within the number's rate, and the table's item is written a few times a second at most.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex as Lock, PoisonError},
    time::Duration,
};

use tokio::sync::Mutex;

use crate::{
    pacing,
    startup::System,
    store::{Slots, Store, StoreError},
    time::Timestamp,
};

/// The most slots that are reserved at once: those of a process that ends are lost.
const MOST_AT_ONCE: u32 = 16;

/// How far ahead a process waits for its slot. A message that would have to wait longer goes back to the table, where it
/// holds nobody up.
const HORIZON: Duration = Duration::from_secs(4);

/// How long before its slot a message is claimed, in microseconds.
const LEAD: i64 = 30_000;

/// A time in which one message may be posted, in microseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot(i64);

#[derive(Clone, Debug)]
pub(super) struct SlotBook {
    store: Store,
    system: System,
    interval: Duration,
    /// In which no more is posted than the rate, in microseconds. A little more than a second, as posts do not all take
    /// the same time to arrive.
    window: i64,
    books: Arc<Mutex<HashMap<String, Book>>>,
    turns: Arc<Lock<HashMap<String, Turns>>>,
}

/// Reserved slots in microseconds since 1970, and how many were reserved the last time.
#[derive(Debug, Default)]
struct Book {
    slots: VecDeque<i64>,
    last_reserved: u32,
    /// The first slot that is free in the table, as far as is known: it may be later, and never earlier.
    free_from: i64,
    /// The place that was given to the last of those who were sent away.
    queue_end: i64,
}

/// What this process did within the last window. A slot that is used late must not crowd those after it: in no window
/// does a process post more often than it has slots in that window, so all processes together stay within the rate.
#[derive(Debug, Default)]
struct Turns {
    slots: VecDeque<i64>,
    posts: VecDeque<i64>,
}

impl Book {
    /// When somebody for whom no slot is free yet should come again. They come one by one, at the pace at which slots
    /// become free, and a little early, so that none stays unused.
    fn send_away(&mut self, now: Timestamp, step: i64, horizon: i64) -> Timestamp {
        self.queue_end = self.free_from.max(self.queue_end + step);
        Timestamp::from_milliseconds((self.queue_end - horizon / 2) / 1000).unwrap_or(now)
    }
}

impl Turns {
    /// Posts at `now` if that is allowed, else tells when to come again.
    fn take(&mut self, now: i64, window: i64) -> Result<(), i64> {
        for times in [&mut self.slots, &mut self.posts] {
            while times.front().is_some_and(|time| *time <= now - window) {
                times.pop_front();
            }
        }
        let come = self.slots.iter().take_while(|slot| **slot <= now).count();
        match self.posts.front() {
            Some(first) if self.posts.len() >= come => Err(first + window),
            _ => {
                self.posts.push_back(now);
                Ok(())
            }
        }
    }
}

impl SlotBook {
    pub(super) fn new(store: Store, system: System, rate: u32) -> Self {
        let interval = pacing::interval(rate);
        let window = i64::try_from((interval * rate).as_micros()).unwrap_or(i64::MAX);
        Self { store, system, interval, window, books: Arc::default(), turns: Arc::default() }
    }

    /// Waits until a slot is near; or tells when to come again, where it is too far ahead. What has to be done before
    /// the post can then be done in time.
    pub(super) async fn wait(&self, phone_number_id: &str) -> Result<Result<Slot, Timestamp>, StoreError> {
        let slot = match self.next(phone_number_id).await? {
            Ok(slot) => slot,
            Err(busy_until) => return Ok(Err(busy_until)),
        };
        self.sleep_until(slot - LEAD).await;
        Ok(Ok(Slot(slot)))
    }

    /// Waits for the slot itself, and until a post in it crowds nobody. `false` when it has lapsed: whoever was so late
    /// needs another one, or there would soon be more posts that wait than slots.
    pub(super) async fn turn(&self, phone_number_id: &str, Slot(slot): Slot) -> bool {
        self.sleep_until(slot).await;
        loop {
            let now = (self.system.now)().microseconds();
            if slot <= now - self.window {
                return false;
            }
            let taken = {
                let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
                turns.entry(phone_number_id.to_owned()).or_default().take(now, self.window)
            };
            match taken {
                Ok(()) => return true,
                Err(again) => self.sleep_until(again).await,
            }
        }
    }

    async fn sleep_until(&self, time: i64) {
        let ahead = u64::try_from(time - (self.system.now)().microseconds()).unwrap_or(0);
        tokio::time::sleep(Duration::from_micros(ahead)).await;
    }

    async fn next(&self, phone_number_id: &str) -> Result<Result<i64, Timestamp>, StoreError> {
        let mut books = self.books.lock().await;
        let book = books.entry(phone_number_id.to_owned()).or_default();
        let now = (self.system.now)().microseconds();
        while book.slots.front().is_some_and(|slot| *slot <= now - self.window) {
            book.slots.pop_front();
            // They were reserved for more work than there was.
            book.last_reserved = 0;
        }
        if let Some(slot) = book.slots.pop_front() {
            return Ok(Ok(slot));
        }
        let step = i64::try_from(self.interval.as_micros()).unwrap_or(i64::MAX);
        let horizon = i64::try_from(HORIZON.as_micros()).unwrap_or(i64::MAX);
        if book.free_from > now + horizon {
            return Ok(Err(book.send_away((self.system.now)(), step, horizon)));
        }
        // One at first, then more for as long as all of them are used.
        let count = (book.last_reserved * 2).clamp(1, MOST_AT_ONCE);
        match self.store.reserve_slots(phone_number_id, count, self.interval, HORIZON).await? {
            Slots::BusyUntil(next) => {
                book.free_from = next;
                Ok(Err(book.send_away((self.system.now)(), step, horizon)))
            }
            Slots::From(first) => {
                book.last_reserved = count;
                book.free_from = first + i64::from(count) * step;
                let slots = (0..i64::from(count)).map(|n| first + n * step);
                let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
                turns.entry(phone_number_id.to_owned()).or_default().slots.extend(slots.clone());
                book.slots.extend(slots.skip(1));
                Ok(Ok(first))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STEP: i64 = 12_820;
    const WINDOW: i64 = 80 * STEP;

    proptest! {
        /// Whatever holds a process up between a slot and its post, and however long.
        #[test]
        fn late_posts_never_crowd(delays in proptest::collection::vec(prop_oneof![3 => Just(0), 1 => 0i64..400_000], 1..600)) {
            let mut turns = Turns::default();
            let (mut now, mut posts) = (0, Vec::new());
            turns.slots.extend((1..1_000).map(|slot| slot * STEP));
            for (slot, delay) in (1..).map(|slot| slot * STEP).zip(delays) {
                now = slot.max(now) + delay;
                while slot > now - WINDOW {
                    match turns.take(now, WINDOW) {
                        Ok(()) => {
                            posts.push(now);
                            break;
                        }
                        Err(again) => {
                            prop_assert!(again > now);
                            now = again;
                        }
                    }
                }
            }
            for window in posts.windows(81) {
                prop_assert!(window[80] - window[0] >= WINDOW);
            }
        }
    }

    #[test]
    fn what_was_held_up_is_made_up_for() {
        let mut turns = Turns::default();
        turns.slots.extend((1..=100).map(|slot| slot * STEP));
        let now = 10 * STEP;
        for _ in 0..10 {
            assert_eq!(turns.take(now, WINDOW), Ok(()));
        }
        assert_eq!(turns.take(now, WINDOW), Err(now + WINDOW));
        assert_eq!(turns.take(11 * STEP, WINDOW), Ok(()));
    }
}
