//! Calls of users over HTTP.

use super::*;

impl Simulator {
    pub(super) async fn enable_calls(&self) {
        let url = self.url(&format!("/v26.0/{PHONE_NUMBER_ID}/settings"));
        let body = json!({"calling": {"status": "ENABLED"}});
        assert_eq!(self.client.post(url).bearer_auth(TOKEN).json(&body).send().await.unwrap().status(), 200);
    }

    async fn ring(&self) -> String {
        let (status, response) = self.post("/simulator/calls", &json!({"from": "+201001234567", "name": "Mona"})).await;
        assert_eq!((status, &response["deliveries"]), (StatusCode::OK, &json!([{"status": 200}])), "{response}");
        response["ids"][0].as_str().unwrap().to_owned()
    }

    async fn act(&self, call_id: &str, action: &str) -> Value {
        let url = self.url(&format!("/v26.0/{PHONE_NUMBER_ID}/calls"));
        let body = json!({"messaging_product": "whatsapp", "call_id": call_id, "action": action,
            "biz_opaque_callback_data": "key-1"});
        self.client.post(url).bearer_auth(TOKEN).json(&body).send().await.unwrap().json().await.unwrap()
    }

    async fn shown_call(&self) -> Value {
        self.get("/simulator/phones/201001234567/messages").await["messages"][0]["call"].clone()
    }
}

async fn event(receiver: &mut Receiver) -> Value {
    let body: Value = serde_json::from_str(&receiver.text().await).unwrap();
    assert_eq!(body["entry"][0]["changes"][0]["field"], "calls");
    body["entry"][0]["changes"][0]["value"]["calls"][0].clone()
}

#[tokio::test]
async fn a_business_answers_a_call() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.enable_calls().await;
    let id = simulator.ring().await;
    let connect = event(&mut receiver).await;
    assert_eq!((&connect["id"], &connect["event"]), (&json!(id), &json!("connect")));
    assert_eq!(simulator.shown_call().await["status"], "ringing");
    let success = json!({"messaging_product": "whatsapp", "success": true});
    assert_eq!(simulator.act(&id, "pre_accept").await, success);
    assert_eq!(simulator.act(&id, "accept").await, success);
    assert_eq!(simulator.shown_call().await["status"], "accepted");
    assert_eq!(simulator.act(&id, "reject").await["error"]["code"], 100);

    let response = simulator.client.delete(simulator.url(&format!("/simulator/calls/{id}"))).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let terminate = event(&mut receiver).await;
    assert_eq!((&terminate["event"], &terminate["status"]), (&json!("terminate"), &json!("COMPLETED")));
    assert_eq!(terminate["biz_opaque_callback_data"], "key-1");
    assert!(terminate["duration"].is_u64() && terminate["start_time"].is_string(), "{terminate}");
    assert_eq!(simulator.shown_call().await["status"], "completed");
    assert_eq!(simulator.act(&id, "terminate").await["error"]["code"], 100);
    let response = simulator.client.delete(simulator.url(&format!("/simulator/calls/{id}"))).send().await.unwrap();
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn a_business_rejects_a_call() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let (status, response) = simulator.post("/simulator/calls", &json!({"from": "+201001234567"})).await;
    assert_eq!(status, 400);
    assert!(response["error"].as_str().unwrap().contains("ENABLED"), "{response}");
    assert_eq!(simulator.act("wacid.unknown", "accept").await["error"]["code"], 138_000);
    simulator.enable_calls().await;
    let id = simulator.ring().await;
    event(&mut receiver).await;
    simulator.act(&id, "reject").await;
    assert_eq!(event(&mut receiver).await["status"], "FAILED");
    assert_eq!(simulator.act("wacid.unknown", "accept").await["error"]["code"], 100);
    let connect = simulator.act("", "connect").await;
    assert_eq!(connect["error"]["code"], 138_006);

    // A call of a blocked user doesn't arrive, and neither does a message.
    let block = json!({"messaging_product": "whatsapp", "block_users": [{"user": "+201001234567"}]});
    simulator.post("/simulator/messages", &json!({"from": "+201001234567", "text": "hi"})).await;
    receiver.value().await;
    let url = simulator.url(&format!("/v26.0/{PHONE_NUMBER_ID}/block_users"));
    let response = simulator.client.post(url).bearer_auth(TOKEN).json(&block).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let (_, response) = simulator.post("/simulator/calls", &json!({"from": "+201001234567"})).await;
    assert_eq!(response["deliveries"], json!([]));
    let (_, response) = simulator.post("/simulator/messages", &json!({"from": "+201001234567", "text": "hi"})).await;
    assert_eq!(response["deliveries"], json!([]));
    let feed = simulator.get("/simulator/phones/201001234567/messages").await;
    assert_eq!(feed["messages"][2]["call"]["status"], "failed");
    assert_eq!(feed["messages"][3]["status"], "sent");

    for (body, named) in [
        (json!({"from": "unknown"}), "from"),
        (json!({"from": "+201001234567", "phoneNumberId": "7"}), "phoneNumberId"),
        (json!({"from": "+201001234567", "to": "7"}), "to"),
    ] {
        let (status, response) = simulator.post("/simulator/calls", &body).await;
        assert_eq!(status, 400);
        assert!(response["error"].as_str().unwrap().contains(named), "{body} {response}");
    }
}
