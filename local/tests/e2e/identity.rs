//! One person is one chat, whatever came first.

use serde_json::{Value, json};

use crate::system::System;

/// A customer's text, named by some of his forms.
fn text(id: &str, at: i64, forms: &Value) -> Value {
    let mut message = json!({"id": id, "timestamp": at.to_string(), "type": "text", "text": {"body": id}});
    message.as_object_mut().unwrap().extend(forms.as_object().unwrap().clone());
    message
}

async fn chat_row(system: &System, id: &Value) -> Value {
    system.items("chat").await.into_iter().find(|chat| chat["id"] == *id).expect("the chat is there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_chats_that_turn_out_to_be_one_persons_are_merged_and_nothing_is_lost() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let now = jiff::Timestamp::now().as_second();
    let hidden = |id: &str, at: i64| text(id, at, &json!({"from_user_id": "EG.7"}));
    let both = |id: &str, at: i64| text(id, at, &json!({"from": "5531999998888", "from_user_id": "EG.7"}));

    // Known by a user id alone, and by a number that the business dials in a form that WhatsApp does not use.
    let first = system.webhook_body(&json!([hidden("wamid.1", now - 100), hidden("wamid.2", now - 90)]));
    assert_eq!(system.webhook(&first).await.status, 200);
    let unknown = system.items("chat").await.remove(0);
    let dialled = system.send(&session_id, "+55 31 9999-8888", "Your order").await.json;
    assert_ne!(dialled["chat"]["id"], unknown["id"]);

    // WhatsApp shows both together: in the statuses of that message, or now.
    assert_eq!(system.webhook(&system.webhook_body(&json!([both("wamid.3", now + 5)]))).await.status, 200);
    let survivor = chat_row(&system, &unknown["id"]).await;
    let ended = chat_row(&system, &dialled["chat"]["id"]).await;
    assert_eq!(survivor["merged"][0]["chat_id"], ended["id"]);
    assert_eq!((&ended["merged_into"], ended.get("inbox_key")), (&survivor["id"], None));
    assert_eq!(ended["merged_at"], survivor["merged"][0]["at"]);
    assert_eq!((&survivor["unread_count"], &survivor["last_message"]), (&json!(3), &json!("wamid.3")));
    assert_eq!((&survivor["wa_id"], &survivor["user_id"]), (&json!("5531999998888"), &json!("EG.7")));
    assert!(survivor.get("inbox_key").is_some());

    // What was stored before is known in all of the chat.
    assert_eq!(system.webhook(&first).await.status, 200);
    assert_eq!(system.webhook(&system.webhook_body(&json!([both("wamid.3", now + 5)]))).await.status, 200);
    let inbound = system.items("message").await.into_iter().filter(|row| row["from_me"] == false).count();
    assert_eq!((inbound, &chat_row(&system, &survivor["id"]).await["unread_count"]), (3, &json!(3)));

    // Whatever the caller dials, it is the one chat, and goes where WhatsApp says; after what went before.
    for to in ["+55 31 9999-8888", "5531999998888@s.whatsapp.net", "EG.7"] {
        let answer = system.send(&session_id, to, "hello").await;
        assert_eq!((answer.status, &answer.json["chat"]["id"]), (200, &survivor["id"]), "{to}");
        let row = system.message_with("it to be sent", |row| row["id"] == answer.json["message"]["id"]).await;
        assert_eq!(row["to"], "5531999998888");
    }
    system.until("all are sent", async || system.accepted().await.len() == 4).await;
    let bodies: Vec<Value> = system.accepted().await.iter().map(|sent| sent["body"]["text"]["body"].clone()).collect();
    assert_eq!(bodies[0], "Your order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_changes_his_number_keeps_his_chat() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    let now = jiff::Timestamp::now().as_second();
    let old = json!({"from": "201001234567", "from_user_id": "EG.7"});
    let new = json!({"from": "491511234567", "from_user_id": "DE.8"});
    let change = json!({
        "from": "201001234567", "id": "wamid.change", "timestamp": (now - 50).to_string(), "type": "system",
        "system": {"type": "user_changed_number", "body": "Mona changed from 201001234567 to 491511234567",
            "wa_id": "491511234567", "user_id": "DE.8", "previous_user_id": "EG.7"},
    });
    // He writes from the new number before WhatsApp tells of it.
    for message in [text("wamid.1", now - 100, &old), text("wamid.2", now - 40, &new), change.clone(), change] {
        assert_eq!(system.webhook(&system.webhook_body(&json!([message]))).await.status, 200);
    }
    let answer = system.send(&session_id, "+20 100 123 4567", "Is this still you?").await.json;
    let chat = chat_row(&system, &answer["chat"]["id"]).await;
    assert_eq!(chat["merged"].as_array().map(Vec::len), Some(1));
    assert_eq!((&chat["wa_id"], &chat["user_id"]), (&json!("491511234567"), &json!("DE.8")));
    let row = system.message_with("the answer", |_| true).await;
    assert_eq!(row["to"], "491511234567");

    // The old number, back in use, is somebody else's.
    let stranger = text("wamid.3", now - 10, &json!({"from": "201001234567", "from_user_id": "EG.9"}));
    assert_eq!(system.webhook(&system.webhook_body(&json!([stranger]))).await.status, 200);
    let other = system.send(&session_id, "+20 100 123 4567", "Who is this?").await.json;
    assert_ne!(other["chat"]["id"], answer["chat"]["id"]);
    assert_eq!(chat_row(&system, &chat["id"]).await["wa_id"], "491511234567");
}
