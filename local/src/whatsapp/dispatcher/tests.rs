use super::*;

#[test]
fn retries_start_immediately_and_then_back_off() {
    let delays: Vec<u64> = (1..=9).map(|retry| retry_delay(retry).as_secs()).collect();
    assert_eq!(delays, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(retry_delay(u32::MAX).as_secs(), 60);
}

#[test]
fn each_app_has_its_own_webhooks_in_order() {
    let webhook = |id: u64, app_id: &str| Webhook { id, app_id: app_id.to_owned(), body: String::new(), queued_at: 0 };
    let groups =
        vec![vec![webhook(1, "a"), webhook(2, "b"), webhook(3, "a")], vec![webhook(4, "b")], vec![webhook(5, "a")]];
    let ids = |groups: &Vec<Vec<Webhook>>| -> Vec<Vec<u64>> {
        groups.iter().map(|group| group.iter().map(|webhook| webhook.id).collect()).collect()
    };
    let apps = by_app(groups);
    assert_eq!(ids(&apps["a"]), [vec![1, 3], vec![5]]);
    assert_eq!(ids(&apps["b"]), [vec![2], vec![4]]);
}
