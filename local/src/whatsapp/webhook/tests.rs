use super::*;

#[test]
fn the_signature_matches_published_test_vectors() {
    // RFC 4231, test cases 2 and 6: a short key and a key longer than a block.
    assert_eq!(
        sign("Jefe", b"what do ya want for nothing?"),
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    let long_key = "k".repeat(131);
    assert_eq!(sign(&long_key, b"").len(), "sha256=".len() + 64);
}

#[test]
fn non_ascii_characters_and_slashes_are_escaped_reversibly() {
    let json = json!({"name": "Zoë", "text": "السلام عليكم 👋\u{0}\n", "link": "https://a/\\/b\\"}).to_string();
    let escaped = escape(&json);
    assert!(escaped.is_ascii());
    assert!(escaped.contains(r"Zo\u00eb"), "{escaped}");
    assert!(escaped.contains(r"\ud83d\udc4b"), "{escaped}");
    assert!(escaped.contains(r"https:\/\/a\/\\\/b\\"), "{escaped}");
    assert_eq!(escape(&escaped), escaped, "an escaped body stays as it is");
    assert_eq!(serde_json::from_str::<Value>(&escaped).unwrap(), serde_json::from_str::<Value>(&json).unwrap());
}

#[test]
fn the_envelope_contains_the_account_and_the_number() {
    let number = BusinessNumber { waba_id: "1".into(), phone_number_id: "2".into(), display_phone_number: "3".into() };
    let body: Value = serde_json::from_str(&body(&number, vec![("messages", json!([7]))])).unwrap();
    assert_eq!(
        body,
        json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{
            "field": "messages", "value": {"messaging_product": "whatsapp", "messages": [7],
                "metadata": {"display_phone_number": "3", "phone_number_id": "2"}}}]}]})
    );
}
