//! The Graph API of business numbers and accounts: profiles, QR codes, blocked users, registration, and settings.

use reqwest::Method;

use super::*;

const WABA_ID: &str = "102290129340398";

impl Simulator {
    /// Calls the Graph API with Qasid's token. Returns the status and the response.
    async fn graph_call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let url = self.url(&format!("/v26.0/{path}"));
        let response = self.client.request(method, url).bearer_auth(TOKEN).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// Returns the response of a `GET` that must succeed.
    async fn show(&self, path: &str) -> Value {
        let (status, response) = self.graph_call(Method::GET, path, json!({})).await;
        assert_eq!(status, 200, "{response}");
        response
    }

    /// Sends a `POST` that must succeed without data.
    async fn change(&self, path: &str, body: Value) {
        let response = self.graph_call(Method::POST, path, body).await;
        assert_eq!(response, (200, json!({"success": true})), "{path}");
    }

    /// Returns the status and code of a refused request.
    async fn refused(&self, method: Method, path: &str, body: Value) -> (u16, u64) {
        let (status, response) = self.graph_call(method, path, body).await;
        (status, response["error"]["code"].as_u64().unwrap_or_else(|| panic!("{path} was accepted: {response}")))
    }
}

fn number(edge: &str) -> String {
    format!("{PHONE_NUMBER_ID}/{edge}")
}

#[tokio::test]
async fn a_number_has_meta_fields() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let expected = json!({
        "verified_name": "Local run",
        "code_verification_status": "VERIFIED",
        "display_phone_number": "+15550783881",
        "quality_rating": "GREEN",
        "platform_type": "CLOUD_API",
        "throughput": {"level": "STANDARD"},
        "webhook_configuration": {"application": "http://127.0.0.1:9/"},
        "id": PHONE_NUMBER_ID,
    });
    assert_eq!(simulator.show(PHONE_NUMBER_ID).await, expected);
    let fields = "status,name_status,account_mode,is_pin_enabled,conversational_automation";
    assert_eq!(
        simulator.show(&format!("{PHONE_NUMBER_ID}?fields={fields}")).await,
        json!({"status": "CONNECTED", "name_status": "APPROVED", "account_mode": "LIVE", "is_pin_enabled": false,
            "id": PHONE_NUMBER_ID})
    );
    let health = simulator.show(&format!("{PHONE_NUMBER_ID}?fields=health_status")).await["health_status"].clone();
    assert_eq!(health["can_send_message"], "AVAILABLE");
    assert_eq!(health["entities"].as_array().unwrap().len(), 4);
    let unknown = format!("{PHONE_NUMBER_ID}?fields=color");
    assert_eq!(simulator.refused(Method::GET, &unknown, json!({})).await, (400, 100));

    simulator.change(PHONE_NUMBER_ID, json!({"new_display_name": "Lucky Shrub"})).await;
    assert_eq!(
        simulator.show(&format!("{PHONE_NUMBER_ID}?fields=new_display_name,new_name_status,verified_name")).await,
        json!({"new_display_name": "Lucky Shrub", "new_name_status": "PENDING_REVIEW", "verified_name": "Local run",
            "id": PHONE_NUMBER_ID})
    );
}

#[tokio::test]
async fn an_account_has_fields_and_numbers() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let fields = "name,status,currency,country,business_verification_status";
    assert_eq!(
        simulator.show(&format!("{WABA_ID}?fields={fields}")).await,
        json!({"name": "Local run", "status": "ACTIVE", "currency": "USD", "country": "US",
            "business_verification_status": "verified", "id": WABA_ID})
    );
    let changed = simulator.graph_call(Method::POST, WABA_ID, json!({"name": "Lucky Shrub"})).await;
    assert_eq!(changed, (200, json!({"id": WABA_ID, "success": true})));
    assert_eq!(simulator.show(WABA_ID).await["name"], "Lucky Shrub");

    let numbers = simulator.show(&format!("{WABA_ID}/phone_numbers")).await;
    assert_eq!(numbers["data"], json!([simulator.show(PHONE_NUMBER_ID).await]));
    assert!(numbers["paging"]["cursors"]["after"].is_string());
    for (mode, count) in [("LIVE", 1), ("SANDBOX", 0)] {
        let filter = json!([{"field": "account_mode", "operator": "EQUAL", "value": mode}]);
        let numbers = simulator.show(&format!("{WABA_ID}/phone_numbers?filtering={filter}")).await;
        assert_eq!(numbers["data"].as_array().map(Vec::len), Some(count), "{mode}");
    }
    let filter = json!([{"field": "color", "operator": "EQUAL", "value": 1}]);
    let filtered = format!("{WABA_ID}/phone_numbers?filtering={filter}");
    assert_eq!(simulator.refused(Method::GET, &filtered, json!({})).await, (400, 100));

    let business = simulator.show(&format!("{WABA_ID}?fields=owner_business_info")).await;
    let business = business["owner_business_info"]["id"].as_str().unwrap().to_owned();
    let accounts = simulator.show(&format!("{business}/owned_whatsapp_business_accounts?fields=id,name")).await;
    assert_eq!(accounts["data"], json!([{"id": WABA_ID, "name": "Lucky Shrub"}]));
    for path in ["7", "7/phone_numbers", "7/owned_whatsapp_business_accounts"] {
        assert_eq!(simulator.refused(Method::GET, path, json!({})).await, (400, 100), "{path}");
    }
    let unknown = format!("{WABA_ID}/flowers");
    assert_eq!(simulator.refused(Method::GET, &unknown, json!({})).await, (400, 100));
    assert_eq!(simulator.refused(Method::POST, &unknown, json!({})).await, (400, 2500));
}

#[tokio::test]
async fn a_new_number_is_verified_and_registered() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("whatsapp");
    let simulator = Simulator::start_with("http://127.0.0.1:9/", Some(journal.clone()));
    let new = json!({"cc": "1", "phone_number": "6315551000", "verified_name": "Jasper's Market"});
    let numbers = format!("{WABA_ID}/phone_numbers");
    let (status, response) = simulator.graph_call(Method::POST, &numbers, new.clone()).await;
    assert_eq!(status, 200, "{response}");
    let id = response["id"].as_str().unwrap().to_owned();
    assert_eq!(simulator.refused(Method::POST, &numbers, new).await, (400, 100));
    for invalid in [json!({}), json!({"cc": "1", "phone_number": "63155", "verified_name": "x"})] {
        assert_eq!(simulator.refused(Method::POST, &numbers, invalid).await, (400, 100));
    }
    let text = json!({"messaging_product": "whatsapp", "to": "+201001234567", "text": {"body": "hi"}});
    assert_eq!(simulator.refused(Method::POST, &format!("{id}/messages"), text).await, (400, 133_010));
    let register = json!({"messaging_product": "whatsapp", "pin": "212834"});
    assert_eq!(simulator.refused(Method::POST, &format!("{id}/register"), register.clone()).await, (400, 133_006));

    simulator.change(&format!("{id}/request_code?code_method=SMS&language=en_US"), json!({})).await;
    let output = simulator.output.lines().join("\n");
    let code = output.split("WhatsApp code ").nth(1).unwrap()[..7].to_owned();
    assert_eq!(simulator.refused(Method::POST, &format!("{id}/verify_code?code=1"), json!({})).await, (400, 100));
    simulator.change(&format!("{id}/verify_code?code={code}"), json!({})).await;
    simulator.change(&format!("{id}/register"), register).await;
    simulator.stop().await;

    // It survives a restart.
    let simulator = Simulator::start_with("http://127.0.0.1:9/", Some(journal));
    let shown = simulator.show(&id).await;
    assert_eq!(shown["display_phone_number"], "+16315551000");
    assert_eq!((&shown["verified_name"], &shown["platform_type"]), (&json!("Jasper's Market"), &json!("CLOUD_API")));
    assert_eq!(simulator.show(&numbers).await["data"].as_array().map(Vec::len), Some(2));
    let message = json!({"from": "+201001234567", "text": "hi", "phoneNumberId": id});
    simulator.post("/simulator/messages", &message).await;
}

#[tokio::test]
async fn a_deregistered_number_sends_and_receives_nothing() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    simulator.change(&number("deregister"), json!({})).await;
    let shown = simulator.show(&format!("{PHONE_NUMBER_ID}?fields=status,platform_type,health_status")).await;
    assert_eq!((&shown["status"], &shown["platform_type"]), (&json!("DISCONNECTED"), &json!("NOT_APPLICABLE")));
    assert_eq!(shown["health_status"]["can_send_message"], "BLOCKED");
    let (status, response) = simulator.graph(&text_to("+201001234567")).await.unwrap();
    assert_eq!((status, response["error"]["code"].as_u64()), (StatusCode::BAD_REQUEST, Some(133_010)));
    let read = json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1"});
    assert_eq!(simulator.refused(Method::POST, &number("messages"), read).await, (400, 133_010));
    let message = json!({"from": "+201001234567", "text": "hi"});
    let (status, response) = simulator.post("/simulator/messages", &message).await;
    assert_eq!(status, 400);
    assert!(response["error"].as_str().unwrap().contains("not registered"), "{response}");
    assert_eq!(simulator.refused(Method::POST, &number("deregister"), json!({})).await, (400, 133_010));

    let register = |pin: &str| json!({"messaging_product": "whatsapp", "pin": pin});
    assert_eq!(simulator.refused(Method::POST, &number("register"), register("1234")).await, (400, 100));
    simulator.change(&number("register"), register("212834")).await;
    assert_eq!(simulator.refused(Method::POST, &number("register"), register("212835")).await, (400, 133_005));
    simulator.change(PHONE_NUMBER_ID, json!({"pin": "212835"})).await;
    simulator.change(&number("register"), register("212835")).await;
    assert_eq!(simulator.post("/simulator/messages", &message).await.0, 200);
    for _ in 0..6 {
        simulator.change(&number("register"), register("212835")).await;
    }
    // Meta accepts ten requests in 72 hours, and counts refused ones.
    assert_eq!(simulator.refused(Method::POST, &number("register"), register("212835")).await, (400, 133_016));
}

#[tokio::test]
async fn a_profile_is_changed_and_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("whatsapp");
    let simulator = Simulator::start_with("http://127.0.0.1:9/", Some(journal.clone()));
    let profile = number("whatsapp_business_profile");
    let change = json!({"messaging_product": "whatsapp", "about": "Succulents", "vertical": "RETAIL",
        "websites": "[\n  \"https://www.luckyshrub.com\"\n]"});
    simulator.change(&profile, change).await;
    let missing = json!({"about": "Succulents"});
    assert_eq!(simulator.refused(Method::POST, &profile, missing).await, (400, 100));
    let long = json!({"messaging_product": "whatsapp", "about": "x".repeat(140)});
    assert_eq!(simulator.refused(Method::POST, &profile, long).await, (400, 100));
    assert_eq!(simulator.refused(Method::GET, &format!("{profile}?fields=color"), json!({})).await, (400, 100));
    simulator.stop().await;

    let simulator = Simulator::start_with("http://127.0.0.1:9/", Some(journal));
    assert_eq!(
        simulator.show(&format!("{profile}?fields=about,email,vertical,websites")).await,
        json!({"data": [{"about": "Succulents", "vertical": "RETAIL", "websites": ["https://www.luckyshrub.com"],
            "messaging_product": "whatsapp"}]})
    );
}

#[tokio::test]
async fn qr_codes_open_a_chat() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let codes = number("message_qrdls");
    let new = json!({"prefilled_message": "Cyber Monday", "generate_qr_image": "SVG"});
    let (status, qr) = simulator.graph_call(Method::POST, &codes, new).await;
    assert_eq!(status, 200, "{qr}");
    let code = qr["code"].as_str().unwrap().to_owned();
    assert_eq!(qr["deep_link_url"], format!("https://wa.me/message/{code}"));

    // The image needs no token.
    let url = qr["qr_image_url"].as_str().unwrap();
    let image = simulator.client.get(url).send().await.unwrap();
    assert_eq!(image.headers()["content-type"], "image/svg+xml");
    let shown = simulator.show(&format!("{codes}/{code}?fields=code,qr_image_url.format(PNG)")).await;
    let image = simulator.client.get(shown["data"][0]["qr_image_url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(image.headers()["content-type"], "image/png");
    let missing = simulator.client.get(simulator.url("/whatsapp_business/qr/X.png")).send().await.unwrap();
    assert_eq!(missing.status(), 404);

    // A customer scans it.
    let scan = json!({"qr": qr["deep_link_url"], "from": "+201001234567"});
    assert_eq!(simulator.post("/simulator/scan", &scan).await.0, 200);
    assert_eq!(receiver.value().await["messages"][0]["text"]["body"], "Cyber Monday");

    let changed = json!({"code": code, "prefilled_message": "Cyber Tuesday"});
    let expected = json!({"code": code, "prefilled_message": "Cyber Tuesday", "deep_link_url": qr["deep_link_url"]});
    assert_eq!(simulator.graph_call(Method::POST, &codes, changed).await, (200, expected.clone()));
    assert_eq!(simulator.show(&format!("{codes}/{code}")).await, json!({"data": [expected]}));
    let in_path = format!("{codes}/{code}?prefilled_message=Cyber%20Wednesday");
    let (_, changed) = simulator.graph_call(Method::POST, &in_path, json!({})).await;
    assert_eq!(changed["prefilled_message"], "Cyber Wednesday");
    let other = json!({"prefilled_message": "Tell me more"});
    let (_, other) = simulator.graph_call(Method::POST, &codes, other).await;
    assert_eq!(simulator.show(&codes).await["data"], json!([other, changed]));
    let page = simulator.show(&format!("{codes}?limit=1")).await;
    assert_eq!(page["data"], json!([other]));
    let next: Value = simulator
        .client
        .get(page["paging"]["next"].as_str().unwrap())
        .bearer_auth(TOKEN)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(next["data"], json!([changed]));

    for refused in [
        json!({}),
        json!({"prefilled_message": "x".repeat(141)}),
        json!({"prefilled_message": "x", "generate_qr_image": "GIF"}),
        json!({"prefilled_message": "x", "code": "UNKNOWN"}),
    ] {
        assert_eq!(simulator.refused(Method::POST, &codes, refused).await, (400, 100));
    }
    let path = format!("{codes}/{code}");
    assert_eq!(simulator.graph_call(Method::DELETE, &path, json!({})).await, (200, json!({"success": true})));
    assert_eq!(simulator.refused(Method::DELETE, &path, json!({})).await, (400, 100));
    assert_eq!(simulator.show(&path).await, json!({"data": []}));
    let (status, response) = simulator.post("/simulator/scan", &scan).await;
    assert_eq!(status, 400);
    assert!(response["error"].as_str().unwrap().contains("expired"), "{response}");
}

#[tokio::test]
async fn a_blocked_user_gets_and_sends_no_messages() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let blocks = number("block_users");
    let users = |users: Value| json!({"messaging_product": "whatsapp", "block_users": users});
    let message = json!({"from": "+201001234567", "text": "hi"});
    simulator.post("/simulator/messages", &message).await;
    receiver.text().await;

    let user = users(json!([{"user": "+20 100 123 4567"}]));
    let expected = json!([{"input": "+20 100 123 4567", "wa_id": "201001234567"}]);
    assert_eq!(
        simulator.graph_call(Method::POST, &blocks, user.clone()).await,
        (200, users(json!({"added_users": expected})))
    );
    let listed = simulator.show(&blocks).await;
    assert_eq!(listed["data"], json!([{"messaging_product": "whatsapp", "wa_id": "201001234567"}]));
    let (status, response) = simulator.graph(&text_to("+201001234567")).await.unwrap();
    assert_eq!((status, response["error"]["code"].as_u64()), (StatusCode::BAD_REQUEST, Some(130_403)));
    let (status, response) = simulator.post("/simulator/messages", &message).await;
    assert_eq!((status, &response["deliveries"]), (StatusCode::OK, &json!([])));

    // Only users who wrote in the last 24 hours can be blocked.
    let mixed = users(json!([{"user": "201001234567"}, {"user": "201009999999"}, {"user": "15550783881"}]));
    let (status, response) = simulator.graph_call(Method::POST, &blocks, mixed).await;
    assert_eq!((status, response["error"]["code"].as_u64()), (400, Some(139_100)));
    assert_eq!(response["block_users"]["added_users"].as_array().map(Vec::len), Some(1));
    let failed = &response["block_users"]["failed_users"];
    assert_eq!(failed[0]["input"], "201009999999");
    assert_eq!((&failed[0]["errors"][0]["code"], &failed[1]["errors"][0]["code"]), (&json!(131_047), &json!(131_021)));

    let after = listed["paging"]["cursors"]["after"].as_str().unwrap();
    let next = format!("{blocks}?after={after}");
    assert_eq!(simulator.show(&next).await, json!({"data": []}));
    assert_eq!(
        simulator.graph_call(Method::DELETE, &blocks, user).await,
        (200, users(json!({"removed_users": expected})))
    );
    assert_eq!(simulator.refused(Method::GET, &next, json!({})).await, (400, 139_102));
    simulator.post("/simulator/messages", &message).await;
    assert_eq!(receiver.value().await["messages"][0]["from"], "201001234567");

    for refused in [json!({"block_users": [{"user": "1"}]}), users(json!([])), users(json!([{}]))] {
        assert_eq!(simulator.refused(Method::POST, &blocks, refused).await, (400, 100));
    }
    let many = users(json!(vec![json!({"user": "201001234567"}); 1001]));
    assert_eq!(simulator.refused(Method::POST, &blocks, many).await, (400, 130_429));
}

#[tokio::test]
async fn settings_are_changed() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    simulator.change(&number("settings"), json!({"calling": {"status": "ENABLED"}})).await;
    let two = json!({"calling": {"status": "ENABLED"}, "storage_configuration": {"status": "DEFAULT"}});
    assert_eq!(simulator.refused(Method::POST, &number("settings"), two).await, (400, 100));
    assert_eq!(
        simulator.show(&number("settings")).await,
        json!({"calling": {"status": "ENABLED"}, "storage_configuration": {"status": "DEFAULT"}})
    );
    let fields = number("settings?fields=calling,user_identity_change");
    assert_eq!(simulator.show(&fields).await, json!({"calling": {"status": "ENABLED"}}));

    simulator.change(&number("whatsapp_commerce_settings?is_catalog_visible=true"), json!({})).await;
    assert_eq!(
        simulator.show(&number("whatsapp_commerce_settings")).await,
        json!({"data": [{"is_cart_enabled": true, "is_catalog_visible": true, "id": PHONE_NUMBER_ID}]})
    );
    assert_eq!(simulator.show(&number("whatsapp_business_encryption")).await, json!({"data": []}));
    let key = json!({"business_public_key": "key"});
    assert_eq!(simulator.refused(Method::POST, &number("whatsapp_business_encryption"), key).await, (400, 100));

    let automation = json!({"prompts": ["Plan a trip"], "commands": "[]"});
    simulator.change(&number("conversational_automation"), automation).await;
    let five = json!({"prompts": ["1", "2", "3", "4", "5"]});
    assert_eq!(simulator.refused(Method::POST, &number("conversational_automation"), five).await, (400, 100));
    assert_eq!(
        simulator.show(&format!("{PHONE_NUMBER_ID}?fields=conversational_automation")).await,
        json!({"conversational_automation": {"enable_welcome_message": false, "prompts": ["Plan a trip"],
            "commands": [], "id": PHONE_NUMBER_ID}, "id": PHONE_NUMBER_ID})
    );
    assert_eq!(simulator.refused(Method::DELETE, &number("settings"), json!({})).await, (400, 100));
}

#[tokio::test]
async fn a_username_belongs_to_one_number() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    simulator.post("/simulator/numbers", &json!({"phoneNumberId": "7", "displayPhoneNumber": "15550000007"})).await;
    let username = number("username");
    assert_eq!(simulator.show(&username).await, json!({}));
    let claim = json!({"username": "lucky_shrub"});
    let approved = (200, json!({"status": "approved"}));
    assert_eq!(simulator.graph_call(Method::POST, &username, claim).await, approved);
    let shown = simulator.show(&username).await;
    assert_eq!(shown, json!({"username": "lucky_shrub", "status": "approved"}));
    let other = json!({"username": "Lucky_Shrub"});
    assert_eq!(simulator.refused(Method::POST, "7/username", other).await, (400, 147_001));
    let moved = json!({"username": "Lucky_Shrub", "transfer_action": "force_transfer"});
    assert_eq!(simulator.graph_call(Method::POST, "7/username", moved).await, approved);
    assert_eq!(simulator.show(&username).await, json!({}));
    assert_eq!(simulator.refused(Method::POST, &username, json!({"username": "shop.com"})).await, (400, 100));
    let suggestions = simulator.show(&number("username_suggestions")).await;
    assert_eq!(suggestions, json!({"data": [{"username_suggestions": []}]}));
    let deleted = simulator.graph_call(Method::DELETE, "7/username", json!({})).await;
    assert_eq!(deleted, (200, json!({"success": true})));
    assert_eq!(simulator.show("7/username").await, json!({}));
}

#[tokio::test]
async fn marketing_messages_are_templates() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let template = json!({"name": "hello_world", "language": {"code": "en_US"}});
    let message = json!({"messaging_product": "whatsapp", "to": "+201001234567", "type": "template",
        "template": template, "message_activity_sharing": true});
    let (status, response) = simulator.graph_call(Method::POST, &number("marketing_messages"), message).await;
    assert_eq!(status, 200, "{response}");
    assert!(response["messages"][0]["id"].is_string());
    let refused = text_to("+201001234567");
    assert_eq!(simulator.refused(Method::POST, &number("marketing_messages"), refused).await, (400, 131_055));
    assert_eq!(
        simulator.refused(Method::GET, &number("marketing_messages?type=template"), json!({})).await,
        (400, 100)
    );
}

#[tokio::test]
async fn a_code_verifies_an_added_number() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let added = json!({"cc": "1", "phone_number": "5550001111", "verified_name": "Second"});
    let (_, added) = simulator.graph_call(Method::POST, &format!("{WABA_ID}/phone_numbers"), added).await;
    let id = added["id"].as_str().unwrap();
    simulator.change(&format!("{id}/request_code"), json!({"code_method": "SMS", "language": "en"})).await;
    let numbers = simulator.get("/simulator/numbers").await["numbers"].clone();
    assert_eq!((&numbers[0]["verifiedName"], &numbers[1]["verifiedName"]), (&json!("Local run"), &json!("Second")));
    let verified = (&numbers[0]["phoneNumberId"], &numbers[0]["verificationCode"]);
    assert_eq!(verified, (&json!(PHONE_NUMBER_ID), &json!(null)));
    assert_eq!((&numbers[1]["phoneNumberId"], &numbers[1]["displayPhoneNumber"]), (&json!(id), &json!("15550001111")));
    simulator.change(&format!("{id}/verify_code"), json!({"code": numbers[1]["verificationCode"]})).await;
    assert_eq!(simulator.get("/simulator/numbers").await["numbers"][1]["verificationCode"], json!(null));
}

#[tokio::test]
async fn users_permit_no_calls() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let permissions = simulator.show(&number("call_permissions?user_wa_id=201001234567")).await;
    assert_eq!(permissions["permission"], json!({"status": "no_permission"}));
    assert_eq!(permissions["actions"][1]["can_perform_action"], false);
    assert_eq!(simulator.refused(Method::GET, &number("call_permissions"), json!({})).await, (400, 100));
}

/// Otherwise, the client would get an error while it sends, and couldn't reuse the connection.
#[tokio::test]
async fn the_whole_body_is_read_before_a_refusal() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let simulator = Simulator::start("http://127.0.0.1:9/");
    let mut connection = tokio::net::TcpStream::connect(simulator.address).await.unwrap();
    for _ in 0..2 {
        let head =
            "POST /v26.0/1/2/3/4 HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 3000000\r\n";
        connection.write_all(format!("{head}authorization: Bearer {TOKEN}\r\n\r\n").as_bytes()).await.unwrap();
        connection.write_all(format!("{{}}{}", " ".repeat(2_999_998)).as_bytes()).await.unwrap();
        let mut response = vec![0; 4096];
        let length = connection.read(&mut response).await.unwrap();
        let response = String::from_utf8_lossy(&response[..length]);
        assert!(response.starts_with("HTTP/1.1 400") && !response.contains("connection: close"), "{response}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn users_write_while_they_are_blocked() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    simulator.faults(json!({"webhooks": {"hold": true}})).await;
    let message = json!({"from": "+201001234567", "text": "hi"});
    simulator.post("/simulator/messages", &message).await;
    let blocks = number("block_users");
    let users = vec![json!({"user": "201001234567"}); 1000];
    let users = json!({"messaging_product": "whatsapp", "block_users": users});
    let block = async {
        for _ in 0..20 {
            assert_eq!(simulator.graph_call(Method::POST, &blocks, users.clone()).await.0, 200);
            assert_eq!(simulator.graph_call(Method::DELETE, &blocks, users.clone()).await.0, 200);
        }
    };
    let write = async {
        for _ in 0..100 {
            assert_eq!(simulator.post("/simulator/messages", &message).await.0, 200);
        }
    };
    tokio::time::timeout(TIMEOUT, async { tokio::join!(block, write) }).await.unwrap();
}
