mod content;
mod interactive;

use serde_json::json;

use super::*;

const BUSINESS: &str = "15550783881";

fn with(change: Value) -> Value {
    let mut body = json!({"messaging_product": "whatsapp", "to": "+20 100 123 4567",
        "type": "text", "text": {"body": "hi"}});
    for (key, value) in change.as_object().unwrap() {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(key);
        } else {
            body[key] = value.clone();
        }
    }
    body
}

fn parameters(body: &Value) -> Parameters {
    Parameters(body.as_object().unwrap().clone())
}

fn accepted(body: &Value) -> OutboundMessage {
    match parse(parameters(body), BUSINESS).unwrap() {
        SendRequest::Message(message) => message,
        SendRequest::ReadReceipt(_) => panic!("not a message: {body}"),
    }
}

#[test]
fn valid_messages_are_accepted() {
    let message = accepted(&with(json!({"biz_opaque_callback_data": "k".repeat(512)})));
    assert_eq!(message.recipient, Address::Phone("201001234567".into()));
    assert_eq!(message.input, "+20 100 123 4567");
    assert_eq!(message.callback_data.unwrap().len(), 512);

    assert_eq!(accepted(&with(json!({"type": null}))).kind, "text");
    accepted(&with(json!({"recipient_type": "individual", "to": 201_001_234_567_u64})));
    accepted(&with(json!({"text": "{\"body\": \"hi\"}"})));
    accepted(&with(json!({"context": {"message_id": "wamid.1"}})));
    // The Graph API ignores unknown parameters of a request.
    accepted(&with(json!({"preview": true})));
}

#[test]
fn to_takes_precedence_over_recipient() {
    let message = accepted(&with(json!({"recipient": "US.1"})));
    assert_eq!(message.recipient, Address::Phone("201001234567".into()));
    let message = accepted(&with(json!({"recipient": "US.1", "to": null})));
    assert_eq!(message.recipient, Address::UserId("US.1".into()));
}

#[test]
fn a_read_receipt_is_distinguished_from_a_message() {
    let body = json!({"messaging_product": "whatsapp", "status": "read",
        "message_id": "wamid.1", "typing_indicator": {"type": "text"}});
    let receipt = |body: &Value| match parse(parameters(body), BUSINESS) {
        Ok(SendRequest::ReadReceipt(request)) => request,
        other => panic!("{other:?}"),
    };
    let message_id = "wamid.1".to_owned();
    assert_eq!(receipt(&body), ReadReceiptRequest { message_id: message_id.clone(), typing_indicator: true });
    let mut without = body.clone();
    without.as_object_mut().unwrap().remove("typing_indicator");
    assert_eq!(receipt(&without), ReadReceiptRequest { message_id, typing_indicator: false });
    for (key, value) in [("status", json!("seen")), ("message_id", json!("")), ("typing_indicator", json!({}))] {
        let mut body = body.clone();
        body[key] = value;
        assert!(parse(parameters(&body), BUSINESS).is_err(), "{body}");
    }
}

#[test]
fn invalid_requests_have_the_error_code_of_meta() {
    let reaction = json!({"message_id": "wamid.1", "emoji": "👍"});
    let pin = json!({"type": "pin", "message_id": "wamid.1", "expiration_days": 4});
    for (change, code) in [
        (json!({"messaging_product": null}), 100),
        (json!({"messaging_product": "messenger"}), 100),
        (json!({"to": null}), 100),
        (json!({"to": ["201001234567"]}), 100),
        (json!({"to": "unknown"}), 131_009),
        (json!({"to": null, "recipient": "unknown"}), 131_009),
        (json!({"to": "+1 555 078 3881"}), 131_021),
        (json!({"recipient_type": "channel"}), 100),
        (json!({"recipient_type": "group"}), 131_009),
        (json!({"recipient_type": "group", "to": null}), 100),
        (json!({"recipient_type": "group", "to": "Y2FwaV9ncm91cDox"}), 131_041),
        (json!({"recipient_type": "group", "to": "Y2FwaV9ncm91cDox", "text": {}}), 100),
        (json!({"recipient_type": "group", "to": "Y2FwaV9ncm91cDox", "type": "pin", "pin": pin}), 131_041),
        (json!({"type": "pin", "pin": pin}), 131_009),
        (json!({"type": "hologram", "hologram": {}}), 100),
        (json!({"type": "gif", "gif": {}}), 131_051),
        (json!({"type": "image"}), 131_008),
        (json!({"text": null}), 131_008),
        (json!({"context": {}}), 100),
        (json!({"context": {"message_id": ""}}), 100),
        (json!({"context": {"id": "wamid.1"}}), 100),
        (json!({"context": "wamid.1"}), 100),
        (json!({"context": {"message_id": "wamid.1"}, "type": "reaction", "reaction": reaction}), 131_009),
        (json!({"category": "utility"}), 100),
        (json!({"biz_opaque_callback_data": "k".repeat(513)}), 100),
    ] {
        let error = parse(parameters(&with(change.clone())), BUSINESS).unwrap_err();
        assert_eq!(error.code, code, "{change}");
        assert_eq!(error.status, 400, "{change}");
    }
}
