//! The five endpoints as the contract says them, bad input included.

use serde_json::{Value, json};

use crate::system::{System, is_uuid};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_made_once_and_can_be_read() {
    let system = System::start().await;
    let made = system.post("/api/session/create", &json!({"userId": "ada"})).await;
    assert_eq!(made.status, 200);
    assert_eq!(made.json["success"], true);
    assert_eq!(made.json["message"], "Session created successfully");
    let session = &made.json["session"];
    assert!(is_uuid(&session["id"]));
    assert_eq!(session["owner_id"], "ada");
    assert_eq!((&session["is_ready"], &session["is_connected"]), (&json!(false), &json!(false)));
    assert_eq!(session["phone_number_id"], Value::Null);
    let link = format!("https://wa.me/{}?text=", system.ready.display_phone_number);
    assert!(session["qr"].as_str().unwrap().starts_with(&link));
    for time in ["qr_expires_at", "created_at", "updated_at"] {
        let text = session[time].as_str().unwrap();
        assert!(text.len() == 24 && text.ends_with('Z'), "{time} is {text}");
    }
    assert!(session.get("pairing_code").is_none(), "the code is inside the link, for the owner alone");

    let again = system.post("/api/session/create", &json!({"userId": "ada"})).await;
    assert_eq!(again.json["message"], "Session already exists");
    assert_eq!(again.json["session"], *session);

    let mut row = session.clone();
    row["qr_expired"] = json!(false);
    let status = system.get(&format!("/api/session/status?sessionId={}", session["id"].as_str().unwrap())).await;
    assert_eq!(status.json, json!({"success": true, "session": row}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_concurrent_creates_make_one_session() {
    let system = System::start().await;
    let body = json!({"userId": "ada"});
    let answers = futures_util::future::join_all((0..50).map(|_| system.post("/api/session/create", &body))).await;
    let created = answers.iter().filter(|a| a.json["message"] == "Session created successfully").count();
    let existing = answers.iter().filter(|a| a.json["message"] == "Session already exists").count();
    assert_eq!((created, existing), (1, 49));
    assert!(answers.iter().all(|answer| answer.json["session"] == answers[0].json["session"]));
    assert_eq!(system.items("session").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_whose_answer_was_lost_still_says_created() {
    let system = System::start().await;
    system.table_fails("PutItem", local::database::Fault::ConnectionLostAfterCommit, 1);
    let made = system.post("/api/session/create", &json!({"userId": "ada"})).await;
    assert_eq!(made.json["message"], "Session created successfully");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_qr_code_comes_as_text_and_as_pictures_that_scan() {
    let system = System::start().await;
    let session = system.create("ada").await;
    let path = format!("/api/qr?sessionId={}", session["id"].as_str().unwrap());
    let text = system.get(&path).await;
    let expected = json!({"success": true, "qr": session["qr"], "qr_expires_at": session["qr_expires_at"]});
    assert_eq!(text.json, expected);
    assert_eq!(system.get(&format!("{path}&format=text")).await.json, expected);

    let image = system.get(&format!("{path}&format=image")).await;
    assert_eq!(image.header("content-type"), "image/png");
    assert_eq!(image.header("cache-control"), "no-store, no-cache, must-revalidate");
    assert_eq!(crate::system::scan_png(&image.bytes), session["qr"].as_str().unwrap());

    let svg = system.get(&format!("{path}&format=svg")).await;
    assert_eq!(svg.header("content-type"), "image/svg+xml");
    assert_eq!(svg.header("cache-control"), "no-store, no-cache, must-revalidate");
    assert!(String::from_utf8(svg.bytes).unwrap().contains("<svg"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_qr_code_is_replaced_once() {
    let system = System::start().await;
    let session = system.create("ada").await;
    let id = session["id"].as_str().unwrap();
    system.set_string(&format!("SESSION#{id}"), "SESSION", "qr_expires_at", "2020-01-01T00:00:00.000Z").await;
    let status = system.get(&format!("/api/session/status?sessionId={id}")).await;
    assert_eq!(status.json["session"]["qr_expired"], true);

    let path = format!("/api/qr?sessionId={id}&format=image");
    let answers = futures_util::future::join_all((0..20).map(|_| system.get(&path))).await;
    let expired: Vec<_> = answers.iter().filter(|answer| !answer.json.is_null()).collect();
    assert!(!expired.is_empty(), "the first one found it expired");
    for answer in expired {
        let message = "QR expired. Generating new one...";
        assert_eq!(answer.json, json!({"success": false, "qr": null, "expired": true, "message": message}));
        assert!(!answer.header("retry-after").is_empty());
    }
    let first = system.get(&format!("/api/qr?sessionId={id}")).await;
    assert_eq!(first.json["success"], true);
    assert_ne!(first.json["qr"], session["qr"]);
    assert_eq!(system.get(&format!("/api/qr?sessionId={id}")).await.json, first.json);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_without_a_number_has_no_qr_code_yet() {
    let system = System::start_with(&[("PhoneNumberId", ""), ("DisplayPhoneNumber", "")]).await;
    let session = system.create("ada").await;
    assert_eq!(session["qr"], Value::Null);
    let answer = system.get(&format!("/api/qr?sessionId={}", session["id"].as_str().unwrap())).await;
    assert_eq!(answer.json, json!({"success": false, "qr": null, "message": "QR not yet generated. Please wait..."}));
    assert!(!answer.header("retry-after").is_empty());
}

/// Every refusal has its status, its sentence and the error shape; and every answer, good or bad, its headers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_is_refused_with_a_sentence() {
    let system = System::start().await;
    let unknown = "00000000-0000-4000-8000-000000000000";
    let deep = format!("{{\"userId\": {}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let long_text = "é".repeat(4097);
    let json_body = |value: Value| value.to_string().into_bytes();
    let create = "/api/session/create";
    let send = "/api/messages/send";
    let cases: Vec<(&str, String, Vec<u8>, u16, &str)> = vec![
        ("POST", create.into(), b"{}".to_vec(), 400, "userId is required"),
        ("POST", create.into(), json_body(json!({"userId": "  "})), 400, "userId is required"),
        ("POST", create.into(), json_body(json!({"userId": null})), 400, "userId is required"),
        ("POST", create.into(), json_body(json!({"userId": 7})), 400, "userId must be a string"),
        ("POST", create.into(), json_body(json!({"userId": "x".repeat(257)})), 400, "userId has 257 bytes"),
        ("POST", create.into(), json_body(json!({"userId": "a", "phoneNumberId": "9"})), 400, "phoneNumberId is not"),
        ("POST", create.into(), b"".to_vec(), 400, "The body is empty"),
        ("POST", create.into(), b"[]".to_vec(), 400, "The body must be a JSON object"),
        ("POST", create.into(), b"{\"userId\": ".to_vec(), 400, "The body is not valid JSON"),
        ("POST", create.into(), b"{\"userId\": \"\xff\"}".to_vec(), 400, "The body is not UTF-8"),
        ("POST", create.into(), deep.into_bytes(), 400, "The body is not valid JSON"),
        ("POST", create.into(), vec![b' '; 256 * 1024 + 1], 413, "The body is larger than 256 KiB"),
        ("GET", "/api/session/status".into(), vec![], 400, "sessionId is required"),
        ("GET", "/api/session/status?sessionId=".into(), vec![], 400, "sessionId is required"),
        ("GET", "/api/session/status?sessionId=ada".into(), vec![], 400, "sessionId must be a UUID"),
        ("GET", format!("/api/session/status?sessionId={unknown}"), vec![], 404, "Session not found"),
        (
            "GET",
            format!("/api/session/status?sessionId={unknown}&sessionId={unknown}"),
            vec![],
            400,
            "sessionId is given twice",
        ),
        ("GET", "/api/session/status?sessionId=%zz".into(), vec![], 400, "sessionId is not percent-encoded UTF-8"),
        ("GET", "/api/session/status?sessionId=%ff".into(), vec![], 400, "sessionId is not percent-encoded UTF-8"),
        ("GET", "/api/qr".into(), vec![], 400, "sessionId is required"),
        ("GET", format!("/api/qr?sessionId={unknown}"), vec![], 404, "Session not found"),
        ("GET", format!("/api/qr?sessionId={unknown}&format=gif"), vec![], 400, "format must be text, image or svg"),
        ("POST", send.into(), b"{}".to_vec(), 400, "sessionId, to, and message are required"),
        (
            "POST",
            send.into(),
            json_body(json!({"sessionId": unknown, "to": "+201001234567"})),
            400,
            "sessionId, to, and message are required",
        ),
        (
            "POST",
            send.into(),
            json_body(json!({"sessionId": unknown, "to": "+201001234567", "message": " "})),
            400,
            "sessionId, to, and message are required",
        ),
        (
            "POST",
            send.into(),
            json_body(json!({"sessionId": "x", "to": "+201001234567", "message": "hi"})),
            400,
            "sessionId must be a UUID",
        ),
        (
            "POST",
            send.into(),
            json_body(json!({"sessionId": unknown, "to": 201001234567_u64, "message": "hi"})),
            400,
            "to must be a string",
        ),
        (
            "POST",
            send.into(),
            json_body(json!({"sessionId": unknown, "to": "me", "message": "hi"})),
            400,
            "to is not a WhatsApp address",
        ),
        (
            "POST",
            send.into(),
            json_body(json!({"sessionId": unknown, "to": "+201001234567", "message": ["hi"]})),
            400,
            "message must be a string",
        ),
        (
            "POST",
            send.into(),
            json_body(json!({"sessionId": unknown, "to": "+201001234567", "message": long_text})),
            400,
            "message has 4097 characters",
        ),
        (
            "POST",
            send.into(),
            json_body(json!({"sessionId": unknown, "to": "+201001234567", "type": "fax"})),
            400,
            "type must be one of text",
        ),
        (
            "POST",
            send.into(),
            json_body(json!({"sessionId": unknown, "to": "+201001234567", "message": "hi"})),
            404,
            "Session not found",
        ),
        ("GET", create.into(), vec![], 405, "Use POST on this path"),
        ("DELETE", "/api/qr".into(), vec![], 405, "Use GET on this path"),
        ("PUT", "/api/webhook".into(), vec![], 405, "Use GET, POST on this path"),
        ("GET", "/api/nothing".into(), vec![], 404, "There is nothing at this path"),
        ("GET", "/".into(), vec![], 404, "There is nothing at this path"),
        ("GET", "/api/session/status/../../%2e%2e/etc?x=%".into(), vec![], 404, "There is nothing at this path"),
        ("PUT", "/api/session/qr".into(), json_body(json!({"sessionId": unknown})), 400, "qr is required"),
        (
            "PUT",
            "/api/session/qr".into(),
            json_body(json!({"sessionId": unknown, "qr": "x".repeat(2001), "expiresInSeconds": 20})),
            400,
            "qr has 2001 bytes",
        ),
        (
            "PUT",
            "/api/session/qr".into(),
            json_body(json!({"sessionId": unknown, "qr": "x"})),
            400,
            "expiresInSeconds is required",
        ),
        (
            "PUT",
            "/api/session/qr".into(),
            json_body(json!({"sessionId": unknown, "qr": "x", "expiresInSeconds": 1.5})),
            400,
            "expiresInSeconds must be a whole number from 1 to 3600",
        ),
        (
            "PUT",
            "/api/session/qr".into(),
            json_body(json!({"sessionId": unknown, "qr": "x", "expiresInSeconds": 20})),
            404,
            "Session not found",
        ),
        (
            "PUT",
            "/api/session/state".into(),
            json_body(json!({"sessionId": unknown, "isReady": true})),
            400,
            "isConnected is required",
        ),
        (
            "PUT",
            "/api/session/state".into(),
            json_body(json!({"sessionId": unknown, "isConnected": 1, "isReady": true})),
            400,
            "isConnected must be true or false",
        ),
        ("POST", "/api/outbox/claim".into(), b"{}".to_vec(), 400, "sessionId is required"),
        (
            "POST",
            "/api/outbox/claim".into(),
            json_body(json!({"sessionId": unknown, "limit": 0})),
            400,
            "limit must be a whole number from 1 to 100",
        ),
        (
            "POST",
            "/api/outbox/claim".into(),
            json_body(json!({"sessionId": unknown, "leaseSeconds": "60"})),
            400,
            "leaseSeconds must be a whole number from 5 to 600",
        ),
        (
            "POST",
            "/api/outbox/settle".into(),
            json_body(json!({"messageId": "x", "lease": unknown, "sent": {"id": "1"}})),
            400,
            "messageId must be a UUID",
        ),
        (
            "POST",
            "/api/outbox/settle".into(),
            json_body(json!({"messageId": unknown, "lease": "x", "sent": {"id": "1"}})),
            400,
            "lease must be a UUID",
        ),
        (
            "POST",
            "/api/outbox/settle".into(),
            json_body(json!({"messageId": unknown, "lease": unknown})),
            400,
            "Give either sent or failed",
        ),
        (
            "POST",
            "/api/outbox/settle".into(),
            json_body(json!({"messageId": unknown, "lease": unknown, "sent": {}})),
            400,
            "sent.id must have 1 to 1024 bytes",
        ),
        (
            "POST",
            "/api/outbox/settle".into(),
            json_body(json!({"messageId": unknown, "lease": unknown, "sent": {"id": "1"}})),
            404,
            "Message not found",
        ),
        (
            "POST",
            "/api/messages/receive".into(),
            json_body(json!({"sessionId": unknown, "from": "201001234567", "timestamp": 1})),
            400,
            "id is required",
        ),
        (
            "POST",
            "/api/messages/receive".into(),
            json_body(json!({"sessionId": unknown, "id": "1", "from": "me", "timestamp": 1})),
            400,
            "from is not a WhatsApp address",
        ),
        (
            "POST",
            "/api/messages/receive".into(),
            json_body(json!({"sessionId": unknown, "id": "1", "from": "201001234567"})),
            400,
            "timestamp is required",
        ),
        (
            "POST",
            "/api/messages/receive".into(),
            json_body(json!({"sessionId": unknown, "id": "1", "from": "201001234567", "timestamp": -1})),
            400,
            "timestamp must be",
        ),
        (
            "POST",
            "/api/messages/receive".into(),
            json_body(json!({"sessionId": unknown, "id": "1", "from": "201001234567", "timestamp": 1, "text": 7})),
            400,
            "text must be a string, or an object with a body",
        ),
        ("GET", "/api/messages/%zz".into(), vec![], 400, "messageId is not percent-encoded UTF-8"),
        ("GET", format!("/api/messages/{unknown}"), vec![], 404, "Message not found"),
        ("GET", format!("/api/messages/wamid.x?sessionId={unknown}"), vec![], 404, "Session not found"),
        ("GET", "/api/messages/".into(), vec![], 404, "There is nothing at this path"),
        ("POST", format!("/api/messages/{unknown}"), vec![], 405, "Use GET on this path"),
        ("GET", "/api/messages/receive".into(), vec![], 405, "Use POST on this path"),
        ("POST", "/api/session/qr".into(), vec![], 405, "Use PUT on this path"),
        ("POST", "/api/session/resume".into(), json_body(json!({"sessionId": unknown})), 404, "Session not found"),
    ];
    for (method, path, body, status, sentence) in cases {
        let answer = system.request(method, &path, &[], body).await;
        let case = format!("{method} {path}: {}", answer.json);
        assert_eq!(answer.status, status, "{case}");
        let error = answer.json["error"].as_str().unwrap_or_default();
        assert!(error.starts_with(sentence), "{case}");
        assert!(
            answer.json["code"].as_str().is_some_and(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')),
            "{case}"
        );
        assert_eq!(answer.json["requestId"], answer.header("x-request-id"), "{case}");
        assert!(!answer.header("x-request-id").is_empty(), "{case}");
        assert_eq!(answer.header("cache-control"), "no-store", "{case}");
        assert_eq!(!answer.header("allow").is_empty(), status == 405, "{case}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_failing_is_a_503_and_leaves_nothing_half_done() {
    let system = System::start().await;
    system.table_fails("PutItem", local::database::Fault::InternalServerError, 3);
    let answer = system.post("/api/session/create", &json!({"userId": "ada"})).await;
    assert_eq!(answer.status, 503);
    assert!(!answer.header("retry-after").is_empty());
    assert!(!answer.json["error"].as_str().unwrap().to_lowercase().contains("dynamo"), "nothing internal leaks");
    assert!(system.items("session").await.is_empty());
    assert_eq!(system.create("ada").await["owner_id"], "ada");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_that_is_called_too_often_answers_429_and_the_others_go_on() {
    let system = System::start().await;
    let verify = "/api/webhook?hub.mode=subscribe&hub.verify_token=guess&hub.challenge=7";
    let answers = futures_util::future::join_all((0..200).map(|_| system.get(verify))).await;
    let of = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert!(of(403) >= 20, "the burst is let through");
    assert!(of(429) > 0 && of(403) + of(429) == 200, "{} and {}", of(403), of(429));
    assert_eq!(system.create("ada").await["owner_id"], "ada");
}
