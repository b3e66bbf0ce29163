//! The API of outgoing webhooks: settings, secrets, limits, and whose they are.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    receiver::{Receiver, Reply},
    test_app::{Response, TestApp, now},
};

const URL: &str = "https://example.com/hooks";

/// Starts a deployment whose routes accept more than 20 requests at once.
async fn without_throttling() -> TestApp {
    let limits = "ThrottlingRateLimit: 5, ThrottlingBurstLimit: 20";
    let raised = "ThrottlingRateLimit: 500, ThrottlingBurstLimit: 500";
    TestApp::start_with_template(|template| template.replace(limits, raised), &[]).await
}

async fn create(app: &TestApp, session_id: &str) -> Value {
    app.create_webhook(&json!({"sessionId": session_id, "url": URL})).await["webhook"].clone()
}

fn path(webhook: &Value) -> String {
    format!("/api/webhooks/{}", webhook["id"].as_str().unwrap())
}

async fn list(app: &TestApp, session_id: &str) -> Vec<Value> {
    let response = app.get(&format!("/api/webhooks?sessionId={session_id}")).await;
    assert_eq!(response.status, 200, "{}", response.json);
    response.json["webhooks"].as_array().unwrap().clone()
}

fn assert_error(response: &Response, status: u16, code: &str, sentence: &str) {
    let error = response.json["error"].as_str().unwrap_or_default();
    assert_eq!((response.status, &response.json["code"]), (status, &json!(code)), "{}", response.json);
    assert!(error.contains(sentence), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_is_created_listed_changed_and_deleted() {
    let app = TestApp::start().await;
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    let created = app
        .create_webhook(&json!({
            "sessionId": session_id, "url": "https://Example.com:443/hooks", "events": ["message.*", "chat.created"],
            "format": "cloud_api", "order": "chat", "headers": {"X-Team": "7"}, "description": "CRM", "enabled": false,
        }))
        .await;
    let webhook = &created["webhook"];
    let secret = created["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"), "{created}");
    for (field, expected) in [
        ("session_id", json!(session_id)),
        ("url", json!("https://example.com/hooks")),
        ("events", json!(["message.*", "chat.created"])),
        ("format", json!("cloud_api")),
        ("order", json!("chat")),
        ("headers", json!({"x-team": "7"})),
        ("description", json!("CRM")),
        ("enabled", json!(false)),
        ("disabled_reason", json!(null)),
        ("last_success_at", json!(null)),
        ("failing_since", json!(null)),
        ("failures", json!(0)),
        ("behind", json!(0)),
        ("previous_secret_until", json!(null)),
    ] {
        assert_eq!(webhook[field], expected, "{field}");
    }
    let found = app.get(&path(webhook)).await;
    assert_eq!(found.json, json!({"success": true, "webhook": webhook}));

    // Later ones are listed after it, with the defaults.
    let second = create(&app, &session_id).await;
    assert_eq!(
        (&second["events"], &second["format"], &second["order"]),
        (&json!(["*"]), &json!("qasid"), &json!("none"))
    );
    assert_eq!((&second["headers"], &second["enabled"]), (&json!({}), &json!(true)));
    assert_eq!(list(&app, &session_id).await, [webhook.clone(), second.clone()]);

    let change = json!({
        "url": "https://example.org/", "events": ["*"], "format": "qasid", "order": "none", "headers": {"x-a": "1"},
        "description": null, "enabled": true,
    });
    let changed = app.patch(&path(webhook), &change).await.json["webhook"].clone();
    for (field, expected) in [
        ("url", json!("https://example.org/")),
        ("events", json!(["*"])),
        ("format", json!("qasid")),
        ("order", json!("none")),
        ("headers", json!({"x-a": "1"})),
        ("description", json!(null)),
        ("enabled", json!(true)),
        ("created_at", webhook["created_at"].clone()),
    ] {
        assert_eq!(changed[field], expected, "{field}");
    }
    assert_eq!(app.get(&path(webhook)).await.json["webhook"], changed);
    assert_eq!(app.get(&format!("{}/secret", path(webhook))).await.json["secret"], secret, "the secret stays");

    assert_eq!(app.delete(&path(webhook)).await.json, json!({"success": true}));
    assert_error(&app.delete(&path(webhook)).await, 404, "webhook_not_found", "Webhook not found");
    for suffix in ["", "/secret"] {
        let missing = app.get(&format!("{}{suffix}", path(webhook))).await;
        assert_error(&missing, 404, "webhook_not_found", "Webhook not found");
    }
    assert_error(&app.patch(&path(webhook), &change).await, 404, "webhook_not_found", "Webhook not found");
    assert_eq!(list(&app, &session_id).await, [second]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_changes_of_different_settings_are_all_kept() {
    let app = TestApp::start().await;
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    let webhook = create(&app, &session_id).await;
    let changes = [
        json!({"url": "https://example.org/"}),
        json!({"events": ["chat.*"]}),
        json!({"format": "cloud_api"}),
        json!({"order": "chat"}),
        json!({"headers": {"x-a": "1"}}),
        json!({"description": "CRM"}),
        json!({"enabled": false}),
    ];
    let path = path(&webhook);
    let responses = join_all(changes.iter().map(|change| app.patch(&path, change))).await;
    assert!(responses.iter().all(|response| response.status == 200));
    let changed = app.get(&path).await.json["webhook"].clone();
    for change in &changes {
        for (field, expected) in change.as_object().unwrap() {
            assert_eq!(&changed[field], expected, "{field}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_requests_are_refused() {
    let app = without_throttling().await;
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    let webhook = create(&app, &session_id).await;
    let headers: Value = (0..21).map(|n| (format!("x-{n}"), json!("1"))).collect::<serde_json::Map<_, _>>().into();
    let wrong = [
        (json!({"url": 7}), "url must be a string"),
        (json!({"url": "http://example.com/"}), "url must be a public https address"),
        (json!({"url": "https://user:password@example.com/"}), "url must not contain a user name or password"),
        (json!({"url": "https://example.com/#a"}), "url must not have a fragment"),
        (json!({"url": "https://169.254.169.254/latest"}), "url must lead to a public address"),
        (json!({"url": "https://localhost/"}), "url must lead to a public address"),
        (json!({"url": format!("https://example.com/{}", "a".repeat(2048))}), "url must have at most 2048 bytes"),
        (json!({"events": []}), "events must be an array of 1 to 30 event types"),
        (
            json!({"events": ["message.recieved"]}),
            "events[0] is not an event type: message.recieved, did you mean message.received?",
        ),
        (json!({"events": ["*", "*"]}), "events[1] repeats events[0]"),
        (json!({"events": ["webhook.test"]}), "events[0] can't be webhook.test"),
        (json!({"format": "xml"}), "format must be qasid or cloud_api"),
        (json!({"order": "all"}), "order must be none or chat"),
        (json!({"headers": headers}), "headers must be an object with up to 20 headers"),
        (json!({"headers": {"Host": "example.org"}}), "headers.Host can't be set"),
        (json!({"headers": {"x-a": "a\nb"}}), "headers.x-a must be a string of visible ASCII characters"),
        (json!({"description": "a".repeat(501)}), "description may have up to 500 characters"),
        (json!({"enabled": 1}), "enabled must be true or false"),
    ];
    for (fields, sentence) in &wrong {
        let mut request = json!({"sessionId": session_id, "url": URL});
        for (name, value) in fields.as_object().unwrap() {
            request[name] = value.clone();
        }
        assert_error(&app.post("/api/webhooks", &request).await, 400, "invalid_field", sentence);
        assert_error(&app.patch(&path(&webhook), fields).await, 400, "invalid_field", sentence);
    }
    let missing_url = app.post("/api/webhooks", &json!({"sessionId": session_id})).await;
    assert_error(&missing_url, 400, "missing_field", "url is required");
    assert_error(&app.patch(&path(&webhook), &json!({})).await, 400, "missing_field", "Give url, events, format");
    for (request, sentence) in [
        (json!({"session_id": session_id, "url": URL}), "did you mean sessionId?"),
        (json!({"sessionId": session_id, "url": URL, "event": ["*"]}), "did you mean events?"),
    ] {
        assert_error(&app.post("/api/webhooks", &request).await, 400, "unknown_field", sentence);
    }
    let moved = app.patch(&path(&webhook), &json!({"sessionId": session_id})).await;
    assert_error(&moved, 400, "unknown_field", "sessionId is not a field of this request");
    let unknown = "00000000-0000-4000-8000-000000000000";
    let without_session = app.post("/api/webhooks", &json!({"sessionId": unknown, "url": URL})).await;
    assert_error(&without_session, 404, "session_not_found", "Session not found");
    let no_list = app.get(&format!("/api/webhooks?sessionId={unknown}")).await;
    assert_error(&no_list, 404, "session_not_found", "Session not found");
    let malformed = app.get("/api/webhooks/x").await;
    assert_error(&malformed, 404, "webhook_not_found", "Webhook not found");
    let grace = app.post(&format!("{}/secret", path(&webhook)), &json!({"graceSeconds": 604_801})).await;
    assert_error(&grace, 400, "invalid_field", "graceSeconds must be a whole number from 0 to 604800");
    assert_eq!(list(&app, &session_id).await, [webhook], "nothing has changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_has_up_to_ten_webhooks() {
    let (app, receiver) = (without_throttling().await, Receiver::start().await);
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    for request in [json!({"sessionId": session_id, "url": URL}), json!({"url": URL})] {
        let responses = join_all((0..20).map(|_| app.post("/api/webhooks", &request))).await;
        let (created, refused): (Vec<_>, Vec<_>) = responses.into_iter().partition(|response| response.status == 200);
        assert_eq!(created.len(), 10, "{request}");
        for response in &refused {
            assert_error(response, 409, "too_many_webhooks", "delete one first");
        }
        let ids: BTreeSet<&str> =
            created.iter().map(|response| response.json["webhook"]["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), 10);
        // A deletion makes room for one.
        let first = path(&created[0].json["webhook"]);
        let deletions = join_all((0..3).map(|_| app.delete(&first))).await;
        assert_eq!(deletions.iter().filter(|response| response.status == 200).count(), 1);
        assert_eq!(app.post("/api/webhooks", &request).await.status, 200);
        assert_error(&app.post("/api/webhooks", &request).await, 409, "too_many_webhooks", "delete one first");
        let mut verified = request;
        verified["url"] = json!(receiver.url("/"));
        verified["format"] = json!("cloud_api");
        verified["verifyToken"] = json!("x");
        assert_error(&app.post("/api/webhooks", &verified).await, 409, "too_many_webhooks", "delete one first");
        verified["sessionId"] = json!("00000000-0000-4000-8000-000000000000");
        assert_error(&app.post("/api/webhooks", &verified).await, 404, "session_not_found", "Session not found");
    }
    assert!(receiver.deliveries().is_empty(), "receivers of webhooks that can't be created aren't asked");
    assert_eq!(list(&app, &session_id).await.len(), 10);
    let for_all = app.get("/api/webhooks").await.json["webhooks"].clone();
    assert_eq!(for_all.as_array().unwrap().len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secret_is_rotated() {
    let app = TestApp::start().await;
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    let created = app.create_webhook(&json!({"sessionId": session_id, "url": URL})).await;
    let secret_path = format!("{}/secret", path(&created["webhook"]));
    let first = app.get(&secret_path).await.json;
    assert_eq!(first["secret"], created["secret"]);
    assert_eq!(first["previous_secret_until"], Value::Null);
    let other = app.create_webhook(&json!({"sessionId": session_id, "url": URL})).await;
    assert_ne!(other["secret"], created["secret"], "each webhook has its own secret");

    let seconds = |response: &Value| {
        let until: jiff::Timestamp = response["previous_secret_until"].as_str().unwrap().parse().unwrap();
        until.as_second() - now()
    };
    let second = app.post(&secret_path, &Value::Null).await.json;
    assert_ne!(second["secret"], first["secret"]);
    assert!((86_000..=86_400).contains(&seconds(&second)), "{second}");
    assert_eq!(app.get(&secret_path).await.json, second);
    let found = app.get(&path(&created["webhook"])).await.json["webhook"].clone();
    assert_eq!(found["previous_secret_until"], second["previous_secret_until"]);
    assert_eq!(found.get("secret"), None);

    let third = app.post(&secret_path, &json!({"graceSeconds": 604_800})).await.json;
    assert!(![&first["secret"], &second["secret"]].contains(&&third["secret"]));
    assert!((604_000..=604_800).contains(&seconds(&third)), "{third}");
    let stored = app.items("webhook").await;
    let stored = stored.iter().find(|item| item["id"] == created["webhook"]["id"]).unwrap();
    assert_eq!(stored["secret_version"], 3);
    let secrets = [&first, &second, &third].map(|response| response["secret"].as_str().unwrap());
    assert!(secrets.iter().all(|secret| !stored.to_string().contains(&secret[6..])), "secrets are not stored");

    // Concurrent rotations have different secrets, and the last one is in effect.
    let rotated = join_all((0..3).map(|_| app.post(&secret_path, &Value::Null))).await;
    let secrets: BTreeSet<&str> = rotated.iter().map(|response| response.json["secret"].as_str().unwrap()).collect();
    assert_eq!(secrets.len(), 3);
    assert!(secrets.contains(app.get(&secret_path).await.json["secret"].as_str().unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_admins_have_webhooks_for_all_sessions() {
    let app = TestApp::start().await;
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    let (_, key) = app.create_key("ada", &["webhooks", "messages:read"]).await;
    let sentence = "sessionId is required: only an admin's webhook covers all sessions";
    let refused = app.with_key(&key, "POST", "/api/webhooks", &json!({"url": URL})).await;
    assert_error(&refused, 400, "missing_field", sentence);
    assert_error(&app.with_key(&key, "GET", "/api/webhooks", &Value::Null).await, 400, "missing_field", sentence);

    let own = app.with_key(&key, "POST", "/api/webhooks", &json!({"sessionId": session_id, "url": URL})).await;
    assert_eq!(own.status, 200, "{}", own.json);
    let for_all = app.create_webhook(&json!({"url": URL})).await["webhook"].clone();
    assert_eq!(
        (&for_all["session_id"], &for_all["failures"], &for_all["behind"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    let of_tenant = app.with_key(&key, "GET", &format!("/api/webhooks?sessionId={session_id}"), &Value::Null).await;
    assert_eq!(of_tenant.json["webhooks"], json!([own.json["webhook"]]));
    assert_eq!(app.get("/api/webhooks").await.json["webhooks"], json!([for_all]));
    for (method, body) in [("GET", Value::Null), ("PATCH", json!({"enabled": false})), ("DELETE", Value::Null)] {
        let refused = app.with_key(&key, method, &path(&for_all), &body).await;
        assert_error(&refused, 404, "webhook_not_found", "Webhook not found");
    }
    assert_eq!(app.patch(&path(&for_all), &json!({"enabled": false})).await.json["webhook"]["enabled"], false);
    assert_eq!(app.delete(&path(&for_all)).await.status, 200);
    assert_eq!(app.get("/api/webhooks").await.json["webhooks"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receiver_is_verified_before_its_webhook_is_created() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let request = json!({
        "url": receiver.url("/hooks?key=1"), "format": "cloud_api", "verifyToken": "a b&c=\u{fc}", "enabled": false,
    });
    receiver.next(1, Reply::challenge());
    let created = app.create_webhook(&request).await["webhook"].clone();
    let [verification] = <[_; 1]>::try_from(receiver.deliveries()).unwrap();
    assert_eq!(verification.method, "GET");
    assert!(verification.path.starts_with("/hooks?key=1&"), "{}", verification.path);
    assert_eq!(verification.query("hub.mode"), "subscribe");
    assert!(!app.items("webhook").await.iter().any(|item| item.to_string().contains("a b&c")), "it is not stored");

    receiver.next(1, Reply::status(403));
    receiver.next(1, Reply::status(200).body("7"));
    receiver.next(1, Reply::redirect("https://example.com/"));
    for sentence in ["with status 403 instead of 200", "with the challenge", "with status 302 instead of 200"] {
        let refused = app.post("/api/webhooks", &request).await;
        assert_error(&refused, 400, "webhook_verification_failed", sentence);
    }
    let unreachable = json!({"url": "http://127.0.0.1:1/", "format": "cloud_api", "verifyToken": "x"});
    let refused = app.post("/api/webhooks", &unreachable).await;
    assert_error(&refused, 400, "webhook_verification_failed", "The connection failed");
    assert_eq!(app.get("/api/webhooks").await.json["webhooks"], json!([created]));
    let without_format = json!({"url": receiver.url("/"), "verifyToken": "x"});
    let refused = app.post("/api/webhooks", &without_format).await;
    assert_error(&refused, 400, "invalid_field", "verifyToken must be left out");
    let changed = app.patch(&path(&created), &json!({"verifyToken": "x"})).await;
    assert_error(&changed, 400, "unknown_field", "verifyToken is not a field of this request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_secrets_sign_during_a_rotation() {
    let (app, receiver) = (TestApp::start().await, Receiver::start().await);
    let created = app.create_webhook(&json!({"url": receiver.url("/")})).await;
    let webhook = path(&created["webhook"]);
    let rotate = async |grace: u32| {
        let response = app.post(&format!("{webhook}/secret"), &json!({"graceSeconds": grace})).await;
        response.json["secret"].as_str().unwrap().to_owned()
    };
    let deliver = async || {
        let tested = app.post(&format!("{webhook}/test"), &Value::Null).await;
        assert_eq!(tested.status, 200, "{}", tested.json);
        receiver.deliveries().pop().unwrap()
    };
    let first = created["secret"].as_str().unwrap().to_owned();
    assert!(deliver().await.is_signed_with(&first));
    let second = rotate(3_600).await;
    let delivery = deliver().await;
    assert!(delivery.is_signed_with(&first) && delivery.is_signed_with(&second));
    // The next rotation ends the older secret, and one without grace also the previous one.
    let third = rotate(3_600).await;
    let delivery = deliver().await;
    assert!(!delivery.is_signed_with(&first) && delivery.is_signed_with(&second) && delivery.is_signed_with(&third));
    let fourth = rotate(0).await;
    let delivery = deliver().await;
    assert!(!delivery.is_signed_with(&third) && delivery.is_signed_with(&fourth));
}
