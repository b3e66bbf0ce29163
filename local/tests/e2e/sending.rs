//! What a send refers to and shows: references, replies and reactions, held templates, payments, previews, and typing
//! indicators.

use serde_json::{Value, json};

use crate::test_app::{TestApp, merge, now, text_message};

const CONTACT: &str = "201001234567";

fn send_body(session_id: &str, to: &str, message: &Value) -> Value {
    merge(json!({"sessionId": session_id, "to": to}), message)
}

async fn send(app: &TestApp, session_id: &str, message: &Value) -> Value {
    let response = app.post("/api/messages/send", &send_body(session_id, CONTACT, message)).await;
    assert_eq!(response.status, 200, "{message}: {}", response.json);
    response.json
}

async fn message(app: &TestApp, id: &Value) -> Value {
    app.get(&format!("/api/messages/{}", id.as_str().unwrap())).await.json["message"].clone()
}

async fn wait_for(app: &TestApp, id: &Value, status: &str) -> Value {
    app.wait_until(status, async || message(app, id).await["status"] == status).await;
    message(app, id).await
}

/// Delivers a status of a message.
async fn deliver_status(app: &TestApp, wamid: &Value, status: &Value) {
    let status = merge(json!({"id": wamid, "timestamp": now().to_string(), "recipient_id": CONTACT}), status);
    app.deliver_webhook(&app.webhook_field("messages", json!({"statuses": [status]}))).await;
}

/// Delivers a text of the contact, and returns its wamid and Qasid's ID of it.
async fn receive(app: &TestApp, wamid: &str, from: &str) -> (Value, Value) {
    let text = merge(text_message(wamid, from, "hello"), &json!({"timestamp": now().to_string()}));
    app.deliver_messages(&json!([text])).await;
    let stored = app.get(&format!("/api/messages/{wamid}")).await.json["message"].clone();
    (stored["wamid"].clone(), stored["id"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reference_is_shown_with_its_message() {
    let (app, session_id) = TestApp::connected_with(&[CONTACT]).await;
    let body = send_body(&session_id, CONTACT, &json!({"message": "hi", "reference": "order 17/2026 ✓"}));
    let send = async |body: &Value| {
        app.request("POST", "/api/messages/send", &[("Idempotency-Key", "k")], body.to_string().into_bytes()).await
    };
    let sent = send(&body).await;
    assert_eq!((sent.status, &sent.json["message"]["reference"]), (200, &json!("order 17/2026 ✓")), "{}", sent.json);
    assert_eq!(send(&body).await.json, sent.json, "the same request");
    assert_eq!(send(&merge(body.clone(), &json!({"reference": "order 18"}))).await.status, 409);

    let (id, chat) = (&sent.json["message"]["id"], sent.json["chat"]["id"].as_str().unwrap());
    let shown = wait_for(&app, id, "read").await;
    assert_eq!(shown["reference"], "order 17/2026 ✓");
    for list in ["messages", "export"] {
        let messages = app.get(&format!("/api/chats/{chat}/{list}")).await.json["messages"].clone();
        assert_eq!(messages[0]["reference"], "order 17/2026 ✓", "{list}");
    }
    assert!(!app.accepted().await[0].to_string().contains("order 17"), "WhatsApp doesn't receive it");

    for invalid in [json!(""), json!(" "), json!("a\nb"), json!("x".repeat(513)), json!(17), json!(["x"])] {
        let body = send_body(&session_id, CONTACT, &json!({"message": "hi", "reference": invalid}));
        let response = app.post("/api/messages/send", &body).await;
        assert_eq!((response.status, &response.json["code"]), (400, &json!("invalid_field")), "{invalid}");
    }
    let longest = "é".repeat(512);
    let body = send_body(&session_id, CONTACT, &json!({"message": "hi", "reference": longest}));
    assert_eq!(app.post("/api/messages/send", &body).await.json["message"]["reference"], longest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn priority_is_shown_with_its_message() {
    let (app, session_id) = TestApp::connected_with(&[CONTACT]).await;
    let body = send_body(&session_id, CONTACT, &json!({"message": "offer", "priority": "bulk"}));
    let send = async |body: &Value| {
        app.request("POST", "/api/messages/send", &[("Idempotency-Key", "k")], body.to_string().into_bytes()).await
    };
    let sent = send(&body).await;
    assert_eq!((sent.status, &sent.json["message"]["priority"]), (200, &json!("bulk")), "{}", sent.json);
    assert_eq!(send(&body).await.json, sent.json, "the same request");
    assert_eq!(send(&merge(body, &json!({"priority": "normal"}))).await.status, 409);

    let (id, chat) = (&sent.json["message"]["id"], sent.json["chat"]["id"].as_str().unwrap());
    wait_for(&app, id, "read").await;
    let reply = self::send(&app, &session_id, &json!({"message": "hi"})).await;
    assert_eq!(reply["message"]["priority"], "normal");
    app.inbound(&json!({"from": CONTACT, "text": "hello"})).await;
    for list in ["messages", "export"] {
        let messages = app.get(&format!("/api/chats/{chat}/{list}")).await.json["messages"].clone();
        let of = |body: &str| {
            let messages = messages.as_array().unwrap();
            messages.iter().find(|message| message["body"] == body).map(|message| message["priority"].clone())
        };
        assert_eq!(of("offer"), Some(json!("bulk")), "{list}");
        assert_eq!(of("hi"), Some(json!("normal")), "{list}");
        assert_eq!(of("hello"), Some(Value::Null), "{list}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_receives_the_reference() {
    let app = TestApp::start().await;
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    app.set_worker_state(&session_id, true).await;
    send(&app, &session_id, &json!({"message": "hi", "reference": "order 17"})).await;
    let claimed = app.post("/api/outbox/claim", &json!({"sessionId": session_id})).await.json;
    assert_eq!(claimed["messages"][0]["reference"], "order 17", "{claimed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_and_reactions_need_a_message_that_the_contact_has() {
    let (app, session_id) = TestApp::connected_with(&[CONTACT]).await;
    app.set_faults(&json!({"sends": {"errorCode": 131_026, "times": 1}})).await;
    let never_sent = send(&app, &session_id, &json!({"message": "1"})).await["message"]["id"].clone();
    wait_for(&app, &never_sent, "failed").await;
    app.set_faults(&json!({"sends": {"failedStatus": 131_026, "times": 1}})).await;
    let undelivered = send(&app, &session_id, &json!({"message": "2"})).await["message"]["id"].clone();
    let undelivered = wait_for(&app, &undelivered, "failed").await;
    app.set_faults(&json!({"sends": {"dropBeforeAcceptance": true, "times": 1}})).await;
    let unknown = send(&app, &session_id, &json!({"message": "3"})).await["message"]["id"].clone();
    wait_for(&app, &unknown, "unknown").await;
    let (deleted_wamid, deleted) = receive(&app, "wamid.deleted", CONTACT).await;
    let (_, reaction) = receive(&app, "wamid.kept", CONTACT).await;
    let kept = reaction;
    let at = now().to_string();
    app.deliver_messages(&json!([
        {"from": CONTACT, "id": "wamid.revoke", "timestamp": at, "type": "revoke",
         "revoke": {"original_message_id": deleted_wamid}},
        {"from": CONTACT, "id": "wamid.reaction", "timestamp": at, "type": "reaction",
         "reaction": {"message_id": "wamid.kept", "emoji": "🙏"}},
    ]))
    .await;
    let (_, elsewhere) = receive(&app, "wamid.elsewhere", "201007654321").await;
    let old =
        merge(text_message("wamid.old", CONTACT, "old"), &json!({"timestamp": (now() - 31 * 86_400).to_string()}));
    app.deliver_messages(&json!([old])).await;

    for (target, code, sentence) in [
        (never_sent, "message_failed", "never sent: send it again"),
        (undelivered["id"].clone(), "message_failed", "could not deliver: send it again"),
        (undelivered["wamid"].clone(), "message_failed", "could not deliver"),
        (unknown, "message_not_accepted", "not accepted yet: try again later"),
        (deleted, "message_deleted", "its sender deleted"),
        (deleted_wamid, "message_deleted", "its sender deleted"),
        (json!("wamid.reaction"), "invalid_message", "the chat doesn't show"),
        (elsewhere, "invalid_message", "another chat"),
        (json!("wamid.elsewhere"), "invalid_message", "another chat"),
        (json!("00000000-0000-4000-8000-000000000000"), "invalid_message", "doesn't refer to a message"),
        (json!("undefined"), "invalid_message", "doesn't refer to a message"),
        (json!("3EB0C431C26A1916E07A"), "invalid_message", "doesn't refer to a message"),
    ] {
        for (field, message) in [
            ("context", json!({"message": "hi", "context": {"message_id": target}})),
            ("reaction", json!({"type": "reaction", "reaction": {"message_id": target, "emoji": "👍"}})),
        ] {
            let response = app.post("/api/messages/send", &send_body(&session_id, CONTACT, &message)).await;
            let error = response.json["error"].as_str().unwrap_or_default();
            let status = if code == "invalid_message" { 400 } else { 409 };
            assert_eq!((response.status, &response.json["code"]), (status, &json!(code)), "{message}: {error}");
            assert!(error.starts_with(&format!("{field}.message_id")) && error.contains(sentence), "{error}");
        }
    }
    let react = json!({"type": "reaction", "reaction": {"message_id": "wamid.old", "emoji": "👍"}});
    let response = app.post("/api/messages/send", &send_body(&session_id, CONTACT, &react)).await;
    assert_eq!((response.status, &response.json["code"]), (400, &json!("invalid_message")), "{}", response.json);
    for target in [json!("wamid.old"), kept, json!("wamid.of another application")] {
        send(&app, &session_id, &json!({"message": "hi", "context": {"message_id": target}})).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_reaction_shows_on_its_target_and_not_in_the_preview() {
    let (app, session_id) = TestApp::connected().await;
    let (_, target) = receive(&app, "wamid.target", CONTACT).await;
    let react = async |emoji: &str| {
        let reaction = json!({"type": "reaction", "reaction": {"message_id": target, "emoji": emoji}});
        send(&app, &session_id, &reaction).await
    };
    let own = async || -> Vec<String> {
        let reactions = message(&app, &target).await["reactions"].as_array().unwrap().clone();
        let own = reactions.iter().filter(|reaction| reaction["by"] == "me");
        own.map(|reaction| reaction["emoji"].as_str().unwrap().to_owned()).collect()
    };
    let first = react("👍").await;
    assert_eq!(first["chat"]["last_message"], "hello");
    assert_eq!(first["message"]["body"], "👍");
    app.wait_until("the reaction shows", async || own().await == ["👍"]).await;
    react("❤️").await;
    app.wait_until("the reaction is replaced", async || own().await == ["❤️"]).await;

    // Another message of the same second, and statuses of the first reaction, change nothing.
    // WhatsApp reports no other status of a reaction.
    let wamid = wait_for(&app, &first["message"]["id"], "sent").await["wamid"].clone();
    deliver_status(&app, &wamid, &json!({"status": "delivered"})).await;
    assert_eq!(own().await, ["❤️"]);

    react("").await;
    app.wait_until("the reaction is removed", async || own().await.is_empty()).await;
    let chats = app.get(&format!("/api/chats?sessionId={session_id}")).await.json["chats"].clone();
    assert_eq!((chats.as_array().unwrap().len(), &chats[0]["last_message"]), (1, &json!("hello")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reaction_that_whatsapp_does_not_deliver_is_withdrawn() {
    let (app, session_id) = TestApp::connected().await;
    let (_, target) = receive(&app, "wamid.target", CONTACT).await;
    app.set_faults(&json!({"sends": {"messageStatus": "accepted", "times": 1}})).await;
    let reaction = json!({"type": "reaction", "reaction": {"message_id": target, "emoji": "👍"}});
    let sent = send(&app, &session_id, &reaction).await;
    let reactions = async || message(&app, &target).await["reactions"].clone();
    app.wait_until("the reaction shows", async || reactions().await[0]["emoji"] == "👍").await;
    let wamid = wait_for(&app, &sent["message"]["id"], "sent").await["wamid"].clone();
    for _ in 0..2 {
        let failed = json!({"status": "failed", "errors": [{"code": 131_009, "title": "Invalid"}]});
        deliver_status(&app, &wamid, &failed).await;
        assert_eq!(reactions().await, json!([]));
    }
    deliver_status(&app, &wamid, &json!({"status": "delivered"})).await;
    assert_eq!(reactions().await[0]["emoji"], "👍", "it was delivered after all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reaction_of_a_worker_session_shows_when_it_is_settled() {
    let app = TestApp::start().await;
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    app.set_worker_state(&session_id, true).await;
    let received =
        json!({"sessionId": session_id, "id": "3EB0A", "from": CONTACT, "timestamp": now(), "text": "hello"});
    assert_eq!(app.post("/api/messages/receive", &received).await.status, 200);
    let shown = async || app.get(&format!("/api/messages/3EB0A?sessionId={session_id}")).await.json["message"].clone();
    let reaction = json!({"type": "reaction", "reaction": {"message_id": shown().await["id"], "emoji": "👍"}});
    let sent = send(&app, &session_id, &reaction).await;
    assert_eq!(sent["chat"]["last_message"], "hello");
    let claimed = app.post("/api/outbox/claim", &json!({"sessionId": session_id})).await.json["messages"][0].clone();
    assert_eq!(claimed["content"]["reaction"]["message_id"], "3EB0A", "{claimed}");
    assert_eq!(shown().await["reactions"], json!([]));
    let settle = json!({"messageId": claimed["id"], "lease": claimed["lease"], "sent": {"id": "3EB0B"}});
    for _ in 0..2 {
        assert_eq!(app.post("/api/outbox/settle", &settle).await.status, 200);
        let reactions = shown().await["reactions"].clone();
        assert_eq!((&reactions[0]["by"], &reactions[0]["emoji"]), (&json!("me"), &json!("👍")));
        assert_eq!(reactions.as_array().unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preview_of_a_sent_message_is_the_one_of_a_received_one() {
    let (app, session_id) = TestApp::connected_with(&[CONTACT]).await;
    let document = app.upload("application/pdf", b"%PDF").await;
    let image = app.upload("image/jpeg", b"\xff\xd8\xff").await;
    for (message, expected) in [
        (json!({"type": "document", "document": {"id": document, "filename": "bill.pdf"}}), "bill.pdf"),
        (
            json!({"type": "location", "location": {"latitude": 31.2, "longitude": 29.9, "name": "Bibliotheca"}}),
            "Bibliotheca",
        ),
        (json!({"type": "contacts", "contacts": [{"name": {"formatted_name": "Ada", "first_name": "Ada"}}]}), "Ada"),
        (
            json!({"type": "template", "template": {"name": "hello_world", "language": {"code": "en_US"}}}),
            "hello_world",
        ),
        (json!({"type": "image", "image": {"id": image}}), "[image]"),
    ] {
        let sent = send(&app, &session_id, &message).await;
        assert_eq!(sent["chat"]["last_message"], expected);
        if !expected.starts_with('[') {
            assert_eq!(sent["message"]["body"], expected);
        }
        let chat = app.get(&format!("/api/chats/{}", sent["chat"]["id"].as_str().unwrap())).await.json["chat"].clone();
        assert_eq!(chat["last_message"], expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_need_a_file_that_whatsapp_has_and_supports() {
    let (app, session_id) = TestApp::connected().await;
    // A received file can be sent again.
    let image = json!({"data": "/9j/4A==", "mime_type": "image/jpeg", "caption": "this one"});
    app.inbound(&json!({"from": CONTACT, "id": "wamid.cat", "type": "image", "image": image})).await;
    let path = format!("/api/messages/wamid.cat?sessionId={session_id}");
    let content = app.get(&path).await.json["message"]["content"].clone();
    let id = &content["image"]["id"];
    let sent = send(&app, &session_id, &content).await["message"]["id"].clone();
    wait_for(&app, &sent, "read").await;
    assert_eq!(app.accepted().await[0]["body"]["image"], json!({"id": id, "caption": "this one"}));

    let invalid = "Param image['id'] is not a valid whatsapp business account media attachment ID (100)";
    let unsupported = "Media upload error (131053): Unsupported Video mime type image/jpeg. Please use one of video/mp4, \
                       video/3gpp.";
    for (message, error) in [
        (json!({"type": "image", "image": {"id": "1037543291543636"}}), invalid),
        (json!({"type": "video", "video": {"id": id}}), unsupported),
    ] {
        let failed = send(&app, &session_id, &message).await["message"]["id"].clone();
        assert_eq!(wait_for(&app, &failed, "failed").await["error"], error);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_template_shows_why_until_a_status_arrives() {
    let (app, session_id) = TestApp::connected().await;
    let components = json!([{"type": "BODY", "text": "All plants cost less today."}]);
    let sale = json!({"name": "sale", "language": "en", "category": "MARKETING", "components": components});
    app.create_template(&sale).await;
    let template = json!({"type": "template", "template": {"name": "sale", "language": {"code": "en"}}});
    for (held, status, expected) in [
        ("held_for_quality_assessment", json!({"status": "sent"}), "sent"),
        ("held_for_quality_assessment", json!({"status": "delivered"}), "delivered"),
        (
            "paused",
            json!({"status": "failed", "errors": [{"code": "132015", "title": "Template is paused"}]}),
            "failed",
        ),
    ] {
        app.change_template(&json!({"name": "sale", "messageStatus": held})).await;
        let id = send(&app, &session_id, &template).await["message"]["id"].clone();
        let shown = wait_for(&app, &id, "sent").await;
        assert_eq!((&shown["message_status"], &shown["error"]), (&json!(held), &Value::Null));
        deliver_status(&app, &shown["wamid"], &status).await;
        let shown = message(&app, &id).await;
        assert_eq!((&shown["status"], &shown["message_status"]), (&json!(expected), &Value::Null));
        if expected == "failed" {
            assert_eq!(shown["error"], "Template is paused (132015)");
            assert_eq!(shown["errors"][0]["code"], 132_015);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payment_status_changes_the_payment_and_not_the_delivery() {
    let (app, session_id) = TestApp::connected_with(&[CONTACT]).await;
    let id = send(&app, &session_id, &json!({"message": "please pay"})).await["message"]["id"].clone();
    let read = wait_for(&app, &id, "read").await;
    let wamid = &read["wamid"];
    let at = |seconds: i64| (now() + seconds).to_string();
    let payment = |status: &str, at: &str| {
        let payment = json!({"reference_id": "order-17", "transaction": {"id": "t", "status": status}});
        json!({"type": "payment", "status": status, "timestamp": at, "payment": payment})
    };
    let (first, second) = (at(-20), at(-10));
    for status in [payment("captured", &second), payment("pending", &first), payment("failed", &first)] {
        deliver_status(&app, wamid, &status).await;
        let shown = message(&app, &id).await;
        assert_eq!((&shown["status"], &shown["error"]), (&json!("read"), &Value::Null));
        assert_eq!(shown["payment"]["status"], "captured");
        assert_eq!(shown["payment"]["details"]["reference_id"], "order-17");
    }
    let events = app.get(&format!("/api/events?sessionId={session_id}")).await.json["events"].clone();
    let payments: Vec<&Value> =
        events.as_array().unwrap().iter().filter(|event| event["field"] == "messages.payment").collect();
    assert_eq!(payments.len(), 3);
    assert!(payments.iter().all(|event| event["wamid"] == *wamid && event["reason"].is_null()));

    // A payment of a message that isn't stored is in the trace of its wamid.
    deliver_status(&app, &json!("wamid.elsewhere"), &payment("captured", &first)).await;
    let found = app.get("/api/messages/wamid.elsewhere").await.json;
    assert_eq!(found["trace"][0]["outcome"], "event", "{found}");
    assert_eq!(found["trace"][0]["field"], "messages.payment");
    deliver_status(&app, wamid, &json!({"type": "refund", "status": "failed"})).await;
    assert_eq!(message(&app, &id).await["status"], "read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typing_indicator_is_shown_to_a_contact_who_wrote() {
    let (app, session_id) = TestApp::connected_with(&[CONTACT]).await;
    let silent = send(&app, &session_id, &json!({"message": "hi"})).await;
    let chat = silent["chat"]["id"].as_str().unwrap();
    app.wait_for_status("read").await;
    let path = format!("/api/chats/{chat}/typing");
    let refused = app.post(&path, &Value::Null).await;
    assert_eq!((refused.status, &refused.json["code"]), (409, &json!("no_inbound_message")), "{}", refused.json);

    receive(&app, "wamid.1", CONTACT).await;
    for fault in [json!({"errorCode": 131_000}), json!({"dropBeforeAcceptance": true})] {
        app.set_faults(&json!({"sends": fault})).await;
        let failed = app.post(&path, &Value::Null).await;
        assert_eq!((failed.status, &failed.json["typing_indicator"]), (200, &json!("failed")), "{}", failed.json);
        assert!(failed.json["typing_indicator_error"].as_str().is_some_and(|error| !error.is_empty()));
    }
    app.set_faults(&json!({"sends": null})).await;
    let receipts = async || app.simulator("GET", "/simulator/receipts", &Value::Null).await["receipts"].clone();
    assert_eq!(receipts().await, json!([]));
    let shown = app.post(&path, &json!({})).await;
    let expected = json!({"success": true, "typing_indicator": "sent", "typing_indicator_error": null});
    assert_eq!((shown.status, &shown.json), (200, &expected));
    let receipts = receipts().await;
    assert_eq!((&receipts[0]["messageId"], &receipts[0]["typingIndicator"]), (&json!("wamid.1"), &json!(true)));
    let unread = app.get(&format!("/api/chats/{chat}")).await.json["chat"]["unread_count"].clone();
    assert_eq!(unread, 1, "the inbox doesn't change");
    let unknown = app.post(&path, &json!({"seconds": 5})).await;
    assert_eq!((unknown.status, &unknown.json["code"]), (400, &json!("unknown_field")));

    let worker = app.create_session("bob").await["id"].as_str().unwrap().to_owned();
    app.set_worker_state(&worker, true).await;
    let sent = app.send(&worker, CONTACT, "hi").await.json;
    let refused = app.post(&format!("/api/chats/{}/typing", sent["chat"]["id"].as_str().unwrap()), &Value::Null).await;
    assert_eq!((refused.status, &refused.json["code"]), (409, &json!("worker_session")));
}
