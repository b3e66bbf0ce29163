use super::*;

#[test]
fn placeholders_are_found() {
    assert_eq!(placeholders("Hi {{1}}, {{ 2 }} and {{1}}!"), ["1", "2"]);
    assert_eq!(placeholders("Hi {{first_name}}"), ["first_name"]);
    assert_eq!(placeholders("{{}}"), [""]);
    for text in ["", "Hi", "{1}", "}} {{", "{{1} }"] {
        assert!(placeholders(text).is_empty(), "{text}");
    }
}

#[test]
fn placeholders_are_replaced() {
    let value = |name: &str| if name == "1" { "Ana".to_owned() } else { String::new() };
    assert_eq!(fill("Hi {{1}}, {{1}}{{2}}!", value), "Hi Ana, Ana!");
    assert_eq!(literal("Hi {{1}}, {{2}}!"), "Hi  ,  !");
}

#[test]
fn misplaced_placeholders_are_recognized() {
    for (text, at_an_end, adjacent) in [
        ("Hi {{1}}.", false, false),
        ("{{1}} hi", true, false),
        ("Hi {{1}}", true, false),
        (" Hi {{1}} ", true, false),
        ("Hi {{1}} {{2}}.", false, true),
        ("Hi {{1}}-{{2}}.", false, false),
        ("Hi }}", false, false),
    ] {
        assert_eq!(has_placeholder_at_an_end(text), at_an_end, "{text}");
        assert_eq!(has_adjacent_placeholders(text), adjacent, "{text}");
    }
}

#[test]
fn emojis_are_counted() {
    assert_eq!(count_emojis("😀 ok ✅ 🇪🇬"), 4);
    assert_eq!(count_emojis("مرحبا * — é"), 0);
}
