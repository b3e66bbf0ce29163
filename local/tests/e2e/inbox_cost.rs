//! What a page costs must not depend on how many chats and messages there are.

use local::database::usage::Usage;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::system::System;

/// How many chats, and how many messages in one of them, the large inbox has.
/// `QASID_INBOX_CHATS=1000000` makes it as large as any.
fn large() -> u32 {
    #[allow(clippy::disallowed_methods, reason = "a test may be asked for more")]
    let asked = std::env::var("QASID_INBOX_CHATS").ok();
    asked.map_or(5_000, |count| count.parse().expect("QASID_INBOX_CHATS is a number"))
}

/// All rows are of one size, so that pages cost the same if they read the same number of them.
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
        "wamid": {"S": format!("wamid.{n:07}")}, "wamid_key": {"S": format!("106540352242922#wamid.{n:07}")},
    })
}

/// Writes rows as they would be, past the API, without the stream.
fn fill(system: &System, rows: impl Iterator<Item = Value>) {
    let database = system.running().database().embedded();
    let mut rows = rows.map(|row| serde_json::from_value(row).unwrap()).peekable();
    while rows.peek().is_some() {
        let some = rows.by_ref().take(10_000).collect();
        database.import_items(&system.ready.table, some, dynoxide::ImportOptions::default()).unwrap();
    }
}

/// What the function answers to this path and query, and what that took of the table.
async fn ask(system: &System, function: &str, chat_id: &str, query: &str) -> (Value, Usage) {
    let admin = json!({"lambda": {"keyId": "operator", "scopes": "admin"}});
    let event = json!({
        "version": "2.0", "rawPath": "/", "rawQueryString": query, "headers": {}, "isBase64Encoded": false,
        "pathParameters": {"chatId": chat_id}, "requestContext": {"http": {"method": "GET"}, "authorizer": admin},
    });
    let invocation = system.running().lambda().invoke_measured(function, event.to_string().into()).await;
    let answer: Value = serde_json::from_slice(&invocation.result.unwrap()).unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    (serde_json::from_str(answer["body"].as_str().unwrap()).unwrap(), invocation.usage)
}

/// The first page of a list, and the one after it.
async fn pages(system: &System, function: &str, chat_id: &str, query: &str, items: &str) -> [Usage; 2] {
    // Whatever the function does once is not the page's.
    ask(system, function, chat_id, query).await;
    let (first, first_usage) = ask(system, function, chat_id, query).await;
    let cursor = first["nextCursor"].as_str().expect("there is more");
    let (second, second_usage) = ask(system, function, chat_id, &format!("{query}&cursor={cursor}")).await;
    assert_eq!((first[items].as_array().unwrap().len(), second[items].as_array().unwrap().len()), (25, 25));
    [first_usage, second_usage]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_costs_the_same_however_large_the_inbox_is() {
    let mut costs = Vec::new();
    for count in [100, large()] {
        let system = System::start().await;
        let session_id = system.create("ada").await["id"].as_str().unwrap().to_owned();
        let chat_id = Uuid::from_u128(0).to_string();
        fill(&system, (0..count).map(|n| chat(&session_id, n)));
        fill(&system, (0..count).map(|n| message(&session_id, &chat_id, n)));
        let lists = [
            pages(&system, "chats", "", &format!("sessionId={session_id}&status=INBOX"), "chats").await,
            pages(&system, "chats", "", &format!("sessionId={session_id}"), "chats").await,
            pages(&system, "chat-messages", &chat_id, "order=desc", "messages").await,
            pages(&system, "chat-messages", &chat_id, "order=asc", "messages").await,
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
