use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::{
    number::{BusinessNumber, FormerOwner, OWNER_CACHE_LIFETIME},
    pairing::PairingCode,
    session::Qr,
};

const NUMBER: &str = "106540352242922";

/// When attempts are received.
const NOW: i64 = 1_300;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).unwrap()
}

fn code(random: u128) -> PairingCode {
    PairingCode::from_random(Uuid::from_u128(random))
}

/// Returns a session with code 1, which is valid until 1,300, and last code 0.
fn session() -> Session {
    let id = SessionId::for_owner("ada");
    let number = BusinessNumber { phone_number_id: NUMBER.to_owned(), display_phone_number: "15550001111".to_owned() };
    let qr = Qr::new(id, number, code(1), at(1_000));
    let new = Session::new("ada".to_owned(), Some(qr), at(1_000));
    Session { is_approved: true, last_pairing_code: Some(code(0)), ..new }
}

fn known() -> NumberState {
    NumberState { is_known: true, ..NumberState::default() }
}

/// Decides about an attempt with code 1, sent to the session's number before it expired.
fn decide_about(session: &Session, number: &NumberState) -> PairingDecision {
    decide_with(session, number, 1, NUMBER, PairingPolicy::default(), 1_300)
}

fn decide_with(
    session: &Session,
    number: &NumberState,
    random: u128,
    phone_number_id: &str,
    policy: PairingPolicy,
    sent_at: i64,
) -> PairingDecision {
    let attempt = PairingAttempt { session_id: session.id, code: code(random) };
    decide(&attempt, session, phone_number_id, number, policy, at(sent_at), at(NOW))
}

fn ada() -> Option<SessionId> {
    Some(SessionId::for_owner("ada"))
}

fn bob() -> Option<SessionId> {
    Some(SessionId::for_owner("bob"))
}

#[test]
fn approved_session_is_linked_to_a_number_without_an_owner() {
    assert_eq!(decide_about(&session(), &known()), PairingDecision::Link);
}

#[test]
fn text_without_a_code_of_a_waiting_session_is_an_ordinary_message() {
    let ordinary = |session: &Session, random| {
        let decision = decide_with(session, &known(), random, NUMBER, PairingPolicy { is_open: true }, 1_300);
        assert_eq!(decision, PairingDecision::OrdinaryMessage);
    };
    ordinary(&session(), 2);
    ordinary(&Session { is_connected: true, ..session() }, 1);
    ordinary(&Session { is_connected: true, ..session() }, 0);
    ordinary(&Session { pairing_code: None, last_pairing_code: None, ..session() }, 1);
    // A code of another session.
    ordinary(&Session { id: SessionId::for_owner("bob"), pairing_code: Some(code(3)), ..session() }, 1);
}

#[test]
fn session_is_linked_only_to_the_number_of_its_code() {
    let wrong = PairingDecision::Refuse(PairingRefusal::WrongNumber);
    let open = PairingPolicy { is_open: true };
    for number in [known(), NumberState::default(), NumberState { assigned_to: ada(), ..known() }] {
        assert_eq!(decide_with(&session(), &number, 1, "111222333444555", open, 1_300), wrong);
        assert_eq!(decide_with(&session(), &number, 0, "111222333444555", open, 1_300), wrong);
    }
    let without = Session { qr_phone_number_id: None, ..session() };
    assert_eq!(decide_about(&without, &known()), wrong);
}

#[test]
fn unknown_number_links_no_session() {
    let unknown = NumberState { is_known: false, ..known() };
    let refused = PairingDecision::Refuse(PairingRefusal::UnknownNumber);
    assert_eq!(decide_about(&session(), &unknown), refused);
    assert_eq!(decide_with(&session(), &unknown, 1, NUMBER, PairingPolicy { is_open: true }, 1_300), refused);
}

#[test]
fn number_without_an_owner_needs_an_approved_session_or_open_pairing() {
    let new = Session { is_approved: false, ..session() };
    assert_eq!(decide_about(&new, &known()), PairingDecision::Refuse(PairingRefusal::NotApproved));
    let open = decide_with(&new, &known(), 1, NUMBER, PairingPolicy { is_open: true }, 1_300);
    assert_eq!(open, PairingDecision::Link);
    // The owner's own number needs no approval.
    for number in [
        NumberState { assigned_to: ada(), ..known() },
        NumberState { reserved_for: ada(), ..known() },
        NumberState { linked_to: ada(), ..known() },
    ] {
        assert_eq!(decide_about(&new, &number), PairingDecision::Link, "{number:?}");
    }
}

#[test]
fn number_of_another_owner_links_no_session() {
    for (number, reason) in [
        (NumberState { assigned_to: bob(), ..known() }, PairingRefusal::OtherOwner),
        (NumberState { linked_to: bob(), ..known() }, PairingRefusal::NumberTaken),
        (NumberState { reserved_for: bob(), ..known() }, PairingRefusal::Reserved),
        (NumberState { assigned_to: bob(), reserved_for: ada(), ..known() }, PairingRefusal::OtherOwner),
        (NumberState { assigned_to: ada(), linked_to: bob(), ..known() }, PairingRefusal::NumberTaken),
        (NumberState { assigned_to: ada(), reserved_for: bob(), ..known() }, PairingRefusal::Reserved),
    ] {
        let decision = decide_with(&session(), &number, 1, NUMBER, PairingPolicy { is_open: true }, 1_300);
        assert_eq!(decision, PairingDecision::Refuse(reason), "{number:?}");
    }
}

fn erased(session_id: Option<SessionId>, erased_at: i64) -> Option<FormerOwner> {
    session_id.map(|session_id| FormerOwner { session_id, erased_at: at(erased_at) })
}

#[test]
fn number_passes_to_another_owner_only_after_the_handover_time() {
    let handed_over = PairingDecision::Refuse(PairingRefusal::HandedOver);
    let first = NOW - i64::try_from(HANDOVER_TIME.as_secs()).unwrap();
    for assigned_to in [None, ada()] {
        let decide = |of, erased_at| {
            let number = NumberState { assigned_to, former_owner: erased(of, erased_at), ..known() };
            decide_about(&session(), &number)
        };
        for erased_at in [first + 1, NOW - 1, NOW, NOW + 5] {
            assert_eq!(decide(bob(), erased_at), handed_over, "{erased_at}");
            assert_eq!(decide(ada(), erased_at), PairingDecision::Link, "the former owner needs not wait");
        }
        for erased_at in [0, first - 1, first] {
            assert_eq!(decide(bob(), erased_at), PairingDecision::Link, "{erased_at}");
        }
    }
    assert!(HANDOVER_TIME > OWNER_CACHE_LIFETIME);
}

#[test]
fn replaced_or_expired_code_links_no_session() {
    let expired = PairingDecision::Refuse(PairingRefusal::Expired);
    let late = |random, sent_at| decide_with(&session(), &known(), random, NUMBER, PairingPolicy::default(), sent_at);
    assert_eq!(late(1, 1_300), PairingDecision::Link);
    assert_eq!(late(1, 1_301), expired);
    assert_eq!(late(0, 1_100), expired);
    let without = Session { qr_expires_at: None, ..session() };
    assert_eq!(decide_about(&without, &known()), expired);
}

fn holder() -> impl Strategy<Value = Option<SessionId>> {
    prop_oneof![Just(None), Just(ada()), Just(bob())]
}

proptest! {
    /// A session is linked only with its current code, to its own number, and never to one that another owner holds.
    #[test]
    fn linked_session_has_every_right(
        is_known: bool, is_approved: bool, is_open: bool, is_connected: bool, is_right_number: bool,
        random in 0_u128..3, sent_at in 1_250_i64..1_350,
        assigned_to in holder(), linked_to in holder(), reserved_for in holder(),
        erased_by in holder(), erased_at in 1_100_i64..1_350,
    ) {
        let number = NumberState {
            is_known, assigned_to, linked_to, reserved_for, former_owner: erased(erased_by, erased_at),
        };
        let session = Session { is_approved, is_connected, ..session() };
        let phone_number_id = if is_right_number { NUMBER } else { "1" };
        let holders = [assigned_to, linked_to, reserved_for];
        match decide_with(&session, &number, random, phone_number_id, PairingPolicy { is_open }, sent_at) {
            PairingDecision::Link => {
                prop_assert!(is_known && is_right_number && !is_connected && random == 1 && sent_at <= 1_300);
                prop_assert!(!holders.contains(&bob()));
                prop_assert!(erased_by != bob() || erased_at <= NOW - 90);
                prop_assert!(is_approved || is_open || holders.contains(&ada()));
            }
            PairingDecision::Refuse(_) => prop_assert!(!is_connected && random < 2),
            PairingDecision::OrdinaryMessage => prop_assert!(is_connected || random == 2),
        }
    }
}
