use proptest::prelude::*;
use shared::{domain::caller::Caller, http::Body, services::import::ImportRequest};

use super::*;

fn supabase(chat: impl Into<Fields>, message: impl Into<Fields>) -> Result<Value, String> {
    let chats = HashMap::from([("7".to_owned(), OldChat::read(&chat.into()))]);
    let message = from_supabase(&message.into(), &chats)?;
    assert_eq!(message.old_chat, "7");
    Ok(serde_json::from_str(&message.json).unwrap())
}

#[test]
fn supabase_rows_become_messages() {
    let chat = [("id", "7"), ("remote_id", "123@lid"), ("phone_jid", "201001234567@s.whatsapp.net"), ("name", "Mona")];
    let incoming = [
        ("id", "41"),
        ("chat_id", "7"),
        ("body", "Hi"),
        ("type", "text"),
        ("from_me", "f"),
        ("is_sent", "true"),
        ("status", "received"),
        ("wamid", "wamid.1"),
        ("timestamp", "2024-05-06 07:08:09.123456+00"),
    ];
    let expected = json!({
        "id": "41", "contact": "201001234567@s.whatsapp.net", "name": "Mona", "fromMe": false, "body": "Hi",
        "timestamp": "2024-05-06T07:08:09.123Z", "wamid": "wamid.1",
    });
    assert_eq!(supabase(chat, incoming), Ok(expected));
    let outgoing = [
        ("id", "42"),
        ("chat_id", "7"),
        ("type", "imageMessage"),
        ("from_me", "true"),
        ("is_sent", "false"),
        ("created_at", "1714979289"),
    ];
    let expected = json!({
        "id": "42", "contact": "201001234567@s.whatsapp.net", "name": "Mona", "fromMe": true, "type": "image",
        "status": "failed", "timestamp": "2024-05-06T07:08:09.000Z",
    });
    assert_eq!(supabase(chat, outgoing), Ok(expected));
}

#[test]
fn contact_is_the_first_usable_address_and_its_spelling_is_no_name() {
    let contact = |fields: &[(&str, &str)]| {
        let value = |name: &str| fields.iter().find(|field| field.0 == name).map_or("", |field| field.1);
        let names = ["remote_id", "phone_jid", "name"];
        let chat = OldChat::read(&Fields::from(names.map(|name| (name, value(name)))));
        (chat.contact, chat.name)
    };
    let name = |text: &str| Some(text.to_owned());
    assert_eq!(contact(&[("remote_id", "1@g.us"), ("name", "Family")]), (Ok("1@g.us".to_owned()), name("Family")));
    assert_eq!(contact(&[("remote_id", "123@lid"), ("phone_jid", "x")]).0, Ok("123@lid".to_owned()));
    assert_eq!(contact(&[("phone_jid", "+20 100 123 4567"), ("name", "+20 100 123 4567")]).1, None);
    assert!(contact(&[("remote_id", "status@broadcast")]).0.unwrap_err().contains("broadcast list"));
    assert_eq!(contact(&[]).0.unwrap_err(), "its chat has neither remote_id nor phone_jid");
}

#[test]
fn rows_that_are_no_message_are_rejected_with_a_reason() {
    let chat = [("remote_id", "201001234567")];
    let valid =
        [("id", "1"), ("chat_id", "7"), ("from_me", "true"), ("body", "Hi"), ("timestamp", "2024-05-06T07:08:09Z")];
    assert!(supabase(chat, valid).is_ok());
    for (name, value, reason) in [
        ("id", "", "has no id"),
        ("chat_id", "", "has no chat_id"),
        ("chat_id", "8", "has a chat_id that the table chats doesn't have"),
        ("from_me", "", "has no from_me"),
        ("from_me", "maybe", "has a from_me that is neither true nor false"),
        ("body", " ", "has no body, which a text needs"),
        ("timestamp", "", "has no timestamp"),
        ("timestamp", "yesterday", "has a timestamp that is not a time since 1970"),
    ] {
        let message = valid.map(|field| if field.0 == name { (name, value) } else { field });
        assert_eq!(supabase(chat, message), Err(reason.to_owned()), "{name}");
    }
}

#[test]
fn times_are_rfc_3339_of_postgres_or_numbers() {
    for (text, expected) in [
        ("2024-05-06T07:08:09Z", Some("2024-05-06T07:08:09.000Z")),
        ("2024-05-06T10:08:09.5+03:00", Some("2024-05-06T07:08:09.500Z")),
        ("2024-05-06 07:08:09+00", Some("2024-05-06T07:08:09.000Z")),
        ("2024-05-06 07:08:09.123456", Some("2024-05-06T07:08:09.123Z")),
        ("2024-05-06T07:08:09", Some("2024-05-06T07:08:09.000Z")),
        ("1714979289", Some("2024-05-06T07:08:09.000Z")),
        ("1714979289123", Some("2024-05-06T07:08:09.123Z")),
        ("1969-12-31T23:59:59Z", None),
        ("-1", None),
        ("9999999999999999", None),
        ("06/05/2024", None),
    ] {
        assert_eq!(timestamp_of(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn types_and_statuses_of_other_libraries_are_known() {
    for (text, expected) in [
        (None, "text"),
        (Some("TEXT"), "text"),
        (Some("chat"), "text"),
        (Some("extendedTextMessage"), "text"),
        (Some("ptt"), "audio"),
        (Some("videoMessage"), "video"),
        (Some("vcard"), "contacts"),
        (Some("reaction"), "unsupported"),
        (Some("message"), "unsupported"),
    ] {
        assert_eq!(kind(text), expected, "{text:?}");
    }
    for (text, is_sent, expected) in [
        (None, None, "sent"),
        (None, Some(false), "failed"),
        (Some("PENDING"), None, "failed"),
        (Some("pending"), Some(true), "sent"),
        (Some("read"), Some(false), "read"),
        (Some("3"), None, "delivered"),
        (Some("error"), Some(true), "failed"),
        (Some("?"), Some(true), "sent"),
    ] {
        assert_eq!(status(text, is_sent), expected, "{text:?} {is_sent:?}");
    }
}

proptest! {
    /// Whatever a file has, a message that isn't rejected here has the format of the API, apart from its lengths.
    #[test]
    fn messages_are_valid_requests(
        id in "[^ ].{0,20}", kind in ".{0,20}", status in ".{0,10}", body in "[^ ].{0,20}", name in ".{0,20}",
        from_me: bool, second in 0_i64..2_000_000_000,
    ) {
        let (from_me, second) = (from_me.to_string(), second.to_string());
        let fields = Fields::from([
            ("id", id.as_str()), ("contact", "+201001234567"), ("name", &name), ("from_me", &from_me), ("type", &kind),
            ("body", &body), ("timestamp", &second), ("status", &status),
        ]);
        if let Ok(message) = from_csv(&fields) {
            let session_id = "117b233c-fcee-5c30-b5f9-00032fb4b9ea";
            let body = format!(r#"{{"sessionId":"{session_id}","messages":[{}]}}"#, message.json);
            let request = ImportRequest::read(&Body::new(body.clone().into_bytes()), &Caller::admin("k"));
            prop_assert!(request.is_ok(), "{body}: {request:?}");
        }
    }
}
