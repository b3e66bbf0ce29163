//! The phones of contacts: ticks that wait, calls, and what a phone shows.

use serde_json::{Value, json};

use crate::test_app::TestApp;

const CONTACT: &str = "201001234567";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_is_delivered_when_the_phone_is_online_again() {
    let (app, session_id) = TestApp::connected_with(&[CONTACT]).await;
    let phone = format!("/simulator/phones/{CONTACT}");
    app.simulator("PATCH", &phone, &json!({"online": false, "automaticTicks": "delivered"})).await;
    let sent = app.send(&session_id, CONTACT, "Your order is ready").await.json;
    let path = format!("/api/messages/{}", sent["message"]["id"].as_str().unwrap());
    let status = async || app.get(&path).await.json["message"]["status"].clone();
    app.wait_until("sent", async || status().await == "sent").await;
    app.simulator("PATCH", &phone, &json!({"online": true})).await;
    app.wait_until("delivered", async || status().await == "delivered").await;

    let feed = app.simulator("GET", &format!("{phone}/messages"), &Value::Null).await;
    let shown = feed["messages"].as_array().unwrap().last().unwrap();
    assert_eq!((&shown["from"], &shown["text"]["body"]), (&json!("business"), &json!("Your order is ready")));
    assert_eq!(feed["phone"]["conversations"][0]["unread"], 1);
    app.simulator("POST", &format!("{phone}/ticks"), &json!({"status": "read"})).await;
    assert_eq!(status().await, "read");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn call_of_a_contact_opens_the_window() {
    let (app, session_id) = TestApp::connected_with(&[]).await;
    let settings = json!({"calling": {"status": "ENABLED"}});
    let url = format!("{}/{}/settings", app.ready.whatsapp, app.ready.phone_number_id);
    let token = format!("Bearer {}", app.ready.access_token);
    let body = settings.to_string().into_bytes();
    let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
    assert_eq!(app.send_request("POST", &url, &headers, body).await.status, 200);
    let call = app.simulator("POST", "/simulator/calls", &json!({"from": CONTACT, "name": "Mona"})).await;
    assert_eq!(call["deliveries"], json!([{"status": 200}]));
    let hang_up = format!("/simulator/calls/{}", call["ids"][0].as_str().unwrap());
    app.simulator("DELETE", &hang_up, &Value::Null).await;

    let chats = app.get(&format!("/api/chats?sessionId={session_id}&phone={CONTACT}")).await.json["chats"].clone();
    assert!(chats[0]["window_until"].is_string(), "{chats}");
    let messages = app.get(&format!("/api/chats/{}/messages", chats[0]["id"].as_str().unwrap())).await.json;
    assert_eq!(messages["messages"][0]["type"], "call", "{messages}");
    app.send(&session_id, CONTACT, "We missed your call").await;
    app.wait_for_status("read").await;
    app.stop().await;
}
