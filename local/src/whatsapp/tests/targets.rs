//! Replies, reactions, and read receipts, which are about another message.

use super::*;

const CUSTOMER: &str = "201001234567";
const NOT_VALID: u64 = 131_009;

impl Simulator {
    /// Receives a text of a customer and returns its ID.
    async fn message_from(&self, from: &str) -> String {
        let (status, response) = self.post("/simulator/messages", &json!({"from": from, "text": "hello"})).await;
        assert_eq!(status, 200, "{response}");
        response["ids"][0].as_str().unwrap().to_owned()
    }

    /// Sends a message about another one. Returns the error code, or 0.
    async fn send_about(&self, message: Value) -> u64 {
        let mut body = json!({"messaging_product": "whatsapp", "to": CUSTOMER});
        body.as_object_mut().unwrap().extend(message.as_object().unwrap().clone());
        let (_, response) = self.graph(&body).await.unwrap();
        response["error"]["code"].as_u64().unwrap_or_default()
    }

    async fn reply(&self, id: &str) -> u64 {
        self.send_about(json!({"text": {"body": "hi"}, "context": {"message_id": id}})).await
    }

    async fn read(&self, id: &str) -> u64 {
        let body = json!({"messaging_product": "whatsapp", "status": "read", "message_id": id});
        self.graph(&body).await.unwrap().1["error"]["code"].as_u64().unwrap_or_default()
    }
}

fn reaction(id: &str, emoji: &str) -> Value {
    json!({"type": "reaction", "reaction": {"message_id": id, "emoji": emoji}})
}

#[tokio::test]
async fn a_reply_quotes_a_message_of_its_conversation() {
    let receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let received = simulator.message_from(CUSTOMER).await;
    let sent = simulator.send_text(CUSTOMER).await;
    let elsewhere = simulator.message_from("201007654321").await;
    for (id, code) in [(&received, 0), (&sent, 0), (&elsewhere, NOT_VALID), (&"wamid.none".to_owned(), NOT_VALID)] {
        assert_eq!(simulator.reply(id).await, code, "{id}");
    }
    assert_eq!(simulator.get("/simulator/messages").await["messages"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_reply_finds_the_user_by_each_address() {
    let receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let by_user_id = simulator.message_from("EG.7").await;
    let both = json!({"from": CUSTOMER, "fromUserId": "EG.7", "text": "hello"});
    simulator.post("/simulator/messages", &both).await;
    let by_number = simulator.message_from(CUSTOMER).await;
    for id in [by_user_id, by_number] {
        assert_eq!(simulator.reply(&id).await, 0, "{id}");
        let body = json!({"messaging_product": "whatsapp", "recipient": "EG.7", "text": {"body": "hi"},
            "context": {"message_id": id}});
        assert_eq!(simulator.graph(&body).await.unwrap().0, 200, "{id}");
    }
}

#[tokio::test]
async fn a_reaction_without_a_target_fails() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let received = simulator.message_from(CUSTOMER).await;
    let elsewhere = simulator.message_from("201007654321").await;
    let now = jiff::Timestamp::now().as_second();
    let (young, old) = (now - 30 * 86_400 + 60, now - 30 * 86_400 - 1);
    for (id, at) in [("wamid.young", young), ("wamid.old", old)] {
        let message = json!({"from": CUSTOMER, "id": id, "text": "hello", "timestamp": at.to_string()});
        assert_eq!(simulator.post("/simulator/messages", &message).await.0, 200);
    }
    let messages = json!([
        {"from": CUSTOMER, "id": "wamid.reaction", "type": "reaction",
            "reaction": {"message_id": received, "emoji": "👍"}},
        {"from": CUSTOMER, "id": "wamid.deleted", "text": "hello"},
        {"from": CUSTOMER, "id": "wamid.deletion", "type": "revoke",
            "revoke": {"original_message_id": "wamid.deleted"}},
    ]);
    assert_eq!(simulator.post("/simulator/messages", &json!({"messages": messages})).await.0, 200);
    for _ in 0..5 {
        receiver.value().await;
    }
    for (id, emoji, is_sent) in [
        (received.as_str(), "👍", true),
        (&received, "", true),
        ("wamid.young", "👍", true),
        ("wamid.old", "👍", false),
        ("wamid.reaction", "👍", false),
        ("wamid.deleted", "👍", false),
        ("wamid.none", "👍", false),
        (&elsewhere, "👍", false),
    ] {
        assert_eq!(simulator.send_about(reaction(id, emoji)).await, 0, "{id}");
        let status = receiver.status().await;
        let code = if is_sent { Value::Null } else { json!(NOT_VALID) };
        let expected = if is_sent { "sent" } else { "failed" };
        assert_eq!((&status["status"], &status["errors"][0]["code"]), (&json!(expected), &code), "{id}");
    }
    // A reaction has the status `sent` only.
    assert_eq!(simulator.all_delivered().await["delivered"], 13);
}

#[tokio::test]
async fn a_read_receipt_is_for_a_received_message() {
    let directory = tempfile::tempdir().unwrap();
    let journal = || Some(directory.path().join("whatsapp.jsonl"));
    let receiver = Receiver::start().await;
    let simulator = Simulator::start_with(&receiver.url, journal());
    let received = simulator.message_from(CUSTOMER).await;
    let number = json!({"phoneNumberId": "7", "displayPhoneNumber": "15550001111"});
    assert_eq!(simulator.post("/simulator/numbers", &number).await.0, 200);
    let message = json!({"from": CUSTOMER, "id": "wamid.7", "text": "hello", "phoneNumberId": "7"});
    assert_eq!(simulator.post("/simulator/messages", &message).await.0, 200);
    let sent = simulator.send_text(CUSTOMER).await;
    for id in [sent.as_str(), "wamid.7", "wamid.none", "7"] {
        assert_eq!(simulator.read(id).await, NOT_VALID, "{id}");
    }
    simulator.stop().await;

    let simulator = Simulator::start_with(&receiver.url, journal());
    for (id, code) in [(received.as_str(), 0), (&sent, NOT_VALID)] {
        assert_eq!(simulator.read(id).await, code, "{id}");
    }
    let block = json!({"messaging_product": "whatsapp", "block_users": [{"user": CUSTOMER}]});
    let url = simulator.url(&format!("/v26.0/{PHONE_NUMBER_ID}/block_users"));
    assert_eq!(simulator.client.post(url).bearer_auth(TOKEN).json(&block).send().await.unwrap().status(), 200);
    let not_delivered = simulator.message_from(CUSTOMER).await;
    assert_eq!(simulator.read(&not_delivered).await, NOT_VALID);
    let receipts = simulator.get("/simulator/receipts").await["receipts"].clone();
    assert_eq!((receipts.as_array().unwrap().len(), &receipts[0]["messageId"]), (1, &json!(received)));
}

#[tokio::test]
async fn a_call_is_not_a_message() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.open_window(&mut receiver, CUSTOMER).await;
    simulator.enable_calls().await;
    let (status, response) = simulator.post("/simulator/calls", &json!({"from": CUSTOMER})).await;
    assert_eq!(status, 200, "{response}");
    receiver.value().await;
    let id = response["ids"][0].as_str().unwrap();
    assert_eq!((simulator.read(id).await, simulator.reply(id).await), (NOT_VALID, NOT_VALID));
    assert_eq!(simulator.send_about(reaction(id, "👍")).await, 0);
    assert_eq!(receiver.status().await["errors"][0]["code"], NOT_VALID);
}

#[tokio::test]
async fn the_messages_of_a_raw_webhook_are_received() {
    let receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let message = |id: &str, from: Value| {
        let mut message = json!({"id": id, "type": "text", "text": {"body": "hi"}, "timestamp": "1749416383"});
        message.as_object_mut().unwrap().extend(from.as_object().unwrap().clone());
        message
    };
    let phone = message("wamid.phone", json!({"from": CUSTOMER}));
    let both = message("wamid.both", json!({"from": CUSTOMER, "from_user_id": "EG.7"}));
    let user = message("wamid.user", json!({"from_user_id": "EG.7"}));
    let without_sender = message("wamid.without_sender", json!({}));
    for messages in [json!([phone, without_sender, "not a message", both]), json!([user])] {
        let value = json!({"metadata": {"phone_number_id": PHONE_NUMBER_ID}, "messages": messages});
        let webhook = json!({"webhook": {"entry": [{"changes": [{"field": "messages", "value": value}]}]}});
        let (status, response) = simulator.post("/simulator/messages", &webhook).await;
        assert_eq!(status, 200, "{response}");
    }
    for id in ["wamid.phone", "wamid.both", "wamid.user"] {
        assert_eq!((simulator.read(id).await, simulator.reply(id).await), (0, 0), "{id}");
    }
    assert_eq!(simulator.read("wamid.without_sender").await, NOT_VALID);
    let feed = simulator.get(&format!("/simulator/phones/{CUSTOMER}/messages")).await;
    assert_eq!(feed["messages"].as_array().unwrap().len(), 6);
    for body in [json!({"webhook": {}}), json!({"webhook": {"entry": {}}})] {
        assert_eq!(simulator.post("/simulator/messages", &body).await.0, 200, "{body}");
    }
}
