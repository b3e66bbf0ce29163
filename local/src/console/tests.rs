use super::*;

#[test]
fn control_characters_are_escaped() {
    let console = Console::captured();
    console.line(Kind::Request, "GET /a\n\x1b[2J 200 é");
    assert_eq!(console.output(), ["request  GET /a\\n\\u{1b}[2J 200 é"]);
}
