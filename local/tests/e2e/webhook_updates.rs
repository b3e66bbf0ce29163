//! Webhook updates: every message, status, and event is parsed, stored once, and traceable.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::test_app::{TestApp, merge, now, text_message};

const CUSTOMER: &str = "201001234567";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn actions_of_another_contact_or_member_do_not_change_a_message() {
    let app = TestApp::start().await;
    app.connect("ada").await;
    let edit =
        |target: &str| json!({"original_message_id": target, "message": {"type": "text", "text": {"body": "forged"}}});
    let from = |mut message: Value, from: &str, group: Option<&str>| {
        message["from"] = json!(from);
        if let Some(group) = group {
            message["group_id"] = json!(group);
        }
        message
    };
    let (other, group) = ("201009999999", Some("Y2FwaV9ncm91cDox"));
    let text = |id: &str, at: i64| typed_message(id, at, "text", json!({"body": "true"}));
    // Before the message, and after it.
    let foreign = |n: i64| {
        json!([
            from(typed_message(&format!("w.e{n}"), 100 + n, "edit", edit("w.1")), other, None),
            from(
                typed_message(&format!("w.v{n}"), 100 + n, "revoke", json!({"original_message_id": "w.1"})),
                other,
                None
            ),
            from(
                typed_message(&format!("w.r{n}"), 100 + n, "reaction", json!({"message_id": "w.1", "emoji": "👎"})),
                other,
                None,
            ),
        ])
    };
    app.deliver_messages(&foreign(1)).await;
    app.deliver_messages(&json!([text("w.1", 90), from(text("w.2", 90), CUSTOMER, group)])).await;
    app.deliver_messages(&foreign(2)).await;
    app.deliver_messages(&json!([from(typed_message("w.g", 100, "edit", edit("w.2")), other, group)])).await;
    for id in ["w.1", "w.2"] {
        let stored = get_message(&app, id).await;
        assert_eq!((&stored["body"], &stored["edited_at"]), (&json!("true"), &Value::Null), "{id}");
        assert_eq!((&stored["revoked_at"], &stored["reactions"]), (&Value::Null, &json!([])), "{id}");
    }
    let own = from(typed_message("w.h", 110, "edit", edit("w.2")), CUSTOMER, group);
    app.deliver_messages(&json!([own, typed_message("w.i", 110, "edit", edit("w.1"))])).await;
    for id in ["w.1", "w.2"] {
        assert_eq!(get_message(&app, id).await["body"], "forged", "{id}: by its author");
    }
}

/// Returns a contact's message of any type.
pub fn typed_message(id: &str, at: i64, kind: &str, object: Value) -> Value {
    let mut message = json!({"from": CUSTOMER, "id": id, "timestamp": at.to_string(), "type": kind});
    message[kind] = object;
    message
}

async fn get_message(app: &TestApp, id: &str) -> Value {
    let response = app.get(&format!("/api/messages/{id}")).await;
    assert_eq!(response.status, 200, "{id}: {}", response.json);
    response.json["message"].clone()
}

async fn chat(app: &TestApp) -> Value {
    let mut chats = app.items("chat").await;
    assert_eq!(chats.len(), 1);
    chats.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_shows_its_content_reactions_edits_and_deletion() {
    let app = TestApp::start().await;
    app.connect("ada").await;
    let image = json!({"id": "7", "mime_type": "image/jpeg", "sha256": "c2hh", "caption": "a cat"});
    let mut picture = typed_message("w.image", 100, "image", image.clone());
    picture["context"] = json!({"from": CUSTOMER, "id": "w.text"});
    app.deliver_messages(&json!([typed_message("w.text", 90, "text", json!({"body": "hi"})), picture])).await;
    let message = get_message(&app, "w.image").await;
    assert_eq!((&message["type"], &message["body"]), (&json!("image"), &json!("a cat")));
    assert_eq!(message["content"], json!({"type": "image", "image": image}));
    assert_eq!(message["context"]["id"], "w.text");
    assert_eq!(
        (&message["reactions"], &message["edited_at"], &message["revoked_at"]),
        (&json!([]), &Value::Null, &Value::Null)
    );
    assert_eq!(chat(&app).await["last_message"], "a cat");

    let react = |id: &str, at: i64, emoji: &str| {
        typed_message(id, at, "reaction", json!({"message_id": "w.image", "emoji": emoji}))
    };
    let edit = json!({"original_message_id": "w.image", "message": {"type": "image", "image": {"caption": "a dog"}}});
    let actions = json!([react("w.r2", 120, "❤"), react("w.r1", 110, "👍"), typed_message("w.e", 130, "edit", edit)]);
    for _ in 0..2 {
        app.deliver_messages(&actions).await;
    }
    let message = get_message(&app, "w.image").await;
    assert_eq!(message["reactions"], json!([{"by": "contact", "emoji": "❤", "at": "1970-01-01T00:02:00.000Z"}]));
    assert_eq!((&message["body"], &message["original_body"]), (&json!("a dog"), &json!("a cat")));
    assert_eq!(
        (&message["edited_at"], &message["content"]["image"]["id"]),
        (&json!("1970-01-01T00:02:10.000Z"), &json!("7"))
    );
    let after = chat(&app).await;
    assert_eq!((&after["last_message"], &after["unread_count"]), (&json!("a dog"), &json!(2)));
    // Each action is also a message, and was delivered twice.
    assert_eq!(
        (&get_message(&app, "w.r1").await["type"], &get_message(&app, "w.r1").await["duplicates"]),
        (&json!("reaction"), &json!(1))
    );

    let deletion = typed_message("w.d", 150, "revoke", json!({"original_message_id": "w.image"}));
    app.deliver_messages(&json!([react("w.r3", 140, ""), deletion])).await;
    let message = get_message(&app, "w.image").await;
    assert_eq!((&message["reactions"], &message["revoked_at"]), (&json!([]), &json!("1970-01-01T00:02:30.000Z")));
    let after = chat(&app).await;
    assert_eq!((&after["last_message"], &after["unread_count"]), (&json!("[deleted message]"), &json!(2)));
}

/// Makes the early actions due, and waits until `deliver` has rechecked them.
async fn recheck(app: &TestApp) {
    for pending in app.items("early_action").await.iter().filter(|item| item["due_at"].is_string()) {
        app.set_item_attribute(pending, "due_at", "2020-01-01T00:00:00.000Z").await;
    }
    app.wait_until("nothing is due", async || {
        app.run_delivery_schedule().await;
        app.due_count().await == 0
    })
    .await;
}

/// In each round, a message and its actions arrive concurrently, so either can be first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn early_actions_are_applied_when_their_message_arrives() {
    let app = TestApp::start().await;
    app.connect("ada").await;
    let actions = |n: usize| {
        let target = format!("w.{n}");
        json!([
            typed_message(&format!("w.{n}.r"), 200, "reaction", json!({"message_id": target, "emoji": "👍"})),
            typed_message(
                &format!("w.{n}.e"),
                201,
                "edit",
                json!({"original_message_id": target, "message": {"type": "text", "text": {"body": "new"}}})
            ),
            typed_message(&format!("w.{n}.d"), 202, "revoke", json!({"original_message_id": target})),
        ])
    };
    let text = |n: usize| json!([typed_message(&format!("w.{n}"), 100, "text", json!({"body": "old"}))]);
    app.deliver_messages(&actions(0)).await;
    assert_eq!(app.items("early_action").await.len(), 3);
    let trace = app.get("/api/messages/w.0").await;
    assert_eq!((&trace.json["message"], &trace.json["trace"][0]["outcome"]), (&Value::Null, &json!("early_action")));
    // An action and its message can miss each other, so `deliver` rechecks all of them.
    assert_eq!(app.due_count().await, 3);
    recheck(&app).await;
    assert_eq!(app.items("early_action").await.len(), 3);
    app.deliver_messages(&text(0)).await;
    for n in 1..12 {
        tokio::join!(async { app.deliver_messages(&actions(n)).await }, async { app.deliver_messages(&text(n)).await });
    }
    recheck(&app).await;
    for n in 0..12 {
        let message = get_message(&app, &format!("w.{n}")).await;
        assert_eq!(
            (&message["reactions"][0]["emoji"], &message["body"]),
            (&json!("👍"), &json!("new")),
            "{n}: {message}"
        );
        assert!(message["revoked_at"].is_string() && message["original_body"] == "old", "{n}: {message}");
    }
    assert_eq!(app.items("chat").await[0]["unread_count"], 12);
}

/// The edits are larger than one page of a query.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn early_edits_of_one_second_apply_in_the_order_of_arrival() {
    const EDITS: usize = 18;
    let app = TestApp::start().await;
    app.connect("ada").await;
    let body = |n: usize| format!("{n} {}", "x".repeat(60_000));
    let edit = |n: usize| {
        let text = json!({"type": "text", "text": {"body": body(n)}});
        typed_message(&format!("w.e{n}"), 200, "edit", json!({"original_message_id": "w", "message": text}))
    };
    app.deliver_messages(&json!((0..EDITS).map(edit).collect::<Vec<_>>())).await;
    assert_eq!(app.items("early_action").await.len(), EDITS);
    app.deliver_messages(&json!([typed_message("w", 100, "text", json!({"body": "old"}))])).await;
    let message = get_message(&app, "w").await;
    assert_eq!((&message["body"], &message["original_body"]), (&json!(body(EDITS - 1)), &json!("old")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echo_of_the_business_app_counts_as_an_agent_reply() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    let now = now() - 60;
    app.deliver_messages(&json!([typed_message("w.in", now, "text", json!({"body": "hi"}))])).await;
    let echo = |id: &str, at: i64, kind: &str, object: Value| {
        let mut echo = typed_message(id, at, kind, object);
        echo["from"] = json!(app.ready.display_phone_number);
        echo["to"] = json!(CUSTOMER);
        app.webhook_field("smb_message_echoes", json!({"message_echoes": [echo]}))
    };
    let status =
        json!({"id": "w.echo", "status": "delivered", "timestamp": (now + 9).to_string(), "recipient_id": CUSTOMER});
    // The status arrives before its message.
    app.deliver_webhook(&app.webhook_field("messages", json!({"statuses": [status]}))).await;
    let body = echo("w.echo", now + 5, "text", json!({"body": "hello"}));
    for _ in 0..2 {
        app.deliver_webhook(&body).await;
    }
    let message = get_message(&app, "w.echo").await;
    assert_eq!(
        (&message["from_me"], &message["source"], &message["status"]),
        (&json!(true), &json!("echo"), &json!("delivered"))
    );
    let after = chat(&app).await;
    assert_eq!(
        (&after["is_unread"], &after["unread_count"], &after["last_message"]),
        (&json!(false), &json!(0), &json!("hello"))
    );
    assert_eq!(after["answered_at"], message["timestamp"]);
    // An echo that is older than the contact's last message leaves that message unread.
    app.deliver_messages(&json!([typed_message("w.in2", now + 20, "text", json!({"body": "thanks"}))])).await;
    app.deliver_webhook(&echo("w.late", now + 10, "text", json!({"body": "late"}))).await;
    assert_eq!(chat(&app).await["unread_count"], 1);
    // The business can delete only its own messages.
    for target in ["w.echo", "w.in2"] {
        app.deliver_webhook(&echo(
            &format!("w.del.{target}"),
            now + 30,
            "revoke",
            json!({"original_message_id": target}),
        ))
        .await;
    }
    assert!(get_message(&app, "w.echo").await["revoked_at"].is_string());
    assert_eq!(get_message(&app, "w.in2").await["revoked_at"], Value::Null);

    // Echoes of messages that the API sent are recognized by wamid or callback data, and not stored again.
    app.send(&session_id, "+201001234567", "from the API").await;
    let is_sent = |item: &Value| item["body"] == "from the API" && item["wamid"].is_string();
    let sent = app.wait_for_message("a sent message", is_sent).await;
    let count = app.items("message").await.len();
    app.deliver_webhook(&echo(sent["wamid"].as_str().unwrap(), now + 40, "text", json!({"body": "from the API"})))
        .await;
    let [chat_id, time, id] = ["chat_id", "timestamp", "id"].map(|name| sent[name].as_str().unwrap());
    let key = format!("qasid/{chat_id}/{time}/{id}");
    let request =
        json!({"to": CUSTOMER, "type": "text", "text": {"body": "from the API"}, "biz_opaque_callback_data": key});
    let echoes = json!([{"id": "w.other", "timestamp": now.to_string(), "message": request}]);
    app.deliver_webhook(&app.webhook_field("standby", json!({"standby": {"message_echoes": echoes}}))).await;
    assert_eq!(app.items("message").await.len(), count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_and_standby_messages_leave_chats_read() {
    let (app, session_id) = TestApp::connected().await;
    let own = app.ready.display_phone_number.clone();
    let past = |id: &str, from: &str, at: i64| {
        merge(text_message(id, from, id), &json!({"timestamp": at.to_string(), "history_context": {"status": "READ"}}))
    };
    let past = [past("h.1", CUSTOMER, 100), past("h.2", &own, 110), past("h.3", CUSTOMER, 120)];
    let thread = json!({"id": CUSTOMER, "messages": past});
    let refusal = json!({"errors": [{"code": 2_593_109, "title": "History sync is turned off"}]});
    let body =
        app.webhook_field("history", json!({"history": [{"metadata": {"phase": 0}, "threads": [thread]}, refusal]}));
    for _ in 0..2 {
        app.deliver_webhook(&body).await;
    }
    let after = chat(&app).await;
    assert_eq!(
        (&after["unread_count"], &after["is_unread"], &after["last_message"]),
        (&json!(0), &json!(false), &json!("h.3"))
    );
    assert_eq!(after.get("last_inbound_at"), None);
    assert_eq!(app.items("message").await.len(), 3);
    let sent = get_message(&app, "h.2").await;
    assert_eq!((&sent["from_me"], &sent["status"], &sent["source"]), (&json!(true), &json!("read"), &json!("history")));

    // An image in the history arrives as a placeholder first, and then with its content.
    let empty = json!({"from": own, "id": "h.pic", "timestamp": "115", "type": "media_placeholder"});
    let thread = json!({"id": CUSTOMER, "messages": [empty]});
    app.deliver_webhook(&app.webhook_field("history", json!({"history": [{"threads": [thread]}]}))).await;
    let picture = typed_message("h.pic", 114, "image", json!({"id": "7", "caption": "a cat"}));
    app.deliver_webhook(&app.webhook_field("history", json!({"messages": [picture]}))).await;
    let message = get_message(&app, "h.pic").await;
    assert_eq!(
        (&message["type"], &message["body"], &message["from_me"]),
        (&json!("image"), &json!("a cat"), &json!(true))
    );
    assert_eq!(app.items("message").await.len(), 4);

    let copy = json!({"messages": [typed_message("s.1", 130, "text", json!({"body": "to the agent"}))]});
    app.deliver_webhook(&app.webhook_field("standby", json!({"standby": copy}))).await;
    let after = chat(&app).await;
    assert_eq!((&after["unread_count"], &after["last_message"]), (&json!(0), &json!("to the agent")));
    assert_eq!(get_message(&app, "s.1").await["source"], "standby");

    let events = app.get(&format!("/api/events?sessionId={session_id}")).await;
    assert_eq!(
        (&events.json["events"][0]["field"], &events.json["events"][0]["payload"]),
        (&json!("history"), &refusal)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statuses_keep_pricing_and_errors_and_group_statuses_count_by_participant() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    // The test reports the statuses.
    app.set_faults(&json!({"sends": {"messageStatus": "accepted", "times": 1}})).await;
    app.send(&session_id, "+201001234567", "hello").await;
    let single = app.wait_for_message("an accepted message", |item| item["wamid"].is_string()).await;
    let single = single["wamid"].as_str().unwrap().to_owned();
    // The simulated number has no groups. The echo of another application's group message stands for one.
    let request = json!({"to": "120363", "recipient_type": "group", "type": "text", "text": {"body": "all of you"}});
    let echoes = json!([{"id": "w.group", "timestamp": "1750100000", "message": request}]);
    app.deliver_webhook(&app.webhook_field("standby", json!({"standby": {"message_echoes": echoes}}))).await;
    let group = "w.group";
    let pricing = json!({"billable": true, "pricing_model": "PMP", "category": "service"});
    let error = json!({"code": 131_026, "title": "Message undeliverable", "error_data": {"details": "no WhatsApp"}});
    let participant = |id: &str, status: &str| {
        let status = json!({"id": group, "status": status, "timestamp": "1750101000", "recipient_type": "group"});
        merge(status, &json!({"recipient_participant_id": id}))
    };
    let statuses = json!([
        {"id": single, "status": "sent", "timestamp": "1750100000"},
        {"id": single, "status": "failed", "timestamp": "1750100001", "errors": [error]},
        participant("201001111111", "read"),
        participant("201002222222", "delivered"),
        participant("201002222222", "failed"),
    ]);
    for _ in 0..2 {
        app.deliver_webhook(&app.webhook_field("messages", json!({"statuses": statuses}))).await;
    }
    let message = get_message(&app, &single).await;
    assert_eq!(message["status"], "failed");
    assert_eq!(
        message["errors"],
        json!([{"code": 131_026, "title": "Message undeliverable", "details": "no WhatsApp"}])
    );
    let message = get_message(&app, group).await;
    assert_eq!(message["status"], "sent");
    let participants: Vec<_> =
        message["participants"].as_array().unwrap().iter().map(|one| (&one["participant"], &one["status"])).collect();
    assert_eq!(participants, [(&json!("201001111111"), &json!("read")), (&json!("201002222222"), &json!("delivered"))]);
    app.wait_until("the failure is counted", async || app.has_logged(&["FailedUndelivered"])).await;
    let late = json!([{"id": single, "status": "delivered", "timestamp": "1750100002", "pricing": pricing}]);
    app.deliver_webhook(&app.webhook_field("messages", json!({"statuses": late}))).await;
    let message = get_message(&app, &single).await;
    assert_eq!((&message["status"], &message["pricing"]), (&json!("delivered"), &pricing));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_that_settles_a_message_releases_the_next_one() {
    let app = TestApp::start().await;
    app.open_windows(&["201001234567"]).await;
    let session_id = app.connect_with_resend().await;
    app.set_faults(&json!({"sends": {"dropAfterAcceptance": true, "times": 1}, "webhooks": {"hold": true}})).await;
    app.send(&session_id, "+201001234567", "first").await;
    let first = app.wait_for_status("unknown").await;
    app.send(&session_id, "+201001234567", "second").await;
    let is_waiting = |item: &Value| item["body"] == "second" && item["due_at"] == first["due_at"];
    app.wait_for_message("a waiting second message", is_waiting).await;
    // Without the status, the second message would wait for minutes.
    app.clear_faults().await;
    assert_eq!(app.accepted_texts(2).await.len(), 2);
    let is_sent = |item: &Value| item["body"] == "second" && item["wamid"].is_string();
    assert_eq!(app.wait_for_message("the second message", is_sent).await["attempt_count"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_stored_once_and_listed_newest_first() {
    let app = TestApp::start().await;
    let account = |event: &str| {
        let change = json!({"field": "account_update", "value": {"event": event}});
        json!({"entry": [{"id": "102290129340398", "time": 1_739_321_024, "changes": [change]}]})
    };
    // An event of an account that is not known yet.
    app.deliver_webhook(&account("BEFORE")).await;
    let session_id = app.connect("ada").await;
    app.deliver_messages(&json!([text_message("w.1", CUSTOMER, "hi"), {"id": "w.broken", "timestamp": "1"}])).await;
    for _ in 0..2 {
        app.deliver_webhook(&account("KNOWN")).await;
    }
    assert_eq!(app.webhook_bytes(b"\xff{".to_vec()).await.status, 400);
    assert_eq!(app.webhook_bytes(b"{\"entry\": [".to_vec()).await.status, 400);

    let response = app.get(&format!("/api/events?sessionId={session_id}")).await;
    let events = response.json["events"].as_array().unwrap().clone();
    let message: Vec<_> =
        events.iter().map(|event| (event["field"].as_str().unwrap(), event["reason"].as_str())).collect();
    let not_json = Some("the body is not JSON");
    let no_sender = Some("no usable sender");
    assert_eq!(
        message,
        [
            ("webhook", not_json),
            ("webhook", not_json),
            ("account_update", None),
            ("messages", no_sender),
            ("account_update", None)
        ]
    );
    assert_eq!((&events[0]["raw"], &events[0]["encoding"]), (&json!("{\"entry\": ["), &Value::Null));
    assert_eq!((&events[1]["raw"], &events[1]["encoding"]), (&json!("/3s="), &json!("base64")));
    assert_eq!(events[2]["payload"]["value"]["event"], "KNOWN");
    assert_eq!(
        (&events[2]["at"], &events[2]["waba_id"]),
        (&json!("2025-02-12T00:43:44.000Z"), &json!("102290129340398"))
    );
    let trace = app.get("/api/messages/w.broken").await;
    assert_eq!((trace.status, &trace.json["trace"][0]["reason"]), (200, &json!(no_sender)));
    assert!(app.items("event").await.iter().all(|event| event["expires_at"].is_number()));

    // Pages show every event once, and only to the session's owner.
    for n in 0..60 {
        app.deliver_webhook(&account(&format!("{n}"))).await;
    }
    let pages = app.pages(&format!("/api/events?sessionId={session_id}")).await;
    let listed = pages.iter().flat_map(|page| page["events"].as_array().unwrap());
    let ids: Vec<&str> = listed.map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (65, 65));
    let cursor = pages[0]["nextCursor"].as_str().unwrap();
    let other = app.create_session("bob").await["id"].as_str().unwrap().to_owned();
    assert_eq!(app.get(&format!("/api/events?sessionId={other}")).await.json["events"], json!([]));
    assert_eq!(app.get(&format!("/api/events?sessionId={other}&cursor={cursor}")).await.status, 400);
}

/// Returns the fields of the events that a key lists for a session.
async fn listed_fields(app: &TestApp, key: &str, session_id: &str) -> Vec<String> {
    let response = app.with_key(key, "GET", &format!("/api/events?sessionId={session_id}"), &Value::Null).await;
    assert_eq!((response.status, &response.json["nextCursor"]), (200, &Value::Null), "{}", response.json);
    let events = response.json["events"].as_array().unwrap();
    events.iter().map(|event| event["field"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_of_one_account_see_only_their_own_events_and_shared_ones() {
    const NUMBER: &str = "111222333444555";
    const DISPLAY: &str = "15550009999";
    let app = TestApp::start().await;
    let ada = app.connect("ada").await;
    let number = json!({"phoneNumberId": NUMBER, "displayPhoneNumber": DISPLAY});
    app.simulator("POST", "/simulator/numbers", &number).await;
    let registered = json!({"displayPhoneNumber": DISPLAY, "ownerId": "grace"});
    assert_eq!(app.put(&format!("/api/numbers/{NUMBER}"), &registered).await.status, 200);

    let change = |field: &str, value: Value| json!({"entry": [{"id": "102290129340398", "time": 1_739_321_024, "changes": [{"field": field, "value": value}]}]});
    let quality = |display: &str, limit: &str| {
        change("phone_number_quality_update", json!({"display_phone_number": display, "current_limit": limit}))
    };
    let preferences = |phone_number_id: &str| {
        change("user_preferences", json!({"metadata": {"phone_number_id": phone_number_id}, "user_preferences": []}))
    };
    // Events from before the number has an owner.
    app.deliver_webhook(&quality(DISPLAY, "TIER_250")).await;
    let before = change("account_update", json!({"event": "ACCOUNT_VIOLATION", "violation_info": {}}));
    app.deliver_messages(&json!([text_message("w.1", CUSTOMER, "hi")])).await;
    app.deliver_webhook(&before).await;

    let created = app.post("/api/session/create", &json!({"userId": "grace", "phoneNumberId": NUMBER})).await;
    let grace = created.json["session"]["id"].as_str().unwrap().to_owned();
    app.scan(created.json["session"]["qr"].as_str().unwrap(), "201009999999").await;
    for body in [
        quality(&app.ready.display_phone_number, "TIER_10K"),
        quality(DISPLAY, "TIER_2K"),
        preferences(NUMBER),
        change("account_review_update", json!({"decision": "APPROVED"})),
        change("account_update", json!({"event": "VERIFIED_ACCOUNT", "phone_number": "15550007777"})),
        change("account_update", json!({"event": "PARTNER_ADDED", "waba_info": {"owner_business_id": "7"}})),
        change("message_template_status_update", json!({"event": "REJECTED", "message_template_name": "ada_sale"})),
        change("invented", json!({"text": "a customer's words"})),
    ] {
        app.deliver_webhook(&body).await;
    }

    let (_, ada_key) = app.create_key("ada", &["messages:read"]).await;
    let (_, grace_key) = app.create_key("grace", &["messages:read"]).await;
    let quality_field = "phone_number_quality_update";
    assert_eq!(listed_fields(&app, &ada_key, &ada).await, ["account_review_update", quality_field, "account_update"]);
    assert_eq!(
        listed_fields(&app, &grace_key, &grace).await,
        ["account_review_update", "user_preferences", quality_field]
    );
    let of_grace = listed_fields(&app, &app.ready.api_key, &grace).await;
    assert_eq!(
        of_grace,
        [
            "invented",
            "message_template_status_update",
            "account_update",
            "account_update",
            "account_review_update",
            "user_preferences",
            quality_field,
            "account_update",
            quality_field,
        ],
        "an admin sees every event of the number and the account"
    );
}
