//! `POST /api/messages/import`: one chat for each contact, no duplicates, and nothing that a live message causes.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use local::database::{Fault, RandomFaults};
use serde_json::{Value, json};

use crate::test_app::{Response, TestApp, merge, text_message};

const CUSTOMER: &str = "201001234567";

/// Returns a message from [`CUSTOMER`] with this ID, sent `second` seconds into a minute of the year 2024.
fn row(id: &str, second: u32) -> Value {
    let timestamp = format!("2024-05-06T07:08:{second:02}Z");
    json!({"id": id, "contact": CUSTOMER, "fromMe": false, "body": format!("text {id}"), "timestamp": timestamp})
}

/// Returns messages of several contacts.
fn rows(count: usize, contacts: usize) -> Vec<Value> {
    let of = |number: usize| {
        let contact = json!({"contact": format!("2010012345{:02}", number % contacts)});
        merge(row(&number.to_string(), (number / 10 % 60) as u32), &contact)
    };
    (0..count).map(of).collect()
}

async fn post(app: &TestApp, session_id: &str, rows: &[Value]) -> Response {
    app.post("/api/messages/import", &json!({"sessionId": session_id, "messages": rows})).await
}

/// Imports messages. Returns the response, and its numbers of new and repeated messages.
async fn import(app: &TestApp, session_id: &str, rows: &[Value]) -> (Value, u64, u64) {
    let response = post(app, session_id, rows).await;
    assert_eq!(response.status, 200, "{}", response.json);
    let number = |member: &str| response.json[member].as_u64().unwrap();
    let (imported, duplicates) = (number("imported"), number("duplicates"));
    assert_eq!(imported + duplicates, rows.len() as u64);
    (response.json, imported, duplicates)
}

async fn chats(app: &TestApp, session_id: &str) -> Vec<Value> {
    app.all(&format!("/api/chats?sessionId={session_id}&limit=100"), "chats").await
}

async fn messages(app: &TestApp, chat: &Value) -> Vec<Value> {
    app.all(&format!("/api/chats/{}/messages?order=asc&limit=100", chat["id"].as_str().unwrap()), "messages").await
}

fn texts(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["body"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_spelling_of_a_contact_leads_to_one_chat_in_order() {
    let (app, session_id) = TestApp::connected().await;
    app.patch("/api/session", &json!({"sessionId": session_id, "defaultCountry": "EG"})).await;
    let spellings =
        ["201001234567@s.whatsapp.net", "+20 100 123 4567", "00201001234567", "01001234567", "201001234567"];
    // The last one comes first.
    let mut rows: Vec<Value> = spellings
        .iter()
        .enumerate()
        .map(|(place, spelling)| {
            merge(row(&place.to_string(), 50 - place as u32), &json!({"contact": spelling, "name": "Mona"}))
        })
        .collect();
    rows.push(merge(row("group", 7), &json!({"contact": "120363041234567890@g.us", "name": "Family"})));
    rows.push(merge(row("user", 8), &json!({"contact": "EG.13491208655302741918"})));
    let (response, imported, _) = import(&app, &session_id, &rows).await;
    assert_eq!(imported, 7);
    let listed = chats(&app, &session_id).await;
    assert_eq!(listed.len(), 3);
    let [chat, user, group] = &listed[..] else { panic!("{listed:#?}") };
    let expected = json!({
        "name": "Mona", "type": "INDIVIDUAL", "status": "INBOX", "is_unread": false, "unread_count": 0,
        "last_message": "text 0", "last_message_at": "2024-05-06T07:08:50.000Z", "phone_jid": spellings[0],
    });
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(&chat[member], value, "{member}");
    }
    assert_eq!((&group["name"], &group["type"]), (&json!("Family"), &json!("GROUP")));
    assert_eq!(user["remote_id"], "EG.13491208655302741918");
    assert_eq!(texts(&messages(&app, chat).await), ["text 4", "text 3", "text 2", "text 1", "text 0"]);
    // The response has the chat of every spelling.
    let found: BTreeSet<(&str, &str)> = response["chats"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| (found["contact"].as_str().unwrap(), found["chat_id"].as_str().unwrap()))
        .collect();
    let id = |chat: &Value| chat["id"].as_str().unwrap().to_owned();
    let (chat, user, group) = (id(chat), id(user), id(group));
    let mut expected: BTreeSet<(&str, &str)> = spellings.iter().map(|spelling| (*spelling, chat.as_str())).collect();
    expected.extend([("120363041234567890@g.us", group.as_str()), ("EG.13491208655302741918", user.as_str())]);
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_keep_their_direction_type_status_and_wamid() {
    let (app, session_id) = TestApp::connected().await;
    let own = |id: &str, second: u32, fields: Value| merge(merge(row(id, second), &json!({"fromMe": true})), &fields);
    let rows = [
        row("in", 1),
        own("sent", 2, json!({})),
        own("read", 3, json!({"status": "read", "wamid": "wamid.old.1"})),
        own("rejected", 4, json!({"status": "failed"})),
        own("undelivered", 5, json!({"status": "failed", "wamid": "wamid.old.2"})),
        own("image", 6, json!({"type": "image", "body": null})),
        merge(row("unknown", 7), &json!({"type": "unsupported", "body": "?"})),
    ];
    import(&app, &session_id, &rows).await;
    let listed = messages(&app, &chats(&app, &session_id).await[0]).await;
    let states: Vec<Value> = listed
        .iter()
        .map(|message| {
            json!([message["from_me"], message["type"], message["status"], message["is_sent"], message["wamid"]])
        })
        .collect();
    assert_eq!(
        json!(states),
        json!([
            [false, "text", "received", true, null],
            [true, "text", "sent", true, null],
            [true, "text", "read", true, "wamid.old.1"],
            [true, "text", "failed", false, null],
            [true, "text", "failed", true, "wamid.old.2"],
            [true, "image", "sent", true, null],
            [false, "unsupported", "received", true, null],
        ])
    );
    assert!(listed.iter().all(|message| message["source"] == "history" && message["received_at"].is_null()));
    // The original row is kept.
    assert_eq!(listed[6]["raw"], rows[6]);
    let found = app.get(&format!("/api/messages/wamid.old.1?sessionId={session_id}")).await;
    assert_eq!(found.json["message"]["id"], listed[2]["id"]);
    let found = app.get(&format!("/api/messages/{}", listed[0]["id"].as_str().unwrap())).await;
    assert_eq!(found.json["message"]["body"], "text in");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_one_second_keep_the_order_of_their_milliseconds() {
    let (app, session_id) = TestApp::connected().await;
    let at = |id: &str, time: &str| merge(row(id, 0), &json!({"timestamp": format!("2024-05-06T07:08:09{time}Z")}));
    import(&app, &session_id, &[at("c", ".300"), at("a", ".100"), at("d", ".300")]).await;
    import(&app, &session_id, &[at("b", ".200")]).await;
    let listed = messages(&app, &chats(&app, &session_id).await[0]).await;
    assert_eq!(texts(&listed)[..2], ["text a", "text b"]);
    assert_eq!(texts(&listed)[2..].iter().collect::<BTreeSet<_>>().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_messages_are_stored_once() {
    let (app, session_id) = TestApp::connected().await;
    app.deliver_messages(&json!([text_message("wamid.live", CUSTOMER, "live")])).await;
    let rows = [
        row("1", 1),
        row("1", 1),
        merge(row("2", 2), &json!({"wamid": "wamid.old"})),
        merge(row("3", 3), &json!({"wamid": "wamid.old"})),
        merge(row("4", 4), &json!({"wamid": "wamid.live"})),
    ];
    let (_, imported, duplicates) = import(&app, &session_id, &rows).await;
    assert_eq!((imported, duplicates), (2, 3));
    // Repeated messages with another time, spelling, and contact.
    let changed = [
        row("1", 11),
        merge(row("2", 12), &json!({"wamid": "wamid.old", "contact": "+20 100 123 4567"})),
        merge(row("1", 1), &json!({"contact": "201009999998"})),
        row("5", 5),
    ];
    let (response, imported, duplicates) = import(&app, &session_id, &changed).await;
    assert_eq!((imported, duplicates), (1, 3));
    // No chat was made for the contact whose message is another's.
    assert_eq!(response["chats"].as_array().unwrap().len(), 2);
    assert_eq!(chats(&app, &session_id).await.len(), 1);
    assert_eq!(app.items("message").await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_store_every_message_once() {
    let (app, session_id) = TestApp::connected().await;
    let rows = rows(200, 7);
    // A busy machine may not be fast enough for all of them at once. Clients then repeat the request.
    let repeat = async || {
        for _ in 0..20 {
            let response = post(&app, &session_id, &rows).await;
            if response.status == 200 {
                return response.json["imported"].as_u64().unwrap();
            }
            assert_eq!(response.status, 503, "{}", response.json);
        }
        panic!("no import succeeds");
    };
    let imported: u64 = join_all((0..4).map(|_| repeat())).await.into_iter().sum();
    assert!(imported <= 200, "{imported}");
    assert_eq!(import(&app, &session_id, &rows).await.1, 0);
    let (mut stored, listed) = (BTreeSet::new(), chats(&app, &session_id).await);
    assert_eq!(listed.len(), 7);
    for chat in &listed {
        let messages = messages(&app, chat).await;
        stored.extend(messages.iter().map(|message| message["body"].as_str().unwrap().to_owned()));
    }
    assert_eq!((stored.len(), app.items("message").await.len()), (200, 200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_imports_before_and_after_it_is_linked() {
    let app = TestApp::start().await;
    let session = app.create_session("ada").await;
    let session_id = session["id"].as_str().unwrap();
    let rows = [row("1", 1), merge(row("2", 2), &json!({"wamid": "wamid.old"}))];
    assert_eq!(import(&app, session_id, &rows).await.1, 2);
    app.scan(session["qr"].as_str().unwrap(), "201009999999").await;
    assert_eq!(import(&app, session_id, &rows).await.1, 0);
    assert_eq!(chats(&app, session_id).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_chat_keeps_its_state() {
    let (app, session_id) = TestApp::connected().await;
    let profile = json!([{"profile": {"name": "Mona"}, "wa_id": CUSTOMER}]);
    let mut body = app.webhook_body(&json!([text_message("wamid.live", CUSTOMER, "live")]));
    body["entry"][0]["changes"][0]["value"]["contacts"] = profile;
    app.deliver_webhook(&body).await;
    let before = chats(&app, &session_id).await;
    assert_eq!((&before[0]["unread_count"], &before[0]["last_message"]), (&json!(1), &json!("live")));
    import(&app, &session_id, &[merge(row("1", 1), &json!({"name": "Old name"}))]).await;
    assert_eq!(chats(&app, &session_id).await, before);
    assert_eq!(messages(&app, &before[0]).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imported_messages_cause_no_reply_no_window_and_no_event() {
    let (app, session_id) = TestApp::connected_with(&["201007777777"]).await;
    let rule = json!({"name": "x", "trigger": {"type": "any"}, "reply": {"message": "hello"}});
    app.post(&format!("/api/auto-replies?sessionId={session_id}"), &rule).await;
    let recent = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(5);
    import(&app, &session_id, &[merge(row("1", 1), &json!({"timestamp": recent.to_string()}))]).await;
    let live = merge(
        text_message("wamid.live", "201007777777", "live"),
        &json!({"timestamp": recent.as_second().to_string()}),
    );
    app.deliver_messages(&json!([live])).await;
    // The stream is in order, so a reply to the imported message would come first.
    app.wait_for_message("the reply to the live message", |message| message["source"] == "auto_reply").await;
    app.wait_for_change(&session_id, "the reply is sent", |change| change["type"] == "message.sent").await;
    let changes = app.all_changes(&session_id, 0).await;
    let types: Vec<&str> = changes.iter().map(|change| change["type"].as_str().unwrap()).collect();
    let count = |kind: &str| types.iter().filter(|found| **found == kind).count();
    assert_eq!((count("chat.created"), count("message.received")), (2, 1), "{types:?}");
    assert_eq!(app.items("message").await.iter().filter(|message| message["from_me"] == true).count(), 1);
    let listed = app.items("chat").await;
    let windows = listed.iter().filter(|chat| chat["last_inbound_at"].is_string()).count();
    assert_eq!((listed.len(), windows), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_updates_find_imported_messages() {
    let (app, session_id) = TestApp::connected().await;
    let own = merge(row("1", 1), &json!({"wamid": "wamid.old", "fromMe": true}));
    import(&app, &session_id, &[own.clone(), row("2", 2)]).await;
    let reaction = json!({
        "from": CUSTOMER, "id": "wamid.reaction", "timestamp": "1749416383", "type": "reaction",
        "reaction": {"message_id": "wamid.old", "emoji": "👍"},
    });
    app.deliver_messages(&json!([reaction])).await;
    let status = json!({"id": "wamid.old", "status": "read", "timestamp": "1749416384", "recipient_id": CUSTOMER});
    app.deliver_webhook(&app.webhook_field("messages", json!({"statuses": [status]}))).await;
    // WhatsApp reports the message again with the history of the number.
    let past = json!({"history_context": {"status": "READ"}, "to": CUSTOMER, "from": app.ready.display_phone_number});
    let past = merge(text_message("wamid.old", CUSTOMER, "text 1"), &past);
    let thread = json!({"id": CUSTOMER, "messages": [past]});
    let history = json!({"history": [{"metadata": {"phase": 0}, "threads": [thread]}]});
    app.deliver_webhook(&app.webhook_field("history", history)).await;
    let listed = messages(&app, &chats(&app, &session_id).await[0]).await;
    let texts: Vec<&Value> = listed.iter().filter(|message| message["type"] == "text").collect();
    assert_eq!(texts.len(), 2);
    assert_eq!((&texts[0]["status"], &texts[0]["reactions"][0]["emoji"]), (&json!("read"), &json!("👍")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_row_fails_the_request_before_anything_is_stored() {
    let (app, session_id) = TestApp::connected().await;
    for (invalid, code, sentence) in [
        (json!({"timestamp": "yesterday"}), "invalid_field", "messages[2].timestamp must be an RFC 3339 time"),
        (json!({"timestamp": "2099-01-01T00:00:00Z"}), "invalid_field", "messages[2].timestamp is in the future"),
        (json!({"contact": "0100"}), "invalid_field", "messages[2].contact "),
        (json!({"contact": "01001234567"}), "invalid_field", "messages[2].contact "),
        (json!({"phone": "1"}), "unknown_field", "messages[2].phone is not a field of messages[2]"),
    ] {
        let response = post(&app, &session_id, &[row("1", 1), row("2", 2), merge(row("3", 3), &invalid)]).await;
        assert_eq!((response.status, &response.json["code"]), (400, &json!(code)), "{}", response.json);
        assert!(response.json["error"].as_str().unwrap().starts_with(sentence), "{}", response.json);
    }
    let unknown = post(&app, "00000000-0000-4000-8000-000000000001", &[row("1", 1)]).await;
    assert_eq!((unknown.status, &unknown.json["code"]), (404, &json!("session_not_found")));
    assert_eq!((app.items("message").await.len(), chats(&app, &session_id).await.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_that_fails_is_completed_by_its_repetition() {
    let (app, session_id) = TestApp::connected().await;
    let rows = rows(300, 30);
    // Each of the 30 chats is tried three times, so at least one can't be stored.
    app.inject_function_fault("import-messages", "TransactWriteItems", Fault::Throttled, 61);
    let failed = post(&app, &session_id, &rows).await;
    assert_eq!((failed.status, &failed.json["code"]), (503, &json!("unavailable")), "{}", failed.json);
    assert!(!failed.header("retry-after").is_empty());
    let stored = app.items("message").await.len();
    assert!(stored < 300);
    let (_, imported, duplicates) = import(&app, &session_id, &rows).await;
    assert_eq!((imported as usize, duplicates as usize), (300 - stored, stored));
    assert_eq!((app.items("message").await.len(), chats(&app, &session_id).await.len()), (300, 30));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_faults_lose_and_double_nothing() {
    let (app, session_id) = TestApp::connected().await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let functions = vec!["import-messages".to_owned()];
    let faults = Fault::TRANSIENT.to_vec();
    app.running().database().faults().inject_random(RandomFaults { seed, percent: 10, functions, faults });
    let rows = rows(200, 20);
    app.wait_until("an import succeeds", async || {
        let response = post(&app, &session_id, &rows).await;
        assert!(response.status == 200 || response.status == 503, "{}", response.json);
        response.status == 200
    })
    .await;
    app.clear_injected_faults();
    assert_eq!(import(&app, &session_id, &rows).await.1, 0);
    assert_eq!((app.items("message").await.len(), chats(&app, &session_id).await.len()), (200, 20));
}
