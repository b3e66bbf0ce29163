//! The inbox: its lists, and changes that agents make to chats.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::test_app::{Response, TestApp, merge, now, text_message};

async fn patch(app: &TestApp, chat_id: &Value, change: &Value) -> Response {
    app.patch(&format!("/api/chats/{}", chat_id.as_str().unwrap()), change).await
}

/// Returns the chats of a page, and the cursor of the next page.
async fn page(app: &TestApp, query: &str, cursor: &Value) -> (Vec<Value>, Value) {
    let cursor = cursor.as_str().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    let response = app.get(&format!("/api/chats?{query}{cursor}")).await;
    assert_eq!((response.status, &response.json["success"]), (200, &json!(true)), "{}", response.json);
    (response.json["chats"].as_array().unwrap().clone(), response.json["nextCursor"].clone())
}

/// Returns all chats of a list.
async fn all_chats(app: &TestApp, query: &str) -> Vec<Value> {
    app.all(&format!("/api/chats?{query}"), "chats").await
}

fn names(chats: &[Value]) -> BTreeSet<&str> {
    let names: BTreeSet<&str> = chats.iter().map(|chat| chat["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), chats.len(), "every chat appears once: {chats:#?}");
    names
}

/// Delivers a message from each of `count` contacts, all with the same timestamp (WhatsApp's resolution is a second).
async fn receive_from_many(app: &TestApp, count: usize) {
    let messages: Vec<Value> =
        (0..count).map(|n| text_message(&format!("wamid.{n}"), &format!("2010{n:08}"), "hello")).collect();
    app.deliver_messages(&Value::Array(messages)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_show_every_chat_once_during_updates() {
    for shards in ["1", "16"] {
        let app = TestApp::start_with(&[("InboxShards", shards)]).await;
        let session_id = app.connect("ada").await;
        receive_from_many(&app, 60).await;
        let chats = all_chats(&app, &format!("sessionId={session_id}&limit=100")).await;
        assert_eq!(chats.len(), 60);
        for (change, chat) in ["PENDING", "RESOLVED", "ARCHIVED"].iter().zip(&chats) {
            assert_eq!(patch(&app, &chat["id"], &json!({"status": change})).await.status, 200);
        }
        let all = names(&chats);

        let query = format!("sessionId={session_id}&limit=7");
        let (mut seen, mut cursor) = page(&app, &query, &Value::Null).await;
        let (first, second_page) = (seen.clone(), cursor.clone());
        // A listed contact, an unlisted one, and a new one write, which moves their chats before the current page.
        let now = now();
        let shown = first[0]["name"].as_str().unwrap().to_owned();
        let hidden = (*all.iter().find(|name| first.iter().all(|chat| chat["name"] != **name)).unwrap()).to_owned();
        for from in [&shown, &hidden, "+201199999999"] {
            app.inbound(&json!({"from": from, "text": "again", "timestamp": now.to_string()})).await;
        }
        while !cursor.is_null() {
            let (chats, next) = page(&app, &query, &cursor).await;
            assert!(chats.len() <= 7);
            seen.extend(chats);
            cursor = next;
        }
        let mut expected = all.clone();
        expected.remove(hidden.as_str());
        assert_eq!(names(&seen), expected);
        // A new listing starts with them.
        let again = all_chats(&app, &query).await;
        assert_eq!(names(&again[..3]), BTreeSet::from([shown.as_str(), hidden.as_str(), "+201199999999"]));
        assert_eq!(again.len(), 61);

        // A cursor is valid only for its own list.
        let other = app.create_session("bob").await["id"].as_str().unwrap().to_owned();
        let cursor = second_page.as_str().unwrap();
        for list in [format!("sessionId={other}"), format!("sessionId={session_id}&status=INBOX")] {
            let response = app.get(&format!("/api/chats?{list}&cursor={cursor}")).await;
            assert_eq!((response.status, &response.json["code"]), (400, &json!("invalid_cursor")));
        }
        assert_eq!(all_chats(&app, &format!("sessionId={other}")).await, Vec::<Value>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chat_with_the_newest_message_is_first() {
    let (app, session_id) = TestApp::connected_with(&["201001111111", "201002222222"]).await;
    let (first, second) = ("201001111111", "201002222222");
    // The index has both chats in one interval, in no particular order.
    for (to, other) in [(first, second), (second, first)] {
        for recipient in [to, other, to] {
            app.send(&session_id, recipient, "hello").await;
        }
        let chats = all_chats(&app, &format!("sessionId={session_id}&limit=1")).await;
        let phones: Vec<String> = chats.iter().map(|chat| chat["remote_id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(phones, [to, other].map(|phone| format!("{phone}@s.whatsapp.net")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_select_matching_chats() {
    let (app, session_id) = TestApp::connected().await;
    receive_from_many(&app, 30).await;
    app.send(&session_id, "1203630250@g.us", "to a group").await;
    let list = async |filter: &str| all_chats(&app, &format!("sessionId={session_id}&limit=10{filter}")).await;
    let chats = list("&type=INDIVIDUAL").await;
    assert_eq!(chats.len(), 30);
    for (chat, status) in chats.iter().zip(["PENDING", "PENDING", "RESOLVED", "ARCHIVED"]) {
        assert_eq!(patch(&app, &chat["id"], &json!({"status": status, "isUnread": false})).await.status, 200);
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
async fn inbound_message_reopens_a_closed_chat() {
    let (app, session_id) = TestApp::connected().await;
    let write = async |text: &str, at: i64| {
        let message = json!({"from": "201001234567", "name": "Mona", "text": text, "timestamp": at.to_string()});
        app.inbound(&message).await;
    };
    let now = now() - 60;
    write("hello", now).await;
    let list = async |status: &str| all_chats(&app, &format!("sessionId={session_id}&status={status}")).await;
    let chat = list("INBOX").await.remove(0);
    let id = &chat["id"];
    let opened = format!("{:.3}", jiff::Timestamp::from_second(now).unwrap());
    let closes = format!("{:.3}", jiff::Timestamp::from_second(now + 24 * 60 * 60).unwrap());
    assert_eq!((&chat["last_inbound_at"], &chat["window_until"]), (&json!(opened), &json!(closes)));
    let path = format!("/api/chats/{}", id.as_str().unwrap());
    assert_eq!(app.get(&path).await.json, json!({"success": true, "chat": chat}));

    // A name that an agent sets replaces the contact's own name.
    let response = patch(&app, id, &json!({"name": " The baker ", "isUnread": true})).await;
    assert_eq!(
        (&response.json["chat"]["name"], &response.json["chat"]["is_unread"]),
        (&json!("The baker"), &json!(true))
    );
    write("still me", now + 1).await;
    assert_eq!(list("INBOX").await[0]["name"], "The baker");
    let response = patch(&app, id, &json!({"name": ""})).await;
    assert_eq!(response.json["chat"]["name"], "Mona");

    // A pending chat stays pending. A closed chat reopens, even for a late message.
    for (status, at, expected) in
        [("PENDING", now + 2, "PENDING"), ("RESOLVED", now + 3, "INBOX"), ("ARCHIVED", now - 10, "INBOX")]
    {
        let response = patch(&app, id, &json!({"status": status, "isUnread": false})).await;
        assert_eq!(
            (&response.json["chat"]["status"], &response.json["chat"]["unread_count"]),
            (&json!(status), &json!(0))
        );
        assert_eq!(list(status).await.len(), 1);
        write("here again", at).await;
        let chats = list(expected).await;
        assert_eq!((chats.len(), &chats[0]["unread_count"]), (1, &json!(1)), "{status}");
        assert_eq!(all_chats(&app, &format!("sessionId={session_id}")).await.len(), 1);
    }

    // Concurrent messages and status changes: every message is counted, and the lists match the chat.
    let resolved = json!({"status": "RESOLVED"});
    let (messages, changes) = tokio::join!(
        futures_util::future::join_all((0..12).map(|n| write("at once", now + 10 + n))),
        futures_util::future::join_all((0..12).map(|_| patch(&app, id, &resolved))),
    );
    assert_eq!((messages.len(), changes.iter().filter(|response| response.status == 200).count()), (12, 12));
    let chat = app.get(&path).await.json["chat"].clone();
    assert_eq!(chat["unread_count"], 13);
    assert_eq!(list(chat["status"].as_str().unwrap()).await[..], std::slice::from_ref(&chat)[..]);
    write("the last word", now + 40).await;
    assert_eq!(list("INBOX").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_a_chat_sends_a_read_receipt() {
    let (app, session_id) = TestApp::connected().await;
    let message = json!({"from": "201001234567", "text": "hello"});
    app.inbound(&message).await;
    let id = app.simulator("POST", "/simulator/messages", &message).await["ids"][0].clone();
    let sent = app.send(&session_id, "+201009999999", "to a contact who never wrote").await;
    let path = format!("/api/chats/{}/read", sent.json["chat"]["id"].as_str().unwrap());
    assert_eq!(app.post(&path, &json!({})).await.json["read_receipt"], "none");

    // The injected faults must not affect the delivery of this message.
    app.wait_for_status("read").await;

    let chats = all_chats(&app, &format!("sessionId={session_id}&unread=true")).await;
    assert_eq!((chats.len(), &chats[0]["unread_count"]), (1, &json!(2)));
    let path = format!("/api/chats/{}/read", chats[0]["id"].as_str().unwrap());
    // The chat is marked as read even if WhatsApp is not available.
    for fault in [json!({"errorCode": 131000}), json!({"dropBeforeAcceptance": true})] {
        app.set_faults(&json!({"sends": fault})).await;
        let response = app.post(&path, &json!({})).await;
        assert_eq!((response.status, &response.json["read_receipt"]), (200, &json!("failed")), "{}", response.json);
        assert!(response.json["read_receipt_error"].as_str().is_some_and(|error| !error.is_empty()));
        assert_eq!(
            (&response.json["chat"]["is_unread"], &response.json["chat"]["unread_count"]),
            (&json!(false), &json!(0))
        );
    }
    app.set_faults(&json!({"sends": null})).await;
    let receipts = async || app.simulator("GET", "/simulator/receipts", &Value::Null).await["receipts"].clone();
    assert_eq!(receipts().await, json!([]));
    for times in 1..=2 {
        let response = app.post(&path, &json!({})).await;
        assert_eq!(
            (&response.json["read_receipt"], &response.json["read_receipt_error"]),
            (&json!("sent"), &Value::Null)
        );
        let receipts = receipts().await;
        assert_eq!((receipts.as_array().unwrap().len(), &receipts[times - 1]["messageId"]), (times, &id));
    }
}

/// Returns the texts of a page, and the cursor of the next page.
async fn texts(app: &TestApp, chat_id: &Value, query: &str, cursor: &Value) -> (Vec<String>, Value) {
    let cursor = cursor.as_str().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    let path = format!("/api/chats/{}/messages?{query}{cursor}", chat_id.as_str().unwrap());
    let response = app.get(&path).await;
    assert_eq!(response.status, 200, "{}", response.json);
    let messages = response.json["messages"].as_array().unwrap();
    assert!(messages.iter().all(|message| message["statuses"].is_object() && message["attempts"].is_array()));
    let texts = messages.iter().map(|message| message["body"].as_str().unwrap().to_owned()).collect();
    (texts, response.json["nextCursor"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_paged_in_both_orders_and_across_merged_chats() {
    let (app, session_id) = TestApp::connected().await;
    let now = now() - 100;
    let at = |n: usize| (now + i64::try_from(n).unwrap() / 3).to_string();
    let message = |n: usize, from: &str| {
        merge(text_message(&format!("wamid.{n:02}"), from, &format!("{n:02}")), &json!({"timestamp": at(n)}))
    };
    // Even messages are in one chat, odd ones in another.
    let messages: Vec<Value> =
        (0..40).map(|n| message(n, if n % 2 == 0 { "201001234567" } else { "201007654321" })).collect();
    app.deliver_messages(&json!(messages)).await;
    let chats = all_chats(&app, &format!("sessionId={session_id}")).await;
    let chat = |phone: &str| chats.iter().find(|chat| chat["name"] == phone).unwrap()["id"].clone();
    let (one, two) = (chat("+201001234567"), chat("+201007654321"));
    let read = async |chat_id: &Value, order: &str| {
        let path = format!("/api/chats/{}/messages?limit=7&order={order}", chat_id.as_str().unwrap());
        let messages = app.all(&path, "messages").await.into_iter();
        messages.map(|message| message["body"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let in_both = async |chat_id: &Value, count: usize| {
        let oldest_first = read(chat_id, "asc").await;
        let mut newest_first = read(chat_id, "desc").await;
        assert_eq!(newest_first.iter().collect::<BTreeSet<_>>().len(), count);
        newest_first.reverse();
        assert_eq!(newest_first, oldest_first);
        // Messages of the same second keep the same order in every listing.
        assert!(oldest_first.is_sorted_by_key(|text| at(text.parse().unwrap())));
        oldest_first
    };
    let evens = in_both(&one, 20).await;

    // A cursor is a position, valid for both orders.
    let (first, cursor) = texts(&app, &one, "limit=5", &Value::Null).await;
    let (reversed, end) = texts(&app, &one, "limit=100&order=asc", &cursor).await;
    assert_eq!((reversed.len(), &reversed[3], end), (4, &first[0], Value::Null));
    let path = format!("/api/chats/{}/messages?cursor={}", two.as_str().unwrap(), cursor.as_str().unwrap());
    assert_eq!(app.get(&path).await.json["code"], "invalid_cursor");

    // Merge the chats as the store does: no message moves, and one chat points to the other.
    let set = |chat_id: &Value, expression: &str, value: Value| {
        let update = json!({
            "TableName": app.ready.table,
            "Key": {"pk": {"S": format!("CHAT#{}", chat_id.as_str().unwrap())}, "sk": {"S": "CHAT"}},
            "UpdateExpression": expression,
            "ExpressionAttributeValues": {":value": value},
        });
        app.running().database().embedded().update_item(serde_json::from_value(update).unwrap()).unwrap();
    };
    let (at_time, newest) = ("2026-01-01T00:00:00.000Z", "2100-01-01T00:00:00.000Z");
    let merged = json!({"M": {"chat_id": {"S": two}, "at": {"S": at_time}, "newest": {"S": newest}}});
    set(&one, "SET merged = :value", json!({"L": [merged]}));
    set(&two, "SET merged_into = :value REMOVE inbox_key", json!({"S": one}));
    assert_eq!(all_chats(&app, &format!("sessionId={session_id}")).await.len(), 1);
    for chat_id in [&one, &two] {
        let all = in_both(chat_id, 40).await;
        assert_eq!(all.into_iter().filter(|text| evens.contains(text)).collect::<Vec<_>>(), evens);
    }
    // A change to the merged chat applies to the remaining one.
    let response = patch(&app, &two, &json!({"status": "PENDING"})).await;
    assert_eq!((&response.json["chat"]["id"], &response.json["chat"]["status"]), (&one, &json!("PENDING")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_one_second_are_listed_and_exported_by_arrival() {
    let (app, session_id) = TestApp::connected().await;
    let second = now() - 60;
    let message = |n: usize| {
        let at = json!({"timestamp": (second + i64::from(n >= 20)).to_string()});
        merge(text_message(&format!("wamid.{n:02}"), "201001234567", &format!("{n:02}")), &at)
    };
    // One webhook with several messages, several webhooks with one each, and again one with several, in the next second.
    app.deliver_messages(&json!((0..8).map(message).collect::<Vec<_>>())).await;
    for n in 8..20 {
        app.deliver_messages(&json!([message(n)])).await;
    }
    app.deliver_messages(&json!((20..24).map(message).collect::<Vec<_>>())).await;
    // A repetition changes nothing.
    app.deliver_messages(&json!((4..9).rev().map(message).collect::<Vec<_>>())).await;

    let chat = all_chats(&app, &format!("sessionId={session_id}")).await.remove(0);
    assert_eq!(chat["last_message"], "23");
    let expected: Vec<String> = (0..24).map(|n| format!("{n:02}")).collect();
    let path = format!("/api/chats/{}", chat["id"].as_str().unwrap());
    let texts = async |path: String| {
        let messages = app.all(&path, "messages").await.into_iter();
        messages.map(|message| message["body"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for limit in [1, 2, 7, 20, 100] {
        assert_eq!(texts(format!("{path}/messages?order=asc&limit={limit}")).await, expected, "{limit}");
        let mut newest_first = texts(format!("{path}/messages?limit={limit}")).await;
        newest_first.reverse();
        assert_eq!(newest_first, expected, "{limit}");
        assert_eq!(texts(format!("{path}/export?limit={limit}")).await, expected, "{limit}");
    }
    // A page is full if there are more messages.
    let page = app.get(&format!("{path}/messages?limit=7")).await.json;
    assert_eq!(page["messages"].as_array().unwrap().len(), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preview_is_the_message_that_arrives_last_in_a_second() {
    let (app, session_id) = TestApp::connected().await;
    for round in 0..3 {
        let sent = app.send(&session_id, "+201001234567", &format!("question {round}")).await;
        let sent_at: jiff::Timestamp = sent.json["message"]["timestamp"].as_str().unwrap().parse().unwrap();
        let answer = text_message(&format!("wamid.{round}"), "201001234567", &format!("answer {round}"));
        let at = json!({"timestamp": sent_at.as_second().to_string()});
        app.deliver_messages(&json!([merge(answer, &at)])).await;
        let chat = all_chats(&app, &format!("sessionId={session_id}")).await.remove(0);
        assert_eq!((&chat["last_message"], &chat["unread_count"]), (&json!(format!("answer {round}")), &json!(1)));
        let path = format!("/api/chats/{}/messages?limit=1", chat["id"].as_str().unwrap());
        assert_eq!(app.get(&path).await.json["messages"][0]["body"], chat["last_message"]);
    }
}
