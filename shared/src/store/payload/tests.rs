use proptest::prelude::*;

use super::*;

const WAMID: &str = "wamid.HBgMMjAxMDAxMjM0NTY3FQIAEhgUM0E4NTlFQzBFMzY4NTZCRkM3MTkA";

fn bytes(payload: &Payload, wamid: Option<&str>) -> Vec<u8> {
    payload.compress(wamid).unwrap().unwrap().as_b().unwrap().as_ref().to_vec()
}

fn received() -> Payload {
    let body = "Wann kommt meine Bestellung?";
    Payload {
        body: Some(body.to_owned()),
        content: None,
        raw: Some(format!(
            r#"{{"from":"491511234567","id":"{WAMID}","timestamp":"1758254144","text":{{"body":"{body}"}},"type":"text"}}"#
        )),
        writer: Some(Writer {
            contact: Some(r#"{"profile":{"name":"J\u00f6rg"},"wa_id":"491511234567"}"#.to_owned()),
            ..Writer::default()
        }),
    }
}

/// A text, the same text in JSON, or the same with escapes.
fn text() -> impl Strategy<Value = Option<String>> {
    let text = prop_oneof!["\\PC*", ".*", "[a-z🚚é\\\\\"/]{0,40}", "(\\\\u[0-9a-f]{4}|\\\\\\\\|x){0,9}"];
    let escaped = |json: String| super::escapes::escaped(&json);
    let json = |text: String| serde_json::to_string(&text).unwrap();
    let text = text.prop_flat_map(move |text| {
        prop_oneof![Just(text.clone()), Just(json(text.clone())), Just(escaped(json(text)))]
    });
    proptest::option::of(text)
}

fn payload() -> impl Strategy<Value = Payload> {
    let writer =
        (text(), text(), text()).prop_map(|(user_id, username, contact)| Writer { user_id, username, contact });
    (text(), text(), text(), proptest::option::of(writer)).prop_map(|(body, content, raw, writer)| Payload {
        body,
        content,
        raw,
        writer,
    })
}

proptest! {
    #[test]
    fn payload_is_read_as_it_was_written(payload in payload(), wamid in proptest::option::of("wamid\\.[A-Z]{0,20}")) {
        match payload.compress(wamid.as_deref()).unwrap() {
            Some(stored) => {
                let read = Payload::decompress(stored.as_b().unwrap().as_ref(), wamid.as_deref()).unwrap();
                prop_assert_eq!(read, payload);
            }
            None => prop_assert_eq!(payload, Payload::default()),
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(format in 0u8..3, rest in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Payload::decompress(&[&[format], rest.as_slice()].concat(), Some(WAMID));
    }
}

#[test]
fn incompressible_text_grows_by_a_few_bytes() {
    let noise: String =
        (0..200_000u32).filter_map(|n| char::from_u32(n.wrapping_mul(2_654_435_761) % 0xd800)).collect();
    let payload = Payload { raw: Some(noise.clone()), ..Payload::default() };
    assert!(bytes(&payload, None).len() < noise.len() + 200);
}

#[test]
fn escaped_json_is_stored_as_its_characters() {
    let body = "متى يصل طلبي؟ 🚚";
    let received = |text: &str| Payload {
        raw: Some(format!(r#"{{"text":{{"body":"{text}"}},"type":"text"}}"#)),
        body: Some(body.to_owned()),
        ..Payload::default()
    };
    let escaped = escapes::escaped(body);
    assert_eq!(&escaped[..12], "\\u0645\\u062a");
    assert!(bytes(&received(&escaped), None).len() < bytes(&received(body), None).len() + 5);
    assert_eq!(escapes::unescaped(&escaped).as_deref(), Some(body));
    for other in ["\\u0645 م", "\\u064A", "\\\\u0645", "\\u0041", "\\ud83d", "\\ud83d\\u0041", "\\u+645", "\\u06", "\\"]
    {
        let restored = escapes::unescaped(other).map(|text| escapes::escaped(&text));
        assert!(restored.is_none_or(|restored| restored == other), "{other}");
    }
}

#[test]
fn stored_payloads_stay_readable() {
    let sent =
        Payload { body: Some("Hi".to_owned()), content: Some(r#"{"type":"text"}"#.to_owned()), ..Payload::default() };
    for (payload, wamid, stored) in [
        (sent, None, "0143371e28e4910900"),
        (
            received(),
            Some(WAMID),
            "029d97310a80300c45afd2233435a93a098e5ec0c5c5413b482288bdbf7110d11607e7e40fef41023f2fb21ba2b5b3dfc299b89c610d04e00a245f6af4467d0c12ec5f9de8ad8a2a470888297e3f8a986565de0d4ffa1a4dab31bdd728a1c9f07ead1f",
        ),
    ] {
        let found = Payload::decompress(&hex::decode(stored).unwrap(), wamid);
        assert_eq!(found.ok(), Some(payload.clone()), "now {}", hex::encode(bytes(&payload, wamid)));
    }
}

#[test]
fn too_long_or_damaged_payload_is_refused() {
    let long = |length| Payload { body: Some("x".repeat(length)), ..Payload::default() };
    let stored = bytes(&long(LIMIT), None);
    assert!(stored.len() < 1000, "{}", stored.len());
    assert!(Payload::decompress(&stored, None).is_err());
    assert!(Payload::decompress(&bytes(&long(LIMIT - 2), None), None).is_ok());
    let stored = bytes(&received(), Some(WAMID));
    for end in 0..stored.len() {
        assert!(Payload::decompress(&stored[..end], Some(WAMID)).is_err(), "{end}");
    }
}
