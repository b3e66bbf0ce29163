//! A session under faults, driven like any deployment from outside: 5% of all table requests fail, and processes are
//! killed while contacts write and the business sends.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use crate::test_app::TestApp;

const INBOUND: usize = 300;
const OUTBOUND: usize = 100;
const CONTACTS: usize = 10;

/// Longer than the lease of a killed process and the deadline of an unknown message.
const TIMEOUT: Duration = Duration::from_secs(240);

fn contact(number: usize) -> String {
    format!("2010012345{:02}", number % CONTACTS)
}

/// Repeats a send with the same idempotency key until it succeeds, as clients do.
async fn send(app: &TestApp, session_id: &str, number: usize) {
    let body =
        json!({"sessionId": session_id, "to": format!("+{}", contact(number)), "message": format!("out {number}")});
    let key = format!("key-{number}");
    let is_stored = async || {
        let headers = [("idempotency-key", key.as_str())];
        let response = app.request("POST", "/api/messages/send", &headers, body.to_string().into_bytes()).await;
        assert!(response.status == 200 || response.status >= 500, "{}", response.json);
        response.status == 200
    };
    app.wait_within(TIMEOUT, "the message is stored", is_stored).await;
}

/// Delivers a text. WhatsApp repeats a webhook that isn't accepted.
async fn write(app: &TestApp, number: usize) {
    let message = json!({"from": contact(number), "name": "Mona", "text": format!("in {number}")});
    app.simulator("POST", "/simulator/messages", &message).await;
}

async fn kill_processes(app: &TestApp) {
    let functions = ["webhook", "send-message", "deliver", "relay", "authorizer"];
    for (step, function) in functions.iter().cycle().take(15).enumerate() {
        // Spread over the session by the number of stored messages.
        let reached = async || app.items("message").await.len() >= step * (INBOUND + OUTBOUND) / 20;
        app.wait_within(TIMEOUT, "more messages are stored", reached).await;
        app.simulator("POST", "/simulator/kill", &json!({"function": function})).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_while_requests_fail_and_processes_are_killed() {
    let app = TestApp::start_with(&[("UnknownDeadlineSeconds", "30")]).await;
    let contacts: Vec<String> = (0..CONTACTS).map(contact).collect();
    app.open_windows(&contacts).await;
    let session_id = app.connect("ada").await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    app.simulator("POST", "/simulator/table-faults", &json!({"percent": 5, "seed": seed})).await;

    let in_turns = |count: usize, senders: usize| (0..senders).map(move |first| (first..count).step_by(senders));
    let inbound = in_turns(INBOUND, CONTACTS).map(async |numbers| {
        for number in numbers {
            write(&app, number).await;
        }
    });
    let outbound = in_turns(OUTBOUND, 4).map(async |numbers| {
        for number in numbers {
            send(&app, &session_id, number).await;
        }
    });
    tokio::join!(
        futures_util::future::join_all(inbound),
        futures_util::future::join_all(outbound),
        kill_processes(&app),
    );
    app.simulator("DELETE", "/simulator/table-faults", &Value::Null).await;
    let no_webhook_pending = async || app.simulator("GET", "/simulator/webhooks", &Value::Null).await["pending"] == 0;
    app.wait_within(TIMEOUT, "every webhook is accepted", no_webhook_pending).await;
    app.wait_within(TIMEOUT, "no message is due", async || app.due_count().await == 0).await;

    let mut stored: BTreeMap<String, usize> = BTreeMap::new();
    for item in app.items("message").await {
        *stored.entry(item["body"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    let expected = (0..INBOUND).map(|number| format!("in {number}"));
    let expected = expected.chain((0..OUTBOUND).map(|number| format!("out {number}")));
    assert_eq!(stored, expected.map(|text| (text, 1)).collect::<BTreeMap<_, _>>());
    assert_eq!(app.items("chat").await.len(), CONTACTS);

    // A message that a killed process may have sent isn't sent again: it is settled by its status or fails.
    let mut accepted: BTreeMap<String, usize> = BTreeMap::new();
    for message in app.accepted().await {
        *accepted.entry(message["body"]["text"]["body"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    for item in app.items("message").await.iter().filter(|item| item["from_me"] == true) {
        let expected = usize::from(item["status"] != "failed");
        let text = item["body"].as_str().unwrap();
        assert_eq!(accepted.get(text).copied().unwrap_or_default(), expected, "{item:#}");
    }
    let unread: u64 = app.items("chat").await.iter().map(|chat| chat["unread_count"].as_u64().unwrap()).sum();
    assert!(unread <= INBOUND as u64, "{unread} unread messages");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_controls_refuse_invalid_requests() {
    let app = TestApp::start().await;
    let status = async |path: &str, body: Value| {
        let url = format!("{}{path}", app.ready.whatsapp);
        app.send_request("POST", &url, &[("content-type", "application/json")], body.to_string().into_bytes())
            .await
            .status
    };
    assert_eq!(status("/simulator/table-faults", json!({"percent": 101})).await, 400);
    assert_eq!(status("/simulator/table-faults", json!({"percent": 1, "x": 1})).await, 400);
    assert_eq!(status("/simulator/kill", json!({"function": "fax"})).await, 404);
    assert_eq!(status("/simulator/kill", json!({"function": "webhook"})).await, 200);
    assert_eq!(status("/simulator/table-faults", json!({"percent": 0})).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_controls_show_what_is_active() {
    let app = TestApp::start().await;
    let shown = async || app.simulator("GET", "/simulator/table-faults", &Value::Null).await;
    assert_eq!(shown().await, json!({"percent": 0, "functions": []}));
    app.simulator("POST", "/simulator/table-faults", &json!({"percent": 5, "functions": ["webhook"]})).await;
    assert_eq!(shown().await, json!({"percent": 5, "functions": ["webhook"]}));
    app.simulator("DELETE", "/simulator/table-faults", &Value::Null).await;
    assert_eq!(shown().await, json!({"percent": 0, "functions": []}));
    let functions = app.simulator("GET", "/simulator/functions", &Value::Null).await;
    assert!(functions["functions"].as_array().unwrap().contains(&json!("webhook")), "{functions}");
}
