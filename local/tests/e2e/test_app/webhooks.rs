//! The change log and outgoing webhooks.

use serde_json::{Value, json};

use shared::domain::{
    change::{Change, ChangeType, NewChange, Subject},
    id::{ChangeId, ChatId, SessionId, WebhookId},
    system::System,
    time::Timestamp,
    webhook_delivery::{WebhookAttempt, WebhookDelivery},
};

use super::{TIMEOUT, TestApp};

impl TestApp {
    /// Creates a webhook, and returns the response, which has the webhook and its `secret`.
    pub async fn create_webhook(&self, body: &Value) -> Value {
        let response = self.post("/api/webhooks", body).await;
        assert_eq!(response.status, 200, "{}", response.json);
        response.json
    }

    /// Returns a page of a session's changes after this position; without one, the current position.
    pub async fn changes(&self, session_id: &str, after: impl Into<Option<u64>>) -> Value {
        let after = after.into().map(|after| format!("&after={after}")).unwrap_or_default();
        let response = self.get(&format!("/api/changes?sessionId={session_id}{after}")).await;
        assert_eq!((response.status, &response.json["success"]), (200, &json!(true)), "{}", response.json);
        response.json
    }

    /// Returns all changes of a session after this position.
    pub async fn all_changes(&self, session_id: &str, after: u64) -> Vec<Value> {
        let (mut all, mut next) = (Vec::new(), after);
        loop {
            let page = self.changes(session_id, next).await;
            all.extend(page["changes"].as_array().expect("a list").clone());
            next = page["next"].as_u64().expect("a position");
            if page["more"] != true {
                return all;
            }
        }
    }

    /// Waits for a change of a session that fulfills the condition, and returns the change.
    pub async fn wait_for_change(&self, session_id: &str, expected: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let find = async || self.all_changes(session_id, 0).await.into_iter().find(&condition);
        self.wait_for(TIMEOUT, expected, find).await
    }

    /// Kills the processes of a function like a crash, and returns their number.
    pub async fn kill(&self, function: &str) -> u64 {
        let response = self.simulator("POST", "/simulator/kill", &json!({"function": function})).await;
        response["killed"].as_u64().expect("a number")
    }

    /// Stores a delivery of a change whose first attempt, long ago, had this status.
    pub async fn put_failed_delivery(&self, webhook: &Value, change: Change, status: u16) -> WebhookDelivery {
        let id = |field: &str| webhook[field].as_str().expect("an ID");
        let webhook_id: WebhookId = id("id").parse().expect("an ID");
        let attempt = WebhookAttempt {
            at: change.appended_at,
            duration_ms: 12,
            status: Some(status),
            response: Some("down for maintenance".to_owned()),
            error: None,
            retry_after_seconds: None,
        };
        let (now, expires_at) = (change.appended_at, Timestamp::MAX);
        let delivery =
            WebhookDelivery::failed(webhook_id, change, attempt, expires_at, now, System::real().random_uuid());
        self.store().webhook_deliveries().put(&delivery).await.expect("a stored delivery");
        delivery
    }
}

/// Returns a change of a session's log. Its message doesn't exist.
pub fn change(session_id: &str, sequence: u64, chat_id: Option<ChatId>, appended_at: Timestamp) -> Change {
    let session_id: SessionId = session_id.parse().expect("an ID");
    let (kind, subject) = match chat_id {
        Some(_) => (ChangeType::ChatUpdated, Subject::Chat { merged_into: None }),
        None => (ChangeType::SessionConnected, Subject::Session),
    };
    let id = ChangeId::for_stream_event(&sequence.to_string(), kind.as_str());
    let change = NewChange { id, kind, at: appended_at, chat_id, subject };
    Change { session_id, sequence, appended_at, change }
}
