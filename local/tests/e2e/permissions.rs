//! The template's permissions hold on a laptop, too: a missing one shows here, and not first on AWS.

use local::{Options, functions};
use serde_json::json;

use crate::system::System;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_permission_fails_and_the_console_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let template = std::fs::read_to_string(functions::workspace().join("template.yaml")).unwrap();
    let (before, create_session) = template.split_once("CodeUri: functions/create-session/").unwrap();
    let less = create_session.replacen("[dynamodb:GetItem, dynamodb:PutItem]", "[dynamodb:GetItem]", 1);
    assert_ne!(create_session, less);
    let path = folder.path().join("template.yaml");
    std::fs::write(&path, format!("{before}CodeUri: functions/create-session/{less}")).unwrap();

    let system = System::start_from(Options { template: path, ..Options::default() }).await;
    let answer = system.post("/api/session/create", &json!({"userId": "ada"})).await;
    assert_eq!(answer.status, 503, "{}", answer.json);
    assert!(system.items("session").await.is_empty());
    let problem = |line: &&String| {
        line.starts_with("problem") && line.contains("create-session") && line.contains("dynamodb:PutItem")
    };
    assert!(system.lines().iter().any(|line| problem(&line)), "{:#?}", system.lines());
}
