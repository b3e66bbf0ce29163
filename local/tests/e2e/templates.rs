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
