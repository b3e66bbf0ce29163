use proptest::prelude::*;

use super::{DeliveryEvent as E, MessageStatus as S, *};

const RECEIPTS: [Receipt; 5] = [Receipt::Sent, Receipt::Delivered, Receipt::Read, Receipt::Played, Receipt::Failed];

fn events() -> impl Strategy<Value = E> {
    prop_oneof![
        Just(E::Claimed),
        Just(E::NotSent),
        Just(E::Unanswered),
        Just(E::Accepted),
        Just(E::Rejected),
        Just(E::GivenUp),
        Just(E::Expired),
        prop::sample::select(RECEIPTS.to_vec()).prop_map(E::Receipt),
    ]
}

#[test]
fn a_delivered_message_can_follow_a_failed_one_but_not_a_sent_one() {
    assert_eq!(S::Undelivered.on(E::Receipt(Receipt::Delivered)), Some(S::Delivered));
    assert_eq!(S::Undelivered.on(E::Receipt(Receipt::Sent)), None);
    assert_eq!(S::Delivered.on(E::Receipt(Receipt::Failed)), None);
}

#[test]
fn a_receipt_settles_what_was_perhaps_sent() {
    assert_eq!(S::Unknown.on(E::Receipt(Receipt::Sent)), Some(S::Sent));
    assert_eq!(S::Sending.on(E::Receipt(Receipt::Read)), Some(S::Read));
}

/// What can happen around one message, in any order and at any time.
#[derive(Clone, Copy, Debug)]
enum Step {
    Claim,
    /// The post reaches WhatsApp, which takes it or not.
    Arrive {
        accepts: bool,
    },
    /// The answer comes back, or is lost.
    ApiResponse {
        lost: bool,
    },
    /// `deliver` ends, and the lease runs out.
    Crash,
    Deadline,
    Expire,
    Receipt(Receipt),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Claim),
        2 => any::<bool>().prop_map(|accepts| Step::Arrive { accepts }),
        2 => any::<bool>().prop_map(|lost| Step::ApiResponse { lost }),
        1 => Just(Step::Crash),
        1 => Just(Step::Deadline),
        1 => Just(Step::Expire),
        3 => prop::sample::select(RECEIPTS.to_vec()).prop_map(Step::Receipt),
    ];
    proptest::collection::vec(step, 0..60)
}

/// One message, and WhatsApp beside it.
#[derive(Debug)]
struct World {
    status: S,
    /// The post under way: not there yet, or taken, or refused.
    post: Option<Option<bool>>,
    copies: u32,
    told: bool,
    resends: bool,
}

impl World {
    fn happens(&mut self, event: E) {
        self.status = self.status.on(event).unwrap_or(self.status);
    }

    fn step(&mut self, step: Step) {
        match (step, self.post) {
            (Step::Claim, None) if self.status == S::Pending => {
                self.happens(E::Claimed);
                self.post = Some(None);
            }
            (Step::Arrive { accepts }, Some(None)) => {
                self.copies += u32::from(accepts);
                self.post = Some(Some(accepts));
            }
            (Step::ApiResponse { lost }, Some(arrived)) => {
                self.happens(match arrived {
                    _ if lost => E::Unanswered,
                    Some(true) => E::Accepted,
                    Some(false) => E::Rejected,
                    None => E::NotSent,
                });
                self.post = None;
            }
            // Seen from outside, an ended process and a lost answer are one. The post may still arrive.
            (Step::Crash, Some(arrived)) => {
                self.happens(E::Unanswered);
                self.copies += u32::from(arrived.is_none());
                self.post = None;
            }
            (Step::Deadline, None) => self.happens(if self.resends { E::Resent } else { E::GivenUp }),
            (Step::Expire, None) => self.happens(E::Expired),
            (Step::Receipt(receipt), _) if self.copies > 0 => {
                self.told |= receipt != Receipt::Failed;
                self.happens(E::Receipt(receipt));
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    /// Under the policy `fail` WhatsApp never gets a second copy, and nothing that it reported is reported failed.
    #[test]
    fn a_message_is_never_doubled_and_never_denied(steps in steps(), resends in any::<bool>()) {
        let mut world = World { status: S::Pending, post: None, copies: 0, told: false, resends };
        for step in steps {
            let before = world.status;
            world.step(step);
            prop_assert!(resends || world.copies <= 1, "{world:?}");
            prop_assert!(!(world.told && world.status == S::Failed), "{world:?}");
            prop_assert!(!before.is_final() || world.status.is_final(), "{before:?} {world:?}");
        }
        // Whatever happened, it comes to an end.
        for step in [Step::ApiResponse { lost: true }, Step::Deadline, Step::Expire] {
            world.step(step);
        }
        prop_assert!(world.status.is_final(), "{world:?}");
    }

    /// Only a certain failure to reach WhatsApp makes a message sendable again.
    #[test]
    fn a_message_is_sent_again_only_when_it_was_not_sent(events in proptest::collection::vec(events(), 0..40)) {
        let (mut status, mut posts, mut certain_failures) = (S::Pending, 0, 0);
        for event in events {
            let Some(next) = status.on(event) else { continue };
            posts += i32::from(event == E::Claimed);
            certain_failures += i32::from(event == E::NotSent);
            prop_assert!(next.rank() > status.rank() || event == E::NotSent);
            status = next;
            prop_assert!(posts <= certain_failures + 1);
        }
    }

    /// Receipts in any order and number end where the furthest one leads.
    #[test]
    fn the_order_of_receipts_does_not_matter(receipts in proptest::collection::vec(prop::sample::select(RECEIPTS.to_vec()), 1..12)) {
        let end = receipts.iter().fold(S::Sending, |status, &receipt| status.on(E::Receipt(receipt)).unwrap_or(status));
        let furthest = receipts.iter().map(|receipt| receipt.status()).max_by_key(|status| status.rank());
        prop_assert_eq!(Some(end), furthest);
    }
}
