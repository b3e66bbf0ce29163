//! Rate limits over HTTP.

use super::*;

#[tokio::test]
async fn the_throughput_of_a_number_is_limited() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    simulator.faults(json!({"webhooks": {"hold": true}})).await;
    let number = json!({"messagesPerSecond": 1});
    assert_eq!(simulator.post("/simulator/numbers", &number).await, (StatusCode::OK, json!({"success": true})));
    // The second message is refused, unless the test needs over a second for it.
    let mut accepted = 0;
    let error = loop {
        let (status, response) = simulator.graph(&text_to(&format!("+2010{accepted:08}"))).await.unwrap();
        if status != 200 {
            break (status, response["error"].clone());
        }
        accepted += 1;
    };
    assert_eq!(error.0, 400);
    assert_eq!((&error.1["code"], &error.1["type"]), (&json!(130_429), &json!("OAuthException")));
    assert_eq!(error.1["message"], "(#130429) Rate limit hit");
    assert_eq!(error.1["error_data"]["messaging_product"], "whatsapp");
    assert_eq!(simulator.get("/simulator/limits").await, json!({"refused": {"throughput": 1, "pair": 0}}));
    assert_eq!(simulator.get("/simulator/messages").await["messages"].as_array().unwrap().len(), accepted);
    assert!(simulator.output.lines().iter().any(|line| line.contains("130429")));

    let (status, response) = simulator.post("/simulator/numbers", &json!({"messagesPerSecond": 0})).await;
    assert_eq!(status, 400);
    assert!(response["error"].as_str().unwrap().contains("nonzero"), "{response}");
}

#[tokio::test]
async fn sends_to_one_user_are_limited() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    simulator.faults(json!({"webhooks": {"hold": true}})).await;
    // The user has two addresses.
    let customer = json!({"from": "+201001234567", "fromUserId": "EG.7", "text": "hi"});
    assert_eq!(simulator.post("/simulator/messages", &customer).await.0, 200);
    let by_user_id = merge(text_to(""), &json!({"to": null, "recipient": "EG.7"}));
    let bodies = [text_to("+201001234567"), by_user_id];
    let (mut accepted, mut refusal) = (0, None);
    // More than 45, if the test needs over 6 seconds.
    while refusal.is_none() {
        let (status, response) = simulator.graph(&bodies[accepted % 2]).await.unwrap();
        match status.as_u16() {
            200 => accepted += 1,
            _ => refusal = Some(response["error"].clone()),
        }
    }
    assert!(accepted >= 45, "{accepted}");
    let refusal = refusal.unwrap();
    assert_eq!(refusal["code"], 131_056);
    assert_eq!(refusal["message"], "(#131056) (Business Account, Consumer Account) pair rate limit hit");
    assert_eq!(simulator.get("/simulator/limits").await, json!({"refused": {"throughput": 0, "pair": 1}}));
    simulator.send_text("+201007654321").await;
}

#[tokio::test]
async fn the_throughput_level_of_a_number_is_shown() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let level = async || {
        let url = simulator.url(&format!("/v26.0/{PHONE_NUMBER_ID}?fields=throughput"));
        let response = simulator.client.get(url).bearer_auth(TOKEN).send().await.unwrap();
        response.json::<Value>().await.unwrap()["throughput"]["level"].clone()
    };
    assert_eq!(level().await, "STANDARD");
    simulator.post("/simulator/numbers", &json!({"messagesPerSecond": 1000})).await;
    assert_eq!(level().await, "HIGH");
}

fn merge(mut object: Value, members: &Value) -> Value {
    object.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    object
}
