//! Every route with what clients get wrong: unknown names, other spellings of paths, `HEAD`, long ids, and broken
//! encodings.

use serde_json::{Value, json};
use shared::http::routes::{self, Access};

use crate::{
    tenancy::{self, Ids},
    test_app::{Response, TestApp, bytes, text_message},
};

/// The routes that need a key, as `METHOD /path`.
pub(crate) fn guarded() -> Vec<String> {
    let operations = routes::ALL.iter().flat_map(|route| route.operations.iter().map(move |of| (route, of)));
    let guarded = operations.filter(|(_, operation)| operation.access != Access::Open);
    guarded.map(|(route, operation)| format!("{} {}", operation.method, route.path)).collect()
}

/// Ids of a worker's session with a chat, messages, and a rule, so that every route has something to return.
pub(crate) async fn tenant(app: &TestApp) -> Ids {
    let session = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    app.set_worker_state(&session, true).await;
    let sent = app.send(&session, "201001234567", "hello").await.json;
    let media = app.upload_media(&session, "image/png", b"\x89PNG").await;
    app.send_content(&session, "201001234567", json!({"type": "image", "image": {"media": media}})).await;
    let rule = json!({"name": "greeting", "trigger": {"type": "any"}, "reply": {"message": "hello"}});
    let rule = app.post(&format!("/api/auto-replies?sessionId={session}"), &rule).await.json["rule"].clone();
    let (key, _) = app.create_key("ada", &["messages:read"]).await;
    let webhook = json!({"sessionId": session, "url": "http://127.0.0.1:1/"});
    let webhook = app.create_webhook(&webhook).await["webhook"].clone();
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    Ids {
        owner: "ada".to_owned(),
        session,
        chat: id(&sent["chat"]),
        message: id(&sent["message"]),
        media,
        key: id(&key),
        rule: id(&rule),
        webhook: id(&webhook),
    }
}

pub(crate) fn request_to(route: &str, ids: &Ids) -> (String, String, Value) {
    let (path, body, _) = tenancy::call(route, ids).unwrap_or_else(|| panic!("{route}: describe it in tenancy.rs"));
    (route.split(' ').next().unwrap().to_owned(), path, body)
}

/// Asserts that a response is no failure of ours, and that a refusal has a code and a sentence.
pub(crate) fn assert_answered(case: &str, response: &Response) {
    let (status, json) = (response.status, &response.json);
    assert!(status < 500, "{case}: {status} {json}");
    if status >= 400 && !json["message"].is_string() {
        assert!(json["code"].as_str().is_some_and(|code| !code.is_empty()), "{case}: {status} {json}");
        assert!(json["error"].as_str().is_some_and(|error| error.len() > 9), "{case}: {status} {json}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_fields_and_parameters_are_named_on_every_route() {
    let app = TestApp::start().await;
    let ids = tenant(&app).await;
    for route in guarded() {
        let (method, path, mut body) = request_to(&route, &ids);
        let separator = if path.contains('?') { '&' } else { '?' };
        let unknown = app.request(&method, &format!("{path}{separator}nonsense[]=1"), &[], bytes(&body)).await;
        let error = unknown.json["error"].as_str().unwrap();
        assert_eq!((unknown.status, &unknown.json["code"]), (400, &json!("unknown_parameter")), "{route}: {error}");
        assert!(error.starts_with("nonsense[] is not a query parameter"), "{route}: {error}");

        if body.is_null() {
            body = json!({});
        }
        body["nonsense"] = json!(null);
        let unknown = app.request(&method, &path, &[], bytes(&body)).await;
        let error = unknown.json["error"].as_str().unwrap();
        assert_eq!((unknown.status, &unknown.json["code"]), (400, &json!("unknown_field")), "{route}: {error}");
        assert!(error.starts_with("nonsense is not a field of this request"), "{route}: {error}");
    }
    let session = &ids.session;
    for (path, expected) in [
        (
            format!("/api/chats?sessionId={session}&search=ada"),
            "search is not a query parameter of this request: it takes",
        ),
        (
            format!("/api/chats?session_id={session}"),
            "session_id is not a query parameter of this request: did you mean sessionId?",
        ),
        (
            format!("/api/chats?sessionId={session}&limit%5B%5D=1"),
            "limit[] is not a query parameter of this request: did you mean limit?",
        ),
        ("/api/numbers?limit=1".to_owned(), "limit is not a query parameter of this request: it takes none"),
    ] {
        let refused = app.get(&path).await;
        assert_eq!(refused.status, 400, "{path}");
        assert!(refused.json["error"].as_str().unwrap().starts_with(expected), "{}", refused.json);
    }
    let send =
        json!({"sessionId": session, "to": "201001234567", "message": "hello", "valid_until": "2027-01-01T00:00:00Z"});
    let refused = app.post("/api/messages/send", &send).await;
    assert_eq!(refused.json["error"], "valid_until is not a field of this request: did you mean validUntil?");
    let twice = format!(r#"{{"sessionId": "{session}", "to": "201001234567", "message": "a", "message": "b"}}"#);
    let refused = app.request("POST", "/api/messages/send", &[], twice.into_bytes()).await;
    assert!(refused.json["error"].as_str().unwrap().contains("the field message is given twice"), "{}", refused.json);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_answers_like_get_without_the_body() {
    let app = TestApp::start().await;
    let ids = tenant(&app).await;
    let (_, reader) = app.create_key("ada", &["messages:read"]).await;
    for route in guarded().iter().filter(|route| route.starts_with("GET ")) {
        let (_, path, _) = request_to(route, &ids);
        for key in [&app.ready.api_key, &reader] {
            let get = app.with_key(key, "GET", &path, &Value::Null).await;
            let head = app.with_key(key, "HEAD", &path, &Value::Null).await;
            assert_eq!(head.status, get.status, "{route}");
            assert_eq!(head.header("content-type"), get.header("content-type"), "{route}");
            assert!(head.bytes.is_empty(), "{route}");
        }
        assert_eq!(app.anonymous("HEAD", &path, &[], Vec::new()).await.status, 401, "{route}");
    }
    let refused = app.request("HEAD", "/api/session/create", &[], Vec::new()).await;
    assert_eq!((refused.status, refused.header("allow"), refused.bytes.len()), (405, "POST", 0));
    let allowed = app.request("PUT", "/api/chats", &[], Vec::new()).await;
    assert_eq!((allowed.status, allowed.header("allow")), (405, "GET, HEAD"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_works_with_a_slash_at_the_end() {
    let (app, session) = TestApp::connected().await;
    let query = format!("hub.mode=subscribe&hub.verify_token={}&hub.challenge=7&source=meta", app.ready.verify_token);
    for path in ["/api/webhook", "/api/webhook/"] {
        let verified = app.anonymous("GET", &format!("{path}?{query}"), &[], Vec::new()).await;
        assert_eq!((verified.status, verified.bytes.as_slice()), (200, &b"7"[..]), "{path}");
        let head = app.anonymous("HEAD", &format!("{path}?{query}"), &[], Vec::new()).await;
        assert_eq!((head.status, head.bytes.len()), (200, 0), "{path}");
        let other = app.request("PUT", path, &[], Vec::new()).await;
        assert_eq!((other.status, other.header("allow")), (405, "GET, HEAD, POST"), "{path}");
    }
    let body = app.webhook_body(&json!([text_message("wamid.1", "201001234567", "hello")])).to_string().into_bytes();
    let signature = app.signature(&body);
    let delivered =
        app.anonymous("POST", "/api/webhook/", &[("x-hub-signature-256", signature.as_str())], body.clone()).await;
    assert_eq!(delivered.json, json!({"success": true}));
    assert_eq!(app.get(&format!("/api/chats?sessionId={session}")).await.json["chats"][0]["last_message"], "hello");
    let unsigned = app.anonymous("POST", "/api/webhook/", &[], body.clone()).await;
    assert_eq!((unsigned.status, &unsigned.json["code"]), (401, &json!("invalid_signature")));

    for path in ["/api/webhook/x", "/api/webhook/x/", "/api/webhook//"] {
        let headers = [("x-hub-signature-256", signature.as_str())];
        let refused = app.anonymous("POST", path, &headers, body.clone()).await;
        assert_eq!((refused.status, &refused.json["code"]), (404, &json!("path_not_found")), "{path}");
    }
    for (path, similar) in [("/api/chats/", "/api/chats"), ("/API/Chats", "/api/chats"), ("/chats", "/api/chats")] {
        let refused = app.get(path).await;
        let sentence = format!("There is nothing at this path: did you mean {similar}?");
        assert_eq!((refused.status, refused.json["error"].as_str()), (404, Some(sentence.as_str())), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_response_forbids_content_sniffing() {
    let app = TestApp::start().await;
    let session = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    let qr = format!("/api/qr?sessionId={session}");
    for (method, path, status) in [
        ("GET", qr.clone(), 200),
        ("GET", format!("{qr}&format=image"), 200),
        ("GET", format!("{qr}&format=svg"), 200),
        ("GET", format!("{qr}&format=gif"), 400),
        ("HEAD", qr, 200),
        ("GET", "/api/nothing".to_owned(), 404),
        ("PUT", "/api/chats".to_owned(), 405),
        ("OPTIONS", "/api/chats".to_owned(), 204),
        ("GET", "/api/webhook".to_owned(), 403),
        ("POST", "/api/webhook".to_owned(), 401),
    ] {
        let response = app.request(method, &path, &[], Vec::new()).await;
        assert_eq!(response.status, status, "{method} {path}: {}", response.json);
        assert_eq!(response.header("x-content-type-options"), "nosniff", "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overlong_ids_are_refused() {
    let app = TestApp::start().await;
    let ids = tenant(&app).await;
    // 1,025 bytes, 1,026 bytes in 513 characters, and more than DynamoDB's limit for a key.
    for id in ["w".repeat(1025), "%C3%A9".repeat(513), "w".repeat(4000)] {
        for (method, path) in [
            ("GET", format!("/api/messages/{id}")),
            ("GET", format!("/api/messages/{id}?sessionId={}", ids.session)),
            ("GET", format!("/api/chats/{id}")),
            ("POST", format!("/api/chats/{id}/read")),
            ("GET", format!("/api/auto-replies/{id}")),
            ("DELETE", format!("/api/keys/{id}")),
            ("GET", format!("/api/numbers/{id}")),
        ] {
            let refused = app.request(method, &path, &[], Vec::new()).await;
            assert_eq!(refused.status, 404, "{method} {path}: {}", refused.json);
        }
        for list in
            [format!("/api/chats?sessionId={}", ids.session), format!("/api/chats/{}/messages?limit=1", ids.chat)]
        {
            let refused = app.get(&format!("{list}&cursor={id}")).await;
            assert_eq!((refused.status, &refused.json["code"]), (400, &json!("invalid_cursor")), "{list}");
        }
    }
    // The longest id is looked up.
    let longest = app.get(&format!("/api/messages/{}?sessionId={}", "w".repeat(1024), ids.session)).await;
    assert_eq!((longest.status, &longest.json["code"]), (404, &json!("message_not_found")));
    let send = json!({"sessionId": ids.session, "to": "201001234567", "message": "hello"});
    let refused =
        app.request("POST", "/api/messages/send", &[("idempotency-key", &"k".repeat(256))], bytes(&send)).await;
    assert_eq!((refused.status, &refused.json["code"]), (400, &json!("invalid_header")));
    for number in ["1".repeat(21), "1a".to_owned(), "..%2Fnothing".to_owned(), "%D9%A1".to_owned()] {
        let refused = app.put(&format!("/api/numbers/{number}"), &json!({"displayPhoneNumber": "15550783881"})).await;
        assert_eq!(refused.status, 404, "{number}: {}", refused.json);
    }
    let received = json!({"sessionId": ids.session, "id": "é".repeat(513), "from": "201001234567", "timestamp": 1});
    assert_eq!(app.post("/api/messages/receive", &received).await.status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_percent_encodings_are_answered() {
    let app = TestApp::start().await;
    let ids = tenant(&app).await;
    let texts = [
        "%00",
        "a%00b",
        "%2F",
        "%2f..%2f",
        "%zz",
        "%",
        "%2",
        "+",
        "%2B",
        "%C0%AF",
        "%FF",
        "%ED%A0%80",
        "%F4%90%80%80",
        "%E2%80%AE",
        "%EF%BF%BF",
        "%3F",
        "%23",
        "%25",
        "%26a%3D1",
        ";",
        "'",
        "\"",
        "%20",
        "%0D%0A",
        "~",
        "{x}",
        "$default",
    ];
    for route in guarded() {
        let (method, path, body) = request_to(&route, &ids);
        let pattern = route.split_once(' ').unwrap().1;
        for text in texts {
            let mut paths = Vec::new();
            if let Some((fixed, rest)) = pattern.split_once('{') {
                let rest = rest.split_once('}').unwrap().1;
                paths.push(format!("{fixed}{text}{rest}"));
            }
            let found = routes::route_of(pattern).unwrap();
            let names = found.operation(&method.parse().unwrap()).unwrap().query;
            let (path, query) = path.split_once('?').unwrap_or((path.as_str(), ""));
            for name in names.iter().chain(&[text]) {
                let others: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with(*name)).collect();
                paths.push(format!("{path}?{}&{name}={text}", others.join("&")));
            }
            for path in paths {
                let case = format!("{method} {path}");
                assert_answered(&case, &app.request(&method, &path, &[], bytes(&body)).await);
            }
        }
    }
}
