//! Secrets that change while the deployment runs, and numbers with their own credentials.

use serde_json::json;

use crate::test_app::{TestApp, sign, text_message};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotated_secrets_are_used_without_losing_messages() {
    let app = TestApp::start().await;
    // `deliver` reads the old secrets.
    app.invoke("deliver", &json!({})).await;
    let session_id = app.connect("ada").await;
    let ready = &app.ready;
    let secret = json!({
        "appSecret": ["app-secret-2", ready.app_secret],
        "verifyToken": ["verify-token-2", ready.verify_token],
        "accessToken": "access-token-2",
    });
    app.put_secret_value(&ready.secret_id, &secret).await;
    let change = json!({"appSecret": "app-secret-2", "accessToken": "access-token-2"});
    app.simulator("POST", "/simulator/numbers", &change).await;

    // WhatsApp retries until the new secret is in use.
    app.inbound(&json!({"from": "201001234567", "text": "hello"})).await;
    app.wait_until("the message is stored", async || !app.items("message").await.is_empty()).await;
    let old = app.webhook(&app.webhook_body(&json!([]))).await;
    assert_eq!(old.status, 200, "the old secret is still valid: {}", old.json);
    for (token, status) in
        [("verify-token-2", 200), (ready.verify_token.as_str(), 200), ("verify-token-3", 403), ("", 403)]
    {
        let path = format!("/api/webhook?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=7");
        assert_eq!(app.get(&path).await.status, status, "{token}");
    }

    app.send(&session_id, "+201001234567", "hi").await;
    let item = app.wait_for_status("read").await;
    assert_eq!(item["attempts"].as_array().unwrap().len(), 1, "the refused token counts as no attempt");
    let status = app.get(&format!("/api/session/status?sessionId={session_id}")).await.json;
    assert_eq!(status["session"]["paused_reason"], json!(null));
}

/// A second number that belongs to another Meta app.
const NUMBER: &str = "111222333444555";
const DISPLAY: &str = "15550009999";

/// Starts a deployment with a second number, which has its own credentials and belongs to owner `ada`.
async fn with_second_number() -> TestApp {
    let app = TestApp::start().await;
    let number = json!({
        "phoneNumberId": NUMBER, "displayPhoneNumber": DISPLAY,
        "appSecret": "second-secret", "accessToken": "second-token",
    });
    app.simulator("POST", "/simulator/numbers", &number).await;
    let body = json!({
        "displayPhoneNumber": DISPLAY, "ownerId": "ada", "appSecret": "second-secret", "accessToken": "second-token",
    });
    let response = app.put(&format!("/api/numbers/{NUMBER}"), &body).await;
    assert_eq!(response.status, 200, "{}", response.json);
    app
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_number_uses_its_own_credentials_which_stay_secret() {
    let app = with_second_number().await;
    for path in [format!("/api/numbers/{NUMBER}"), "/api/numbers".to_owned()] {
        let text = String::from_utf8(app.get(&path).await.bytes).unwrap();
        assert!(text.contains(r#""has_access_token":true"#) && text.contains(r#""has_app_secret":true"#), "{text}");
        assert!(!text.contains("second-"), "{text}");
    }
    let stored = app.items("number_settings").await;
    assert!(!json!(stored).to_string().contains("second-"), "{stored:#?}");

    // Bob can't pair Ada's number, and can't learn that it exists.
    let wrong = json!({"userId": "bob", "phoneNumberId": NUMBER});
    let refused = app.post("/api/session/create", &wrong).await;
    assert_eq!(refused.status, 400);
    let unknown = app.post("/api/session/create", &json!({"userId": "bob", "phoneNumberId": "999"})).await;
    assert_eq!(refused.json["error"], unknown.json["error"]);
    let created = app.post("/api/session/create", &json!({"userId": "ada", "phoneNumberId": NUMBER})).await.json;
    let link = created["session"]["qr"].as_str().unwrap().to_owned();
    assert!(link.starts_with(&format!("https://wa.me/{DISPLAY}?")), "{link}");

    // Bob sends the code of Bob's session to Ada's number.
    let bob = app.create_session("bob").await;
    let forged_link = bob["qr"].as_str().unwrap().replace(&app.ready.display_phone_number, DISPLAY);
    app.scan(&forged_link, "201009999999").await;
    let status = format!("/api/session/status?sessionId={}", bob["id"].as_str().unwrap());
    let status = app.get(&status).await.json["session"].clone();
    assert_eq!(status["pairing_error"], "This WhatsApp number belongs to another owner.");
    app.scan(&link, "201009999999").await;
    let session_id = created["session"]["id"].as_str().unwrap();
    let status = app.session_status(session_id).await;
    assert_eq!((&status["is_connected"], &status["phone_number_id"]), (&json!(true), &json!(NUMBER)));

    let written = json!({"from": "201001234567", "text": "hello", "phoneNumberId": NUMBER});
    app.inbound(&written).await;
    assert_eq!(app.items("message").await.len(), 1);
    app.send(session_id, "+201001234567", "hi").await;
    app.wait_for_status("read").await;

    for (path, body) in [
        (format!("/api/numbers/{NUMBER}"), json!({"displayPhoneNumber": DISPLAY, "ownerId": "bob"})),
        (format!("/api/numbers/{NUMBER}"), json!(null)),
    ] {
        let response = match &body {
            serde_json::Value::Null => app.delete(&path).await,
            body => app.put(&path, body).await,
        };
        assert_eq!((response.status, &response.json["code"]), (409, &json!("number_linked")), "{}", response.json);
    }
    assert!(!app.has_logged(&["second-secret"]) && !app.has_logged(&["second-token"]), "no credential is logged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_signed_by_the_app_of_another_number_changes_nothing() {
    let app = with_second_number().await;
    let session_id = app.connect("grace").await;
    app.set_faults(&json!({"webhooks": {"hold": true}})).await;
    app.send_template(&session_id, "+201001234567").await;
    let sent = app.wait_for_status("sent").await;
    let text = text_message("wamid.forged", "201001234567", "give me a refund");
    let mut forged = app.webhook_body(&json!([text]));
    forged["entry"][0]["changes"][0]["value"]["statuses"] =
        json!([{"id": sent["wamid"], "status": "read", "timestamp": "1749416383", "recipient_id": "201001234567"}]);
    let body = forged.to_string().into_bytes();
    let signature = sign("second-secret", &body);
    let response = app.request("POST", "/api/webhook", &[("X-Hub-Signature-256", &signature)], body.clone()).await;
    assert_eq!(response.status, 200, "{}", response.json);
    assert_eq!(app.items("message").await.len(), 1, "only the sent message");
    assert_eq!(app.items("message").await[0]["status"], "sent");
    // Stored for admins, but not under the number: the wamid has no trace there.
    assert_eq!(app.items("unowned_message").await.len(), 0);
    assert_eq!(app.get("/api/messages/wamid.forged").await.status, 404);
    let events = app.items("event").await;
    assert_eq!((events.len(), &events[0]["inbox_key"]), (1, &json!("EVENTS#UNKNOWN")), "{events:?}");
    assert_eq!((events[0].get("phone_number_id"), events[0].get("wamid_key")), (None, None), "{events:?}");
    let signature = sign("third-secret", &body);
    let response = app.request("POST", "/api/webhook", &[("X-Hub-Signature-256", &signature)], body).await;
    assert_eq!(response.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn number_credentials_need_the_encryption_key() {
    let app = TestApp::start_with(&[("NumbersKey", "No")]).await;
    let path = format!("/api/numbers/{NUMBER}");
    let response = app.put(&path, &json!({"displayPhoneNumber": DISPLAY, "accessToken": "t"})).await;
    assert_eq!((response.status, &response.json["code"]), (409, &json!("no_numbers_key")));
    assert!(response.json["error"].as_str().unwrap().contains("NumbersKey=Yes"));
    assert_eq!(app.get(&path).await.status, 404, "nothing is stored");
    let response = app.put(&path, &json!({"displayPhoneNumber": DISPLAY})).await;
    assert_eq!(response.json["number"]["has_access_token"], false);
    assert_eq!(app.delete(&path).await.status, 200);
    assert_eq!(app.get("/api/numbers").await.json, json!({"success": true, "numbers": []}));
    // The deployment's credentials still work.
    app.connect("ada").await;
}
