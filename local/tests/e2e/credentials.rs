//! Secrets that change while everything runs.

use serde_json::json;

use crate::system::System;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_secrets_are_taken_up_while_everything_runs_and_nothing_is_lost() {
    let system = System::start().await;
    // `deliver` reads the secret before `webhook` does, and so may ask for it again no later.
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
