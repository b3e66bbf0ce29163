//! Delivery under trouble: retries, order, pacing, paused sessions, messages of unknown fate, and the service window.

use serde_json::{Value, json};

use crate::system::{System, text_message};

async fn texts(system: &System) -> Vec<String> {
    let accepted = system.accepted().await;
    accepted.iter().map(|message| message["body"]["text"]["body"].as_str().unwrap().to_owned()).collect()
}

fn attempts(row: &Value) -> Vec<(String, Value)> {
    let attempts = row["attempts"].as_array().cloned().unwrap_or_default();
    attempts.iter().map(|one| (one["outcome"].as_str().unwrap().to_owned(), one["code"].clone())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_certainly_not_sent_is_tried_again_and_every_attempt_is_kept() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    system.faults(&json!({"sends": {"errorCode": 130_429, "times": 2}})).await;
    system.send(&session_id, "+201001234567", "hello").await;
    let row = system.message_with("a read message", |row| row["status"] == "read").await;
    let limited = ("not_sent".to_owned(), json!(130_429));
    assert_eq!(attempts(&row), [limited.clone(), limited, ("accepted".to_owned(), Value::Null)]);
    assert!(row["attempts"][0]["fbtrace_id"].is_string() && row["attempts"][0]["at"].is_string());
    assert_eq!(system.accepted().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatsapps_own_waiting_time_is_kept() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    system.faults(&json!({"sends": {"errorCode": 130_429, "retryAfter": 600}})).await;
    system.send(&session_id, "+201001234567", "hello").await;
    let row = system.message_with("a waiting message", |row| row["not_before"].is_string()).await;
    let (at, not_before) = (row["attempts"][0]["at"].as_str().unwrap(), row["not_before"].as_str().unwrap());
    let wait = not_before.parse::<jiff::Timestamp>().unwrap().since(at.parse::<jiff::Timestamp>().unwrap()).unwrap();
    assert!(wait.total(jiff::Unit::Second).unwrap() >= 600.0);
    assert_eq!(row["due_at"], row["not_before"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_keeps_the_order_of_its_chat_and_other_chats_go_on() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    system.faults(&json!({"sends": {"errorCode": 131_056, "times": 1}})).await;
    system.send(&session_id, "+201001234567", "a1").await;
    system.message_with("a1 to wait", |row| row["body"] == "a1" && row["not_before"].is_string()).await;
    for text in ["a2", "a3"] {
        system.send(&session_id, "+201001234567", text).await;
    }
    system.send(&session_id, "+201009876543", "b1").await;
    system.until("all are accepted", async || system.accepted().await.len() == 4).await;
    assert_eq!(texts(&system).await, ["b1", "a1", "a2", "a3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_error_parks_the_session_until_it_is_resumed() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    system.faults(&json!({"sends": {"errorCode": 190, "times": 1}})).await;
    system.send(&session_id, "+201001234567", "first").await;
    let status = format!("/api/session/status?sessionId={session_id}");
    system
        .until("the session is paused", async || system.get(&status).await.json["session"]["paused_reason"].is_string())
        .await;
    assert!(system.get(&status).await.json["session"]["paused_reason"].as_str().unwrap().contains("190"));
    assert_eq!(system.send(&session_id, "+201009876543", "second").await.status, 200);
    system
        .message_with("the second one to be parked", |row| {
            row["body"] == "second" && row["due_at"].as_str() > Some(&*in_five_minutes())
        })
        .await;
    assert!(system.accepted().await.is_empty());

    let resumed = system.post("/api/session/resume", &json!({"sessionId": session_id})).await;
    assert_eq!((resumed.status, &resumed.json["message"]), (200, &json!("Session resumed")));
    assert_eq!(system.get(&status).await.json["session"]["paused_reason"], Value::Null);
    system.until("both are accepted", async || system.accepted().await.len() == 2).await;
    system.until("the order is done", async || system.items("resume").await.is_empty()).await;
}

fn in_five_minutes() -> String {
    (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(5)).to_string()
}

/// The schedule's invocation, which on AWS comes once a minute.
async fn look_after_what_is_due(system: &System) {
    let event = json!({"source": "aws.events", "detail-type": "Scheduled Event"});
    system.running().lambda().invoke("deliver", event.to_string().into()).await.unwrap();
}

/// Lets the time of a message come.
async fn make_due(system: &System, row: &Value) {
    let (pk, sk) = (row["pk"].as_str().unwrap(), row["sk"].as_str().unwrap());
    system.set_string(pk, sk, "due_at", "2020-01-01T00:00:00.000Z").await;
    look_after_what_is_due(system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_whose_time_is_over_fails_as_expired() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    system.faults(&json!({"sends": {"errorCode": 130_429, "retryAfter": 3}})).await;
    let until = (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2)).to_string();
    let body = json!({"sessionId": session_id, "to": "+201001234567", "message": "soon", "validUntil": until});
    assert_eq!(system.post("/api/messages/send", &body).await.status, 200);
    let row = system.message_with("a failed message", |row| row["status"] == "failed").await;
    assert!(row["error"].as_str().unwrap().contains("before its time was over"), "{row}");
    assert!(row.get("due_key").is_none());

    let late = json!({"sessionId": session_id, "to": "+201001234567", "message": "late", "validUntil": "2020-01-01T00:00:00Z"});
    assert_eq!(system.post("/api/messages/send", &late).await.json["error"], "validUntil has passed already");
    let odd = json!({"sessionId": session_id, "to": "+201001234567", "message": "odd", "validUntil": "soon"});
    assert!(
        system.post("/api/messages/send", &odd).await.json["error"].as_str().unwrap().starts_with("validUntil must be")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_unknown_fate_fails_after_its_deadline_and_a_late_status_is_right() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    system.faults(&json!({"sends": {"dropAfterAcceptance": true, "times": 1}, "webhooks": {"hold": true}})).await;
    system.send(&session_id, "+201001234567", "hello").await;
    // The next one need not wait for it: the first one is never sent again.
    system.send(&session_id, "+201001234567", "again").await;
    system.until("the next one is accepted", async || system.accepted().await.len() == 2).await;
    let row = system.message_with("a message of unknown fate", |row| row["status"] == "unknown").await;
    make_due(&system, &row).await;
    let row = system.message_with("a failed message", |row| row["status"] == "failed").await;
    assert!(row["error"].as_str().unwrap().contains("not sent again"));
    system.clear_faults().await;
    system.message_with("a read message", |row| row["body"] == "hello" && row["status"] == "read").await;
    assert_eq!(texts(&system).await, ["hello", "again"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_may_ask_for_a_second_copy_instead() {
    let system = System::start().await;
    let session = system.post("/api/session/create", &json!({"userId": "ada", "unknownPolicy": "resend"})).await;
    let session = &session.json["session"];
    assert_eq!(session["unknown_policy"], "resend");
    system.scan(session["qr"].as_str().unwrap(), "201009999999").await;
    let session_id = session["id"].as_str().unwrap();
    system.faults(&json!({"sends": {"dropBeforeAcceptance": true, "times": 1}})).await;
    system.send(session_id, "+201001234567", "first").await;
    let row = system.message_with("a message of unknown fate", |row| row["status"] == "unknown").await;
    system.send(session_id, "+201001234567", "second").await;
    system
        .until("the second one waits", async || system.items("message").await.iter().any(|row| row["waiting"] == true))
        .await;
    assert!(system.accepted().await.is_empty());
    make_due(&system, &row).await;
    system.until("both are accepted", async || system.accepted().await.len() == 2).await;
    assert_eq!(texts(&system).await, ["first", "second"]);
    let refused = system.post("/api/session/create", &json!({"userId": "bob", "unknownPolicy": "maybe"})).await;
    assert_eq!((refused.status, &refused.json["error"]), (400, &json!("unknownPolicy must be fail or resend")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_recipient_gets_a_burst_and_then_waits_without_an_error() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    for i in 0..47 {
        system.send(&session_id, "+201001234567", &format!("{i}")).await;
    }
    system.until("the burst is accepted", async || system.accepted().await.len() >= 45).await;
    let row = system
        .message_with("the 46th to wait", |row| {
            row["body"] == "45" && row["attempts"].as_array().is_none_or(Vec::is_empty)
        })
        .await;
    assert!(row.get("error").is_none());
    system.until("the others follow", async || system.accepted().await.len() == 47).await;
    assert_eq!(texts(&system).await, (0..47).map(|i| i.to_string()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_deliveries_at_once_send_a_message_once() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    // Nothing is sent by the stream: WhatsApp asks to wait.
    system.faults(&json!({"sends": {"errorCode": 130_429, "retryAfter": 3600, "times": 1}})).await;
    system.send(&session_id, "+201001234567", "hello").await;
    let row = system.message_with("a waiting message", |row| row["not_before"].is_string()).await;
    let (pk, sk) = (row["pk"].as_str().unwrap(), row["sk"].as_str().unwrap());
    for attribute in ["not_before", "due_at"] {
        system.set_string(pk, sk, attribute, "2020-01-01T00:00:00.000Z").await;
    }
    let image = json!({"pk": {"S": pk}, "sk": {"S": sk}});
    let record = json!({"eventID": "1", "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb", "awsRegion": "us-east-1", "dynamodb": {"ApproximateCreationDateTime": 1.0, "Keys": image, "SequenceNumber": "100", "SizeBytes": 1, "StreamViewType": "NEW_AND_OLD_IMAGES"}});
    let batch = json!({"Records": [record]}).to_string();
    let lambda = system.running().lambda();
    let batches = (0..8).map(|_| lambda.invoke("deliver", batch.clone().into()));
    let (outcomes, ()) = tokio::join!(futures_util::future::join_all(batches), look_after_what_is_due(&system));
    assert!(outcomes.iter().all(Result::is_ok));
    system.message_with("a read message", |row| row["status"] == "read").await;
    assert_eq!(system.accepted().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outside_of_the_service_window_only_templates_go() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let ago = |hours: i64| (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours)).as_second().to_string();
    let mut clicked = text_message("wamid.ad", "201003333333", "I saw your advertisement");
    clicked["timestamp"] = json!(ago(60));
    clicked["referral"] = json!({"source_type": "ad", "source_id": "1"});
    let messages = json!([
        {"from": "201001111111", "id": "wamid.old", "timestamp": ago(25), "type": "text", "text": {"body": "hi"}},
        {"from": "201002222222", "id": "wamid.new", "timestamp": ago(23), "type": "text", "text": {"body": "hi"}},
        clicked,
    ]);
    assert_eq!(system.webhook(&system.webhook_body(&messages)).await.status, 200);
    let refused = system.send(&session_id, "+201001111111", "late").await;
    assert_eq!((refused.status, &refused.json["code"]), (409, &json!("outside_service_window")));
    assert!(refused.json["error"].as_str().unwrap().contains("template"));
    for to in ["+201002222222", "+201003333333", "+201004444444"] {
        assert_eq!(system.send(&session_id, to, "in time, or for WhatsApp to decide").await.status, 200, "{to}");
    }
    let template = json!({"sessionId": session_id, "to": "+201001111111", "type": "template", "template": {"name": "hello_world", "language": {"code": "en_US"}}});
    assert_eq!(system.post("/api/messages/send", &template).await.status, 200);
    system.until("all are accepted", async || system.accepted().await.len() == 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_goes_out_in_the_cloud_apis_shape() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    system.customer(&json!({"from": "201001234567", "text": "hi", "id": "wamid.question"})).await;
    let contents = [
        json!({"type": "image", "image": {"link": "https://example.com/a.jpg", "caption": "a picture"}}),
        json!({"type": "video", "video": {"id": "1"}}),
        json!({"type": "audio", "audio": {"id": "1"}}),
        json!({"type": "document", "document": {"id": "1", "filename": "a.pdf"}}),
        json!({"type": "sticker", "sticker": {"id": "1"}}),
        json!({"type": "location", "location": {"latitude": 30.0, "longitude": 31.2}}),
        json!({"type": "contacts", "contacts": [{"name": {"formatted_name": "Ada L", "first_name": "Ada"}}]}),
        json!({"type": "reaction", "reaction": {"message_id": "wamid.question", "emoji": "👍"}}),
        json!({"type": "interactive", "interactive": {"type": "button", "body": {"text": "Well?"}, "action": {"buttons": [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}]}}}),
        json!({"type": "template", "template": {"name": "hello_world", "language": {"code": "en_US"}}}),
        json!({"type": "text", "text": {"body": "an answer"}, "context": {"message_id": "wamid.question"}}),
    ];
    for content in &contents {
        let mut body = content.clone();
        body["sessionId"] = json!(session_id);
        body["to"] = json!("+201001234567");
        let answer = system.post("/api/messages/send", &body).await;
        assert_eq!(answer.status, 200, "{content}: {}", answer.json);
        assert_eq!(answer.json["message"]["type"], content["type"]);
    }
    system.until("all are accepted", async || system.accepted().await.len() == contents.len()).await;
    for (accepted, content) in system.accepted().await.iter().zip(&contents) {
        let kind = content["type"].as_str().unwrap();
        assert_eq!(accepted["body"]["type"], kind);
        assert_eq!(accepted["body"][kind], content[kind], "{kind}");
        assert_eq!(accepted["body"]["context"], content["context"]);
    }
    let too_long = json!({"sessionId": session_id, "to": "+201001234567", "type": "image", "image": {"id": "1", "caption": "x".repeat(1025)}});
    let refused = system.post("/api/messages/send", &too_long).await;
    assert_eq!(
        (refused.status, &refused.json["error"]),
        (400, &json!("image.caption has 1025 characters: WhatsApp takes up to 1024"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_can_be_answered_by_our_id() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let first = system.send(&session_id, "+201001234567", "first").await;
    let row = system.message_with("a read message", |row| row["status"] == "read").await;
    let mut body = json!({"sessionId": session_id, "to": "+201001234567", "message": "second"});
    body["context"] = json!({"message_id": first.json["message"]["id"]});
    assert_eq!(system.post("/api/messages/send", &body).await.status, 200);
    system.until("both are accepted", async || system.accepted().await.len() == 2).await;
    assert_eq!(system.accepted().await[1]["body"]["context"]["message_id"], row["wamid"]);
    body["context"] = json!({"message_id": "00000000-0000-4000-8000-000000000000"});
    assert_eq!(system.post("/api/messages/send", &body).await.status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatsapps_own_window_is_a_clear_failure_on_the_message() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    system.faults(&json!({"window": true})).await;
    // No message of this contact is known here, so that WhatsApp decides.
    assert_eq!(system.send(&session_id, "+201001234567", "hello").await.status, 200);
    let row = system.message_with("a failed message", |row| row["status"] == "failed").await;
    assert!(row["error"].as_str().unwrap().contains("131047"), "{row}");
    system.customer(&json!({"from": "201001234567", "text": "hi"})).await;
    system.send(&session_id, "+201001234567", "welcome").await;
    system.message_with("a read message", |row| row["body"] == "welcome" && row["status"] == "read").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_wait_for_a_message_go_out_with_it_whichever_are_due() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    system.faults(&json!({"sends": {"errorCode": 130_429, "retryAfter": 3600, "times": 1}})).await;
    system.send(&session_id, "+201001234567", "1").await;
    system.message_with("the first to wait", |row| row["not_before"].is_string()).await;
    for text in ["2", "3", "4"] {
        system.send(&session_id, "+201001234567", text).await;
    }
    let waits = |body: &'static str| move |row: &Value| row["body"] == body && row["waiting"] == true;
    system.message_with("the second to be waited for", waits("2")).await;
    // The first and the last are due, and those between them are not.
    for (body, attributes, time) in [
        ("2", &["due_at"][..], "2099-01-01T00:00:00.000Z"),
        ("3", &["due_at"], "2099-01-01T00:00:00.000Z"),
        ("4", &["due_at"], "2020-01-01T00:00:00.000Z"),
        ("1", &["not_before", "due_at"], "2020-01-01T00:00:00.000Z"),
    ] {
        let row = system.message_with("the message", |row| row["body"] == body).await;
        for attribute in attributes {
            system.set_string(row["pk"].as_str().unwrap(), row["sk"].as_str().unwrap(), attribute, time).await;
        }
    }
    look_after_what_is_due(&system).await;
    system.until("all are accepted", async || system.accepted().await.len() == 4).await;
    assert_eq!(texts(&system).await, ["1", "2", "3", "4"]);
}
