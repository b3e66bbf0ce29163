use serde_json::{Value, json};

use super::*;

fn row(fields: &Value) -> Value {
    let mut row = json!({
        "id": "41", "contact": "+201001234567", "fromMe": true, "body": "hello", "timestamp": "2025-06-08T20:59:43Z",
    });
    row.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    row
}

fn read(messages: &Value) -> Result<ImportRequest, ApiError> {
    let body = json!({"sessionId": "117b233c-fcee-5c30-b5f9-00032fb4b9ea", "messages": messages});
    ImportRequest::read(&Body::new(body.to_string().into_bytes()), &Caller::admin("k"))
}

fn read_row(fields: &Value) -> Result<ImportedMessage, ApiError> {
    read(&json!([row(fields)])).map(|request| request.messages.into_iter().next().unwrap())
}

fn sentence(fields: &Value) -> String {
    format!("{:?}", read_row(fields).unwrap_err())
}

#[test]
fn absent_members_have_defaults() {
    let message = read_row(&json!({"type": null, "name": " ", "status": null, "wamid": null})).unwrap();
    assert_eq!((message.kind, message.status), (MessageType::Text, MessageStatus::Sent));
    assert_eq!((message.name, message.wamid), (None, None));
    assert_eq!(read_row(&json!({"fromMe": false})).unwrap().status, MessageStatus::Received);
    assert_eq!(read_row(&json!({"type": "image", "body": null})).unwrap().body, None);
}

#[test]
fn failed_message_with_a_wamid_was_accepted() {
    let status = |fields: Value| read_row(&fields).unwrap().status;
    assert_eq!(status(json!({"status": "failed"})), MessageStatus::Failed);
    assert_eq!(status(json!({"status": "failed", "wamid": "wamid.1"})), MessageStatus::Undelivered);
}

#[test]
fn errors_name_the_row_and_the_field() {
    for (fields, expected) in [
        (json!({"id": " "}), "messages[0].id must have 1 to 1024 bytes and not be blank"),
        (json!({"id": null}), "messages[0].id is required"),
        (json!({"id": 41}), "messages[0].id must be a string"),
        (json!({"contact": ""}), "messages[0].contact is required"),
        (json!({"contact": "Ada"}), "messages[0].contact is not a WhatsApp address"),
        (json!({"contact": "status@broadcast"}), "messages[0].contact is a status, broadcast list, or channel"),
        (json!({"fromMe": "true"}), "messages[0].fromMe must be true or false"),
        (json!({"fromMe": null}), "messages[0].fromMe is required"),
        (json!({"type": "reaction"}), "messages[0].type must be one of text, image"),
        (json!({"body": "\n"}), "messages[0].body is required"),
        (json!({"body": "x".repeat(65_537)}), "messages[0].body has 65537 characters"),
        (json!({"timestamp": "2025-06-08"}), "messages[0].timestamp must be an RFC 3339 time"),
        (json!({"status": "pending"}), "messages[0].status must be sent, delivered, read, or failed"),
        (json!({"status": "read", "fromMe": false}), "messages[0].status is for messages with fromMe: leave it out"),
        (json!({"wamid": "w".repeat(1025)}), "messages[0].wamid must have 1 to 1024 bytes"),
        (
            json!({"from_me": true}),
            "messages[0].from_me is not a field of messages[0]: did you mean messages[0].fromMe?",
        ),
    ] {
        let sentence = sentence(&fields);
        assert!(sentence.contains(expected), "{fields}: {sentence}");
    }
    let error = format!("{:?}", read(&json!([row(&json!({})), row(&json!({"timestamp": "x"}))])).unwrap_err());
    assert!(error.contains("messages[1].timestamp must be"), "{error}");
}

#[test]
fn request_has_1_to_1000_messages_in_a_megabyte() {
    let read_rows = |count: usize| read(&json!(vec![row(&json!({})); count]));
    assert_eq!(read_rows(1000).unwrap().messages.len(), 1000);
    for invalid in [read_rows(1001), read_rows(0), read(&json!({})), read(&Value::Null)] {
        assert!(invalid.is_err());
    }
    let large = vec![row(&json!({"body": "x".repeat(60_000)})); 18];
    assert_eq!(read(&json!(large)).unwrap_err().code(), ErrorCode::BodyTooLarge);
    assert_eq!(read(&json!(large[..17])).unwrap().messages.len(), 17);
}
