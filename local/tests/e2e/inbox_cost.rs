//! The cost of a page, which must not depend on the number of chats and messages.

use local::database::usage::Usage;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::test_app::{TestApp, merge, text_message};

/// Returns the number of chats in the large inbox, and of messages in one of its chats: `QASID_INBOX_CHATS`, or 5,000.
fn large() -> u32 {
    let requested = std::env::var("QASID_INBOX_CHATS").ok();
    requested.map_or(5_000, |count| count.parse().expect("QASID_INBOX_CHATS is a number"))
}

/// The start of one of the intervals of ten seconds by which the index of the inbox orders chats.
const START: i64 = 1_700_000_000_000;

fn time(milliseconds: i64) -> String {
    format!("{:.3}", jiff::Timestamp::from_millisecond(milliseconds).unwrap())
}

/// Returns a chat whose last message is this many milliseconds after the start. All items of a kind have one size, so
/// the cost of a page depends only on the items it reads.
fn chat(session_id: &str, n: u32, milliseconds: i64) -> Value {
    let id = Uuid::from_u128(u128::from(n)).to_string();
    let phone = format!("20100{n:07}@s.whatsapp.net");
    let (at, interval) = (time(START + milliseconds), time(START + milliseconds / 10_000 * 10_000));
    json!({
        "pk": {"S": format!("CHAT#{id}")}, "sk": {"S": "CHAT"}, "entity": {"S": "chat"},
        "session_id": {"S": session_id}, "remote_id": {"S": phone}, "phone_jid": {"S": phone},
        "name": {"S": format!("Customer {n:07}")}, "type": {"S": "INDIVIDUAL"}, "status": {"S": "INBOX"},
        "is_unread": {"BOOL": false}, "unread_count": {"N": "0"}, "created_at": {"S": at},
        "last_message": {"S": "Where is my order?"}, "last_message_at": {"S": at},
        "inbox_key": {"S": format!("{session_id}#INBOX#0")}, "inbox_position": {"S": format!("{interval}#{id}")},
    })
}

/// Returns a minute's message.
fn message(session_id: &str, chat_id: &str, n: u32) -> Value {
    let id = Uuid::from_u128(u128::from(n) + (1 << 64)).to_string();
    let at = time(START + i64::from(n) * 60_000);
    json!({
        "pk": {"S": format!("CHAT#{chat_id}")}, "sk": {"S": format!("MESSAGE#{at}#{id}")},
        "entity": {"S": "message"}, "id": {"S": id}, "chat_id": {"S": chat_id}, "session_id": {"S": session_id},
        "phone_number_id": {"S": "106540352242922"}, "type": {"S": "text"}, "body": {"S": "Where is my order?"},
        "from_me": {"BOOL": false}, "status": {"S": "received"}, "timestamp": {"S": at},
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

/// Invokes a function with an event of API Gateway that has these members too, and returns the response body and the
/// DynamoDB usage.
pub async fn invoke_measured(app: &TestApp, function: &str, method: &str, members: Value) -> (Value, Usage) {
    let admin = json!({"lambda": {"keyId": "operator", "scopes": "admin"}});
    let event = json!({
        "version": "2.0", "rawPath": "/", "rawQueryString": "", "headers": {}, "isBase64Encoded": false,
        "requestContext": {"http": {"method": method}, "authorizer": admin},
    });
    let event = merge(event, &members);
    let invocation = app.running().lambda().invoke_measured(function, event.to_string().into()).await;
    let response: Value = serde_json::from_slice(&invocation.result.unwrap()).unwrap();
    assert_eq!(response["statusCode"], 200, "{response}");
    (serde_json::from_str(response["body"].as_str().unwrap()).unwrap(), invocation.usage)
}

/// Requests a page of this chat's messages or of the chats.
async fn invoke(app: &TestApp, function: &str, chat_id: &str, query: &str) -> (Value, Usage) {
    let members = json!({"rawQueryString": query, "pathParameters": {"chatId": chat_id}});
    invoke_measured(app, function, "GET", members).await
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
        import(&app, (0..count).map(|n| chat(&session_id, n, i64::from(n) * 60_000)));
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
    assert_eq!(requests, [3, 6, 2, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_of_a_busy_interval_is_in_exact_order() {
    let app = TestApp::start().await;
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    // The ids are not in the order of the messages, of which each millisecond has up to two.
    let at = |n: u32| i64::from(n * 7919 % 800) / 2 * 25;
    import(&app, (0..800).map(|n| chat(&session_id, n, at(n))));
    let mut order: Vec<u32> = (0..800).collect();
    order.sort_by_key(|&n| std::cmp::Reverse((at(n), n)));
    for status in ["&status=INBOX", ""] {
        let query = format!("sessionId={session_id}{status}");
        let (first, usage) = invoke(&app, "chats", "", &query).await;
        let cursor = first["nextCursor"].as_str().unwrap();
        let (second, next_usage) = invoke(&app, "chats", "", &format!("{query}&limit=100&cursor={cursor}")).await;
        println!("800 chats in 10 seconds, page of 25: {usage}; next 100: {next_usage}");
        let chats = [&first, &second].map(|page| page["chats"].as_array().unwrap().clone()).concat();
        let ids: Vec<Uuid> = chats.iter().map(|chat| chat["id"].as_str().unwrap().parse().unwrap()).collect();
        let expected: Vec<Uuid> = order[..125].iter().map(|&n| Uuid::from_u128(u128::from(n))).collect();
        assert_eq!(ids, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_one_interval_write_no_index_entry() {
    let (app, _) = TestApp::connected().await;
    let start = START / 1_000;
    let mut units = Vec::new();
    for (n, at) in [start - 1, start, start, start + 9, start + 10].into_iter().enumerate() {
        let mut message = text_message(&format!("wamid.{n}"), "201001234567", "hello");
        message["timestamp"] = json!(at.to_string());
        let body = app.webhook_body(&json!([message])).to_string();
        let headers = json!({"x-hub-signature-256": app.signature(body.as_bytes())});
        let request = json!({"headers": headers, "body": body});
        let (_, usage) = invoke_measured(&app, "webhook", "POST", request).await;
        units.push(usage.write_units);
    }
    println!("write units of a message in another interval: {}, in the same one: {}", units[1], units[2]);
    // The chat's entry leaves its old position and takes a new one.
    assert_eq!((units[1], units[3], units[4]), (units[2] + 2.0, units[2], units[2] + 2.0));

    // The index doesn't have whether a chat is unread, but it has its status.
    let chat = app.items("chat").await.remove(0);
    let change = async |change: Value| {
        let request = json!({"pathParameters": {"chatId": chat["id"]}, "body": change.to_string()});
        invoke_measured(&app, "chat", "PATCH", request).await.1.write_units
    };
    assert_eq!(change(json!({"isUnread": false})).await, 1.0);
    assert_eq!(change(json!({"status": "PENDING"})).await, 3.0);
}
