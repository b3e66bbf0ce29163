use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use proptest::prelude::*;
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

use super::*;

fn action(second: i64, wamid: &str, by: &str, act: ActionKind) -> MessageAction {
    let at = Timestamp::from_seconds(second).unwrap();
    MessageAction { target: "t".to_owned(), wamid: wamid.to_owned(), at, from_me: false, by: by.to_owned(), act }
}

fn react(second: i64, wamid: &str, emoji: Option<&str>) -> MessageAction {
    action(second, wamid, "contact", ActionKind::React(emoji.map(str::to_owned)))
}

fn emoji(annotations: &Annotations) -> Option<&str> {
    annotations.reactions.get("contact").and_then(|reaction| reaction.emoji.as_deref())
}

#[test]
fn a_reaction_that_was_taken_back_does_not_return() {
    let mut annotations = Annotations::default();
    assert!(annotations.take(&react(2, "b", None), None, None));
    assert!(!annotations.take(&react(1, "a", Some("👍")), None, None));
    assert_eq!(emoji(&annotations), None);
}

#[test]
fn within_one_second_the_later_arrival_counts_and_a_repetition_does_not() {
    let mut annotations = Annotations::default();
    assert!(annotations.take(&react(1, "a", Some("👍")), None, None));
    assert!(annotations.take(&react(1, "b", Some("❤")), None, None));
    assert!(!annotations.take(&react(1, "a", Some("👍")), None, None));
    assert_eq!(emoji(&annotations), Some("❤"));
}

#[test]
fn the_text_before_the_first_edit_is_kept() {
    let edit = |second, wamid| action(second, wamid, "contact", ActionKind::Edit { body: None, content: None });
    let mut annotations = Annotations::default();
    assert!(annotations.take(&edit(1, "a"), Some("first"), None));
    assert!(annotations.take(&edit(2, "b"), Some("second"), None));
    assert!(!annotations.take(&edit(1, "a"), Some("third"), None));
    assert_eq!(annotations.edit.unwrap().original_body.as_deref(), Some("first"));
}

#[test]
fn a_new_caption_keeps_its_picture() {
    let before = r#"{"context":{"id":"q"},"image":{"caption":"old","id":"7"},"type":"image"}"#;
    let new = r#"{"image":{"caption":"new"},"type":"image"}"#;
    let merged = merged_content(Some(before), Some(new)).unwrap();
    assert_eq!(merged, r#"{"context":{"id":"q"},"image":{"caption":"new","id":"7"},"type":"image"}"#);
    assert_eq!(merged_content(Some(before), None).as_deref(), Some(before));
    assert_eq!(merged_content(None, None), None);
}

fn actions() -> impl Strategy<Value = Vec<MessageAction>> {
    let act = prop_oneof![
        prop::option::of("[ab]").prop_map(ActionKind::React),
        "[ab]".prop_map(|body| ActionKind::Edit { body: Some(body), content: None }),
        Just(ActionKind::Revoke),
    ];
    let by = prop::sample::select(vec!["me", "contact"]);
    prop::collection::vec((by, act), 1..12).prop_map(|acts| {
        let numbered = acts.into_iter().zip(1..);
        numbered.map(|((by, act), second)| action(second, &second.to_string(), by, act)).collect()
    })
}

/// One message and what its text becomes.
fn run(actions: &[MessageAction]) -> (Annotations, Option<String>) {
    let (mut annotations, mut body) = (Annotations::default(), Some("original".to_owned()));
    for action in actions {
        if annotations.take(action, body.as_deref(), None)
            && let ActionKind::Edit { body: new, .. } = &action.act
        {
            body.clone_from(new);
        }
    }
    (annotations, body)
}

proptest! {
    #[test]
    fn an_effect_that_waits_reads_back(actions in actions()) {
        for action in actions {
            let mut item: HashMap<String, AttributeValue> = to_item(&action).unwrap();
            // As the store writes it.
            item.retain(|_, value| !value.is_null());
            prop_assert_eq!(from_item::<MessageAction>(item).unwrap(), action);
        }
    }

    #[test]
    fn any_order_and_any_repetition_end_alike(
        (ordered, shuffled) in actions().prop_flat_map(|actions| {
            let doubled = [actions.clone(), actions.clone()].concat();
            (Just(actions), Just(doubled).prop_shuffle())
        })
    ) {
        prop_assert_eq!(run(&ordered), run(&shuffled));
    }

    #[test]
    fn participants_end_alike_in_any_order(
        receipts in prop::collection::vec((0..3u8, 0..5usize), 1..12).prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
    ) {
        let run = |receipts: &[(u8, usize)]| {
            let mut annotations = Annotations::default();
            for (participant, receipt) in receipts {
                let receipt = [Receipt::Sent, Receipt::Delivered, Receipt::Read, Receipt::Played, Receipt::Failed][*receipt];
                annotations.take_receipt(&ParticipantReceipt {
                    participant: participant.to_string(),
                    receipt,
                    at: Timestamp::from_seconds(7).unwrap(),
                    errors: Vec::new(),
                });
            }
            annotations
        };
        prop_assert_eq!(run(&receipts.0), run(&receipts.1));
    }
}
