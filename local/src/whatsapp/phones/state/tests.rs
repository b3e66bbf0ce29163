use super::*;

#[test]
fn a_message_advances_tick_by_tick() {
    for (from, to, statuses) in [
        (None, Held, vec![]),
        (None, Sent, vec![Sent]),
        (None, Read, vec![Sent, Delivered, Read]),
        (None, Blocked, vec![Sent]),
        (None, Failed(131_026), vec![Failed(131_026)]),
        (Some(Held), Delivered, vec![Sent, Delivered]),
        (Some(Held), Blocked, vec![Sent]),
        (Some(Held), Failed(1), vec![Failed(1)]),
        (Some(Sent), Delivered, vec![Delivered]),
        (Some(Sent), Failed(131_049), vec![Failed(131_049)]),
        (Some(Delivered), Played, vec![Read, Played]),
        (Some(Read), Played, vec![Played]),
    ] {
        assert_eq!(MessageState::statuses(from, to), Some(statuses), "{from:?} to {to:?}");
    }
}

#[test]
fn a_message_never_goes_back() {
    let all = [Held, Sent, Delivered, Read, Played, Blocked, Failed(1)];
    for from in [Blocked, Failed(2)] {
        for to in all {
            assert_eq!(MessageState::statuses(Some(from), to), None, "{from:?} to {to:?}");
        }
    }
    for (from, to) in [(Sent, Held), (Sent, Sent), (Read, Delivered), (Delivered, Failed(1)), (Sent, Blocked)] {
        assert_eq!(MessageState::statuses(Some(from), to), None, "{from:?} to {to:?}");
    }
}

#[test]
fn only_sent_and_delivered_messages_are_due() {
    for (state, reach, due) in [
        (Sent, Delivered, true),
        (Sent, Read, true),
        (Delivered, Read, true),
        (Held, Read, false),
        (Blocked, Read, false),
        (Sent, Blocked, false),
        (Sent, Failed(131_026), false),
        (Sent, Sent, false),
        (Read, Read, false),
    ] {
        assert_eq!(state.is_due(reach), due, "{state:?} to {reach:?}");
    }
}
