//! One contact has one chat, in whatever order its identifiers become known.

use serde_json::{Value, json};

use crate::test_app::{TestApp, merge, now};

/// Returns a text message of a contact with these identifiers.
fn text(id: &str, at: i64, identifiers: &Value) -> Value {
    merge(json!({"id": id, "timestamp": at.to_string(), "type": "text", "text": {"body": id}}), identifiers)
}

async fn chat_item(app: &TestApp, id: &Value) -> Value {
    app.items("chat").await.into_iter().find(|chat| chat["id"] == *id).expect("the chat exists")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chats_of_one_contact_are_merged_without_loss() {
    let (app, session_id) = TestApp::connected_with(&["553199998888"]).await;
    let now = now();
    let hidden = |id: &str, at: i64| text(id, at, &json!({"from_user_id": "EG.7"}));
    let both = |id: &str, at: i64| text(id, at, &json!({"from": "5531999998888", "from_user_id": "EG.7"}));

    // One chat has only a user id. The other has a number that the business dials in a form that WhatsApp doesn't use.
    let first = app.webhook_body(&json!([hidden("wamid.1", now - 100), hidden("wamid.2", now - 90)]));
    app.deliver_webhook(&first).await;
    let unknown = app.items("chat").await.remove(0);
    let dialed = app.send(&session_id, "+55 31 9999-8888", "Your order").await.json;
    assert_ne!(dialed["chat"]["id"], unknown["id"]);

    // WhatsApp names both identifiers in one message, which merges the chats.
    app.deliver_messages(&json!([both("wamid.3", now + 5)])).await;
    let survivor = chat_item(&app, &unknown["id"]).await;
    let merged = chat_item(&app, &dialed["chat"]["id"]).await;
    assert_eq!(survivor["merged"][0]["chat_id"], merged["id"]);
    assert_eq!((&merged["merged_into"], merged.get("inbox_key")), (&survivor["id"], None));
    assert_eq!(merged["merged_at"], survivor["merged"][0]["at"]);
    assert_eq!((&survivor["unread_count"], &survivor["last_message"]), (&json!(3), &json!("wamid.3")));
    assert_eq!((&survivor["wa_id"], &survivor["user_id"]), (&json!("5531999998888"), &json!("EG.7")));
    assert!(survivor.get("inbox_key").is_some());

    // Messages from before the merge are recognized as duplicates.
    app.deliver_webhook(&first).await;
    app.deliver_messages(&json!([both("wamid.3", now + 5)])).await;
    let inbound = app.items("message").await.into_iter().filter(|item| item["from_me"] == false).count();
    assert_eq!((inbound, &chat_item(&app, &survivor["id"]).await["unread_count"]), (3, &json!(3)));

    // Every identifier leads to the merged chat and to the number that WhatsApp reported, in order.
    for to in ["+55 31 9999-8888", "5531999998888@s.whatsapp.net", "EG.7"] {
        let response = app.send(&session_id, to, "hello").await;
        assert_eq!((response.status, &response.json["chat"]["id"]), (200, &survivor["id"]), "{to}");
        let item = app.wait_for_message("the message", |item| item["id"] == response.json["message"]["id"]).await;
        assert_eq!(item["to"], "5531999998888");
    }
    let texts = app.accepted_texts(4).await;
    assert_eq!((texts.len(), texts[0].as_str()), (4, "Your order"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contact_with_a_new_number_keeps_the_chat() {
    let (app, session_id) = TestApp::connected().await;
    let now = now();
    let old = json!({"from": "201001234567", "from_user_id": "EG.7"});
    let new = json!({"from": "491511234567", "from_user_id": "DE.8"});
    let change = json!({
        "from": "201001234567", "id": "wamid.change", "timestamp": (now - 50).to_string(), "type": "system",
        "system": {"type": "user_changed_number", "body": "Mona changed from 201001234567 to 491511234567",
            "wa_id": "491511234567", "user_id": "DE.8", "previous_user_id": "EG.7"},
    });
    // The contact writes from the new number before WhatsApp reports the change.
    for message in [text("wamid.1", now - 100, &old), text("wamid.2", now - 40, &new), change.clone(), change] {
        app.deliver_messages(&json!([message])).await;
    }
    let response = app.send(&session_id, "+20 100 123 4567", "Is this still you?").await.json;
    let chat = chat_item(&app, &response["chat"]["id"]).await;
    assert_eq!(chat["merged"].as_array().map(Vec::len), Some(1));
    assert_eq!((&chat["wa_id"], &chat["user_id"]), (&json!("491511234567"), &json!("DE.8")));
    let item = app.wait_for_message("the sent message", |_| true).await;
    assert_eq!(item["to"], "491511234567");

    // A stranger gets the old number.
    let stranger = text("wamid.3", now - 10, &json!({"from": "201001234567", "from_user_id": "EG.9"}));
    app.deliver_messages(&json!([stranger])).await;
    let other = app.send(&session_id, "+20 100 123 4567", "Who is this?").await.json;
    assert_ne!(other["chat"]["id"], response["chat"]["id"]);
    assert_eq!(chat_item(&app, &chat["id"]).await["wa_id"], "491511234567");
}

/// WhatsApp reports changes in which some or all addresses stay, such as to another spelling of the number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_change_can_leave_addresses_as_they_are() {
    let (app, _) = TestApp::connected().await;
    let now = now();
    let system = |id: &str, from: &str, fields: &Value| {
        let system = merge(json!({"type": "user_changed_number", "body": "changed"}), fields);
        json!({"id": id, "from": from, "timestamp": (now - 50).to_string(), "type": "system", "system": system})
    };
    for (index, (from, user_id, fields, wa_id)) in [
        ("5511987650001", "BR.1", json!({"wa_id": "551187650001"}), "551187650001"),
        ("5215512340001", "MX.1", json!({"wa_id": "525512340001"}), "525512340001"),
        ("201001234567", "EG.1", json!({"wa_id": "201001234567"}), "201001234567"),
        (
            "201001234568",
            "EG.2",
            json!({"wa_id": "491511234567", "user_id": "EG.2", "previous_user_id": "EG.2"}),
            "491511234567",
        ),
        (
            "201001234569",
            "EG.3",
            json!({"wa_id": "491511234568", "user_id": "EG.4", "previous_user_id": "EG.3",
            "parent_user_id": "EG.ENT.3", "previous_parent_user_id": "EG.ENT.3"}),
            "491511234568",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let sender = json!({"from": from, "from_user_id": user_id});
        app.deliver_messages(&json!([text(&format!("wamid.{index}"), now - 100, &sender)])).await;
        let change = app.webhook_body(&json!([system(&format!("wamid.change.{index}"), from, &fields)]));
        for _ in 0..2 {
            let response = app.webhook(&change).await;
            assert_eq!(response.status, 200, "{fields}");
        }
        let chats = app.items("chat").await;
        let chat = chats.iter().find(|chat| chat["wa_id"] == wa_id).unwrap_or_else(|| panic!("{fields}: {chats:?}"));
        assert!(chat.get("merged").is_none() && chats.len() == index + 1, "{fields}: {chats:?}");
    }
    let update = |at: i64, user_id: &str, previous: &str, parents: [&str; 2]| {
        json!({"user_id_update": [{"wa_id": "491511234568", "user_id": {"previous": previous, "current": user_id},
            "parent_user_id": {"previous": parents[0], "current": parents[1]}, "timestamp": at}]})
    };
    for value in [
        update(now - 40, "EG.4", "EG.4", ["EG.ENT.3", "EG.ENT.3"]),
        update(now - 30, "EG.5", "EG.4", ["EG.ENT.3", "EG.ENT.3"]),
        update(now - 20, "EG.5", "EG.5", ["EG.ENT.3", "EG.ENT.4"]),
    ] {
        let response = app.webhook(&app.webhook_field("user_id_update", value.clone())).await;
        assert_eq!(response.status, 200, "{value}");
    }
    assert!(app.items("chat").await.iter().any(|chat| chat["user_id"] == "EG.5"));
}
