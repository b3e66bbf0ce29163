//! Functions that hang, crash, or are killed: the caller gets API Gateway's error, and the next call succeeds.

use local::database::Fault;
use serde_json::json;

use crate::test_app::TestApp;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_function_ends_at_its_timeout() {
    // The table hangs longer than the timeout, which is shorter than the time after which the SDK repeats a request.
    let app = TestApp::start_with_template(|template| template.replacen("Timeout: 10", "Timeout: 2", 1), &[]).await;
    app.inject_fault("PutItem", Fault::Hang, 1);
    let response = app.post("/api/session/create", &json!({"userId": "ada"})).await;
    assert_eq!((response.status, response.json), (500, json!({"message": "Internal Server Error"})));
    assert!(app.has_logged(&["create-session", "timed out"]));
    assert_eq!(app.create_session("ada").await["owner_id"], "ada");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_function_is_reported_and_replaced() {
    let app = TestApp::start().await;
    app.inject_fault("PutItem", Fault::Hang, 1);
    let body = json!({"userId": "ada"});
    let (response, ()) = tokio::join!(app.post("/api/session/create", &body), async {
        app.wait_until("the function hangs", async || app.running().database().faults().pending() == 0).await;
        kill_function(&app, "create-session");
    });
    assert_eq!((response.status, response.json), (500, json!({"message": "Internal Server Error"})));
    assert!(app.has_logged(&["create-session", "signal"]));
    assert_eq!(app.create_session("ada").await["owner_id"], "ada");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_deliver_never_sends_twice() {
    let (app, session_id) = TestApp::connected_with(&["201001234567"]).await;
    // `deliver` is killed after the claim and before the response, so the outcome of the send is unknown.
    app.set_faults(&json!({"sends": {"timeoutAfterAcceptance": 20_000, "times": 1}, "webhooks": {"hold": true}})).await;
    app.send(&session_id, "+201001234567", "hello").await;
    app.accepted_texts(1).await;
    kill_function(&app, "deliver");
    app.clear_faults().await;
    // The stream delivers the batch again. The claim refuses it, and the status settles the message.
    let item = app.wait_for_status("read").await;
    let accepted = app.accepted().await;
    assert_eq!((accepted.len(), &accepted[0]["id"]), (1, &item["wamid"]));
}

/// Kills the processes of a running function with SIGKILL.
pub fn kill_function(app: &TestApp, function: &str) {
    let processes = processes(app, function);
    assert!(!processes.is_empty(), "{function} runs");
    processes.into_iter().for_each(|pid| assert!(kill_process(pid)));
}

/// Returns the processes of a function, oldest first. The DynamoDB endpoint separates them from those of other tests.
pub fn processes(app: &TestApp, function: &str) -> Vec<u32> {
    let table = format!("AWS_ENDPOINT_URL_DYNAMODB={}", app.ready.dynamodb);
    let name = format!("AWS_LAMBDA_FUNCTION_NAME={function}");
    let mut processes = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let has = |expected: &str| environment.split(|byte| *byte == 0).any(|variable| variable == expected.as_bytes());
        if has(&table) && has(&name) {
            processes.extend(entry.file_name().to_str().and_then(|pid| pid.parse::<u32>().ok()));
        }
    }
    processes.sort_unstable();
    processes
}

/// Kills a process, and returns whether it existed.
pub fn kill_process(pid: u32) -> bool {
    std::process::Command::new("kill").arg("-9").arg(pid.to_string()).status().unwrap().success()
}
