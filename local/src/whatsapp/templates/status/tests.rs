use TemplateStatus::{Approved, Disabled, Paused, Pending, Rejected};

use super::*;

#[test]
fn only_documented_changes_are_possible() {
    let all = [Pending, Approved, Rejected, Paused, Disabled];
    for (status, expected) in [
        (Pending, vec![Approved, Rejected]),
        (Approved, vec![Pending, Rejected, Paused, Disabled]),
        (Rejected, vec![Pending, Approved]),
        (Paused, vec![Pending, Approved, Disabled]),
        (Disabled, vec![Pending, Approved]),
    ] {
        let possible: Vec<_> = all.into_iter().filter(|next| status.can_become(*next)).collect();
        assert_eq!(possible, expected, "{status:?}");
    }
}

#[test]
fn the_event_tells_a_reinstated_template() {
    assert_eq!(Approved.event_after(Pending), "APPROVED");
    assert_eq!(Approved.event_after(Disabled), "REINSTATED");
    assert_eq!(Paused.event_after(Approved), "PAUSED");
}

#[test]
fn the_name_is_that_of_the_api() {
    for status in [Pending, Approved, Rejected, Paused, Disabled] {
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
}
