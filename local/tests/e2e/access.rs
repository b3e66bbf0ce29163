//! Who may call, and for whom.

use local::database::Fault;
use serde_json::{Value, json};

use crate::system::System;

const STATUS: &str = "/api/session/status?sessionId=00000000-0000-4000-8000-000000000000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_good_credential_nothing_is_reached() {
    let system = System::start().await;
    let (_, key) = system.key("ada", &["sessions"]).await;
    let unauthorized = json!({"message": "Unauthorized"});
    let forbidden = json!({"message": "Forbidden"});
    let mut mistyped = key.clone();
    mistyped.replace_range(10..=10, if &key[10..=10] == "A" { "B" } else { "A" });
    for path in [STATUS, "/api/nowhere", "/", "/api/keys", "/api/messages/send"] {
        let answer = system.anonymous("GET", path, &[], Vec::new()).await;
        assert_eq!((answer.status, answer.json), (401, unauthorized.clone()), "{path}");
        let join = if path.contains('?') { '&' } else { '?' };
        let in_query = format!("{path}{join}key={key}&authorization=Bearer%20{key}&access_token={key}");
        assert_eq!(system.anonymous("GET", &in_query, &[], Vec::new()).await.status, 401, "{path}");
    }
    let operator = system.ready.api_key.strip_prefix("qk_").unwrap().to_owned();
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
        let answer = system.anonymous("GET", STATUS, &[("authorization", &header)], Vec::new()).await;
        assert_eq!((answer.status, answer.json), (403, forbidden.clone()), "{header}");
    }
    // The same key, well written, reaches the function.
    for header in [format!("Bearer {key}"), format!("bearer {key}")] {
        let answer = system.anonymous("GET", STATUS, &[("authorization", &header)], Vec::new()).await;
        assert_eq!((answer.status, &answer.json["error"]), (404, &json!("Session not found")), "{header}");
    }
    let lines = system.lines().join("\n");
    assert!(lines.contains("AuthenticationFailed"), "refusals are counted");
    assert!(!lines.contains(&key[3..]) && !lines.contains(&mistyped[3..]), "and no key is in the log");
    assert!(!lines.contains(&operator));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_works_from_its_making_to_its_end() {
    let system = System::start().await;
    let (row, key) = system.key("ada", &["sessions", "messages:send"]).await;
    assert!(key.starts_with("qk_") && key.len() == 51, "{key}");
    assert_eq!(row["scopes"], json!(["sessions", "messages:send"]));
    assert_eq!(
        (&row["owner_id"], &row["expires_at"], &row["last_used_at"]),
        (&json!("ada"), &Value::Null, &Value::Null)
    );

    let made = system.with_key(&key, "POST", "/api/session/create", &json!({"userId": "ada"})).await;
    assert_eq!(made.json["success"], true, "{}", made.json);
    let other = system.with_key(&key, "POST", "/api/session/create", &json!({"userId": "grace"})).await;
    assert_eq!((other.status, &other.json["code"]), (403, &json!("other_owner")));
    let scope = system.with_key(&key, "GET", "/api/keys", &Value::Null).await;
    assert_eq!((scope.status, &scope.json["code"]), (403, &json!("missing_scope")));

    let kept = system.items("api_key").await;
    assert!(!json!(kept).to_string().contains(&key[3..]), "the table has no secret");
    let listed = system.get("/api/keys").await.json;
    assert_eq!((&listed["keys"][0]["id"], listed["keys"].as_array().unwrap().len()), (&row["id"], 1));
    assert!(listed["keys"][0]["last_used_at"].is_string() && listed["nextCursor"].is_null());
    assert!(!listed.to_string().contains(&key[3..]) && listed["keys"][0].get("hash").is_none());

    // Each of these ends before its first use, so that no answer of the authorizer is kept for it.
    let forbidden = (403, json!({"message": "Forbidden"}));
    let (deleted, its_key) = system.key("ada", &["sessions"]).await;
    let path = format!("/api/keys/{}", deleted["id"].as_str().unwrap());
    assert_eq!(system.request("DELETE", &path, &[], Vec::new()).await.json, json!({"success": true}));
    assert_eq!(system.request("DELETE", &path, &[], Vec::new()).await.json["code"], "key_not_found");
    let answer = system.with_key(&its_key, "GET", STATUS, &Value::Null).await;
    assert_eq!((answer.status, answer.json), forbidden);
    assert_eq!(system.get("/api/keys").await.json["keys"].as_array().unwrap().len(), 1);

    let body = json!({"name": "short", "scopes": ["admin"], "expiresAt": "2100-01-01T00:00:00Z"});
    let expired = system.post("/api/keys", &body).await.json;
    let item = format!("KEY#{}", expired["key"]["id"].as_str().unwrap());
    system.set_string(&item, "KEY", "valid_until", "2020-01-01T00:00:00.000Z").await;
    let answer = system.with_key(expired["secret"].as_str().unwrap(), "GET", STATUS, &Value::Null).await;
    assert_eq!((answer.status, answer.json), forbidden);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_listed_page_by_page_newest_first() {
    let system = System::start().await;
    let mut made = Vec::new();
    for index in 0..5 {
        let body = json!({"name": format!("key {index}"), "ownerId": "ada", "scopes": ["rules"]});
        made.push(system.post("/api/keys", &body).await.json["key"].clone());
    }
    made.reverse();
    let mut listed = Vec::new();
    let mut path = "/api/keys?limit=2".to_owned();
    while let Value::Object(page) = system.get(&path).await.json {
        listed.extend(page["keys"].as_array().unwrap().clone());
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/api/keys?limit=2&cursor={cursor}");
    }
    assert_eq!(listed, made);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authorizer_that_cannot_ask_says_nothing_of_the_key() {
    let system = System::start().await;
    let (_, key) = system.key("ada", &["sessions"]).await;
    system.function_table_fails("authorizer", "GetItem", Fault::InternalServerError, 100);
    let answer = system.with_key(&key, "GET", STATUS, &Value::Null).await;
    assert_eq!((answer.status, answer.json), (500, json!({"message": "Internal Server Error"})));
    system.clear_table_faults();
    assert_eq!(system.with_key(&key, "GET", STATUS, &Value::Null).await.status, 404);
    // A key that cannot be marked as used is as good as any.
    let (_, other) = system.key("ada", &["sessions"]).await;
    system.function_table_fails("authorizer", "UpdateItem", Fault::InternalServerError, 100);
    assert_eq!(system.with_key(&other, "GET", STATUS, &Value::Null).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_key_is_what_the_secret_says() {
    let system = System::start().await;
    let (old, new) = ("a".repeat(43), "b".repeat(43));
    system.put_secret_of("qasid-OperatorSecret", &json!({"operatorKey": [old, new, "short"]})).await;
    for (key, status) in
        [(format!("qk_{old}"), 200), (format!("qk_{new}"), 200), ("qk_short".to_owned(), 403), (new, 403)]
    {
        assert_eq!(system.with_key(&key, "GET", "/api/keys", &Value::Null).await.status, status, "{key}");
    }
    assert_eq!(system.get("/api/keys").await.status, 403, "the first one is out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_asks_first_without_a_key() {
    let system = System::start_with(&[("AllowedOrigins", "https://app.example")]).await;
    let ask = [("origin", "https://app.example"), ("access-control-request-method", "POST")];
    for path in ["/api/session/create", "/api/messages/send", "/api/keys/7", "/api/webhook", "/api/nowhere"] {
        let answer = system.anonymous("OPTIONS", path, &ask, Vec::new()).await;
        assert_eq!(answer.status, 204, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "https://app.example");
        assert!(answer.header("access-control-allow-headers").contains("authorization"), "{path}");
    }
    let refused = system.anonymous("POST", "/api/session/create", &ask[..1], b"{}".to_vec()).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("access-control-allow-origin"), "https://app.example", "the page may read why");
}
