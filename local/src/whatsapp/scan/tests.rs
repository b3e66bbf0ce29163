use super::*;

#[test]
fn the_number_and_text_of_a_link_are_returned() {
    for (qr, text) in [
        ("https://wa.me/15550783881?text=Connect%20QASID-7F3K", "Connect QASID-7F3K"),
        ("https://wa.me/15550783881?a=b&text=%D8%B3%F0%9F%91%8B+x%2B%26", "س👋 x+&"),
        ("HTTPS://WA.ME/15550783881?text=A", "A"),
    ] {
        assert_eq!(parse(qr).unwrap(), Scanned::Chat { number: "15550783881".to_owned(), text: text.to_owned() });
    }
    let code = parse("https://wa.me/message/4O4YGZEG3RIVE1").unwrap();
    assert_eq!(code, Scanned::Code("4O4YGZEG3RIVE1".to_owned()));
}

#[test]
fn other_content_is_rejected() {
    for (qr, named) in [
        ("", "not a link"),
        ("2@abc,def", "not a link"),
        ("https://example.org/15550783881?text=x", "wa.me"),
        ("http://wa.me/15550783881?text=x", "wa.me"),
        ("https://wa.me/?text=x", "number"),
        ("https://wa.me/15550783881", "a text"),
        ("https://wa.me/15550783881?text=", "a text"),
        ("https://wa.me/15550783881?text=%FF", "percent-encoded"),
    ] {
        let sentence = parse(qr).unwrap_err();
        assert!(sentence.contains(named), "{qr}: {sentence}");
    }
}
