//! Messages that a linked device receives or sends, as a worker hands them in.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    test_app::{Response, TestApp, merge},
    worker::{claim, connect, settle},
};

const AT: i64 = 1_749_416_383;

/// Hands in a message of the contact +201001234567.
async fn receive(app: &TestApp, session_id: &str, id: &str, members: Value) -> Response {
    let head = json!({"sessionId": session_id, "id": id, "from": "201001234567@s.whatsapp.net", "timestamp": AT});
    app.post("/api/messages/receive", &merge(head, &members)).await
}

#[track_caller]
fn assert_stored(response: &Response) {
    assert_eq!((response.status, &response.json), (200, &json!({"success": true, "duplicate": false})));
}

async fn message(app: &TestApp, session_id: &str, id: &str) -> Value {
    app.get(&format!("/api/messages/{id}?sessionId={session_id}")).await.json["message"].clone()
}

async fn only_chat(app: &TestApp) -> Value {
    let chats = app.items("chat").await;
    assert_eq!(chats.len(), 1, "{chats:#?}");
    chats[0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_of_the_device_is_stored_once() {
    let app = TestApp::start().await;
    let session_id = connect(&app, "ada").await;
    let text = json!({
        "sessionId": session_id, "id": "3EB0A", "from": "201001234567:3@s.whatsapp.net",
        "timestamp": AT, "name": "Zeina", "text": "مرحبا", "device": {"any": [1, 2]},
    });
    let responses = join_all((0..10).map(|_| app.post("/api/messages/receive", &text))).await;
    assert!(responses.iter().all(|response| response.status == 200), "{responses:#?}");
    assert_eq!(responses.iter().filter(|response| response.json["duplicate"] == false).count(), 1);
    let mut again = text.clone();
    again["timestamp"] = json!("2025-06-08T20:59:43.500Z");
    assert_eq!(app.post("/api/messages/receive", &again).await.json, json!({"success": true, "duplicate": true}));
    let other = json!({"from": "+201001234567", "type": "text", "text": {"body": "all"}, "timestamp": "1749416384"});
    assert_stored(&receive(&app, &session_id, "3EB0B", other).await);

    let chat = only_chat(&app).await;
    assert_eq!((&chat["profile_name"], &chat["unread_count"]), (&json!("Zeina"), &json!(2)));
    let messages = app.items("message").await;
    assert_eq!(messages.len(), 2);
    let first = messages.iter().find(|message| message["wamid"] == "3EB0A").unwrap();
    assert_eq!(
        (&first["type"], &first["body"], &first["status"]),
        (&json!("text"), &json!("مرحبا"), &json!("received"))
    );
    assert_eq!(first["timestamp"], "2025-06-08T20:59:43.000Z");
    assert_eq!(serde_json::from_str::<Value>(first["raw"].as_str().unwrap()).unwrap(), text);
    // The reply is in the same chat.
    let response = app.send(&session_id, "+201001234567", "أهلا").await;
    assert_eq!(response.json["chat"]["id"], chat["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_is_stored_as_a_webhook_stores_it() {
    let app = TestApp::start().await;
    let session_id = connect(&app, "ada").await;
    let file = |more: Value| merge(json!({"url": "https://example.org/a", "mime_type": "a/b"}), &more);
    let cases = [
        ("image", file(json!({"caption": "a cat"})), json!("a cat")),
        ("video", file(json!({})), Value::Null),
        ("audio", file(json!({"voice": true})), Value::Null),
        ("document", file(json!({"filename": "a.pdf"})), json!("a.pdf")),
        ("sticker", file(json!({"animated": true})), Value::Null),
        ("location", json!({"latitude": 1.5, "longitude": 2.5, "name": "Cairo"}), json!("Cairo")),
        ("contacts", json!([{"name": {"formatted_name": "Ali"}, "vcard": "BEGIN:VCARD"}]), json!("Ali")),
        ("interactive", json!({"type": "list_reply", "list_reply": {"id": "1", "title": "Small"}}), json!("Small")),
        ("button", json!({"payload": "p", "text": "Stop"}), json!("Stop")),
    ];
    for (index, (kind, object, body)) in cases.iter().enumerate() {
        let id = format!("D{index}");
        let members = json!({"type": kind, *kind: object, "context": {"id": "D0"}, "timestamp": AT + index as i64});
        assert_stored(&receive(&app, &session_id, &id, members).await);
        let stored = message(&app, &session_id, &id).await;
        assert_eq!((&stored["type"], &stored["body"], &stored["source"]), (&json!(kind), body, &json!("device")));
        assert_eq!(stored["content"], json!({"type": kind, *kind: object}));
        assert_eq!(stored["context"], json!({"id": "D0"}));
        assert_eq!(stored["raw"], Value::Null);
    }
    let poll = json!({"type": "poll", "poll": {"name": "Tea?", "options": ["yes", "no"]}, "timestamp": AT + 60});
    assert_stored(&receive(&app, &session_id, "POLL", poll.clone()).await);
    let stored = message(&app, &session_id, "POLL").await;
    assert_eq!((&stored["type"], &stored["raw"]["poll"]), (&json!("unsupported"), &poll["poll"]));
    let chat = only_chat(&app).await;
    assert_eq!((&chat["unread_count"], &chat["last_message"]), (&json!(10), &json!("[unsupported message]")));

    // A received message can be sent on as it is.
    for id in ["D6", "D5"] {
        let content = message(&app, &session_id, id).await["content"].clone();
        let body = merge(json!({"sessionId": session_id, "to": "+201009999999"}), &content);
        let sent = app.post("/api/messages/send", &body).await;
        assert_eq!(sent.status, 200, "{}", sent.json);
    }
    for (members, sentence) in [
        (json!({"type": "image", "image": {}, "pushName": "Z"}), "pushName is not a field of this request"),
        (json!({"text": "hi", "from_me": true}), "from_me is not a field of this request: did you mean fromMe?"),
        (json!({"text": "hi", "from": "someone"}), "from is not a WhatsApp address"),
    ] {
        let response = receive(&app, &session_id, "X", members).await;
        assert_eq!(response.status, 400, "{}", response.json);
        assert!(response.json["error"].as_str().unwrap().starts_with(sentence), "{}", response.json);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn actions_of_the_device_change_their_message_or_wait_for_it() {
    let app = TestApp::start().await;
    let session_id = connect(&app, "ada").await;
    let edited = json!({"original_message_id": "T1", "message": {"type": "text", "text": {"body": "new"}}});
    let actions = [
        ("R1", json!({"type": "reaction", "reaction": {"message_id": "T1", "emoji": "👍"}, "timestamp": AT + 1})),
        ("E1", json!({"type": "edit", "edit": edited, "timestamp": AT + 2})),
    ];
    assert_stored(&receive(&app, &session_id, "T0", json!({"text": "first", "timestamp": AT - 1})).await);
    // Before the message, twice, and after it.
    for (id, action) in &actions {
        assert_stored(&receive(&app, &session_id, id, action.clone()).await);
        assert_eq!(receive(&app, &session_id, id, action.clone()).await.json["duplicate"], true);
    }
    assert_eq!(app.items("early_action").await.len(), 2);
    assert_stored(&receive(&app, &session_id, "T1", json!({"text": "old"})).await);
    let stored = message(&app, &session_id, "T1").await;
    assert_eq!((&stored["body"], &stored["original_body"]), (&json!("new"), &json!("old")));
    assert_eq!((&stored["reactions"][0]["emoji"], &stored["reactions"][0]["by"]), (&json!("👍"), &json!("contact")));
    let own = json!({"type": "reaction", "reaction": {"message_id": "T1", "emoji": "🙏"}, "fromMe": true});
    assert_stored(&receive(&app, &session_id, "R2", own).await);
    let removed = json!({"type": "reaction", "reaction": {"message_id": "T1", "emoji": ""}, "timestamp": AT + 3});
    assert_stored(&receive(&app, &session_id, "R3", removed).await);
    let stored = message(&app, &session_id, "T1").await;
    assert_eq!(stored["reactions"].as_array().unwrap().len(), 1);
    assert_eq!((&stored["reactions"][0]["emoji"], &stored["reactions"][0]["by"]), (&json!("🙏"), &json!("me")));
    let deletion = json!({"type": "revoke", "revoke": {"original_message_id": "T1"}, "timestamp": AT + 4});
    assert_stored(&receive(&app, &session_id, "V1", deletion).await);
    assert!(message(&app, &session_id, "T1").await["revoked_at"].is_string());
    let chat = only_chat(&app).await;
    assert_eq!((&chat["last_message"], &chat["unread_count"]), (&json!("[deleted message]"), &json!(2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_messages_of_the_device_are_an_agents_answer() {
    let app = TestApp::start().await;
    let session_id = connect(&app, "ada").await;
    assert_stored(&receive(&app, &session_id, "T1", json!({"text": "hi", "name": "Zeina"})).await);
    assert_eq!(only_chat(&app).await["unread_count"], 1);
    let own = json!({
        "from": "41791234567@s.whatsapp.net", "to": "201001234567@s.whatsapp.net", "fromMe": true, "name": "The shop",
        "text": "hello", "timestamp": AT + 1,
    });
    assert_stored(&receive(&app, &session_id, "O1", own.clone()).await);
    assert_eq!(receive(&app, &session_id, "O1", own).await.json["duplicate"], true);
    let stored = message(&app, &session_id, "O1").await;
    assert_eq!(
        (&stored["from_me"], &stored["status"], &stored["source"]),
        (&json!(true), &json!("sent"), &json!("echo"))
    );
    let chat = only_chat(&app).await;
    assert_eq!(
        (&chat["profile_name"], &chat["unread_count"], &chat["is_unread"]),
        (&json!("Zeina"), &json!(0), &json!(false))
    );
    assert_eq!((&chat["last_message"], &chat["answered_at"]), (&json!("hello"), &stored["timestamp"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_copy_of_a_sent_message_is_stored_once() {
    let app = TestApp::start().await;
    let session_id = connect(&app, "ada").await;
    let own = json!({"fromMe": true, "text": "hello"});
    let reaction = json!({"type": "reaction", "reaction": {"message_id": "S2", "emoji": "👍"}, "timestamp": AT + 9});
    // The copy arrives after the report, and before it.
    for (id, is_first) in [("S1", false), ("S2", true)] {
        let sent = app.send(&session_id, "+201001234567", "hello").await;
        let claimed = claim(&app, &session_id, 1).await.remove(0);
        if is_first {
            assert_stored(&receive(&app, &session_id, id, own.clone()).await);
            assert_eq!(app.items("message").await.len(), 3);
        }
        let settled = settle(&app, &claimed, json!({"sent": {"id": id}})).await;
        assert_eq!(settled.status, 200, "{}", settled.json);
        if !is_first {
            assert_eq!(receive(&app, &session_id, id, own.clone()).await.json["duplicate"], true);
        }
        let stored = message(&app, &session_id, id).await;
        assert_eq!((&stored["id"], &stored["status"]), (&sent.json["message"]["id"], &json!("sent")));
    }
    assert_eq!(app.items("message").await.len(), 2);
    assert_eq!(receive(&app, &session_id, "S2", own.clone()).await.json["duplicate"], true);
    assert_stored(&receive(&app, &session_id, "R1", reaction).await);
    assert_eq!(message(&app, &session_id, "S2").await["reactions"][0]["emoji"], "👍");

    // A reaction that arrives before the report waits for it. The index that finds the message can be late as well:
    // `deliver` looks again.
    let early = json!({"type": "reaction", "reaction": {"message_id": "S3", "emoji": "🙏"}, "timestamp": AT + 9});
    app.send(&session_id, "+201001234567", "third").await;
    let claimed = claim(&app, &session_id, 1).await.remove(0);
    assert_stored(&receive(&app, &session_id, "R2", early).await);
    assert_eq!(settle(&app, &claimed, json!({"sent": {"id": "S3"}})).await.status, 200);
    assert_eq!(message(&app, &session_id, "S3").await["reactions"][0]["emoji"], "🙏");
    // What the owner writes on the phone stays.
    assert_stored(&receive(&app, &session_id, "P1", own).await);
    for pending in app.items("early_echo").await {
        if pending.get("due_at").is_some() {
            app.set_item_attribute(&pending, "due_at", "2020-01-01T00:00:00.000Z").await;
        }
    }
    app.wait_until("no copy is due", async || {
        app.run_delivery_schedule().await;
        app.items("early_echo").await.iter().all(|item| item.get("due_at").is_none())
    })
    .await;
    assert_eq!(message(&app, &session_id, "P1").await["source"], "echo");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_of_groups_and_second_addresses_are_kept() {
    let app = TestApp::start().await;
    let session_id = connect(&app, "ada").await;
    let group =
        json!({"from": "120363041234567890@g.us", "participant": "201001234567@s.whatsapp.net", "name": "Zeina"});
    assert_stored(&receive(&app, &session_id, "G1", merge(group.clone(), &json!({"text": "hi all"}))).await);
    let reaction = json!({"type": "reaction", "reaction": {"message_id": "G1", "emoji": "👍"}, "timestamp": AT + 1});
    assert_stored(&receive(&app, &session_id, "G2", merge(group, &reaction)).await);
    let stored = message(&app, &session_id, "G1").await;
    assert_eq!((&stored["author"]["name"], &stored["author"]["phone"]), (&json!("Zeina"), &json!("201001234567")));
    assert_eq!(stored["reactions"][0]["by"], "phone:201001234567");
    let chat = only_chat(&app).await;
    assert_eq!((&chat["type"], &chat["unread_count"]), (&json!("GROUP"), &json!(1)));
    assert_ne!(chat["profile_name"], "Zeina");

    // Two chats become one when the device names both addresses.
    let hidden = json!({"from": "123456789012345@lid"});
    assert_stored(&receive(&app, &session_id, "A1", json!({"text": "one"})).await);
    assert_stored(&receive(&app, &session_id, "A2", merge(hidden.clone(), &json!({"text": "two"}))).await);
    let path = format!("/api/chats?sessionId={session_id}&type=INDIVIDUAL");
    assert_eq!(app.get(&path).await.json["chats"].as_array().unwrap().len(), 2);
    let linked =
        merge(hidden, &json!({"fromAlt": "201001234567@s.whatsapp.net", "text": "three", "timestamp": AT + 5}));
    assert_stored(&receive(&app, &session_id, "A3", linked).await);
    let merged = app.get(&path).await.json["chats"].clone();
    assert_eq!(merged.as_array().unwrap().len(), 1, "{merged:#}");
    let chat = merged[0]["id"].as_str().unwrap();
    let texts = app.all(&format!("/api/chats/{chat}/messages?order=asc"), "messages").await;
    assert_eq!(texts.len(), 3, "{texts:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_belong_to_one_chat_and_repetitions_link_addresses() {
    let app = TestApp::start().await;
    let session_id = connect(&app, "ada").await;
    let other = json!({"from": "201009999999@s.whatsapp.net"});
    assert_stored(&receive(&app, &session_id, "D1", json!({"text": "one"})).await);
    for members in [json!({"text": "two"}), json!({"text": "two", "timestamp": AT + 9})] {
        let refused = receive(&app, &session_id, "D1", merge(other.clone(), &members)).await;
        assert_eq!((refused.status, &refused.json["code"]), (409, &json!("id_in_use")), "{}", refused.json);
    }
    let own = receive(&app, &session_id, "D1", json!({"text": "three", "fromMe": true})).await;
    assert_eq!((own.status, &own.json["code"]), (409, &json!("id_in_use")));
    let edit = json!({"type": "edit", "edit": {"original_message_id": "D1", "message": "forged"}, "timestamp": AT + 9});
    assert_stored(&receive(&app, &session_id, "E1", merge(other, &edit)).await);
    let stored = message(&app, &session_id, "D1").await;
    assert_eq!((&stored["body"], &stored["edited_at"]), (&json!("one"), &Value::Null));

    let hidden = json!({"from": "777777777777@lid", "text": "four"});
    assert_stored(&receive(&app, &session_id, "L1", hidden.clone()).await);
    let linked = merge(hidden, &json!({"fromAlt": "201001234567@s.whatsapp.net"}));
    assert_eq!(receive(&app, &session_id, "L1", linked).await.json["duplicate"], true);
    let path = format!("/api/chats?sessionId={session_id}");
    assert_eq!(app.get(&path).await.json["chats"].as_array().unwrap().len(), 2, "the contact's two chats are one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copy_of_a_sent_message_hands_over_its_reactions_edit_and_chat() {
    let app = TestApp::start().await;
    let session_id = connect(&app, "ada").await;
    app.send(&session_id, "+201001234567", "hello").await;
    let claimed = claim(&app, &session_id, 1).await.remove(0);
    let hidden = json!({"from": "777777777777@lid"});
    let copy = merge(hidden.clone(), &json!({"fromMe": true, "text": "hello"}));
    assert_stored(&receive(&app, &session_id, "S1", copy).await);
    let reaction = json!({"type": "reaction", "reaction": {"message_id": "S1", "emoji": "👍"}, "timestamp": AT + 1});
    assert_stored(&receive(&app, &session_id, "R1", merge(hidden.clone(), &reaction)).await);
    let edit = json!({"type": "edit", "edit": {"original_message_id": "S1", "message": "hi"}, "fromMe": true});
    assert_stored(&receive(&app, &session_id, "E1", merge(hidden, &edit)).await);
    assert_eq!(message(&app, &session_id, "S1").await["reactions"][0]["emoji"], "👍");
    let settled = settle(&app, &claimed, json!({"sent": {"id": "S1"}})).await;
    assert_eq!(settled.status, 200, "{}", settled.json);
    let stored = message(&app, &session_id, "S1").await;
    assert_eq!((&stored["id"], &stored["reactions"][0]["emoji"]), (&claimed["id"], &json!("👍")));
    assert_eq!((&stored["body"], &stored["original_body"]), (&json!("hi"), &json!("hello")));
    let chats = app.get(&format!("/api/chats?sessionId={session_id}")).await.json["chats"].clone();
    assert_eq!(chats.as_array().unwrap().len(), 1, "{chats:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copy_of_a_message_in_flight_is_no_agents_answer() {
    let app = TestApp::start().await;
    let session_id = connect(&app, "ada").await;
    assert_stored(&receive(&app, &session_id, "T1", json!({"text": "hi"})).await);
    app.send(&session_id, "+201001234567", "hello").await;
    let claimed = claim(&app, &session_id, 1).await.remove(0);
    // Later than the send: a time from the future is that of the receipt.
    let later = 4_000_000_000_i64;
    let own = json!({"fromMe": true, "text": "hello", "timestamp": later});
    let answered_at = async || only_chat(&app).await.get("answered_at").cloned();
    let before = answered_at().await;
    assert_stored(&receive(&app, &session_id, "S1", own).await);
    assert_eq!(answered_at().await, before);
    assert_eq!(settle(&app, &claimed, json!({"sent": {"id": "S1"}})).await.status, 200);
    assert_eq!(answered_at().await, before);

    // A message of the owner counts once the worker has reported another one.
    app.send(&session_id, "+201001234567", "again").await;
    let claimed = claim(&app, &session_id, 1).await.remove(0);
    let before = answered_at().await;
    let own = json!({"fromMe": true, "text": "by hand", "timestamp": later});
    assert_stored(&receive(&app, &session_id, "P1", own).await);
    assert_eq!(answered_at().await, before);
    assert_eq!(settle(&app, &claimed, json!({"sent": {"id": "S2"}})).await.status, 200);
    for pending in app.items("early_echo").await {
        if pending.get("due_at").is_some() {
            app.set_item_attribute(&pending, "due_at", "2020-01-01T00:00:00.000Z").await;
        }
    }
    app.wait_until("the owner's message counts", async || {
        app.run_delivery_schedule().await;
        answered_at().await != before
    })
    .await;
}
