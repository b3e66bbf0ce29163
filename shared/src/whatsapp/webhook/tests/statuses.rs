use super::*;

fn status(fields: &Value) -> Vec<Update> {
    let mut status = json!({"id": "w", "status": "failed", "timestamp": "9", "recipient_id": "201001234567"});
    status.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let updates = change("messages", &json!({"statuses": [status]}));
    updates.into_iter().filter(|update| !matches!(update, Update::Contact { .. })).collect()
}

#[test]
fn a_payment_status_is_no_delivery_status() {
    for name in ["new", "pending", "captured", "failed", "sent", "delivered", "read"] {
        let payment = json!({"reference_id": "order-17", "amount": {"value": 100, "offset": 100}});
        let updates = status(&json!({"type": "payment", "status": name, "payment": payment}));
        let [Update::Event(event), Update::Payment(update)] = &updates[..] else { panic!("{updates:?}") };
        assert_eq!((event.field.as_str(), event.reason, event.wamid.as_deref()), ("messages.payment", None, Some("w")));
        assert_eq!((update.phone_number_id.as_str(), update.wamid.as_str()), ("1065", "w"));
        assert_eq!(update.payment.status, name);
        let details: Value = serde_json::from_str(update.payment.details.as_ref().unwrap()).unwrap();
        assert_eq!(details, payment);
    }
    for details in [json!(null), json!("x"), json!([]), json!({"notes": "n".repeat(5000)})] {
        let updates = status(&json!({"type": "payment", "payment": details}));
        let [Update::Event(_), Update::Payment(update)] = &updates[..] else { panic!("{updates:?}") };
        assert_eq!(update.payment.details, None, "{details}");
    }
}

#[test]
fn a_status_that_is_no_delivery_status_is_an_event_with_its_wamid() {
    for fields in [
        json!({"type": "refund"}),
        json!({"type": ""}),
        json!({"type": 7}),
        json!({"type": {"name": "message"}}),
        json!({"status": "deleted"}),
        json!({"status": "warning"}),
        json!({"status": null}),
        json!({"status": ["failed"]}),
        json!({"timestamp": "soon"}),
        json!({"type": "payment", "status": null}),
        json!({"type": "payment", "status": "x".repeat(65)}),
        json!({"type": "payment", "timestamp": null}),
    ] {
        let updates = status(&fields);
        let [Update::Event(event)] = &updates[..] else { panic!("{fields}: {updates:?}") };
        assert!(event.reason.is_some() && event.wamid.as_deref() == Some("w"), "{fields}: {event:?}");
    }
    for fields in [json!({}), json!({"type": null}), json!({"type": "message"})] {
        assert!(matches!(&status(&fields)[..], [Update::Status(..)]), "{fields}");
    }
}

#[test]
fn a_failed_status_keeps_its_reason_in_every_shape() {
    let unknown = "WhatsApp gave no reason";
    for (errors, expected, count) in [
        (json!([{"code": "131026"}]), "WhatsApp refused the message (131026)", 1),
        (json!({"code": 131_026, "title": "Undeliverable"}), "Undeliverable (131026)", 1),
        (json!("Undeliverable"), "Undeliverable", 1),
        (json!([{"code": 1, "error_data": {"details": 5}}, {"code": 2}]), "WhatsApp refused the message (1): 5", 2),
        (json!([]), unknown, 0),
        (json!(null), unknown, 0),
        (json!([{}]), unknown, 0),
    ] {
        let updates = status(&json!({"errors": errors}));
        let [Update::Status(update, None)] = &updates[..] else { panic!("{errors}: {updates:?}") };
        assert_eq!((update.error.as_deref(), update.errors.len()), (Some(expected), count), "{errors}");
    }
}

#[test]
fn an_unsupported_message_keeps_its_errors_in_every_shape() {
    for errors in [json!([{"code": "131051", "title": "t"}]), json!({"code": 131_051, "title": "t"})] {
        let message =
            json!({"from": "201001234567", "id": "a", "timestamp": "9", "type": "unsupported", "errors": errors});
        let received = only_message(updates(&body(&json!([message]))).unwrap());
        let content: Value = serde_json::from_str(received.message.content.as_ref().unwrap()).unwrap();
        assert_eq!(content["errors"], json!([{"code": 131_051, "title": "t"}]), "{errors}");
    }
}
