//! A cache for externally managed values: refreshed every 4 minutes or on demand.

use std::{error::Error, fmt, future::Future, sync::Arc, time::Duration};

use tokio::sync::Mutex;

use crate::{domain::time::Timestamp, telemetry};

/// The age at which a value is fetched again, so that changes take effect within five minutes.
const LIFETIME: Duration = Duration::from_secs(4 * 60);

/// The minimum time between two fetches that unauthenticated requests can cause, such as webhooks with an invalid
/// signature, and the time to the next fetch after a failed one.
pub const MIN_REFRESH_INTERVAL: Duration = Duration::from_secs(10);

/// The last known value. Clones share it.
pub struct RefreshingCache<T> {
    name: &'static str,
    entry: Arc<Mutex<Option<Entry<T>>>>,
}

struct Entry<T> {
    value: Arc<T>,
    fetched_at: Timestamp,
    /// The time of the last fetch, even if it failed.
    attempted_at: Timestamp,
}

/// The outcome of replacing a value that didn't work.
#[derive(Debug, PartialEq, Eq)]
pub enum Refresh<T> {
    /// Another value.
    Value(Arc<T>),
    /// The value is current: a recent fetch returned the same one.
    Same,
    /// Unknown: the last fetch failed.
    NotYet,
}

impl<T> Clone for RefreshingCache<T> {
    fn clone(&self) -> Self {
        Self { name: self.name, entry: Arc::clone(&self.entry) }
    }
}

impl<T> fmt::Debug for RefreshingCache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshingCache({})", self.name)
    }
}

impl<T: PartialEq> RefreshingCache<T> {
    /// Creates an empty cache. Log lines contain `name`.
    pub fn new(name: &'static str) -> Self {
        Self { name, entry: Arc::default() }
    }

    /// Returns the value. Fetches it if it is missing or old, and returns the old one if the fetch fails.
    ///
    /// # Errors
    /// If the first fetch fails.
    pub async fn get<E: Error + 'static>(
        &self,
        now: Timestamp,
        fetch: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, E> {
        let mut entry = self.entry.lock().await;
        if let Some(entry) = entry.as_mut() {
            if now.since(entry.fetched_at) >= LIFETIME && now.since(entry.attempted_at) >= MIN_REFRESH_INTERVAL {
                self.update(entry, now, fetch).await;
            }
            return Ok(Arc::clone(&entry.value));
        }
        let value = Arc::new(fetch.await?);
        *entry = Some(Entry { value: Arc::clone(&value), fetched_at: now, attempted_at: now });
        Ok(value)
    }

    /// Returns the replacement for `used`, which didn't work: the cached value if it differs, else the result of a
    /// fetch if the last one was at least `min_age` ago.
    pub async fn refresh_if<E: Error + 'static>(
        &self,
        used: &Arc<T>,
        min_age: Duration,
        now: Timestamp,
        fetch: impl Future<Output = Result<T, E>>,
    ) -> Refresh<T> {
        // The lock is held during the fetch, so that concurrent failures share one.
        let mut entry = self.entry.lock().await;
        let Some(entry) = entry.as_mut() else { return Refresh::NotYet };
        if entry.value == *used && now.since(entry.attempted_at) >= min_age {
            self.update(entry, now, fetch).await;
        }
        if entry.value != *used {
            Refresh::Value(Arc::clone(&entry.value))
        } else if entry.fetched_at == now || now.since(entry.fetched_at) < min_age {
            Refresh::Same
        } else {
            Refresh::NotYet
        }
    }

    async fn update<E: Error + 'static>(
        &self,
        entry: &mut Entry<T>,
        now: Timestamp,
        fetch: impl Future<Output = Result<T, E>>,
    ) {
        entry.attempted_at = now;
        match fetch.await {
            Ok(value) => (entry.value, entry.fetched_at) = (Arc::new(value), now),
            Err(error) => {
                tracing::warn!(
                    name = self.name,
                    error = telemetry::chain(&error),
                    "refresh failed, using cached value"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests;
