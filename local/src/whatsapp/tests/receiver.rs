//! The receiver of outgoing webhooks.

use super::*;

#[tokio::test]
async fn the_receiver_records_webhooks_and_responds_as_asked() {
    let simulator = Simulator::start("http://127.0.0.1:9/unused");
    let client = &simulator.client;
    let url = simulator.url("/simulator/receiver");
    for (query, body, status) in [("", r#"{"type": "message.sent"}"#, 200), ("?status=503", "text", 503)] {
        let request = client.post(format!("{url}{query}")).header("webhook-id", "a").body(body);
        assert_eq!(request.send().await.unwrap().status(), status);
    }
    let received = simulator.get("/simulator/receiver").await;
    assert_eq!(received["webhooks"][0]["headers"]["webhook-id"], "a");
    let bodies = |received: &Value| {
        received["webhooks"].as_array().unwrap().iter().map(|webhook| webhook["body"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(bodies(&received), [json!({"type": "message.sent"}), json!("text")]);
    assert_eq!(bodies(&simulator.get("/simulator/receiver?from=1").await), [json!("text")]);
    assert!(simulator.output.lines().iter().any(|line| line.ends_with("webhook message.sent: 200")));

    let challenge = client.get(format!("{url}?hub.mode=subscribe&hub.challenge=12&hub.verify_token=x"));
    assert_eq!(challenge.send().await.unwrap().text().await.unwrap(), "12");
    for query in ["?status=99", "?status=x", "?code=200"] {
        let (status, response) = simulator.post(&format!("/simulator/receiver{query}"), &json!({})).await;
        assert_eq!(status, 400, "{query} {response}");
    }
    client.delete(&url).send().await.unwrap();
    assert_eq!(simulator.get("/simulator/receiver").await, json!({"webhooks": []}));
    simulator.stop().await;
}
