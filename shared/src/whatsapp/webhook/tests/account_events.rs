//! Account events: the number that they concern, and who can see them.

use serde_json::{Value, json};

use crate::{
    domain::webhook_event::WebhookEvent,
    whatsapp::{Update, updates},
};

fn event(field: &str, value: Value) -> WebhookEvent {
    let body = json!({"entry": [{"id": "102290129340398", "changes": [{"field": field, "value": value}]}]});
    match updates(body.to_string().as_bytes()).unwrap().pop() {
        Some(Update::Event(event)) => event,
        other => panic!("{other:?}"),
    }
}

#[test]
fn account_event_names_its_number() {
    let id = |field, value| event(field, value).phone_number_id;
    let own = Some("506914307656634".to_owned());
    let alert = |kind: &str| json!({"entity_type": kind, "entity_id": "506914307656634", "alert_info": {}});
    assert_eq!(id("account_alerts", alert("PHONE_NUMBER")), own);
    assert_eq!(id("account_alerts", alert("BUSINESS")), None);
    let settings = json!({"phone_number_settings": {"phone_number_id": "506914307656634"}});
    assert_eq!(id("account_settings_update", settings), own);
    assert_eq!(id("invented", json!({"phone_number_id": "506914307656634"})), own);
    assert_eq!(id("invented", json!({"phone_number_id": "../506914307656634"})), None);

    let display = |field, value| event(field, value).display_phone_number;
    let quality = json!({"display_phone_number": "+1 650-555-1111", "event": "FLAGGED"});
    assert_eq!(display("phone_number_quality_update", quality).as_deref(), Some("16505551111"));
    let verified = json!({"phone_number": "16505551111", "event": "VERIFIED_ACCOUNT"});
    assert_eq!(display("account_update", verified).as_deref(), Some("16505551111"));
    assert_eq!(display("account_update", json!({"event": "DISABLED_UPDATE"})), None);
}

#[test]
fn only_account_events_without_details_of_an_owner_are_shared() {
    assert!(event("account_update", json!({"event": "DISABLED_UPDATE", "ban_info": {}})).is_shared);
    assert!(event("account_review_update", json!({"decision": "APPROVED"})).is_shared);
    let partner = json!({"event": "PARTNER_ADDED", "waba_info": {"owner_business_id": "2"}});
    let named = json!({"event": "VERIFIED_ACCOUNT", "phone_number": "16505551111"});
    for (field, value) in [
        ("account_update", partner),
        ("account_update", named),
        ("message_template_status_update", json!({"event": "APPROVED", "message_template_name": "sale"})),
        ("invented", json!({"decision": "APPROVED"})),
    ] {
        assert!(!event(field, value).is_shared, "{field}");
    }
}
