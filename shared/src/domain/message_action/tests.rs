use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use proptest::prelude::*;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use super::*;

fn action(second: i64, wamid: &str, by: &str, kind: ActionKind) -> MessageAction {
    let at = Timestamp::from_seconds(second).unwrap();
    let (target, wamid, by, also_by) = ("t".to_owned(), wamid.to_owned(), by.to_owned(), Vec::new());
    MessageAction { target, wamid, at, from_me: false, by, also_by, kind }
}

fn react(second: i64, wamid: &str, emoji: Option<&str>) -> MessageAction {
    action(second, wamid, "contact", ActionKind::React(emoji.map(str::to_owned)))
}

const RECEIPTS: [Receipt; 5] = [Receipt::Sent, Receipt::Delivered, Receipt::Read, Receipt::Played, Receipt::Failed];

fn emoji(annotations: &Annotations) -> Option<&str> {
    annotations.reactions.get("contact").and_then(|reaction| reaction.emoji.as_deref())
}

#[test]
fn older_reaction_does_not_replace_removed_reaction() {
    let mut annotations = Annotations::default();
    assert!(annotations.apply(&react(2, "b", None), None, None));
    assert!(!annotations.apply(&react(1, "a", Some("👍")), None, None));
    assert_eq!(emoji(&annotations), None);
}

#[test]
fn later_reaction_within_one_second_applies_and_duplicate_does_not() {
    let mut annotations = Annotations::default();
    assert!(annotations.apply(&react(1, "a", Some("👍")), None, None));
    assert!(annotations.apply(&react(1, "b", Some("❤")), None, None));
    assert!(!annotations.apply(&react(1, "a", Some("👍")), None, None));
    assert_eq!(emoji(&annotations), Some("❤"));
}

#[test]
fn edit_keeps_original_text() {
    let edit = |second, wamid| action(second, wamid, "contact", ActionKind::Edit { body: None, content: None });
    let mut annotations = Annotations::default();
    assert!(annotations.apply(&edit(1, "a"), Some("first"), None));
    assert!(annotations.apply(&edit(2, "b"), Some("second"), None));
    assert!(!annotations.apply(&edit(1, "a"), Some("third"), None));
    assert_eq!(annotations.edit.unwrap().original_body.as_deref(), Some("first"));
}

#[test]
fn caption_edit_keeps_image() {
    let before = r#"{"context":{"id":"q"},"image":{"caption":"old","id":"7"},"type":"image"}"#;
    let new = r#"{"image":{"caption":"new"},"type":"image"}"#;
    let merged = merged_content(Some(before), Some(new)).unwrap();
    assert_eq!(merged, r#"{"context":{"id":"q"},"image":{"caption":"new","id":"7"},"type":"image"}"#);
    assert_eq!(merged_content(Some(before), None).as_deref(), Some(before));
    assert_eq!(merged_content(None, None), None);
}

fn actions() -> impl Strategy<Value = Vec<MessageAction>> {
    let kind = prop_oneof![
        prop::option::of("[ab]").prop_map(ActionKind::React),
        "[ab]".prop_map(|body| ActionKind::Edit { body: Some(body), content: None }),
        Just(ActionKind::Revoke),
    ];
    let by = prop::sample::select(vec!["me", "contact"]);
    prop::collection::vec((by, kind), 1..12).prop_map(|kinds| {
        let numbered = kinds.into_iter().zip(1..);
        numbered.map(|((by, kind), second)| action(second, &second.to_string(), by, kind)).collect()
    })
}

/// Applies the actions to one message and returns its annotations and text.
fn apply_all(actions: &[MessageAction]) -> (Annotations, Option<String>) {
    let (mut annotations, mut body) = (Annotations::default(), Some("original".to_owned()));
    for action in actions {
        if annotations.apply(action, body.as_deref(), None)
            && let ActionKind::Edit { body: new, .. } = &action.kind
        {
            body.clone_from(new);
        }
    }
    (annotations, body)
}

proptest! {
    #[test]
    fn stored_action_round_trips(actions in actions()) {
        for action in actions {
            let mut item: HashMap<String, AttributeValue> = to_item(&action).unwrap();
            // The store omits null attributes.
            item.retain(|_, value| !value.is_null());
            prop_assert_eq!(from_item::<MessageAction>(item).unwrap(), action);
        }
    }

    #[test]
    fn order_and_repetition_of_actions_do_not_matter(
        (ordered, shuffled) in actions().prop_flat_map(|actions| {
            let doubled = [actions.clone(), actions.clone()].concat();
            (Just(actions), Just(doubled).prop_shuffle())
        })
    ) {
        prop_assert_eq!(apply_all(&ordered), apply_all(&shuffled));
    }

    #[test]
    fn order_of_participant_receipts_does_not_matter(
        receipts in prop::collection::vec((0..3u8, 0..5usize), 1..12)
            .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
    ) {
        let run = |receipts: &[(u8, usize)]| {
            let mut annotations = Annotations::default();
            for (participant, receipt) in receipts {
                annotations.apply_receipt(&ParticipantReceipt {
                    participant: participant.to_string(),
                    receipt: RECEIPTS[*receipt],
                    at: Timestamp::from_seconds(7).unwrap(),
                    errors: Vec::new(),
                });
            }
            annotations
        };
        prop_assert_eq!(run(&receipts.0), run(&receipts.1));
    }
}

#[test]
fn an_author_has_one_reaction_under_all_their_identities() {
    let by = |second: i64, wamid: &str, by: &str, also_by: &[&str], emoji: Option<&str>| MessageAction {
        also_by: also_by.iter().map(|other| (*other).to_owned()).collect(),
        ..action(second, wamid, by, ActionKind::React(emoji.map(str::to_owned)))
    };
    let mut annotations = Annotations::default();
    assert!(annotations.apply(&by(1, "a", "lid:7", &[], Some("👍")), None, None));
    assert!(annotations.apply(&by(2, "b", "phone:1", &["lid:7"], Some("❤")), None, None));
    assert!(annotations.apply(&by(2, "c", "phone:2", &[], Some("🙏")), None, None), "another author");
    assert!(!annotations.apply(&by(1, "d", "lid:7", &[], None), None, None), "an older one");
    assert_eq!(annotations.reactions.len(), 2);
    assert_eq!(annotations.reactions["phone:1"].emoji.as_deref(), Some("❤"));
    assert!(annotations.apply(&by(3, "e", "lid:7", &[], None), None, None));
    assert_eq!(annotations.reactions["phone:1"].emoji, None);
    assert_eq!(annotations.reactions["phone:2"].emoji.as_deref(), Some("🙏"));
    assert_eq!(annotations.reactions.len(), 2);
}

fn own(second: i64, wamid: &str, emoji: Option<&str>) -> MessageAction {
    MessageAction { from_me: true, ..action(second, wamid, ME, ActionKind::React(emoji.map(str::to_owned))) }
}

fn own_emoji(annotations: &Annotations) -> Option<&str> {
    annotations.reactions.get(ME).and_then(|reaction| reaction.emoji.as_deref())
}

#[test]
fn an_undelivered_reaction_is_withdrawn_until_it_is_delivered_after_all() {
    let mut annotations = Annotations::default();
    assert!(!annotations.withdraw_reaction(ME, "a"), "it was never shown");
    assert!(annotations.apply(&own(1, "a", Some("👍")), None, None));
    assert!(!annotations.withdraw_reaction("contact", "a"), "another author");
    assert!(annotations.withdraw_reaction(ME, "a"));
    assert_eq!(own_emoji(&annotations), None);
    assert!(!annotations.withdraw_reaction(ME, "a"), "a repetition changes nothing");
    assert!(annotations.apply(&own(1, "a", Some("👍")), None, None));
    assert_eq!(own_emoji(&annotations), Some("👍"));
}

#[test]
fn an_undelivered_reaction_leaves_a_later_one() {
    let mut annotations = Annotations::default();
    annotations.apply(&own(1, "a", Some("👍")), None, None);
    annotations.apply(&own(2, "b", Some("❤")), None, None);
    assert!(!annotations.withdraw_reaction(ME, "a"));
    assert_eq!(own_emoji(&annotations), Some("❤"));
}

fn payments() -> impl Strategy<Value = Vec<Payment>> {
    let payment = (0_i64..3, prop::sample::select(vec!["new", "pending", "captured", "failed"]), 0..2);
    prop::collection::vec(payment, 1..6).prop_map(|payments| {
        let payment = |(second, status, details): (i64, &str, i32)| Payment {
            status: status.to_owned(),
            at: Timestamp::from_seconds(second).unwrap(),
            details: (details > 0).then(|| "{}".to_owned()),
        };
        payments.into_iter().map(payment).collect()
    })
}

#[test]
fn a_payment_is_captured_after_it_was_pending_in_the_same_second() {
    let at =
        |status: &str| Payment { status: status.to_owned(), at: Timestamp::from_seconds(1).unwrap(), details: None };
    for order in [["pending", "captured"], ["captured", "pending"]] {
        let mut annotations = Annotations::default();
        for status in order {
            annotations.apply_payment(&at(status));
        }
        assert_eq!(annotations.payment.unwrap().status, "captured");
    }
}

proptest! {
    #[test]
    fn order_and_repetition_of_payments_do_not_matter(
        (payments, shuffled) in payments().prop_flat_map(|payments| (Just(payments.clone()), Just(payments).prop_shuffle()))
    ) {
        let (mut first, mut second) = (Annotations::default(), Annotations::default());
        for payment in &payments {
            first.apply_payment(payment);
        }
        for payment in shuffled.iter().chain(&payments) {
            second.apply_payment(payment);
        }
        let last = payments.iter().map(|payment| payment.at).max();
        prop_assert_eq!(first.payment.as_ref().map(|payment| payment.at), last);
        prop_assert_eq!(first.payment, second.payment);
    }
}
