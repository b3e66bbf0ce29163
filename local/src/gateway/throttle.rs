//! Throttling by token bucket, one for each route (API Gateway developer guide, "Throttle requests to your HTTP APIs").

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

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

    /// Takes a token of the route's bucket; false when there is none.
    pub(super) fn admit(&self, route_key: &str, now: Instant) -> bool {
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
mod tests {
    #![allow(clippy::disallowed_methods, reason = "a start to count from; the times are the test's own")]
    use std::time::Duration;

    use super::*;

    fn throttles() -> Throttles {
        let api = HttpApi {
            default_throttle: Some(Throttle { rate: 2.0, burst: 3 }),
            route_throttles: BTreeMap::from([("closed".to_owned(), Throttle { rate: 0.0, burst: 0 })]),
            ..HttpApi::default()
        };
        Throttles::new(&api)
    }

    #[test]
    fn a_burst_then_the_rate() {
        let (throttles, start) = (throttles(), Instant::now());
        let admitted = |at: Duration| (0..10).filter(|_| throttles.admit("a", start + at)).count();
        assert_eq!(admitted(Duration::ZERO), 3);
        assert_eq!(admitted(Duration::from_millis(499)), 0);
        assert_eq!(admitted(Duration::from_millis(500)), 1);
        assert_eq!(admitted(Duration::from_secs(60)), 3);
        // A clock read before another thread's gives nothing back.
        assert_eq!(admitted(Duration::from_secs(1)), 0);
    }

    #[test]
    fn each_route_has_its_bucket() {
        let (throttles, now) = (throttles(), Instant::now());
        assert_eq!((0..10).filter(|_| throttles.admit("a", now)).count(), 3);
        assert!(throttles.admit("b", now));
        assert!(!throttles.admit("closed", now));
        let unlimited = Throttles::new(&HttpApi::default());
        assert!((0..1_000).all(|_| unlimited.admit("a", now)));
    }
}
