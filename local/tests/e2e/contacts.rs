//! Who a contact is: names, usernames, the business's address book, and the chat of an address.

use local::database::Fault;
use serde_json::{Value, json};

use crate::test_app::{TestApp, merge, now};

/// Returns a webhook with this contact and one text message of theirs.
fn from_contact(app: &TestApp, contact: &Value, message: &Value) -> Value {
    let text = json!({"type": "text", "text": {"body": message["id"]}});
    app.webhook_field("messages", json!({"contacts": [contact], "messages": [merge(text, message)]}))
}

async fn chats(app: &TestApp, session_id: &str, query: &str) -> Vec<Value> {
    let response = app.get(&format!("/api/chats?sessionId={session_id}{query}")).await;
    assert_eq!(response.status, 200, "{query}: {}", response.json);
    assert_eq!(response.json["nextCursor"], Value::Null);
    response.json["chats"].as_array().unwrap().clone()
}

/// Returns the session's only chat.
async fn only_chat(app: &TestApp, session_id: &str) -> Value {
    let [chat] = <[Value; 1]>::try_from(chats(app, session_id, "").await).unwrap();
    chat
}

fn path(chat: &Value) -> String {
    format!("/api/chats/{}", chat["id"].as_str().unwrap())
}

/// Returns an `smb_app_state_sync` webhook with one contact.
fn saved(app: &TestApp, action: &str, contact: &Value, at: i64) -> Value {
    let entry =
        json!({"type": "contact", "action": action, "contact": contact, "metadata": {"timestamp": at.to_string()}});
    app.webhook_field("smb_app_state_sync", json!({"state_sync": [entry]}))
}

fn username_and_user_id(value: &Value) -> (&Value, &Value) {
    (&value["username"], &value["user_id"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newest_username_and_user_id_are_on_the_chat_and_the_writers_on_each_message() {
    let (app, session_id) = TestApp::connected().await;
    let now = now();
    let mona = |username: &str| {
        json!({"profile": {"name": "Mona", "username": username}, "wa_id": "201001234567", "user_id": "EG.7",
            "identity_key_hash": "a2V5", "new_in_2027": [1]})
    };
    let message = |id: &str, at: i64| json!({"id": id, "timestamp": at.to_string(), "from": "201001234567", "from_user_id": "EG.7"});
    app.deliver_webhook(&from_contact(&app, &mona("mona.2"), &message("w.2", now - 80))).await;
    // Delivered late: the older username is not news, but it is the one of its message.
    app.deliver_webhook(&from_contact(&app, &mona("mona.1"), &message("w.1", now - 90))).await;
    let chat = only_chat(&app, &session_id).await;
    assert_eq!((&chat["name"], username_and_user_id(&chat)), (&json!("Mona"), (&json!("mona.2"), &json!("EG.7"))));
    let sent = app.send(&session_id, "+20 100 123 4567", "hello").await.json;
    assert_eq!(username_and_user_id(&sent["chat"]), (&json!("mona.2"), &json!("EG.7")));
    assert_eq!(username_and_user_id(&sent["message"]), (&Value::Null, &Value::Null));
    // Older than the business's message, but newer than the contact's.
    app.deliver_webhook(&from_contact(&app, &mona("mona.3"), &message("w.3", now - 70))).await;
    // A webhook without contacts takes nothing away.
    app.deliver_messages(&json!([merge(message("w.4", now - 60), &json!({"type": "text", "text": {"body": "w.4"}}))]))
        .await;
    let chat = app.get(&path(&chat)).await.json["chat"].clone();
    assert_eq!((&chat["name"], username_and_user_id(&chat)), (&json!("Mona"), (&json!("mona.3"), &json!("EG.7"))));

    let writers = |messages: &Value| -> Vec<(String, Value, Value)> {
        let mut writers: Vec<_> = messages
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["body"].as_str().unwrap().to_owned(), one["username"].clone(), one["user_id"].clone()))
            .collect();
        writers.sort_by_key(|(body, ..)| body.clone());
        writers
    };
    let expected: Vec<_> = [
        ("hello", Value::Null, Value::Null),
        ("w.1", json!("mona.1"), json!("EG.7")),
        ("w.2", json!("mona.2"), json!("EG.7")),
        ("w.3", json!("mona.3"), json!("EG.7")),
        ("w.4", Value::Null, json!("EG.7")),
    ]
    .into_iter()
    .map(|(body, username, user_id)| (body.to_owned(), username, user_id))
    .collect();
    let listed = app.get(&format!("{}/messages", path(&chat))).await.json;
    assert_eq!(writers(&listed["messages"]), expected);
    let exported = app.get(&format!("{}/export", path(&chat))).await.json;
    assert_eq!(writers(&exported["messages"]), expected);
    let of = |body: &str| exported["messages"].as_array().unwrap().iter().find(|one| one["body"] == body).unwrap();
    assert_eq!((&of("w.1")["contact"], &of("hello")["contact"]), (&mona("mona.1"), &Value::Null));
    let one = app.get("/api/messages/w.1").await.json["message"].clone();
    assert_eq!(username_and_user_id(&one), (&json!("mona.1"), &json!("EG.7")));

    // In a group, each message has its writer, and the group has neither.
    let in_group = merge(message("w.5", now - 50), &json!({"group_id": "120363"}));
    app.deliver_webhook(&from_contact(&app, &mona("mona.4"), &in_group)).await;
    let one = app.get("/api/messages/w.5").await.json["message"].clone();
    assert_eq!(username_and_user_id(&one), (&json!("mona.4"), &json!("EG.7")));
    assert_eq!(one["author"]["username"], "mona.4");
    let group = chats(&app, &session_id, "&type=GROUP").await.remove(0);
    assert_eq!((&group["name"], username_and_user_id(&group)), (&json!("120363"), (&Value::Null, &Value::Null)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn name_that_shows_nothing_is_no_name_and_controls_are_removed() {
    let (app, session_id) = TestApp::connected_with(&["201007654321", "201007654322"]).await;
    let message = |id: &str, at: i64| json!({"id": id, "timestamp": (now() - at).to_string(), "from": "201001234567"});
    let named = |name: &str| json!({"profile": {"name": name}, "wa_id": "201001234567"});
    app.deliver_webhook(&from_contact(&app, &named("\u{3164}\u{200b}"), &message("w.1", 90))).await;
    let chat = only_chat(&app, &session_id).await;
    assert_eq!(chat["name"], "+201001234567");
    app.deliver_webhook(&from_contact(&app, &named("\u{202e}Mo\u{0}na\u{2028}A\u{202c}"), &message("w.2", 80))).await;
    assert_eq!(only_chat(&app, &session_id).await["name"], "Mona A");
    app.deliver_webhook(&from_contact(&app, &named("\u{2800} \u{fe0f}"), &message("w.3", 70))).await;
    assert_eq!(only_chat(&app, &session_id).await["name"], "Mona A");

    for nothing in [" ", "\u{200b}", "\u{3164}", "\u{202e}", "\n"] {
        let response = app.patch(&path(&chat), &json!({"name": nothing})).await;
        assert_eq!((response.status, &response.json["code"]), (400, &json!("invalid_field")), "{nothing:?}");
        assert!(response.json["error"].as_str().unwrap().starts_with("name shows nothing"), "{}", response.json);
    }
    let patch = async |name: &str| app.patch(&path(&chat), &json!({"name": name})).await.json["chat"]["name"].clone();
    assert_eq!(patch("\u{2067}منى\u{2069} 👩\u{200d}👧").await, "منى 👩\u{200d}👧");
    assert_eq!(patch("").await, "Mona A");
    // A number that was copied from an address book has invisible marks around it.
    let sent = app.send(&session_id, "\u{202a}+20 100 765-4321\u{202c}", "hello").await.json;
    assert_eq!(sent["chat"]["name"], "+20 100 765-4321");
    let sent = app.send(&session_id, "https://wa.me/201007654322", "hello").await.json;
    assert_eq!(sent["chat"]["name"], "+201007654322");

    // A message without sender belongs to the only contact.
    let no_sender = json!({"id": "w.4", "timestamp": (now() - 60).to_string()});
    app.deliver_webhook(&from_contact(&app, &named("Mona B"), &no_sender)).await;
    let chat = app.get(&path(&chat)).await.json["chat"].clone();
    assert_eq!(
        (&chat["name"], &chat["last_message"], &chat["unread_count"]),
        (&json!("Mona B"), &json!("w.4"), &json!(4))
    );

    let session = app.create_session("bob").await;
    let worker = session["id"].as_str().unwrap();
    app.set_worker_state(worker, true).await;
    for (id, name, expected) in [("d.1", "\u{3164}", "+201001234567"), ("d.2", "\u{202e}Bob", "Bob")] {
        let received = json!({"sessionId": worker, "id": id, "from": "201001234567", "name": name, "text": "hi",
            "timestamp": now()});
        assert_eq!(app.post("/api/messages/receive", &received).await.status, 200);
        assert_eq!(only_chat(&app, worker).await["name"], expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn address_book_of_the_phone_names_chats_that_exist_and_that_come_later() {
    let (app, session_id) = TestApp::connected_with(&["EG.9"]).await;
    let mona = |name: &str| json!({"full_name": name, "first_name": "x", "phone_number": "+20 100 123-4567"});
    let name_of = async |phone: &str| {
        let found = chats(&app, &session_id, &format!("&phone={phone}")).await;
        found.first().map_or(Value::Null, |chat| chat["name"].clone())
    };
    // Before there is a chat, the name is in no list.
    app.deliver_webhook(&saved(&app, "add", &mona("Mona Adel"), 1_000)).await;
    app.deliver_webhook(&saved(&app, "add", &mona("Mona too late"), 999)).await;
    let hidden = json!({"full_name": "Zeina", "user_id": "EG.9"});
    app.deliver_webhook(&saved(&app, "add", &hidden, 1_000)).await;
    assert_eq!(chats(&app, &session_id, "").await, Vec::<Value>::new());
    let contact = json!({"profile": {"name": "mona ✿"}, "wa_id": "201001234567", "user_id": "EG.7"});
    let message = json!({"id": "w.1", "timestamp": now().to_string(), "from": "201001234567", "from_user_id": "EG.7"});
    app.deliver_webhook(&from_contact(&app, &contact, &message)).await;
    assert_eq!(name_of("EG.7").await, "Mona Adel");
    let sent = app.send(&session_id, "EG.9", "hello").await.json;
    assert_eq!((&sent["chat"]["name"], &sent["chat"]["user_id"]), (&json!("Zeina"), &json!("EG.9")));

    // Later changes by WhatsApp's clock, whatever their order, below the agent's name and above the contact's own.
    app.deliver_webhook(&saved(&app, "edit", &mona("Mona A."), 2_000)).await;
    app.deliver_webhook(&saved(&app, "remove", &mona(""), 1_500)).await;
    assert_eq!(name_of("201001234567").await, "Mona A.");
    let chat = chats(&app, &session_id, "&phone=EG.7").await.remove(0);
    assert_eq!(app.patch(&path(&chat), &json!({"name": "VIP"})).await.json["chat"]["name"], "VIP");
    app.deliver_webhook(&saved(&app, "edit", &mona("Mona B."), 3_000)).await;
    assert_eq!(name_of("201001234567").await, "VIP");
    assert_eq!(app.patch(&path(&chat), &json!({"name": ""})).await.json["chat"]["name"], "Mona B.");
    app.deliver_webhook(&saved(&app, "remove", &mona(""), 4_000)).await;
    assert_eq!(name_of("201001234567").await, "mona ✿");
    // A change from before the removal brings nothing back.
    app.deliver_webhook(&saved(&app, "add", &mona("Mona C."), 3_500)).await;
    app.deliver_webhook(&from_contact(&app, &contact, &merge(message, &json!({"id": "w.2"})))).await;
    assert_eq!(name_of("201001234567").await, "mona ✿");

    // Groups get their subject before their first message, and an event tells of it.
    let group = |members: &Value| {
        let group = json!({"group_id": "120363", "timestamp": "1000", "request_id": "r"});
        json!({"groups": [merge(group, members)]})
    };
    let create = group(&json!({"type": "group_create", "subject": "Team"}));
    app.deliver_webhook(&app.webhook_field("group_lifecycle_update", create)).await;
    let message = json!({"id": "w.3", "timestamp": now().to_string(), "from": "201001234567", "group_id": "120363"});
    app.deliver_webhook(&from_contact(&app, &contact, &message)).await;
    assert_eq!(name_of("120363@g.us").await, "Team");
    for (at, subject, accepted, expected) in
        [("1001", "New", true, "New"), ("1002", "Refused", false, "New"), ("999", "Old", true, "New")]
    {
        let subject = json!({"text": subject, "update_successful": accepted});
        let change = group(&json!({"type": "group_settings_update", "group_subject": subject, "timestamp": at}));
        app.deliver_webhook(&app.webhook_field("group_settings_update", change)).await;
        assert_eq!(name_of("120363@g.us").await, expected);
    }
    let events = app.all(&format!("/api/events?sessionId={session_id}"), "events").await;
    let of_field = |field: &str| events.iter().filter(|event| event["field"] == field).count();
    assert_eq!((of_field("group_lifecycle_update"), of_field("group_settings_update")), (1, 3));

    // The names are erased with the chat, and with the session.
    let names = async || app.items("saved_name").await.len();
    assert_eq!(names().await, 3);
    let group = chats(&app, &session_id, "&phone=120363@g.us").await.remove(0);
    assert_eq!(app.delete(&path(&group)).await.status, 200);
    assert_eq!(names().await, 2);
    assert_eq!(app.delete(&format!("/api/session?sessionId={session_id}")).await.status, 200);
    assert_eq!(names().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chat_is_found_by_every_address_of_its_contact() {
    let (app, session_id) = TestApp::connected_with(&["553199998888", "447911123456"]).await;
    let now = now();
    let text = |id: &str, at: i64, members: Value| {
        merge(json!({"id": id, "timestamp": at.to_string(), "type": "text", "text": {"body": id}}), &members)
    };
    // Two chats that turn out to belong to one contact.
    app.deliver_messages(&json!([text("w.1", now - 90, json!({"from_user_id": "BR.7"}))])).await;
    app.send(&session_id, "+55 31 9999-8888", "hello").await;
    let both = json!({"from": "5531999998888", "from_user_id": "BR.7"});
    app.deliver_messages(&json!([text("w.2", now - 80, both), text("w.3", now - 70, json!({"from": "201001234567"}))]))
        .await;
    app.deliver_messages(&json!([text("w.4", now - 60, json!({"from": "201001234567", "group_id": "120363"}))])).await;
    assert_eq!(chats(&app, &session_id, "").await.len(), 3);
    let found = async |phone: &str, filter: &str| {
        let found = chats(&app, &session_id, &format!("&phone={phone}{filter}")).await;
        found.into_iter().map(|chat| (chat["id"].clone(), chat["last_message"].clone())).collect::<Vec<_>>()
    };
    let bia = found("BR.7", "").await;
    assert_eq!(bia.len(), 1);
    let spellings = [
        "%2B55%2031%2099999-8888",
        "+55+(31)+9999-8888",
        "005531999998888",
        "+553199998888",
        "5531999998888@s.whatsapp.net",
        "553199998888@c.us",
        "%E2%80%AA%2B55%2031%2099999%208888%E2%80%AC",
    ];
    for phone in spellings {
        assert_eq!(found(phone, "").await, bia, "{phone}");
    }
    assert_eq!(found("120363@g.us", "").await[0].1, "w.4");
    assert_eq!(found("+201001234567", "").await[0].1, "w.3");
    for unknown in ["+201001234568", "EG.404", "404@g.us"] {
        assert_eq!(found(unknown, "").await, [], "{unknown}");
    }
    // Filters apply to the chat.
    assert_eq!(found("BR.7", "&status=INBOX&type=INDIVIDUAL&unread=true&limit=1").await, bia);
    for filter in ["&status=ARCHIVED", "&type=GROUP", "&unread=false"] {
        assert_eq!(found("BR.7", filter).await, [], "{filter}");
    }
    let list = format!("/api/chats?sessionId={session_id}");
    let page = app.get(&format!("{list}&limit=1")).await.json;
    let cursor = page["nextCursor"].as_str().unwrap();
    for (query, sentence) in [
        ("&phone=", "phone is not a WhatsApp address"),
        ("&phone", "phone is not a WhatsApp address"),
        ("&phone=Mona", "phone is not a WhatsApp address"),
        ("&phone=123", "phone has no country code"),
        ("&phone=%ff", "phone is not percent-encoded UTF-8"),
        ("&phone=+201001234567&phone=+201001234567", "phone is given twice"),
        (&format!("&phone=+201001234567&limit=1&cursor={cursor}"), "cursor can't be combined with phone"),
    ] {
        let response = app.get(&format!("{list}{query}")).await;
        assert_eq!((response.status, &response.json["code"]), (400, &json!("invalid_query")), "{query}");
        assert!(response.json["error"].as_str().unwrap().starts_with(sentence), "{query}: {}", response.json);
    }

    // A contact without a name who moves is named after the new number, and found by both.
    let change = json!({"from": "201001234567", "id": "w.5", "timestamp": (now - 50).to_string(), "type": "system",
        "system": {"type": "user_changed_number", "wa_id": "491511234567"}});
    app.deliver_messages(&json!([change])).await;
    for phone in ["+201001234567", "+491511234567"] {
        let chat = chats(&app, &session_id, &format!("&phone={phone}")).await.remove(0);
        assert_eq!((&chat["name"], &chat["last_message"]), (&json!("+491511234567"), &json!("w.3")), "{phone}");
    }

    // Another tenant's chat looks like one that doesn't exist, and so does their session.
    let (_, key) = app.create_key("mallory", &["messages:read"]).await;
    let refused = app.with_key(&key, "GET", &format!("{list}&phone=BR.7"), &Value::Null).await;
    assert_eq!((refused.status, &refused.json["code"]), (404, &json!("session_not_found")));
    let other = app.create_session("mallory").await["id"].as_str().unwrap().to_owned();
    assert_eq!(chats(&app, &other, "&phone=BR.7").await, Vec::<Value>::new());
    // A chat that was just sent to is found at once, and a failing table is no empty answer.
    let sent = app.send(&session_id, "+447911123456", "hello").await.json;
    assert_eq!(found("+447911123456", "").await[0].0, sent["chat"]["id"]);
    app.inject_function_fault("chats", "GetItem", Fault::InternalServerError, 100);
    assert_eq!(app.get(&format!("{list}&phone=BR.7")).await.status, 503);
    app.clear_injected_faults();
}
