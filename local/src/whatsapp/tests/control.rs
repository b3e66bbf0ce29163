//! The control API: customer messages and invalid input.

use super::*;

#[tokio::test]
async fn a_customer_message_is_delivered() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let message = json!({"from": "+20 100 123 4567", "name": "منى", "text": "سلام 👋", "fromUserId": "EG.7"});
    let (status, response) = simulator.post("/simulator/messages", &message).await;
    assert_eq!(status, 200);
    let id = response["ids"][0].as_str().unwrap();
    assert_eq!(response, json!({"success": true, "ids": [id], "deliveries": [{"status": 200}]}));

    let text = receiver.text().await;
    assert!(text.is_ascii(), "{text}");
    let body: Value = serde_json::from_str(&text).unwrap();
    let value = &body["entry"][0]["changes"][0]["value"];
    assert_eq!(body["entry"][0]["id"], "102290129340398");
    assert_eq!(value["contacts"], json!([{"profile": {"name": "منى"}, "wa_id": "201001234567", "user_id": "EG.7"}]));
    let inbound = &value["messages"][0];
    assert_eq!(inbound["id"], id);
    assert_eq!((&inbound["from"], &inbound["text"]["body"]), (&json!("201001234567"), &json!("سلام 👋")));

    // Statuses identify the user who wrote.
    simulator.send_text("201001234567").await;
    let value = receiver.value().await;
    assert_eq!(value["statuses"][0]["recipient_user_id"], "EG.7");
    assert_eq!(value["contacts"][0]["profile"]["name"], "منى");
}

#[tokio::test]
async fn a_thousand_messages_are_sent_in_one_webhook() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let messages: Vec<Value> =
        (0..1000).map(|n| json!({"from": format!("+2010{n:08}"), "text": format!("{n}")})).collect();
    let batch = json!({"messages": messages, "phoneNumberId": "7", "displayPhoneNumber": "15550000000"});
    let (status, response) = simulator.post("/simulator/messages", &batch).await;
    assert_eq!(status, 200);
    assert_eq!(response["ids"].as_array().unwrap().len(), 1000);
    assert_eq!(response["deliveries"].as_array().unwrap().len(), 1);
    let value = receiver.value().await;
    assert_eq!(value["metadata"], json!({"phone_number_id": "7", "display_phone_number": "15550000000"}));
    for (n, id) in response["ids"].as_array().unwrap().iter().enumerate() {
        assert_eq!(&value["messages"][n]["id"], id);
        assert_eq!(value["messages"][n]["from"], value["contacts"][n]["wa_id"]);
    }
}

#[tokio::test]
async fn a_raw_webhook_is_sent_unchanged() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let raw = format!(r#"{{ "b": 1.50, "a": "\ud800 \u0000 ë", "deep": {deep} }}"#);
    let response = simulator
        .client
        .post(simulator.url("/simulator/messages"))
        .body(format!(r#"{{"webhook": {raw}}}"#))
        .send()
        .await
        .unwrap();
    let response: Value = response.json().await.unwrap();
    assert_eq!(response, json!({"success": true, "ids": [], "deliveries": [{"status": 200}]}));
    assert_eq!(receiver.text().await, raw.replace('ë', r"\u00eb"));
}

#[tokio::test]
async fn a_scan_sends_the_text_of_the_qr_code() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let qr = "https://wa.me/15550783881?text=Connect%20A%2BB";
    let scan = json!({"qr": qr, "from": "+201001234567", "name": "Mona"});
    let (status, _) = simulator.post("/simulator/scan", &scan).await;
    assert_eq!(status, 200);
    let value = receiver.value().await;
    assert_eq!(value["messages"][0]["text"]["body"], "Connect A+B");
    assert_eq!(value["contacts"][0]["profile"]["name"], "Mona");

    for (qr, named) in [
        ("https://wa.me/15550000000?text=x", "simulated number"),
        ("2@abc", "link"),
        ("https://wa.me/15550783881", "text"),
    ] {
        let (status, response) = simulator.post("/simulator/scan", &json!({"qr": qr, "from": "+201001234567"})).await;
        assert_eq!(status, 400);
        assert!(response["error"].as_str().unwrap().contains(named), "{response}");
    }
}

#[tokio::test]
async fn senders_can_hide_their_phone_number() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.faults(json!({"webhooks": {"bsuidOnly": true}})).await;
    assert_eq!(simulator.get("/simulator/faults").await["webhooks"]["bsuidOnly"], true);
    simulator.post("/simulator/messages", &json!({"from": "+201001234567", "text": "hi"})).await;
    let value = receiver.value().await;
    assert_eq!(value["contacts"][0].get("wa_id"), None);
    assert_eq!(value["messages"][0].get("from"), None);
    assert_eq!(value["messages"][0]["from_user_id"], value["contacts"][0]["user_id"]);
}

#[tokio::test]
async fn invalid_input_is_explained() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let too_many = json!({"messages": vec![json!({"from": "+201001234567", "text": "x"}); 1001]}).to_string();
    let deep = format!("{{\"a\":{}", "[".repeat(10_000));
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("/simulator/messages", Vec::new(), 400, "invalid"),
        ("/simulator/messages", b"[]".to_vec(), 400, "map"),
        ("/simulator/messages", b"\xff\xfe".to_vec(), 400, "invalid"),
        ("/simulator/messages", deep.into_bytes(), 400, "invalid"),
        ("/simulator/messages", b"{}".to_vec(), 400, "from"),
        ("/simulator/messages", br#"{"from": "unknown", "text": "x"}"#.to_vec(), 400, "from"),
        ("/simulator/messages", br#"{"webhook": {}, "from": "1"}"#.to_vec(), 400, "combined"),
        ("/simulator/messages", br#"{"webhook": "x"}"#.to_vec(), 400, "object"),
        ("/simulator/messages", br#"{"messages": []}"#.to_vec(), 400, "1 to 1000"),
        ("/simulator/messages", br#"{"messages": {}}"#.to_vec(), 400, "1 to 1000"),
        ("/simulator/messages", br#"{"messages": [], "from": "1"}"#.to_vec(), 400, "phoneNumberId"),
        ("/simulator/messages", br#"{"phoneNumberId": 7}"#.to_vec(), 400, "phoneNumberId"),
        ("/simulator/messages", too_many.into_bytes(), 400, "1 to 1000"),
        ("/simulator/messages", vec![b' '; 5 << 20], 413, "4 MB"),
        ("/simulator/scan", br#"{"qr": "x"}"#.to_vec(), 400, "from"),
        ("/simulator/scan", br#"{"qr": "x", "from": "1", "form": 1}"#.to_vec(), 400, "form"),
        ("/simulator/faults", br#"{"sends": {"errorCode": 1, "color": 2}}"#.to_vec(), 400, "color"),
        ("/simulator/faults", br#"{"sends": {"times": 2}}"#.to_vec(), 400, "exactly one"),
        ("/simulator/nothing", Vec::new(), 404, "/simulator/nothing"),
        ("/simulator", Vec::new(), 404, "No such path"),
        ("/simulator/messages/1", Vec::new(), 404, "No such path"),
    ];
    for (index, (path, body, status, named)) in cases.into_iter().enumerate() {
        let response = simulator.client.post(simulator.url(path)).body(body).send().await.unwrap();
        assert_eq!(response.status(), status, "case {index}");
        let response: Value = response.json().await.unwrap();
        assert!(response["error"].as_str().unwrap().contains(named), "case {index}: {response}");
    }
    for (path, allowed) in [("/simulator/messages", "GET,HEAD,POST"), ("/simulator/scan", "POST")] {
        let response = simulator.client.put(simulator.url(path)).send().await.unwrap();
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], allowed);
        assert!(response.json::<Value>().await.unwrap()["error"].is_string());
    }
    assert_eq!(simulator.get("/simulator/webhooks").await["queued"], 0);
}
