//! The rate limiter: permits sends from each business phone number at its rate.
//!
//! The table has the number's next free time, so that all processes together stay within the rate. A permit is for one
//! exact time. A process takes as many permits as it has messages that wait, shortly before they can be used: bulk
//! messages later than normal ones, so that a normal message never waits for more than a fraction of a second of bulk.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::sync::Mutex;

use crate::{
    domain::{
        message::Priority,
        pacing,
        system::System,
        time::{Timestamp, micros},
    },
    store::{Store, StoreError},
};

/// The maximum number of permits to take at once. The unused permits of a process that ends are lost.
const MAX_BATCH: u32 = 16;

/// How long before its permit a message is claimed: longer than a claim takes.
const CLAIM_MARGIN: Duration = Duration::from_millis(100);

/// How late a permit can be used. A later send would be too close to the following ones.
const MAX_DELAY: Duration = Duration::from_millis(20);

/// The time at which one message may be sent, in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Permit(i64);

/// The rate limiter's response to a message that is ready to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Admission {
    /// The message can be sent at the time of the permit.
    Permitted(Permit),
    /// There is no capacity soon enough: ask again at this time.
    RetryAt(Timestamp),
}

#[derive(Clone, Debug)]
pub(super) struct RateLimiter {
    store: Store,
    system: System,
    interval: Duration,
    queues: Arc<std::sync::Mutex<PermitQueues>>,
}

/// The queues by phone number ID and priority.
type PermitQueues = HashMap<(String, Priority), Arc<PermitQueue>>;

/// The messages of one number and priority.
#[derive(Debug, Default)]
struct PermitQueue {
    /// The number of messages that wait for a permit.
    waiting: AtomicU32,
    /// Held while the first of them waits for capacity.
    permits: Mutex<Permits>,
}

/// The permits of a queue.
#[derive(Debug, Default)]
struct Permits {
    /// Unused ones, earliest first.
    unused: VecDeque<Permit>,
    /// A lower bound for the number's next free time, in microseconds since 1970.
    free_at: i64,
}

impl Permit {
    /// Returns whether it is too late to use the permit at `now`, in microseconds since 1970.
    fn is_missed(self, now: i64) -> bool {
        now > self.0 + micros(MAX_DELAY)
    }
}

impl RateLimiter {
    pub(super) fn new(store: Store, system: System, rate: u32) -> Self {
        Self { store, system, interval: pacing::interval(rate), queues: Arc::default() }
    }

    /// Waits for a permit, until shortly before its time, which leaves time to claim the message. Gives up if there is
    /// none before `give_up`.
    pub(super) async fn permit(
        &self,
        phone_number_id: &str,
        priority: Priority,
        give_up: Timestamp,
    ) -> Result<Admission, StoreError> {
        let queue = self.queue(phone_number_id, priority);
        queue.waiting.fetch_add(1, Ordering::Relaxed);
        let admission = self.next_permit(&queue, phone_number_id, priority, give_up.microseconds()).await;
        queue.waiting.fetch_sub(1, Ordering::Relaxed);
        if let Ok(Admission::Permitted(permit)) = admission {
            self.sleep_until(permit.0 - micros(CLAIM_MARGIN)).await;
        }
        admission
    }

    async fn next_permit(
        &self,
        queue: &PermitQueue,
        phone_number_id: &str,
        priority: Priority,
        give_up: i64,
    ) -> Result<Admission, StoreError> {
        let step = micros(self.interval);
        let mut permits = queue.permits.lock().await;
        loop {
            let now = self.system.now().microseconds();
            while permits.unused.pop_front_if(|permit| permit.0 <= now).is_some() {}
            if let Some(permit) = permits.unused.pop_front() {
                return Ok(Admission::Permitted(permit));
            }
            let first = permits.free_at.max(now + micros(CLAIM_MARGIN));
            let ask_at = first - micros(ahead(priority));
            if now > give_up || ask_at > give_up {
                let retry_at = ask_at.max(now + micros(CLAIM_MARGIN)) / 1000;
                return Ok(Admission::RetryAt(Timestamp::from_milliseconds(retry_at).unwrap_or(Timestamp::MAX)));
            }
            if ask_at > now {
                self.sleep_until(ask_at).await;
                continue;
            }
            let count = batch(queue.waiting.load(Ordering::Relaxed), first - now, step, priority);
            let end = first + count * step;
            permits.free_at = match self.store.outbox().reserve_sends(phone_number_id, first, end).await? {
                None => {
                    permits.unused.extend((0..count).map(|number| Permit(first + number * step)));
                    end
                }
                Some(free_at) => free_at,
            };
        }
    }

    /// Waits until the time of the permit. Returns `false` if it was missed.
    pub(super) async fn wait_until(&self, permit: Permit) -> bool {
        self.sleep_until(permit.0).await;
        !permit.is_missed(self.system.now().microseconds())
    }

    fn queue(&self, phone_number_id: &str, priority: Priority) -> Arc<PermitQueue> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.entry((phone_number_id.to_owned(), priority)).or_default().clone()
    }

    async fn sleep_until(&self, time: i64) {
        let ahead = u64::try_from(time - self.system.now().microseconds()).unwrap_or(0);
        tokio::time::sleep(Duration::from_micros(ahead)).await;
    }
}

/// Returns how many permits to take, of which the first is `wait` and each other is `step` later: one for each waiting
/// message, up to those of the time that the priority takes permits ahead. More bulk messages of a slow number would
/// keep normal ones waiting for seconds.
fn batch(waiting: u32, wait: i64, step: i64, priority: Priority) -> i64 {
    let soon = (micros(ahead(priority)) - wait) / step + 1;
    i64::from(waiting).min(soon).clamp(1, i64::from(MAX_BATCH))
}

/// Returns how long before their time permits are taken. Bulk messages ask late, and leave to normal ones what comes
/// before.
fn ahead(priority: Priority) -> Duration {
    match priority {
        Priority::Normal => Duration::from_secs(1),
        Priority::Bulk => Duration::from_millis(250),
    }
}

#[cfg(test)]
mod tests;
