use std::{collections::BTreeMap, net::Ipv4Addr, sync::Mutex, time::Duration};

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;
use crate::template::{Authorizer, Cors, EventInvokeConfig, Function, HttpApi, Route, Table, Throttle};

struct Harness {
    address: SocketAddr,
    output: Output,
    events: Arc<Mutex<Vec<Value>>>,
    _stop: tokio_util::sync::DropGuard,
}

fn template() -> Template {
    let route = |path: &str, timeout| Route {
        method: "ANY".into(),
        path: path.into(),
        timeout,
        throttle: None,
        authorizer: None,
    };
    let routes = vec![
        route("/ok", Duration::from_secs(30)),
        route("/closed", Duration::from_secs(30)),
        route("/slow", Duration::from_millis(50)),
        route("/fail", Duration::from_secs(30)),
        route("/odd", Duration::from_secs(30)),
        Route { authorizer: Some("Keys".into()), ..route("/guarded", Duration::from_secs(30)) },
    ];
    let function = Function {
        logical_id: "F".into(),
        name: "f".into(),
        timeout: Duration::from_secs(3),
        memory_mb: 128,
        environment: BTreeMap::new(),
        json_logs: true,
        log_level: "INFO".into(),
        reserved_concurrency: None,
        event_invoke_config: EventInvokeConfig::default(),
        permissions: Vec::new(),
        routes,
        streams: vec![],
        schedules: vec![],
    };
    let closed = Throttle { rate: 0.0, burst: 0 };
    let route_throttles = BTreeMap::from([("ANY /closed".to_owned(), closed)]);
    Template {
        keys: Vec::new(),
        buckets: BTreeMap::new(),
        functions: vec![function],
        table: Table {
            logical_id: "T".into(),
            name: "t".into(),
            arn: String::new(),
            create: json!({}),
            ttl_attribute: None,
        },
        http_api: HttpApi {
            route_throttles,
            cors: Some(Cors { allow_origins: vec!["https://app.example".into()], ..Cors::default() }),
            authorizers: BTreeMap::from([(
                "Keys".to_owned(),
                Authorizer {
                    function: "guard".into(),
                    headers: vec!["Authorization".into()],
                    cache_ttl: Duration::from_secs(60),
                },
            )]),
            ..HttpApi::default()
        },
        secrets: BTreeMap::new(),
        parameters: BTreeMap::new(),
    }
}

async fn start() -> Harness {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let lambda = Lambda::fake(move |function, event| {
        let event: Value = serde_json::from_slice(&event).unwrap();
        if function == "guard" {
            let response = match event["identitySource"][0].as_str().unwrap() {
                "good" => json!({"isAuthorized": true, "context": {"owner": "ada"}}),
                "bad" => json!({"isAuthorized": false, "context": {"owner": "ada"}}),
                _ => json!({"isAuthorized": "perhaps"}),
            };
            seen.lock().unwrap().push(event);
            return Box::pin(async move { Ok(Bytes::from(response.to_string())) });
        }
        let path = event["rawPath"].as_str().unwrap().to_owned();
        seen.lock().unwrap().push(event);
        Box::pin(async move {
            match path.as_str() {
                "/fail" => Err(InvokeError::TimedOut { after: Duration::from_secs(3) }),
                "/odd" => Ok(Bytes::from_static(b"{\"statusCode\":\"x\"}")),
                "/slow" => std::future::pending().await,
                _ => Ok(Bytes::from_static(b"{\"statusCode\":200,\"body\":\"fine\",\"cookies\":[\"a=1\"]}")),
            }
        })
    });
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (output, stop) = (Output::captured(), CancellationToken::new());
    let (template, task_output, task_stop) = (template(), output.clone(), stop.clone());
    tokio::spawn(async move { serve(listener, &template, lambda, task_output, None, task_stop).await });
    Harness { address, output, events, _stop: stop.drop_guard() }
}

impl Harness {
    /// Returns the response to raw bytes. The server may respond before it has read the entire request.
    async fn send(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let _ = stream.write_all(request).await;
        let mut response = Vec::new();
        let _ = stream.read_to_end(&mut response).await;
        String::from_utf8_lossy(&response).into_owned()
    }

    async fn get(&self, path: &str) -> String {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await
    }
}

#[tokio::test]
async fn a_response_is_returned_and_logged() {
    let harness = start().await;
    let response = harness.get("/ok?token=hush&x=1").await;
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with("\r\n\r\nfine"), "{response}");
    assert!(response.contains("\r\nset-cookie: a=1\r\n") && response.contains("\r\napigw-requestid: "), "{response}");
    assert_eq!(harness.events.lock().unwrap()[0]["rawQueryString"], "token=hush&x=1");
    let lines = harness.output.lines();
    assert!(lines[0].contains("GET /ok?token&x 200") && lines[0].contains("f warm"), "{lines:?}");
    assert!(!lines[0].contains("hush"));
}

#[tokio::test]
async fn errors_have_the_wording_of_api_gateway() {
    let harness = start().await;
    for (path, status, message) in [
        ("/nowhere", 404, "Not Found"),
        ("/closed", 429, "Too Many Requests"),
        ("/slow", 503, "Service Unavailable"),
        ("/fail", 500, "Internal Server Error"),
        ("/odd", 500, "Internal Server Error"),
    ] {
        let response = harness.get(path).await;
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
        assert!(response.contains("\r\ncontent-type: application/json\r\n"), "{response}");
        assert!(response.ends_with(&format!("\r\n\r\n{{\"message\":\"{message}\"}}")), "{response}");
    }
}

#[tokio::test]
async fn authorizer_decisions_are_enforced_and_cached() {
    let harness = start().await;
    let call = async |header: &str| {
        let request = format!("GET /guarded?a=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n");
        harness.send(request.as_bytes()).await
    };
    for (header, status, end, invocations) in [
        ("", "401", "{\"message\":\"Unauthorized\"}", 0),
        ("Authorization:\r\n", "401", "{\"message\":\"Unauthorized\"}", 0),
        ("Authorization: bad\r\n", "403", "{\"message\":\"Forbidden\"}", 1),
        ("Authorization: bad\r\n", "403", "{\"message\":\"Forbidden\"}", 0),
        ("authorization: good\r\n", "200", "fine", 2),
        ("Authorization: good\r\n", "200", "fine", 1),
        // Invalid responses are not cached.
        ("Authorization: odd\r\n", "500", "{\"message\":\"Internal Server Error\"}", 1),
        ("Authorization: odd\r\n", "500", "{\"message\":\"Internal Server Error\"}", 1),
    ] {
        let before = harness.events.lock().unwrap().len();
        let response = call(header).await;
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")) && response.ends_with(end),
            "{header}: {response}"
        );
        assert_eq!(harness.events.lock().unwrap().len() - before, invocations, "{header}");
    }
    let events = harness.events.lock().unwrap();
    let authorizer_event = &events[1];
    assert_eq!((&authorizer_event["type"], &authorizer_event["version"]), (&json!("REQUEST"), &json!("2.0")));
    assert_eq!(
        (&authorizer_event["routeKey"], &authorizer_event["identitySource"]),
        (&json!("ANY /guarded"), &json!(["good"]))
    );
    assert!(authorizer_event["routeArn"].as_str().unwrap().ends_with("/$default/GET/guarded"));
    assert_eq!(events[2]["requestContext"]["authorizer"], json!({"lambda": {"owner": "ada"}}));
}

#[tokio::test]
async fn a_preflight_fails_on_a_route_with_an_authorizer() {
    let harness = start().await;
    let preflight = async |path: &str| {
        let headers =
            "Host: x\r\nOrigin: https://app.example\r\nAccess-Control-Request-Method: GET\r\nConnection: close";
        harness.send(format!("OPTIONS {path} HTTP/1.1\r\n{headers}\r\n\r\n").as_bytes()).await
    };
    for (path, status) in [("/ok", "204"), ("/nowhere", "204"), ("/guarded", "401")] {
        let response = preflight(path).await;
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {response}");
        assert!(response.contains("access-control-allow-origin: https://app.example"), "{path}: {response}");
    }
}

#[tokio::test]
async fn header_and_body_sizes_are_limited() {
    let harness = start().await;
    let long = "a".repeat(10_300);
    let headers = format!("GET /ok HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\nConnection: close\r\n\r\n");
    assert!(harness.send(headers.as_bytes()).await.starts_with("HTTP/1.1 431 "));
    let declared = "POST /ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ";
    let mut body = format!("{declared}{}\r\n\r\n", MAX_BODY_BYTES).into_bytes();
    body.resize(body.len() + MAX_BODY_BYTES, b'a');
    assert!(harness.send(&body).await.starts_with("HTTP/1.1 200 "));
    let mut body = format!("{declared}{}\r\n\r\n", MAX_BODY_BYTES + 1).into_bytes();
    body.resize(body.len() + MAX_BODY_BYTES + 1, b'a');
    let response = harness.send(&body).await;
    // The server may reset the connection while the client is still sending the body.
    assert!(response.is_empty() || response.ends_with("{\"message\":\"Request Entity Too Large\"}"), "{response}");
    assert!(harness.output.lines().iter().any(|line| line.contains("413")));
}

#[tokio::test]
async fn malformed_requests_do_not_stop_the_gateway() {
    let harness = start().await;
    for request in [
        &b"\r\n\r\n\r\n"[..],
        b"NONSENSE\r\n\r\n",
        b"GET /ok HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /ok HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(harness.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut response = Vec::new();
        let _ = stream.read_to_end(&mut response).await;
        let response = String::from_utf8_lossy(&response);
        assert!(response.is_empty() || response.starts_with("HTTP/1.1 4"), "{request:?}: {response}");
    }
    for request in ["BREW /ok", "GET http://other/ok", "GET /ok?%zz=%ff&&=", "GET /%6fk"] {
        let request = format!("{request} HTTP/1.1\r\nHost: \"\r\nX-Odd: \u{e9}\r\nConnection: close\r\n\r\n");
        let response = harness.send(request.as_bytes()).await;
        assert!(response.starts_with("HTTP/1.1 200 "), "{request}: {response}");
    }
}
