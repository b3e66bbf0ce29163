//! The `local` command: start, ready file, restart with existing data, Ctrl-C, and startup errors.

use std::{path::Path, process::Stdio, time::Duration};

use local::{Options, database::Storage};
use serde_json::{Value, json};
use tokio::{
    io::AsyncReadExt,
    process::{Child, Command},
};

use crate::test_app::{TestApp, client};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Starts the command with these further options, and waits for its ready file.
async fn start(data: &Path, options: &[&str]) -> (Child, Value) {
    let ready_file = data.join("ready.json");
    let _ = std::fs::remove_file(&ready_file);
    let arguments = ["--port", "0", "--data", data.to_str().unwrap(), "--ready-file", ready_file.to_str().unwrap()];
    let child = command(&[&arguments, options].concat()).spawn().unwrap();
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let ready = tokio::time::timeout(Duration::from_secs(300), async {
        loop {
            ticks.tick().await;
            if let Ok(bytes) = std::fs::read(&ready_file) {
                return serde_json::from_slice(&bytes).unwrap();
            }
        }
    });
    (child, ready.await.expect("the command becomes ready"))
}

async fn interrupt(mut child: Child) -> std::process::ExitStatus {
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    tokio::time::timeout(Duration::from_secs(60), child.wait()).await.expect("the command ends").unwrap()
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
async fn ctrl_c_ends_every_process_and_keeps_the_data() {
    let data = tempfile::tempdir().unwrap();
    let (child, ready) = start(data.path(), &[]).await;
    let create = format!("{}/api/session/create", ready["api"].as_str().unwrap());
    let created = post(&ready, create, json!({"userId": "ada"})).await;
    assert_eq!(created["message"], "Session created successfully");
    assert!(interrupt(child).await.success());
    let refused = client().get(ready["api"].as_str().unwrap()).send().await;
    assert!(refused.is_err_and(|error| error.is_connect()));
    #[cfg(target_os = "linux")]
    {
        let table = format!("AWS_ENDPOINT_URL_DYNAMODB={}", ready["dynamodb"].as_str().unwrap());
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            let is_function = environment.split(|byte| *byte == 0).any(|variable| variable == table.as_bytes());
            assert!(!is_function, "no function process is left");
        }
    }

    let (child, again) = start(data.path(), &[]).await;
    assert_eq!(again["appSecret"], ready["appSecret"], "the Meta app keeps its secret");
    let create = format!("{}/api/session/create", again["api"].as_str().unwrap());
    assert_eq!(post(&again, create, json!({"userId": "ada"})).await["message"], "Session already exists");
    interrupt(child).await;
}

/// Returns the CORS header of a preflight and of a request with a key from a page of this origin.
async fn allowed_origins(ready: &Value, origin: &str) -> [Option<String>; 2] {
    let url = format!("{}/api/session/create", ready["api"].as_str().unwrap());
    let preflight = client()
        .request("OPTIONS".parse().unwrap(), &url)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type");
    let request = client().post(&url).bearer_auth(ready["apiKey"].as_str().unwrap()).body(r#"{"userId": "ada"}"#);
    let mut allowed = [None, None];
    for (request, (status, allowed)) in [preflight, request].into_iter().zip([204, 200].into_iter().zip(&mut allowed)) {
        let response = request.header("origin", origin).send().await.unwrap();
        assert_eq!(response.status(), status, "{origin}");
        let header = response.headers().get("access-control-allow-origin");
        *allowed = header.map(|value| value.to_str().unwrap().to_owned());
    }
    allowed
}

/// Ends the command and returns what it printed.
async fn printed(mut child: Child) -> String {
    let mut output = child.stdout.take().unwrap();
    assert!(interrupt(child).await.success());
    let mut text = String::new();
    output.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_development_servers_may_call_the_api() {
    let data = tempfile::tempdir().unwrap();
    let (child, ready) = start(data.path(), &[]).await;
    let allowed = ["http://localhost:3000", "http://127.0.0.1:3000", "http://localhost:5173", "http://127.0.0.1:5173"];
    for origin in allowed {
        let origins = [Some(origin.to_owned()), Some(origin.to_owned())];
        assert_eq!(allowed_origins(&ready, origin).await, origins, "{origin}");
    }
    for origin in ["http://localhost:3999", "https://localhost:3000", "http://localhost:3000.example", "null"] {
        assert_eq!(allowed_origins(&ready, origin).await, [None, None], "{origin}");
    }
    let text = printed(child).await;
    for expected in allowed.into_iter().chain(["--parameter AllowedOrigins="]) {
        assert!(text.contains(expected), "{expected}: {text}");
    }

    let (child, ready) = start(data.path(), &["--parameter", "AllowedOrigins=https://app.example"]).await;
    assert_eq!(allowed_origins(&ready, "http://localhost:3000").await, [None, None]);
    assert!(allowed_origins(&ready, "https://app.example").await.iter().all(Option::is_some));
    let text = printed(child).await;
    assert!(text.contains("  https://app.example\n") && !text.contains("http://localhost:3000"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_and_pending_statuses_survive_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let options = || Options { storage: Storage::Directory(data.path().to_owned()), ..Options::default() };
    let app = TestApp::start_from(options()).await;
    app.open_windows(&["201001234567"]).await;
    let session_id = app.connect("ada").await;
    app.set_faults(&json!({"webhooks": {"hold": true}})).await;
    app.send(&session_id, "+201001234567", "before").await;
    app.wait_for_status("sent").await;
    app.stop().await;

    let app = TestApp::start_from(options()).await;
    app.send(&session_id, "+201001234567", "after").await;
    for text in ["before", "after"] {
        app.wait_for_message("a read message", |item| item["body"] == text && item["status"] == "read").await;
    }
    assert_eq!(app.accepted_texts(2).await, ["before", "after"]);
    assert_eq!(app.items("chat").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn startup_error_names_its_cause() {
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
    let invalid_yaml = write("no.yaml", "{ this is: [not yaml");
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    for (arguments, cause) in [
        (vec!["--template", unknown_property.as_str()], "SnapStart"),
        (vec!["--template", &unknown_resource], "AWS::SNS::Topic"),
        (vec!["--template", &invalid_yaml], "yaml"),
        (vec!["--template", "/nowhere/template.yaml"], "/nowhere/template.yaml"),
        (vec!["--parameter", "PhoneNumberId=abc"], "PhoneNumberId"),
        (vec!["--parameter", "NoSuchParameter=1"], "NoSuchParameter"),
        (vec!["--port", &port], port.as_str()),
    ] {
        // The default port may be in use. A given one replaces this one.
        let arguments = if arguments[0] == "--port" { arguments } else { [arguments, vec!["--port", "0"]].concat() };
        let output = command(&arguments).output().await.unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(stderr.to_lowercase().contains(&cause.to_lowercase()), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked") && !stderr.contains("backtrace"), "{stderr}");
    }
}
