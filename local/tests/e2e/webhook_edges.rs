//! Times, calls, sizes, and bytes at the edges of what WhatsApp sends: every body is accepted, and everything that was
//! stored can be read.

use serde_json::{Value, json};

use crate::test_app::{TestApp, merge, now, text_message};

const HOUR: i64 = 60 * 60;

/// Requests everything that shows a session's chats, and requires success.
pub async fn read_everything(app: &TestApp, session_id: &str) -> Vec<Value> {
    let chats = app.all(&format!("/api/chats?sessionId={session_id}&limit=100"), "chats").await;
    for chat in &chats {
        let path = format!("/api/chats/{}", chat["id"].as_str().unwrap());
        let mut responses = Vec::new();
        for part in ["", "/messages?limit=100", "/messages?limit=1&order=asc", "/export"] {
            responses.push((part, app.get(&format!("{path}{part}")).await));
        }
        responses.push(("read", app.post(&format!("{path}/read"), &Value::Null).await));
        responses.push(("patch", app.patch(&path, &json!({"isUnread": true})).await));
        for (part, response) in responses {
            assert_eq!(response.status, 200, "{part}: {chat}: {}; {:#?}", response.json, app.log_lines());
        }
    }
    let events = app.get(&format!("/api/events?sessionId={session_id}")).await;
    assert_eq!(events.status, 200, "{}", events.json);
    chats
}

fn seconds(time: &Value) -> i64 {
    time.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second()
}

fn text_at(id: &str, from: &str, timestamp: &Value) -> Value {
    let mut message = text_message(id, from, id);
    message["timestamp"] = timestamp.clone();
    message
}

async fn chat_of(app: &TestApp, session_id: &str, digits: &str) -> Value {
    let chats = app.all(&format!("/api/chats?sessionId={session_id}&limit=100"), "chats").await;
    let is_wanted = |chat: &Value| chat["remote_id"].as_str().unwrap().starts_with(digits);
    chats.into_iter().find(is_wanted).unwrap_or_else(|| panic!("no chat of {digits}"))
}

async fn messages_of(app: &TestApp, chat: &Value) -> Vec<Value> {
    let path = format!("/api/chats/{}/messages?limit=100", chat["id"].as_str().unwrap());
    app.get(&path).await.json["messages"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_time_is_stored_and_read_back() {
    let (app, session_id) = TestApp::connected().await;
    let times = [
        json!("0"),
        json!(0),
        json!(-1),
        json!("-1"),
        json!(1.5),
        json!("soon"),
        json!(now().to_string()),
        json!((now() + 2 * 24 * HOUR).to_string()),
        json!("4102444800"),
        json!("253402200000"),
        json!("253402207199"),
        json!("253402207200"),
        json!("253402300799"),
        json!(253_402_300_799_i64),
        json!(i64::MAX),
        json!(u64::MAX),
        json!("9223372036854775808"),
    ];
    for (n, time) in times.iter().enumerate() {
        let from = format!("2010012300{n:02}");
        let neighbor = format!("neighbor.{n}");
        let reaction = json!({"from": from, "id": format!("reaction.{n}"), "timestamp": time, "type": "reaction",
            "reaction": {"message_id": neighbor, "emoji": "👍"}});
        let odd = text_at(&format!("odd.{n}"), &from, time);
        let statuses = json!([{"id": neighbor, "status": "read", "timestamp": time, "recipient_id": from}]);
        let messages = json!([odd, text_message(&neighbor, &from, "hello"), reaction]);
        let body = app.webhook_field("messages", json!({"messages": messages, "statuses": statuses}));
        app.deliver_webhook(&body).await;
        app.deliver_webhook(&body).await;
        let stored = app.get(&format!("/api/messages/{neighbor}")).await;
        assert_eq!(stored.json["message"]["body"], "hello", "{time}");
        let odd = app.get(&format!("/api/messages/odd.{n}")).await;
        assert_eq!(odd.status, 200, "{time}: {}", odd.json);
        let is_known = odd.json["message"]["type"] == "text" || odd.json["trace"][0]["outcome"] == "not_understood";
        assert!(is_known, "{time}: {}", odd.json);
    }
    let chats = read_everything(&app, &session_id).await;
    assert_eq!(chats.len(), times.len());
    for chat in &chats {
        assert!(seconds(&chat["last_message_at"]) <= now() + 2, "{chat}");
        assert!(seconds(&chat["window_until"]) <= now() + 24 * HOUR + 2, "{chat}");
        // The odd message, its neighbor, and the reaction at most: the second delivery stored nothing.
        assert!(messages_of(&app, chat).await.len() <= 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_from_the_future_is_stored_once_and_does_not_stay_the_last_one() {
    let (app, session_id) = TestApp::connected().await;
    let customer = "201001234567";
    for ahead in [HOUR, 24 * HOUR, 75 * 365 * 24 * HOUR] {
        let id = format!("ahead.{ahead}");
        let ahead_of_now = json!([text_at(&id, customer, &json!((now() + ahead).to_string()))]);
        app.deliver_messages(&ahead_of_now).await;
        app.deliver_messages(&ahead_of_now).await;
        // Delivered again when its time has passed.
        app.deliver_messages(&json!([text_at(&id, customer, &json!((now() - 1).to_string()))])).await;
        let message = app.get(&format!("/api/messages/{id}")).await.json["message"].clone();
        assert_eq!((&message["duplicates"], &message["body"]), (&json!(2), &json!(id)));
        assert!(seconds(&message["timestamp"]) <= now());
    }
    let chat = chat_of(&app, &session_id, customer).await;
    assert_eq!(messages_of(&app, &chat).await.len(), 3);
    assert_eq!(chat["unread_count"], 3);
    let export = app.get(&format!("/api/chats/{}/export", chat["id"].as_str().unwrap())).await;
    let raw = export.json["messages"][2]["raw"]["timestamp"].as_str().unwrap().to_owned();
    assert!(raw.parse::<i64>().unwrap() > now() + 70 * 365 * 24 * HOUR, "the original stays in raw: {raw}");
    // A later message and our own reply reach the preview.
    app.deliver_messages(&json!([text_at("later", customer, &json!((now() + 1).to_string()))])).await;
    assert_eq!(chat_of(&app, &session_id, customer).await["last_message"], "later");
    let reply = app.send(&session_id, "+201001234567", "reply").await;
    assert_eq!(reply.status, 200, "{}", reply.json);
    app.wait_until("the reply is shown", async || {
        chat_of(&app, &session_id, customer).await["last_message"] == "reply"
    })
    .await;
    assert_eq!(app.items("message_time").await.len(), 3);
    // Erasing the chat erases the stored times.
    let erased = app.delete(&format!("/api/chats/{}", chat["id"].as_str().unwrap())).await;
    assert!([200, 202].contains(&erased.status), "{}", erased.json);
    app.wait_until("the times are erased", async || app.items("message_time").await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_reaction_from_the_future_does_not_replace_a_later_one() {
    let (app, _) = TestApp::connected().await;
    let reaction = |id: &str, emoji: &str, at: i64| {
        json!({"from": "201001234567", "id": id, "timestamp": at.to_string(), "type": "reaction",
            "reaction": {"message_id": "target", "emoji": emoji}})
    };
    app.deliver_messages(&json!([text_message("target", "201001234567", "hello")])).await;
    app.deliver_messages(&json!([reaction("first", "👍", now() + HOUR)])).await;
    app.deliver_messages(&json!([reaction("second", "❤️", now() + 1)])).await;
    for at in [now() + HOUR, now() + 1] {
        app.deliver_messages(&json!([reaction("first", "👍", at)])).await;
        let target = app.get("/api/messages/target").await;
        assert_eq!(target.json["message"]["reactions"][0]["emoji"], "❤️", "{}", target.json);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ad_does_not_extend_the_customer_service_window() {
    let (app, session_id) = TestApp::connected().await;
    let written_at = now() - 30 * HOUR;
    let mut message = text_at("ad", "201001234567", &json!(written_at.to_string()));
    message["referral"] = json!({"source_type": "ad", "source_id": "1"});
    app.deliver_messages(&json!([message])).await;
    let chat = chat_of(&app, &session_id, "201001234567").await;
    assert_eq!(seconds(&chat["window_until"]), written_at + 24 * HOUR);
    assert_eq!(seconds(&chat["entry_point_until"]), written_at + 72 * HOUR);
    let refused = app.send(&session_id, "+201001234567", "hello").await;
    assert_eq!((refused.status, &refused.json["code"]), (409, &json!("outside_service_window")));
    let template = json!({"sessionId": session_id, "to": "+201001234567", "type": "template",
        "template": {"name": "hello_world", "language": {"code": "en_US"}}});
    assert_eq!(app.post("/api/messages/send", &template).await.status, 200);
}

fn call(id: &str, event: &str, direction: &str, fields: &Value) -> Value {
    let customer = "201001234567";
    let (from, to) = if direction == "USER_INITIATED" { (customer, "") } else { ("", customer) };
    let mut call = json!({"id": id, "from": from, "to": to, "event": event, "timestamp": now().to_string(),
        "direction": direction});
    call.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    call
}

async fn deliver_call(app: &TestApp, call: Value) {
    app.deliver_webhook(&app.webhook_field("calls", json!({"calls": [call]}))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_opens_the_window_and_is_one_message() {
    let (app, session_id) = TestApp::connected().await;
    let rule = json!({"name": "all", "trigger": {"type": "any"}, "reply": {"message": "automatic"}});
    assert_eq!(app.post(&format!("/api/auto-replies?sessionId={session_id}"), &rule).await.status, 200);
    let customer = "201001234567";
    app.deliver_messages(&json!([text_at("text", customer, &json!((now() - 25 * HOUR).to_string()))])).await;
    assert_eq!(app.send(&session_id, "+201001234567", "too late").await.status, 409);

    // An unanswered call by the business opens no window.
    for event in ["connect", "terminate"] {
        deliver_call(&app, call("wacid.own", event, "BUSINESS_INITIATED", &json!({}))).await;
    }
    assert_eq!(app.send(&session_id, "+201001234567", "too late").await.status, 409);
    let chat = chat_of(&app, &session_id, customer).await;
    assert_eq!((&chat["last_message"], &chat["unread_count"]), (&json!("[unanswered call]"), &json!(1)));

    let path = format!("/api/chats/{}", chat["id"].as_str().unwrap());
    assert_eq!(app.patch(&path, &json!({"status": "RESOLVED", "isUnread": false})).await.status, 200);
    deliver_call(&app, call("wacid.1", "connect", "USER_INITIATED", &json!({"session": {"sdp": "v=0"}}))).await;
    let chat = chat_of(&app, &session_id, customer).await;
    assert_eq!((&chat["last_message"], &chat["unread_count"]), (&json!("[call]"), &json!(0)));
    assert!(seconds(&chat["window_until"]) > now() + 23 * HOUR);
    assert_eq!(app.send(&session_id, "+201001234567", "we call back").await.status, 200);

    // In any order, and more than once.
    deliver_call(&app, call("wacid.2", "terminate", "USER_INITIATED", &json!({"status": "FAILED"}))).await;
    for _ in 0..2 {
        deliver_call(&app, call("wacid.1", "terminate", "USER_INITIATED", &json!({"status": "COMPLETED"}))).await;
        deliver_call(&app, call("wacid.1", "connect", "USER_INITIATED", &json!({}))).await;
        deliver_call(&app, call("wacid.2", "connect", "USER_INITIATED", &json!({}))).await;
        let accepted = json!({"status": "COMPLETED", "start_time": (now() - 60).to_string(), "duration": 20});
        deliver_call(&app, call("wacid.3", "connect", "USER_INITIATED", &json!({}))).await;
        deliver_call(&app, call("wacid.3", "terminate", "USER_INITIATED", &accepted)).await;
    }
    let status = json!({"id": "wacid.own", "type": "call", "status": "RINGING", "timestamp": now().to_string()});
    let other = json!({"calls": [call("wacid.4", "media_update", "USER_INITIATED", &json!({}))], "statuses": [status]});
    app.deliver_webhook(&app.webhook_field("calls", other)).await;
    let chat = chat_of(&app, &session_id, customer).await;
    assert_eq!((&chat["unread_count"], &chat["status"]), (&json!(2), &json!("INBOX")), "two missed calls");
    let messages = messages_of(&app, &chat).await;
    let calls: Vec<&Value> = messages.iter().filter(|message| message["type"] == "call").collect();
    assert_eq!(calls.len(), 4, "{messages:#?}");
    for (wamid, status) in
        [("wacid.own", "missed"), ("wacid.1", "missed"), ("wacid.2", "missed"), ("wacid.3", "completed")]
    {
        let call = calls.iter().find(|call| call["wamid"] == wamid).unwrap();
        assert_eq!(call["content"]["call"]["status"], status, "{call}");
        assert_eq!(call["duplicates"], 0, "{call}");
    }
    let completed = calls.iter().find(|call| call["wamid"] == "wacid.3").unwrap();
    assert_eq!(completed["content"]["call"]["duration"], 20);
    let events = app.get(&format!("/api/events?sessionId={session_id}")).await;
    let fields: Vec<&Value> = events.json["events"].as_array().unwrap().iter().map(|event| &event["field"]).collect();
    assert!(fields.contains(&&json!("calls")) && fields.contains(&&json!("calls.statuses")), "{fields:?}");
    // Rules answer texts only, and the first one is too old.
    let texts: Vec<&Value> = messages.iter().filter(|message| message["body"] == "automatic").collect();
    assert!(texts.is_empty(), "{texts:?}");
    // Read receipts name the last message, because WhatsApp doesn't mark calls as read.
    assert_eq!(app.items("chat").await[0]["last_inbound_wamid"], "text");
    read_everything(&app, &session_id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sizes_and_bytes_beyond_the_usual_are_accepted() {
    let (app, session_id) = TestApp::connected().await;
    // An export has the JSON as it was received, with numbers and depths that this parser refuses.
    app.allow_violations("export (200): the response isn't JSON");
    // Many empty changes.
    let empty = format!(r#"{{"entry":[{{"id":"1","changes":[{}]}}]}}"#, vec!["{}"; 300_000].join(","));
    let response = app.webhook_bytes(empty.into_bytes()).await;
    assert_eq!(response.status, 200, "{}", response.json);
    let events = app.items("event").await;
    assert_eq!(events.len(), 2, "the equal changes, and the whole body");
    // A long text.
    let long = "ا".repeat(70_000);
    let mut message = text_message("long", "201001234567", &long);
    app.deliver_messages(&json!([message])).await;
    let stored = app.get("/api/messages/long").await.json["message"].clone();
    assert_eq!((&stored["type"], stored["body"].as_str().unwrap().len()), (&json!("text"), 65_536));
    let chat = chat_of(&app, &session_id, "201001234567").await;
    let export = app.get(&format!("/api/chats/{}/export", chat["id"].as_str().unwrap())).await;
    assert_eq!(export.json["messages"][0]["raw"]["text"]["body"], json!(long));
    // Numbers and depths that JSON libraries can't hold.
    message["id"] = json!("odd");
    message["text"] = json!({"body": "odd"});
    message["x"] = (0..200).fold(json!(1), |inner, _| json!([inner]));
    message["y"] = json!("HUGE");
    let body = app.webhook_body(&json!([message])).to_string().replace("\"HUGE\"", "1e400");
    assert_eq!(app.webhook_bytes(body.into_bytes()).await.status, 200);
    // A byte order mark, and a byte that isn't UTF-8.
    let body = app.webhook_body(&json!([text_message("marked", "201001234567", "marked")])).to_string();
    assert_eq!(app.webhook_bytes([b"\xef\xbb\xbf", body.as_bytes()].concat()).await.status, 200);
    let body = app.webhook_body(&json!([
        text_message("broken", "201001234567", "x"),
        text_message("whole", "201001234567", "y")
    ]));
    let body: Vec<u8> = body.to_string().into_bytes();
    let at = body.windows(3).position(|window| window == b"\"x\"").unwrap();
    let broken = [&body[..=at], b"\xff", &body[at + 1..]].concat();
    assert_eq!(app.webhook_bytes(broken).await.status, 200);
    assert_eq!(app.get("/api/messages/broken").await.json["message"]["body"], "\u{fffd}x");
    assert_eq!(app.get("/api/messages/whole").await.json["message"]["body"], "y");
    let events = app.items("event").await;
    assert!(events.iter().any(|event| event["encoding"] == "base64"), "the original bytes are kept");
    // A number that isn't one.
    let mut body = app.webhook_body(&json!([text_message("elsewhere", "201001234567", "hi")]));
    body["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = json!("../106540352242922");
    app.deliver_webhook(&body).await;
    assert!(app.items("event").await.iter().any(|event| event["wamid"] == "elsewhere"));
    read_everything(&app, &session_id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workers_message_from_the_future_is_dated_by_its_receipt() {
    let app = TestApp::start().await;
    let session = app.create_session("ada").await;
    let session_id = session["id"].as_str().unwrap().to_owned();
    assert_eq!(app.set_worker_state(&session_id, true).await.status, 200);
    for time in [json!(253_402_200_000_i64), json!("253402207199"), json!("2099-01-01T00:00:00Z"), json!(now() + HOUR)]
    {
        let body = json!({"sessionId": session_id, "id": format!("device.{time}"), "from": "201001234567",
            "timestamp": time, "text": "hi"});
        let first = app.post("/api/messages/receive", &body).await;
        assert_eq!((first.status, &first.json["duplicate"]), (200, &json!(false)), "{time}: {}", first.json);
        let second = app.post("/api/messages/receive", &body).await;
        assert_eq!((second.status, &second.json["duplicate"]), (200, &json!(true)), "{time}: {}", second.json);
    }
    let outside = json!({"sessionId": session_id, "id": "outside", "from": "201001234567", "timestamp": 253_402_300_799_i64,
        "text": "hi"});
    assert_eq!(app.post("/api/messages/receive", &outside).await.status, 400);
    let chats = read_everything(&app, &session_id).await;
    assert_eq!(chats.len(), 1);
    assert!(seconds(&chats[0]["last_message_at"]) <= now());
    assert_eq!(chats[0]["unread_count"], 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_the_contact_accepts_opens_the_window() {
    let (app, session_id) = TestApp::connected().await;
    let accepted = json!({"status": "COMPLETED", "start_time": (now() - HOUR).to_string(), "duration": 20});
    for (customer, events) in [
        ("201001234567", &["connect", "terminate"][..]),
        ("201001234568", &["terminate", "connect"]),
        ("201001234569", &["terminate"]),
    ] {
        app.deliver_messages(&json!([text_at(customer, customer, &json!((now() - 25 * HOUR).to_string()))])).await;
        assert_eq!(app.send(&session_id, customer, "too late").await.status, 409);
        for event in events {
            let fields = if *event == "connect" {
                json!({"to": customer, "timestamp": (now() - HOUR - 20).to_string()})
            } else {
                merge(json!({"to": customer}), &accepted)
            };
            deliver_call(&app, call(&format!("wacid.{customer}"), event, "BUSINESS_INITIATED", &fields)).await;
        }
        let chat = chat_of(&app, &session_id, customer).await;
        let until = seconds(&chat["window_until"]) - now() - 23 * HOUR;
        assert!((-60..60).contains(&until), "{events:?}: {chat}");
        assert_eq!((&chat["unread_count"], &chat["last_message"]), (&json!(1), &json!("[call]")));
        assert_eq!(app.send(&session_id, customer, "thanks for the call").await.status, 200, "{events:?}");
        let items = app.items("chat").await;
        assert!(items.iter().any(|chat| chat["last_inbound_wamid"] == customer), "read receipts name the last message");
    }
}

fn change(app: &TestApp, field: &str, messages: Value) -> Value {
    let key = if field == "messages" { field } else { "message_echoes" };
    app.webhook_field(field, json!({key: messages}))["entry"][0]["changes"][0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_and_echoes_of_one_second_keep_the_order_of_the_body() {
    let (app, session_id) = TestApp::connected().await;
    let at = json!((now() - 30).to_string());
    let echo = |id: &str, to: &str| {
        json!({"from": app.ready.display_phone_number, "to": to, "id": id, "timestamp": at, "type": "text",
            "text": {"body": id}})
    };
    for (customer, order, unread) in [
        ("201001234567", ["in", "echo", "in"], 1),
        ("201001234568", ["echo", "in", "in"], 2),
        ("201001234569", ["in", "in", "echo"], 0),
    ] {
        let ids = ["1", "2", "3"].map(|id| format!("{customer}.{id}"));
        let changes: Vec<Value> = order
            .iter()
            .zip(&ids)
            .map(|(source, id)| match *source {
                "in" => change(&app, "messages", json!([text_at(id, customer, &at)])),
                _ => change(&app, "smb_message_echoes", json!([echo(id, customer)])),
            })
            .collect();
        let body =
            json!({"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": changes}]});
        app.deliver_webhook(&body).await;
        app.deliver_webhook(&body).await;
        let chat = chat_of(&app, &session_id, customer).await;
        let path = format!("/api/chats/{}/messages?limit=100&order=asc", chat["id"].as_str().unwrap());
        let listed = app.get(&path).await.json;
        let listed: Vec<&str> =
            listed["messages"].as_array().unwrap().iter().map(|message| message["wamid"].as_str().unwrap()).collect();
        assert_eq!(listed, ids, "{order:?}");
        assert_eq!(chat["unread_count"], unread, "{order:?}");
    }
}
