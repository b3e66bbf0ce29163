//! A higher `ApplicationLogLevel` drops neither warnings nor errors nor metrics.

use local::database::Fault;
use serde_json::json;

use crate::test_app::TestApp;

const PHONE: &str = "201001234567";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn warnings_errors_and_metrics_pass_a_higher_log_level() {
    let at_warn = |template: &str| template.replacen("ApplicationLogLevel: INFO", "ApplicationLogLevel: WARN", 1);
    let app = TestApp::start_with_template(at_warn, &[]).await;
    let session_id = app.connect("ada").await;
    app.set_faults(&json!({"sends": {"errorCode": 131_009, "times": 1}})).await;
    assert_eq!(app.send(&session_id, PHONE, "rejected").await.status, 200);
    app.inject_function_fault("send-message", "TransactWriteItems", Fault::InternalServerError, 3);
    assert_eq!(app.send(&session_id, PHONE, "not stored").await.status, 503);
    app.request("POST", "/api/webhook", &[("x-hub-signature-256", "sha256=00")], b"{}".to_vec()).await;
    for expected in [
        ["function deliver: WARN message not sent", "code=131009"],
        ["function deliver: METRIC", "MessagesFailed=1"],
        ["function send-message: ERROR request failed", "error="],
        ["function webhook: METRIC", "WebhookSignatureInvalid=1"],
    ] {
        app.wait_until(&format!("{expected:?} is logged"), async || app.has_logged(&expected)).await;
    }
    assert!(!app.has_logged(&["function", ": INFO "]), "{:#?}", app.log_lines());
}
