//! The inbox: its lists, what a person of the business does to a chat, and what a page costs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::system::{Answer, System, text_message};

async fn patch(system: &System, chat_id: &Value, change: &Value) -> Answer {
    let path = format!("/api/chats/{}", chat_id.as_str().unwrap());
    system.request("PATCH", &path, &[], change.to_string().into_bytes()).await
}

/// The chats of a page, and the cursor of the next.
async fn page(system: &System, query: &str, cursor: &Value) -> (Vec<Value>, Value) {
    let cursor = cursor.as_str().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    let answer = system.get(&format!("/api/chats?{query}{cursor}")).await;
    assert_eq!((answer.status, &answer.json["success"]), (200, &json!(true)), "{}", answer.json);
    (answer.json["chats"].as_array().unwrap().clone(), answer.json["nextCursor"].clone())
}

/// All chats of a list.
async fn walk(system: &System, query: &str) -> Vec<Value> {
    let (mut chats, mut cursor) = page(system, query, &Value::Null).await;
    while !cursor.is_null() {
        let (more, next) = page(system, query, &cursor).await;
        chats.extend(more);
        cursor = next;
    }
    chats
}

fn names(chats: &[Value]) -> BTreeSet<&str> {
    let names: BTreeSet<&str> = chats.iter().map(|chat| chat["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), chats.len(), "each once: {chats:#?}");
    names
}

/// Customers who write in one and the same second, which is as exact as WhatsApp's times are.
async fn many_write(system: &System, count: usize) {
    let messages: Vec<Value> =
        (0..count).map(|n| text_message(&format!("wamid.{n}"), &format!("2010{n:08}"), "hello")).collect();
    assert_eq!(system.webhook(&system.webhook_body(&Value::Array(messages))).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_show_every_chat_once_while_chats_move() {
    for shards in ["1", "16"] {
        let system = System::start_with(&[("InboxShards", shards)]).await;
        let session_id = system.connect("ada").await;
        many_write(&system, 60).await;
        let everything = walk(&system, &format!("sessionId={session_id}&limit=100")).await;
        assert_eq!(everything.len(), 60);
        for (change, chat) in ["PENDING", "RESOLVED", "ARCHIVED"].iter().zip(&everything) {
            assert_eq!(patch(&system, &chat["id"], &json!({"status": change})).await.status, 200);
        }
        let all = names(&everything);

        let query = format!("sessionId={session_id}&limit=7");
        let (mut seen, mut cursor) = page(&system, &query, &Value::Null).await;
        let (first, second_page) = (seen.clone(), cursor.clone());
        // One who was shown already writes, one who was not, and a new one: all three are above what comes now.
        let now = jiff::Timestamp::now().as_second();
        let shown = first[0]["name"].as_str().unwrap().to_owned();
        let hidden = (*all.iter().find(|name| first.iter().all(|chat| chat["name"] != **name)).unwrap()).to_owned();
        for from in [&shown, &hidden, "+201199999999"] {
            system.customer(&json!({"from": from, "text": "again", "timestamp": now.to_string()})).await;
        }
        while !cursor.is_null() {
            let (chats, next) = page(&system, &query, &cursor).await;
            assert!(chats.len() <= 7);
            seen.extend(chats);
            cursor = next;
        }
        let mut expected = all.clone();
        expected.remove(hidden.as_str());
        assert_eq!(names(&seen), expected);
        // A new walk has them at its head.
        let again = walk(&system, &query).await;
        assert_eq!(names(&again[..3]), BTreeSet::from([shown.as_str(), hidden.as_str(), "+201199999999"]));
        assert_eq!(again.len(), 61);

        // A cursor is good for its own list, and for no other.
        let other = system.create("bob").await["id"].as_str().unwrap().to_owned();
        let cursor = second_page.as_str().unwrap();
        for list in [format!("sessionId={other}"), format!("sessionId={session_id}&status=INBOX")] {
            let answer = system.get(&format!("/api/chats?{list}&cursor={cursor}")).await;
            assert_eq!((answer.status, &answer.json["code"]), (400, &json!("invalid_cursor")));
        }
        assert_eq!(walk(&system, &format!("sessionId={other}")).await, Vec::<Value>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_show_what_they_say() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    many_write(&system, 30).await;
    system.send(&session_id, "1203630250@g.us", "to a group").await;
    let list = async |filter: &str| walk(&system, &format!("sessionId={session_id}&limit=10{filter}")).await;
    let chats = list("&type=INDIVIDUAL").await;
    assert_eq!(chats.len(), 30);
    for (chat, status) in chats.iter().zip(["PENDING", "PENDING", "RESOLVED", "ARCHIVED"]) {
        assert_eq!(patch(&system, &chat["id"], &json!({"status": status, "isUnread": false})).await.status, 200);
    }
    for (filter, count) in [
        ("", 31),
        ("&status=INBOX", 27),
        ("&status=PENDING", 2),
        ("&status=RESOLVED", 1),
        ("&status=ARCHIVED", 1),
        ("&type=GROUP", 1),
        ("&unread=true", 26),
        ("&unread=false", 5),
        ("&status=INBOX&type=INDIVIDUAL&unread=true", 26),
        ("&status=PENDING&unread=true", 0),
    ] {
        assert_eq!(names(&list(filter).await).len(), count, "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_is_changed_and_comes_back_when_the_customer_writes() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let write = async |text: &str, at: i64| {
        let message = json!({"from": "201001234567", "name": "Mona", "text": text, "timestamp": at.to_string()});
        system.customer(&message).await;
    };
    let now = jiff::Timestamp::now().as_second() - 60;
    write("hello", now).await;
    let list = async |status: &str| walk(&system, &format!("sessionId={session_id}&status={status}")).await;
    let chat = list("INBOX").await.remove(0);
    let id = &chat["id"];
    let opened = format!("{:.3}", jiff::Timestamp::from_second(now).unwrap());
    let closes = format!("{:.3}", jiff::Timestamp::from_second(now + 24 * 60 * 60).unwrap());
    assert_eq!((&chat["last_inbound_at"], &chat["window_until"]), (&json!(opened), &json!(closes)));
    let path = format!("/api/chats/{}", id.as_str().unwrap());
    assert_eq!(system.get(&path).await.json, json!({"success": true, "chat": chat}));

    // What the business calls somebody stays, whatever he calls himself.
    let answer = patch(&system, id, &json!({"name": " The baker ", "isUnread": true})).await;
    assert_eq!((&answer.json["chat"]["name"], &answer.json["chat"]["is_unread"]), (&json!("The baker"), &json!(true)));
    write("still me", now + 1).await;
    assert_eq!(list("INBOX").await[0]["name"], "The baker");
    let answer = patch(&system, id, &json!({"name": ""})).await;
    assert_eq!(answer.json["chat"]["name"], "Mona");

    // A pending chat stays pending, a closed one comes back, even for a message that was long under way.
    for (status, at, then) in
        [("PENDING", now + 2, "PENDING"), ("RESOLVED", now + 3, "INBOX"), ("ARCHIVED", now - 10, "INBOX")]
    {
        let answer = patch(&system, id, &json!({"status": status, "isUnread": false})).await;
        assert_eq!((&answer.json["chat"]["status"], &answer.json["chat"]["unread_count"]), (&json!(status), &json!(0)));
        assert_eq!(list(status).await.len(), 1);
        write("here again", at).await;
        let chats = list(then).await;
        assert_eq!((chats.len(), &chats[0]["unread_count"]), (1, &json!(1)), "{status}");
        assert_eq!(walk(&system, &format!("sessionId={session_id}")).await.len(), 1);
    }

    // Whoever closes the chat while customers write: every message is counted, and the lists agree with the row.
    let resolved = json!({"status": "RESOLVED"});
    let (messages, closings) = tokio::join!(
        futures_util::future::join_all((0..12).map(|n| write("at once", now + 10 + n))),
        futures_util::future::join_all((0..12).map(|_| patch(&system, id, &resolved))),
    );
    assert_eq!((messages.len(), closings.iter().filter(|answer| answer.status == 200).count()), (12, 12));
    let chat = system.get(&path).await.json["chat"].clone();
    assert_eq!(chat["unread_count"], 13);
    assert_eq!(list(chat["status"].as_str().unwrap()).await[..], std::slice::from_ref(&chat)[..]);
    write("the last word", now + 40).await;
    assert_eq!(list("INBOX").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_a_chat_makes_the_ticks_blue() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let message = json!({"from": "201001234567", "text": "hello"});
    system.customer(&message).await;
    let id = system.simulator("POST", "/simulator/messages", &message).await["ids"][0].clone();
    let sent = system.send(&session_id, "+201009999999", "to somebody who never wrote").await;
    let path = format!("/api/chats/{}/read", sent.json["chat"]["id"].as_str().unwrap());
    assert_eq!(system.post(&path, &json!({})).await.json["read_receipt"], "none");

    // Faults are for the next request to WhatsApp, which is not to be this message's.
    system.message_with("the message to be read", |row| row["status"] == "read").await;

    let chats = walk(&system, &format!("sessionId={session_id}&unread=true")).await;
    assert_eq!((chats.len(), &chats[0]["unread_count"]), (1, &json!(2)));
    let path = format!("/api/chats/{}/read", chats[0]["id"].as_str().unwrap());
    // WhatsApp being away is no reason to show the chat as unread.
    for fault in [json!({"errorCode": 131000, "times": 1}), json!({"dropBeforeAcceptance": true, "times": 1})] {
        system.faults(&json!({"sends": fault})).await;
        let answer = system.post(&path, &json!({})).await;
        assert_eq!((answer.status, &answer.json["read_receipt"]), (200, &json!("failed")), "{}", answer.json);
        assert!(answer.json["read_receipt_error"].as_str().is_some_and(|error| !error.is_empty()));
        assert_eq!(
            (&answer.json["chat"]["is_unread"], &answer.json["chat"]["unread_count"]),
            (&json!(false), &json!(0))
        );
    }
    let receipts = async || system.simulator("GET", "/simulator/receipts", &Value::Null).await["receipts"].clone();
    assert_eq!(receipts().await, json!([]));
    for times in 1..=2 {
        let answer = system.post(&path, &json!({})).await;
        assert_eq!((&answer.json["read_receipt"], &answer.json["read_receipt_error"]), (&json!("sent"), &Value::Null));
        let receipts = receipts().await;
        assert_eq!((receipts.as_array().unwrap().len(), &receipts[times - 1]["messageId"]), (times, &id));
    }
}

/// The texts of a page, and the cursor of the next.
async fn texts(system: &System, chat_id: &Value, query: &str, cursor: &Value) -> (Vec<String>, Value) {
    let cursor = cursor.as_str().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    let path = format!("/api/chats/{}/messages?{query}{cursor}", chat_id.as_str().unwrap());
    let answer = system.get(&path).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    let messages = answer.json["messages"].as_array().unwrap();
    assert!(messages.iter().all(|message| message["statuses"].is_object() && message["attempts"].is_array()));
    let texts = messages.iter().map(|message| message["body"].as_str().unwrap().to_owned()).collect();
    (texts, answer.json["nextCursor"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_page_in_both_directions_and_across_merged_chats() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let now = jiff::Timestamp::now().as_second() - 100;
    let at = |n: usize| (now + i64::try_from(n).unwrap() / 3).to_string();
    let message = |n: usize, from: &str| json!({"from": from, "id": format!("wamid.{n:02}"), "timestamp": at(n), "type": "text", "text": {"body": format!("{n:02}")}});
    // The even ones in one chat, the odd ones in another.
    let messages: Vec<Value> =
        (0..40).map(|n| message(n, if n % 2 == 0 { "201001234567" } else { "201007654321" })).collect();
    assert_eq!(system.webhook(&system.webhook_body(&json!(messages))).await.status, 200);
    let chats = walk(&system, &format!("sessionId={session_id}")).await;
    let chat = |phone: &str| chats.iter().find(|chat| chat["name"] == phone).unwrap()["id"].clone();
    let (one, two) = (chat("+201001234567"), chat("+201007654321"));
    let read = async |chat_id: &Value, order: &str| {
        let query = format!("limit=7&order={order}");
        let (mut all, mut cursor) = texts(&system, chat_id, &query, &Value::Null).await;
        while !cursor.is_null() {
            let (more, next) = texts(&system, chat_id, &query, &cursor).await;
            all.extend(more);
            cursor = next;
        }
        all
    };
    let in_both = async |chat_id: &Value, count: usize| {
        let oldest_first = read(chat_id, "asc").await;
        let mut newest_first = read(chat_id, "desc").await;
        assert_eq!(newest_first.iter().collect::<BTreeSet<_>>().len(), count);
        newest_first.reverse();
        assert_eq!(newest_first, oldest_first);
        // Messages of one second have no order of their own, and the same one in every reading.
        assert!(oldest_first.is_sorted_by_key(|text| at(text.parse().unwrap())));
        oldest_first
    };
    let evens = in_both(&one, 20).await;

    // A cursor says where, and the order says in which direction.
    let (first, cursor) = texts(&system, &one, "limit=5", &Value::Null).await;
    let (back, end) = texts(&system, &one, "limit=100&order=asc", &cursor).await;
    assert_eq!((back.len(), &back[3], end), (4, &first[0], Value::Null));
    let path = format!("/api/chats/{}/messages?cursor={}", two.as_str().unwrap(), cursor.as_str().unwrap());
    assert_eq!(system.get(&path).await.json["code"], "invalid_cursor");

    // As one person's chats are merged: nothing moves, one row points to the other.
    let set = |chat_id: &Value, expression: &str, value: Value| {
        let update = json!({
            "TableName": system.ready.table,
            "Key": {"pk": {"S": format!("CHAT#{}", chat_id.as_str().unwrap())}, "sk": {"S": "CHAT"}},
            "UpdateExpression": expression,
            "ExpressionAttributeValues": {":value": value},
        });
        system.running().database().embedded().update_item(serde_json::from_value(update).unwrap()).unwrap();
    };
    let merged = json!({"M": {"chat_id": {"S": two}, "at": {"S": "2026-01-01T00:00:00.000Z"}, "newest": {"S": "2100-01-01T00:00:00.000Z"}}});
    set(&one, "SET merged = :value", json!({"L": [merged]}));
    set(&two, "SET merged_into = :value REMOVE inbox_key", json!({"S": one}));
    assert_eq!(walk(&system, &format!("sessionId={session_id}")).await.len(), 1);
    for chat_id in [&one, &two] {
        let all = in_both(chat_id, 40).await;
        assert_eq!(all.into_iter().filter(|text| evens.contains(text)).collect::<Vec<_>>(), evens);
    }
    // What is done to the chat that was is done to the chat that is.
    let answer = patch(&system, &two, &json!({"status": "PENDING"})).await;
    assert_eq!((&answer.json["chat"]["id"], &answer.json["chat"]["status"]), (&one, &json!("PENDING")));
}
