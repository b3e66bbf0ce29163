use super::*;

const READ: [MessageState; 3] = [MessageState::Sent, MessageState::Delivered, MessageState::Read];

fn user() -> User {
    User { wa_id: Some("201001234567".into()), user_id: "EG.7".into(), name: Some("Mona".into()), username: None }
}

fn statuses<'a>(user: &'a User, recipient: &'a Address) -> MessageStatuses<'a> {
    let (wamid, kind, callback_data, at) = ("wamid.1", "text", Some("key"), 1_750_030_073);
    MessageStatuses { wamid, kind, recipient, user, callback_data, at, failure: None }
}

fn names(webhooks: &[ValueMembers]) -> Vec<String> {
    webhooks.iter().map(|content| content[1].1[0]["status"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_message_has_sent_delivered_and_read_statuses() {
    let (user, recipient) = (user(), Address::Phone("201001234567".into()));
    let statuses = statuses(&user, &recipient);
    let webhooks = statuses.webhooks(&READ, &WebhookFaults::default());
    assert_eq!(names(&webhooks), ["sent", "delivered", "read"]);
    assert_eq!(
        webhooks[0],
        vec![
            (
                "contacts",
                json!([{
                    "profile": {"name": "Mona"},
                    "wa_id": "201001234567",
                    "user_id": "EG.7",
                }])
            ),
            (
                "statuses",
                json!([{"id": "wamid.1", "status": "sent", "timestamp": "1750030073",
                "recipient_id": "201001234567", "recipient_user_id": "EG.7",
                "biz_opaque_callback_data": "key",
                "pricing": {"billable": false, "pricing_model": "PMP",
                    "type": "free_customer_service", "category": "service"}}])
            ),
        ]
    );
    assert_eq!(webhooks[2][1].1[0].get("pricing"), None);
    let played = statuses.webhooks(&[MessageState::Played], &WebhookFaults::default());
    assert_eq!(names(&played), ["played"]);
    assert_eq!(played[0][1].1[0].get("pricing"), None);

    let faults =
        WebhookFaults { reorder: true, no_delivered: true, without_callback_data: true, ..WebhookFaults::default() };
    let webhooks = statuses.webhooks(&READ, &faults);
    assert_eq!(names(&webhooks), ["read", "sent"]);
    assert_eq!(webhooks[0][1].1[0].get("biz_opaque_callback_data"), None);
    assert_ne!(webhooks[0][1].1[0].get("pricing"), None);
}

#[test]
fn a_message_to_a_user_id_contains_no_phone_number() {
    let (user, recipient) = (user(), Address::UserId("EG.7".into()));
    let statuses = statuses(&user, &recipient);
    for webhook in statuses.webhooks(&READ, &WebhookFaults::default()) {
        assert!(!json!(webhook).to_string().contains("201001234567"));
        assert_eq!(webhook[1].1[0]["recipient_user_id"], "EG.7");
    }
}

#[test]
fn a_failure_has_an_error_and_no_contacts() {
    let (user, recipient) = (user(), Address::Phone("201001234567".into()));
    let statuses = statuses(&user, &recipient);
    let webhooks = statuses.webhooks(&[MessageState::Failed(131_047)], &WebhookFaults::default());
    let webhook = &webhooks[0];
    assert_eq!(webhook.len(), 1);
    let status = &webhook[0].1[0];
    assert_eq!(status["errors"][0]["code"], 131_047);
    assert_eq!(status["errors"][0]["title"], "Re-engagement message");
    assert_eq!(status["recipient_id"], "201001234567");
    assert_eq!(status.get("recipient_user_id"), None);
}
