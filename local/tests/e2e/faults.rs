//! Functions that hang, crash or are killed: the caller gets what API Gateway would give, and the next call is served.

use local::{Options, functions};
use serde_json::json;

use crate::system::System;

/// A system whose functions have a second, and whose table hangs for longer.
async fn with_short_timeouts() -> (System, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let template = std::fs::read_to_string(functions::workspace().join("template.yaml")).unwrap();
    let short = template.replacen("Timeout: 10", "Timeout: 1", 1);
    assert_ne!(template, short);
    let path = folder.path().join("template.yaml");
    std::fs::write(&path, short).unwrap();
    (System::start_from(Options { template: path, ..Options::default() }).await, folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_hangs_is_ended_at_its_timeout() {
    let (system, _folder) = with_short_timeouts().await;
    system.table_fails("PutItem", local::database::Fault::Hang, 1);
    let answer = system.post("/api/session/create", &json!({"userId": "ada"})).await;
    assert_eq!((answer.status, answer.json), (500, json!({"message": "Internal Server Error"})));
    assert!(system.lines().iter().any(|line| line.contains("create-session") && line.contains("timed out")));
    assert_eq!(system.create("ada").await["owner_id"], "ada");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_is_killed_is_reported_and_replaced() {
    let system = System::start().await;
    system.table_fails("PutItem", local::database::Fault::Hang, 1);
    let body = json!({"userId": "ada"});
    let (answer, ()) = tokio::join!(system.post("/api/session/create", &body), async {
        system.until("the function hangs", async || system.running().database().faults().pending() == 0).await;
        kill(&system, "create-session");
    });
    assert_eq!((answer.status, answer.json), (500, json!({"message": "Internal Server Error"})));
    assert!(system.lines().iter().any(|line| line.contains("create-session") && line.contains("signal")));
    assert_eq!(system.create("ada").await["owner_id"], "ada");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_deliver_never_sends_twice() {
    let system = System::start().await;
    let session_id = system.connect("ada").await;
    // Killed after the claim and before the answer: whether it was sent is not known.
    system.faults(&json!({"sends": {"timeoutAfterAcceptance": 20_000, "times": 1}, "webhooks": {"hold": true}})).await;
    system.send(&session_id, "+201001234567", "hello").await;
    system.until("it is accepted", async || system.accepted().await.len() == 1).await;
    kill(&system, "deliver");
    system.clear_faults().await;
    // The stream brings the batch again; the claim refuses it, and the status settles the message.
    let row = system.message_with("a read message", |row| row["status"] == "read").await;
    assert_eq!(system.accepted().await.len(), 1);
    assert_eq!(system.accepted().await[0]["id"], row["wamid"]);
}

/// Kills the processes of a function with SIGKILL.
fn kill(system: &System, function: &str) {
    let processes = processes(system, function);
    assert!(!processes.is_empty(), "{function} runs");
    processes.into_iter().for_each(|pid| assert!(kill_process(pid)));
}

/// The processes of a function, oldest first: those of this system, which its DynamoDB tells from other tests'.
pub fn processes(system: &System, function: &str) -> Vec<u32> {
    let table = format!("AWS_ENDPOINT_URL_DYNAMODB={}", system.ready.dynamodb);
    let name = format!("AWS_LAMBDA_FUNCTION_NAME={function}");
    let mut processes = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let has = |wanted: &str| environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes());
        if has(&table) && has(&name) {
            processes.extend(entry.file_name().to_str().and_then(|pid| pid.parse::<u32>().ok()));
        }
    }
    processes.sort_unstable();
    processes
}

/// Whether it was there to be killed.
pub fn kill_process(pid: u32) -> bool {
    std::process::Command::new("kill").arg("-9").arg(pid.to_string()).status().unwrap().success()
}
