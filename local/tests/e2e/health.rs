//! Health checks: what they say about the faults that stop messages.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::test_app::TestApp;

/// Returns the report of a session, with its checks by name.
async fn health(app: &TestApp, session_id: &str) -> (bool, BTreeMap<String, Value>) {
    report(&app.get(&path(session_id)).await.json)
}

fn path(session_id: &str) -> String {
    format!("/api/health?sessionId={session_id}")
}

fn report(response: &Value) -> (bool, BTreeMap<String, Value>) {
    assert_eq!(response["success"], true, "{response}");
    let checks = response["checks"].as_array().unwrap().iter();
    let checks = checks.map(|check| (check["check"].as_str().unwrap().to_owned(), check.clone()));
    (response["healthy"].as_bool().unwrap(), checks.collect())
}

/// Returns the names of the checks with this result.
fn named<'c>(checks: &'c BTreeMap<String, Value>, ok: &Value) -> Vec<&'c str> {
    checks.iter().filter(|(_, check)| check["ok"] == *ok).map(|(name, _)| name.as_str()).collect()
}

fn bad(checks: &BTreeMap<String, Value>) -> Vec<&str> {
    named(checks, &json!(false))
}

/// Returns the problem and the fix of a check.
fn texts(check: &Value) -> String {
    format!("{} {}", check["problem"].as_str().unwrap_or_default(), check["fix"].as_str().unwrap_or_default())
}

/// Starts a deployment with a session that gets all webhooks: a message was received.
async fn connected() -> (TestApp, String) {
    let (app, session_id) = TestApp::connected().await;
    app.inbound(&json!({"from": "201001234567", "text": "hello"})).await;
    let is_counted = async || !app.items("stats").await.is_empty();
    app.wait_until("the message is counted", is_counted).await;
    (app, session_id)
}

/// Sends a request to the Graph API with the deployment's access token.
async fn graph(app: &TestApp, method: &str, path: &str, body: &Value) {
    let response = app.graph(method, path, body).await;
    assert_eq!(response.status, 200, "{}", response.json);
}

const CHECKS: [&str; 12] = [
    "access_token",
    "app_secret",
    "callback",
    "connection",
    "display_name",
    "last_webhook",
    "number_status",
    "outbox",
    "quality",
    "sending",
    "subscription",
    "throughput",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_in_order() {
    let (app, session_id) = connected().await;
    let (healthy, checks) = health(&app, &session_id).await;
    assert_eq!(named(&checks, &json!(true)), CHECKS, "{checks:#?}");
    assert!(healthy);
    assert!(checks.values().all(|check| check["problem"].is_null() && check["fix"].is_null()), "{checks:#?}");
    let details = |check: &str, name: &str| checks[check]["details"][name].clone();
    assert_eq!(details("subscription", "account_id"), app.ready.waba_id);
    assert_eq!(details("subscription", "fields"), json!(["messages"]));
    assert_eq!(details("callback", "url"), format!("{}/api/webhook", app.ready.api));
    assert_eq!(details("callback", "set_for"), "app");
    assert!(details("last_webhook", "at").is_string());

    // An owner sees the same. No account but that of the number is named, and no secret.
    let (_, key) = app.create_key("ada", &["sessions"]).await;
    let response = app.with_key(&key, "GET", &path(&session_id), &Value::Null).await;
    let (healthy, of_owner) = report(&response.json);
    assert_eq!((healthy, named(&of_owner, &json!(true))), (true, CHECKS.to_vec()));
    let body = String::from_utf8(response.bytes).unwrap();
    for secret in [&app.ready.access_token, &app.ready.app_secret, &app.ready.verify_token] {
        assert!(!body.contains(secret.as_str()) && !app.has_logged(&[secret]), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_token_is_named_until_a_newer_one_is_stored() {
    let (app, session_id) = connected().await;
    assert!(health(&app, &session_id).await.0);
    app.simulator("POST", "/simulator/numbers", &json!({"accessToken": "access-token-2"})).await;
    let (healthy, checks) = health(&app, &session_id).await;
    assert_eq!((healthy, bad(&checks)), (false, vec!["access_token"]), "{checks:#?}");
    let texts_of_token = texts(&checks["access_token"]);
    assert!(texts_of_token.contains("(190)") && texts_of_token.contains("System users"), "{texts_of_token}");
    assert!(texts(&checks["number_status"]).contains("the check access_token"), "{checks:#?}");
    let unknown = named(&checks, &Value::Null);
    assert!(unknown.contains(&"callback") && unknown.contains(&"app_secret"), "{unknown:?}");

    let secret = json!({
        "appSecret": app.ready.app_secret, "verifyToken": app.ready.verify_token, "accessToken": "access-token-2",
    });
    app.put_secret_value(&app.ready.secret_id, &secret).await;
    app.wait_until("the new token is used", async || health(&app, &session_id).await.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_session_is_named() {
    let (app, session_id) = connected().await;
    app.set_session_attribute(&session_id, "paused_reason", "Permission removed (10)").await;
    let (healthy, checks) = health(&app, &session_id).await;
    assert_eq!((healthy, bad(&checks)), (false, vec!["outbox"]), "{checks:#?}");
    let texts = texts(&checks["outbox"]);
    assert!(texts.contains("Permission removed (10)") && texts.contains("POST /api/session/resume"), "{texts}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_subscription_and_registration_are_named() {
    let (app, session_id) = connected().await;
    let (account, number) = (app.ready.waba_id.clone(), app.ready.phone_number_id.clone());
    graph(&app, "DELETE", &format!("{account}/subscribed_apps"), &Value::Null).await;
    // WhatsApp names the account that no webhook has named.
    app.remove_number_account().await;
    let (healthy, checks) = health(&app, &session_id).await;
    assert_eq!((healthy, bad(&checks)), (false, vec!["subscription"]), "{checks:#?}");
    assert!(texts(&checks["subscription"]).contains(&format!("v26.0/{account}/subscribed_apps")), "{checks:#?}");

    graph(&app, "POST", &format!("{account}/subscribed_apps"), &json!({})).await;
    graph(&app, "POST", &format!("{number}/deregister"), &json!({})).await;
    let (_, checks) = health(&app, &session_id).await;
    assert_eq!(bad(&checks), ["number_status", "sending"], "{checks:#?}");
    assert!(texts(&checks["number_status"]).contains(&format!("v26.0/{number}/register")), "{checks:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overridden_callback_is_named_with_its_level() {
    // Without a received message, nothing suggests that another host leads here.
    let (app, session_id) = TestApp::connected().await;
    let (account, number) = (app.ready.waba_id.clone(), app.ready.phone_number_id.clone());
    let elsewhere = format!("{}/api/webhook", app.ready.api.replace("127.0.0.1", "localhost"));
    let callback = json!({"override_callback_uri": elsewhere, "verify_token": app.ready.verify_token});
    graph(&app, "POST", &format!("{account}/subscribed_apps"), &callback).await;
    let (healthy, checks) = health(&app, &session_id).await;
    assert_eq!((healthy, bad(&checks)), (false, vec!["callback"]), "{checks:#?}");
    let check = &checks["callback"];
    assert_eq!((&check["details"]["set_for"], &check["details"]["url"]), (&json!("account"), &json!(elsewhere)));
    assert!(texts(check).contains("without parameters"), "{check}");

    graph(&app, "POST", &number, &json!({"webhook_configuration": callback})).await;
    let (_, checks) = health(&app, &session_id).await;
    assert_eq!(checks["callback"]["details"]["set_for"], "number");
    assert!(texts(&checks["callback"]).contains("an empty override_callback_uri"), "{checks:#?}");
    let here = json!({"override_callback_uri": format!("{}/api/webhook", app.ready.api), "verify_token": app.ready.verify_token});
    graph(&app, "POST", &number, &json!({"webhook_configuration": here})).await;
    let (_, checks) = health(&app, &session_id).await;
    assert_eq!(
        (&checks["callback"]["ok"], &checks["callback"]["details"]["set_for"]),
        (&json!(true), &json!("number"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn app_secret_of_another_app_is_named() {
    let (app, session_id) = connected().await;
    let secret = |app_secret: Value| json!({"appSecret": app_secret, "verifyToken": app.ready.verify_token, "accessToken": app.ready.access_token});
    app.put_secret_value(&app.ready.secret_id, &secret(json!("secret-of-another-app"))).await;
    let (healthy, checks) = health(&app, &session_id).await;
    assert_eq!((healthy, bad(&checks)), (false, vec!["app_secret"]), "{checks:#?}");
    assert!(texts(&checks["app_secret"]).contains("is not that of the access token's app"), "{checks:#?}");
    assert!(!app.has_logged(&["secret-of-another-app"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn number_with_its_own_app_is_checked_with_its_own_credentials() {
    const NUMBER: &str = "111222333444555";
    let app = TestApp::start().await;
    let credentials =
        json!({"displayPhoneNumber": "15550009999", "appSecret": "second-secret", "accessToken": "second-token"});
    let mut number = credentials.clone();
    number["phoneNumberId"] = json!(NUMBER);
    app.simulator("POST", "/simulator/numbers", &number).await;
    let mut registered = credentials;
    registered["ownerId"] = json!("ada");
    assert_eq!(app.put(&format!("/api/numbers/{NUMBER}"), &registered).await.status, 200);
    let created = app.post("/api/session/create", &json!({"userId": "ada", "phoneNumberId": NUMBER})).await.json;
    let session_id = created["session"]["id"].as_str().unwrap();

    // Before pairing, an admin learns whether the code can arrive; an owner only that the session isn't linked.
    let (healthy, checks) = health(&app, session_id).await;
    assert_eq!((healthy, bad(&checks)), (false, vec!["connection"]), "{checks:#?}");
    assert_eq!(checks["app_secret"]["details"]["source"], "number");
    let (_, key) = app.create_key("ada", &["sessions"]).await;
    let response = app.with_key(&key, "GET", &path(session_id), &Value::Null).await;
    assert_eq!(report(&response.json).1.keys().collect::<Vec<_>>(), ["connection"]);

    app.scan(created["session"]["qr"].as_str().unwrap(), "201009999999").await;
    let (healthy, checks) = health(&app, session_id).await;
    assert!(healthy && bad(&checks).is_empty(), "{checks:#?}");
    assert_eq!(checks["access_token"]["details"]["source"], "number");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_whatsapp_makes_checks_unknown() {
    // Accepts connections, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let app = TestApp::start_with(&[("GraphApiBaseUrl", &url)]).await;
    let session_id = app.connect("ada").await;
    let response = app.get(&path(&session_id)).await;
    assert_eq!(response.status, 200, "{}", response.json);
    let (healthy, checks) = report(&response.json);
    assert!(!healthy && bad(&checks).is_empty(), "{checks:#?}");
    let known = named(&checks, &json!(true));
    assert_eq!(known, ["connection", "outbox"], "{checks:#?}");
    assert!(texts(&checks["number_status"]).contains("WhatsApp didn't respond"), "{checks:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_session_has_only_checks_of_the_table() {
    let app = TestApp::start().await;
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    app.set_worker_state(&session_id, true).await;
    let (healthy, checks) = health(&app, &session_id).await;
    assert_eq!((healthy, checks.keys().map(String::as_str).collect()), (true, vec!["connection", "outbox"]));
    app.set_worker_state(&session_id, false).await;
    let (healthy, checks) = health(&app, &session_id).await;
    assert_eq!((healthy, bad(&checks)), (false, vec!["connection"]), "{checks:#?}");
}
