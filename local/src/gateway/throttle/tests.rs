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
fn requests_are_limited_to_the_burst_and_then_the_rate() {
    let (throttles, start) = (throttles(), Instant::now());
    let admitted = |at: Duration| (0..10).filter(|_| throttles.try_acquire("a", start + at)).count();
    assert_eq!(admitted(Duration::ZERO), 3);
    assert_eq!(admitted(Duration::from_millis(499)), 0);
    assert_eq!(admitted(Duration::from_millis(500)), 1);
    assert_eq!(admitted(Duration::from_secs(60)), 3);
    // A time in the past, read by another thread, adds no tokens.
    assert_eq!(admitted(Duration::from_secs(1)), 0);
}

#[test]
fn each_route_has_its_own_bucket() {
    let (throttles, now) = (throttles(), Instant::now());
    assert_eq!((0..10).filter(|_| throttles.try_acquire("a", now)).count(), 3);
    assert!(throttles.try_acquire("b", now));
    assert!(!throttles.try_acquire("closed", now));
    let unlimited = Throttles::new(&HttpApi::default());
    assert!((0..1_000).all(|_| unlimited.try_acquire("a", now)));
}
