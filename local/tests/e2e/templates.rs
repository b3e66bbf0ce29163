//! Message templates: parameters, refusals, and the webhooks about them.

use serde_json::{Value, json};

use crate::test_app::{TestApp, merge};

/// Returns a running app with the template `order_ready`, and its session.
async fn connected() -> (TestApp, String) {
    let (app, session_id) = TestApp::connected().await;
    let components = json!([
        {"type": "BODY", "text": "Your order {{1}} is ready.", "example": {"body_text": [["17"]]}},
        {"type": "BUTTONS", "buttons": [
            {"type": "URL", "text": "Track", "url": "https://example.org/{{1}}", "example": ["17"]}]},
    ]);
    let template = json!({"name": "order_ready", "language": "en", "category": "UTILITY", "components": components});
    app.create_template(&template).await;
    (app, session_id)
}

/// Returns the components of a message with these parameters of the body.
fn components(values: &[&str]) -> Value {
    let parameters: Value = values.iter().map(|value| json!({"type": "text", "text": value})).collect();
    let track = json!([{"type": "text", "text": "17"}]);
    json!([{"type": "body", "parameters": parameters},
        {"type": "button", "sub_type": "url", "index": "0", "parameters": track}])
}

/// Sends a template and returns the message once it has `status`.
async fn send(app: &TestApp, session_id: &str, template: &Value, status: &str) -> Value {
    let body = json!({"sessionId": session_id, "to": "201001234567", "type": "template", "template": template});
    let sent = app.post("/api/messages/send", &body).await;
    assert_eq!(sent.status, 200, "{}", sent.json);
    let path = format!("/api/messages/{}", sent.json["message"]["id"].as_str().unwrap());
    app.wait_until(status, async || app.get(&path).await.json["message"]["status"] == status).await;
    app.get(&path).await.json["message"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn template_is_sent_with_its_parameters() {
    let (app, session_id) = connected().await;
    let template = json!({"name": "order_ready", "language": {"code": "en"}, "components": components(&["17"])});
    let shown = send(&app, &session_id, &template, "read").await;
    assert_eq!(shown["message_status"], Value::Null);
    assert_eq!(app.accepted().await[0]["body"]["template"], template);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_template_has_the_code_of_whatsapp() {
    let (app, session_id) = connected().await;
    let valid = json!({"name": "order_ready", "language": {"code": "en"}, "components": components(&["17"])});
    let mut without_button = valid.clone();
    without_button["components"].as_array_mut().unwrap().pop();
    for (template, code) in [
        (merge(valid.clone(), &json!({"name": "order_lost"})), 132_001),
        (merge(valid.clone(), &json!({"language": {"code": "en_US"}})), 132_001),
        (merge(valid.clone(), &json!({"components": components(&["17", "18"])})), 132_000),
        (without_button, 131_008),
    ] {
        let shown = send(&app, &session_id, &template, "failed").await;
        assert_eq!(shown["attempts"][0]["code"], code, "{shown}");
    }
    for (status, code) in [("PAUSED", 132_015), ("DISABLED", 132_016)] {
        app.change_template(&json!({"name": "order_ready", "status": status})).await;
        let shown = send(&app, &session_id, &valid, "failed").await;
        assert_eq!(shown["attempts"][0]["code"], code, "{shown}");
    }
    assert_eq!(app.accepted().await.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_about_templates_are_accepted() {
    let (app, _) = connected().await;
    app.change_template(&json!({"name": "order_ready", "status": "PAUSED", "quality": "RED"})).await;
    let counts = async || app.simulator("GET", "/simulator/webhooks", &Value::Null).await;
    app.wait_until("delivered webhooks", async || counts().await["pending"] == 0).await;
    assert_eq!(counts().await["failedAttempts"], 0);
    assert!(counts().await["delivered"].as_u64().unwrap() >= 3);
}

/// Creates templates with these names in the account of the simulated number.
async fn create_templates(app: &TestApp, names: &[&str]) {
    for name in names {
        // WhatsApp rejects a template with the content of another one.
        let components = json!([{"type": "BODY", "text": format!("About your booking: {name}.")}]);
        let template = json!({"name": name, "language": "en", "category": "UTILITY", "components": components});
        app.create_template(&template).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn templates_of_the_account_are_listed_in_pages() {
    let (app, session_id) = connected().await;
    create_templates(&app, &["table_booked", "table_cancelled"]).await;
    app.change_template(&json!({"name": "table_cancelled", "status": "PAUSED"})).await;
    let path = format!("/api/templates?sessionId={session_id}");
    let names = |templates: &[Value]| {
        let mut names: Vec<String> = templates.iter().map(|t| t["name"].as_str().unwrap().to_owned()).collect();
        names.sort_unstable();
        names
    };
    let all = ["hello_world", "order_ready", "table_booked", "table_cancelled"];
    assert_eq!(names(&app.all(&format!("{path}&limit=1"), "templates").await), all);
    assert_eq!(names(&app.all(&path, "templates").await), all);
    assert_eq!(names(&app.all(&format!("{path}&status=APPROVED&limit=2"), "templates").await), all[..3]);
    let paused = app.get(&format!("{path}&status=PAUSED")).await.json;
    assert_eq!(
        (names(paused["templates"].as_array().unwrap()).as_slice(), &paused["nextCursor"]),
        (&["table_cancelled".to_owned()][..], &Value::Null)
    );

    let shown = app.get(&path).await.json["templates"].as_array().unwrap().clone();
    let shown = shown.into_iter().find(|template| template["name"] == "order_ready").unwrap();
    assert_eq!(shown["components"][0]["text"], "Your order {{1}} is ready.", "{shown}");
    let details = ["language", "category", "status", "parameter_format"].map(|name| shown[name].as_str().unwrap());
    assert_eq!(details, ["en", "UTILITY", "APPROVED", "POSITIONAL"]);
    assert!(shown["id"].is_string(), "{shown}");

    let first = app.get(&format!("{path}&limit=1")).await.json;
    let cursor = first["nextCursor"].as_str().unwrap();
    let other_list = app.get(&format!("{path}&status=APPROVED&cursor={cursor}")).await;
    assert_eq!((other_list.status, &other_list.json["code"]), (400, &json!("invalid_cursor")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn account_that_no_webhook_has_named_is_found() {
    let (app, session_id) = connected().await;
    app.remove_number_account().await;
    let path = format!("/api/templates?sessionId={session_id}");
    assert_eq!(app.all(&path, "templates").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_without_a_number_of_the_cloud_api_has_no_templates() {
    let app = TestApp::start().await;
    let session = app.create_session("ada").await;
    let session_id = session["id"].as_str().unwrap();
    let path = format!("/api/templates?sessionId={session_id}");
    let code = async || app.get(&path).await.json["code"].clone();
    assert_eq!(code().await, "session_not_connected");
    app.set_worker_state(session_id, true).await;
    assert_eq!(code().await, "worker_session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusal_of_whatsapp_is_an_error_with_its_reason() {
    let (app, session_id) = connected().await;
    let path = format!("/api/templates?sessionId={session_id}");
    assert_eq!(app.get(&path).await.status, 200);
    // The function has cached the token that WhatsApp stops accepting.
    app.simulator("POST", "/simulator/numbers", &json!({"accessToken": "access-token-2"})).await;
    let refused = app.get(&path).await;
    assert_eq!((refused.status, &refused.json["code"]), (424, &json!("whatsapp_error")), "{}", refused.json);
    assert!(refused.json["error"].as_str().unwrap().ends_with("(190)"), "{}", refused.json);
    let secret = json!({
        "appSecret": app.ready.app_secret, "verifyToken": app.ready.verify_token, "accessToken": "access-token-2",
    });
    app.put_secret_value(&app.ready.secret_id, &secret).await;
    app.wait_until("the new token is used", async || app.get(&path).await.status == 200).await;
}
