//! Auto-replies: sent once, within their limits, and suppressed after an agent replies.

use local::database::Fault;
use serde_json::{Value, json};

use crate::{
    function_failures::kill_function,
    test_app::{TestApp, insert_event, merge, now, text_message},
};

const CONTACT: &str = "201001234567";

/// Creates and returns a rule. By default it replies `Hello {{name}}` to any message; `fields` replaces its members.
async fn create_rule(app: &TestApp, session_id: &str, fields: Value) -> Value {
    let response = app.post(&format!("/api/auto-replies?sessionId={session_id}"), &rule(fields)).await;
    assert_eq!(response.status, 200, "{}", response.json);
    response.json["rule"].clone()
}

fn rule(fields: Value) -> Value {
    let rule = json!({"name": "R", "trigger": {"type": "any"}, "reply": {"message": "Hello {{name}}"}});
    merge(rule, &fields)
}

fn keyword(word: &str) -> Value {
    json!({"type": "keyword", "match": "contains", "keywords": [word]})
}

async fn receive(app: &TestApp, text: &str) {
    app.inbound(&json!({"from": CONTACT, "name": "Mona", "text": text})).await;
}

async fn chat(app: &TestApp) -> Value {
    app.items("chat").await.into_iter().find(|chat| chat["wa_id"] == CONTACT).expect("a chat")
}

/// Waits until the rules have evaluated all earlier messages. Messages of a chat are evaluated in order, and this one
/// sets an attribute of the chat.
async fn wait_for_evaluation(app: &TestApp) {
    receive(app, "STOP").await;
    app.wait_until("the contact has opted out", async || chat(app).await["consent_keyword"]["marketing"] == "denied")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_are_created_changed_and_deleted() {
    let app = TestApp::start().await;
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    let list = format!("/api/auto-replies?sessionId={session_id}");
    let unknown = "00000000-0000-4000-8000-000000000000";

    let hours = json!({"timeZone": "africa/cairo", "hours": {"sunday": [{"from": "22:00", "to": "02:00"}]}});
    let created = create_rule(&app, &session_id, json!({"name": "Late", "priority": 5, "schedule": hours})).await;
    assert_eq!(created["session_id"], session_id.as_str());
    assert_eq!(created["schedule"]["time_zone"], "Africa/Cairo");
    let one = format!("/api/auto-replies/{}", created["id"].as_str().unwrap());
    assert_eq!(app.get(&one).await.json, json!({"success": true, "rule": created}));

    let later = rule(json!({"name": "Later", "enabled": false, "cooldownSeconds": 60})).to_string().into_bytes();
    let changed = app.request("PUT", &one, &[], later.clone()).await.json["rule"].clone();
    assert_eq!((&changed["name"], &changed["enabled"]), (&json!("Later"), &json!(false)));
    assert_eq!(changed["priority"], 0);
    assert_eq!((&changed["id"], &changed["created_at"]), (&created["id"], &created["created_at"]));
    let first = create_rule(&app, &session_id, json!({"name": "First", "priority": 9})).await;
    assert_eq!(app.get(&list).await.json, json!({"success": true, "rules": [first, changed]}));

    // Concurrent requests don't exceed the limit of rules.
    let (path, body) = (list.as_str(), rule(json!({})));
    let many = (0..105).map(|_| app.post(path, &body));
    let many: Vec<_> = futures_util::future::join_all(many).await;
    let refused =
        many.iter().filter(|response| response.status == 409 && response.json["code"] == "too_many_auto_replies");
    assert_eq!((many.iter().filter(|response| response.status == 200).count(), refused.count()), (98, 7));
    assert_eq!(app.delete(&one).await.json, json!({"success": true}));
    for method in ["GET", "DELETE", "PUT"] {
        let body = if method == "PUT" { later.clone() } else { Vec::new() };
        let response = app.request(method, &one, &[], body).await;
        assert_eq!((response.status, &response.json["error"]), (404, &json!("Auto-reply not found")), "{method}");
    }
    create_rule(&app, &session_id, json!({})).await;
    assert_eq!(app.get(&list).await.json["rules"].as_array().unwrap().len(), 100);

    let dry_run = "/api/auto-replies/dry-run";
    for (method, path, body, status, error) in [
        ("GET", "/api/auto-replies".to_owned(), json!({}), 400, "sessionId is required"),
        ("GET", format!("/api/auto-replies?sessionId={unknown}"), json!({}), 404, "Session not found"),
        ("POST", format!("/api/auto-replies?sessionId={unknown}"), rule(json!({})), 404, "Session not found"),
        ("POST", list.clone(), json!({"name": "R"}), 400, "trigger is required"),
        (
            "POST",
            list.clone(),
            rule(json!({"reply": {"message": "{{who}}"}})),
            400,
            "reply.text.body has an unknown placeholder: use {{name}} and {{message}}, and no other double braces",
        ),
        ("DELETE", list.clone(), json!({}), 405, "Use GET, POST on this path"),
        ("GET", "/api/auto-replies/1".to_owned(), json!({}), 404, "Auto-reply not found"),
        ("POST", format!("/api/auto-replies/{unknown}"), json!({}), 405, "Use GET, PUT, DELETE on this path"),
        ("POST", dry_run.to_owned(), json!({"sessionId": session_id}), 400, "text is required"),
        (
            "POST",
            dry_run.to_owned(),
            json!({"sessionId": session_id, "text": "x", "at": "noon"}),
            400,
            "at must be a time like 2026-11-23T12:00:00Z",
        ),
        (
            "POST",
            dry_run.to_owned(),
            json!({"sessionId": session_id, "text": "x", "chatId": unknown}),
            404,
            "Chat not found",
        ),
        ("POST", dry_run.to_owned(), json!({"sessionId": unknown, "text": "x"}), 404, "Session not found"),
    ] {
        let response = app.request(method, &path, &[], body.to_string().into_bytes()).await;
        assert_eq!((response.status, response.json["error"].as_str().unwrap()), (status, error), "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicate_message_is_answered_once() {
    let (app, session_id) = TestApp::connected().await;
    let rule = create_rule(&app, &session_id, json!({"reply": {"message": "Hello {{name}}: {{message}}"}})).await;
    app.set_faults(&json!({"webhooks": {"duplicates": 19}})).await;
    receive(&app, "good\nmorning").await;
    assert_eq!(app.accepted_texts(1).await, ["Hello Mona: good morning"]);
    app.clear_faults().await;

    let reply = app.wait_for_status("read").await;
    assert_eq!((&reply["source"], &reply["previous"]), (&json!("auto_reply"), &Value::Null));
    let item = chat(&app).await;
    assert_eq!(
        (&item["status"], &item["is_unread"], &item["unread_count"]),
        (&json!("INBOX"), &json!(true), &json!(1))
    );
    assert_eq!((&item["last_message"], item.get("answered_at")), (&json!("Hello Mona: good morning"), None));
    let inbound = app.items("message").await.into_iter().find(|item| item["from_me"] == false).unwrap();
    assert_eq!(inbound["auto_reply"], json!({"rule_id": rule["id"], "message_id": reply["id"]}));

    // The stream delivers the record again, several times concurrently.
    let mut image = app.item(inbound["pk"].as_str().unwrap(), inbound["sk"].as_str().unwrap()).await;
    image.as_object_mut().unwrap().remove("auto_reply");
    let event = insert_event(&json!({"Keys": {"pk": image["pk"], "sk": image["sk"]}, "NewImage": image}));
    for output in futures_util::future::join_all((0..4).map(|_| app.invoke("relay", &event))).await {
        assert_eq!(output, json!({"batchItemFailures": []}));
    }
    wait_for_evaluation(&app).await;
    assert_eq!(app.accepted().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_word_and_agent_reply_suppress_auto_replies() {
    let (app, session_id) = TestApp::connected().await;
    create_rule(&app, &session_id, json!({"reply": {"message": "{{message}}?"}})).await;
    let start = now() - 60;
    let receive_at = async |id: &str, after: i64, text: &str| {
        let timestamp = (start + after).to_string();
        app.inbound(&json!({"from": CONTACT, "id": id, "timestamp": timestamp, "text": text})).await;
    };
    receive_at("wamid.1", 0, "one").await;
    app.accepted_texts(1).await;
    receive_at("wamid.2", 2, "Stop!").await;
    receive_at("wamid.3", 3, "two").await;
    // A stop word that arrives after a later start word changes nothing.
    receive_at("wamid.5", 5, "START").await;
    receive_at("wamid.4", 4, "STOP").await;
    receive_at("wamid.6", 6, "three").await;
    assert_eq!(app.accepted_texts(3).await, ["one?", "START?", "three?"]);
    assert_eq!(chat(&app).await["consent_keyword"]["marketing"], "granted");

    // An agent's reply suppresses auto-replies for an hour.
    assert_eq!(app.send(&session_id, CONTACT, "I am Ada").await.status, 200);
    receive_at("wamid.7", 7, "four").await;
    receive_at("wamid.8", 8, "STOP").await;
    app.wait_until("the contact has opted out", async || chat(&app).await["consent_keyword"]["marketing"] == "denied")
        .await;
    let item = chat(&app).await;
    let answered_at: jiff::Timestamp = item["answered_at"].as_str().unwrap().parse().unwrap();
    let earlier = answered_at - jiff::SignedDuration::from_mins(61);
    app.set_item_attribute(&item, "answered_at", &format!("{earlier:.3}")).await;
    receive_at("wamid.9", 9, "START").await;
    assert_eq!(app.accepted_texts(5).await[3..], ["I am Ada", "START?"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reply_loop_ends_at_the_hourly_limit() {
    let (app, session_id) = TestApp::connected().await;
    let first = json!({"trigger": {"type": "first_message"}, "priority": 9, "reply": {"message": "Welcome"}});
    create_rule(&app, &session_id, first).await;
    let echo = json!({"trigger": keyword("welcome"), "priority": 5, "reply": {"message": "welcome yourself"}});
    create_rule(&app, &session_id, merge(echo, &json!({"cooldownSeconds": 3600}))).await;
    create_rule(&app, &session_id, json!({"reply": {"message": "{{message}}!"}})).await;
    // The contact's system echoes each reply.
    receive(&app, "hello").await;
    let mut replies = Vec::new();
    for turn in 1..=5 {
        replies = app.accepted_texts(turn).await;
        receive(&app, replies.last().unwrap()).await;
    }
    let expected = ["Welcome", "welcome yourself", "welcome yourself!", "welcome yourself!!", "welcome yourself!!!"];
    assert_eq!(replies, expected);
    wait_for_evaluation(&app).await;
    assert_eq!(app.accepted().await.len(), 5);
    let history = app.items("replies").await;
    assert_eq!((history.len(), history[0]["recent"].as_array().unwrap().len()), (1, 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_system_reaction_and_group_messages_are_not_answered() {
    let (app, session_id) = TestApp::connected().await;
    create_rule(&app, &session_id, json!({"reply": {"message": "[{{message}}]"}})).await;
    app.inbound(&json!({"from": CONTACT, "timestamp": "1749416383", "text": "an old message"})).await;
    let reaction = json!({"from": CONTACT, "type": "reaction", "reaction": {"message_id": "wamid.1", "emoji": "👍"}});
    app.inbound(&reaction).await;
    let change = json!({"body": "x changed", "type": "user_changed_number"});
    app.inbound(&json!({"from": CONTACT, "type": "system", "system": change})).await;
    app.inbound(&json!({"from": CONTACT, "group_id": "group-1", "text": "hello all"})).await;
    receive(&app, "hello").await;
    assert_eq!(app.accepted_texts(1).await, ["[hello]"]);
    wait_for_evaluation(&app).await;
    assert_eq!(app.accepted().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_relay_replies_once() {
    let (app, session_id) = TestApp::connected().await;
    create_rule(&app, &session_id, json!({"reply": {"message": "{{message}}?"}})).await;
    // `relay` is killed while it stores the reply.
    app.inject_function_fault("relay", "TransactWriteItems", Fault::Hang, 1);
    receive(&app, "one").await;
    app.wait_until("relay hangs", async || app.running().database().faults().pending() == 0).await;
    kill_function(&app, "relay");
    assert_eq!(app.accepted_texts(1).await, ["one?"]);
    // The reply is stored and the response is lost, more often than the SDK and `relay` retry.
    app.inject_function_fault("relay", "TransactWriteItems", Fault::ConnectionLostAfterCommit, 8);
    receive(&app, "two").await;
    assert_eq!(app.accepted_texts(2).await, ["one?", "two?"]);
    app.clear_injected_faults();
    wait_for_evaluation(&app).await;
    assert_eq!(app.accepted().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dry_run_explains_every_rule() {
    let (app, session_id) = TestApp::connected().await;
    let monday = json!({"timeZone": "Africa/Cairo", "hours": {"monday": [{"from": "09:00", "to": "17:00"}]}});
    let price = json!({"trigger": keyword("price"), "reply": {"message": "{{name}}, see our list"}});
    for fields in [
        json!({"name": "off", "priority": 9, "enabled": false}),
        json!({"name": "first", "priority": 8, "trigger": {"type": "first_message"}}),
        json!({"name": "away", "priority": 7, "trigger": {"type": "outside_hours"}, "schedule": monday}),
        merge(price, &json!({"name": "price", "priority": 6, "cooldownSeconds": 600})),
        json!({"name": "open", "priority": 5, "schedule": monday}),
    ] {
        create_rule(&app, &session_id, fields).await;
    }
    let dry_run = async |fields: Value| {
        let body = merge(json!({"sessionId": session_id, "text": "What is the price?"}), &fields);
        let response = app.post("/api/auto-replies/dry-run", &body).await;
        assert_eq!(response.status, 200, "{}", response.json);
        let rules = response.json["rules"].as_array().unwrap();
        assert!(rules.iter().all(|rule| rule["explanation"].as_str().is_some_and(|sentence| !sentence.is_empty())));
        let reasons: Vec<_> = rules.iter().map(|rule| rule["reason"].as_str().unwrap().to_owned()).collect();
        (response.json["reply"].clone(), reasons)
    };
    // Monday noon and Monday evening in Cairo.
    let (noon, evening) = ("2026-12-07T10:00:00Z", "2026-12-07T16:00:00Z");
    let (reply, reasons) = dry_run(json!({"at": noon})).await;
    assert_eq!(
        (&reply["rule_name"], &reply["content"]),
        (&json!("first"), &json!({"type": "text", "text": {"body": "Hello Customer"}}))
    );
    assert_eq!(reasons, ["disabled", "answers", "within_hours", "outranked", "outranked"]);
    let (_, reasons) = dry_run(json!({"at": evening, "text": "hello"})).await;
    assert_eq!(reasons, ["disabled", "answers", "outranked", "no_keyword", "outside_hours"]);

    receive(&app, "hello").await;
    app.accepted_texts(1).await;
    let id = chat(&app).await["id"].clone();
    let (reply, reasons) = dry_run(json!({"at": noon, "chatId": id})).await;
    assert_eq!(reply["content"]["text"]["body"], "Mona, see our list");
    assert_eq!(reasons, ["disabled", "not_first_message", "within_hours", "answers", "outranked"]);
    let (reply, reasons) = dry_run(json!({"at": noon, "chatId": id, "text": "stop"})).await;
    assert_eq!((reply, reasons[4].as_str()), (Value::Null, "stop_word"));
    wait_for_evaluation(&app).await;
    let (reply, reasons) = dry_run(json!({"at": noon, "chatId": id})).await;
    assert_eq!((reply, reasons[3].as_str()), (Value::Null, "opted_out"));
    assert_eq!(dry_run(json!({"at": noon, "chatId": id, "text": "Start"})).await.1[4], "answers");
    // Dry runs send nothing and change nothing.
    assert_eq!(app.accepted().await.len(), 1);
    assert_eq!(chat(&app).await["consent_keyword"]["marketing"], "denied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_message_rule_answers_the_first_of_several_messages_in_one_second() {
    let (app, session_id) = TestApp::connected().await;
    create_rule(&app, &session_id, json!({"trigger": {"type": "first_message"}, "reply": {"message": "Welcome"}}))
        .await;
    let at = json!({"timestamp": now().to_string()});
    let contacts: Vec<String> = (0..4).map(|n| format!("20100123456{n}")).collect();
    for from in &contacts {
        let message = |n: usize| merge(text_message(&format!("wamid.{from}.{n}"), from, &n.to_string()), &at);
        app.deliver_messages(&json!((0..5).map(message).collect::<Vec<_>>())).await;
    }
    app.accepted_texts(contacts.len()).await;
    let messages = app.items("message").await;
    let answered: Vec<&Value> = messages.iter().filter(|message| message["auto_reply"].is_object()).collect();
    assert_eq!(answered.len(), contacts.len());
    assert!(answered.iter().all(|message| message["body"] == "0"), "{answered:#?}");
}
