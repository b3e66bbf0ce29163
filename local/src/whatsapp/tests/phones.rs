//! The phones of users over HTTP: settings, ticks, and feeds.

use super::*;

const PHONE: &str = "/simulator/phones/201001234567";

impl Simulator {
    async fn patch(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let response = self.client.patch(self.url(path)).body(body.to_string()).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    async fn set(&self, settings: Value) -> Value {
        let (status, phone) = self.patch(PHONE, settings).await;
        assert_eq!(status, 200, "{phone}");
        phone
    }

    async fn write(&self, message: Value) -> String {
        let (status, response) = self.post("/simulator/messages", &message).await;
        assert_eq!(status, 200, "{response}");
        response["ids"][0].as_str().unwrap().to_owned()
    }

    async fn feed(&self) -> Value {
        self.get(&format!("{PHONE}/messages")).await
    }
}

async fn statuses(receiver: &mut Receiver, expected: &[&str]) {
    for status in expected {
        assert_eq!(receiver.status().await["status"], *status);
    }
}

#[tokio::test]
async fn a_phone_has_a_user_and_settings() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let phone = simulator.get("/simulator/phones/+20%20100%20123%204567").await;
    let user_id = phone["userId"].as_str().unwrap();
    assert_eq!(
        phone,
        json!({"number": "201001234567", "userId": user_id, "name": null, "username": null, "onWhatsApp": true,
            "online": true, "blocked": false, "readReceipts": true, "sharesNumber": true, "automaticTicks": "read",
            "conversations": []})
    );
    assert_eq!(simulator.get("/simulator/phones").await, json!({"phones": []}));

    let phone =
        simulator.set(json!({"name": "Mona", "username": "mona", "userId": "EG.7", "sharesNumber": false})).await;
    assert_eq!((&phone["name"], &phone["userId"]), (&json!("Mona"), &json!("EG.7")));
    assert_eq!(simulator.get("/simulator/phones").await, json!({"phones": [phone]}));
    assert_eq!(simulator.get("/simulator/phones/EG.7").await, phone);
    simulator.write(json!({"from": "+201001234567", "text": "hi"})).await;
    let value = receiver.value().await;
    assert_eq!(value["contacts"], json!([{"profile": {"name": "Mona", "username": "mona"}, "user_id": "EG.7"}]));
    assert_eq!(value["messages"][0].get("from"), None);

    simulator.set(json!({"name": null, "sharesNumber": true})).await;
    simulator.write(json!({"from": "EG.7", "text": "by user ID"})).await;
    assert_eq!(receiver.value().await["contacts"], json!([{"profile": {"username": "mona"}, "user_id": "EG.7"}]));
    simulator.write(json!({"from": "201001234567", "text": "by number"})).await;
    assert_eq!(receiver.value().await["contacts"][0]["wa_id"], "201001234567");
    assert_eq!(simulator.feed().await["messages"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn messages_wait_until_the_phone_is_online() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.open_window(&mut receiver, "+201001234567").await;
    simulator.set(json!({"online": false})).await;
    let ids = [simulator.send_text("+201001234567").await, simulator.send_text("+201001234567").await];
    statuses(&mut receiver, &["sent", "sent"]).await;
    let (status, refused) =
        simulator.post("/simulator/messages", &json!({"from": "+201001234567", "text": "hi"})).await;
    assert_eq!(status, 400);
    assert!(refused["error"].as_str().unwrap().contains("set online to true"), "{refused}");

    let phone = simulator.set(json!({"online": true})).await;
    assert_eq!(
        phone["conversations"],
        json!([{"phoneNumberId": PHONE_NUMBER_ID, "name": "Local run", "displayPhoneNumber": "15550783881",
            "received": 2, "unread": 0, "typing": false}])
    );
    for id in ids {
        for expected in ["delivered", "read"] {
            let status = receiver.status().await;
            assert_eq!((&status["status"], &status["id"]), (&json!(expected), &json!(id)));
            assert_eq!(status["biz_opaque_callback_data"], "key-1");
            assert_eq!(status["recipient_id"], "201001234567");
        }
    }
    assert_eq!(simulator.all_delivered().await["delivered"], 7);
}

#[tokio::test]
async fn the_settings_decide_the_statuses() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.open_window(&mut receiver, "+201001234567").await;
    simulator.set(json!({"readReceipts": false})).await;
    simulator.send_text("+201001234567").await;
    statuses(&mut receiver, &["sent", "delivered"]).await;
    assert_eq!(simulator.feed().await["messages"][1]["status"], "read");

    simulator.set(json!({"onWhatsApp": false})).await;
    simulator.send_text("+201001234567").await;
    let status = receiver.status().await;
    assert_eq!((&status["status"], &status["errors"][0]["code"]), (&json!("failed"), &json!(131_026)));

    simulator.set(json!({"onWhatsApp": true, "blocked": true})).await;
    simulator.send_text("+201001234567").await;
    statuses(&mut receiver, &["sent"]).await;
    simulator.set(json!({"blocked": false, "readReceipts": true})).await;
    simulator.send_text("+201001234567").await;
    statuses(&mut receiver, &["sent", "delivered", "read"]).await;
    assert_eq!(simulator.feed().await["messages"][3]["status"], "blocked");
    assert_eq!(simulator.all_delivered().await["delivered"], 8);
}

#[tokio::test]
async fn ticks_follow_commands() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.open_window(&mut receiver, "+201001234567").await;
    simulator.set(json!({"automaticTicks": "sent"})).await;
    let first = simulator.send_text("+201001234567").await;
    let second = simulator.send_text("+201001234567").await;
    statuses(&mut receiver, &["sent", "sent"]).await;
    let ticks = async |body: Value| simulator.post(&format!("{PHONE}/ticks"), &body).await;
    let (_, response) = ticks(json!({"status": "read", "messageId": second})).await;
    assert_eq!(response, json!({"success": true, "ids": [second], "deliveries": [{"status": 200}, {"status": 200}]}));
    statuses(&mut receiver, &["delivered", "read"]).await;
    // Only the first message can be delivered now.
    let (_, response) = ticks(json!({"status": "delivered"})).await;
    assert_eq!(response["ids"], json!([first]));
    statuses(&mut receiver, &["delivered"]).await;
    assert_eq!(simulator.get(PHONE).await["conversations"][0]["unread"], 1);
    assert_eq!(ticks(json!({"status": "read", "phoneNumberId": "7"})).await.1["ids"], json!([]));

    simulator.set(json!({"online": false})).await;
    let third = simulator.send_text("+201001234567").await;
    statuses(&mut receiver, &["sent"]).await;
    for (body, named) in [
        (json!({"status": "delivered", "messageId": third}), "online"),
        (json!({"status": "sent", "messageId": first}), "The message is delivered: it cannot become sent"),
        (json!({"status": "sent", "messageId": "wamid.x"}), "messageId"),
        (json!({"status": "failed", "messageId": third}), "errorCode"),
        (json!({"status": "sent", "errorCode": 1}), "errorCode"),
        (json!({"status": "seen"}), "seen"),
        (json!({"status": "sent", "color": 1}), "color"),
    ] {
        let (status, response) = ticks(body.clone()).await;
        assert_eq!(status, 400, "{body} {response}");
        assert!(response["error"].as_str().unwrap().contains(named), "{body} {response}");
    }
    let (_, response) = ticks(json!({"status": "failed", "messageId": third, "errorCode": 131_049})).await;
    assert_eq!(response["ids"], json!([third]));
    assert_eq!(receiver.status().await["errors"][0]["code"], 131_049);
    assert_eq!(simulator.feed().await["messages"][3]["errorCode"], 131_049);
}

#[tokio::test]
async fn only_voice_messages_are_played() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.write(json!({"from": "+201001234567", "text": "hi"})).await;
    receiver.value().await;
    let text = simulator.send_text("+201001234567").await;
    statuses(&mut receiver, &["sent", "delivered", "read"]).await;
    let play = |id: &str| json!({"status": "played", "messageId": id});
    let (status, _) = simulator.post(&format!("{PHONE}/ticks"), &play(&text)).await;
    assert_eq!(status, 400);
    let audio = json!({"messaging_product": "whatsapp", "to": "+201001234567", "type": "audio",
        "audio": {"link": "https://example.com/voice.ogg"}});
    let (_, response) = simulator.graph(&audio).await.unwrap();
    statuses(&mut receiver, &["sent", "delivered", "read"]).await;
    simulator.post(&format!("{PHONE}/ticks"), &play(response["messages"][0]["id"].as_str().unwrap())).await;
    let status = receiver.status().await;
    assert_eq!((&status["status"], status.get("pricing")), (&json!("played"), None));
}

#[tokio::test]
async fn the_feed_shows_both_directions() {
    let receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let inbound = simulator.write(json!({"from": "+201001234567", "text": "hi"})).await;
    let outbound = simulator.send_text("+201001234567").await;
    let reply = json!({"from": "+201001234567", "text": "yes", "context": {"id": outbound}});
    let reply = simulator.write(reply).await;
    let feed = simulator.feed().await;
    let messages = feed["messages"].as_array().unwrap();
    assert_eq!(
        messages[0],
        json!({"id": inbound, "position": 0, "phoneNumberId": PHONE_NUMBER_ID, "from": "phone", "type": "text",
            "at": messages[0]["at"], "status": "delivered", "text": {"body": "hi"}})
    );
    assert_eq!((&messages[1]["id"], &messages[1]["from"]), (&json!(outbound), &json!("business")));
    assert_eq!((&messages[1]["text"]["body"], &messages[1]["status"]), (&json!("Wie geht's, Zoë?"), &json!("read")));
    assert_eq!(messages[2]["context"], json!({"id": outbound, "from": "15550783881"}));
    assert_eq!((&feed["cursor"], &feed["more"]), (&json!(3), &json!(false)));

    // The business reads, types, and reacts.
    let read = json!({"messaging_product": "whatsapp", "status": "read", "message_id": reply,
        "typing_indicator": {"type": "text"}});
    assert_eq!(simulator.graph(&read).await.unwrap().0, 200);
    let after = simulator.get(&format!("{PHONE}/messages?after=3")).await;
    let ids = |feed: &Value| -> Vec<Value> {
        feed["messages"].as_array().unwrap().iter().map(|message| message["id"].clone()).collect()
    };
    assert_eq!(ids(&after), [json!(inbound), json!(reply)]);
    assert_eq!(after["messages"][0]["status"], "read");
    assert_eq!(after["phone"]["conversations"][0]["typing"], true);
    let reaction = json!({"messaging_product": "whatsapp", "to": "+201001234567", "type": "reaction",
        "reaction": {"message_id": reply, "emoji": "👍"}});
    assert_eq!(simulator.graph(&reaction).await.unwrap().0, 200);
    let feed = simulator.feed().await;
    assert_eq!(feed["messages"][2]["reactions"], json!([{"from": "business", "emoji": "👍"}]));
    assert_eq!(feed["phone"]["conversations"][0]["typing"], false);
    assert_eq!(ids(&simulator.get(&format!("{PHONE}/messages?limit=1")).await).len(), 1);
}

#[tokio::test]
async fn a_template_is_shown_with_its_text() {
    let receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let template = json!({"messaging_product": "whatsapp", "to": "+201001234567", "type": "template",
        "template": {"name": "hello_world", "language": {"code": "en_US"}}});
    assert_eq!(simulator.graph(&template).await.unwrap().0, 200);
    let shown = simulator.feed().await["messages"][0].clone();
    assert_eq!(shown["template"]["name"], "hello_world");
    let body = shown["rendered"].as_array().unwrap().iter().find(|component| component["type"] == "BODY").unwrap();
    assert!(body["text"].as_str().unwrap().starts_with("Welcome"), "{body}");
}

#[tokio::test]
async fn a_feed_can_wait_for_a_message() {
    let receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let path = format!("{PHONE}/messages?wait=30");
    let (feed, id) = tokio::join!(simulator.get(&path), simulator.send_text("+201001234567"));
    assert_eq!(feed["messages"][0]["id"], id);
    let waited = simulator.get(&format!("{PHONE}/messages?after=1&wait=1")).await;
    assert_eq!((&waited["messages"], &waited["cursor"]), (&json!([]), &json!(1)));
}

#[tokio::test]
async fn phones_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("whatsapp.jsonl");
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start_with(&receiver.url, Some(journal.clone()));
    let inbound = simulator.write(json!({"from": "+201001234567", "text": "hi"})).await;
    receiver.value().await;
    simulator.set(json!({"name": "Mona", "online": false})).await;
    let waiting = simulator.send_text("+201001234567").await;
    statuses(&mut receiver, &["sent"]).await;
    let read = json!({"messaging_product": "whatsapp", "status": "read", "message_id": inbound});
    assert_eq!(simulator.graph(&read).await.unwrap().0, 200);
    simulator.all_delivered().await;
    let feed = simulator.feed().await;
    simulator.stop().await;

    for _ in 0..2 {
        let simulator = Simulator::start_with(&receiver.url, Some(journal.clone()));
        assert_eq!(simulator.feed().await, feed);
        simulator.stop().await;
    }
    let simulator = Simulator::start_with(&receiver.url, Some(journal));
    simulator.set(json!({"online": true})).await;
    assert_eq!(receiver.status().await["id"], waiting);
    let after = simulator.get(&format!("{PHONE}/messages?after={}", feed["cursor"])).await;
    assert_eq!((&after["messages"][0]["id"], &after["messages"][0]["status"]), (&json!(waiting), &json!("read")));
}

#[tokio::test]
async fn a_user_has_one_phone_once_their_number_is_known() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("whatsapp.jsonl");
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start_with(&receiver.url, Some(journal.clone()));
    let first = simulator.write(json!({"from": "+201001234567", "text": "by number"})).await;
    let second = simulator.write(json!({"from": "EG.7", "text": "by user ID"})).await;
    let (status, _) = simulator.patch("/simulator/phones/EG.7", json!({"automaticTicks": "sent"})).await;
    assert_eq!(status, 200);
    let send = async |content: Value| {
        let mut message = json!({"messaging_product": "whatsapp", "recipient": "EG.7"});
        message.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
        let (status, response) = simulator.graph(&message).await.unwrap();
        assert_eq!(status, 200, "{response}");
        response["messages"][0]["id"].as_str().unwrap().to_owned()
    };
    let waiting = send(json!({"text": {"body": "hi"}})).await;
    let template = |status: &str| json!({"name": "hello_world", "messageStatus": status});
    simulator.post("/simulator/templates", &template("held_for_quality_assessment")).await;
    let hello = json!({"name": "hello_world", "language": {"code": "en_US"}});
    let held = send(json!({"type": "template", "template": hello})).await;
    let cursor = simulator.get("/simulator/phones/EG.7/messages").await["cursor"].clone();
    simulator.write(json!({"from": "+201001234567", "fromUserId": "EG.7", "text": "both"})).await;

    let feed = simulator.get(&format!("{PHONE}/messages?after={cursor}")).await;
    let ids: Vec<&str> =
        feed["messages"].as_array().unwrap().iter().map(|message| message["id"].as_str().unwrap()).collect();
    assert_eq!(ids[..4], [&first, &second, &waiting, &held]);
    assert_eq!((ids.len(), &feed["phone"]["automaticTicks"]), (5, &json!("sent")));
    assert_eq!(simulator.get("/simulator/phones/EG.7/messages").await, simulator.feed().await);
    assert_eq!(simulator.get("/simulator/phones").await["phones"].as_array().unwrap().len(), 1);
    let feed = simulator.feed().await;
    simulator.all_delivered().await;
    simulator.stop().await;

    let simulator = Simulator::start_with(&receiver.url, Some(journal));
    assert_eq!(simulator.feed().await, feed);
    for _ in 0..2 {
        receiver.value().await;
    }
    statuses(&mut receiver, &["sent"]).await;
    receiver.value().await;
    simulator.set(json!({"automaticTicks": "read"})).await;
    simulator.post("/simulator/templates", &template("accepted")).await;
    for (id, ticks) in [(waiting, ["delivered", "read"].as_slice()), (held, &["sent", "delivered", "read"])] {
        for expected in ticks {
            let status = receiver.status().await;
            assert_eq!((&status["id"], &status["status"]), (&json!(id), &json!(expected)));
        }
    }
    assert_eq!(simulator.all_delivered().await["delivered"], 5);
}

#[tokio::test]
async fn invalid_requests_for_phones_are_explained() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    for (path, named) in [
        ("/simulator/phones/mona", "phone number"),
        ("/simulator/phones?limit=0", "limit"),
        ("/simulator/phones?form=1", "form"),
        ("/simulator/phones/201001234567/messages?wait=31", "30 seconds"),
        ("/simulator/phones/201001234567/messages?limit=1001", "1000"),
        ("/simulator/phones/201001234567/messages?after=x", "invalid"),
        ("/simulator/phones/%FF", "UTF-8"),
        ("/simulator/phones/201001234567/others", "No such path"),
    ] {
        let response = simulator.get(path).await;
        assert!(response["error"].as_str().unwrap().contains(named), "{path} {response}");
    }
    for (body, named) in [
        (json!({"onWhatsapp": true}), "onWhatsapp"),
        (json!({"online": "no"}), "boolean"),
        (json!({"userId": "7"}), "userId"),
        (json!({"automaticTicks": "none"}), "none"),
    ] {
        let (status, response) = simulator.patch(PHONE, body.clone()).await;
        assert_eq!(status, 400);
        assert!(response["error"].as_str().unwrap().contains(named), "{body} {response}");
    }
    let (status, response) = simulator.patch("/simulator/phones/EG.7", json!({"userId": "EG.8"})).await;
    assert_eq!((status, response["error"].is_string()), (StatusCode::BAD_REQUEST, true));
    assert_eq!(simulator.get("/simulator/phones").await, json!({"phones": []}));
}
