//! Files of messages: those of customers are fetched into the bucket, and shown with URLs of it.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::test_app::TestApp;

const CONTACT: &str = "201001234567";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR a file of a customer";

/// Sends a file as a customer. Returns the message once its file has this state.
async fn receive(app: &TestApp, wamid: &str, kind: &str, mime_type: &str, file: &[u8], state: &str) -> Value {
    let media = json!({"data": STANDARD.encode(file), "mime_type": mime_type});
    app.inbound(&json!({"from": CONTACT, "id": wamid, "type": kind, kind: media})).await;
    wait_for_state(app, wamid, state).await
}

async fn message(app: &TestApp, wamid: &str) -> Value {
    app.get(&format!("/api/messages/{wamid}")).await.json["message"].clone()
}

async fn wait_for_state(app: &TestApp, wamid: &str, state: &str) -> Value {
    app.wait_until(state, async || message(app, wamid).await["media"]["state"] == state).await;
    message(app, wamid).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn received_file_is_stored_and_shown() {
    let (app, session_id) = TestApp::connected().await;
    let message = receive(&app, "wamid.cat", "image", "image/jpeg", PNG, "stored").await;
    let media = &message["media"];
    assert_eq!(media["id"], message["id"]);
    assert_eq!((&media["mime_type"], &media["size"]), (&json!("image/png"), &json!(PNG.len())));
    let url = media["url"].as_str().unwrap();
    let file = app.send_request("GET", url, &[], Vec::new()).await;
    assert_eq!((file.status, file.bytes.as_slice()), (200, PNG));
    assert_eq!((file.header("content-type"), file.header("content-disposition")), ("image/png", "inline"));
    for (from, to) in [("X-Amz-Expires=900", "X-Amz-Expires=901"), ("/in/", "/up/")] {
        assert_eq!(app.send_request("GET", &url.replace(from, to), &[], Vec::new()).await.status, 403, "{to}");
    }
    let change = app.wait_for_change(&session_id, "the file", |change| change["type"] == "message.media").await;
    assert_eq!(change["message"]["media"]["state"], "stored");
    assert!(change["message"]["media"]["url"].is_string());
}
