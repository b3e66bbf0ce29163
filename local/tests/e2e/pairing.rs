//! From the QR code to a linked number.

use serde_json::{Value, json};

use crate::system::System;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scanning_the_code_links_the_number() {
    let system = System::start().await;
    let session = system.create("ada").await;
    let id = session["id"].as_str().unwrap();
    system.scan(session["qr"].as_str().unwrap(), "201001234567").await;

    let row = &system.get(&format!("/api/session/status?sessionId={id}")).await.json["session"];
    assert_eq!((&row["is_ready"], &row["is_connected"]), (&json!(true), &json!(true)));
    assert_eq!(row["phone_number_id"], system.ready.phone_number_id);
    assert_eq!((&row["qr"], &row["qr_expires_at"], &row["pairing_error"]), (&Value::Null, &Value::Null, &Value::Null));
    let qr = system.get(&format!("/api/qr?sessionId={id}&format=svg")).await;
    let connected = json!({"success": true, "connected": true, "qr": null, "message": "WhatsApp already connected"});
    assert_eq!(qr.json, connected);
    assert!(system.items("chat").await.is_empty(), "a pairing message is not filed as a chat");

    // WhatsApp delivers the same message again.
    system.scan(session["qr"].as_str().unwrap(), "201001234567").await;
    let again = system.get(&format!("/api/session/status?sessionId={id}")).await;
    assert_eq!(&again.json["session"], row);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_is_not_the_sessions_links_nothing() {
    let system = System::start().await;
    let session = system.create("ada").await;
    let link = session["qr"].as_str().unwrap();
    let (start, code) = link.rsplit_once('-').unwrap();
    let wrong = format!("{start}-{}", code.chars().rev().collect::<String>());
    system.scan(&wrong, "201001234567").await;
    let path = format!("/api/session/status?sessionId={}", session["id"].as_str().unwrap());
    let row = system.get(&path).await.json["session"].clone();
    assert_eq!(row["is_connected"], false);
    assert_eq!(row["pairing_error"], "The QR code had expired when it was sent. Scan the new one.");
    // The right one still works, and clears the error.
    system.scan(link, "201001234567").await;
    let row = system.get(&path).await.json["session"].clone();
    assert_eq!((&row["is_connected"], &row["pairing_error"]), (&json!(true), &Value::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_code_links_nothing() {
    let system = System::start().await;
    let session = system.create("ada").await;
    let id = session["id"].as_str().unwrap();
    system.set_string(&format!("SESSION#{id}"), "SESSION", "qr_expires_at", "2020-01-01T00:00:00.000Z").await;
    system.scan(session["qr"].as_str().unwrap(), "201001234567").await;
    let row = system.get(&format!("/api/session/status?sessionId={id}")).await.json["session"].clone();
    assert_eq!(row["is_connected"], false);
    assert!(row["pairing_error"].as_str().unwrap().contains("expired"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_number_belongs_to_one_session() {
    let system = System::start().await;
    let (ada, bob) = (system.create("ada").await, system.create("bob").await);
    system.scan(ada["qr"].as_str().unwrap(), "201001234567").await;
    system.scan(bob["qr"].as_str().unwrap(), "201009999999").await;
    let status = |session: &Value| format!("/api/session/status?sessionId={}", session["id"].as_str().unwrap());
    assert_eq!(system.get(&status(&ada)).await.json["session"]["is_connected"], true);
    let bob = system.get(&status(&bob)).await.json["session"].clone();
    assert_eq!(bob["is_connected"], false);
    assert_eq!(bob["pairing_error"], "This WhatsApp number is already linked to another session.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_sessions_that_scan_at_once_leave_the_number_with_one() {
    let system = System::start().await;
    let mut links = Vec::new();
    for owner in 0..10 {
        links.push(system.create(&format!("owner {owner}")).await["qr"].as_str().unwrap().to_owned());
    }
    futures_util::future::join_all(links.iter().map(|link| system.scan(link, "201001234567"))).await;
    let connected = system.items("session").await.into_iter().filter(|item| item["is_connected"] == true).count();
    assert_eq!(connected, 1);
    assert_eq!(system.items("number").await.len(), 1);
}
