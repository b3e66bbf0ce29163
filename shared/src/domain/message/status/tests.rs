use proptest::prelude::*;

use super::{DeliveryEvent as E, MessageStatus as S, *};

const RECEIPTS: [Receipt; 5] = [Receipt::Sent, Receipt::Delivered, Receipt::Read, Receipt::Played, Receipt::Failed];

fn receipt() -> impl Strategy<Value = Receipt> {
    prop::sample::select(RECEIPTS.to_vec())
}

fn event() -> impl Strategy<Value = E> {
    prop_oneof![
        Just(E::Claimed),
        Just(E::NotSent),
        Just(E::Unanswered),
        Just(E::Accepted),
        Just(E::Rejected),
        Just(E::GivenUp),
        Just(E::Expired),
        Just(E::Withheld),
        receipt().prop_map(E::Receipt),
    ]
}

#[test]
fn delivered_overrides_undelivered_and_sent_does_not() {
    assert_eq!(S::Undelivered.on(E::Receipt(Receipt::Delivered)), Some(S::Delivered));
    assert_eq!(S::Undelivered.on(E::Receipt(Receipt::Sent)), None);
    assert_eq!(S::Delivered.on(E::Receipt(Receipt::Failed)), None);
}

#[test]
fn receipt_resolves_unknown_and_sending_messages() {
    assert_eq!(S::Unknown.on(E::Receipt(Receipt::Sent)), Some(S::Sent));
    assert_eq!(S::Sending.on(E::Receipt(Receipt::Read)), Some(S::Read));
}

/// An input of the model. Inputs can arrive in any order.
#[derive(Clone, Copy, Debug)]
enum Input {
    Claim,
    /// The request reaches WhatsApp, which accepts or rejects the message.
    RequestArrives {
        accepted: bool,
    },
    /// The response arrives or is lost.
    Response {
        lost: bool,
    },
    /// `deliver` stops, and the lease expires.
    Crash,
    Deadline,
    Expire,
    Receipt(Receipt),
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let input = prop_oneof![
        3 => Just(Input::Claim),
        2 => any::<bool>().prop_map(|accepted| Input::RequestArrives { accepted }),
        2 => any::<bool>().prop_map(|lost| Input::Response { lost }),
        1 => Just(Input::Crash),
        1 => Just(Input::Deadline),
        1 => Just(Input::Expire),
        3 => receipt().prop_map(Input::Receipt),
    ];
    proptest::collection::vec(input, 0..60)
}

#[derive(Clone, Copy, Debug)]
enum Request {
    InFlight,
    Accepted,
    Rejected,
}

/// A model of one message and of WhatsApp.
#[derive(Debug)]
struct Model {
    status: S,
    /// The send request in progress.
    request: Option<Request>,
    /// How many times WhatsApp accepted the message.
    accepted: u32,
    /// Whether WhatsApp reported that the message was sent.
    reported_sent: bool,
    resends: bool,
}

impl Model {
    fn emit(&mut self, event: E) {
        self.status = self.status.on(event).unwrap_or(self.status);
    }

    fn apply(&mut self, input: Input) {
        match (input, self.request) {
            (Input::Claim, None) if self.status == S::Pending => {
                self.emit(E::Claimed);
                self.request = Some(Request::InFlight);
            }
            (Input::RequestArrives { accepted }, Some(Request::InFlight)) => {
                self.accepted += u32::from(accepted);
                self.request = Some(if accepted { Request::Accepted } else { Request::Rejected });
            }
            (Input::Response { lost }, Some(request)) => {
                self.emit(match request {
                    _ if lost => E::Unanswered,
                    Request::Accepted => E::Accepted,
                    Request::Rejected => E::Rejected,
                    Request::InFlight => E::NotSent,
                });
                self.request = None;
            }
            // A crash and a lost response are indistinguishable. The request can still arrive.
            (Input::Crash, Some(request)) => {
                self.emit(E::Unanswered);
                self.accepted += u32::from(matches!(request, Request::InFlight));
                self.request = None;
            }
            (Input::Deadline, None) => self.emit(if self.resends { E::Resent } else { E::GivenUp }),
            (Input::Expire, None) => self.emit(E::Expired),
            (Input::Receipt(receipt), _) if self.accepted > 0 => {
                self.reported_sent |= receipt != Receipt::Failed;
                self.emit(E::Receipt(receipt));
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    /// With the policy `fail`, WhatsApp never accepts a second copy. A message that WhatsApp reported as sent never
    /// becomes `failed`.
    #[test]
    fn message_is_not_duplicated_and_sent_message_does_not_fail(inputs in inputs(), resends in any::<bool>()) {
        let mut model = Model { status: S::Pending, request: None, accepted: 0, reported_sent: false, resends };
        for input in inputs {
            let before = model.status;
            model.apply(input);
            prop_assert!(resends || model.accepted <= 1, "{model:?}");
            prop_assert!(!(model.reported_sent && model.status == S::Failed), "{model:?}");
            prop_assert!(!before.is_final() || model.status.is_final(), "{before:?} {model:?}");
        }
        for input in [Input::Response { lost: true }, Input::Deadline, Input::Expire] {
            model.apply(input);
        }
        prop_assert!(model.status.is_final(), "the message never reaches a final status: {model:?}");
    }

    #[test]
    fn message_is_claimed_again_only_after_it_was_not_sent(events in proptest::collection::vec(event(), 0..40)) {
        let (mut status, mut claims, mut not_sent) = (S::Pending, 0, 0);
        for event in events {
            let Some(next) = status.on(event) else { continue };
            claims += i32::from(event == E::Claimed);
            not_sent += i32::from(event == E::NotSent);
            prop_assert!(next.rank() > status.rank() || event == E::NotSent);
            status = next;
            prop_assert!(claims <= not_sent + 1);
        }
    }

    /// Receipts in any order and number lead to the status of the receipt with the highest rank.
    #[test]
    fn receipt_order_does_not_matter(receipts in proptest::collection::vec(receipt(), 1..12)) {
        let apply = |status: S, receipt: &Receipt| status.on(E::Receipt(*receipt)).unwrap_or(status);
        let last = receipts.iter().fold(S::Sending, apply);
        let highest = receipts.iter().map(|receipt| receipt.status()).max_by_key(|status| status.rank());
        prop_assert_eq!(Some(last), highest);
    }
}
