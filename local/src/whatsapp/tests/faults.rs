//! Injected faults for sends.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

#[tokio::test]
async fn a_rejected_send_is_not_accepted() {
    let receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.faults(json!({"sends": {"errorCode": 131056, "httpStatus": 429, "retryAfter": 6, "times": 1}})).await;
    let url = simulator.url(&format!("/v26.0/{PHONE_NUMBER_ID}/messages"));
    let response = simulator.client.post(url).bearer_auth(TOKEN).json(&text_to("+201001234567")).send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "6");
    let error = &response.json::<Value>().await.unwrap()["error"];
    assert_eq!(error["code"], 131_056);
    assert_eq!(error["message"], "(#131056) (Business Account, Consumer Account) pair rate limit hit");
    assert!(error["error_data"]["details"].is_string());

    let id = simulator.send_text("+201001234567").await;
    let messages = simulator.get("/simulator/messages").await;
    assert_eq!(messages["messages"].as_array().unwrap().len(), 1);
    assert_eq!(messages["messages"][0]["id"], id);
}

#[tokio::test]
async fn a_held_message_has_its_status_and_gets_no_statuses() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.open_window(&mut receiver, "+201001234567").await;
    simulator.faults(json!({"sends": {"messageStatus": "held_for_quality_assessment", "times": 1}})).await;
    let (status, response) = simulator.graph(&text_to("+201001234567")).await.unwrap();
    assert_eq!(
        (status, &response["messages"][0]["message_status"]),
        (StatusCode::OK, &json!("held_for_quality_assessment"))
    );
    let (_, response) = simulator.graph(&text_to("+201001234567")).await.unwrap();
    assert_eq!(response["messages"][0].get("message_status"), None);
    // The first status is the second message's.
    assert_eq!(receiver.status().await["id"], response["messages"][0]["id"]);
    assert_eq!(simulator.get("/simulator/messages").await["messages"].as_array().unwrap().len(), 2);
}

/// Opens a connection and sends a text over it.
async fn sending(simulator: &Simulator) -> TcpStream {
    let body = text_to("+201001234567").to_string();
    let head = format!(
        "POST /v26.0/{PHONE_NUMBER_ID}/messages HTTP/1.1\r\nhost: localhost\r\n\
         authorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(simulator.address).await.unwrap();
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    stream
}

/// Reads until the connection closes; an error if it is reset.
async fn until_closed(mut stream: TcpStream) -> (Vec<u8>, std::io::Result<usize>) {
    let mut response = Vec::new();
    let ended = tokio::time::timeout(TIMEOUT, stream.read_to_end(&mut response)).await.unwrap();
    (response, ended)
}

#[tokio::test]
async fn a_dropped_connection_closes_without_a_response() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.open_window(&mut receiver, "+201001234567").await;
    for (fault, accepted) in [
        (json!({"dropBeforeAcceptance": true}), 0),
        (json!({"timeoutBeforeAcceptance": 20}), 0),
        (json!({"dropAfterAcceptance": true}), 1),
        (json!({"timeoutAfterAcceptance": 20}), 2),
    ] {
        simulator.faults(json!({"sends": fault})).await;
        let (response, ended) = until_closed(sending(&simulator).await).await;
        ended.unwrap();
        assert_eq!(response, b"", "{fault}");
        let messages = simulator.get("/simulator/messages").await;
        assert_eq!(messages["messages"].as_array().unwrap().len(), accepted, "{fault}");
    }
    // Accepted messages have statuses even though the sender got no response.
    assert_eq!(simulator.all_delivered().await["delivered"], 7);
    assert_eq!(receiver.status().await["biz_opaque_callback_data"], "key-1");

    let response = simulator.client.delete(simulator.url("/simulator/faults")).send().await.unwrap();
    assert_eq!(response.json::<Value>().await.unwrap()["sends"], Value::Null);
    simulator.send_text("+201001234567").await;
}

#[tokio::test]
async fn a_hanging_send_does_not_delay_the_shutdown() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    simulator.faults(json!({"sends": {"timeoutAfterAcceptance": 600_000}})).await;
    let stream = sending(&simulator).await;
    let accepted = async { while simulator.get("/simulator/messages").await["messages"] == json!([]) {} };
    tokio::time::timeout(TIMEOUT, accepted).await.unwrap();
    simulator.stop().await;
    // Closed or reset, but without a response.
    assert_eq!(until_closed(stream).await.0, b"");
}

#[tokio::test]
async fn a_delayed_send_is_accepted_later() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.open_window(&mut receiver, "+201001234567").await;
    simulator.faults(json!({"sends": {"delay": 20, "times": 1}})).await;
    let id = simulator.send_text("+201001234567").await;
    assert_eq!(receiver.status().await["id"], id);
    simulator.all_delivered().await;

    simulator.faults(json!({"sends": {"delay": 600_000, "times": 2}})).await;
    let stream = sending(&simulator).await;
    let arrived = async { while simulator.get("/simulator/faults").await["sends"]["times"] != 1 {} };
    tokio::time::timeout(TIMEOUT, arrived).await.unwrap();
    assert_eq!(simulator.get("/simulator/messages").await["messages"].as_array().unwrap().len(), 1);
    simulator.stop().await;
    assert_eq!(until_closed(stream).await.0, b"");
}

#[tokio::test]
async fn delayed_webhooks_are_delivered_later() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("whatsapp.jsonl");
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start_with(&receiver.url, Some(journal.clone()));
    simulator.faults(json!({"webhooks": {"delay": 20}})).await;
    let message = |text: &str| json!({"from": "+201001234567", "text": text});
    let (_, response) = simulator.post("/simulator/messages", &message("soon")).await;
    assert_eq!(response["deliveries"], json!([]));
    assert_eq!(receiver.value().await["messages"][0]["text"]["body"], "soon");
    simulator.all_delivered().await;

    simulator.faults(json!({"webhooks": {"delay": 600_000}})).await;
    simulator.post("/simulator/messages", &message("late")).await;
    let id = simulator.send_text("+201001234567").await;
    assert_eq!(simulator.get("/simulator/webhooks").await["pending"], 4);
    simulator.stop().await;

    // No run forgets a delayed webhook.
    let simulator = Simulator::start_with(&receiver.url, Some(journal));
    simulator.all_delivered().await;
    let mut bodies = Vec::new();
    for _ in 0..4 {
        bodies.push(receiver.value().await);
    }
    assert!(bodies.iter().any(|value| value["messages"][0]["text"]["body"] == "late"));
    assert_eq!(bodies.iter().filter(|value| value["statuses"][0]["id"] == id).count(), 3);
}

#[tokio::test]
async fn an_accepted_send_can_fail() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.open_window(&mut receiver, "+201001234567").await;
    simulator.faults(json!({"sends": {"failedStatus": 131049, "times": 1}})).await;
    let id = simulator.send_text("+201001234567").await;
    let value = receiver.value().await;
    assert_eq!(value.get("contacts"), None);
    let status = &value["statuses"][0];
    assert_eq!((&status["id"], &status["status"]), (&json!(id), &json!("failed")));
    assert_eq!(status["errors"][0]["code"], 131_049);
    assert_eq!(simulator.all_delivered().await["queued"], 2);
}

#[tokio::test]
async fn webhook_faults_apply_to_statuses() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.open_window(&mut receiver, "+201001234567").await;
    simulator.faults(json!({"webhooks": {"reorder": true, "withoutCallbackData": true}})).await;
    simulator.send_text("+201001234567").await;
    for expected in ["read", "delivered", "sent"] {
        let status = receiver.status().await;
        assert_eq!(status["status"], expected);
        assert_eq!(status.get("biz_opaque_callback_data"), None);
    }
    simulator.faults(json!({"webhooks": {"noRead": true, "duplicates": 2}})).await;
    simulator.send_text("+201001234567").await;
    for expected in ["sent", "sent", "sent", "delivered", "delivered", "delivered"] {
        assert_eq!(receiver.status().await["status"], expected);
    }
    assert_eq!(simulator.all_delivered().await["delivered"], 10);
}
