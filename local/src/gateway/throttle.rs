//! Throttling with one token bucket per route (API Gateway Developer Guide, *Throttle requests to your HTTP APIs*).

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use crate::template::{HttpApi, Throttle};

pub(super) struct Throttles {
    default: Option<Throttle>,
    routes: BTreeMap<String, Throttle>,
    buckets: Mutex<HashMap<String, Bucket>>,
}

struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Throttles {
    pub(super) fn new(api: &HttpApi) -> Throttles {
        Throttles { default: api.default_throttle, routes: api.route_throttles.clone(), buckets: Mutex::default() }
    }

    /// Takes a token from the route's bucket. Returns `false` if the bucket is empty.
    pub(super) fn try_acquire(&self, route_key: &str, now: Instant) -> bool {
        let Some(throttle) = self.routes.get(route_key).copied().or(self.default) else { return true };
        let burst = f64::from(throttle.burst);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(route_key.to_owned()).or_insert_with(|| Bucket { tokens: burst, filled: now });
        let elapsed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.tokens = (bucket.tokens + elapsed * throttle.rate).min(burst);
        bucket.filled = now.max(bucket.filled);
        let admitted = bucket.tokens >= 1.0;
        if admitted {
            bucket.tokens -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests;
