use super::*;

#[test]
fn retries_start_immediately_and_then_back_off() {
    let delays: Vec<u64> = (1..=9).map(|retry| retry_delay(retry).as_secs()).collect();
    assert_eq!(delays, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(retry_delay(u32::MAX).as_secs(), 60);
}
