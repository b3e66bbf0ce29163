//! Meta apps: their tokens, and where their webhooks go.

use std::collections::HashMap;

use axum::{extract::Query, routing::get};
use reqwest::Method;

use super::*;

const WABA_ID: &str = "102290129340398";
const BOT_APP_ID: &str = "634974688087057";

/// A bot's webhook. Responds to the verification with `verify`, and yields the bodies that are signed with the secret.
struct Bot {
    url: String,
    bodies: UnboundedReceiver<Value>,
}

impl Bot {
    async fn start(secret: &'static str) -> Bot {
        let (sender, bodies) = unbounded_channel();
        let verify = |Query(query): Query<HashMap<String, String>>| async move {
            assert_eq!(query["hub.mode"], "subscribe");
            match query["hub.verify_token"].as_str() {
                "bot verify" => (StatusCode::OK, query["hub.challenge"].clone()),
                "wrong challenge" => (StatusCode::OK, "<html>".to_owned()),
                _ => (StatusCode::FORBIDDEN, String::new()),
            }
        };
        let receive = move |headers: HeaderMap, body: Bytes| async move {
            assert_eq!(headers["x-hub-signature-256"], sign(secret, &body));
            sender.send(serde_json::from_slice(&body).unwrap()).unwrap();
        };
        let router = Router::new().route("/webhook", get(verify).post(receive));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Bot { url, bodies }
    }

    /// Returns the text of the next message.
    async fn text(&mut self) -> Value {
        let body = tokio::time::timeout(TIMEOUT, self.bodies.recv()).await.unwrap().unwrap();
        body["entry"][0]["changes"][0]["value"]["messages"][0]["text"]["body"].clone()
    }
}

impl Simulator {
    async fn as_app(&self, token: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
        let url = self.url(&format!("/v26.0/{path}"));
        let response = self.client.request(method, url).bearer_auth(token).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn as_bot(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        self.as_app(BOT_TOKEN, method, path, body).await
    }

    /// A customer writes a text.
    async fn receive_text(&self, text: &str) {
        let message = json!({"from": "+201001234567", "text": text});
        assert_eq!(self.post("/simulator/messages", &message).await.0, 200);
    }
}

fn done() -> (u16, Value) {
    (200, json!({"success": true}))
}

#[tokio::test]
async fn a_bot_gets_webhooks_beside_qasid() {
    let mut receiver = Receiver::start().await;
    let (mut bot, mut other) = (Bot::start(BOT_SECRET).await, Bot::start(BOT_SECRET).await);
    let simulator = Simulator::start(&receiver.url);
    let apps = format!("{WABA_ID}/subscribed_apps");
    let to_bot = json!({"override_callback_uri": bot.url, "verify_token": "bot verify"});

    // Meta overrides only the callback of a subscribed app.
    assert_eq!(simulator.as_bot(Method::DELETE, &apps, json!({})).await, done());
    let (status, response) = simulator.as_bot(Method::POST, &apps, to_bot.clone()).await;
    assert_eq!((status, response["error"]["code"].as_u64()), (400, Some(100)));
    assert!(response["error"]["message"].as_str().unwrap().contains("must be subscribed"), "{response}");
    assert_eq!(simulator.as_bot(Method::POST, &apps, json!({})).await, done());
    assert_eq!(simulator.as_bot(Method::POST, &apps, to_bot).await, done());
    let (_, subscribed) = simulator.as_bot(Method::GET, &apps, json!({})).await;
    assert_eq!(subscribed["data"].as_array().map(Vec::len), Some(2), "{subscribed}");
    let shown = &subscribed["data"][1];
    assert_eq!(shown["whatsapp_business_api_data"]["id"], BOT_APP_ID);
    assert_eq!(shown["override_callback_uri"], bot.url);
    simulator.receive_text("one").await;
    assert_eq!(bot.text().await, "one");
    assert_eq!(receiver.value().await["messages"][0]["text"]["body"], "one");

    // The override of the number comes first.
    let configuration = json!({"override_callback_uri": other.url, "verify_token": "bot verify"});
    let change = json!({"webhook_configuration": configuration});
    assert_eq!(simulator.as_bot(Method::POST, &format!("{PHONE_NUMBER_ID}/"), change).await, done());
    let shown =
        simulator.as_bot(Method::GET, &format!("{PHONE_NUMBER_ID}?fields=webhook_configuration"), json!({})).await;
    let expected = json!({"phone_number": other.url, "whatsapp_business_account": bot.url});
    assert_eq!(shown.1["webhook_configuration"], expected);
    simulator.receive_text("two").await;
    assert_eq!(other.text().await, "two");

    let remove = json!({"webhook_configuration": {"override_callback_uri": ""}});
    assert_eq!(simulator.as_bot(Method::POST, PHONE_NUMBER_ID, remove).await, done());
    simulator.receive_text("three").await;
    assert_eq!(bot.text().await, "three");

    // Without an override, the bot's app has no callback.
    assert_eq!(simulator.as_bot(Method::POST, &apps, json!({})).await, done());
    simulator.receive_text("four").await;
    assert_eq!(simulator.as_bot(Method::DELETE, &apps, json!({})).await, done());
    let (_, subscribed) = simulator.as_bot(Method::GET, &apps, json!({})).await;
    assert_eq!(subscribed["data"].as_array().map(Vec::len), Some(1));
    assert!(bot.bodies.try_recv().is_err() && other.bodies.try_recv().is_err());
    for text in ["two", "three", "four"] {
        assert_eq!(receiver.value().await["messages"][0]["text"]["body"], text);
    }
}

#[tokio::test]
async fn an_override_with_the_token_of_qasid_replaces_its_webhook() {
    let mut receiver = Receiver::start().await;
    let mut bot = Bot::start(SECRET).await;
    let simulator = Simulator::start(&receiver.url);
    let apps = format!("{WABA_ID}/subscribed_apps");
    let body = json!({"override_callback_uri": bot.url, "verify_token": "bot verify"});
    assert_eq!(simulator.as_app(TOKEN, Method::POST, &apps, body).await, done());
    simulator.receive_text("one").await;
    assert_eq!(bot.text().await, "one");

    // Overrides are for messages: webhooks about the account go to the callback of the app.
    let pause = json!({"name": "hello_world", "status": "PAUSED"});
    assert_eq!(simulator.post("/simulator/templates", &pause).await.0, 200);
    assert_eq!(receiver.value().await["event"], "PAUSED");
    assert_eq!(simulator.all_delivered().await["queued"], 2);
    assert!(bot.bodies.try_recv().is_err());
}

#[tokio::test]
async fn a_callback_must_be_verified() {
    let bot = Bot::start(BOT_SECRET).await;
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let apps = format!("{WABA_ID}/subscribed_apps");
    let long = format!("http://127.0.0.1/{}", "x".repeat(184));
    let cases = [
        (json!({"override_callback_uri": bot.url, "verify_token": "other"}), 2200, "HTTP Status Code = 403"),
        (json!({"override_callback_uri": bot.url, "verify_token": "wrong challenge"}), 2201, "does not match"),
        (json!({"override_callback_uri": "http://127.0.0.1:9/", "verify_token": "x"}), 2200, "HTTP Status Code = 0"),
        (json!({"override_callback_uri": bot.url}), 100, "verify_token is required"),
        (json!({"override_callback_uri": "webhook", "verify_token": "x"}), 100, "valid URL"),
        (json!({"override_callback_uri": "https://127.0.0.1:9/", "verify_token": "x"}), 100, "must be an http URL"),
        (json!({"override_callback_uri": long, "verify_token": "x"}), 100, "at most 200 characters"),
    ];
    for (body, code, message) in cases {
        for (path, body) in [(apps.as_str(), body.clone()), (PHONE_NUMBER_ID, json!({"webhook_configuration": body}))] {
            let (status, response) = simulator.as_app(TOKEN, Method::POST, path, body).await;
            assert_eq!((status, response["error"]["code"].as_u64()), (400, Some(code)), "{response}");
            let named = message.trim_start_matches("verify_token ");
            assert!(response["error"]["message"].as_str().unwrap().contains(named), "{response}");
        }
    }
    let (_, subscribed) = simulator.as_app(TOKEN, Method::GET, &apps, json!({})).await;
    assert_eq!(subscribed["data"][0].get("override_callback_uri"), None);
}

#[tokio::test]
async fn an_app_sets_its_callback_with_an_app_access_token() {
    let mut bot = Bot::start(BOT_SECRET).await;
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let credentials = format!("client_id={BOT_APP_ID}&client_secret={BOT_SECRET}");
    let get = async |path: String| -> (u16, Value) {
        let response = simulator.client.get(simulator.url(&path)).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    };
    let (status, token) = get(format!("/oauth/access_token?grant_type=client_credentials&{credentials}")).await;
    assert_eq!((status, &token["token_type"]), (200, &json!("bearer")));
    let app_token = token["access_token"].as_str().unwrap().to_owned();
    for (query, code) in [
        (format!("client_id={BOT_APP_ID}&client_secret=x&grant_type=client_credentials"), 1),
        ("client_id=7&client_secret=x&grant_type=client_credentials".to_owned(), 101),
        (format!("{credentials}&code=x"), 100),
        ("client_id=7".to_owned(), 101),
    ] {
        let (status, response) = get(format!("/v26.0/oauth/access_token?{query}")).await;
        assert_eq!((status, response["error"]["code"].as_u64()), (400, Some(code)), "{response}");
    }

    // The token in the query is used instead of that in the header, as PyWa expects.
    let subscriptions = format!("{BOT_APP_ID}/subscriptions");
    let with_token = format!("{subscriptions}?access_token={app_token}");
    let body = json!({"object": "whatsapp_business_account", "callback_url": bot.url, "verify_token": "bot verify",
        "fields": "messages"});
    let (status, response) = simulator.as_bot(Method::POST, &subscriptions, body.clone()).await;
    assert_eq!((status, response["error"]["code"].as_u64()), (400, Some(15)));
    assert_eq!(simulator.as_bot(Method::POST, &with_token, body.clone()).await, done());
    let wrong = json!({"object": "page", "callback_url": bot.url, "verify_token": "bot verify"});
    assert_eq!(simulator.as_bot(Method::POST, &with_token, wrong).await.1["error"]["code"], 100);
    let (_, shown) = simulator.as_bot(Method::GET, &with_token, json!({})).await;
    assert_eq!(shown["data"][0]["callback_url"], bot.url);

    // The app gets webhooks while it is subscribed to the account.
    let subscribed_apps = format!("{WABA_ID}/subscribed_apps");
    assert_eq!(simulator.as_bot(Method::DELETE, &subscribed_apps, json!({})).await, done());
    simulator.receive_text("one").await;
    assert_eq!(simulator.as_bot(Method::POST, &subscribed_apps, json!({})).await, done());
    simulator.receive_text("two").await;
    assert_eq!(bot.text().await, "two");
    let (_, app) = simulator.as_bot(Method::GET, BOT_APP_ID, json!({})).await;
    assert_eq!((&app["id"], &app["name"]), (&json!(BOT_APP_ID), &json!("Bot")));

    // It can't act for the business.
    let messages = format!("{PHONE_NUMBER_ID}/messages?access_token={app_token}");
    let (status, response) = simulator.as_bot(Method::POST, &messages, text_to("+201001234567")).await;
    assert_eq!((status, response["error"]["code"].as_u64()), (403, Some(10)));
    assert_eq!(simulator.as_bot(Method::DELETE, &with_token, json!({})).await, done());
    let (_, shown) = simulator.as_bot(Method::GET, &with_token, json!({})).await;
    assert_eq!(shown, json!({"data": []}));
}

#[tokio::test]
async fn a_token_is_explained() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let debug = async |token: &str| {
        let path = format!("debug_token?input_token={token}");
        simulator.as_app(TOKEN, Method::GET, &path, json!({})).await.1["data"].clone()
    };
    let data = debug(BOT_TOKEN).await;
    assert_eq!((&data["app_id"], &data["is_valid"]), (&json!(BOT_APP_ID), &json!(true)));
    assert_eq!(data["granular_scopes"][0]["target_ids"], json!([WABA_ID]));
    assert_eq!(debug(&format!("{BOT_APP_ID}|{BOT_SECRET}")).await["type"], "APP");
    let data = debug("unknown").await;
    assert_eq!((&data["is_valid"], &data["error"]["code"]), (&json!(false), &json!(190)));
    let (_, response) = simulator.as_app("unknown", Method::GET, "debug_token?input_token=x", json!({})).await;
    assert_eq!(response["error"]["code"], 190);
}

#[tokio::test]
async fn proof_of_the_app_secret_is_verified() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let with = async |proof: &str| {
        let path = format!("{PHONE_NUMBER_ID}?fields=id&appsecret_proof={proof}");
        simulator.as_app(BOT_TOKEN, Method::GET, &path, json!({})).await
    };
    let proof = crate::whatsapp::webhook::sign(BOT_SECRET, BOT_TOKEN.as_bytes());
    let (status, _) = with(proof.strip_prefix("sha256=").unwrap()).await;
    assert_eq!(status, 200);
    let (status, response) = with("00").await;
    assert_eq!((status, &response["error"]["type"]), (400.try_into().unwrap(), &json!("GraphMethodException")));
    assert!(response["error"]["message"].as_str().unwrap().contains("appsecret_proof"), "{response}");
}

#[tokio::test]
async fn numbers_can_share_an_app() {
    let simulator = Simulator::start("http://127.0.0.1:9/");
    for id in ["7", "8"] {
        let number = json!({"phoneNumberId": id, "appSecret": "other-secret", "accessToken": "other-token"});
        simulator.post("/simulator/numbers", &number).await;
    }
    for id in ["7", "8"] {
        let (status, response) = simulator.as_app("other-token", Method::GET, id, json!({})).await;
        assert_eq!(status, 200, "{response}");
    }
    assert_eq!(simulator.as_app("other-token", Method::GET, PHONE_NUMBER_ID, json!({})).await.0, 400);
}

#[tokio::test]
async fn a_number_with_its_own_secret_keeps_the_token() {
    let mut bot = Bot::start("other-secret").await;
    let folder = tempfile::tempdir().unwrap();
    let journal = Some(folder.path().join("whatsapp.jsonl"));
    let simulator = Simulator::start_with(&bot.url, journal.clone());
    simulator.post("/simulator/numbers", &json!({"phoneNumberId": "7", "appSecret": "other-secret"})).await;
    for id in [PHONE_NUMBER_ID, "7"] {
        let (status, response) = simulator.as_app(TOKEN, Method::GET, id, json!({})).await;
        assert_eq!(status, 200, "{response}");
    }
    let (_, numbers) = simulator.as_app(TOKEN, Method::GET, &format!("{WABA_ID}/phone_numbers"), json!({})).await;
    assert_eq!(numbers["data"].as_array().map(Vec::len), Some(2));
    let message = json!({"phoneNumberId": "7", "from": "+201001234567", "text": "one"});
    assert_eq!(simulator.post("/simulator/messages", &message).await.0, 200);
    assert_eq!(bot.text().await, "one");
    // Webhooks about the account go to the apps of its owner only.
    simulator.faults(json!({"webhooks": {"hold": true}})).await;
    simulator.post("/simulator/templates", &json!({"name": "hello_world", "status": "PAUSED"})).await;
    assert_eq!(simulator.get("/simulator/webhooks").await["queued"], 2);
    simulator.stop().await;

    // Added numbers and their apps last for the run. Credentials aren't stored.
    let stored = std::fs::read_to_string(folder.path().join("whatsapp.jsonl")).unwrap();
    for credential in [SECRET, TOKEN, BOT_SECRET, BOT_TOKEN, "other-secret"] {
        assert!(!stored.contains(&format!("\"{credential}\"")), "{credential}");
    }
    let simulator = Simulator::start_with("http://127.0.0.1:9/", journal);
    let (_, app) = simulator.as_app(TOKEN, Method::GET, &format!("debug_token?input_token={TOKEN}"), json!({})).await;
    assert_eq!(app["data"]["app_id"], DEFAULT_APP_ID);
    assert_eq!(simulator.as_app(TOKEN, Method::GET, PHONE_NUMBER_ID, json!({})).await.0, 200);
    let (_, subscribed) = simulator.as_app(TOKEN, Method::GET, &format!("{WABA_ID}/subscribed_apps"), json!({})).await;
    assert_eq!(subscribed["data"].as_array().map(Vec::len), Some(2), "{subscribed}");
}

/// Starts a webhook that passes the verification and handles webhooks with `receive`. Returns its URL.
async fn start_webhook(receive: axum::routing::MethodRouter) -> String {
    let verify = |Query(query): Query<HashMap<String, String>>| async move { query["hub.challenge"].clone() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhook", listener.local_addr().unwrap());
    let router = Router::new().route("/webhook", receive.get(verify));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test]
async fn a_bot_that_hangs_does_not_delay_other_apps() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    simulator.open_window(&mut receiver, "+201001234567").await;
    let url = start_webhook(post(std::future::pending::<()>)).await;
    let to_bot = json!({"override_callback_uri": url, "verify_token": "x"});
    assert_eq!(simulator.as_bot(Method::POST, &format!("{WABA_ID}/subscribed_apps"), to_bot).await, done());
    // More messages than deliveries to one app at a time.
    for _ in 0..30 {
        simulator.send_text("+201001234567").await;
    }
    for _ in 0..90 {
        receiver.status().await;
    }
    let counts = simulator.get("/simulator/webhooks").await;
    assert_eq!(counts["failedAttempts"], 0, "no attempt has timed out: {counts}");
}

#[tokio::test]
async fn the_webhooks_of_an_unsubscribed_app_are_abandoned() {
    let mut receiver = Receiver::start().await;
    let simulator = Simulator::start(&receiver.url);
    let url = start_webhook(post(|| async { StatusCode::INTERNAL_SERVER_ERROR })).await;
    let apps = format!("{WABA_ID}/subscribed_apps");
    let to_bot = json!({"override_callback_uri": url, "verify_token": "x"});
    assert_eq!(simulator.as_bot(Method::POST, &apps, to_bot).await, done());
    simulator.receive_text("one").await;
    receiver.text().await;
    assert_eq!(simulator.as_bot(Method::DELETE, &apps, json!({})).await, done());
    let counts = simulator.all_delivered().await;
    assert_eq!((&counts["delivered"], &counts["givenUp"]), (&json!(1), &json!(1)), "{counts}");
}

#[tokio::test]
async fn an_endless_response_to_the_verification_is_refused() {
    let endless = || async {
        let chunks = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b'1'; 1024])));
        axum::body::Body::from_stream(chunks)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/webhook", get(endless))).await });
    let simulator = Simulator::start("http://127.0.0.1:9/");
    let to_bot = json!({"override_callback_uri": url, "verify_token": "x"});
    let (_, response) = simulator.as_bot(Method::POST, &format!("{WABA_ID}/subscribed_apps"), to_bot).await;
    assert_eq!(response["error"]["code"], 2201, "{response}");
}
