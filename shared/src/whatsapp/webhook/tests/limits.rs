//! Sizes, numbers, and bytes beyond what Meta documents.

use super::*;
use crate::domain::{
    id::MAX_ID_BYTES,
    message::{BODY_LIMIT, CONTENT_LIMIT},
};

#[test]
fn a_message_with_a_time_that_does_not_exist_is_an_event_and_its_neighbors_are_messages() {
    let times = [
        json!("253402207200"),
        json!("253402300799"),
        json!(253_402_300_799_i64),
        json!("-1"),
        json!(1.5),
        json!(1e300),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(""),
        json!("1749416383.0"),
        json!(null),
        json!([]),
    ];
    let reaction = json!({"message_id": "a", "emoji": "x"});
    for time in times {
        for kind in ["text", "reaction"] {
            let mut odd = text("odd");
            (odd["timestamp"], odd["type"], odd["reaction"]) = (time.clone(), json!(kind), reaction.clone());
            let updates = updates(&body(&json!([text("a"), odd, text("b")]))).unwrap();
            assert!(matches!(updates[0], Update::Message(_)) && matches!(updates[2], Update::Message(_)));
            let Update::Event(event) = &updates[1] else { panic!("{time}: {:?}", updates[1]) };
            assert_eq!((event.reason, event.wamid.as_deref()), (Some("invalid timestamp"), Some("odd")), "{time}");
        }
        let status = |id: &str, time: Value| json!({"id": id, "status": "sent", "timestamp": time});
        let statuses = json!([status("a", json!("1")), status("odd", time.clone()), status("b", json!(1))]);
        let updates = change("messages", &json!({"statuses": statuses}));
        assert!(matches!(updates[0], Update::Status(..)) && matches!(updates[2], Update::Status(..)));
        assert!(is_invalid(&updates[1]), "{time}");
    }
}

#[test]
fn a_long_text_stays_a_text_and_is_cut_between_characters() {
    for (text, stored) in [
        ("x".repeat(BODY_LIMIT), BODY_LIMIT),
        ("x".repeat(BODY_LIMIT + 1), BODY_LIMIT),
        ("x".repeat(3_000_000), BODY_LIMIT),
        (format!("x{}", "ا".repeat(65_536)), BODY_LIMIT - 1),
        (format!("xyz{}", "👍".repeat(20_000)), BODY_LIMIT - 1),
    ] {
        let mut message = super::text("a");
        message["text"]["body"] = json!(text);
        let message = only_message(updates(&body(&json!([message]))).unwrap()).message;
        assert_eq!((message.kind, message.content), (MessageType::Text, None));
        let body = message.body.unwrap();
        assert!(body.len() == stored && text.starts_with(&body), "{}", body.len());
        assert!(message.raw.contains(&text), "the raw JSON is complete");
    }
}

#[test]
fn long_members_are_shortened_and_the_type_stays() {
    let long = "ä".repeat(100_000);
    let deep = (0..120).fold(json!("x"), |inner, _| json!([inner]));
    for (kind, object) in [
        ("image", json!({"id": "7", "caption": long})),
        ("document", json!({"id": "7", "filename": long})),
        ("contacts", json!([{"name": {"formatted_name": long}}])),
        ("contacts", json!(vec![json!({"name": {"formatted_name": "x".repeat(900)}}); 1000])),
        ("location", json!({"latitude": 1, "longitude": 2, "address": long})),
        ("button", json!({"text": "x", "payload": long})),
        ("interactive", json!({"type": "nfm_reply", "nfm_reply": {"body": "x", "response_json": long}})),
        ("interactive", json!({"type": "list_reply", "list_reply": {"title": long, "id": "7"}})),
        ("order", json!({"text": long, "product_items": vec![json!({"quantity": 1}); 10_000]})),
        ("reaction", json!({"message_id": "m", "emoji": long})),
        ("reaction", json!({"message_id": long, "emoji": "x"})),
        ("image", json!({"id": "7", "caption": "x", "deep": deep})),
        ("edit", json!({"original_message_id": "m", "message": {"type": "image", "image": {"caption": long}}})),
    ] {
        let mut message = text("a");
        (message["type"], message[kind]) = (json!(kind), object);
        message["context"] = json!({"id": "q", "from": long});
        let message = only_message(updates(&body(&json!([message]))).unwrap()).message;
        assert_eq!(json!(message.kind), kind);
        assert!(message.body.as_ref().is_none_or(|body| body.len() <= BODY_LIMIT));
        let content = message.content.unwrap();
        assert!(content.len() <= CONTENT_LIMIT, "{kind}: {}", content.len());
        let content: Value = serde_json::from_str(&content).unwrap();
        assert_eq!((&content["type"], &content["context"]["id"]), (&json!(kind), &json!("q")));
        if let Some(action) = message.action {
            assert!(action.target.len() <= MAX_ID_BYTES && format!("{:?}", action.kind).len() < 200_000);
        }
    }
}

#[test]
fn an_id_that_is_no_number_of_meta_is_not_used() {
    for id in [
        json!("../106540352242922"),
        json!("1065/x"),
        json!("1 "),
        json!("١"),
        json!("9".repeat(21)),
        json!(-1),
        json!(""),
    ] {
        let value = json!({"metadata": {"phone_number_id": id}, "messages": [text("a")],
            "statuses": [{"id": "w", "status": "sent", "timestamp": "1"}]});
        let body = json!({"entry": [{"id": id, "changes": [{"field": "messages", "value": value}]}]});
        for update in updates(body.to_string().as_bytes()).unwrap() {
            let Update::Event(event) = update else { panic!("{id}: {update:?}") };
            assert_eq!((event.phone_number_id, event.waba_id), (None, None), "{id}");
            assert_eq!(event.reason, Some("missing or invalid phone_number_id"));
        }
    }
    let long = json!(u64::MAX);
    let value = json!({"metadata": {"phone_number_id": long}, "messages": [text("a")]});
    let body = json!({"entry": [{"id": long, "changes": [{"field": "messages", "value": value}]}]});
    assert_eq!(only_message(updates(body.to_string().as_bytes()).unwrap()).phone_number_id, "18446744073709551615");
}

#[test]
fn a_long_id_is_an_event_without_it() {
    for length in [MAX_ID_BYTES, MAX_ID_BYTES + 1, 100_000] {
        let id = "w".repeat(length);
        let updates = updates(&body(&json!([text(&id), text("b")]))).unwrap();
        match &updates[0] {
            Update::Message(received) => assert!(length <= MAX_ID_BYTES && received.message.wamid == id),
            Update::Event(event) => assert!(event.reason == Some("id too long") && event.wamid.is_none()),
            other => panic!("{other:?}"),
        }
        assert!(matches!(updates[1], Update::Message(_)));
    }
}

#[test]
fn a_long_field_name_is_shortened() {
    let long = "x".repeat(100_000);
    let updates = change(&long, &json!({"a": 1}));
    assert!(matches!(&updates[0], Update::Event(event) if event.field.len() == 100 && event.raw.len() > 100_000));
    let updates = change("messages", &json!({long: 1}));
    assert!(matches!(&updates[0], Update::Event(event) if event.field.len() == 100));
}

#[test]
fn further_updates_of_a_large_body_are_kept_as_one_event() {
    let empty = |count: usize| format!(r#"{{"entry":[{{"id":"1","changes":[{}]}}]}}"#, vec!["{}"; count].join(","));
    let body = empty(300_000);
    let updates = super::updates(body.as_bytes()).unwrap();
    assert_eq!(updates.len(), 2001);
    let Some(Update::Event(last)) = updates.last() else { panic!() };
    assert_eq!((last.field.as_str(), last.reason), ("webhook", Some("too many updates: the first ones are stored")));
    assert_eq!(last.raw, body);
    assert_eq!(super::updates(empty(2000).as_bytes()).unwrap().len(), 2000);
}

#[test]
fn a_chunk_of_the_history_with_thousands_of_messages_is_complete() {
    let messages: Vec<Value> = (0..12_000).map(|n| text(&format!("m.{n}"))).collect();
    let threads = json!([{"id": "201001234567", "messages": messages}]);
    assert_eq!(change("history", &json!({"history": [{"threads": threads}]})).len(), 12_000);
    let messages: Vec<Value> = (0..20_001).map(|n| text(&format!("m.{n}"))).collect();
    let updates = change("history", &json!({"history": [{"threads": [{"id": "201001234567", "messages": messages}]}]}));
    assert_eq!(updates.len(), 20_001);
    assert!(is_invalid(&updates[20_000]));
}

#[test]
fn a_byte_order_mark_and_invalid_bytes_do_not_affect_a_body() {
    let valid = body(&json!([text("a"), text("b")]));
    let with_mark = [b"\xef\xbb\xbf".as_slice(), &valid].concat();
    assert_eq!(updates(&with_mark).unwrap().len(), 2);
    let marker = String::from_utf8(body(&json!([text("a"), text("b")]))).unwrap();
    let at = marker.find("hi").unwrap();
    for bytes in [b"\xff".as_slice(), b"\xc3", b"\xed\xa0\xbd", b"\xf0\x9f\x91", b"\xc0\xaf", b"\xfe\xff"] {
        let odd = [&valid[..at], bytes, &valid[at..]].concat();
        let updates = updates(&odd).unwrap();
        let bodies: Vec<_> = updates
            .into_iter()
            .map(|update| match update {
                Update::Message(received) => received.message.body.unwrap(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(bodies[0].starts_with('\u{fffd}') && bodies[0].ends_with("hi"), "{bytes:?}: {bodies:?}");
        assert_eq!(bodies[1], "hi");
    }
    for utf16 in [u16::to_le_bytes, u16::to_be_bytes] {
        let odd: Vec<u8> = marker.encode_utf16().flat_map(utf16).collect();
        assert_eq!(updates(&odd).unwrap().len(), 2);
    }
}

#[test]
fn marks_around_a_body_and_control_characters_in_it_do_not_affect_it() {
    let valid = body(&json!([text("a")]));
    let around = |before: &[u8], after: &[u8]| [before, &valid, after].concat();
    let marked = format!("\u{feff}{}", String::from_utf8(valid.clone()).unwrap());
    let little_endian: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big_endian: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for odd in [
        around(b" \r\n\xef\xbb\xbf", b""),
        around(b"\xef\xbb\xbf\xef\xbb\xbf \t", b"\n"),
        around(b"\0", b"\0\0"),
        around(b"", b"\xef\xbb\xbf\n\0"),
        [little_endian.as_slice(), b"\0\0"].concat(),
        [big_endian.as_slice(), b"\0"].concat(),
    ] {
        assert_eq!(only_message(updates(&odd).unwrap()).message.body.as_deref(), Some("hi"), "{odd:?}");
    }
    for (raw, expected) in [
        ("a\nb", "a\nb"),
        ("a\r\n\tb", "a\r\n\tb"),
        ("a\\\\\nb", "a\\\nb"),
        ("a\\\"\nb", "a\"\nb"),
        ("a\u{1}\u{1f}b", "a\u{1}\u{1f}b"),
    ] {
        let odd = String::from_utf8(valid.clone()).unwrap().replace("\"hi\"", &format!("\"{raw}\""));
        let received = only_message(updates(odd.as_bytes()).unwrap());
        assert_eq!(received.message.body.as_deref(), Some(expected), "{raw:?}");
        assert!(serde_json::from_str::<Value>(&received.message.raw).is_ok());
    }
    let between = String::from_utf8(valid).unwrap().replace(",\"", ",\0\n\u{1}\"");
    assert_eq!(only_message(updates(between.as_bytes()).unwrap()).message.body.as_deref(), Some("hi"));
    assert!(updates(b"\xff\xfe").is_err());
    assert!(updates(b"\xff\xfe{").is_err());
    assert!(updates(b" \0\xef\xbb\xbf").is_err());
}
