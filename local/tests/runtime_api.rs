//! The function processes and the Runtime API, with this very program as the function: where Lambda's environment is
//! set it answers events, and otherwise it tests. That takes a `main` of its own, hence `harness = false`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods, reason = "a test")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use axum::body::Bytes;
use local::console::Console;
use local::database::usage::UsageMeter;
use local::lambda::{Deployment, InvokeError, Lambda};
use local::template::Function;
use serde_json::{Value, json};

fn main() {
    match std::env::var("AWS_LAMBDA_RUNTIME_API") {
        Ok(api) => function(&api),
        Err(_) => tokio::runtime::Runtime::new().unwrap().block_on(tests()),
    }
}

// ------------------------------------------------------------------------------------------------ the function

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
        match event["do"].as_str().unwrap() {
            "tell" => {
                let mut names: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
                names.sort();
                let key = std::env::var("AWS_ACCESS_KEY_ID").unwrap();
                let answer = json!({"pid": std::process::id(), "key": key, "names": names, "head": head});
                call(address, "POST", &result("response"), &answer.to_string());
            }
            "log" => {
                println!(r#"{{"level":"INFO","fields":{{"message":"stored","count":2}}}}"#);
                call(address, "POST", &result("response"), "{}");
            }
            "fail" => {
                call(address, "POST", &result("error"), r#"{"errorType":"Odd","errorMessage":"so it is"}"#);
            }
            "stray" => {
                let (stray, _) = call(address, "POST", &result("response").replace(id, "another"), "{}");
                assert!(stray.starts_with("HTTP/1.1 403"), "{stray}");
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

/// One request on a connection of its own: the head of the answer, and its body.
fn call(address: &str, method: &str, path: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    // The answer to a body that is too large may come before the body is read.
    let _ = stream.write_all(body.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.replace("\r\n", "\n"), body.to_owned())
}

// ------------------------------------------------------------------------------------------------ the tests

async fn tests() {
    an_instance_is_kept_and_its_environment_is_clean().await;
    a_reported_error_leaves_the_process().await;
    a_crash_is_reported_and_the_next_invocation_starts_anew().await;
    a_process_past_its_timeout_is_killed().await;
    a_process_that_does_not_start_is_an_error().await;
    concurrency_is_limited_and_the_rest_waits().await;
    a_caller_that_goes_away_does_not_end_the_invocation().await;
    log_lines_reach_the_console().await;
    stopping_ends_every_process().await;
    println!("the Runtime API: all fine");
}

struct System {
    lambda: Lambda,
    console: Console,
}

async fn start(change: impl FnOnce(&mut Function)) -> System {
    let mut function = Function {
        logical_id: "F".into(),
        name: "f".into(),
        timeout: Duration::from_secs(20),
        memory_mb: 128,
        environment: BTreeMap::new(),
        json_logs: true,
        log_level: "INFO".into(),
        reserved_concurrency: None,
        permissions: Vec::new(),
        routes: vec![],
        streams: vec![],
        schedules: vec![],
    };
    change(&mut function);
    let deployment = Deployment { function, binary: std::env::current_exe().unwrap() };
    let endpoints = BTreeMap::from([("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), "http://127.0.0.1:1".to_owned())]);
    let console = Console::captured();
    let lambda = Lambda::start(vec![deployment], endpoints, UsageMeter::default(), console.clone()).await.unwrap();
    System { lambda, console }
}

impl System {
    async fn ask(&self, what: &str) -> Result<Value, InvokeError> {
        let answer = self.lambda.invoke("f", event(what)).await?;
        Ok(serde_json::from_slice(&answer).unwrap())
    }

    async fn pid(&self) -> u64 {
        self.ask("tell").await.unwrap()["pid"].as_u64().unwrap()
    }

    fn told(&self, text: &str) -> bool {
        self.console.lines().iter().any(|line| line.contains(text))
    }
}

fn event(what: &str) -> Bytes {
    json!({ "do": what }).to_string().into()
}

/// Only Linux shows its processes as files; elsewhere this finds nothing to object to.
fn is_running(pid: u64) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

async fn an_instance_is_kept_and_its_environment_is_clean() {
    let system = start(|function| drop(function.environment.insert("TABLE_NAME".into(), "t".into()))).await;
    let first = system.lambda.invoke_measured("f", event("tell")).await;
    let second = system.lambda.invoke_measured("f", event("tell")).await;
    assert!(first.cold && !second.cold, "{first:?} {second:?} {:?}", system.console.lines());
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
    assert_eq!(system.ask("stray").await, Ok(json!("right")));
    assert_eq!(system.lambda.invoke("g", event("tell")).await, Err(InvokeError::Unknown { name: "g".into() }));
    let large = Bytes::from(vec![b' '; 6_291_557]);
    assert!(matches!(system.lambda.invoke("f", large).await, Err(InvokeError::TooLarge { .. })));
}

async fn a_reported_error_leaves_the_process() {
    let system = start(|_| {}).await;
    let pid = system.pid().await;
    let odd = InvokeError::Handled { error_type: "Odd".into(), message: "so it is".into() };
    assert_eq!(system.ask("fail").await, Err(odd));
    assert!(system.told("f: Odd: so it is"));
    let huge = system.ask("huge").await.unwrap_err();
    assert!(huge.to_string().starts_with("Function.ResponseSizeTooLarge"), "{huge}");
    assert_eq!(system.pid().await, pid);
}

async fn a_crash_is_reported_and_the_next_invocation_starts_anew() {
    let system = start(|_| {}).await;
    let pid = system.pid().await;
    assert_eq!(system.ask("crash").await, Err(InvokeError::Crashed { status: "exit status: 3".into() }));
    assert!(system.told("f: the process ended: exit status: 3"));
    assert_ne!(system.pid().await, pid);
}

async fn a_process_past_its_timeout_is_killed() {
    let timeout = Duration::from_millis(1_500);
    let system = start(|function| function.timeout = timeout).await;
    let pid = system.pid().await;
    assert_eq!(system.ask("hang").await, Err(InvokeError::TimedOut { after: timeout }));
    assert!(system.told("f: timed out after 1.5 s"));
    assert!(!is_running(pid));
    assert_ne!(system.pid().await, pid);
}

async fn a_process_that_does_not_start_is_an_error() {
    let system = start(|function| drop(function.environment.insert("FAIL".into(), "1".into()))).await;
    let error = system.ask("tell").await.unwrap_err();
    assert_eq!(error, InvokeError::Init { reason: "the process ended: exit status: 4".into() });
    assert!(system.told("f: could not start: the process ended: exit status: 4"));
}

async fn concurrency_is_limited_and_the_rest_waits() {
    let system = start(|function| function.reserved_concurrency = Some(2)).await;
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let lambda = system.lambda.clone();
            tokio::spawn(async move { lambda.invoke("f", event("tell")).await.unwrap() })
        })
        .collect();
    let mut keys = std::collections::BTreeSet::new();
    for call in calls {
        let answer: Value = serde_json::from_slice(&call.await.unwrap()).unwrap();
        keys.insert(answer["key"].as_str().unwrap().to_owned());
    }
    assert!(keys.iter().all(|key| key == "f.1" || key == "f.2"), "{keys:?}");
}

async fn a_caller_that_goes_away_does_not_end_the_invocation() {
    let system = start(|function| function.reserved_concurrency = Some(1)).await;
    let pid = system.pid().await;
    drop(tokio::time::timeout(Duration::ZERO, system.lambda.invoke("f", event("log"))).await);
    // Had the invocation been dropped half-way, its process would be gone.
    assert_eq!(system.pid().await, pid);
}

async fn log_lines_reach_the_console() {
    let system = start(|_| {}).await;
    system.ask("log").await.unwrap();
    let _ = system.ask("crash").await;
    assert!(system.told("f: INFO stored count=2"), "{:?}", system.console.lines());
}

async fn stopping_ends_every_process() {
    let system = start(|_| {}).await;
    let lambda = system.lambda.clone();
    let hanging = tokio::spawn(async move { lambda.invoke("f", event("hang")).await });
    let hangs = loop {
        if let Some(line) = system.console.lines().iter().find(|line| line.ends_with(" hangs")) {
            break line.split_whitespace().rev().nth(1).unwrap().parse().unwrap();
        }
        tokio::task::yield_now().await;
    };
    let idle = system.pid().await;
    system.lambda.stop().await;
    assert_eq!(hanging.await.unwrap(), Err(InvokeError::Stopped));
    assert!(!is_running(hangs) && !is_running(idle));
    assert_eq!(system.ask("tell").await, Err(InvokeError::Stopped));
}
