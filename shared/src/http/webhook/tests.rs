//! Webhook bodies with edge values in any place, from the parser to the rows of the table and the responses.

use lambda_http::Body;
use proptest::prelude::*;
use serde_json::{Value, json, value::RawValue};
use uuid::Uuid;

use crate::{
    domain::{
        chat::Chat,
        id::{MAX_ID_BYTES, SessionId},
        inbound::{Inbound, InboundBatch},
        inbox::{ChatFilter, ChatList, MessageList},
        message_action::Annotations,
        page::{Order, Page},
        time::Timestamp,
        webhook_event::WebhookEvent,
    },
    http::{ApiResponse, Method, responses},
    services::export::Received,
    store::{StoredEvent, received_rows},
    whatsapp::{ContactUpdate, ReceivedMessage, Update, updates},
};

/// Stands for an escaped lone surrogate.
const SURROGATE: &str = "\u{e000}";

/// Stands for a number that no type can hold.
const HUGE: &str = "\u{e001}";

/// The maximum size of an item, in bytes (AWS, *Service, account, and table quotas in Amazon DynamoDB*).
const ITEM_LIMIT: usize = 400 * 1024;

const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// A value, shortened in the output of a failed test.
#[derive(Clone)]
struct Edge(Value);

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.0.to_string();
        write!(f, "{:.100} ({} bytes)", text, text.len())
    }
}

fn now() -> Timestamp {
    "2026-11-26T12:00:00.000Z".parse().unwrap()
}

fn numbers() -> impl Strategy<Value = i64> {
    let seconds = now().seconds();
    let last = Timestamp::MAX.seconds();
    prop::sample::select(vec![
        0,
        1,
        -1,
        seconds - 1,
        seconds,
        seconds + 2,
        seconds + 3,
        seconds + 3600,
        seconds + 2 * 24 * 60 * 60,
        4_102_444_800,
        seconds * 1000,
        last - 1,
        last,
        last + 1,
        253_402_200_000,
        253_402_207_200,
        253_402_300_799,
        253_402_300_800,
        i64::from(i32::MAX),
        i64::from(u32::MAX) + 1,
        i64::MIN,
        i64::MAX,
    ])
}

fn texts() -> impl Strategy<Value = String> {
    let characters = [
        "x",
        " ",
        "\0",
        "\u{7f}",
        "\n",
        "ä",
        "👍",
        "\u{ffff}",
        "\u{10ffff}",
        "\u{202e}",
        "\u{feff}",
        "\u{3164}",
        SURROGATE,
        "\"",
        "\\",
        "#",
        "/",
    ];
    let lengths = [
        0, 1, 2, 127, 128, 129, 255, 256, 257, 899, 900, 901, 1023, 1024, 1025, 4095, 4096, 4097, 65_535, 65_536,
        65_537, 150_000,
    ];
    let repeated = (prop::sample::select(characters.to_vec()), prop::sample::select(lengths.to_vec()))
        .prop_map(|(character, count)| character.repeat(count));
    let known = [
        "",
        "text",
        "call",
        "edit",
        "reaction",
        "connect",
        "terminate",
        "../me",
        "1065",
        "EG.1",
        "201001234567",
        "120363@g.us",
        "read",
        "failed",
    ];
    prop_oneof![3 => repeated, 1 => any::<String>(), 1 => prop::sample::select(known.to_vec()).prop_map(str::to_owned)]
}

fn edge_values() -> impl Strategy<Value = Edge> {
    let nested = prop::sample::select(vec![10, 99, 100, 101, 124, 125, 126, 127, 128]);
    let others = [
        json!(null),
        json!(true),
        json!([]),
        json!({}),
        json!(0.5),
        json!(-0.0),
        json!(1e300),
        json!(u64::MAX),
        json!(HUGE),
        json!([null, {}, [[]]]),
    ];
    prop_oneof![
        4 => numbers().prop_map(Value::from),
        4 => numbers().prop_map(|number| json!(number.to_string())),
        1 => numbers().prop_map(|number| json!(format!("{number}.0"))),
        4 => texts().prop_map(Value::from),
        2 => prop::sample::select(others.to_vec()),
        1 => nested.prop_map(|levels| (0..levels).fold(json!("x"), |inner, _| json!([inner]))),
        1 => nested_objects(),
    ]
    .prop_map(Edge)
}

fn nested_objects() -> impl Strategy<Value = Value> {
    (prop::sample::select(vec![99, 100, 126]), texts())
        .prop_map(|(levels, text)| (0..levels).fold(json!(text), |inner, _| json!({"x": inner})))
}

/// A body with messages of every type and every other update.
fn body() -> Value {
    let metadata = json!({"display_phone_number": "15550783881", "phone_number_id": "1065"});
    let mut n = 0;
    let mut message = |kind: &str, object: Value| {
        n += 1;
        let mut message = json!({"from": "201001234567", "from_user_id": "EG.1", "id": format!("wamid.{n}"),
            "timestamp": "1795694400", "type": kind});
        message[kind] = object;
        message
    };
    let mut rich = message("text", json!({"body": "hi"}));
    rich["context"] = json!({"id": "wamid.q", "from": "1", "forwarded": true});
    rich["referral"] = json!({"source_type": "ad", "headline": "x"});
    rich["errors"] = json!([{"code": 131_051, "title": "x", "error_data": {"details": "y"}}]);
    let mut group = message("text", json!({"body": "hi"}));
    group["group_id"] = json!("120363@g.us");
    let messages = json!([
        rich,
        group,
        message("image", json!({"id": "7", "caption": "x"})),
        message("document", json!({"id": "7", "filename": "x"})),
        message("location", json!({"latitude": 1.5, "longitude": "2", "name": "x", "address": "y"})),
        message("contacts", json!([{"name": {"formatted_name": "x"}, "phones": [{"wa_id": "201001234567"}]}])),
        message("interactive", json!({"type": "nfm_reply", "nfm_reply": {"response_json": "{}", "body": "Sent"}})),
        message("reaction", json!({"message_id": "wamid.q", "emoji": "👍"})),
        message("edit", json!({"original_message_id": "wamid.q", "message": {"type": "text", "text": {"body": "x"}}})),
        message("revoke", json!({"original_message_id": "wamid.q"})),
        message("system", json!({"type": "user_changed_number", "body": "x", "wa_id": "201112345678"})),
        message("order", json!({"catalog_id": "1", "text": "x", "product_items": [{"quantity": 1}]})),
        message("unsupported", json!({"type": "poll_creation"})),
    ]);
    let status = json!({"id": "wamid.s", "status": "failed", "timestamp": "1795694400", "recipient_id": "201001234567",
        "recipient_user_id": "EG.1", "conversation": {"id": "c"}, "pricing": {"billable": true},
        "biz_opaque_callback_data": "x", "errors": [{"code": 1, "title": "x", "error_data": {"details": "y"}}]});
    let participant = json!({"id": "wamid.g", "status": "read", "timestamp": 1_795_694_400_i64,
        "recipient_type": "group", "recipient_participant_id": "201001234567"});
    let call = |event: &str, direction: &str| {
        json!({"id": "wacid.1", "from": "201001234567", "to": "15550783881", "event": event, "direction": direction,
            "timestamp": "1795694400", "start_time": "1795694390", "end_time": "1795694400", "duration": 10,
            "cta_payload": "x", "errors": [{"code": 1, "title": "x"}]})
    };
    let contacts = json!([{"wa_id": "201001234567", "user_id": "EG.1", "profile": {"name": "Ada", "username": "ada"}}]);
    let change = |field: &str, value: Value| json!({"field": field, "value": value});
    json!({"object": "whatsapp_business_account", "entry": [{"id": "77", "time": 1_795_694_400_i64, "changes": [
        change("messages", json!({"metadata": metadata, "contacts": contacts, "messages": messages,
            "statuses": [status, participant], "errors": [{"code": 1}]})),
        change("smb_message_echoes", json!({"metadata": metadata,
            "message_echoes": [{"to": "201001234567", "id": "wamid.e", "timestamp": "1795694400", "type": "text",
                "text": {"body": "x"}}]})),
        change("history", json!({"metadata": metadata, "history": [{"threads": [{"id": "201001234567",
            "messages": [{"from": "15550783881", "id": "wamid.h", "timestamp": "1795694400", "type": "text",
                "text": {"body": "x"}, "history_context": {"status": "READ"}}]}]}]})),
        change("calls", json!({"metadata": metadata, "contacts": contacts,
            "calls": [call("connect", "USER_INITIATED"), call("terminate", "BUSINESS_INITIATED")],
            "statuses": [{"id": "wacid.1", "type": "call", "status": "RINGING", "timestamp": "1"}]})),
        change("smb_app_state_sync", json!({"metadata": metadata, "state_sync": [{"type": "contact", "action": "add",
            "contact": {"full_name": "Ada", "phone_number": "201001234567"},
            "metadata": {"timestamp": "1795694400"}}]})),
        change("group_settings_update", json!({"metadata": metadata, "groups": [{"group_id": "120363@g.us",
            "timestamp": "1795694400", "group_subject": {"text": "x", "update_successful": true}}]})),
        change("account_update", json!({"event": "X"})),
    ]}]})
}

/// The JSON pointers of all values in a value.
fn pointers(value: &Value) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, inner)| (name.clone(), inner)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, inner)| (at.to_string(), inner)).collect(),
        _ => return vec![String::new()],
    };
    let deeper =
        inner.iter().flat_map(|(name, inner)| pointers(inner).into_iter().map(move |rest| format!("/{name}{rest}")));
    std::iter::once(String::new()).chain(deeper).collect()
}

/// The text of a body, with what JSON values can't have.
fn text_of(body: &Value) -> String {
    body.to_string().replace(SURROGATE, "\\ud83d").replace(&format!("\"{HUGE}\""), "1e400")
}

/// Requires every time in a response to have 24 characters, and returns how many there are.
fn count_times(value: &Value) -> usize {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| match value {
                // What WhatsApp sent is unchanged.
                _ if matches!(name.as_str(), "raw" | "payload" | "content" | "context" | "referral" | "author") => 0,
                Value::String(text) if name.ends_with("_at") || name.ends_with("_until") || name == "timestamp" => {
                    assert_eq!(text.len(), 24, "{name}");
                    assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), *text);
                    1
                }
                value => count_times(value),
            })
            .sum(),
        Value::Array(items) => items.iter().map(count_times).sum(),
        _ => 0,
    }
}

/// Requires a response to be JSON. Returns `None` if it contains what WhatsApp sent, and that is deeper than `serde_json`
/// reads.
fn json_of(response: ApiResponse) -> Option<Value> {
    assert_eq!(response.status(), 200);
    let Body::Text(text) = response.into_response(&Method::GET, "x").into_body() else { panic!("no text") };
    serde_json::from_str::<&RawValue>(&text).unwrap();
    serde_json::from_str(&text).ok()
}

fn check_message(received: ReceivedMessage) {
    assert!(received.phone_number_id.bytes().all(|byte| byte.is_ascii_digit()));
    let reported = received.message.timestamp;
    // As parsed, and as stored: the rules of the window and of retention add to it.
    for time in [reported, reported.after(DAY), reported.after(DAY * 3)] {
        assert_eq!(time.to_string().len(), 24);
    }
    let message = Inbound { index: 0, ..received.message }.dated(reported.clamped_to(now()));
    let action = message.action.clone();
    let session_id = SessionId::for_owner("ada");
    let batch = InboundBatch {
        session_id,
        phone_number_id: received.phone_number_id,
        addresses: received.peer.addresses,
        profile: received.peer.profile,
        may_be_copy: false,
        source: received.source,
        received_at: None,
        is_import: false,
        request_id: None,
        messages: vec![message],
    };
    let (chat, rows) = received_rows(&batch, now());
    assert!(chat.window_until().is_none_or(|until| until <= now().after(DAY + std::time::Duration::from_secs(2))));
    assert!(chat.last_message_at.is_none_or(|at| at <= now().after(std::time::Duration::from_secs(2))));
    let list = ChatList { session_id, filter: ChatFilter::default(), limit: 1, after: None };
    let detail = json_of(responses::chat(&chat).unwrap());
    assert!(detail.as_ref().is_none_or(|detail| count_times(detail) >= 2));
    let page = Page { items: vec![chat.clone()], next: None };
    json_of(responses::chat_page(&page, &list).unwrap());
    for (message, mut metadata, size) in rows {
        assert!(size < ITEM_LIMIT, "{:?} has {size} bytes", message.kind);
        if let Some(action) = &action {
            assert!(action.at <= now().after(std::time::Duration::from_secs(2)));
            let mut annotations = Annotations::default();
            annotations.apply(action, message.body.as_deref(), message.content.as_deref());
            let stored = serde_json::to_string(&annotations).unwrap();
            assert!(size + stored.len() < ITEM_LIMIT, "{:?} has {size} + {} bytes", message.kind, stored.len());
            metadata.annotations = serde_json::from_str(&stored).unwrap();
        }
        check_responses(&chat, &batch, message, metadata);
    }
}

#[derive(serde::Deserialize)]
struct ExportedRaw {
    raw: Box<RawValue>,
}

fn check_responses(
    chat: &Chat,
    batch: &InboundBatch,
    message: crate::domain::message::Message,
    metadata: crate::store::MessageMetadata,
) {
    let list = MessageList { chat_id: chat.id, order: Order::Descending, limit: 1, after: None };
    let links = crate::services::media::MediaLinks::new(None, crate::domain::system::System::real());
    let position = message.position();
    let page = Page { items: vec![(message.clone(), metadata.clone())], next: Some(position) };
    let page = json_of(responses::message_page(page, &list, &links).unwrap());
    assert!(page.is_none_or(|page| count_times(&page["messages"]) >= 2));
    let raw = RawValue::from_string(batch.messages[0].raw.clone()).unwrap();
    let exported = responses::exported_message(message, metadata, Received::Json(raw), &links).unwrap();
    // Fails if the member occurs twice.
    let ExportedRaw { raw } = serde_json::from_str(exported.get()).unwrap();
    assert_eq!(raw.get(), batch.messages[0].raw);
    let export = Page { items: vec![exported], next: None };
    json_of(responses::chat_export(chat, &[], &export, &list).unwrap());
}

fn check_event(event: WebhookEvent) {
    let is_id = |id: &String| id.len() <= 20 && id.bytes().all(|byte| byte.is_ascii_digit());
    assert!(event.phone_number_id.as_ref().is_none_or(is_id) && event.waba_id.as_ref().is_none_or(is_id));
    assert!(event.wamid.as_ref().is_none_or(|wamid| wamid.len() <= MAX_ID_BYTES) && event.field.len() <= 100);
    let stored = StoredEvent {
        id: Uuid::nil(),
        at: event.at(),
        field: event.field,
        reason: event.reason.map(str::to_owned),
        received_at: now(),
        phone_number_id: event.phone_number_id,
        waba_id: event.waba_id,
        wamid: event.wamid,
        encoding: None,
        raw: event.raw,
        parts: 1,
    };
    assert!(stored.at.is_none_or(|at| at.to_string().len() == 24));
    json_of(responses::event_page(Page { items: vec![stored], next: None }, "events").unwrap());
}

fn check(update: Update) {
    assert!(!format!("{update:?}").is_empty());
    match update {
        Update::Message(received) => check_message(*received),
        Update::Status(status, _) => {
            assert_eq!(status.at.after(DAY).to_string().len(), 24);
            assert!(status.wamid.len() <= MAX_ID_BYTES);
            let stored = serde_json::to_string(&status).unwrap();
            assert!(stored.len() < ITEM_LIMIT / 4, "a status has {} bytes", stored.len());
            assert_eq!(*status, serde_json::from_str(&stored).unwrap());
        }
        Update::Contact { phone_number_id, update, .. } => {
            assert!(phone_number_id.bytes().all(|byte| byte.is_ascii_digit()));
            let at = match update {
                ContactUpdate::Linked { at, .. } | ContactUpdate::Changed { at, .. } => at,
                ContactUpdate::Named { name, .. } => name.at,
                ContactUpdate::Consent { decision, .. } => decision.since,
            };
            assert_eq!(at.to_string().len(), 24);
        }
        Update::Payment(update) => assert_eq!(update.payment.at.to_string().len(), 24),
        Update::Event(event) => check_event(event),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Everything that is parsed from a body can be stored, printed, and returned.
    #[test]
    fn edge_values_in_any_place_reach_the_responses(
        changes in prop::collection::vec((any::<prop::sample::Index>(), edge_values()), 1..6),
    ) {
        let mut body = body();
        for (place, Edge(value)) in changes {
            let places = pointers(&body);
            *body.pointer_mut(&places[place.index(places.len())]).unwrap() = value;
        }
        for update in updates(text_of(&body).as_bytes()).unwrap() {
            check(update);
        }
    }

    /// One time that WhatsApp wouldn't send affects its own update only.
    #[test]
    fn edge_times_reach_the_responses(place in any::<prop::sample::Index>(), time in numbers(), is_text in any::<bool>()) {
        let mut body = body();
        let before = updates(text_of(&body).as_bytes()).unwrap().len();
        let mut places = pointers(&body);
        places.retain(|place| place.ends_with("time") || place.ends_with("timestamp"));
        *body.pointer_mut(&places[place.index(places.len())]).unwrap() =
            if is_text { json!(time.to_string()) } else { json!(time) };
        let updates = updates(text_of(&body).as_bytes()).unwrap();
        // A message whose time doesn't exist becomes an event, without what it reveals about its contact.
        prop_assert!((before - 1..=before).contains(&updates.len()));
        updates.into_iter().for_each(check);
    }

    /// Bytes that aren't UTF-8 inside of a text, and a byte order mark, don't affect the other updates.
    #[test]
    fn invalid_bytes_reach_the_responses(bytes in prop::collection::vec(0x80..=0xff_u8, 1..6), has_mark in any::<bool>()) {
        let body = text_of(&body());
        let before = updates(body.as_bytes()).unwrap().len();
        let at = body.find("\"hi\"").unwrap() + 1;
        let mark: &[u8] = if has_mark { b"\xef\xbb\xbf" } else { b"" };
        let odd = [mark, &body.as_bytes()[..at], &bytes, &body.as_bytes()[at..]].concat();
        let updates = updates(&odd).unwrap();
        prop_assert_eq!(updates.len(), before);
        updates.into_iter().for_each(check);
    }
}
