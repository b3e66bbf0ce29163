//! Delivery: retries, order, rate limits, paused sessions, unknown outcomes, and the customer service window.

use serde_json::{Value, json};

use crate::test_app::{TestApp, insert_event, merge, text_message};

/// Returns the outcome and the error code of each attempt.
fn attempts(item: &Value) -> Vec<(String, Value)> {
    let attempts = item["attempts"].as_array().cloned().unwrap_or_default();
    attempts.iter().map(|attempt| (attempt["outcome"].as_str().unwrap().to_owned(), attempt["code"].clone())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unsent_message_is_retried_and_every_attempt_is_recorded() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    app.set_faults(&json!({"sends": {"errorCode": 130_429, "times": 2}})).await;
    app.send(&session_id, "+201001234567", "hello").await;
    let item = app.wait_for_status("read").await;
    let limited = ("not_sent".to_owned(), json!(130_429));
    assert_eq!(attempts(&item), [limited.clone(), limited, ("accepted".to_owned(), Value::Null)]);
    assert!(item["attempts"][0]["fbtrace_id"].is_string() && item["attempts"][0]["at"].is_string());
    assert_eq!(app.accepted().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_after_of_whatsapp_is_respected() {
    let (app, session_id) = TestApp::connected().await;
    app.set_faults(&json!({"sends": {"errorCode": 130_429, "retryAfter": 600}})).await;
    app.send(&session_id, "+201001234567", "hello").await;
    let item = app.wait_for_message("a message with a retry time", |item| item["not_before"].is_string()).await;
    let (at, not_before) = (item["attempts"][0]["at"].as_str().unwrap(), item["not_before"].as_str().unwrap());
    let wait = not_before.parse::<jiff::Timestamp>().unwrap().since(at.parse::<jiff::Timestamp>().unwrap()).unwrap();
    assert!(wait.total(jiff::Unit::Second).unwrap() >= 600.0);
    assert_eq!(item["due_at"], item["not_before"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_keeps_the_order_of_its_chat_without_blocking_others() {
    let (app, session_id) = TestApp::connected_with(&["201001234567", "201009876543"]).await;
    app.set_faults(&json!({"sends": {"errorCode": 131_056, "times": 1}})).await;
    app.send(&session_id, "+201001234567", "a1").await;
    app.wait_for_message("a1 with a retry time", |item| item["body"] == "a1" && item["not_before"].is_string()).await;
    for text in ["a2", "a3"] {
        app.send(&session_id, "+201001234567", text).await;
    }
    app.send(&session_id, "+201009876543", "b1").await;
    assert_eq!(app.accepted_texts(4).await, ["b1", "a1", "a2", "a3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_error_pauses_the_session_until_it_is_resumed() {
    let (app, session_id) = TestApp::connected_with(&["201001234567", "201009876543"]).await;
    app.set_faults(&json!({"sends": {"errorCode": 190, "times": 1}})).await;
    app.send(&session_id, "+201001234567", "first").await;
    let paused_reason = async || app.session_status(&session_id).await["paused_reason"].clone();
    app.wait_until("the session is paused", async || paused_reason().await.is_string()).await;
    assert!(paused_reason().await.as_str().unwrap().contains("190"));
    assert_eq!(app.send(&session_id, "+201009876543", "second").await.status, 200);
    app.wait_for_message("a deferred second message", |item| {
        item["body"] == "second" && item["due_at"].as_str() > Some(&*in_five_minutes())
    })
    .await;
    assert!(app.accepted().await.is_empty());

    let resumed = app.post("/api/session/resume", &json!({"sessionId": session_id})).await;
    assert_eq!((resumed.status, &resumed.json["message"]), (200, &json!("Session resumed")));
    assert_eq!(paused_reason().await, Value::Null);
    assert_eq!(app.accepted_texts(2).await.len(), 2);
    app.wait_until("the resumption is complete", async || app.items("resume").await.is_empty()).await;
}

fn in_five_minutes() -> String {
    (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(5)).to_string()
}

/// Makes a message due, and runs the schedule of `deliver`.
async fn make_due(app: &TestApp, item: &Value) {
    app.set_item_attribute(item, "due_at", "2020-01-01T00:00:00.000Z").await;
    app.run_delivery_schedule().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_past_its_validity_fails() {
    let (app, session_id) = TestApp::connected().await;
    app.set_faults(&json!({"sends": {"errorCode": 130_429, "retryAfter": 7200}})).await;
    let until = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1)).to_string();
    let body = json!({"sessionId": session_id, "to": "+201001234567", "message": "soon", "validUntil": until});
    assert_eq!(app.post("/api/messages/send", &body).await.status, 200);
    let item = app.wait_for_message("a message with a retry time", |item| item["not_before"].is_string()).await;
    assert_eq!(item["due_at"], item["valid_until"], "it is due when it expires, before the retry time");
    app.set_item_attribute(&item, "valid_until", "2020-01-01T00:00:00.000Z").await;
    make_due(&app, &item).await;
    let item = app.wait_for_status("failed").await;
    assert!(item["error"].as_str().unwrap().contains("expired before it could be sent"), "{item}");
    assert!(item.get("due_key").is_none());

    let late = merge(body.clone(), &json!({"validUntil": "2020-01-01T00:00:00Z"}));
    assert_eq!(app.post("/api/messages/send", &late).await.json["error"], "`validUntil` must be in the future");
    let invalid = merge(body, &json!({"validUntil": "soon"}));
    assert!(
        app.post("/api/messages/send", &invalid).await.json["error"]
            .as_str()
            .unwrap()
            .starts_with("validUntil must be")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_message_fails_at_its_deadline_and_a_late_status_corrects_it() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    app.set_faults(&json!({"sends": {"dropAfterAcceptance": true, "times": 1}, "webhooks": {"hold": true}})).await;
    app.send(&session_id, "+201001234567", "hello").await;
    // The next message doesn't wait, because the first one is never resent.
    app.send(&session_id, "+201001234567", "again").await;
    app.accepted_texts(2).await;
    let item = app.wait_for_status("unknown").await;
    make_due(&app, &item).await;
    let item = app.wait_for_status("failed").await;
    assert!(item["error"].as_str().unwrap().contains("not sent again"));
    app.clear_faults().await;
    app.wait_for_message("a read message", |item| item["body"] == "hello" && item["status"] == "read").await;
    assert_eq!(app.accepted_texts(2).await, ["hello", "again"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_message_is_resent_if_the_session_opts_in() {
    let app = TestApp::start().await;
    app.open_windows(&["201001234567"]).await;
    let session_id = app.connect_with_resend().await;
    app.set_faults(&json!({"sends": {"dropBeforeAcceptance": true, "times": 1}})).await;
    app.send(&session_id, "+201001234567", "first").await;
    let item = app.wait_for_status("unknown").await;
    app.send(&session_id, "+201001234567", "second").await;
    let is_waiting = |second: &Value| second["body"] == "second" && second["due_at"] == item["due_at"];
    let second = app.wait_for_message("a waiting second message", is_waiting).await;
    assert!(app.accepted().await.is_empty());
    app.set_item_attribute(&second, "due_at", "2020-01-01T00:00:00.000Z").await;
    make_due(&app, &item).await;
    assert_eq!(app.accepted_texts(2).await, ["first", "second"]);
    let refused = app.post("/api/session/create", &json!({"userId": "bob", "unknownPolicy": "maybe"})).await;
    assert_eq!((refused.status, &refused.json["error"]), (400, &json!("unknownPolicy must be fail or resend")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recipient_gets_a_burst_and_then_waits_without_an_error() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    for i in 0..47 {
        app.send(&session_id, "+201001234567", &format!("{i}")).await;
    }
    app.accepted_texts(45).await;
    let is_waiting = |item: &Value| item["body"] == "45" && item["attempts"].as_array().is_none_or(Vec::is_empty);
    let item = app.wait_for_message("a waiting 46th message", is_waiting).await;
    assert!(item.get("error").is_none());
    assert_eq!(app.accepted_texts(47).await, (0..47).map(|i| i.to_string()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_invocations_of_deliver_send_a_message_once() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    // WhatsApp delays the attempt that the stream triggers.
    app.set_faults(&json!({"sends": {"errorCode": 130_429, "retryAfter": 3600, "times": 1}})).await;
    app.send(&session_id, "+201001234567", "hello").await;
    let item = app.wait_for_message("a message with a retry time", |item| item["not_before"].is_string()).await;
    for attribute in ["not_before", "due_at"] {
        app.set_item_attribute(&item, attribute, "2020-01-01T00:00:00.000Z").await;
    }
    let event = insert_event(&json!({"Keys": {"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}}}));
    let invocations = futures_util::future::join_all((0..8).map(|_| app.invoke("deliver", &event)));
    tokio::join!(invocations, app.run_delivery_schedule());
    app.wait_for_status("read").await;
    assert_eq!(app.accepted().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_templates_are_sent_outside_the_service_window() {
    let (app, session_id) = TestApp::connected_with(&["201004444444"]).await;
    let ago = |hours: i64| (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours)).as_second().to_string();
    let mut clicked = text_message("wamid.ad", "201003333333", "I saw your advertisement");
    clicked["timestamp"] = json!(ago(60));
    clicked["referral"] = json!({"source_type": "ad", "source_id": "1"});
    let messages = json!([
        {"from": "201001111111", "id": "wamid.old", "timestamp": ago(25), "type": "text", "text": {"body": "hi"}},
        {"from": "201002222222", "id": "wamid.new", "timestamp": ago(23), "type": "text", "text": {"body": "hi"}},
        clicked,
    ]);
    app.deliver_messages(&messages).await;
    // An ad's entry point is about the price, not about the window.
    for to in ["+201001111111", "+201003333333"] {
        let refused = app.send(&session_id, to, "late").await;
        assert_eq!((refused.status, &refused.json["code"]), (409, &json!("outside_service_window")));
        assert!(refused.json["error"].as_str().unwrap().contains("template"));
    }
    for to in ["+201002222222", "+201004444444"] {
        assert_eq!(app.send(&session_id, to, "inside the window, or unknown").await.status, 200, "{to}");
    }
    assert_eq!(app.send_template(&session_id, "+201001111111").await.status, 200);
    assert_eq!(app.accepted_texts(3).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_content_type_is_sent_in_the_cloud_api_shape() {
    let (app, session_id) = TestApp::connected().await;
    app.inbound(&json!({"from": "201001234567", "text": "hi", "id": "wamid.question"})).await;
    let buttons = json!({"buttons": [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}]});
    let video = app.upload("video/mp4", b"\0\0\0\x18ftypmp42").await;
    let audio = app.upload("audio/mpeg", b"ID3").await;
    let document = app.upload("application/pdf", b"%PDF").await;
    let sticker = app.upload("image/webp", b"RIFF\0\0\0\0WEBPVP8 ").await;
    let contents = [
        json!({"type": "image", "image": {"link": "https://example.com/a.jpg", "caption": "a picture"}}),
        json!({"type": "video", "video": {"id": video}}),
        json!({"type": "audio", "audio": {"id": audio}}),
        json!({"type": "document", "document": {"id": document, "filename": "a.pdf"}}),
        json!({"type": "sticker", "sticker": {"id": sticker}}),
        json!({"type": "location", "location": {"latitude": 30.0, "longitude": 31.2}}),
        json!({"type": "contacts", "contacts": [{"name": {"formatted_name": "Ada L", "first_name": "Ada"}}]}),
        json!({"type": "reaction", "reaction": {"message_id": "wamid.question", "emoji": "👍"}}),
        json!({"type": "interactive", "interactive": {"type": "button", "body": {"text": "Well?"}, "action": buttons}}),
        json!({"type": "template", "template": {"name": "hello_world", "language": {"code": "en_US"}}}),
        json!({"type": "text", "text": {"body": "an answer"}, "context": {"message_id": "wamid.question"}}),
    ];
    let recipient = json!({"sessionId": session_id, "to": "+201001234567"});
    for content in &contents {
        let body = merge(content.clone(), &recipient);
        let response = app.post("/api/messages/send", &body).await;
        assert_eq!(response.status, 200, "{content}: {}", response.json);
        assert_eq!(response.json["message"]["type"], content["type"]);
    }
    assert_eq!(app.accepted_texts(contents.len()).await.len(), contents.len());
    for (accepted, content) in app.accepted().await.iter().zip(&contents) {
        let kind = content["type"].as_str().unwrap();
        assert_eq!(accepted["body"]["type"], kind);
        assert_eq!(accepted["body"][kind], content[kind], "{kind}");
        assert_eq!(accepted["body"]["context"], content["context"]);
    }
    let too_long = json!({"type": "image", "image": {"id": "1", "caption": "x".repeat(1025)}});
    let too_long = merge(too_long, &recipient);
    let refused = app.post("/api/messages/send", &too_long).await;
    assert_eq!(
        (refused.status, &refused.json["error"]),
        (400, &json!("image.caption has 1025 characters: WhatsApp allows up to 1024"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reply_context_accepts_a_message_id() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    let first = app.send(&session_id, "+201001234567", "first").await;
    let item = app.wait_for_status("read").await;
    let mut body = json!({"sessionId": session_id, "to": "+201001234567", "message": "second"});
    body["context"] = json!({"message_id": first.json["message"]["id"]});
    assert_eq!(app.post("/api/messages/send", &body).await.status, 200);
    app.accepted_texts(2).await;
    assert_eq!(app.accepted().await[1]["body"]["context"]["message_id"], item["wamid"]);
    body["context"] = json!({"message_id": "00000000-0000-4000-8000-000000000000"});
    assert_eq!(app.post("/api/messages/send", &body).await.status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn service_window_error_of_whatsapp_fails_the_message() {
    let (app, session_id) = TestApp::connected().await;
    // The contact has no stored message, so WhatsApp decides.
    assert_eq!(app.send(&session_id, "+201001234567", "hello").await.status, 200);
    let item = app.wait_for_status("failed").await;
    assert!(item["error"].as_str().unwrap().contains("131047"), "{item}");
    app.inbound(&json!({"from": "201001234567", "text": "hi"})).await;
    app.send(&session_id, "+201001234567", "welcome").await;
    app.wait_for_message("a read message", |item| item["body"] == "welcome" && item["status"] == "read").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_messages_are_sent_after_their_predecessor() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    app.set_faults(&json!({"sends": {"errorCode": 130_429, "retryAfter": 3600, "times": 1}})).await;
    app.send(&session_id, "+201001234567", "1").await;
    app.wait_for_message("the first message with a retry time", |item| item["not_before"].is_string()).await;
    for text in ["2", "3", "4"] {
        app.send(&session_id, "+201001234567", text).await;
    }
    // Each one is due when the first one is.
    for body in ["4", "3", "2", "1"] {
        let is_waiting = |item: &Value| item["body"] == body && item["due_at"].as_str() > Some(&*in_five_minutes());
        let item = app.wait_for_message("a waiting message", is_waiting).await;
        for attribute in ["not_before", "due_at"].into_iter().filter(|attribute| item[attribute].is_string()) {
            app.set_item_attribute(&item, attribute, "2020-01-01T00:00:00.000Z").await;
        }
    }
    app.run_delivery_schedule().await;
    assert_eq!(app.accepted_texts(4).await, ["1", "2", "3", "4"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_message_that_waits_for_its_permit_still_expires() {
    const MESSAGES: usize = 40;
    let app = TestApp::start_with(&[("MessagesPerSecond", "2")]).await;
    let contacts: Vec<String> = (0..MESSAGES).map(|number| format!("+20100{number:07}")).collect();
    app.open_windows(&contacts).await;
    let session_id = app.connect("ada").await;
    app.set_session_attribute(&session_id, "paused_reason", "Paused by the test").await;
    for to in contacts {
        let body = json!({"sessionId": session_id, "to": to, "message": "offer", "priority": "bulk"});
        assert_eq!(app.post("/api/messages/send", &body).await.status, 200);
    }
    let items = async || app.items("message").await;
    // Without a limit, all would be sent, which takes 20 seconds.
    let until = format!("{:.3}", jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3));
    for item in items().await {
        app.set_item_attribute(&item, "valid_until", &until).await;
    }
    app.post("/api/session/resume", &json!({"sessionId": session_id})).await;
    let is_unfinished = |item: &Value| ["pending", "sending"].contains(&item["status"].as_str().unwrap());
    app.wait_until("all are finished", async || !items().await.iter().any(is_unfinished)).await;
    // A slow machine sends fewer.
    let accepted = app.accepted().await.len();
    assert!(accepted <= MESSAGES / 2, "{accepted} were accepted, at 2 per second for 3 seconds");
    let failed = items().await.iter().filter(|item| item["status"] == "failed").count();
    assert_eq!(failed, MESSAGES - accepted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn normal_message_brings_a_long_chain_of_bulk_messages_along() {
    let (app, session_id) = TestApp::connected_with(&["201001234567", "201009876543"]).await;
    app.set_faults(&json!({"sends": {"errorCode": 190, "times": 1}})).await;
    app.send(&session_id, "+201009876543", "pauses").await;
    app.wait_until("the session is paused", async || app.items("session").await[0].get("paused_reason").is_some())
        .await;
    let bulk =
        |text: &str| json!({"sessionId": session_id, "to": "+201001234567", "message": text, "priority": "bulk"});
    for number in 0..44 {
        assert_eq!(app.post("/api/messages/send", &bulk(&number.to_string())).await.status, 200);
    }
    app.post("/api/session/resume", &json!({"sessionId": session_id})).await;
    app.send(&session_id, "+201001234567", "44").await;
    let mut texts = app.accepted_texts(46).await;
    texts.retain(|text| text != "pauses");
    assert_eq!(texts, (0..45).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(!app.has_logged(&["overflowed"]), "{:?}", app.log_lines());
}
