//! The customer service window over HTTP.

use super::*;

const CUSTOMER: &str = "+201001234567";

/// Returns the code of the error with which a text to the customer fails, or `None` for a sent message.
async fn failure(simulator: &Simulator, receiver: &mut Receiver) -> Option<u64> {
    let id = simulator.send_text(CUSTOMER).await;
    let status = receiver.status().await;
    assert_eq!(status["id"], id);
    if status["status"] == "sent" {
        for expected in ["delivered", "read"] {
            assert_eq!(receiver.status().await["status"], expected);
        }
        return None;
    }
    assert_eq!(status["status"], "failed");
    assert!(status["errors"][0]["error_data"]["details"].as_str().unwrap().contains("more than 24 hours"), "{status}");
    status["errors"][0]["code"].as_u64()
}

#[tokio::test]
async fn a_text_to_a_user_who_has_not_written_fails() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    assert_eq!(failure(&simulator, &mut receiver).await, Some(131_047));
    assert!(simulator.output.lines().iter().any(|line| line.contains("131047") && line.contains("…4567")));
    let template = json!({"messaging_product": "whatsapp", "to": CUSTOMER, "type": "template",
        "template": {"name": "hello_world", "language": {"code": "en_US"}}});
    assert_eq!(simulator.graph(&template).await.unwrap().0, 200);
    for expected in ["sent", "delivered", "read"] {
        assert_eq!(receiver.status().await["status"], expected);
    }
    // A message of the business does not open the window.
    assert_eq!(failure(&simulator, &mut receiver).await, Some(131_047));

    // A message to another number of the business does not open the window of this one.
    let message = json!({"from": CUSTOMER, "text": "hi", "phoneNumberId": "7"});
    simulator.post("/simulator/messages", &message).await;
    receiver.value().await;
    assert_eq!(failure(&simulator, &mut receiver).await, Some(131_047));

    simulator.open_window(&mut receiver, CUSTOMER).await;
    assert_eq!(failure(&simulator, &mut receiver).await, None);
}

#[tokio::test]
async fn a_raw_webhook_opens_the_window() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let at = jiff::Timestamp::now().as_second().to_string();
    let call = json!({"id": "wacid.1", "from": "201001234567", "to": "15550783881", "event": "connect",
        "direction": "USER_INITIATED", "timestamp": at});
    let value = json!({"metadata": {"phone_number_id": PHONE_NUMBER_ID}, "calls": [call]});
    let webhook = json!({"object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "calls", "value": value}]}]});
    simulator.post("/simulator/messages", &json!({"webhook": webhook})).await;
    receiver.value().await;
    assert_eq!(failure(&simulator, &mut receiver).await, None);
}

#[tokio::test]
async fn the_window_can_be_ignored_for_measurements() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    assert_eq!(simulator.get("/simulator/faults").await["window"], true);
    simulator.faults(json!({"window": false})).await;
    assert_eq!(failure(&simulator, &mut receiver).await, None);
    let response = simulator.client.delete(simulator.url("/simulator/faults")).send().await.unwrap();
    assert_eq!(response.json::<Value>().await.unwrap()["window"], true);
    assert_eq!(failure(&simulator, &mut receiver).await, Some(131_047));
}

#[tokio::test]
async fn a_raw_webhook_with_an_impossible_time_opens_no_window() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    for timestamp in [json!(i64::MIN.to_string()), json!(i64::MIN)] {
        let message = json!({"from": "201001234567", "id": "wamid.x", "timestamp": timestamp, "type": "text"});
        let value = json!({"metadata": {"phone_number_id": PHONE_NUMBER_ID}, "messages": [message]});
        let raw = json!({"webhook": {"entry": [{"changes": [{"value": value}]}]}});
        assert_eq!(simulator.post("/simulator/messages", &raw).await.0, 200);
        receiver.text().await;
    }
    simulator.send_text("+201001234567").await;
    assert_eq!(receiver.status().await["status"], "failed");
    let reaction = json!({"messaging_product": "whatsapp", "to": "+201001234567", "type": "reaction",
        "reaction": {"message_id": "wamid.x", "emoji": "👍"}});
    assert_eq!(simulator.graph(&reaction).await.unwrap().0, 200);
}
