//! Session settings, and the spellings of phone numbers and LIDs that sends accept.

use serde_json::{Value, json};

use crate::test_app::{Response, TestApp, merge, now};

async fn configure(app: &TestApp, session_id: &str, settings: Value) -> Response {
    app.patch("/api/session", &merge(json!({"sessionId": session_id}), &settings)).await
}

/// Returns the status, the code, and whether the sentence contains `part`.
fn refusal<'r>(response: &'r Response, part: &str) -> (u16, &'r Value, bool) {
    let sentence = response.json["error"].as_str().unwrap_or_default();
    (response.status, &response.json["code"], sentence.contains(part))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_a_session_are_set_kept_and_reset() {
    let app = TestApp::start().await;
    let created = app.post("/api/session/create", &json!({"userId": "ada", "defaultCountry": "eg"})).await.json;
    assert_eq!(created["session"]["default_country"], "EG");
    let id = created["session"]["id"].as_str().unwrap();

    let changed = configure(&app, id, json!({"unknownPolicy": "resend"})).await;
    assert_eq!((changed.status, &changed.json["success"]), (200, &json!(true)), "{}", changed.json);
    let session = &changed.json["session"];
    assert_eq!((&session["unknown_policy"], &session["default_country"]), (&json!("resend"), &json!("EG")));
    assert_eq!(session["id"], id);

    configure(&app, id, json!({"unknownPolicy": null, "defaultCountry": null})).await;
    let session = app.session_status(id).await;
    assert_eq!((&session["unknown_policy"], &session["default_country"]), (&json!("fail"), &Value::Null));

    // Creating the session again changes nothing.
    let again = app.post("/api/session/create", &json!({"userId": "ada", "defaultCountry": "US"})).await.json;
    assert_eq!(again["session"]["default_country"], Value::Null);
    for (body, code) in [
        (json!({}), "missing_field"),
        (json!({"defaultCountry": "UK"}), "invalid_field"),
        (json!({"defaultCountry": "EG", "qr": "x"}), "unknown_field"),
    ] {
        let refused = configure(&app, id, body.clone()).await;
        assert_eq!((refused.status, refused.json["code"].as_str()), (400, Some(code)), "{body}");
    }
    let missing = configure(&app, "00000000-0000-5000-8000-000000000000", json!({"defaultCountry": "EG"})).await;
    assert_eq!(missing.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn default_country_completes_national_numbers() {
    let (app, session_id) =
        TestApp::connected_with(&["2015550123", "14155550102", "12015550123", "201001234567"]).await;
    let refused = app.send(&session_id, "4155550102", "hi").await;
    assert_eq!(refusal(&refused, "defaultCountry"), (400, &json!("invalid_recipient"), true), "{}", refused.json);
    // With a country code, these digits are a landline in Egypt.
    let landline = app.send(&session_id, "2015550123", "hi").await;
    assert_eq!(landline.json["chat"]["phone_jid"], "2015550123@s.whatsapp.net");

    configure(&app, &session_id, json!({"defaultCountry": "US"})).await;
    let spellings = [
        "4155550102",
        "(415) 555-0102",
        "1-415-555-0102",
        "+14155550102",
        "https://wa.me/14155550102",
        "４１５５５５０１０２",
    ];
    for to in spellings {
        let sent = app.send(&session_id, to, "hi").await;
        assert_eq!(sent.json["chat"]["phone_jid"], "14155550102@s.whatsapp.net", "{to}: {}", sent.json);
    }
    let found = app.get(&format!("/api/chats?sessionId={session_id}&phone=4155550102")).await.json;
    assert_eq!(found["chats"][0]["phone_jid"], "14155550102@s.whatsapp.net", "{found}");
    let new_jersey = app.send(&session_id, "2015550123", "hi").await;
    assert_eq!(new_jersey.json["chat"]["phone_jid"], "12015550123@s.whatsapp.net");
    let abroad = app.send(&session_id, "201001234567", "hi").await;
    assert_eq!(abroad.json["chat"]["phone_jid"], "201001234567@s.whatsapp.net");
    assert_eq!(app.items("chat").await.len(), 4);
    for (to, part) in [("415555010", "defaultCountry"), ("14155550101.0", "spreadsheet"), ("1-800-FLOWERS", "letters")]
    {
        let refused = app.send(&session_id, to, "hi").await;
        assert_eq!(refusal(&refused, part), (400, &json!("invalid_recipient"), true), "{to}: {}", refused.json);
    }
    let recipients: Vec<Value> = app.items("message").await.into_iter().map(|item| item["to"].clone()).collect();
    assert_eq!(recipients.iter().filter(|to| **to == "14155550102").count(), spellings.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renumbered_contact_has_one_chat_and_is_reached_under_whatsapps_id() {
    let (app, session_id) = TestApp::connected().await;
    app.inbound(&json!({"from": "22997000001", "name": "Awa", "text": "bonjour"})).await;
    let sent = app.send(&session_id, "+229 01 97 00 00 01", "salut").await;
    assert_eq!(sent.json["chat"]["name"], "Awa", "{}", sent.json);
    assert_eq!(app.items("chat").await.len(), 1);
    app.accepted_texts(1).await;
    assert_eq!(app.accepted().await[0]["body"]["to"], "+22997000001");
}

async fn receive(app: &TestApp, session_id: &str, id: &str, from: &str, from_alt: Option<&str>) -> Response {
    let body = json!({"sessionId": session_id, "id": id, "from": from, "fromAlt": from_alt, "timestamp": now(), "text": "hello"});
    app.post("/api/messages/receive", &body).await
}

async fn claimed_recipients(app: &TestApp, session_id: &str) -> Vec<Value> {
    let claimed = app.post("/api/outbox/claim", &json!({"sessionId": session_id, "limit": 10})).await.json;
    claimed["messages"].as_array().unwrap().iter().map(|message| message["to"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lid_and_phone_number_of_a_contact_have_one_chat() {
    let app = TestApp::start().await;
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    app.set_worker_state(&session_id, true).await;

    // Known by the LID alone.
    assert_eq!(receive(&app, &session_id, "3EB1", "1234567890123:4@lid", None).await.status, 200);
    let sent = app.send(&session_id, "1234567890123@lid", "hi").await.json;
    let chat = &sent["chat"];
    assert_eq!((&chat["remote_id"], &chat["phone_jid"]), (&json!("1234567890123@lid"), &Value::Null), "{sent}");
    assert_eq!(claimed_recipients(&app, &session_id).await, [json!("1234567890123@lid")]);

    // Known by the phone number in another chat, until a message has both.
    app.send(&session_id, "+201001234567", "hi").await;
    assert_eq!(app.items("chat").await.len(), 2);
    let both = receive(&app, &session_id, "3EB2", "1234567890123@lid", Some("201001234567@s.whatsapp.net")).await;
    assert_eq!(both.status, 200, "{}", both.json);
    let chats = app.all(&format!("/api/chats?sessionId={session_id}"), "chats").await;
    assert_eq!(chats.len(), 1, "{chats:?}");
    assert_eq!(chats[0]["phone_jid"], "201001234567@s.whatsapp.net");
    assert_eq!(chats[0]["lid"], "1234567890123@lid");
    for to in ["1234567890123@lid", "201001234567"] {
        assert_eq!(app.send(&session_id, to, "hi").await.json["chat"]["id"], chats[0]["id"], "{to}");
    }

    // A session of the Cloud API can send to the phone number, but to no other LID.
    app.set_session_attribute(&session_id, "channel", "cloud_api").await;
    let sent = app.send(&session_id, "1234567890123@lid", "hi").await.json;
    let message = app.get(&format!("/api/messages/{}", sent["message"]["id"].as_str().unwrap())).await.json;
    assert_eq!(message["message"]["to"], "201001234567", "{message}");
    let refused = app.send(&session_id, "99999@lid", "hi").await;
    assert_eq!(refusal(&refused, "LID"), (400, &json!("invalid_recipient"), true), "{}", refused.json);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_address_of_a_received_message_must_be_the_other_kind() {
    let app = TestApp::start().await;
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    app.set_worker_state(&session_id, true).await;
    for (from, alt) in [
        ("201001234567", "201001234568"),
        ("1@lid", "2@lid"),
        ("120363418770915618@g.us", "1@lid"),
        ("1@lid", "120363418770915618@g.us"),
        ("201001234567", "status@broadcast"),
        ("status@broadcast", "1@lid"),
    ] {
        let refused = receive(&app, &session_id, "3EB1", from, Some(alt)).await;
        assert_eq!((refused.status, &refused.json["code"]), (400, &json!("invalid_field")), "{from} {alt}");
    }
    assert!(app.items("message").await.is_empty());
}
