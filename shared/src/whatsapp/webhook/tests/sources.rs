use super::*;
use crate::domain::message::MessageStatus;

#[test]
fn echo_is_a_message_from_the_business() {
    let echo = json!({"from": "15550783881", "to": "201001234567", "id": "e", "timestamp": "9", "type": "text",
        "text": {"body": "hello"}});
    let received = only_message(change("smb_message_echoes", &json!({"message_echoes": [echo]})));
    assert_eq!(received.peer.addresses, [Address::Phone("201001234567".to_owned())]);
    assert_eq!((received.source, received.waba_id.as_deref()), (Some(Source::Echo), Some("77")));
    let message = received.message;
    assert_eq!((message.from_me, message.status, message.body.as_deref()), (true, MessageStatus::Sent, Some("hello")));
    assert!(!message.opens_window);
}

#[test]
fn standby_has_messages_statuses_and_echoes_of_send_requests() {
    let request =
        json!({"to": "201001234567", "type": "text", "text": {"body": "hello"}, "context": {"message_id": "q"}});
    let standby = json!({
        "messages": [text("a")],
        "message_echoes": [{"id": "e", "timestamp": "9", "message": request}],
        "statuses": [{"id": "w", "status": "read", "timestamp": "9"}],
    });
    let updates = change("standby", &json!({"standby": standby}));
    let [Update::Message(echo), Update::Message(message), Update::Status(..)] = &updates[..] else {
        panic!("{updates:?}")
    };
    assert!([echo, message].iter().all(|one| one.source == Some(Source::Standby)));
    assert_eq!((echo.message.from_me, message.message.from_me), (true, false));
    let content: Value = serde_json::from_str(echo.message.content.as_ref().unwrap()).unwrap();
    assert_eq!(content["context"], json!({"id": "q"}));
}

#[test]
fn history_has_both_directions() {
    let threads = json!([{"id": "201001234567", "messages": [
        {"from": "15550783881", "id": "a", "timestamp": "1", "type": "text", "text": {"body": "hi"},
            "history_context": {"status": "READ"}},
        {"from": "15550783881", "id": "b", "timestamp": "2", "type": "media_placeholder",
            "history_context": {"status": "PENDING"}},
        {"from": "201001234567", "id": "c", "timestamp": "3", "type": "text", "text": {"body": "yes"},
            "history_context": {"status": "READ"}},
        7,
    ]}]);
    let refusal = json!({"errors": [{"code": 2_593_109, "title": "History sync is turned off"}]});
    let updates = change("history", &json!({"history": [{"metadata": {"phase": 0}, "threads": threads}, refusal]}));
    let found: Vec<_> = updates
        .iter()
        .filter_map(|update| match update {
            Update::Message(one) => Some((one.message.from_me, one.message.status, one.source)),
            _ => None,
        })
        .collect();
    let past = Some(Source::History);
    let (read, unknown, received) = (MessageStatus::Read, MessageStatus::Unknown, MessageStatus::Received);
    assert_eq!(found, [(true, read, past), (true, unknown, past), (false, received, past)]);
    assert!(is_invalid(&updates[3]));
    assert!(matches!(&updates[4], Update::Event(event) if event.field == "history" && event.reason.is_none()));
}
