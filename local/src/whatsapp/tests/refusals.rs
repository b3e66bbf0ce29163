//! The refusals that `docs/simulator.md` lists, and that it lists exactly these.

use regex_lite::Regex;

use super::*;

const CUSTOMER: &str = "+201001234567";
const WABA_ID: &str = "102290129340398";
const PAGE: &str = include_str!("../../../../docs/simulator.md");

/// A message to the customer that is refused with an error.
fn messages() -> Vec<(&'static str, Value)> {
    let button = |id: &str, title: &str| json!({"type": "reply", "reply": {"id": id, "title": title}});
    let buttons = |buttons: Value| {
        json!({"type": "interactive", "interactive": {"type": "button", "body": {"text": "Choose"},
            "action": {"buttons": buttons}}})
    };
    let with = |name: &str, value: Value| {
        let mut message = buttons(json!([button("1", "Yes")]));
        message["interactive"][name] = value;
        message
    };
    let rows = |count: u32| -> Value { (0..count).map(|n| json!({"id": n.to_string(), "title": "Row"})).collect() };
    let list = |sections: Value| {
        json!({"type": "interactive", "interactive": {"type": "list", "body": {"text": "Choose"},
            "action": {"button": "Open", "sections": sections}}})
    };
    let link = "https://example.com/a.png";
    let text = |body: Value| json!({"type": "text", "text": body});
    let image = |content: Value| json!({"type": "image", "image": content});
    let contacts = |contacts: Value| json!({"type": "contacts", "contacts": contacts});
    let reaction = |content: Value| json!({"type": "reaction", "reaction": content});
    vec![
        ("an empty text, or none", text(json!({"body": ""}))),
        ("a text over 4,096 characters", text(json!({"body": "é".repeat(4097)}))),
        ("an unknown type", json!({"type": "hologram", "hologram": {}})),
        ("a type without its object", json!({"type": "location"})),
        ("an unknown member of a message's object", text(json!({"body": "hi", "color": "red"}))),
        ("media with neither `id` nor `link`", image(json!({"caption": "Look"}))),
        ("media with both `id` and `link`", image(json!({"id": "1", "link": link}))),
        ("media whose ID doesn't exist", image(json!({"id": "1037543291543636"}))),
        ("media whose link isn't a URL", image(json!({"link": "a.png"}))),
        ("a caption over 1,024 characters", image(json!({"link": link, "caption": "é".repeat(1025)}))),
        ("a location outside of the globe", json!({"type": "location", "location": {"latitude": 91, "longitude": 0}})),
        ("no contacts", contacts(json!([]))),
        ("a contact without `formatted_name`", contacts(json!([{"name": {"first_name": "Mona"}}]))),
        ("a reaction without `emoji`", reaction(json!({"message_id": "wamid.1"}))),
        ("a reaction with a text", reaction(json!({"message_id": "wamid.1", "emoji": "ok"}))),
        (
            "a reply to a message that isn't in the chat",
            json!({"type": "text", "text": {"body": "hi"}, "context": {"message_id": "wamid.1"}}),
        ),
        ("more than 3 reply buttons", buttons((0..4).map(|n| button(&n.to_string(), &format!("{n}"))).collect())),
        ("no reply buttons", buttons(json!([]))),
        ("a title of a button over 20 characters", buttons(json!([button("1", &"é".repeat(21))]))),
        ("two buttons with the same ID", buttons(json!([button("1", "Yes"), button("1", "No")]))),
        ("a list with more than 10 rows", list(json!([{"title": "Rows", "rows": rows(11)}]))),
        (
            "sections of a list without titles",
            list(json!([{"rows": rows(1)}, {"rows": [{"id": "9", "title": "Row"}]}])),
        ),
        ("a header over 60 characters", with("header", json!({"type": "text", "text": "é".repeat(61)}))),
        ("a footer over 60 characters", with("footer", json!({"text": "é".repeat(61)}))),
        ("an interactive message without a body", with("body", Value::Null)),
        ("a message to a group", json!({"recipient_type": "group", "to": "Y2FwaV9ncm91cDox", "text": {"body": "hi"}})),
        ("a message to the business itself", json!({"to": "+1 555 078 3881", "text": {"body": "hi"}})),
        ("a recipient that isn't a number", json!({"to": "Mona", "text": {"body": "hi"}})),
        (
            "`biz_opaque_callback_data` over 512 characters",
            json!({"text": {"body": "hi"}, "biz_opaque_callback_data": "k".repeat(513)}),
        ),
        ("a template that doesn't exist, or not in this language", template("order", "de", &["7"])),
        ("a template with too few or too many parameters", template("order", "en_US", &[])),
        ("a template's parameter with line breaks, tabs, or 5 spaces", template("order", "en_US", &["a\nb"])),
        ("a template that is paused", template("paused", "en_US", &["7"])),
        ("a template that is disabled", template("disabled", "en_US", &["7"])),
    ]
}

fn template(name: &str, language: &str, texts: &[&str]) -> Value {
    let parameters: Vec<Value> = texts.iter().map(|text| json!({"type": "text", "text": text})).collect();
    let components = json!([{"type": "body", "parameters": parameters}]);
    json!({"type": "template", "template": {"name": name, "language": {"code": language}, "components": components}})
}

/// Returns the code of the error for a message to the customer.
async fn error_code(simulator: &Simulator, message: &Value) -> u64 {
    let mut body = json!({"messaging_product": "whatsapp", "to": CUSTOMER});
    body.as_object_mut().unwrap().extend(message.as_object().unwrap().clone());
    let (status, response) = simulator.graph(&body).await.unwrap();
    assert!(status.is_client_error(), "{body}: {response}");
    response["error"]["code"].as_u64().unwrap()
}

/// Repeats a message until it is refused. Returns the code of the error.
async fn error_after(simulator: &Simulator, message: &Value) -> u64 {
    for _ in 0..100 {
        if let Some(code) = simulator.graph(message).await.unwrap().1["error"]["code"].as_u64() {
            return code;
        }
    }
    panic!("never refused: {message}");
}

/// Returns the code of the status with which an accepted message fails.
async fn failed_code(simulator: &Simulator, receiver: &mut Receiver, message: &Value) -> u64 {
    let (status, response) = simulator.graph(message).await.unwrap();
    assert_eq!(status, 200, "{message}: {response}");
    let failed = receiver.status().await;
    assert_eq!((&failed["id"], &failed["status"]), (&response["messages"][0]["id"], &json!("failed")), "{message}");
    failed["errors"][0]["code"].as_u64().unwrap()
}

#[tokio::test]
async fn the_page_lists_every_refusal_with_the_code_that_a_client_gets() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let mut refusals = BTreeMap::new();

    // Before the customer writes.
    let text = text_to(CUSTOMER);
    let code = failed_code(&simulator, &mut receiver, &text).await;
    refusals
        .insert("anything but a template when the customer hasn't written or called for 24 hours", (code, "status"));

    simulator.open_window(&mut receiver, CUSTOMER).await;
    for name in ["order", "paused", "disabled"] {
        let body = json!({"name": name, "language": "en_US", "category": "UTILITY", "components": [
            {"type": "BODY", "text": format!("Your {name} parcel {{{{1}}}} is ready."), "example": {"body_text": [["1"]]}}]});
        let url = simulator.url(&format!("/{WABA_ID}/message_templates"));
        let created = simulator.client.post(url).bearer_auth(TOKEN).json(&body).send().await.unwrap();
        assert_eq!(created.status(), 200, "{name}");
    }
    for name in ["paused", "disabled"] {
        let change = json!({"name": name, "status": name.to_uppercase()});
        let (status, response) = simulator.post("/simulator/templates", &change).await;
        assert_eq!(status, 200, "{response}");
    }
    for (name, message) in messages() {
        refusals.insert(name, (error_code(&simulator, &message).await, "error"));
    }
    let receipt = json!({"status": "read", "message_id": "wamid.1"});
    let name = "a read receipt for a message that the number didn't receive";
    refusals.insert(name, (error_code(&simulator, &receipt).await, "error"));
    // The webhooks about the templates.
    simulator.all_delivered().await;
    while receiver.bodies.try_recv().is_ok() {}

    let reaction = json!({"messaging_product": "whatsapp", "to": CUSTOMER, "type": "reaction",
        "reaction": {"message_id": "wamid.1", "emoji": "👍"}});
    let code = failed_code(&simulator, &mut receiver, &reaction).await;
    refusals.insert("a reaction to a message that isn't in the chat", (code, "status"));
    let form = json!({"onWhatsApp": false}).to_string();
    let phone = simulator.url("/simulator/phones/201001234567");
    assert_eq!(simulator.client.patch(phone).body(form).send().await.unwrap().status(), 200);
    let code = failed_code(&simulator, &mut receiver, &text).await;
    refusals.insert("a message to a number that isn't on WhatsApp", (code, "status"));

    let patched = json!({"onWhatsApp": true}).to_string();
    let phone = simulator.url("/simulator/phones/201001234567");
    assert_eq!(simulator.client.patch(phone).body(patched).send().await.unwrap().status(), 200);
    let code = error_after(&simulator, &text).await;
    refusals.insert("more than 45 messages at once to one customer, or one per 6 seconds", (code, "error"));
    simulator.post("/simulator/numbers", &json!({"messagesPerSecond": 1})).await;
    let other = text_to("+201007654321");
    let code = error_after(&simulator, &other).await;
    refusals.insert("more messages per second than the number's throughput", (code, "error"));
    simulator.post("/simulator/numbers", &json!({"messagesPerSecond": 1000})).await;

    let users = json!({"messaging_product": "whatsapp", "block_users": [{"user": CUSTOMER}]});
    let edge =
        |name: &str| simulator.client.post(simulator.url(&format!("/{PHONE_NUMBER_ID}/{name}"))).bearer_auth(TOKEN);
    assert_eq!(edge("block_users").json(&users).send().await.unwrap().status(), 200);
    refusals
        .insert("a message to a customer whom the business blocked", (error_code(&simulator, &text).await, "error"));
    assert_eq!(edge("deregister").send().await.unwrap().status(), 200);
    refusals.insert("a number that isn't registered", (error_code(&simulator, &other).await, "error"));
    for (name, path, token) in [
        ("an unknown or missing access token", format!("/{PHONE_NUMBER_ID}/messages"), "unknown"),
        ("an object that the token can't access", "/7/messages".to_owned(), TOKEN),
        ("a version after the latest one", format!("/v99.0/{PHONE_NUMBER_ID}/messages"), TOKEN),
    ] {
        let request = simulator.client.post(simulator.url(&path)).bearer_auth(token).json(&text);
        let response: Value = request.send().await.unwrap().json().await.unwrap();
        refusals.insert(name, (response["error"]["code"].as_u64().unwrap(), "error"));
    }
    assert_eq!(
        listed(),
        refusals.into_iter().map(|(name, (code, how))| (name.to_owned(), (code, how.to_owned()))).collect()
    );
}

/// Returns the code and the kind of answer of each row of the page's table.
fn listed() -> BTreeMap<String, (u64, String)> {
    let section = PAGE.split("\n## What it refuses\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let row = Regex::new(r"(?m)^\| (.+?) \| (\d+) \| (\w+) \|").unwrap();
    let rows = row.captures_iter(section).map(|row| row.extract().1);
    rows.map(|[name, code, how]| (name.to_owned(), (code.parse().unwrap(), how.to_owned()))).collect()
}
