//! Sends messages as the functions do.

use super::*;

#[tokio::test]
async fn an_accepted_message_is_sent_delivered_and_read() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.open_window(&mut receiver, "+201001234567").await;
    let (status, response) = simulator.graph(&text_to("+20 100 123 4567")).await.unwrap();
    assert_eq!(status, 200);
    let id = response["messages"][0]["id"].as_str().unwrap();
    assert_eq!(
        response,
        json!({"messaging_product": "whatsapp", "messages": [{"id": id}],
            "contacts": [{"input": "+20 100 123 4567", "wa_id": "201001234567"}]})
    );
    for expected in ["sent", "delivered", "read"] {
        let value = receiver.value().await;
        assert_eq!(value["metadata"]["phone_number_id"], PHONE_NUMBER_ID);
        assert_eq!(value["contacts"][0]["wa_id"], "201001234567");
        let status = &value["statuses"][0];
        assert_eq!(status["status"], expected);
        assert_eq!(status["id"], id);
        assert_eq!(status["recipient_id"], "201001234567");
        assert_eq!(status["recipient_user_id"], value["contacts"][0]["user_id"]);
        assert_eq!(status["biz_opaque_callback_data"], "key-1");
        assert!(status["timestamp"].as_str().unwrap().parse::<i64>().unwrap() > 1_700_000_000);
    }
    let counts = simulator.all_delivered().await;
    assert_eq!(counts, json!({"queued": 4, "delivered": 4, "failedAttempts": 0, "givenUp": 0, "pending": 0}));

    let messages = simulator.get("/simulator/messages").await;
    let message = &messages["messages"][0];
    assert_eq!(message["id"], id);
    assert_eq!(message["to"], "+20 100 123 4567");
    assert_eq!(message["type"], "text");
    assert_eq!(message["callbackData"], "key-1");
    assert_eq!(message["body"], text_to("+20 100 123 4567"));
    assert!(message["acceptedAt"].as_str().unwrap().ends_with('Z'));
    for (from, left) in [("0", 1), ("1", 0), ("7", 0)] {
        let messages = simulator.get(&format!("/simulator/messages?from={from}")).await;
        assert_eq!(messages["messages"].as_array().map(Vec::len), Some(left), "{from}");
    }
    assert!(simulator.get("/simulator/messages?from=x").await["error"].is_string());
    let lines = simulator.output.lines().join("\n");
    assert!(lines.contains("…4567") && !lines.contains("100123") && !lines.contains("Wie geht"), "{lines}");
}

#[tokio::test]
async fn the_response_for_a_user_id_contains_no_phone_number() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.open_window(&mut receiver, "US.1349").await;
    let body = json!({"messaging_product": "whatsapp", "recipient": "US.1349", "text": {"body": "hi"}});
    let (_, response) = simulator.graph(&body).await.unwrap();
    assert_eq!(response["contacts"], json!([{"input": "US.1349", "user_id": "US.1349"}]));
    let status = receiver.status().await;
    assert_eq!(status["recipient_user_id"], "US.1349");
    assert_eq!(status.get("recipient_id"), None);
    assert_eq!(simulator.get("/simulator/messages").await["messages"][0]["recipient"], "US.1349");
}

#[tokio::test]
async fn a_read_receipt_is_accepted() {
    let receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let message = json!({"from": "201001234567", "id": "wamid.1", "text": "hello"});
    assert_eq!(simulator.post("/simulator/messages", &message).await.0, 200);
    let body = json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1"});
    assert_eq!(simulator.graph(&body).await.unwrap(), (StatusCode::OK, json!({"success": true})));
    assert_eq!(simulator.get("/simulator/messages").await["messages"], json!([]));
    let receipt = &simulator.get("/simulator/receipts").await["receipts"][0];
    assert_eq!((&receipt["messageId"], &receipt["typingIndicator"]), (&json!("wamid.1"), &json!(false)));
}

#[tokio::test]
async fn the_fields_of_a_number_are_returned() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let get = async |query: &str| -> Value {
        let url = simulator.url(&format!("/v26.0/{PHONE_NUMBER_ID}{query}"));
        simulator.client.get(url).bearer_auth(TOKEN).send().await.unwrap().json().await.unwrap()
    };
    assert_eq!(get("").await["display_phone_number"], "+15550783881");
    assert_eq!(
        get("?fields=verified_name,%20throughput").await,
        json!({
            "id": PHONE_NUMBER_ID,
            "verified_name": "Local run",
            "throughput": {"level": "STANDARD"},
        })
    );
    assert_eq!(get("?fields=color").await["error"]["code"], 100);
    assert_eq!(get("?fields=%FF").await["error"]["code"], 100);
}

#[tokio::test]
async fn invalid_calls_have_errors_in_the_format_of_meta() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let body = text_to("+201001234567").to_string();
    let post = |path: &str| simulator.client.post(simulator.url(path)).header("content-type", "application/json");
    let messages = format!("/v26.0/{PHONE_NUMBER_ID}/messages");
    let cases = [
        (post(&messages).body(body.clone()), 401, 190),
        (post(&messages).bearer_auth("other").body(body.clone()), 401, 190),
        (post("/v26.0/7/messages").bearer_auth(TOKEN).body(body.clone()), 400, 100),
        (simulator.client.delete(simulator.url(&format!("/v26.0/{PHONE_NUMBER_ID}"))).bearer_auth(TOKEN), 400, 100),
        (simulator.client.get(simulator.url(&messages)).bearer_auth(TOKEN), 400, 100),
        (post(&format!("/v27.0/{PHONE_NUMBER_ID}/messages")).bearer_auth(TOKEN).body(body.clone()), 400, 2500),
        (post(&format!("/v26/{PHONE_NUMBER_ID}/messages")).bearer_auth(TOKEN).body(body.clone()), 400, 2500),
        (post("/v26.0/%FF/messages").bearer_auth(TOKEN).body(body.clone()), 400, 2500),
        (post("/").bearer_auth(TOKEN).body(body.clone()), 400, 2500),
        (post("/v26.0/1/2/3").bearer_auth(TOKEN).body(body.clone()), 400, 2500),
        (post(&messages).bearer_auth(TOKEN).body("{"), 400, 100),
        (post(&messages).bearer_auth(TOKEN).body("x".repeat(5 << 20)), 413, 100),
        (simulator.client.post(simulator.url(&messages)).bearer_auth(TOKEN).body(body.clone()), 400, 100),
    ];
    for (index, (request, status, code)) in cases.into_iter().enumerate() {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "case {index}");
        let error = &response.json::<Value>().await.unwrap()["error"];
        assert_eq!(error["code"], code, "case {index}: {error}");
        assert!(error["message"].is_string() && error["type"].is_string() && error["fbtrace_id"].is_string());
    }
    assert_eq!(simulator.get("/simulator/messages").await["messages"], json!([]));
}

#[tokio::test]
async fn requests_are_accepted_in_every_form_that_the_graph_api_accepts() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.open_window(&mut receiver, "+201001234567").await;
    let messages = format!("/{PHONE_NUMBER_ID}/messages");
    let fields = [("messaging_product", "whatsapp"), ("to", "+201001234567"), ("text", r#"{"body": "hi"}"#)];
    let strings: Value = fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let query = serde_json::Map::from_iter([("access_token".to_owned(), json!(TOKEN))]);
    let with_token = fields.iter().copied().chain([("access_token", TOKEN)]);
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(with_token).finish();
    let multipart: String = fields
        .iter()
        .map(|(name, value)| format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"))
        .collect();
    let mut in_body = strings.clone();
    in_body.as_object_mut().unwrap().extend(query);
    let post = |path: &str| simulator.client.post(simulator.url(path));
    let is_form = ("content-type", "application/x-www-form-urlencoded");
    let cases = [
        ("without a version", post(&messages).bearer_auth(TOKEN).json(&strings)),
        ("with a slash", post(&format!("/v20.0{messages}/")).bearer_auth(TOKEN).json(&strings)),
        ("token in the query", post(&format!("{messages}?access_token={TOKEN}")).json(&strings)),
        ("token in the body", post(&messages).json(&in_body)),
        ("form", post(&messages).header(is_form.0, is_form.1).body(form.clone())),
        ("parameters in the query", post(&format!("{messages}?{form}"))),
        (
            "multipart form",
            post(&messages)
                .bearer_auth(TOKEN)
                .header("content-type", "multipart/form-data; boundary=x")
                .body(format!("{multipart}--x--\r\n")),
        ),
    ];
    for (index, (name, request)) in cases.into_iter().enumerate() {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{name}");
        let accepted = simulator.get(&format!("/simulator/messages?from={index}")).await;
        assert_eq!(accepted["messages"][0]["body"]["text"], json!({"body": "hi"}), "{name}");
        assert_eq!(accepted["messages"][0]["body"].get("access_token"), None, "{name}");
        assert_eq!(receiver.status().await["status"], "sent", "{name}");
        for _ in 0..2 {
            receiver.text().await;
        }
    }
}

#[tokio::test]
async fn an_app_sees_only_the_objects_of_its_business() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let number = json!({"phoneNumberId": "7", "appSecret": "other-secret", "accessToken": "other-token"});
    simulator.post("/simulator/numbers", &number).await;
    for (token, id, code) in [
        (TOKEN, PHONE_NUMBER_ID, None),
        (BOT_TOKEN, PHONE_NUMBER_ID, None),
        ("other-token", "7", None),
        ("other-token", PHONE_NUMBER_ID, Some(100)),
        (TOKEN, "7", Some(100)),
        (BOT_TOKEN, "7", Some(100)),
        ("unknown", "7", Some(190)),
    ] {
        let response = simulator.client.get(simulator.url(&format!("/{id}"))).bearer_auth(token).send().await.unwrap();
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"]["code"].as_u64(), code, "{token} {id}: {body}");
        assert_eq!(body["display_phone_number"].is_string(), code.is_none(), "{token} {id}: {body}");
        let send = simulator.client.post(simulator.url(&format!("/{id}/messages"))).bearer_auth(token);
        let body: Value = send.json(&text_to("+201001234567")).send().await.unwrap().json().await.unwrap();
        assert_eq!(body["error"]["code"].as_u64(), code, "{token} {id}: {body}");
    }
}
