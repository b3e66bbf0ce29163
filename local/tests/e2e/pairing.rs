//! Pairing: from the QR code to a linked number.

use serde_json::{Value, json};

use crate::test_app::TestApp;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scanning_the_code_links_the_number() {
    let app = TestApp::start().await;
    let created = app.create_session("ada").await;
    let (id, link) = (created["id"].as_str().unwrap(), created["qr"].as_str().unwrap());
    app.scan(link, "201001234567").await;

    let session = app.session_status(id).await;
    assert_eq!((&session["is_ready"], &session["is_connected"]), (&json!(true), &json!(true)));
    assert_eq!(session["phone_number_id"], app.ready.phone_number_id);
    for member in ["qr", "qr_expires_at", "pairing_error"] {
        assert_eq!(session[member], Value::Null, "{member}");
    }
    let qr = app.get(&format!("/api/qr?sessionId={id}&format=svg")).await;
    let connected = json!({"success": true, "connected": true, "qr": null, "message": "WhatsApp already connected"});
    assert_eq!(qr.json, connected);
    assert!(app.items("chat").await.is_empty(), "a pairing message creates no chat");

    // WhatsApp delivers the same message again.
    app.scan(link, "201001234567").await;
    assert_eq!(app.session_status(id).await, session);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_code_links_nothing() {
    let app = TestApp::start().await;
    let session = app.create_session("ada").await;
    let (id, link) = (session["id"].as_str().unwrap(), session["qr"].as_str().unwrap());
    let (start, code) = link.rsplit_once('-').unwrap();
    let wrong = format!("{start}-{}", code.chars().rev().collect::<String>());
    app.scan(&wrong, "201001234567").await;
    let session = app.session_status(id).await;
    assert_eq!(session["is_connected"], false);
    assert_eq!(session["pairing_error"], "The QR code had expired when it was sent. Scan the new one.");
    // The correct code still works, and clears the error.
    app.scan(link, "201001234567").await;
    let session = app.session_status(id).await;
    assert_eq!((&session["is_connected"], &session["pairing_error"]), (&json!(true), &Value::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_code_links_nothing() {
    let app = TestApp::start().await;
    let session = app.create_session("ada").await;
    let id = session["id"].as_str().unwrap();
    app.set_session_attribute(id, "qr_expires_at", "2020-01-01T00:00:00.000Z").await;
    app.scan(session["qr"].as_str().unwrap(), "201001234567").await;
    let session = app.session_status(id).await;
    assert_eq!(session["is_connected"], false);
    assert!(session["pairing_error"].as_str().unwrap().contains("expired"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn linked_number_cannot_link_to_a_second_session() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.create_session("ada").await, app.create_session("bob").await);
    app.scan(ada["qr"].as_str().unwrap(), "201001234567").await;
    app.scan(bob["qr"].as_str().unwrap(), "201009999999").await;
    assert_eq!(app.session_status(ada["id"].as_str().unwrap()).await["is_connected"], true);
    let bob = app.session_status(bob["id"].as_str().unwrap()).await;
    assert_eq!(bob["is_connected"], false);
    assert_eq!(bob["pairing_error"], "This WhatsApp number is already linked to another session.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_scans_of_ten_sessions_link_one() {
    let app = TestApp::start().await;
    let mut links = Vec::new();
    for owner in 0..10 {
        links.push(app.create_session(&format!("owner {owner}")).await["qr"].as_str().unwrap().to_owned());
    }
    futures_util::future::join_all(links.iter().map(|link| app.scan(link, "201001234567"))).await;
    let connected = app.items("session").await.into_iter().filter(|item| item["is_connected"] == true).count();
    assert_eq!(connected, 1);
    assert_eq!(app.items("number").await.len(), 1);
}
