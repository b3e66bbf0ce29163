//! Authentication with API keys, and the authorizer.

use local::database::Fault;
use serde_json::{Value, json};
use shared::domain::api_key::KeyHash;

use crate::test_app::TestApp;

const STATUS: &str = "/api/session/status?sessionId=00000000-0000-4000-8000-000000000000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_without_a_valid_credential_is_refused() {
    let app = TestApp::start().await;
    let (_, key) = app.create_key("ada", &["sessions"]).await;
    let unauthorized = json!({"message": "Unauthorized"});
    let forbidden = json!({"message": "Forbidden"});
    let mut mistyped = key.clone();
    mistyped.replace_range(10..=10, if &key[10..=10] == "A" { "B" } else { "A" });
    for path in [STATUS, "/api/me", "/api/nowhere", "/", "/api/keys", "/api/messages/send"] {
        let response = app.anonymous("GET", path, &[], Vec::new()).await;
        assert_eq!((response.status, response.json), (401, unauthorized.clone()), "{path}");
        let join = if path.contains('?') { '&' } else { '?' };
        let in_query = format!("{path}{join}key={key}&authorization=Bearer%20{key}&access_token={key}");
        assert_eq!(app.anonymous("GET", &in_query, &[], Vec::new()).await.status, 401, "{path}");
    }
    let operator = app.ready.api_key.strip_prefix("qk_").unwrap().to_owned();
    for header in [
        key.clone(),
        format!("Basic {key}"),
        format!("Bearer {mistyped}"),
        format!("Bearer {}", &key[..40]),
        format!("Bearer {operator}"),
        "Bearer qk_".to_owned(),
        "Bearer".to_owned(),
        format!("Bearer {key}, Bearer {key}"),
        format!("Bearer {}", "a".repeat(5_000)),
    ] {
        let response = app.anonymous("GET", STATUS, &[("authorization", &header)], Vec::new()).await;
        assert_eq!((response.status, response.json), (403, forbidden.clone()), "{header}");
    }
    // The valid key reaches the function.
    for header in [format!("Bearer {key}"), format!("bearer {key}")] {
        let response = app.anonymous("GET", STATUS, &[("authorization", &header)], Vec::new()).await;
        assert_eq!((response.status, &response.json["error"]), (404, &json!("Session not found")), "{header}");
    }
    assert!(app.has_logged(&["AuthenticationFailed"]), "refusals are counted");
    for secret in [&key[3..], &mistyped[3..], &operator] {
        assert!(!app.has_logged(&[secret]), "no key is logged");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_works_until_it_is_deleted_or_expires() {
    let app = TestApp::start().await;
    let (created, key) = app.create_key("ada", &["sessions", "messages:send"]).await;
    assert!(key.starts_with("qk_") && key.len() == 51, "{key}");
    assert_eq!(created["scopes"], json!(["sessions", "messages:send"]));
    let times = (&created["expires_at"], &created["last_used_at"]);
    assert_eq!((&created["owner_id"], times), (&json!("ada"), (&Value::Null, &Value::Null)));

    let session = app.with_key(&key, "POST", "/api/session/create", &json!({"userId": "ada"})).await;
    assert_eq!(session.json["success"], true, "{}", session.json);
    let other = app.with_key(&key, "POST", "/api/session/create", &json!({"userId": "grace"})).await;
    assert_eq!((other.status, &other.json["code"]), (403, &json!("other_owner")));
    let scope = app.with_key(&key, "GET", "/api/keys", &Value::Null).await;
    assert_eq!((scope.status, &scope.json["code"]), (403, &json!("missing_scope")));

    let stored = app.items("api_key").await;
    assert!(!json!(stored).to_string().contains(&key[3..]), "the table stores no secret");
    let listed = app.get("/api/keys").await.json;
    assert_eq!((&listed["keys"][0]["id"], listed["keys"].as_array().unwrap().len()), (&created["id"], 1));
    assert!(listed["keys"][0]["last_used_at"].is_string() && listed["nextCursor"].is_null());
    assert!(!listed.to_string().contains(&key[3..]) && listed["keys"][0].get("hash").is_none());

    // These keys end before their first use, so the gateway has no cached response for them.
    let forbidden = (403, json!({"message": "Forbidden"}));
    let (deleted, its_key) = app.create_key("ada", &["sessions"]).await;
    let path = format!("/api/keys/{}", deleted["id"].as_str().unwrap());
    assert_eq!(app.delete(&path).await.json, json!({"success": true}));
    assert_eq!(app.delete(&path).await.json["code"], "key_not_found");
    let response = app.with_key(&its_key, "GET", STATUS, &Value::Null).await;
    assert_eq!((response.status, response.json), forbidden);
    assert_eq!(app.get("/api/keys").await.json["keys"].as_array().unwrap().len(), 1);

    let body = json!({"name": "short", "scopes": ["admin"], "expiresAt": "2100-01-01T00:00:00Z"});
    let expired = app.post("/api/keys", &body).await.json;
    // 30 days later, the table deletes both of its items.
    for entity in ["api_key", "api_key_entry"] {
        let ends = app.items(entity).await.into_iter().filter(|item| item["expires_at"] == 4_105_036_800_i64);
        assert_eq!(ends.count(), 1, "{entity}");
    }
    let item = format!("KEY#{}", expired["key"]["id"].as_str().unwrap());
    app.set_attribute(&item, "KEY", "valid_until", "2020-01-01T00:00:00.000Z").await;
    let response = app.with_key(expired["secret"].as_str().unwrap(), "GET", STATUS, &Value::Null).await;
    assert_eq!((response.status, response.json), forbidden);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caller_is_shown_with_their_owner_and_scopes() {
    let app = TestApp::start().await;
    let admin =
        json!({"key_id": "operator", "is_admin": true, "owner_id": null, "session_id": null, "scopes": ["admin"]});
    assert_eq!(app.get("/api/me").await.json, json!({"success": true, "caller": admin}));
    // The order of the scopes doesn't depend on the key. The session doesn't exist yet, but its ID is known.
    let (created, key) = app.create_key("ada", &["worker", "rules"]).await;
    let me = app.with_key(&key, "GET", "/api/me", &Value::Null).await.json["caller"].clone();
    let session_id = app.create_session("ada").await["id"].clone();
    let owner = json!({
        "key_id": created["id"],
        "is_admin": false,
        "owner_id": "ada",
        "session_id": session_id,
        "scopes": ["rules", "worker"],
    });
    assert_eq!(me, owner);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_listed_page_by_page_newest_first() {
    let app = TestApp::start().await;
    let mut created = Vec::new();
    for index in 0..5 {
        let body = json!({"name": format!("key {index}"), "ownerId": "ada", "scopes": ["rules"]});
        created.push(app.post("/api/keys", &body).await.json["key"].clone());
    }
    created.reverse();
    assert_eq!(app.all("/api/keys?limit=2", "keys").await, created);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authorizer_failure_is_an_error_and_not_a_refusal() {
    let app = TestApp::start().await;
    let (_, key) = app.create_key("ada", &["sessions"]).await;
    app.inject_function_fault("authorizer", "GetItem", Fault::InternalServerError, 100);
    let response = app.with_key(&key, "GET", STATUS, &Value::Null).await;
    assert_eq!((response.status, response.json), (500, json!({"message": "Internal Server Error"})));
    app.clear_injected_faults();
    assert_eq!(app.with_key(&key, "GET", STATUS, &Value::Null).await.status, 404);
    // A failure to record the use of a key doesn't refuse the request.
    let (_, other) = app.create_key("ada", &["sessions"]).await;
    app.inject_function_fault("authorizer", "UpdateItem", Fault::InternalServerError, 100);
    assert_eq!(app.with_key(&other, "GET", STATUS, &Value::Null).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operator_keys_have_their_hashes_in_the_parameters() {
    let (old, new) = (format!("qk_{}", "a".repeat(43)), format!("qk_{}", "b".repeat(64)));
    let hashes = [&*old, &*new, "qk_short"].map(|key| KeyHash::of(key).as_hex().to_owned()).join(",");
    let app = TestApp::start_with(&[("OperatorKeyHash", &hashes)]).await;
    for (key, status) in [(&*old, 200), (&*new, 200), ("qk_short", 403), (&new[3..], 403)] {
        assert_eq!(app.with_key(key, "GET", "/api/keys", &Value::Null).await.status, status, "{key}");
    }
    // The local run's own key has no hash among them.
    assert_eq!(app.get("/api/keys").await.status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preflight_request_needs_no_key() {
    let app = TestApp::start_with(&[("AllowedOrigins", "https://app.example")]).await;
    let preflight = [("origin", "https://app.example"), ("access-control-request-method", "POST")];
    for path in ["/api/session/create", "/api/messages/send", "/api/keys/7", "/api/webhook", "/api/nowhere"] {
        let response = app.anonymous("OPTIONS", path, &preflight, Vec::new()).await;
        assert_eq!(response.status, 204, "{path}");
        assert_eq!(response.header("access-control-allow-origin"), "https://app.example");
        assert!(response.header("access-control-allow-headers").contains("authorization"), "{path}");
    }
    let refused = app.anonymous("POST", "/api/session/create", &preflight[..1], b"{}".to_vec()).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("access-control-allow-origin"), "https://app.example", "the page can read the error");
}
