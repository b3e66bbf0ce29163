use std::fmt::Error as FetchError;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).unwrap()
}

async fn get(cache: &RefreshingCache<u8>, seconds: i64, response: Result<u8, FetchError>) -> Result<u8, FetchError> {
    cache.get(at(seconds), async { response }).await.map(|value| *value)
}

#[tokio::test]
async fn old_value_is_fetched_again() {
    let cache = RefreshingCache::new("test");
    assert_eq!(get(&cache, 0, Err(FetchError)).await, Err(FetchError));
    assert_eq!(get(&cache, 0, Ok(1)).await, Ok(1));
    assert_eq!(get(&cache, 239, Ok(2)).await, Ok(1));
    assert_eq!(get(&cache, 240, Ok(2)).await, Ok(2));
}

#[tokio::test]
async fn failed_fetch_keeps_the_value_and_waits_before_the_next() {
    let cache = RefreshingCache::new("test");
    get(&cache, 0, Ok(1)).await.unwrap();
    assert_eq!(get(&cache, 240, Err(FetchError)).await, Ok(1));
    assert_eq!(get(&cache, 249, Ok(2)).await, Ok(1));
    assert_eq!(get(&cache, 250, Ok(2)).await, Ok(2));
}

#[tokio::test]
async fn failing_value_is_fetched_early_but_rate_limited() {
    let cache = RefreshingCache::new("test");
    let first = cache.get(at(0), async { Ok::<_, FetchError>(1) }).await.unwrap();
    let refresh = async |used: &Arc<u8>, seconds, response| {
        cache.refresh_if(used, MIN_REFRESH_INTERVAL, at(seconds), async { response }).await
    };
    assert_eq!(refresh(&first, 9, Ok(2)).await, Refresh::Same);
    assert_eq!(refresh(&first, 10, Ok(1)).await, Refresh::Same);
    assert_eq!(refresh(&first, 19, Ok(2)).await, Refresh::Same);
    assert_eq!(refresh(&first, 20, Err(FetchError)).await, Refresh::NotYet);
    assert_eq!(refresh(&first, 30, Ok(2)).await, Refresh::Value(Arc::new(2)));
    // A caller with an older value gets the cached one without a fetch.
    assert_eq!(refresh(&first, 31, Ok(3)).await, Refresh::Value(Arc::new(2)));
}
