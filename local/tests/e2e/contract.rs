//! The HTTP contract of the first endpoints, and the error responses of all of them.

use base64::{Engine, engine::general_purpose::STANDARD};
use local::database::Fault;
use serde_json::{Value, json};

use crate::test_app::{TestApp, is_uuid, merge, scan_png};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_is_created_once_and_can_be_read() {
    let app = TestApp::start().await;
    let created = app.post("/api/session/create", &json!({"userId": "ada"})).await;
    assert_eq!(created.status, 200);
    assert_eq!(created.json["success"], true);
    assert_eq!(created.json["message"], "Session created successfully");
    let session = &created.json["session"];
    assert!(is_uuid(&session["id"]));
    assert_eq!(session["owner_id"], "ada");
    assert_eq!((&session["is_ready"], &session["is_connected"]), (&json!(false), &json!(false)));
    assert_eq!(session["phone_number_id"], Value::Null);
    let link = format!("https://wa.me/{}?text=", app.ready.display_phone_number);
    assert!(session["qr"].as_str().unwrap().starts_with(&link));
    for time in ["qr_expires_at", "created_at", "updated_at"] {
        let text = session[time].as_str().unwrap();
        assert!(text.len() == 24 && text.ends_with('Z'), "{time} is {text}");
    }
    assert!(session.get("pairing_code").is_none(), "only the link contains the code");

    let again = app.post("/api/session/create", &json!({"userId": "ada"})).await;
    assert_eq!(again.json["message"], "Session already exists");
    assert_eq!(again.json["session"], *session);

    let expected = merge(session.clone(), &json!({"qr_expired": false}));
    let status = app.get(&format!("/api/session/status?sessionId={}", session["id"].as_str().unwrap())).await;
    assert_eq!(status.json, json!({"success": true, "session": expected}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_creates_make_one_session() {
    let app = TestApp::start().await;
    let body = json!({"userId": "ada"});
    let responses = futures_util::future::join_all((0..50).map(|_| app.post("/api/session/create", &body))).await;
    let created = responses.iter().filter(|a| a.json["message"] == "Session created successfully").count();
    let existing = responses.iter().filter(|a| a.json["message"] == "Session already exists").count();
    assert_eq!((created, existing), (1, 49));
    assert!(responses.iter().all(|response| response.json["session"] == responses[0].json["session"]));
    assert_eq!(app.items("session").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn create_after_a_lost_table_response_says_created() {
    let app = TestApp::start().await;
    app.inject_fault("PutItem", Fault::ConnectionLostAfterCommit, 1);
    let created = app.post("/api/session/create", &json!({"userId": "ada"})).await;
    assert_eq!(created.json["message"], "Session created successfully");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn qr_code_is_available_as_text_and_images() {
    let app = TestApp::start().await;
    let session = app.create_session("ada").await;
    let path = format!("/api/qr?sessionId={}", session["id"].as_str().unwrap());
    let text = app.get(&path).await;
    let expected = json!({"success": true, "qr": session["qr"], "qr_expires_at": session["qr_expires_at"]});
    assert_eq!(text.json, expected);
    assert_eq!(app.get(&format!("{path}&format=text")).await.json, expected);

    let image = app.get(&format!("{path}&format=image")).await;
    assert_eq!(image.header("content-type"), "image/png");
    assert_eq!(image.header("cache-control"), "no-store, no-cache, must-revalidate");
    assert_eq!(scan_png(&image.bytes), session["qr"].as_str().unwrap());

    let data = app.get(&format!("{path}&format=dataurl")).await;
    assert_eq!(data.header("content-type"), "application/json");
    let url = data.json["qr_image"].as_str().unwrap().strip_prefix("data:image/png;base64,").unwrap();
    assert_eq!(scan_png(&STANDARD.decode(url).unwrap()), session["qr"].as_str().unwrap());
    assert_eq!(
        data.json,
        json!({"success": true, "qr_image": data.json["qr_image"], "qr_expires_at": session["qr_expires_at"]})
    );

    let svg = app.get(&format!("{path}&format=svg")).await;
    assert_eq!(svg.header("content-type"), "image/svg+xml");
    assert_eq!(svg.header("cache-control"), "no-store, no-cache, must-revalidate");
    assert!(String::from_utf8(svg.bytes).unwrap().contains("<svg"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_qr_code_is_replaced_once() {
    let app = TestApp::start().await;
    let session = app.create_session("ada").await;
    let id = session["id"].as_str().unwrap();
    app.set_session_attribute(id, "qr_expires_at", "2020-01-01T00:00:00.000Z").await;
    assert_eq!(app.session_status(id).await["qr_expired"], true);

    let path = format!("/api/qr?sessionId={id}&format=image");
    let responses = futures_util::future::join_all((0..20).map(|_| app.get(&path))).await;
    let expired: Vec<_> = responses.iter().filter(|response| !response.json.is_null()).collect();
    assert!(!expired.is_empty(), "the first request finds the code expired");
    for response in expired {
        let message = "QR expired. Generating new one...";
        assert_eq!(response.json, json!({"success": false, "qr": null, "expired": true, "message": message}));
        assert!(!response.header("retry-after").is_empty());
    }
    let first = app.get(&format!("/api/qr?sessionId={id}")).await;
    assert_eq!(first.json["success"], true);
    assert_ne!(first.json["qr"], session["qr"]);
    assert_eq!(app.get(&format!("/api/qr?sessionId={id}")).await.json, first.json);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deployment_without_a_number_has_no_qr_code() {
    let app = TestApp::start_with(&[("PhoneNumberId", ""), ("DisplayPhoneNumber", "")]).await;
    let session = app.create_session("ada").await;
    assert_eq!(session["qr"], Value::Null);
    let response = app.get(&format!("/api/qr?sessionId={}", session["id"].as_str().unwrap())).await;
    assert_eq!(response.json, json!({"success": false, "qr": null, "message": "QR not yet generated. Please wait..."}));
    assert!(!response.header("retry-after").is_empty());
}

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

/// Asserts the status, the beginning of the sentence (or the code), the error shape, and the headers of an error.
async fn assert_error(app: &TestApp, method: &str, path: &str, body: Vec<u8>, (status, expected): (u16, &str)) {
    let response = app.request(method, path, &[], body).await;
    let case = format!("{method} {path}: {}", response.json);
    let (error, code) = (response.json["error"].as_str().unwrap_or_default(), response.json["code"].as_str().unwrap());
    assert_eq!(response.status, status, "{case}");
    assert!(error.starts_with(expected) || code == expected, "{case}");
    assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{case}");
    assert!(!response.header("x-request-id").is_empty(), "{case}");
    assert_eq!(response.json["requestId"], response.header("x-request-id"), "{case}");
    assert_eq!(response.header("cache-control"), "no-store", "{case}");
    assert_eq!(!response.header("allow").is_empty(), status == 405, "{case}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_body_is_refused() {
    let app = TestApp::start().await;
    let deep = format!("{{\"userId\": {}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for (body, error) in [
        (b"".to_vec(), (400, "The body is empty")),
        (b"[]".to_vec(), (400, "The body must be a JSON object")),
        (b"{\"userId\": ".to_vec(), (400, "The body is not valid JSON")),
        (b"{\"userId\": \"\xff\"}".to_vec(), (400, "The body is not UTF-8")),
        (deep.into_bytes(), (400, "The body is not valid JSON")),
        (vec![b' '; 256 * 1024 + 1], (413, "The body is larger than 256 KiB")),
    ] {
        assert_error(&app, "POST", "/api/session/create", body, error).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn integer_user_id_names_the_same_owner_as_its_digits() {
    let app = TestApp::start().await;
    let create = async |user_id: &str| {
        let body = format!("{{\"userId\": {user_id}}}").into_bytes();
        let response = app.request("POST", "/api/session/create", &[], body).await;
        assert_eq!(response.status, 200, "{user_id}: {}", response.json);
        response.json
    };
    for digits in ["7", "0", "-1", "9007199254740993", "-9223372036854775808", "9223372036854775807"] {
        let created = create(digits).await;
        assert_eq!(created["session"]["owner_id"], digits);
        let same = create(&format!("\"{digits}\"")).await;
        let expected = (&created["session"]["id"], &json!("Session already exists"));
        assert_eq!((&same["session"]["id"], &same["message"]), expected, "{digits}");
    }
    let (_, key) = app.create_key("8", &["sessions"]).await;
    for (user_id, status) in [(json!(8), 200), (json!(9), 403)] {
        let response = app.with_key(&key, "POST", "/api/session/create", &json!({"userId": user_id})).await;
        assert_eq!(response.status, status, "{}", response.json);
    }
    for other in ["1.0", "1e3", "-0", "9223372036854775808", "18446744073709551616", "-9223372036854775809", "1e400"] {
        let body = format!("{{\"userId\": {other}}}").into_bytes();
        let response = app.request("POST", "/api/session/create", &[], body).await;
        assert_eq!(response.status, 400, "{other}: {}", response.json);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_field_is_refused_with_a_sentence() {
    let app = TestApp::start().await;
    let id = UNKNOWN;
    let (to, from) = ("+201001234567", "201001234567");
    let reply = json!({"message": "Hello"});
    let cases = [
        (
            "POST /api/session/create",
            vec![
                (json!({}), 400, "userId is required"),
                (json!({"userId": "  "}), 400, "userId is required"),
                (json!({"userId": null}), 400, "userId is required"),
                (json!({"userId": 7.5}), 400, "userId must be a string or a signed 64-bit integer"),
                (json!({"userId": true}), 400, "userId must be a string or a signed 64-bit integer"),
                (json!({"userId": "x".repeat(257)}), 400, "userId has 257 bytes"),
                (json!({"userId": "a", "phoneNumberId": "9"}), 400, "phoneNumberId is not"),
            ],
        ),
        (
            "POST /api/messages/send",
            vec![
                (json!({}), 400, "sessionId, to, and message are required"),
                (json!({"sessionId": id, "to": to}), 400, "sessionId, to, and message are required"),
                (json!({"sessionId": id, "to": to, "message": " "}), 400, "sessionId, to, and message are required"),
                (json!({"sessionId": "x", "to": to, "message": "hi"}), 400, "sessionId must be a UUID"),
                (json!({"sessionId": id, "to": 2010, "message": "hi"}), 400, "to must be a string"),
                (json!({"sessionId": id, "to": "me", "message": "hi"}), 400, "to is not a WhatsApp address"),
                (json!({"sessionId": id, "to": to, "message": ["hi"]}), 400, "message must be a string"),
                (json!({"sessionId": id, "to": to, "message": "é".repeat(4097)}), 400, "message has 4097 characters"),
                (json!({"sessionId": id, "to": to, "type": "fax"}), 400, "type must be one of text"),
                (
                    json!({"sessionId": id, "to": to, "message": "hi", "priority": "high"}),
                    400,
                    "priority must be normal or bulk",
                ),
                (json!({"sessionId": id, "to": to, "message": "hi"}), 404, "Session not found"),
            ],
        ),
        (
            "PUT /api/session/qr",
            vec![
                (json!({"sessionId": id}), 400, "qr is required"),
                (json!({"sessionId": id, "qr": "x".repeat(2001), "expiresInSeconds": 20}), 400, "qr has 2001 bytes"),
                (json!({"sessionId": id, "qr": "x"}), 400, "expiresInSeconds is required"),
                (
                    json!({"sessionId": id, "qr": "x", "expiresInSeconds": 1.5}),
                    400,
                    "expiresInSeconds must be a whole number from 1 to 3600",
                ),
                (json!({"sessionId": id, "qr": "x", "expiresInSeconds": 20}), 404, "Session not found"),
            ],
        ),
        (
            "PUT /api/session/state",
            vec![
                (json!({"sessionId": id, "isReady": true}), 400, "isConnected is required"),
                (json!({"sessionId": id, "isConnected": true}), 400, "isReady is required"),
                (json!({"sessionId": id, "isConnected": 1, "isReady": true}), 400, "isConnected must be true or false"),
            ],
        ),
        (
            "POST /api/session/resume",
            vec![(json!({}), 400, "sessionId is required"), (json!({"sessionId": id}), 404, "Session not found")],
        ),
        ("DELETE /api/session", vec![(Value::Null, 400, "sessionId is required")]),
        (
            "POST /api/outbox/claim",
            vec![
                (json!({}), 400, "sessionId is required"),
                (json!({"sessionId": id, "limit": 0}), 400, "limit must be a whole number from 1 to 100"),
                (
                    json!({"sessionId": id, "leaseSeconds": "60"}),
                    400,
                    "leaseSeconds must be a whole number from 5 to 600",
                ),
            ],
        ),
        (
            "POST /api/outbox/settle",
            vec![
                (json!({"messageId": "x", "lease": id, "sent": {"id": "1"}}), 400, "messageId must be a UUID"),
                (json!({"messageId": id, "sent": {"id": "1"}}), 400, "lease is required"),
                (json!({"messageId": id, "lease": "x", "sent": {"id": "1"}}), 400, "lease must be a UUID"),
                (json!({"messageId": id, "lease": id}), 400, "Give either sent or failed"),
                (
                    json!({"messageId": id, "lease": id, "sent": {"id": "1"}, "failed": {"reason": "x"}}),
                    400,
                    "Give either sent or failed",
                ),
                (json!({"messageId": id, "lease": id, "sent": {}}), 400, "sent.id must have 1 to 1024 bytes"),
                (
                    json!({"messageId": id, "lease": id, "failed": {"reason": ""}}),
                    400,
                    "failed.reason must have 1 to 1000 characters",
                ),
                (json!({"messageId": id, "lease": id, "sent": {"id": "1"}}), 404, "Message not found"),
            ],
        ),
        (
            "POST /api/messages/receive",
            vec![
                (json!({"sessionId": id, "from": from, "timestamp": 1}), 400, "id is required"),
                (
                    json!({"sessionId": id, "id": "1", "from": "me", "timestamp": 1}),
                    400,
                    "from is not a WhatsApp address",
                ),
                (json!({"sessionId": id, "id": "1", "from": from}), 400, "timestamp is required"),
                (json!({"sessionId": id, "id": "1", "from": from, "timestamp": -1}), 400, "timestamp must be"),
                (
                    json!({"sessionId": id, "id": "1", "from": from, "timestamp": 1, "text": 7}),
                    400,
                    "text must be a string, or an object with a body",
                ),
            ],
        ),
        (
            "PATCH /api/chats/00000000-0000-4000-8000-000000000000",
            vec![
                (json!({}), 400, "Give status, name, isUnread or consent"),
                (json!({"status": "DONE"}), 400, "status must be INBOX, PENDING, RESOLVED or ARCHIVED"),
            ],
        ),
        (
            "PUT /api/auto-replies/00000000-0000-4000-8000-000000000000",
            vec![(json!({"trigger": {"type": "any"}, "reply": reply}), 400, "name is required")],
        ),
        (
            "POST /api/keys",
            vec![
                (json!({"name": "x", "scopes": ["sessions"]}), 400, "ownerId is required"),
                (
                    json!({"name": "x", "ownerId": "ada", "scopes": ["all"]}),
                    400,
                    "scopes must be a list of one or more",
                ),
                (
                    json!({"name": "x", "ownerId": "ada", "scopes": ["rules"], "expiresAt": "2020-01-01T00:00:00Z"}),
                    400,
                    "expiresAt must be",
                ),
            ],
        ),
        ("PUT /api/numbers/111222333444555", vec![(json!({}), 400, "displayPhoneNumber is required")]),
    ];
    for (route, cases) in cases {
        let (method, path) = route.split_once(' ').unwrap();
        for (body, status, expected) in cases {
            let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
            assert_error(&app, method, path, body, (status, expected)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_query_or_path_is_refused_with_a_sentence() {
    let app = TestApp::start().await;
    let session_id = app.create_session("ada").await["id"].as_str().unwrap().to_owned();
    let cases = [
        ("/api/session/status", 400, "sessionId is required"),
        ("/api/session/status?sessionId=", 400, "sessionId is required"),
        ("/api/session/status?sessionId=ada", 400, "sessionId must be a UUID"),
        ("/api/session/status?sessionId=UNKNOWN", 404, "Session not found"),
        ("/api/session/status?sessionId=UNKNOWN&sessionId=UNKNOWN", 400, "sessionId is given twice"),
        ("/api/session/status?sessionId=%zz", 400, "sessionId is not percent-encoded UTF-8"),
        ("/api/session/status?sessionId=%ff", 400, "sessionId is not percent-encoded UTF-8"),
        ("/api/qr", 400, "sessionId is required"),
        ("/api/qr?sessionId=UNKNOWN", 404, "Session not found"),
        ("/api/qr?sessionId=UNKNOWN&format=gif", 400, "format must be one of: text, image, svg, dataurl"),
        ("/api/messages/%zz", 404, "Message not found"),
        ("/api/messages/UNKNOWN", 404, "Message not found"),
        ("/api/messages/wamid.x?sessionId=ada", 400, "sessionId must be a UUID"),
        ("/api/messages/wamid.x?sessionId=UNKNOWN", 404, "Session not found"),
        ("/api/messages/", 404, "There is nothing at this path"),
        ("/api/chats", 400, "sessionId is required"),
        ("/api/chats?sessionId=SESSION&limit=101", 400, "limit must be a whole number from 1 to 100"),
        ("/api/chats?sessionId=SESSION&status=DONE", 400, "status must be one of: INBOX, PENDING, RESOLVED, ARCHIVED"),
        ("/api/chats?sessionId=SESSION&cursor=AAAA", 400, "invalid_cursor"),
        ("/api/chats/x", 404, "Chat not found"),
        ("/api/chats/UNKNOWN/messages?limit=ten", 400, "limit must be a whole number from 1 to 100"),
        ("/api/chats/UNKNOWN/messages?order=up", 400, "order must be one of: asc, desc"),
        ("/api/chats/UNKNOWN/messages?cursor=x", 400, "invalid_cursor"),
        ("/api/chats/UNKNOWN/export?limit=1000", 400, "limit must be a whole number from 1 to 100"),
        ("/api/events", 400, "sessionId is required"),
        ("/api/events?sessionId=SESSION&cursor=x", 400, "invalid_cursor"),
        ("/api/keys?cursor=next", 400, "invalid_cursor"),
        ("/api/numbers/abc", 404, "Number not found"),
        ("/api/nothing", 404, "There is nothing at this path"),
        ("/", 404, "There is nothing at this path"),
        ("/api/session/status/../../%2e%2e/etc?x=%", 404, "There is nothing at this path"),
    ];
    for (path, status, expected) in cases {
        let path = path.replace("UNKNOWN", UNKNOWN).replace("SESSION", &session_id);
        assert_error(&app, "GET", &path, Vec::new(), (status, expected)).await;
    }
    assert_error(&app, "DELETE", "/api/keys/shop", Vec::new(), (404, "Key not found")).await;
    assert_error(&app, "POST", "/api/chats/x/read", Vec::new(), (404, "Chat not found")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_method_names_the_allowed_ones() {
    let app = TestApp::start().await;
    for (route, allowed) in [
        ("GET /api/session/create", "POST"),
        ("GET /api/session", "PATCH, DELETE"),
        ("POST /api/session/qr", "PUT"),
        ("GET /api/session/resume", "POST"),
        ("DELETE /api/qr", "GET"),
        ("PUT /api/webhook", "GET, POST"),
        ("POST /api/messages/UNKNOWN", "GET"),
        ("GET /api/messages/receive", "POST"),
        ("PUT /api/chats/UNKNOWN", "GET, PATCH, DELETE"),
        ("GET /api/chats/UNKNOWN/read", "POST"),
        ("POST /api/chats/UNKNOWN/export", "GET"),
        ("PUT /api/keys/UNKNOWN", "DELETE"),
        ("POST /api/numbers", "GET"),
        ("POST /api/numbers/111222333444555", "GET, PUT, DELETE"),
    ] {
        let (method, path) = route.split_once(' ').unwrap();
        let sentence = format!("Use {allowed} on this path");
        assert_error(&app, method, &path.replace("UNKNOWN", UNKNOWN), Vec::new(), (405, &sentence)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn table_failure_is_a_503_and_stores_nothing() {
    let app = TestApp::start().await;
    app.inject_fault("PutItem", Fault::InternalServerError, 3);
    let response = app.post("/api/session/create", &json!({"userId": "ada"})).await;
    assert_eq!(response.status, 503);
    assert!(!response.header("retry-after").is_empty());
    assert!(
        !response.json["error"].as_str().unwrap().to_lowercase().contains("dynamo"),
        "the error names nothing internal"
    );
    assert!(app.items("session").await.is_empty());
    assert_eq!(app.create_session("ada").await["owner_id"], "ada");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rate_limited_route_does_not_affect_others() {
    let app = TestApp::start().await;
    let verify = "/api/webhook?hub.mode=subscribe&hub.verify_token=guess&hub.challenge=7";
    let responses = futures_util::future::join_all((0..200).map(|_| app.get(verify))).await;
    let count = |status: u16| responses.iter().filter(|response| response.status == status).count();
    assert!(count(403) >= 20, "the burst is accepted");
    assert!(count(429) > 0 && count(403) + count(429) == 200, "{} and {}", count(403), count(429));
    assert_eq!(app.create_session("ada").await["owner_id"], "ada");
}
