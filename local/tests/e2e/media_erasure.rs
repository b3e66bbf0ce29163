//! Erasure of files.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{erasure::run_final_pass, test_app::TestApp};

const CONTACT: &str = "201001234567";
const OTHER: &str = "201007654321";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR a file";

/// Returns a session whose contacts have written, in a deployment whose objects can be listed.
async fn connected() -> (TestApp, String) {
    let app = TestApp::start_with_data(&[]).await;
    app.open_windows(&[CONTACT, OTHER]).await;
    let session_id = app.connect("ada").await;
    (app, session_id)
}

fn objects(app: &TestApp, prefix: &str) -> Vec<String> {
    app.objects().into_keys().filter(|key| key.starts_with(prefix)).collect()
}

/// Receives a file of a contact, and waits until it is stored.
async fn receive(app: &TestApp, from: &str, wamid: &str) {
    let image = json!({"data": STANDARD.encode(PNG), "mime_type": "image/png"});
    app.inbound(&json!({"from": from, "id": wamid, "type": "image", "image": image})).await;
    let path = format!("/api/messages/{wamid}");
    let is_stored = async || app.get(&path).await.json["message"]["media"]["state"] == "stored";
    app.wait_until("the file", is_stored).await;
}

async fn send(app: &TestApp, session_id: &str, to: &str, media: &str) {
    let sent = app.send_content(session_id, to, json!({"type": "image", "image": {"media": media}})).await;
    assert_eq!(sent.status, 200, "{}", sent.json);
}

async fn chat(app: &TestApp, session_id: &str, phone: &str) -> String {
    let found = app.get(&format!("/api/chats?sessionId={session_id}&phone={phone}")).await.json;
    format!("/api/chats/{}", found["chats"][0]["id"].as_str().unwrap_or_else(|| panic!("no chat: {found}")))
}

/// Erases, and runs the final pass as well.
async fn erase(app: &TestApp, path: &str) {
    let mut response = app.delete(path).await;
    while response.status == 202 {
        response = app.delete(path).await;
    }
    assert_eq!(response.status, 200, "{}", response.json);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erased_chat_leaves_no_file_of_it() {
    let (app, session_id) = connected().await;
    receive(&app, CONTACT, "wamid.1").await;
    receive(&app, OTHER, "wamid.2").await;
    let only_here = app.upload_media(&session_id, "image/png", PNG).await;
    let shared = app.upload_media(&session_id, "image/png", PNG).await;
    let unsent = app.upload_media(&session_id, "image/png", PNG).await;
    send(&app, &session_id, CONTACT, &only_here).await;
    send(&app, &session_id, CONTACT, &shared).await;
    send(&app, &session_id, OTHER, &shared).await;
    app.wait_until("the sends", async || app.accepted().await.len() == 3).await;
    assert_eq!(objects(&app, "").len(), 2 + 3 + 2);
    let (erased, kept) = (chat(&app, &session_id, CONTACT).await, chat(&app, &session_id, OTHER).await);

    erase(&app, &erased).await;
    let id = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    assert_eq!(objects(&app, &format!("in/{session_id}/{}/", id(&erased))), Vec::<String>::new());
    assert_eq!(objects(&app, &format!("in/{session_id}/{}/", id(&kept))).len(), 1);
    assert_eq!(objects(&app, "out/"), [format!("out/{session_id}/{shared}")]);
    for (media, status) in [(&only_here, 404), (&shared, 302), (&unsent, 409)] {
        assert_eq!(app.get(&format!("/api/media/{media}")).await.status, status, "{media}");
    }
    // A new chat with the contact gets new files, which the erasure's final pass leaves.
    receive(&app, CONTACT, "wamid.3").await;
    send(&app, &session_id, CONTACT, &unsent).await;
    run_final_pass(&app).await;
    assert_eq!(objects(&app, &format!("in/{session_id}/{}/", id(&erased))).len(), 1);
    assert_eq!(app.get(&format!("/api/media/{unsent}")).await.status, 302);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erased_session_leaves_no_file() {
    let (app, session_id) = connected().await;
    receive(&app, CONTACT, "wamid.1").await;
    let sent = app.upload_media(&session_id, "image/png", PNG).await;
    app.upload_media(&session_id, "image/png", PNG).await;
    send(&app, &session_id, CONTACT, &sent).await;
    send(&app, &session_id, OTHER, &sent).await;
    app.wait_until("the sends", async || app.accepted().await.len() == 2).await;
    erase(&app, &format!("/api/session?sessionId={session_id}")).await;
    run_final_pass(&app).await;
    assert_eq!(objects(&app, ""), Vec::<String>::new());
    assert_eq!(app.items("media").await, Vec::<Value>::new());
}

/// An erasure that can't delete a file isn't complete, and continues later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasure_without_its_permission_is_not_complete() {
    let deny = |template: &str| template.replace("Action: [s3:DeleteObject],", "Action: [s3:GetObject],");
    let app = TestApp::start_with_template(deny, &[]).await;
    let session_id = app.connect("ada").await;
    receive(&app, CONTACT, "wamid.1").await;
    let path = chat(&app, &session_id, CONTACT).await;
    let erased = app.delete(&path).await;
    assert_eq!((erased.status, &erased.json["erasure"]["complete"]), (202, &json!(false)));
    assert!(app.has_logged(&["files not erased", &session_id]));
    assert_eq!(app.items("erasure").await.len(), 1);
}
