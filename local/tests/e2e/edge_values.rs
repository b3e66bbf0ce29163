//! Edge values in every place of every request body.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    http_edges::{assert_answered, guarded, request_to, tenant},
    tenancy::Ids,
    test_app::TestApp,
};

/// Values at which parsers, times, and the table change what they do.
fn edges() -> Vec<Value> {
    let mut edges = vec![json!(null), json!(true), json!([]), json!({}), json!(["x"]), json!({"a": {"b": [1]}})];
    edges.extend([json!(0), json!(-0.0), json!(-1), json!(0.5), json!(1_u64 << 53), json!(u64::MAX), json!(1e308)]);
    for seconds in [253_402_200_000_i64, 253_402_207_199, 253_402_207_200, 253_402_300_799, 253_402_300_800] {
        edges.extend([json!(seconds), json!(seconds.to_string())]);
    }
    let texts = [
        "1970-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "9999-12-30T21:59:59Z",
        "9999-12-31T23:59:59.999Z",
        "2027-01-01T00:00:00+14:00",
        "2016-12-31T23:59:60Z",
        "",
        " ",
        "\0",
        "a\0b",
        "\u{ffff}",
        "\u{202e}abc",
        "e\u{301}",
        "👨‍👩‍👧‍👦",
        "\u{200b}",
        "\u{3164}",
        "+20 100 123 4567",
        "201001234567@s.whatsapp.net",
        "120363025246125486@g.us",
        "{{name}}",
        "..",
        "INBOX",
        "text",
        "image",
    ];
    edges.extend(texts.map(|text| json!(text)));
    for length in [256, 257, 1024, 1025, 4096, 4097] {
        edges.extend([json!("a".repeat(length)), json!("😀".repeat(length))]);
    }
    edges
}

fn pointers(value: &Value, prefix: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                pointers(value, format!("{prefix}/{name}"), found);
            }
        }
        Value::Array(entries) => {
            for (index, value) in entries.iter().enumerate() {
                pointers(value, format!("{prefix}/{index}"), found);
            }
        }
        _ => {}
    }
    found.push(prefix);
}

/// Puts every edge value into every place of every body. No request fails, and everything that is stored can be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edge_values_in_every_body_leave_everything_readable() {
    let app = TestApp::start().await;
    let ids = tenant(&app).await;
    let session = &ids.session;
    let richer = [
        (
            "POST /api/messages/receive",
            json!({"sessionId": session, "id": "3EB1", "from": "201001234568", "timestamp": 1_749_416_383, "name": "Grace", "type": "text", "text": "hello"}),
        ),
        (
            "POST /api/messages/send",
            json!({"sessionId": session, "to": "201001234569", "message": "hello", "validUntil": "2027-01-01T00:00:00Z", "reference": "order 7", "category": "marketing", "priority": "bulk"}),
        ),
        (
            "POST /api/messages/send",
            json!({"sessionId": session, "to": "201001234569", "type": "location", "location": {"latitude": 30.0, "longitude": 31.2, "name": "Cairo"}}),
        ),
        (
            "PATCH /api/chats/{chatId}",
            json!({"status": "INBOX", "name": "Ada", "isUnread": true, "consent": {"marketing": "granted"}}),
        ),
        (
            "POST /api/auto-replies/dry-run",
            json!({"sessionId": session, "text": "hello", "at": "2027-01-01T00:00:00Z", "chatId": ids.chat}),
        ),
        (
            "PUT /api/auto-replies/{ruleId}",
            json!({"name": "x", "priority": 1, "cooldownSeconds": 60, "trigger": {"type": "outside_hours"}, "reply": {"message": "Hi {{name}}"}, "schedule": {"timeZone": "Africa/Cairo", "hours": {"monday": [{"from": "09:00", "to": "17:00"}]}}}),
        ),
        (
            "POST /api/keys",
            json!({"name": "x", "ownerId": "ada", "scopes": ["rules"], "expiresAt": "2027-01-01T00:00:00Z"}),
        ),
    ];
    let mut requests: Vec<_> = richer
        .into_iter()
        .map(|(route, body)| {
            let (method, path, _) = request_to(route, &ids);
            (method, path, body)
        })
        .collect();
    requests.extend(guarded().iter().map(|route| request_to(route, &ids)).filter(|(_, _, body)| !body.is_null()));
    // Admins only, and limited to a few requests per second.
    let limited = ["/api/session/create", "/api/keys", "/api/numbers"];
    let edges = edges();
    let mut codes = BTreeSet::new();
    for (method, path, body) in requests {
        let mut places = Vec::new();
        pointers(&body, String::new(), &mut places);
        let every = if limited.iter().any(|limited| path.starts_with(limited)) { 12 } else { 1 };
        let cases = places.iter().flat_map(|place| edges.iter().map(move |edge| (place, edge)));
        for (place, edge) in cases.step_by(every) {
            let mut mutated = body.clone();
            *mutated.pointer_mut(place).unwrap() = edge.clone();
            let response = app.request(&method, &path, &[], mutated.to_string().into_bytes()).await;
            assert_answered(&format!("{method} {path} {mutated}"), &response);
            codes.insert(response.json["code"].as_str().unwrap_or("none").to_owned());
        }
    }
    for code in ["none", "invalid_field", "missing_field", "unknown_field", "invalid_recipient", "text_too_long"] {
        assert!(codes.contains(code), "no request led to {code}: {codes:?}");
    }
    assert_all_readable(&app, &ids).await;
}

/// Reads everything that the API returns of a tenant, page by page.
async fn assert_all_readable(app: &TestApp, ids: &Ids) {
    for route in guarded().iter().filter(|route| route.starts_with("GET ")) {
        let (_, path, _) = request_to(route, ids);
        let read = app.get(&path).await;
        // A rule or number may have been replaced or may not exist. A worker's session has no templates.
        let expected = match route.as_str() {
            "GET /api/templates" => [409, 409],
            "GET /api/media/{mediaId}" => [302, 302],
            _ => [200, 404],
        };
        assert!(expected.contains(&read.status), "{route}: {} {}", read.status, read.json);
    }
    let chats = app.all(&format!("/api/chats?sessionId={}&limit=100", ids.session), "chats").await;
    assert!(chats.len() > 2, "edge values of `to` and `from` made chats: {}", chats.len());
    for chat in &chats {
        let path = format!("/api/chats/{}", chat["id"].as_str().unwrap());
        assert_eq!(app.get(&path).await.status, 200);
        app.all(&format!("{path}/export?limit=100"), "messages").await;
        for message in app.all(&format!("{path}/messages?limit=100"), "messages").await {
            let found = app.get(&format!("/api/messages/{}", message["id"].as_str().unwrap())).await;
            assert_eq!(found.status, 200, "{message}");
        }
        assert_eq!(app.request("POST", &format!("{path}/read"), &[], Vec::new()).await.status, 200);
    }
    for list in ["/api/auto-replies", "/api/events", "/api/session/status"] {
        assert_eq!(app.get(&format!("{list}?sessionId={}", ids.session)).await.status, 200, "{list}");
    }
}
