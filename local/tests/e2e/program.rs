//! The `local` program itself: start, ready file, restart with kept data, Ctrl-C, and starts that cannot work.

use std::{path::Path, process::Stdio, time::Duration};

use local::{Options, database::Storage};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::system::{System, client};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Starts the program and waits for its ready file.
async fn start(data: &Path) -> (Child, Value) {
    let ready_file = data.join("ready.json");
    let _ = std::fs::remove_file(&ready_file);
    let arguments = ["--port", "0", "--data", data.to_str().unwrap(), "--ready-file", ready_file.to_str().unwrap()];
    let child = program(&arguments).spawn().unwrap();
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let ready = tokio::time::timeout(Duration::from_secs(300), async {
        loop {
            ticks.tick().await;
            if let Ok(bytes) = std::fs::read(&ready_file) {
                return serde_json::from_slice(&bytes).unwrap();
            }
        }
    });
    (child, ready.await.expect("the program gets ready"))
}

async fn interrupt(mut child: Child) -> std::process::ExitStatus {
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    tokio::time::timeout(Duration::from_secs(60), child.wait()).await.expect("it ends").unwrap()
}

async fn post(ready: &Value, url: String, body: Value) -> Value {
    let request = client()
        .post(url)
        .bearer_auth(ready["apiKey"].as_str().unwrap())
        .header("content-type", "application/json")
        .body(body.to_string());
    let bytes = request.send().await.unwrap().bytes().await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_ends_every_process_and_the_data_stays() {
    let data = tempfile::tempdir().unwrap();
    let (child, ready) = start(data.path()).await;
    let create = format!("{}/api/session/create", ready["api"].as_str().unwrap());
    let made = post(&ready, create, json!({"userId": "ada"})).await;
    assert_eq!(made["message"], "Session created successfully");
    assert!(interrupt(child).await.success());
    let refused = client().get(ready["api"].as_str().unwrap()).send().await;
    assert!(refused.is_err_and(|error| error.is_connect()));
    #[cfg(target_os = "linux")]
    {
        let table = format!("AWS_ENDPOINT_URL_DYNAMODB={}", ready["dynamodb"].as_str().unwrap());
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            assert!(
                !environment.split(|byte| *byte == 0).any(|one| one == table.as_bytes()),
                "a function is left over"
            );
        }
    }

    let (child, again) = start(data.path()).await;
    assert_eq!(again["appSecret"], ready["appSecret"], "a Meta app's secret stays what it is");
    let create = format!("{}/api/session/create", again["api"].as_str().unwrap());
    assert_eq!(post(&again, create, json!({"userId": "ada"})).await["message"], "Session already exists");
    interrupt(child).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_and_its_ticks_survive_a_restart_in_between() {
    let data = tempfile::tempdir().unwrap();
    let options = || Options { storage: Storage::Directory(data.path().to_owned()), ..Options::default() };
    let system = System::start_from(options()).await;
    let session_id = system.connect("ada").await;
    system.faults(&json!({"webhooks": {"hold": true}})).await;
    system.send(&session_id, "+201001234567", "before").await;
    system.message_with("a sent message", |row| row["status"] == "sent").await;
    system.stop().await;

    let system = System::start_from(options()).await;
    system.send(&session_id, "+201001234567", "after").await;
    for text in ["before", "after"] {
        system.message_with("a read message", |row| row["body"] == text && row["status"] == "read").await;
    }
    let accepted = system.accepted().await;
    let texts: Vec<&Value> = accepted.iter().map(|message| &message["body"]["text"]["body"]).collect();
    assert_eq!(texts, ["before", "after"]);
    assert_eq!(system.items("chat").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_cannot_work_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let template = std::fs::read_to_string(local::functions::workspace().join("template.yaml")).unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let unknown_property = write(
        "property.yaml",
        &template.replacen(
            "      Timeout: 25\n",
            "      Timeout: 25\n      SnapStart: { ApplyOn: PublishedVersions }\n",
            1,
        ),
    );
    let unknown_resource = write("resource.yaml", &template.replacen("AWS::SQS::Queue", "AWS::SNS::Topic", 1));
    let no_yaml = write("no.yaml", "{ this is: [not yaml");
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (arguments, sentence) in [
        (vec!["--template", unknown_property.as_str()], "SnapStart"),
        (vec!["--template", &unknown_resource], "AWS::SNS::Topic"),
        (vec!["--template", &no_yaml], "yaml"),
        (vec!["--template", "/nowhere/template.yaml"], "/nowhere/template.yaml"),
        (vec!["--parameter", "PhoneNumberId=abc"], "PhoneNumberId"),
        (vec!["--parameter", "NoSuchParameter=1"], "NoSuchParameter"),
        (vec!["--port", &port], port.as_str()),
    ] {
        let output = program(&arguments).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.to_lowercase().contains(&sentence.to_lowercase()), "{arguments:?}: {said}");
        assert!(!said.contains("panicked") && !said.contains("backtrace"), "{said}");
    }
}
