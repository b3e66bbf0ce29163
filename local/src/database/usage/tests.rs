use super::*;

#[test]
fn usage_is_counted_per_access_key_and_reset_by_take() {
    let meter = UsageMeter::default();
    meter.record("a.1", "PutItem", Units { read: 0.0, write: 2.0 });
    meter.clone().record("a.1", "GetItem", Units { read: 0.5, write: 0.0 });
    meter.record("b.1", "PutItem", Units { read: 0.0, write: 1.0 });

    let usage = meter.take("a.1");
    assert_eq!(usage.to_string(), "2 requests, 0.5 read units, 2 write units");
    assert_eq!(usage.operations, BTreeMap::from([("GetItem".to_owned(), 1), ("PutItem".to_owned(), 1)]));
    assert_eq!(meter.take("a.1"), Usage::default());
    assert_eq!(meter.take("b.1").to_string(), "1 request, 0 read units, 1 write units");
}
