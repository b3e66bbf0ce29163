//! Webhooks that are rejected, held, or interrupted by a restart.

use super::*;

fn write_from(from: &str) -> Value {
    json!({"from": from, "name": "Mona", "text": "hi"})
}

#[tokio::test]
async fn a_webhook_is_retried_until_status_200() {
    let mut receiver = Receiver::start().await;
    // Meta treats 204 and redirects as failures.
    receiver.respond_with(&[500, 204, 302]);
    let simulator = Simulator::start(&receiver.url);
    let (status, response) = simulator.post("/simulator/messages", &write_from("+201001234567")).await;
    assert_eq!(status, 200);
    assert_eq!(response["deliveries"], json!([{"status": 500}]));
    let first = receiver.text().await;
    for _ in 0..3 {
        assert_eq!(receiver.text().await, first);
    }
    let counts = simulator.all_delivered().await;
    assert_eq!(counts, json!({"queued": 1, "delivered": 1, "failedAttempts": 3, "givenUp": 0, "pending": 0}));
    let lines = simulator.output.lines();
    for expected in [
        "webhook 1: status 500 on attempt 1; retrying now",
        "webhook 1: status 204 on attempt 2; retrying in 1 s",
        "webhook 1: status 302 on attempt 3; retrying in 2 s",
        "webhook 1: delivered on attempt 4",
    ] {
        assert!(lines.iter().any(|line| line.ends_with(expected)), "{expected}: {lines:?}");
    }
}

#[tokio::test]
async fn an_unreachable_receiver_is_reported() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let simulator = Simulator::start(&format!("http://{closed}/webhook"));
    let (status, response) = simulator.post("/simulator/messages", &write_from("+201001234567")).await;
    assert_eq!(status, 200);
    assert_eq!(response["deliveries"], json!([{"status": null, "error": "no connection to the webhook"}]));
    assert_eq!(simulator.get("/simulator/webhooks").await["pending"], 1);
    // A pending retry must not delay the shutdown.
    simulator.stop().await;
}

#[tokio::test]
async fn held_webhooks_are_delivered_when_faults_are_cleared() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.faults(json!({"webhooks": {"hold": true}})).await;
    let (_, response) = simulator.post("/simulator/messages", &write_from("+201001234567")).await;
    assert_eq!(response["deliveries"], json!([]));
    simulator.send_text("+201001234567").await;
    let counts = simulator.get("/simulator/webhooks").await;
    assert_eq!((&counts["queued"], &counts["pending"]), (&json!(4), &json!(4)));
    assert!(receiver.bodies.try_recv().is_err());

    simulator.client.delete(simulator.url("/simulator/faults")).send().await.unwrap();
    assert_eq!(simulator.all_delivered().await["delivered"], 4);
    for _ in 0..4 {
        receiver.value().await;
    }
}

#[tokio::test]
async fn webhooks_are_delivered_concurrently() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.faults(json!({"webhooks": {"duplicates": 19}})).await;
    let (_, response) = simulator.post("/simulator/messages", &write_from("+201001234567")).await;
    assert_eq!(response["deliveries"], json!(vec![json!({"status": 200}); 20]));
    assert_eq!(response["ids"].as_array().unwrap().len(), 1);
    let first = receiver.text().await;
    for _ in 1..20 {
        assert_eq!(receiver.text().await, first);
    }
}

#[tokio::test]
async fn a_restart_preserves_webhooks_and_messages() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Some(directory.path().join("whatsapp.jsonl"));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let simulator = Simulator::start_with(&format!("http://{closed}/webhook"), journal.clone());
    let (_, response) = simulator.post("/simulator/messages", &write_from("+201007654321")).await;
    let inbound_id = response["ids"][0].clone();
    let id = simulator.send_text("+201007654321").await;
    simulator.stop().await;

    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start_with(&receiver.url, journal.clone());
    let mut arrived = Vec::new();
    for _ in 0..4 {
        let value = receiver.value().await;
        let object = value["statuses"].get(0).or(value["messages"].get(0)).unwrap().clone();
        arrived.push((object["id"].clone(), object["status"].clone()));
    }
    for expected in [
        (json!(id), json!("sent")),
        (json!(id), json!("delivered")),
        (json!(id), json!("read")),
        (inbound_id, Value::Null),
    ] {
        assert!(arrived.contains(&expected), "{expected:?}: {arrived:?}");
    }
    assert_eq!(simulator.get("/simulator/messages").await["messages"][0]["id"], id);
    assert_eq!(simulator.all_delivered().await["delivered"], 4);
    simulator.stop().await;

    // Nothing is delivered again. The customer's name is still known, and the customer service window is open.
    let simulator = Simulator::start_with(&receiver.url, journal);
    assert_eq!(simulator.get("/simulator/webhooks").await["queued"], 0);
    simulator.send_text("+201007654321").await;
    let value = receiver.value().await;
    assert_eq!(value["contacts"][0]["profile"]["name"], "Mona");
    assert_eq!(value["statuses"][0]["status"], "sent");
}

#[tokio::test]
async fn a_damaged_journal_is_an_error_at_startup() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("whatsapp.jsonl");
    std::fs::write(&path, "nonsense\n").unwrap();
    let simulator = Simulator::start_with("http://127.0.0.1:9/", Some(path));
    let ended = tokio::time::timeout(TIMEOUT, simulator.running).await.unwrap().unwrap();
    assert!(matches!(ended, Err(WhatsAppError::Journal(_))), "{ended:?}");
}

#[tokio::test]
async fn nested_json_does_not_prevent_a_restart() {
    let receiver = Receiver::start().await;
    let folder = tempfile::tempdir().unwrap();
    let journal = Some(folder.path().join("whatsapp.jsonl"));
    let simulator = Simulator::start_with(&receiver.url, journal.clone());
    let nested = |levels: usize| {
        let value: Value = serde_json::from_str(&format!("{}{}", "[".repeat(levels), "]".repeat(levels))).unwrap();
        json!({"body": "hi", "x": value})
    };
    let message = |levels: usize| json!({"from": "+201001234567", "type": "text", "text": nested(levels)});
    assert_eq!(simulator.post("/simulator/messages", &message(60)).await.0, 200);
    let (status, response) = simulator.post("/simulator/messages", &message(122)).await;
    assert_eq!(status, 400);
    assert!(response["error"].as_str().unwrap().contains("at most 64 levels"), "{response}");
    let send = |levels: usize| json!({"messaging_product": "whatsapp", "to": "+201001234567", "text": {"body": "hi"}, "x": nested(levels)});
    assert_eq!(simulator.graph(&send(60)).await.unwrap().0, 200);
    let (status, response) = simulator.graph(&send(122)).await.unwrap();
    assert_eq!((status.as_u16(), &response["error"]["code"]), (400, &json!(100)));
    let as_text = json!({"messaging_product": "whatsapp", "to": "+201001234567", "text": nested(122).to_string()});
    assert_eq!(simulator.graph(&as_text).await.unwrap().0, 400);

    // A raw webhook is delivered whatever its depth.
    let mut raw = json!({"from": "201001234567", "id": "wamid.x", "timestamp": "1", "type": "text"});
    raw["text"] = nested(110);
    let value = json!({"metadata": {"phone_number_id": PHONE_NUMBER_ID}, "messages": [raw]});
    let raw = json!({"webhook": {"entry": [{"changes": [{"value": value}]}]}});
    let (status, response) = simulator.post("/simulator/messages", &raw).await;
    assert_eq!((status.as_u16(), &response["deliveries"]), (200, &json!([{"status": 200}])));
    simulator.all_delivered().await;
    simulator.stop().await;
    let simulator = Simulator::start_with(&receiver.url, journal);
    assert_eq!(simulator.get("/simulator/webhooks").await["queued"], 0);
}
