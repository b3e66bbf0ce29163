//! Function logs contain neither personal data nor credentials.

use local::database::Fault;
use serde_json::{Value, json};

use crate::test_app::{TestApp, merge};

const TEXT: &str = "quince-marmalade";
const NAME: &str = "Zenobia Quux";
const PHONE: &str = "201005557788";
const SECRET: &str = "not-for-the-logs";

/// Starts a deployment with known secrets, a paired session, and an auto-reply rule. Returns the session's id and QR
/// code.
async fn start() -> (TestApp, String, String) {
    let [app_secret, verify_token, access_token] = ["app", "verify", "access"].map(|name| format!("{name}-{SECRET}"));
    let app = TestApp::start_with_secrets(&app_secret, &verify_token, &access_token, &[]).await;
    let session = app.create_session("ada").await;
    let (id, qr) = (session["id"].as_str().unwrap().to_owned(), session["qr"].as_str().unwrap().to_owned());
    app.scan(&qr, PHONE).await;
    let rule = json!({"name": TEXT, "trigger": {"type": "any"}, "reply": {"message": format!("{TEXT} {{{{name}}}}")}});
    let response = app.post(&format!("/api/auto-replies?sessionId={id}"), &rule).await;
    assert_eq!(response.status, 200, "{}", response.json);
    (app, id, qr)
}

async fn receive(app: &TestApp) {
    let from = |members: Value| merge(json!({"from": PHONE, "name": NAME}), &members);
    app.inbound(&from(json!({"text": TEXT}))).await;
    app.inbound(&from(json!({"type": "image", "image": {"id": "1", "caption": TEXT}}))).await;
    app.inbound(&from(json!({"type": TEXT, "anything": {"body": TEXT}}))).await;
    app.inbound(&from(json!({"phoneNumberId": "999", "text": TEXT}))).await;
    app.webhook_bytes(format!("{TEXT} {PHONE}").into_bytes()).await;
    let changes = json!([{"field": "messages", "value": {"text": TEXT, "from": PHONE}}]);
    app.webhook(&json!({"entry": [{"changes": changes}]})).await;
    app.request("POST", "/api/webhook", &[("X-Hub-Signature-256", TEXT)], TEXT.into()).await;
    app.get(&format!("/api/webhook?hub.mode=subscribe&hub.verify_token={SECRET}&hub.challenge={TEXT}")).await;
}

async fn send(app: &TestApp, session_id: &str) {
    for fault in [
        json!({"errorCode": 131_009, "times": 1}),
        json!({"errorCode": 130_429, "times": 1}),
        json!({"dropAfterAcceptance": true, "times": 1}),
    ] {
        app.set_faults(&json!({"sends": fault})).await;
        assert_eq!(app.send(session_id, PHONE, TEXT).await.status, 200);
        let is_used = async || app.simulator("GET", "/simulator/faults", &Value::Null).await["sends"]["times"] != 1;
        app.wait_until("the fault occurs", is_used).await;
    }
    app.clear_faults().await;
    for body in [
        format!("{{\"message\": \"{TEXT}\", \"to\": \"{PHONE}\""),
        json!({"sessionId": TEXT, "to": PHONE, "message": TEXT}).to_string(),
        json!({"sessionId": session_id, "to": TEXT, "message": TEXT}).to_string(),
        json!({"sessionId": session_id, "to": PHONE, "type": TEXT, TEXT: {"body": TEXT}}).to_string(),
    ] {
        let response = app.request("POST", "/api/messages/send", &[("Idempotency-Key", TEXT)], body.into_bytes()).await;
        assert_eq!(response.status, 400, "{}", response.json);
    }
}

/// Makes the table fail, so the functions log errors with their causes.
async fn fail_table(app: &TestApp, session_id: &str) {
    for fault in [Fault::InternalServerError, Fault::ConnectionLostAfterCommit, Fault::Throttled] {
        for function in ["send-message", "webhook"] {
            app.inject_function_fault(function, "TransactWriteItems", fault, 3);
        }
        assert_eq!(app.send(session_id, PHONE, TEXT).await.status, 503);
        app.inbound(&json!({"from": PHONE, "name": NAME, "text": TEXT})).await;
        app.clear_injected_faults();
    }
}

async fn read_and_change(app: &TestApp, session_id: &str) -> Vec<String> {
    let messages = app.items("message").await;
    let wamids: Vec<String> =
        messages.iter().filter_map(|message| Some(message["wamid"].as_str()?.to_owned())).collect();
    assert!(!wamids.is_empty());
    app.get(&format!("/api/messages/{}?sessionId={session_id}", wamids[0])).await;
    app.get(&format!("/api/chats?sessionId={session_id}&cursor={TEXT}")).await;
    let chat = messages[0]["chat_id"].as_str().unwrap();
    assert_eq!(app.patch(&format!("/api/chats/{chat}"), &json!({"name": NAME})).await.status, 200);
    app.post("/api/auto-replies/dry-run", &json!({"sessionId": session_id, "text": TEXT, "chatId": chat})).await;
    wamids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_log_neither_personal_data_nor_credentials() {
    let (app, session_id, qr) = start().await;
    let (_, key) = app.create_key("ada", &["sessions"]).await;
    app.with_key(&key, "GET", &format!("/api/session/status?sessionId={session_id}"), &Value::Null).await;
    app.with_key(&format!("{key}x"), "GET", "/api/session/status", &Value::Null).await;
    receive(&app).await;
    send(&app, &session_id).await;
    fail_table(&app, &session_id).await;
    let wamids = read_and_change(&app, &session_id).await;

    let lines: Vec<String> = app.log_lines().into_iter().filter(|line| line.starts_with("function")).collect();
    // These functions have logged something.
    for function in ["webhook", "send-message", "deliver", "relay", "chat", "message", "auto-replies", "authorizer"] {
        assert!(lines.iter().any(|line| line.contains(&format!(" {function}: "))), "{function}: {lines:#?}");
    }
    assert!(lines.iter().any(|line| line.contains("request failed")), "{lines:#?}");
    let code = qr.rsplit('-').next().unwrap();
    let mut secrets = vec![TEXT, NAME, "Zenobia", PHONE, SECRET, &app.ready.api_key, &key, code];
    secrets.extend(wamids.iter().map(String::as_str));
    for secret in secrets {
        let found = lines.iter().find(|line| line.contains(secret));
        assert!(secret.len() > 5 && found.is_none(), "{secret}: {found:?}");
    }
}
