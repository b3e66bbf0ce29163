use serde_json::{Value, json};

use super::*;
use crate::whatsapp::updates;

const OWN: &str = "111222333444555";
const FOREIGN: &str = "106540352242922";

fn app() -> WebhookApp {
    WebhookApp::Numbers(vec![OWN.to_owned()])
}

fn contact() -> Value {
    json!({"profile": {"name": "Mona"}, "wa_id": "201001234567", "user_id": "EG.7"})
}

fn text(wamid: &str) -> Value {
    json!({"from": "201001234567", "id": wamid, "timestamp": "1749416383", "type": "text", "text": {"body": "hi"}})
}

/// Returns a webhook body with every kind of update for a number.
fn webhook(number: &str) -> Vec<Update> {
    let reaction = json!({"message_id": "w.theirs", "emoji": "👍"});
    let reaction = json!({
        "from": "201001234567", "id": "w.2", "timestamp": "1749416383", "type": "reaction", "reaction": reaction,
    });
    let moved = json!({"type": "user_changed_number", "new_wa_id": "201007654321", "wa_id": "201007654321"});
    let moved = json!({
        "from": "201001234567", "id": "w.3", "timestamp": "1749416383", "type": "system", "system": moved,
    });
    let status = json!({
        "id": "w.theirs", "status": "read", "timestamp": "1749416383", "recipient_id": "201001234567",
        "biz_opaque_callback_data": "forged",
    });
    let payment = json!({"id": "w.theirs", "type": "payment", "status": "captured", "timestamp": "1749416383"});
    let metadata = json!({"display_phone_number": "15550001111", "phone_number_id": number});
    let value = json!({
        "metadata": metadata, "contacts": [contact()],
        "messages": [text("w.1"), reaction, moved, {"id": "w.unreadable", "timestamp": "1"}],
        "statuses": [status, payment, {"id": "w.unreadable", "status": "odd"}],
        "errors": [{"code": 131_000}], "user_actions": [{"action_type": "click"}],
    });
    let thread = json!({"id": "201001234567", "messages": [text("w.4")]});
    let changes = json!([
        {"field": "messages", "value": value},
        {"field": "smb_message_echoes", "value": {
            "metadata": metadata,
            "message_echoes": [{"from": "15550001111", "to": "201001234567", "id": "w.5", "timestamp": "1749416383",
                "type": "text", "text": {"body": "echo"}}],
        }},
        {"field": "history", "value": {"metadata": metadata, "history": [{"threads": [thread]}]}},
        {"field": "standby", "value": {"metadata": metadata, "standby": {"messages": [text("w.6")]}}},
        {"field": "user_preferences", "value": {"metadata": metadata, "user_preferences": []}},
        {"field": "messaging_handovers", "value": {"recipient": {"phone_number_id": number}}},
        {"field": "account_alerts", "value": {"entity_type": "PHONE_NUMBER", "entity_id": number}},
        {"field": "account_settings_update", "value": {"phone_number_settings": {"phone_number_id": number}}},
        {"field": "account_update", "value": {"event": "DISABLED_UPDATE"}},
        {"field": "invented", "value": {"phone_number_id": number, "wamid": "w.theirs"}},
    ]);
    let body = json!({"entry": [{"id": "102290129340398", "time": 1_749_416_383, "changes": changes}]});
    updates(body.to_string().as_bytes()).unwrap()
}

/// Returns the number under which an update is stored, and its account.
fn keys(update: &Update) -> (Option<&str>, Option<&str>) {
    match update {
        Update::Message(received) => (Some(&received.phone_number_id), received.waba_id.as_deref()),
        Update::Status(status, _) => (Some(&status.phone_number_id), None),
        Update::Payment(payment) => (Some(&payment.phone_number_id), None),
        Update::Contact { phone_number_id, .. } => (Some(phone_number_id), None),
        Update::Event(event) => (event.phone_number_id.as_deref(), event.waba_id.as_deref()),
    }
}

#[test]
fn number_app_stores_nothing_under_another_number_or_an_account() {
    let updates = webhook(FOREIGN);
    let messages = updates.iter().filter(|update| matches!(update, Update::Message(_))).count();
    assert!(messages >= 5 && updates.iter().filter(|update| keys(update).0 == Some(FOREIGN)).count() > 14);
    let authorized: Vec<Update> = updates.into_iter().filter_map(|update| authorize(update, &app())).collect();
    for update in &authorized {
        assert_eq!(keys(update), (None, None), "{update:?}");
    }
    // The messages aren't lost: admins find them as events.
    let events =
        authorized.iter().filter(|update| matches!(update, Update::Event(e) if e.reason == Some(FOREIGN_NUMBER)));
    assert_eq!(events.count(), messages);
}

#[test]
fn number_app_sends_every_update_of_its_own_number() {
    let updates = webhook(OWN);
    let count = updates.len();
    let authorized: Vec<Update> = updates.into_iter().filter_map(|update| authorize(update, &app())).collect();
    assert_eq!(authorized.len(), count);
    let without_number = authorized.iter().filter(|update| keys(update).0 != Some(OWN)).count();
    assert_eq!(without_number, 1, "only the account's event has no number");
    assert!(authorized.iter().all(|update| keys(update).1.is_none()));
}

#[test]
fn deployment_app_sends_every_update() {
    let count = webhook(FOREIGN).len();
    let authorize = |update| authorize(update, &WebhookApp::Deployment);
    let authorized: Vec<Update> = webhook(FOREIGN).into_iter().filter_map(authorize).collect();
    assert_eq!(authorized.len(), count);
    assert!(authorized.iter().any(|update| keys(update) == (None, Some("102290129340398"))));
}
