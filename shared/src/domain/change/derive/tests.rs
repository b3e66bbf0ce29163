use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::{
    id::MessageId,
    identity::Identity,
    message::{DeliveryEvent, Receipt},
};

fn session_id() -> SessionId {
    SessionId::for_owner("ada")
}

fn chat_id() -> ChatId {
    ChatId::for_identity(session_id(), &Identity::Group("1".to_owned()))
}

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_milliseconds(milliseconds).unwrap()
}

fn key(wamid: &str) -> MessageKey {
    MessageKey { chat_id: chat_id(), time: at(1_500), message_id: MessageId::for_inbound("1", wamid) }
}

fn message(attributes: Value) -> MessageState {
    let mut all = json!({"session_id": session_id(), "type": "text", "from_me": false, "status": "received"});
    all.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

fn record(event_id: &str, write: Write) -> StreamRecord {
    StreamRecord { event_id: event_id.to_owned(), at: at(9_000), write }
}

fn new_message(attributes: Value) -> Write {
    Write::NewMessage { key: key("a"), after: Box::new(message(attributes)) }
}

fn kinds(write: Write) -> Vec<(ChangeType, i64)> {
    let changes = derive(&record("1", write));
    changes.iter().map(|derived| (derived.change.kind, derived.change.at.milliseconds())).collect()
}

#[test]
fn new_messages_are_received_created_or_actions() {
    use ChangeType as T;
    let received_at = "1970-01-01T00:00:02.000Z";
    for (attributes, expected) in [
        (json!({"received_at": received_at}), Some((T::MessageReceived, 2_000))),
        (json!({"source": "device", "type": "call", "received_at": received_at}), Some((T::MessageReceived, 2_000))),
        (json!({"source": "standby", "received_at": received_at}), Some((T::MessageReceived, 2_000))),
        (json!({"type": "reaction", "received_at": received_at}), Some((T::MessageAction, 2_000))),
        (json!({"type": "system"}), Some((T::MessageAction, 1_500))),
        (json!({"from_me": true, "status": "pending"}), Some((T::MessageCreated, 1_500))),
        (json!({"from_me": true, "status": "pending", "source": "auto_reply"}), Some((T::MessageCreated, 1_500))),
        // An echo is sent already. That isn't another change.
        (json!({"from_me": true, "status": "sent", "source": "echo"}), Some((T::MessageCreated, 9_000))),
        (json!({"from_me": true, "status": "pending", "type": "reaction"}), Some((T::MessageAction, 1_500))),
        (json!({"source": "history", "received_at": received_at}), None),
        (json!({"source": "history", "from_me": true, "status": "read"}), None),
    ] {
        assert_eq!(kinds(new_message(attributes.clone())), Vec::from_iter(expected), "{attributes}");
    }
}

fn changed(before: Value, after: Value) -> Vec<(ChangeType, i64)> {
    kinds(Write::Message { key: key("a"), before: Box::new(message(before)), after: Box::new(message(after)) })
}

#[test]
fn statuses_have_their_own_times() {
    use ChangeType as T;
    let sent = json!({"from_me": true, "status": "sent", "accepted_at": "1970-01-01T00:00:03.000Z"});
    let delivered = json!({"from_me": true, "status": "delivered", "delivered_at": "1970-01-01T00:00:04.000Z"});
    let failed = json!({"from_me": true, "status": "failed", "failed_at": "1970-01-01T00:00:05.000Z"});
    let unknown = json!({"from_me": true, "status": "unknown"});
    assert_eq!(changed(json!({"status": "sending"}), sent.clone()), [(T::MessageSent, 3_000)]);
    assert_eq!(changed(sent.clone(), delivered.clone()), [(T::MessageDelivered, 4_000)]);
    assert_eq!(changed(sent.clone(), failed), [(T::MessageFailed, 5_000)]);
    assert_eq!(changed(json!({"status": "sending"}), unknown), [(T::MessageUnknown, 9_000)]);
    // The time of a status that the message has passed.
    let read = json!({"from_me": true, "status": "read"});
    let late = json!({"from_me": true, "status": "read", "delivered_at": "1970-01-01T00:00:04.000Z"});
    assert_eq!(changed(read, late), []);
}

#[test]
fn annotations_are_edits_deletions_and_reactions() {
    use ChangeType as T;
    let (early, late) = ("1970-01-01T00:00:03.000Z", "1970-01-01T00:00:05.000Z");
    let reaction = |emoji: Value, by: &str| json!({"annotations": {"version": 1, "reactions": {by: {"emoji": emoji, "at": late, "ids": ["x"], "also_by": ["lid:1"]}}}});
    assert_eq!(changed(json!({}), reaction(json!("👍"), "contact")), [(T::MessageReaction, 5_000)]);
    assert_eq!(
        changed(reaction(json!("👍"), "contact"), reaction(json!(null), "contact")),
        [(T::MessageReaction, 5_000)]
    );
    assert_eq!(changed(reaction(json!("👍"), "contact"), reaction(json!("👍"), "contact")), []);
    assert_eq!(changed(reaction(json!("👍"), "lid:1"), reaction(json!("👍"), "phone:1")), []);
    // A removal that arrives before its reaction shows nothing new.
    assert_eq!(changed(json!({}), reaction(json!(null), "contact")), []);
    let edit = |at: &str| json!({"annotations": {"edit": {"at": at, "ids": ["x"]}}});
    assert_eq!(changed(json!({}), edit(early)), [(T::MessageEdited, 3_000)]);
    assert_eq!(changed(edit(early), edit(late)), [(T::MessageEdited, 5_000)]);
    assert_eq!(changed(edit(early), edit(early)), []);
    let deleted = |at: &str| json!({"annotations": {"revoked_at": at}});
    assert_eq!(changed(json!({}), deleted(late)), [(T::MessageDeleted, 5_000)]);
    assert_eq!(changed(deleted(late), deleted(early)), []);
    // What a history import brings happened before the import.
    let imported = json!({"source": "history", "received_at": "1970-01-01T00:00:04.000Z"});
    let and = |mut one: Value, other: Value| {
        one.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        one
    };
    assert_eq!(changed(imported.clone(), and(edit(early), imported.clone())), []);
    assert_eq!(changed(imported.clone(), and(edit(late), imported)), [(T::MessageEdited, 5_000)]);
}

#[test]
fn chats_sessions_and_webhooks_report_what_the_api_and_qasid_did() {
    use ChangeType as T;
    let other = ChatId::for_identity(session_id(), &Identity::Group("2".to_owned()));
    let chat = |changed: Option<i64>, merged_into| ChatState {
        session_id: session_id(),
        changed: changed.map(at),
        merged_into,
    };
    let chat_change = |before, after| Write::Chat { chat_id: chat_id(), before, after };
    let session = |is_connected, paused: Option<&str>, qr: Option<&str>| SessionState {
        is_connected,
        paused_reason: paused.map(str::to_owned),
        qr: qr.map(str::to_owned),
    };
    let session_change = |before, after| Write::Session { session_id: session_id(), before, after };
    let webhook_id = WebhookId::from_uuid(session_id().to_uuid());
    let webhook_change = |session_id, disabled_reason| Write::Webhook {
        id: webhook_id,
        session_id,
        before: WebhookState { disabled_reason: None },
        after: WebhookState { disabled_reason },
    };
    for (write, expected) in [
        (Write::NewChat { chat_id: chat_id(), after: chat(None, None) }, vec![T::ChatCreated]),
        (Write::NewChat { chat_id: chat_id(), after: chat(None, Some(other)) }, vec![]),
        (chat_change(chat(None, None), chat(Some(1), None)), vec![T::ChatUpdated]),
        (chat_change(chat(Some(1), None), chat(Some(1), None)), vec![]),
        (chat_change(chat(Some(1), None), chat(None, None)), vec![]),
        (chat_change(chat(Some(1), None), chat(Some(2), Some(other))), vec![T::ChatMerged]),
        (chat_change(chat(Some(1), Some(other)), chat(Some(1), Some(other))), vec![]),
        (session_change(session(false, None, Some("a")), session(true, None, None)), vec![T::SessionConnected]),
        (session_change(session(true, None, None), session(false, None, None)), vec![T::SessionDisconnected]),
        (session_change(session(true, None, None), session(true, Some("x"), None)), vec![T::SessionPaused]),
        (session_change(session(true, Some("x"), None), session(true, None, None)), vec![T::SessionResumed]),
        (session_change(session(true, Some("x"), None), session(true, Some("y"), None)), vec![]),
        (session_change(session(false, None, Some("a")), session(false, None, Some("b"))), vec![T::SessionQr]),
        (Write::NewErasure { target: Target::Chat(chat_id()), session_id: session_id() }, vec![T::ChatErased]),
        (Write::NewErasure { target: Target::Session(session_id()), session_id: session_id() }, vec![]),
        (webhook_change(Some(session_id()), Some("gone".to_owned())), vec![T::WebhookDisabled]),
        (webhook_change(Some(session_id()), None), vec![]),
        (webhook_change(None, Some("gone".to_owned())), vec![]),
    ] {
        let text = format!("{write:?}");
        let found: Vec<ChangeType> = kinds(write).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn a_chat_is_created_before_its_messages_which_are_in_their_order() {
    let received = |wamid: &str, index: u32| Write::NewMessage {
        key: key(wamid),
        after: Box::new(message(json!({"received_at": "1970-01-01T00:00:02.000Z", "receive_index": index}))),
    };
    let read = Write::Message {
        key: key("z"),
        before: Box::new(message(json!({"from_me": true, "status": "sent"}))),
        after: Box::new(message(json!({"from_me": true, "status": "read"}))),
    };
    let chat = Write::NewChat {
        chat_id: chat_id(),
        after: ChatState { session_id: session_id(), changed: None, merged_into: None },
    };
    let writes = [received("b", 1), received("a", 0), read, received("d", 3), received("c", 2), chat];
    let records: Vec<StreamRecord> =
        writes.into_iter().enumerate().map(|(index, write)| record(&index.to_string(), write)).collect();
    let order: Vec<usize> = derive_all(&records).into_iter().map(|(index, _)| index).collect();
    assert_eq!(order, [5, 1, 0, 2, 4, 3]);
}

fn event() -> impl Strategy<Value = DeliveryEvent> {
    use DeliveryEvent as E;
    use Receipt as R;
    prop::sample::select(vec![
        E::Claimed,
        E::NotSent,
        E::Unanswered,
        E::Accepted,
        E::Rejected,
        E::GivenUp,
        E::Expired,
        E::Withheld,
        E::Receipt(R::Sent),
        E::Receipt(R::Delivered),
        E::Receipt(R::Read),
        E::Receipt(R::Played),
        E::Receipt(R::Failed),
    ])
}

proptest! {
    /// Every status that is reported is reported once, in the order in which the message reached them, and a repeated
    /// record has the same IDs.
    #[test]
    fn each_status_is_reported_once(events in prop::collection::vec(event(), 0..12)) {
        let state = |status: MessageStatus| Box::new(MessageState { status, ..message(json!({"from_me": true})) });
        let mut status = MessageStatus::Pending;
        let mut reached = Vec::new();
        let mut reported = Vec::new();
        for (index, event) in events.into_iter().enumerate() {
            let Some(next) = status.on(event) else { continue };
            let write = Write::Message { key: key("a"), before: state(status), after: state(next) };
            let record = record(&index.to_string(), write);
            let changes = derive(&record);
            prop_assert_eq!(&derive(&record), &changes);
            reached.extend(ChangeType::of_status(next));
            reported.extend(changes);
            status = next;
        }
        let kinds: Vec<ChangeType> = reported.iter().map(|derived| derived.change.kind).collect();
        prop_assert_eq!(kinds, reached);
        let mut ids: HashMap<ChangeType, HashSet<ChangeId>> = HashMap::new();
        for Derived { change, .. } in &reported {
            ids.entry(change.kind).or_default().insert(change.id);
        }
        prop_assert!(ids.values().all(|ids| ids.len() == 1));
        prop_assert_eq!(ids.values().flatten().collect::<HashSet<_>>().len(), ids.len());
    }
}
