//! Values that are kept in somebody else's hands, change there without a word, and are asked for again now and then.

use std::{error::Error, fmt, future::Future, sync::Arc, time::Duration};

use tokio::sync::Mutex;

use crate::{domain::time::Timestamp, telemetry};

/// How long a value is used before it is asked for again, so that a change is taken up within five minutes.
const LIFETIME: Duration = Duration::from_secs(4 * 60);

/// How old a value must be for strangers to have it asked for again, who can make a webhook's signature fail as often as they
/// like; and the time between two questions when the first has failed.
pub const MIN_REFRESH_INTERVAL: Duration = Duration::from_secs(10);

/// The last known value. Clones share it.
pub struct RefreshingCache<T> {
    what: &'static str,
    known: Arc<Mutex<Option<Known<T>>>>,
}

struct Known<T> {
    value: Arc<T>,
    fetched_at: Timestamp,
    asked_at: Timestamp,
}

/// What there is in place of a value that did not work.
#[derive(Debug, PartialEq, Eq)]
pub enum Refresh<T> {
    /// Another value.
    Value(Arc<T>),
    /// None: it was asked for, and is what it was.
    Same,
    /// Nobody knows: the question failed.
    NotYet,
}

impl<T> Clone for RefreshingCache<T> {
    fn clone(&self) -> Self {
        Self { what: self.what, known: Arc::clone(&self.known) }
    }
}

impl<T> fmt::Debug for RefreshingCache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshingCache({})", self.what)
    }
}

impl<T: PartialEq> RefreshingCache<T> {
    /// Nothing known yet. `what` names the value in the log.
    pub fn new(what: &'static str) -> Self {
        Self { what, known: Arc::default() }
    }

    /// The value, asked for where it is unknown or old. Where the question fails, an older value goes on being used.
    pub async fn get<E: Error + 'static>(
        &self,
        now: Timestamp,
        fetch: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, E> {
        let mut slot = self.known.lock().await;
        if let Some(known) = slot.as_mut() {
            if now.since(known.fetched_at) >= LIFETIME && now.since(known.asked_at) >= MIN_REFRESH_INTERVAL {
                self.ask(known, now, fetch).await;
            }
            return Ok(Arc::clone(&known.value));
        }
        let value = Arc::new(fetch.await?);
        *slot = Some(Known { value: Arc::clone(&value), fetched_at: now, asked_at: now });
        Ok(value)
    }

    /// Another value than `used`, which did not work: the one known by now, or one that is asked for ahead of its time,
    /// unless that was done less than `age` ago.
    pub async fn refresh_if<E: Error + 'static>(
        &self,
        used: &Arc<T>,
        age: Duration,
        now: Timestamp,
        fetch: impl Future<Output = Result<T, E>>,
    ) -> Refresh<T> {
        // Held while asking: whoever fails at the same time waits for this answer.
        let mut known = self.known.lock().await;
        let Some(known) = known.as_mut() else { return Refresh::NotYet };
        if known.value == *used && now.since(known.asked_at) >= age {
            self.ask(known, now, fetch).await;
        }
        if known.value != *used {
            Refresh::Value(Arc::clone(&known.value))
        } else if known.fetched_at == now || now.since(known.fetched_at) < age {
            Refresh::Same
        } else {
            Refresh::NotYet
        }
    }

    async fn ask<E: Error + 'static>(
        &self,
        known: &mut Known<T>,
        now: Timestamp,
        fetch: impl Future<Output = Result<T, E>>,
    ) {
        known.asked_at = now;
        match fetch.await {
            Ok(value) => (known.value, known.fetched_at) = (Arc::new(value), now),
            Err(error) => {
                tracing::warn!(what = self.what, error = telemetry::chain(&error), "keeping the last known value");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Error as Down;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).unwrap()
    }

    async fn get(cached: &RefreshingCache<u8>, seconds: i64, answer: Result<u8, Down>) -> Result<u8, Down> {
        cached.get(at(seconds), async { answer }).await.map(|value| *value)
    }

    #[tokio::test]
    async fn a_value_is_asked_for_again_when_it_is_old() {
        let cached = RefreshingCache::new("test");
        assert_eq!(get(&cached, 0, Err(Down)).await, Err(Down));
        assert_eq!(get(&cached, 0, Ok(1)).await, Ok(1));
        assert_eq!(get(&cached, 239, Ok(2)).await, Ok(1));
        assert_eq!(get(&cached, 240, Ok(2)).await, Ok(2));
    }

    #[tokio::test]
    async fn an_old_value_is_better_than_none_and_its_keeper_is_not_hammered() {
        let cached = RefreshingCache::new("test");
        get(&cached, 0, Ok(1)).await.unwrap();
        assert_eq!(get(&cached, 240, Err(Down)).await, Ok(1));
        assert_eq!(get(&cached, 249, Ok(2)).await, Ok(1));
        assert_eq!(get(&cached, 250, Ok(2)).await, Ok(2));
    }

    #[tokio::test]
    async fn a_value_that_did_not_work_is_asked_for_early_and_not_too_often() {
        let cached = RefreshingCache::new("test");
        let first = cached.get(at(0), async { Ok::<_, Down>(1) }).await.unwrap();
        let other = async |used: &Arc<u8>, seconds, answer| {
            cached.refresh_if(used, MIN_REFRESH_INTERVAL, at(seconds), async { answer }).await
        };
        assert_eq!(other(&first, 9, Ok(2)).await, Refresh::Same);
        assert_eq!(other(&first, 10, Ok(1)).await, Refresh::Same);
        assert_eq!(other(&first, 19, Ok(2)).await, Refresh::Same);
        assert_eq!(other(&first, 20, Err(Down)).await, Refresh::NotYet);
        assert_eq!(other(&first, 30, Ok(2)).await, Refresh::Value(Arc::new(2)));
        // Who still has the old one gets what is known, without a question.
        assert_eq!(other(&first, 31, Ok(3)).await, Refresh::Value(Arc::new(2)));
    }
}
