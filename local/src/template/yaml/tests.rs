#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

#[test]
fn short_tags_are_expanded() {
    let text =
        "a: !Ref X\nb: !GetAtt T.StreamArn\nc: !Join ['', [!Ref X, b]]\nd: !If\n  - C\n  - 1\n  - 2\ne: !Sub '${X}'\n";
    assert_eq!(
        parse(text).unwrap(),
        json!({
            "a": {"Ref": "X"},
            "b": {"Fn::GetAtt": ["T", "StreamArn"]},
            "c": {"Fn::Join": ["", [{"Ref": "X"}, "b"]]},
            "d": {"Fn::If": ["C", 1, 2]},
            "e": {"Fn::Sub": "${X}"},
        })
    );
}

#[test]
fn unsupported_tag_is_an_error_that_names_it() {
    assert_eq!(
        parse("a: !Select [0, x]").unwrap_err().to_string(),
        "a: the local run does not support the tag !Select"
    );
}

#[test]
fn invalid_yaml_is_an_error() {
    let deep_brackets = "[".repeat(100_000);
    let deep_indents: String = (0..500).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    let deep_dashes = "- ".repeat(50_000);
    for text in [
        "",
        "a: [",
        "a: b: c",
        "a: !Nope x",
        "a:",
        "a: 1\na: 2",
        "? [x]\n: y",
        "a\n---\nb",
        "\t",
        "a: *x",
        "a: \"",
        "%YAML 9",
        "\u{0}",
        "a: !!int x",
        &deep_brackets,
        &deep_indents,
        &deep_dashes,
    ] {
        assert!(parse(text).is_err(), "{:.20}", text);
    }
}
