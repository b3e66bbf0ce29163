//! The local run enforces the permissions of `template.yaml`, so a missing one fails before a deployment to AWS.

use serde_json::json;

use crate::test_app::TestApp;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_permission_fails_and_is_named_in_the_output() {
    denied_to_create_session("[dynamodb:GetItem, dynamodb:PutItem, dynamodb:UpdateItem]", "[dynamodb:GetItem]").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn item_with_a_partition_key_that_no_condition_names_is_out_of_reach() {
    denied_to_create_session("\"SESSION#*\"", "\"KEY#*\"").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_permission_to_invoke_a_function_is_named_in_the_output() {
    let edit = |template: &str| {
        let (before, policy) = template.split_once("PolicyName: SelfInvoke").unwrap();
        format!("{before}PolicyName: SelfInvoke{}", policy.replacen("!GetAtt Deliver.Arn", "!GetAtt Webhook.Arn", 1))
    };
    let app = TestApp::start_with_template(edit, &[]).await;
    app.open_windows(&["201001234567"]).await;
    let session_id = app.connect("ada").await;
    // The message is due again within seconds, so `deliver` invokes itself.
    app.set_faults(&json!({"sends": {"errorCode": 130_429, "retryAfter": 3, "times": 1}})).await;
    app.send(&session_id, "+201001234567", "hello").await;
    let denied = ["missing permission", "DeliverRole/deliver", "lambda:InvokeFunction", "function:qasid-Deliver"];
    app.wait_until("the invocation is denied", async || app.has_logged(&denied)).await;
    let failed = ["deliver: WARN function invocation failed", "AccessDeniedException"];
    app.wait_until("the failure is logged", async || app.has_logged(&failed)).await;
}

/// Replaces a part of the policy of `create-session`, and checks that it can't store a session.
async fn denied_to_create_session(part: &str, replacement: &str) {
    let edit = |template: &str| {
        let (before, create_session) = template.split_once("CodeUri: functions/create-session/").unwrap();
        let create_session = create_session.replacen(part, replacement, 1);
        format!("{before}CodeUri: functions/create-session/{create_session}")
    };
    let app = TestApp::start_with_template(edit, &[]).await;
    let response = app.post("/api/session/create", &json!({"userId": "ada"})).await;
    assert_eq!(response.status, 503, "{}", response.json);
    assert!(app.items("session").await.is_empty());
    let is_problem = |line: &String| {
        line.starts_with("problem") && line.contains("create-session") && line.contains("dynamodb:PutItem")
    };
    assert!(app.log_lines().iter().any(is_problem), "{:#?}", app.log_lines());
}
