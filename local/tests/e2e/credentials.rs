//! Secrets that change while everything runs.

use serde_json::json;

use crate::system::System;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_secrets_are_taken_up_while_everything_runs_and_nothing_is_lost() {
    let system = System::start().await;
    // So that `deliver` has read the old ones.
    system.running().lambda().invoke("deliver", "{}".into()).await.unwrap();
    let session_id = system.connect("ada").await;
    let ready = &system.ready;
    system
        .put_secret(&json!({
            "appSecret": ["app-secret-2", ready.app_secret],
            "verifyToken": ["verify-token-2", ready.verify_token],
            "accessToken": "access-token-2",
        }))
        .await;
    let change = json!({"appSecret": "app-secret-2", "accessToken": "access-token-2"});
    system.simulator("POST", "/simulator/numbers", &change).await;

    // WhatsApp goes on trying until the new secret is known.
    system.customer(&json!({"from": "201001234567", "text": "hello"})).await;
    system.until("the message is stored", async || !system.items("message").await.is_empty()).await;
    let old = system.webhook(&system.webhook_body(&json!([]))).await;
    assert_eq!(old.status, 200, "the old secret still signs: {}", old.json);
    for (token, status) in
        [("verify-token-2", 200), (ready.verify_token.as_str(), 200), ("verify-token-3", 403), ("", 403)]
    {
        let path = format!("/api/webhook?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=7");
        assert_eq!(system.get(&path).await.status, status, "{token}");
    }

    system.send(&session_id, "+201001234567", "hi").await;
    let row = system.message_with("a read message", |row| row["status"] == "read").await;
    assert_eq!(row["attempts"].as_array().unwrap().len(), 1, "the refused token costs no attempt");
    let status = system.get(&format!("/api/session/status?sessionId={session_id}")).await.json;
    assert_eq!(status["session"]["paused_reason"], json!(null));
}

/// The second number of these tests, with an app of its own.
const NUMBER: &str = "111222333444555";
const DISPLAY: &str = "15550009999";

/// A system with a second number, which is Ada's and which WhatsApp knows by credentials of its own.
async fn with_second_number() -> System {
    let system = System::start().await;
    let number = json!({
        "phoneNumberId": NUMBER, "displayPhoneNumber": DISPLAY, "appSecret": "second-secret", "accessToken": "second-token",
    });
    system.simulator("POST", "/simulator/numbers", &number).await;
    let body = json!({
        "displayPhoneNumber": DISPLAY, "ownerId": "ada", "appSecret": "second-secret", "accessToken": "second-token",
    });
    let answer = system.put(&format!("/api/numbers/{NUMBER}"), &body).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    system
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_number_works_with_credentials_of_its_own_which_nobody_sees_again() {
    let system = with_second_number().await;
    for path in [format!("/api/numbers/{NUMBER}"), "/api/numbers".to_owned()] {
        let text = String::from_utf8(system.get(&path).await.bytes).unwrap();
        assert!(text.contains(r#""has_access_token":true"#) && text.contains(r#""has_app_secret":true"#), "{text}");
        assert!(!text.contains("second-"), "{text}");
    }
    let stored = system.items("number_settings").await;
    assert!(!json!(stored).to_string().contains("second-"), "{stored:#?}");

    // Bob cannot pair Ada's number, nor find out that it exists.
    let wrong = json!({"userId": "bob", "phoneNumberId": NUMBER});
    let refused = system.post("/api/session/create", &wrong).await;
    assert_eq!(refused.status, 400);
    let unknown = system.post("/api/session/create", &json!({"userId": "bob", "phoneNumberId": "999"})).await;
    assert_eq!(refused.json["error"], unknown.json["error"]);
    let created = system.post("/api/session/create", &json!({"userId": "ada", "phoneNumberId": NUMBER})).await.json;
    let link = created["session"]["qr"].as_str().unwrap().to_owned();
    assert!(link.starts_with(&format!("https://wa.me/{DISPLAY}?")), "{link}");

    // Bob sends his own code to it by hand.
    let bob = system.create("bob").await;
    let bobs = bob["qr"].as_str().unwrap().replace(&system.ready.display_phone_number, DISPLAY);
    system.scan(&bobs, "201009999999").await;
    let status = format!("/api/session/status?sessionId={}", bob["id"].as_str().unwrap());
    let status = system.get(&status).await.json["session"].clone();
    assert_eq!(status["pairing_error"], "This WhatsApp number belongs to another owner.");
    system.scan(&link, "201009999999").await;
    let session_id = created["session"]["id"].as_str().unwrap();
    let status = system.get(&format!("/api/session/status?sessionId={session_id}")).await.json["session"].clone();
    assert_eq!((&status["is_connected"], &status["phone_number_id"]), (&json!(true), &json!(NUMBER)));

    let written = json!({"from": "201001234567", "text": "hello", "phoneNumberId": NUMBER});
    system.customer(&written).await;
    assert_eq!(system.items("message").await.len(), 1);
    system.send(session_id, "+201001234567", "hi").await;
    system.message_with("a read message", |row| row["status"] == "read").await;

    for (path, body) in [
        (format!("/api/numbers/{NUMBER}"), json!({"displayPhoneNumber": DISPLAY, "ownerId": "bob"})),
        (format!("/api/numbers/{NUMBER}"), json!(null)),
    ] {
        let answer = match &body {
            serde_json::Value::Null => system.request("DELETE", &path, &[], Vec::new()).await,
            body => system.put(&path, body).await,
        };
        assert_eq!((answer.status, &answer.json["code"]), (409, &json!("number_linked")), "{}", answer.json);
    }
    let told = ["second-secret", "second-token"];
    assert!(system.lines().iter().all(|line| told.iter().all(|secret| !line.contains(secret))), "nothing is logged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_of_one_number_is_not_believed_about_another() {
    let system = with_second_number().await;
    let session_id = system.connect("grace").await;
    system.faults(&json!({"webhooks": {"hold": true}})).await;
    system.send(&session_id, "+201001234567", "hi").await;
    let sent = system.message_with("a sent message", |row| row["status"] == "sent").await;
    let text = crate::system::text_message("wamid.forged", "201001234567", "give me a refund");
    let mut forged = system.webhook_body(&json!([text]));
    forged["entry"][0]["changes"][0]["value"]["statuses"] =
        json!([{"id": sent["wamid"], "status": "read", "timestamp": "1749416383", "recipient_id": "201001234567"}]);
    let body = forged.to_string().into_bytes();
    let signature = crate::system::sign("second-secret", &body);
    let answer = system.request("POST", "/api/webhook", &[("X-Hub-Signature-256", &signature)], body.clone()).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    assert_eq!(system.items("message").await.len(), 1, "only what was sent");
    assert_eq!(system.items("message").await[0]["status"], "sent");
    assert_eq!(system.items("unowned_message").await.len(), 1, "kept, and in nobody's chat");
    let signature = crate::system::sign("third-secret", &body);
    let answer = system.request("POST", "/api/webhook", &[("X-Hub-Signature-256", &signature)], body).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_a_number_has_no_credentials_of_its_own() {
    let system = System::start_with(&[("NumbersKey", "No")]).await;
    let path = format!("/api/numbers/{NUMBER}");
    let answer = system.put(&path, &json!({"displayPhoneNumber": DISPLAY, "accessToken": "t"})).await;
    assert_eq!((answer.status, &answer.json["code"]), (409, &json!("no_numbers_key")));
    assert!(answer.json["error"].as_str().unwrap().contains("NumbersKey=Yes"));
    assert_eq!(system.get(&path).await.status, 404, "nothing was half done");
    let answer = system.put(&path, &json!({"displayPhoneNumber": DISPLAY})).await;
    assert_eq!(answer.json["number"]["has_access_token"], false);
    assert_eq!(system.request("DELETE", &path, &[], Vec::new()).await.status, 200);
    assert_eq!(system.get("/api/numbers").await.json, json!({"success": true, "numbers": []}));
    // The deployment's own credentials serve as before.
    system.connect("ada").await;
}
