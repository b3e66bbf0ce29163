//! Consent: words, WhatsApp's settings, and the API decide whether marketing messages are sent.

use serde_json::{Value, json};

use crate::test_app::{TestApp, merge, now};

const CONTACT: &str = "201001234567";

/// Sends a text of a category to a number.
async fn send(app: &TestApp, session_id: &str, to: &str, category: &str, text: &str) -> (u16, Value) {
    let body = json!({"sessionId": session_id, "to": to, "message": text, "category": category});
    let response = app.post("/api/messages/send", &body).await;
    (response.status, response.json)
}

async fn receive(app: &TestApp, text: &str) {
    app.inbound(&json!({"from": CONTACT, "name": "Mona", "text": text})).await;
}

/// Returns the contact's chat as the API shows it.
async fn chat(app: &TestApp, session_id: &str) -> Value {
    let chats = app.all(&format!("/api/chats?sessionId={session_id}"), "chats").await;
    let jid = format!("{CONTACT}@s.whatsapp.net");
    chats.into_iter().find(|chat| chat["phone_jid"] == jid.as_str()).expect("the contact's chat")
}

/// Waits until the contact's consent is as expected.
async fn wait_for_consent(app: &TestApp, session_id: &str, marketing: &str, source: &str) {
    let expected = format!("{marketing} by {source}");
    app.wait_until(&expected, async || {
        let consent = &chat(app, session_id).await["consent"];
        consent["marketing"] == marketing && consent["source"] == source
    })
    .await;
}

/// Delivers the webhook of a contact who stops or resumes marketing messages in WhatsApp's settings.
async fn set_preference(app: &TestApp, value: &str, at: i64) {
    let preference = json!({
        "wa_id": CONTACT, "detail": "User requested to change marketing messages", "category": "marketing_messages",
        "value": value, "timestamp": at,
    });
    let value =
        json!({"contacts": [{"profile": {"name": "Mona"}, "wa_id": CONTACT}], "user_preferences": [preference]});
    app.deliver_webhook(&app.webhook_field("user_preferences", value)).await;
}

async fn message_with(app: &TestApp, text: &str, status: &str) -> Value {
    app.wait_for_message(&format!("{text} is {status}"), |item| item["body"] == text && item["status"] == status).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_word_blocks_marketing_messages_until_start() {
    let (app, session_id) = TestApp::connected_with(&[CONTACT]).await;
    // A contact who hasn't decided gets marketing messages.
    let (status, sent) = send(&app, &session_id, CONTACT, "marketing", "offer 1").await;
    assert_eq!((status, &sent["message"]["category"]), (200, &json!("marketing")), "{sent}");
    assert_eq!(sent["chat"]["consent"], json!({"marketing": "unknown", "since": null, "source": null}));
    // Of two words in the same second, STOP wins.
    let earlier = (now() - 5).to_string();
    app.inbound(&json!({"from": CONTACT, "name": "Mona", "timestamp": earlier, "text": "SAIR."})).await;
    wait_for_consent(&app, &session_id, "denied", "keyword").await;
    let one = format!("/api/chats/{}", sent["chat"]["id"].as_str().unwrap());
    let consent = chat(&app, &session_id).await["consent"].clone();
    assert!(consent["since"].is_string(), "{consent}");
    for path in [one.clone(), format!("{one}/export")] {
        assert_eq!(app.get(&path).await.json["chat"]["consent"], consent, "{path}");
    }

    let (status, refused) = send(&app, &session_id, CONTACT, "marketing", "offer 2").await;
    assert_eq!((status, &refused["code"]), (409, &json!("marketing_consent_denied")), "{refused}");
    for category in ["utility", "authentication", "service"] {
        let (status, sent) = send(&app, &session_id, CONTACT, category, "your order").await;
        assert_eq!((status, &sent["message"]["category"]), (200, &json!(category)), "{sent}");
        assert_eq!(sent["chat"]["consent"], consent);
    }
    assert_eq!(app.send(&session_id, CONTACT, "hello").await.status, 200);
    let (status, error) = send(&app, &session_id, CONTACT, "Marketing", "offer 3").await;
    assert_eq!((status, &error["code"]), (400, &json!("invalid_field")), "{error}");

    receive(&app, "começar").await;
    wait_for_consent(&app, &session_id, "granted", "keyword").await;
    let headers = [("idempotency-key", "k")];
    let body = json!({"sessionId": session_id, "to": CONTACT, "message": "offer 4", "category": "marketing"});
    let request =
        async |body: &Value| app.request("POST", "/api/messages/send", &headers, body.to_string().into_bytes()).await;
    let first = request(&body).await;
    assert_eq!((first.status, &request(&body).await.json), (200, &first.json));
    let other = request(&merge(body, &json!({"category": "utility"}))).await;
    assert_eq!((other.status, &other.json["code"]), (409, &json!("idempotency_key_reused")));
    let id = first.json["message"]["id"].as_str().unwrap();
    assert_eq!(app.get(&format!("/api/messages/{id}")).await.json["message"]["category"], "marketing");

    // WhatsApp's time of a STOP has no milliseconds, so it is before that of a grant within the same second.
    let granted = app.patch(&one, &json!({"consent": {"marketing": "granted"}})).await.json["chat"]["consent"].clone();
    let granted_at: jiff::Timestamp = granted["since"].as_str().unwrap().parse().unwrap();
    let second = granted_at.as_second().to_string();
    app.inbound(&json!({"from": CONTACT, "name": "Mona", "timestamp": second, "text": "STOP"})).await;
    wait_for_consent(&app, &session_id, "denied", "keyword").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatsapp_settings_apply_to_marketing_messages_only() {
    let (app, session_id) = TestApp::connected().await;
    let rule = json!({"name": "R", "trigger": {"type": "any"}, "reply": {"message": "{{message}}?"}});
    assert_eq!(app.post(&format!("/api/auto-replies?sessionId={session_id}"), &rule).await.status, 200);
    receive(&app, "one").await;
    app.accepted_texts(1).await;
    let start = now();
    set_preference(&app, "stop", start).await;
    wait_for_consent(&app, &session_id, "denied", "whatsapp").await;
    assert_eq!(send(&app, &session_id, CONTACT, "marketing", "offer").await.0, 409);
    receive(&app, "two").await;
    assert_eq!(app.accepted_texts(2).await, ["one?", "two?"]);
    // An earlier preference that arrives later changes nothing.
    set_preference(&app, "resume", start - 1).await;
    assert_eq!(chat(&app, &session_id).await["consent"]["marketing"], "denied");
    set_preference(&app, "resume", start + 1).await;
    wait_for_consent(&app, &session_id, "granted", "whatsapp").await;
    let events = app.all(&format!("/api/events?sessionId={session_id}"), "events").await;
    assert_eq!(events.iter().filter(|event| event["field"] == "user_preferences").count(), 3);

    // WhatsApp accepts a message and then reports that the contact stopped marketing messages.
    app.wait_until("the resumption is in the past", async || now() > start + 1).await;
    app.set_faults(&json!({"sends": {"failedStatus": 131_050, "times": 1}})).await;
    assert_eq!(send(&app, &session_id, CONTACT, "marketing", "offer").await.0, 200);
    wait_for_consent(&app, &session_id, "denied", "whatsapp").await;
    assert_eq!(send(&app, &session_id, CONTACT, "marketing", "offer").await.0, 409);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_marketing_message_is_withheld_after_stop() {
    let (app, session_id) = TestApp::connected_with(&["201009876543"]).await;
    receive(&app, "hello").await;
    app.set_faults(&json!({"sends": {"errorCode": 190, "times": 1}})).await;
    app.send(&session_id, "+201009876543", "first").await;
    let is_paused = async || app.session_status(&session_id).await["paused_reason"].is_string();
    app.wait_until("the session is paused", is_paused).await;
    for (category, text) in [("marketing", "offer"), ("utility", "your order")] {
        assert_eq!(send(&app, &session_id, CONTACT, category, text).await.0, 200);
    }
    receive(&app, "Stop!").await;
    wait_for_consent(&app, &session_id, "denied", "keyword").await;
    assert_eq!(app.post("/api/session/resume", &json!({"sessionId": session_id})).await.status, 200);
    message_with(&app, "your order", "read").await;
    let withheld = message_with(&app, "offer", "failed").await;
    assert_eq!(withheld["error"], "The contact opted out of marketing messages before this one was sent");
    let mut texts = app.accepted_texts(2).await;
    texts.sort();
    assert_eq!(texts, ["first", "your order"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consent_and_words_of_a_worker_session_are_set_through_the_api() {
    let app = TestApp::start().await;
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    assert_eq!(app.set_worker_state(&session_id, true).await.status, 200);
    let (_, sent) = send(&app, &session_id, CONTACT, "marketing", "offer").await;
    send(&app, &session_id, CONTACT, "utility", "your order").await;
    let path = format!("/api/chats/{}", sent["chat"]["id"].as_str().unwrap());
    for (consent, status) in [
        (json!({"marketing": "yes"}), 400),
        (json!({}), 400),
        (json!({"marketing": "denied", "since": "2026-01-01T00:00:00Z"}), 400),
        (json!("denied"), 400),
        (json!({"marketing": "granted"}), 200),
        (json!({"marketing": "unknown"}), 200),
        (json!({"marketing": "denied"}), 200),
    ] {
        let response = app.patch(&path, &json!({"consent": consent})).await;
        assert_eq!(response.status, status, "{consent}: {}", response.json);
        if status == 200 {
            let shown = &response.json["chat"]["consent"];
            assert_eq!((&shown["marketing"], &shown["source"]), (&consent["marketing"], &json!("api")));
        }
    }
    assert_eq!(send(&app, &session_id, CONTACT, "marketing", "offer").await.0, 409);
    let claim = json!({"sessionId": session_id, "limit": 10, "leaseSeconds": 600});
    let claimed = app.post("/api/outbox/claim", &claim).await.json["messages"].clone();
    let claimed: Vec<_> = claimed.as_array().unwrap().iter().map(|message| message["body"].clone()).collect();
    assert_eq!(claimed, ["your order"]);
    message_with(&app, "offer", "failed").await;

    let settings = async |body: Value| app.patch("/api/session", &merge(json!({"sessionId": session_id}), &body)).await;
    let response = settings(json!({"stopWords": ["Schluss"]})).await;
    assert_eq!((response.status, &response.json["session"]["stop_words"]), (200, &json!(["Schluss"])));
    for words in [
        json!({"startWords": ["schluss!"]}),
        json!({"stopWords": ["start"]}),
        json!({"stopWords": []}),
        json!({"stopWords": ["🛑"]}),
        json!({"startWords": ["a".repeat(51)]}),
    ] {
        let response = settings(words.clone()).await;
        assert_eq!((response.status, &response.json["code"]), (400, &json!("invalid_field")), "{words}");
    }
    let dry_run = async |text: &str| {
        let body = json!({"sessionId": session_id, "text": text});
        let response = app.post("/api/auto-replies/dry-run", &body).await;
        (response.json["text"].clone(), response.json["consent_word"].clone())
    };
    assert_eq!(dry_run(" ＳＣＨＬＵＳＳ! ").await, (json!("schluss!"), json!("stop")));
    assert_eq!(dry_run("STOP").await, (json!("stop"), Value::Null));
    assert_eq!(dry_run("Start").await.1, "start");
    let response = settings(json!({"stopWords": null})).await;
    assert_eq!((response.status, &response.json["session"]["stop_words"]), (200, &Value::Null));
    assert_eq!(dry_run("STOP").await.1, "stop");
    assert_eq!(dry_run("Schluss").await.1, Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contact_who_opens_the_chat_is_greeted_once() {
    let (app, session_id) = TestApp::connected().await;
    for (trigger, text, priority) in [("first_message", "Welcome {{name}}", 9), ("any", "{{message}}?", 0)] {
        let rule = json!({"name": "R", "trigger": {"type": trigger}, "reply": {"message": text}, "priority": priority});
        assert_eq!(app.post(&format!("/api/auto-replies?sessionId={session_id}"), &rule).await.status, 200);
    }
    app.inbound(&json!({"from": CONTACT, "name": "Mona", "type": "request_welcome"})).await;
    assert_eq!(app.accepted_texts(1).await, ["Welcome Mona"]);
    receive(&app, "hello").await;
    assert_eq!(app.accepted_texts(2).await, ["Welcome Mona", "hello?"]);
    app.inbound(&json!({"from": CONTACT, "name": "Mona", "type": "request_welcome"})).await;
    receive(&app, "again").await;
    assert_eq!(app.accepted_texts(3).await, ["Welcome Mona", "hello?", "again?"]);
}
