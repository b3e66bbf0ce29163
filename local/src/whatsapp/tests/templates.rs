//! Message templates: the Graph API, messages, controls, and webhooks.

use super::*;

const WABA_ID: &str = "102290129340398";

impl Simulator {
    /// Sends a Graph API request with a valid token.
    async fn call(&self, method: &str, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.client.request(method.parse().unwrap(), self.url(path)).bearer_auth(TOKEN);
        let request = if body.is_null() { request } else { request.json(body) };
        let response = request.send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// Creates a template and returns its ID.
    async fn create(&self, name: &str) -> String {
        let body = json!({"name": name, "language": "en_US", "category": "UTILITY", "components": [
            {"type": "BODY", "text": format!("Your {name} {{{{1}}}} is ready."), "example": {"body_text": [["1"]]}}]});
        let (status, response) = self.call("POST", &format!("/v26.0/{WABA_ID}/message_templates"), &body).await;
        assert_eq!(status, 200, "{response}");
        assert_eq!((&response["status"], &response["category"]), (&json!("PENDING"), &json!("UTILITY")));
        response["id"].as_str().unwrap().to_owned()
    }

    async fn control(&self, change: &Value) {
        assert_eq!(self.post("/simulator/templates", change).await, (StatusCode::OK, json!({"success": true})));
    }

    /// Sends a template with one parameter.
    async fn send_template(&self, name: &str) -> (StatusCode, Value) {
        let parameters = json!([{"type": "text", "text": "7"}]);
        let template = json!({"name": name, "language": {"code": "en_US"},
            "components": [{"type": "body", "parameters": parameters}]});
        let message =
            json!({"messaging_product": "whatsapp", "to": "+201001234567", "type": "template", "template": template});
        self.graph(&message).await.unwrap()
    }
}

#[tokio::test]
async fn templates_are_created_read_edited_and_deleted() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let id = simulator.create("order").await;
    let edge = format!("/{WABA_ID}/message_templates");
    let (_, list) = simulator.call("GET", &format!("{edge}?name=order&status=approved,rejected"), &Value::Null).await;
    assert_eq!(list["data"][0]["id"], id);
    assert_eq!(list["data"][0]["components"][0]["text"], "Your order {{1}} is ready.");
    assert_eq!(list["data"][0]["status"], "APPROVED");
    let (_, one) = simulator.call("GET", &format!("/{id}?fields=status,quality_score"), &Value::Null).await;
    assert_eq!((&one["id"], &one["status"]), (&json!(id), &json!("APPROVED")));
    assert!(one["quality_score"]["score"] == "UNKNOWN" && one["quality_score"]["date"].is_i64(), "{one}");

    let edit = json!({"components": [{"type": "BODY", "text": "Your order has arrived."}]});
    let edited = json!({"success": true, "id": id, "name": "order", "category": "UTILITY"});
    assert_eq!(simulator.call("POST", &format!("/{id}"), &edit).await, (StatusCode::OK, edited));
    let (_, one) = simulator.call("GET", &format!("/{id}"), &Value::Null).await;
    assert_eq!(one["components"][0]["text"], "Your order has arrived.");
    let (status, refused) = simulator.call("POST", &format!("/{id}"), &edit).await;
    assert_eq!((status, &refused["error"]["error_subcode"]), (StatusCode::BAD_REQUEST, &json!(2_388_039)));

    let delete = format!("{edge}?name=order");
    assert_eq!(simulator.call("DELETE", &delete, &Value::Null).await, (StatusCode::OK, json!({"success": true})));
    assert_eq!(simulator.call("DELETE", &delete, &Value::Null).await.0, 400);
    let (status, gone) = simulator.call("GET", &format!("/{id}"), &Value::Null).await;
    assert_eq!((status, &gone["error"]["error_subcode"]), (StatusCode::BAD_REQUEST, &json!(33)));
    assert_eq!(simulator.call("GET", "/7/message_templates", &Value::Null).await.0, 400);
}

#[tokio::test]
async fn an_invalid_template_has_a_title_and_a_sentence_for_the_user() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let body = json!({"name": "Order", "language": "en_US", "category": "UTILITY",
        "components": r#"[{"type": "BODY", "text": "Your order is ready."}]"#});
    let (status, response) = simulator.call("POST", &format!("/{WABA_ID}/message_templates"), &body).await;
    let mut error = response["error"].clone();
    assert!(error.as_object_mut().unwrap().remove("fbtrace_id").is_some());
    assert_eq!(status, 400);
    assert_eq!(
        error,
        json!({
            "message": "Invalid parameter",
            "type": "OAuthException",
            "code": 100,
            "error_subcode": 2_388_046,
            "error_user_title": "Name Format is Incorrect",
            "error_user_msg": "The message template name can only have lowercase letters and underscores.",
        })
    );
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    for name in ["order_1", "order_2", "invoice"] {
        simulator.create(name).await;
    }
    let list = async |query: &str| {
        simulator.call("GET", &format!("/v26.0/{WABA_ID}/message_templates?{query}"), &Value::Null).await.1
    };
    let names = |list: &Value| -> Vec<String> {
        list["data"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    for (query, expected) in [
        ("", vec!["hello_world", "order_1", "order_2", "invoice"]),
        ("name=order_1", vec!["order_1"]),
        ("name=order", vec![]),
        ("name_or_content=ORDER_", vec!["order_1", "order_2"]),
        ("name_or_content=congratulations", vec!["hello_world"]),
        ("language=ar", vec![]),
        ("category=UTILITY&status=APPROVED&language=en_US", vec!["order_1", "order_2", "invoice"]),
        ("category=MARKETING", vec!["hello_world"]),
        ("status=%5B%22REJECTED%22%5D", vec![]),
    ] {
        assert_eq!(names(&list(query).await), expected, "{query}");
    }
    let first = list("limit=3&fields=name&summary=total_count").await;
    assert_eq!(names(&first), ["hello_world", "order_1", "order_2"]);
    let summary = json!({"total_count": 4, "message_template_count": 4, "message_template_limit": 250,
        "are_translations_complete": true});
    assert_eq!(first["summary"], summary);
    assert_eq!(first["paging"].get("previous"), None);
    let next = first["paging"]["next"].as_str().unwrap();
    assert!(next.starts_with(&simulator.url("/v26.0/")), "{next}");
    let second: Value = simulator.client.get(next).bearer_auth(TOKEN).send().await.unwrap().json().await.unwrap();
    assert_eq!((names(&second), second["paging"].get("next")), (vec!["invoice".to_owned()], None));
    assert_eq!(second["data"][0].as_object().unwrap().len(), 2);
    let previous = second["paging"]["previous"].as_str().unwrap();
    let again: Value = simulator.client.get(previous).bearer_auth(TOKEN).send().await.unwrap().json().await.unwrap();
    assert_eq!(again["data"], first["data"]);
}

#[tokio::test]
async fn a_message_needs_an_approved_template_and_its_parameters() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let (status, response) = simulator.send_template("order").await;
    let error = &response["error"];
    assert_eq!((status, &error["code"]), (StatusCode::NOT_FOUND, &json!(132_001)));
    assert_eq!(error["message"], "(#132001) Template name does not exist in the translation");
    assert_eq!(error["error_data"]["details"], "template name (order) does not exist in en_US");

    simulator.create("order").await;
    let (status, response) = simulator.send_template("order").await;
    assert_eq!((status, &response["messages"][0]["message_status"]), (StatusCode::OK, &json!("accepted")));

    let (status, response) = simulator.send_template("hello_world").await;
    let error = &response["error"];
    assert_eq!((status, &error["code"]), (StatusCode::BAD_REQUEST, &json!(132_000)));
    assert_eq!(error["message"], "(#132000) Number of parameters does not match the expected number of params");

    for (status, code) in [("PAUSED", 132_015), ("DISABLED", 132_016), ("PENDING", 132_001), ("REJECTED", 132_001)] {
        simulator.control(&json!({"name": "order", "status": status})).await;
        assert_eq!(simulator.send_template("order").await.1["error"]["code"], code, "{status}");
    }
    assert_eq!(simulator.get("/simulator/messages").await["messages"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn held_messages_wait_for_the_quality_of_the_template() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let template = json!({"name": "hello_world", "language": {"code": "en_US"}});
    let message =
        json!({"messaging_product": "whatsapp", "to": "+201001234567", "type": "template", "template": template});
    let hold = async |status: &str| {
        simulator.control(&json!({"name": "hello_world", "messageStatus": status})).await;
        let (_, response) = simulator.graph(&message).await.unwrap();
        assert_eq!(response["messages"][0]["message_status"], status);
        response["messages"][0]["id"].clone()
    };
    let first = hold("held_for_quality_assessment").await;
    assert_eq!(simulator.all_delivered().await["queued"], 0);
    simulator.control(&json!({"name": "hello_world", "messageStatus": "accepted"})).await;
    for expected in ["sent", "delivered", "read"] {
        let status = receiver.status().await;
        assert_eq!((&status["id"], &status["status"]), (&first, &json!(expected)));
    }
    let second = hold("paused").await;
    simulator.control(&json!({"name": "hello_world", "status": "PAUSED"})).await;
    assert_eq!(receiver.value().await["event"], "PAUSED");
    let status = receiver.status().await;
    assert_eq!((&status["id"], &status["status"]), (&second, &json!("failed")));
    assert_eq!(status["errors"][0]["code"], 132_015);
    assert_eq!(simulator.all_delivered().await["queued"], 5);
}

#[tokio::test]
async fn only_marketing_templates_are_marketing_messages() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let components = json!([{"type": "BODY", "text": "Your order is ready."}]);
    let body = json!({"name": "order", "language": "en_US", "category": "UTILITY", "components": components});
    assert_eq!(simulator.call("POST", &format!("/{WABA_ID}/message_templates"), &body).await.0, 200);
    let send = async |name: &str| {
        let template = json!({"name": name, "language": {"code": "en_US"}});
        let message =
            json!({"messaging_product": "whatsapp", "to": "+201001234567", "type": "template", "template": template});
        simulator.call("POST", &format!("/v26.0/{PHONE_NUMBER_ID}/marketing_messages"), &message).await
    };
    assert_eq!(send("hello_world").await.0, 200);
    let (status, response) = send("order").await;
    assert_eq!((status, &response["error"]["code"]), (StatusCode::BAD_REQUEST, &json!(134_100)));
}

#[tokio::test]
async fn changes_of_a_template_are_in_webhooks() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let id = simulator.create("order").await;
    let body: Value = serde_json::from_str(&receiver.text().await).unwrap();
    let entry = &body["entry"][0];
    assert_eq!((&body["object"], &entry["id"]), (&json!("whatsapp_business_account"), &json!(WABA_ID)));
    assert!(entry["time"].as_i64().unwrap() > 1_700_000_000);
    assert_eq!(entry["changes"][0]["field"], "message_template_status_update");
    assert_eq!(entry["changes"][0]["value"]["event"], "APPROVED");
    assert_eq!(entry["changes"][0]["value"]["message_template_id"].to_string(), id);

    simulator.control(&json!({"name": "order", "status": "PAUSED"})).await;
    assert_eq!(receiver.value().await["other_info"]["title"], "FIRST_PAUSE");
    let unpause = format!("/v26.0/{id}/unpause");
    assert_eq!(simulator.call("POST", &unpause, &Value::Null).await.1, json!({"success": true}));
    assert_eq!(receiver.value().await["other_info"]["title"], "UNPAUSE");
    assert_eq!(simulator.call("POST", &unpause, &Value::Null).await.1["success"], false);
    simulator.control(&json!({"name": "order", "quality": "YELLOW"})).await;
    assert_eq!(receiver.value().await["new_quality_score"], "YELLOW");
    simulator.control(&json!({"name": "order", "status": "REJECTED", "reason": "SCAM"})).await;
    assert_eq!(receiver.value().await["reason"], "SCAM");
    simulator.control(&json!({"review": "manual"})).await;
    simulator.create("invoice").await;
    assert_eq!(simulator.all_delivered().await["queued"], 5);
}

#[tokio::test]
async fn invalid_changes_are_refused() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    for (change, sentence) in [
        (json!({}), "name is required"),
        (json!({"status": "PAUSED"}), "name is required"),
        (json!({"name": "other", "status": "PAUSED"}), "There is no template other"),
        (json!({"name": "hello_world", "language": "ar", "status": "PAUSED"}), "There is no template hello_world"),
        (json!({"name": "hello_world", "status": "APPROVED"}), "can't become APPROVED"),
        (json!({"name": "hello_world", "status": "GREAT"}), "unknown variant `GREAT`"),
        (json!({"name": "hello_world", "reason": "SCAM"}), "reason requires the status REJECTED"),
        (json!({"name": "hello_world", "status": "REJECTED", "reason": "UGLY"}), "reason must be one of"),
        (json!({"name": "hello_world", "state": "PAUSED"}), "unknown field `state`"),
    ] {
        let (status, response) = simulator.post("/simulator/templates", &change).await;
        assert_eq!(status, 400, "{change}");
        assert!(response["error"].as_str().unwrap().contains(sentence), "{change}: {response}");
    }
    let templates = simulator.get("/simulator/templates").await;
    assert_eq!(templates["review"], "automatic");
    assert_eq!(
        (&templates["templates"][0]["name"], &templates["templates"][0]["status"]),
        (&json!("hello_world"), &json!("APPROVED"))
    );
}

#[tokio::test]
async fn authentication_templates_are_created_in_several_languages() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let edge = format!("/v26.0/{WABA_ID}/upsert_message_templates");
    let mut body = json!({"name": "code", "languages": ["en_US", "ar"], "category": "AUTHENTICATION", "components": [
        {"type": "BODY"}, {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE"}]}]});
    let (_, first) = simulator.call("POST", &edge, &body).await;
    assert_eq!((&first["data"][1]["language"], &first["data"][1]["status"]), (&json!("ar"), &json!("APPROVED")));
    body["languages"] = json!(["ar", "fr"]);
    let (_, second) = simulator.call("POST", &edge, &body).await;
    assert_eq!(second["data"][0]["id"], first["data"][1]["id"]);
    assert_eq!(second["data"].as_array().unwrap().len(), 2);
    body["category"] = json!("UTILITY");
    assert_eq!(simulator.call("POST", &edge, &body).await.0, 400);
}

#[tokio::test]
async fn templates_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Some(directory.path().join("whatsapp.jsonl"));
    let receiver = Receiver::start().await;
    let simulator = Simulator::start_with(&receiver.url, journal.clone());
    let id = simulator.create("order").await;
    simulator.stop().await;
    let simulator = Simulator::start_with(&receiver.url, journal);
    assert_eq!(simulator.call("GET", &format!("/{id}"), &Value::Null).await.1["name"], "order");
    assert_eq!(simulator.send_template("order").await.0, 200);
}
