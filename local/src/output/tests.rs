use super::*;

#[test]
fn control_characters_are_escaped() {
    let output = Output::captured();
    output.line(Kind::Request, "GET /a\n\x1b[2J 200 é");
    assert_eq!(output.lines(), ["request  GET /a\\n\\u{1b}[2J 200 é"]);
}
