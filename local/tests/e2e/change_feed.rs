//! `GET /api/changes`: pages of the change log, and what the changes are about.

use serde_json::{Value, json};

use crate::test_app::{TestApp, text_message};

/// Delivers a message from a contact for each text.
async fn receive(app: &TestApp, from: &str, texts: &[&str]) {
    for text in texts {
        app.deliver_messages(&json!([text_message(&format!("wamid.{from}.{text}"), from, text)])).await;
    }
}

/// Waits until the log has this many received messages, and returns their changes.
async fn received(app: &TestApp, session_id: &str, count: usize) -> Vec<Value> {
    let path = format!("/api/changes?sessionId={session_id}&after=0&types=message.received");
    app.wait_until(&format!("{count} changes"), async || {
        app.get(&path).await.json["changes"].as_array().is_some_and(|changes| changes.len() == count)
    })
    .await;
    app.get(&path).await.json["changes"].as_array().unwrap().clone()
}

fn numbers(changes: &[Value]) -> Vec<u64> {
    changes.iter().map(|change| change["sequence"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_read_from_a_position_in_pages_and_by_type() {
    let (app, session_id) = TestApp::connected().await;
    receive(&app, "201001234567", &["a", "b", "c"]).await;
    let messages = received(&app, &session_id, 3).await;
    assert_eq!(messages.iter().map(|change| &change["message"]["body"]).collect::<Vec<_>>(), ["a", "b", "c"]);
    let all = app.all_changes(&session_id, 0).await;
    assert!(numbers(&all).is_sorted_by(|a, b| a < b), "{all:#?}");
    let last = all.last().unwrap()["sequence"].as_u64().unwrap();

    let end = app.changes(&session_id, None).await;
    assert_eq!(end, json!({"success": true, "changes": [], "next": last, "more": false}));
    assert_eq!(app.changes(&session_id, last).await, end);

    // Pages of two have each change once.
    let (mut paged, mut next) = (Vec::new(), 0);
    loop {
        let page = app.get(&format!("/api/changes?sessionId={session_id}&after={next}&limit=2")).await.json;
        let changes = page["changes"].as_array().unwrap();
        assert!(changes.len() <= 2);
        paged.extend(changes.clone());
        next = page["next"].as_u64().unwrap();
        if page["more"] != true {
            break;
        }
    }
    assert_eq!((numbers(&paged), next), (numbers(&all), last));

    // A page of one type ends at its last change, and the page after it at the end of the log.
    let of_type = |after: u64, limit: usize, types: &str| {
        format!("/api/changes?sessionId={session_id}&after={after}&limit={limit}&types={types}")
    };
    let page = app.get(&of_type(0, 2, "message.received")).await.json;
    assert_eq!(numbers(page["changes"].as_array().unwrap()), numbers(&messages[..2]));
    assert_eq!(page["next"], messages[1]["sequence"]);
    let rest = app.get(&of_type(page["next"].as_u64().unwrap(), 2, "message.received")).await.json;
    assert_eq!(numbers(rest["changes"].as_array().unwrap()), numbers(&messages[2..]));
    assert_eq!((&rest["next"], &rest["more"]), (&json!(last), &json!(false)));
    let none = app.get(&of_type(0, 100, "message.failed,chat.erased")).await.json;
    assert_eq!(none, json!({"success": true, "changes": [], "next": last, "more": false}));
    let group = app.get(&of_type(0, 100, "message.*")).await.json;
    assert_eq!(group["changes"].as_array().unwrap().len(), 3);

    // A message's change has the message and the chat as their own routes return them.
    let change = &messages[2];
    let id = change["message_id"].as_str().unwrap();
    assert_eq!(change["message"], app.get(&format!("/api/messages/{id}")).await.json["message"]);
    let chat_id = change["chat_id"].as_str().unwrap();
    assert_eq!(change["chat"], app.get(&format!("/api/chats/{chat_id}")).await.json["chat"]);

    let path = format!("/api/changes?sessionId={session_id}&after=0");
    let head = app.request("HEAD", &path, &[], Vec::new()).await;
    assert_eq!((head.status, head.bytes.len()), (200, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statuses_have_their_own_status_and_time() {
    let (app, session_id) = TestApp::connected().await;
    // Opens the customer service window.
    app.inbound(&json!({"from": "201001234567", "text": "a"})).await;
    let sent = app.send(&session_id, "201001234567", "hello").await.json;
    let id = &sent["message"]["id"];
    let is_of = |change: &Value, kind: &str| change["message_id"] == *id && change["type"] == kind;
    app.wait_for_change(&session_id, "the message was read", |change| is_of(change, "message.read")).await;
    let message = app.get(&format!("/api/messages/{}", id.as_str().unwrap())).await.json["message"].clone();
    let changes = app.all_changes(&session_id, 0).await;
    let created = changes.iter().find(|change| is_of(change, "message.created")).unwrap();
    assert_eq!((&created["source"], &created["chat"]["id"]), (&Value::Null, &created["chat_id"]));
    assert_eq!(created.get("status"), None);
    for (status, time) in [("delivered", "delivered_at"), ("read", "read_at")] {
        let change = changes.iter().find(|change| is_of(change, &format!("message.{status}"))).unwrap();
        assert_eq!((&change["status"], &change["at"]), (&json!(status), &message["statuses"][time]));
        assert_eq!(change["message"], message);
        assert_eq!(change.get("chat"), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_an_erased_chat_have_no_content() {
    let (app, session_id) = TestApp::connected().await;
    receive(&app, "201001234567", &["a"]).await;
    let change = received(&app, &session_id, 1).await.remove(0);
    let chat_id = change["chat_id"].as_str().unwrap();
    assert_eq!(app.delete(&format!("/api/chats/{chat_id}")).await.status, 200);
    let erased =
        app.wait_for_change(&session_id, "the erasure of the chat", |change| change["type"] == "chat.erased").await;
    assert_eq!((&erased["chat_id"], &erased["chat"]), (&change["chat_id"], &Value::Null));
    // The contact writes again: the chat has the same ID, but the earlier changes are about the erased one.
    receive(&app, "201001234567", &["b"]).await;
    let messages = received(&app, &session_id, 2).await;
    assert_eq!((&messages[0]["id"], &messages[0]["message"]), (&change["id"], &Value::Null));
    assert_eq!(messages[1]["message"]["body"], "b");
    let all = app.all_changes(&session_id, 0).await;
    let erased = all.iter().find(|change| change["type"] == "chat.erased").unwrap();
    assert_eq!(erased["chat"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_a_merged_chat_show_the_remaining_one() {
    let (app, session_id) = TestApp::connected().await;
    let user_id = "US.13491208655302741918";
    let by_number = text_message("wamid.1", "201001234567", "by number");
    let mut by_user_id = text_message("wamid.2", "", "by user ID");
    by_user_id.as_object_mut().unwrap().remove("from");
    by_user_id["from_user_id"] = json!(user_id);
    app.deliver_messages(&json!([by_number])).await;
    app.deliver_messages(&json!([by_user_id])).await;
    let before = received(&app, &session_id, 2).await;
    assert_ne!(before[0]["chat_id"], before[1]["chat_id"]);
    // A message with both addresses shows that they are one contact's.
    let mut both = text_message("wamid.3", "201001234567", "both");
    both["from_user_id"] = json!(user_id);
    app.deliver_messages(&json!([both])).await;
    let merged =
        app.wait_for_change(&session_id, "the merge of the chats", |change| change["type"] == "chat.merged").await;
    let remaining = merged["merged_into"].clone();
    assert_ne!(merged["chat_id"], remaining);
    assert_eq!(merged["chat"]["id"], remaining);
    for (change, before) in received(&app, &session_id, 3).await.iter().zip(&before) {
        assert_eq!(change["chat_id"], before["chat_id"]);
        assert_eq!(change["chat"]["id"], remaining);
        assert_eq!(change["message"]["body"], before["message"]["body"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_end_a_page_early() {
    let (app, session_id) = TestApp::connected().await;
    let text = "x".repeat(60_000);
    for batch in 0..2 {
        let message = |n| text_message(&format!("wamid.{batch}.{n}"), "201001234567", &text);
        app.deliver_messages(&(0..20).map(message).collect()).await;
    }
    let count = async |expected: usize| {
        let all = app.all_changes(&session_id, 0).await;
        all.iter().filter(|change| change["type"] == "message.received").count() == expected
    };
    app.wait_until("the changes of all messages", async || count(40).await).await;
    let page = app.changes(&session_id, 0).await;
    let changes = page["changes"].as_array().unwrap();
    assert!(changes.len() < 40, "{}", changes.len());
    assert_eq!((&page["more"], &page["next"]), (&json!(true), &changes.last().unwrap()["sequence"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_outside_of_the_log_are_refused() {
    let (app, session_id) = TestApp::connected().await;
    receive(&app, "201001234567", &["a", "b"]).await;
    let messages = received(&app, &session_id, 2).await;
    let end = app.changes(&session_id, None).await["next"].as_u64().unwrap();
    let path = |after: u64| format!("/api/changes?sessionId={session_id}&after={after}");

    let ahead = app.get(&path(end + 1)).await;
    assert_eq!((ahead.status, &ahead.json["code"]), (400, &json!("invalid_query")));
    assert!(ahead.json["error"].as_str().unwrap().contains(&format!("the last change is {end}")), "{}", ahead.json);

    // Everything up to the first message expires.
    let first = messages[0]["sequence"].as_u64().unwrap();
    for change in app.items("change").await {
        if change["sk"].as_str().unwrap().parse::<u64>().unwrap() <= first {
            app.set_item_number(&change, "expires_at", 1).await;
        }
    }
    let expired = app.get(&path(0)).await;
    assert_eq!((expired.status, &expired.json["code"]), (410, &json!("changes_expired")), "{}", expired.json);
    let rest = app.get(&path(end)).await;
    assert_eq!((rest.status, &rest.json["next"]), (200, &json!(end)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_queries_and_unknown_sessions_are_refused() {
    let (app, session_id) = TestApp::connected().await;
    for (query, code, hint) in [
        ("&types=message.recieved", "invalid_query", "did you mean message.received?"),
        ("&types=webhook.test", "invalid_query", "is not an event type"),
        ("&after=-1", "invalid_query", "after must be"),
        ("&limit=101", "invalid_query", "limit must be"),
        ("&cursor=1", "unknown_parameter", "cursor"),
    ] {
        let refused = app.get(&format!("/api/changes?sessionId={session_id}{query}")).await;
        assert_eq!((refused.status, &refused.json["code"]), (400, &json!(code)), "{query}");
        assert!(refused.json["error"].as_str().unwrap().contains(hint), "{}", refused.json);
    }
    let missing = app.get("/api/changes?sessionId=00000000-0000-4000-8000-000000000001&after=0").await;
    assert_eq!((missing.status, &missing.json["code"]), (404, &json!("session_not_found")));
    // A session without changes has the position 0.
    let bob = app.create_session("bob").await["id"].as_str().unwrap().to_owned();
    let empty = app.changes(&bob, 0).await;
    assert!(empty["next"].as_u64().is_some());
}
