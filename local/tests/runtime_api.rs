//! The function processes and the Runtime API. This program is both the tests and the tested function: with Lambda's
//! environment variables it handles events. It needs its own `main`, hence `harness = false`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods, reason = "a test")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use axum::body::Bytes;
use local::database::usage::UsageMeter;
use local::lambda::{Deployment, InvokeError, Lambda};
use local::output::Output;
use local::template::{EventInvokeConfig, Function};
use serde_json::{Value, json};

fn main() {
    match std::env::var("AWS_LAMBDA_RUNTIME_API") {
        Ok(api) => function(&api),
        Err(_) => tokio::runtime::Runtime::new().unwrap().block_on(tests()),
    }
}

/// Handles events as the tested function.
fn function(api: &str) {
    if std::env::var("FAIL").is_ok() {
        std::process::exit(4);
    }
    let (address, instance) = api.strip_prefix("http://").unwrap().split_once('/').unwrap();
    loop {
        let (head, event) = call(address, "GET", &format!("/{instance}/2018-06-01/runtime/invocation/next"), "");
        let id = head.lines().find_map(|line| line.strip_prefix("lambda-runtime-aws-request-id: ")).unwrap();
        let result = |kind: &str| format!("/{instance}/2018-06-01/runtime/invocation/{id}/{kind}");
        let event: Value = serde_json::from_str(&event).unwrap();
        match event["action"].as_str().unwrap() {
            "describe" => {
                let mut names: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
                names.sort();
                let key = std::env::var("AWS_ACCESS_KEY_ID").unwrap();
                let response = json!({"pid": std::process::id(), "key": key, "names": names, "head": head});
                call(address, "POST", &result("response"), &response.to_string());
            }
            "log" => {
                let time = "2026-11-26T12:00:00.000Z";
                for (level, message) in [("INFO", "stored"), ("WARN", "slow")] {
                    let fields = json!({"message": message, "count": 2});
                    println!("{}", json!({"timestamp": time, "level": level, "fields": fields}));
                }
                println!("a line of text");
                call(address, "POST", &result("response"), "{}");
            }
            "fail" => {
                call(address, "POST", &result("error"), r#"{"errorType":"TestError","errorMessage":"test failure"}"#);
            }
            "misuse" => {
                let (unknown_id, _) = call(address, "POST", &result("response").replace(id, "another"), "{}");
                assert!(unknown_id.starts_with("HTTP/1.1 403"), "{unknown_id}");
                let (early, _) = call(address, "GET", &format!("/{instance}/2018-06-01/runtime/invocation/next"), "");
                assert!(early.starts_with("HTTP/1.1 403"), "{early}");
                call(address, "POST", &result("response"), r#""right""#);
            }
            "huge" => {
                call(address, "POST", &result("response"), &"a".repeat(6_500_000));
            }
            "crash" => std::process::exit(3),
            "hang" => {
                println!("{} hangs", std::process::id());
                loop {
                    std::thread::park();
                }
            }
            other => panic!("{other}"),
        }
    }
}

/// Sends a request on a new connection, and returns the head and the body of the response.
fn call(address: &str, method: &str, path: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    // The response to a body that is too large can arrive before the body is read.
    let _ = stream.write_all(body.as_bytes());
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    let response = String::from_utf8(response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
    (head.replace("\r\n", "\n"), body.to_owned())
}

/// Runs the tests.
async fn tests() {
    process_is_reused_with_a_clean_environment().await;
    reported_error_keeps_the_process().await;
    crash_is_reported_and_the_process_is_replaced().await;
    process_is_killed_at_its_timeout().await;
    failed_start_is_an_error().await;
    invocations_beyond_the_concurrency_wait().await;
    cancelled_caller_does_not_end_the_invocation().await;
    log_lines_reach_the_console().await;
    log_lines_below_the_application_log_level_are_dropped().await;
    stop_ends_every_process().await;
    println!("Runtime API: all tests passed");
}

/// A running Lambda service with one function, `f`.
struct TestLambda {
    lambda: Lambda,
    output: Output,
}

/// Starts the service after `change` has adjusted the function.
async fn start(change: impl FnOnce(&mut Function)) -> TestLambda {
    let mut function = Function {
        logical_id: "F".into(),
        name: "f".into(),
        timeout: Duration::from_secs(20),
        memory_mb: 128,
        environment: BTreeMap::new(),
        json_logs: true,
        log_level: "INFO".into(),
        reserved_concurrency: None,
        event_invoke_config: EventInvokeConfig::default(),
        permissions: Vec::new(),
        routes: vec![],
        streams: vec![],
        schedules: vec![],
    };
    change(&mut function);
    let deployment = Deployment { function, binary: std::env::current_exe().unwrap() };
    let endpoints = BTreeMap::from([("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), "http://127.0.0.1:1".to_owned())]);
    let output = Output::captured();
    let lambda = Lambda::start(vec![deployment], endpoints, UsageMeter::default(), output.clone()).await.unwrap();
    TestLambda { lambda, output }
}

impl TestLambda {
    async fn invoke(&self, action: &str) -> Result<Value, InvokeError> {
        let response = self.lambda.invoke("f", event(action)).await?;
        Ok(serde_json::from_slice(&response).unwrap())
    }

    async fn pid(&self) -> u64 {
        self.invoke("describe").await.unwrap()["pid"].as_u64().unwrap()
    }

    fn has_logged(&self, text: &str) -> bool {
        self.output.lines().iter().any(|line| line.contains(text))
    }
}

fn event(action: &str) -> Bytes {
    json!({ "action": action }).to_string().into()
}

/// Whether the process runs. Always false outside Linux, which has no `/proc`.
fn is_running(pid: u64) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

async fn process_is_reused_with_a_clean_environment() {
    let test = start(|function| drop(function.environment.insert("TABLE_NAME".into(), "t".into()))).await;
    let first = test.lambda.invoke_measured("f", event("describe")).await;
    let second = test.lambda.invoke_measured("f", event("describe")).await;
    assert!(first.cold && !second.cold, "{first:?} {second:?} {:?}", test.output.lines());
    let (first, second): (Value, Value) = (
        serde_json::from_slice(&first.result.unwrap()).unwrap(),
        serde_json::from_slice(&second.result.unwrap()).unwrap(),
    );
    assert_eq!(first["pid"], second["pid"]);
    assert_eq!(first["key"], "f.1");
    let names: Vec<&str> = first["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(names.contains(&"TABLE_NAME") && names.contains(&"AWS_ENDPOINT_URL_DYNAMODB"));
    assert!(!names.iter().any(|name| name.starts_with("CARGO") || *name == "HOME"), "{names:?}");
    let head = first["head"].as_str().unwrap();
    for header in
        ["deadline-ms: ", "invoked-function-arn: arn:aws:lambda:us-east-1:000000000000:function:f", "trace-id: Root=1-"]
    {
        assert!(head.contains(&format!("lambda-runtime-{header}")), "{head}");
    }
    assert_eq!(test.invoke("misuse").await, Ok(json!("right")));
    assert_eq!(test.lambda.invoke("g", event("describe")).await, Err(InvokeError::Unknown { name: "g".into() }));
    let large = Bytes::from(vec![b' '; 6_291_557]);
    assert!(matches!(test.lambda.invoke("f", large).await, Err(InvokeError::TooLarge { .. })));
}

async fn reported_error_keeps_the_process() {
    let test = start(|_| {}).await;
    let pid = test.pid().await;
    let expected = InvokeError::Handled { error_type: "TestError".into(), message: "test failure".into() };
    assert_eq!(test.invoke("fail").await, Err(expected));
    assert!(test.has_logged("f: TestError: test failure"));
    let huge = test.invoke("huge").await.unwrap_err();
    assert!(huge.to_string().starts_with("Function.ResponseSizeTooLarge"), "{huge}");
    assert_eq!(test.pid().await, pid);
}

async fn crash_is_reported_and_the_process_is_replaced() {
    let test = start(|_| {}).await;
    let pid = test.pid().await;
    assert_eq!(test.invoke("crash").await, Err(InvokeError::Crashed { status: "exit status: 3".into() }));
    assert!(test.has_logged("f: the process ended: exit status: 3"));
    assert_ne!(test.pid().await, pid);
}

async fn process_is_killed_at_its_timeout() {
    let timeout = Duration::from_millis(1_500);
    let test = start(|function| function.timeout = timeout).await;
    let pid = test.pid().await;
    assert_eq!(test.invoke("hang").await, Err(InvokeError::TimedOut { after: timeout }));
    assert!(test.has_logged("f: timed out after 1.5 s"));
    assert!(!is_running(pid));
    assert_ne!(test.pid().await, pid);
}

async fn failed_start_is_an_error() {
    let test = start(|function| drop(function.environment.insert("FAIL".into(), "1".into()))).await;
    let error = test.invoke("describe").await.unwrap_err();
    assert_eq!(error, InvokeError::Init { reason: "the process ended: exit status: 4".into() });
    assert!(test.has_logged("f: could not start: the process ended: exit status: 4"));
}

async fn invocations_beyond_the_concurrency_wait() {
    let test = start(|function| function.reserved_concurrency = Some(2)).await;
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let lambda = test.lambda.clone();
            tokio::spawn(async move { lambda.invoke("f", event("describe")).await.unwrap() })
        })
        .collect();
    let mut keys = std::collections::BTreeSet::new();
    for call in calls {
        let response: Value = serde_json::from_slice(&call.await.unwrap()).unwrap();
        keys.insert(response["key"].as_str().unwrap().to_owned());
    }
    assert!(keys.iter().all(|key| key == "f.1" || key == "f.2"), "{keys:?}");
}

async fn cancelled_caller_does_not_end_the_invocation() {
    let test = start(|function| function.reserved_concurrency = Some(1)).await;
    let pid = test.pid().await;
    drop(tokio::time::timeout(Duration::ZERO, test.lambda.invoke("f", event("log"))).await);
    // Cancelling the invocation would have ended its process.
    assert_eq!(test.pid().await, pid);
}

async fn log_lines_reach_the_console() {
    let test = start(|_| {}).await;
    test.invoke("log").await.unwrap();
    let _ = test.invoke("crash").await;
    for line in ["f: INFO stored count=2", "f: WARN slow count=2", "f: a line of text"] {
        assert!(test.has_logged(line), "{line}: {:?}", test.output.lines());
    }
}

async fn log_lines_below_the_application_log_level_are_dropped() {
    let test = start(|function| function.log_level = "WARN".into()).await;
    test.invoke("log").await.unwrap();
    let _ = test.invoke("crash").await;
    assert!(test.has_logged("f: WARN slow count=2"), "{:?}", test.output.lines());
    assert!(!test.has_logged("stored") && !test.has_logged("a line of text"), "{:?}", test.output.lines());
}

async fn stop_ends_every_process() {
    let test = start(|_| {}).await;
    let lambda = test.lambda.clone();
    let hanging = tokio::spawn(async move { lambda.invoke("f", event("hang")).await });
    let hangs = loop {
        if let Some(line) = test.output.lines().iter().find(|line| line.ends_with(" hangs")) {
            break line.split_whitespace().rev().nth(1).unwrap().parse().unwrap();
        }
        tokio::task::yield_now().await;
    };
    let idle = test.pid().await;
    test.lambda.stop().await;
    assert_eq!(hanging.await.unwrap(), Err(InvokeError::Stopped));
    assert!(!is_running(hangs) && !is_running(idle));
    assert_eq!(test.invoke("describe").await, Err(InvokeError::Stopped));
}
