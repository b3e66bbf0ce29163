use proptest::prelude::*;

use super::super::placeholder::{Values, render};
use super::*;
use crate::domain::content::Content;

fn rendered(reply: &Value, name: &str, message: &str) -> Option<Content> {
    let rule = rule(1, json!({"reply": reply}));
    render(serde_json::from_str::<Value>(&rule.reply).unwrap().as_object().unwrap(), &Values::new(name, message))
}

fn body(reply: &str, name: &str, message: &str) -> String {
    rendered(&json!({"message": reply}), name, message).unwrap().body.unwrap()
}

#[test]
fn placeholders_in_values_are_not_filled() {
    assert_eq!(body("Hi {{name}}: {{ message }}!", "Mona", "two\nlines"), "Hi Mona: two lines!");
    assert_eq!(body("{{name}}{{message}}", "{{message}}", "{{name}} {{x}}"), "{{message}}{{name}} {{x}}");
    assert_eq!(body("\"{{name}}\" }} {", "\\\"\u{7}", "x"), "\"\\\"\" }} {");
    assert_eq!(body("{{name}}", " \n", "x"), "…");
}

#[test]
fn values_are_truncated_to_whatsapp_limits() {
    let long = "ab".repeat(5_000);
    let text = body("{{message}}", "x", &long);
    assert_eq!(text.chars().count(), 4_096);
    assert!(text.ends_with('…'));
    assert_eq!(body(&("x".repeat(4_095) + "{{name}}"), &long, "x"), "x".repeat(4_095) + "…");
}

/// Returns replies that contain every text with its own limit.
fn replies() -> Vec<Value> {
    let button = |title: &str| json!({"type": "reply", "reply": {"id": title, "title": title}});
    let row = json!({"id": "1", "title": "R {{name}}", "description": "{{message}}"});
    vec![
        json!({"message": "{{name}} {{message}}"}),
        json!({"type": "image", "image": {"link": "https://example.org/a.png", "caption": "{{message}}"}}),
        json!({"type": "interactive", "interactive": {
            "type": "button",
            "header": {"type": "text", "text": "{{name}}"},
            "body": {"text": "{{message}}"},
            "footer": {"text": "{{name}}"},
            "action": {"buttons": [{"type": "reply", "reply": {"id": "a", "title": "{{name}}"}}, button("No")]},
        }}),
        json!({"type": "interactive", "interactive": {
            "type": "list",
            "body": {"text": "{{name}}"},
            "action": {"button": "Choose", "sections": [{"title": "{{message}}", "rows": [row]}]},
        }}),
        json!({"type": "template", "template": {
            "name": "welcome",
            "language": {"code": "en"},
            "components": [{"type": "body", "parameters": [{"type": "text", "text": "{{name}}"}]}],
        }}),
    ]
}

proptest! {
    #[test]
    fn any_name_and_message_give_a_sendable_reply(name in any::<String>(), message in ".{0,5000}") {
        // WhatsApp rejects two buttons with the same title.
        prop_assume!(name.trim() != "No");
        for reply in replies() {
            prop_assert!(rendered(&reply, &name, &message).is_some(), "{reply}");
        }
    }
}
