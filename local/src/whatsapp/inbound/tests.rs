use super::*;

fn parsed(request: Value, phones: &Phones) -> Result<InboundMessage, String> {
    let business = BusinessNumber {
        waba_id: "1".to_owned(),
        phone_number_id: "2".to_owned(),
        display_phone_number: "15550783881".to_owned(),
    };
    parse(request, &Users::default(), phones, &business, 1_749_416_383)
}

fn webhook(request: Value, bsuid_only: bool) -> Value {
    let inbound = parsed(request, &Phones::default()).unwrap();
    content(&[inbound], bsuid_only).into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[test]
fn a_text_is_converted_to_a_webhook() {
    let request = json!({"from": "+20 100 123 4567", "name": "Mona", "text": "hi",
        "fromUserId": "EG.7",
        "id": "wamid.1"});
    assert_eq!(
        webhook(request.clone(), false),
        json!({
            "contacts": [
                {"profile": {"name": "Mona"}, "wa_id": "201001234567", "user_id": "EG.7"},
            ],
            "messages": [{"from": "201001234567", "from_user_id": "EG.7", "id": "wamid.1",
                "timestamp": "1749416383", "type": "text", "text": {"body": "hi"}}],
        })
    );
    assert_eq!(
        webhook(request, true),
        json!({
            "contacts": [{"profile": {"name": "Mona"}, "user_id": "EG.7"}],
            "messages": [{"from_user_id": "EG.7", "id": "wamid.1",
                "timestamp": "1749416383", "type": "text", "text": {"body": "hi"}}],
        })
    );
}

#[test]
fn a_sender_can_be_a_user_id() {
    let body = webhook(json!({"from": "US.1349", "text": "hi", "timestamp": 5}), false);
    assert_eq!(body["contacts"], json!([{"profile": {}, "user_id": "US.1349"}]));
    assert_eq!(body["messages"][0].get("from"), None);
    assert_eq!(body["messages"][0]["from_user_id"], "US.1349");
    assert_eq!(body["messages"][0]["timestamp"], "5");
}

#[test]
fn other_types_and_members_are_copied() {
    let body = webhook(
        json!({"from": "5521987654321", "type": "image", "image": {"id": "1"},
            "context": {"forwarded": true}}),
        false,
    );
    assert_eq!(body["messages"][0]["image"], json!({"id": "1"}));
    assert_eq!(body["messages"][0]["context"], json!({"forwarded": true}));
    assert_eq!(body["messages"][0]["from"], "5521987654321");

    let body = webhook(json!({"from": "5521987654321", "type": "system", "system": {}}), false);
    assert_eq!(body.get("contacts"), None);
}

#[test]
fn the_error_names_the_invalid_member() {
    for (request, named) in [
        (json!({"text": "hi"}), "from"),
        (json!({"from": "unknown", "text": "hi"}), "from"),
        (json!({"from": 201, "text": "hi"}), "string"),
        (json!({"from": "201001234567"}), "text"),
        (json!({"from": "201001234567", "text": 7}), "text"),
        (json!({"from": "201001234567", "type": "text"}), "text"),
        (json!({"from": "201001234567", "text": "hi", "timestamp": "soon"}), "timestamp"),
        (json!({"from": "201001234567", "text": "hi", "timestamp": -1}), "Timestamp"),
        (json!({"from": "201001234567", "text": "hi", "fromUserId": "7"}), "fromUserId"),
        (json!("hi"), "invalid"),
    ] {
        let sentence = parsed(request.clone(), &Phones::default()).unwrap_err();
        assert!(sentence.contains(named), "{request}: {sentence}");
    }
}
