use std::time::Duration;

use axum::{body::Body, http::Request};

use super::*;
use crate::template::Route;

fn event(request: axum::http::request::Builder, body: &[u8], parameters: &[(&str, &str)]) -> Value {
    let (parts, _) = request.body(Body::empty()).unwrap().into_parts();
    let timeout = Duration::from_secs(30);
    let route = Route { method: "ANY".into(), path: "/api/qr".into(), timeout, throttle: None, authorizer: None };
    let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let matched = RouteMatch { function: "qr", route: &route, parameters };
    let path = decoded_path(parts.uri.path());
    let context = RequestContext {
        client: "127.0.0.1:50000".parse().unwrap(),
        port: 8787,
        request_id: "AAAAAAAAAAAAAAA=",
        now: Timestamp::from_millisecond(1_795_348_800_123).unwrap(),
        path: &path,
    };
    let mut event = build(&parts, &matched, &context);
    add_body(&mut event, &parts, body);
    event
}

#[test]
fn the_event_has_all_members_of_the_format() {
    let request = Request::get("/api/qr?sessionId=a%20b&format=text&format=svg")
        .header("Host", "127.0.0.1:8787")
        .header("User-Agent", "curl/8")
        .header("X-Two", "1")
        .header("X-Two", "2")
        .header("Cookie", "a=1; b=2")
        .header("Connection", "close");
    assert_eq!(
        event(request, b"", &[("id", "7")]),
        json!({
            "version": "2.0",
            "routeKey": "ANY /api/qr",
            "rawPath": "/api/qr",
            "rawQueryString": "sessionId=a%20b&format=text&format=svg",
            "cookies": ["a=1", "b=2"],
            "headers": {
                "host": "127.0.0.1:8787", "user-agent": "curl/8", "x-two": "1,2",
                "x-forwarded-for": "127.0.0.1", "x-forwarded-port": "8787", "x-forwarded-proto": "http",
            },
            "queryStringParameters": {"sessionId": "a b", "format": "text,svg"},
            "pathParameters": {"id": "7"},
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "local",
                "domainName": "127.0.0.1:8787",
                "domainPrefix": "127",
                "http": {
                    "method": "GET", "path": "/api/qr", "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1", "userAgent": "curl/8",
                },
                "requestId": "AAAAAAAAAAAAAAA=",
                "routeKey": "ANY /api/qr",
                "stage": "$default",
                "time": "22/Nov/2026:12:00:00 +0000",
                "timeEpoch": 1_795_348_800_123_i64,
            },
            "isBase64Encoded": false,
        })
    );
}

#[test]
fn bodies_are_text_or_base64() {
    let body = |content_type: Option<&str>, body: &[u8]| {
        let request = Request::post("/api/qr");
        let request = match content_type {
            Some(kind) => request.header("content-type", kind),
            None => request,
        };
        let event = event(request, body, &[]);
        (event["body"].clone(), event["isBase64Encoded"].as_bool().unwrap())
    };
    for kind in ["application/json", "Application/JSON; charset=utf-8", "text/plain", "application/problem+json"] {
        assert_eq!(body(Some(kind), b"{}"), (json!("{}"), false), "{kind}");
    }
    for kind in [None, Some("application/x-www-form-urlencoded"), Some("image/png")] {
        assert_eq!(body(kind, b"{}"), (json!("e30="), true), "{kind:?}");
    }
    assert_eq!(body(Some("application/json"), &[0xff]), (json!("/w=="), true));
    assert_eq!(body(Some("application/json"), b""), (Value::Null, false));
}

#[test]
fn invalid_encodings_stay_unchanged() {
    let event = event(Request::get("/api/qr?a=%zz&b=%ff&c=%&d=%41+&%e2%82%ac=1&=&&e"), b"", &[]);
    assert_eq!(event["rawQueryString"], "a=%zz&b=%ff&c=%&d=%41+&%e2%82%ac=1&=&&e");
    let wanted = json!({"a": "%zz", "b": "%ff", "c": "%", "d": "A ", "€": "1", "": "", "e": ""});
    assert_eq!(event["queryStringParameters"], wanted);
}

#[test]
fn the_path_is_decoded() {
    for (path, wanted) in [
        ("/api/%71r", "/api/qr"),
        ("/a%20b/%C3%A9", "/a b/é"),
        ("/a%3Fb=1", "/a"),
        ("/%zz/%", "/%zz/%"),
        ("/%ff", "/\u{fffd}"),
    ] {
        assert_eq!(decoded_path(path), wanted);
    }
}
