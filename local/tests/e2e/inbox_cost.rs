//! The cost of a page, which must not depend on the number of chats and messages.

use local::database::usage::Usage;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::test_app::TestApp;

/// Returns the number of chats in the large inbox, and of messages in one of its chats: `QASID_INBOX_CHATS`, or 5,000.
fn large() -> u32 {
    let requested = std::env::var("QASID_INBOX_CHATS").ok();
    requested.map_or(5_000, |count| count.parse().expect("QASID_INBOX_CHATS is a number"))
}

/// Returns the timestamp of item `n`. All items have one size, so the cost of a page depends only on the items it
/// reads.
fn time(n: u32) -> String {
    let second = i64::from(n) + 1_700_000_000;
    format!("{:.3}", jiff::Timestamp::from_second(second).unwrap())
}

fn chat(session_id: &str, n: u32) -> Value {
    let id = Uuid::from_u128(u128::from(n)).to_string();
    let phone = format!("20100{n:07}@s.whatsapp.net");
    json!({
        "pk": {"S": format!("CHAT#{id}")}, "sk": {"S": "CHAT"}, "entity": {"S": "chat"},
        "id": {"S": id}, "session_id": {"S": session_id}, "remote_id": {"S": phone}, "phone_jid": {"S": phone},
        "name": {"S": format!("Customer {n:07}")}, "type": {"S": "INDIVIDUAL"}, "status": {"S": "INBOX"},
        "is_unread": {"BOOL": false}, "unread_count": {"N": "0"}, "created_at": {"S": time(n)},
        "last_message": {"S": "Where is my order?"}, "last_message_at": {"S": time(n)},
        "inbox_key": {"S": format!("{session_id}#INBOX#0")}, "inbox_position": {"S": format!("{}#{id}", time(n))},
    })
}

fn message(session_id: &str, chat_id: &str, n: u32) -> Value {
    let id = Uuid::from_u128(u128::from(n) + (1 << 64)).to_string();
    json!({
        "pk": {"S": format!("CHAT#{chat_id}")}, "sk": {"S": format!("MESSAGE#{}#{id}", time(n))},
        "entity": {"S": "message"}, "id": {"S": id}, "chat_id": {"S": chat_id}, "session_id": {"S": session_id},
        "phone_number_id": {"S": "106540352242922"}, "type": {"S": "text"}, "body": {"S": "Where is my order?"},
        "from_me": {"BOOL": false}, "status": {"S": "received"}, "timestamp": {"S": time(n)},
        "wamid": {"S": format!("wamid.{n:07}")}, "wamid_key": {"S": id},
    })
}

/// Imports items into the table, without the API and the stream.
fn import(app: &TestApp, items: impl Iterator<Item = Value>) {
    let database = app.running().database().embedded();
    let mut items = items.map(|item| serde_json::from_value(item).unwrap()).peekable();
    while items.peek().is_some() {
        let batch = items.by_ref().take(10_000).collect();
        database.import_items(&app.ready.table, batch, dynoxide::ImportOptions::default()).unwrap();
    }
}

/// Invokes a function for this chat and query, and returns the response body and the DynamoDB usage.
async fn invoke(app: &TestApp, function: &str, chat_id: &str, query: &str) -> (Value, Usage) {
    let admin = json!({"lambda": {"keyId": "operator", "scopes": "admin"}});
    let event = json!({
        "version": "2.0", "rawPath": "/", "rawQueryString": query, "headers": {}, "isBase64Encoded": false,
        "pathParameters": {"chatId": chat_id}, "requestContext": {"http": {"method": "GET"}, "authorizer": admin},
    });
    let invocation = app.running().lambda().invoke_measured(function, event.to_string().into()).await;
    let response: Value = serde_json::from_slice(&invocation.result.unwrap()).unwrap();
    assert_eq!(response["statusCode"], 200, "{response}");
    (serde_json::from_str(response["body"].as_str().unwrap()).unwrap(), invocation.usage)
}

/// Returns the usage of the first and the second page of a list.
async fn pages(app: &TestApp, function: &str, chat_id: &str, query: &str, items: &str) -> [Usage; 2] {
    // The first call has one-time costs.
    invoke(app, function, chat_id, query).await;
    let (first, first_usage) = invoke(app, function, chat_id, query).await;
    let cursor = first["nextCursor"].as_str().expect("a second page");
    let (second, second_usage) = invoke(app, function, chat_id, &format!("{query}&cursor={cursor}")).await;
    assert_eq!((first[items].as_array().unwrap().len(), second[items].as_array().unwrap().len()), (25, 25));
    [first_usage, second_usage]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_cost_is_independent_of_the_inbox_size() {
    let mut costs = Vec::new();
    for count in [100, large()] {
        let app = TestApp::start().await;
        let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
        let chat_id = Uuid::from_u128(0).to_string();
        import(&app, (0..count).map(|n| chat(&session_id, n)));
        import(&app, (0..count).map(|n| message(&session_id, &chat_id, n)));
        let lists = [
            pages(&app, "chats", "", &format!("sessionId={session_id}&status=INBOX"), "chats").await,
            pages(&app, "chats", "", &format!("sessionId={session_id}"), "chats").await,
            pages(&app, "chat-messages", &chat_id, "order=desc", "messages").await,
            pages(&app, "chat-messages", &chat_id, "order=asc", "messages").await,
        ];
        for (name, [first, second]) in ["INBOX", "all lists", "newest messages", "oldest messages"].iter().zip(&lists) {
            println!("{count} chats, {count} messages: {name}: {first}; next page: {second}");
        }
        costs.push(lists);
    }
    assert_eq!(costs[0], costs[1]);
    let requests: Vec<u64> = costs[0].iter().map(|[first, _]| first.requests).collect();
    assert_eq!(requests, [2, 5, 2, 2]);
}
