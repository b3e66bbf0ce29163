use serde_json::json;

use super::*;

fn found(kind: &str, content: Value) -> Vec<(String, Kind, String)> {
    let body = json!({"type": kind, kind: content, "image": {"id": "unused"}});
    let references = references(kind, body.as_object().unwrap());
    references.into_iter().map(|Reference { parameter, kind, id }| (parameter, kind, id)).collect()
}

fn one(parameter: &str, kind: Kind, id: &str) -> (String, Kind, String) {
    (parameter.to_owned(), kind, id.to_owned())
}

#[test]
fn media_messages_refer_to_a_file() {
    for (name, kind) in
        [("audio", Kind::Audio), ("document", Kind::Document), ("sticker", Kind::Sticker), ("video", Kind::Video)]
    {
        assert_eq!(found(name, json!({"id": "7"})), [one(&format!("{name}['id']"), kind, "7")]);
    }
    assert_eq!(found("audio", json!({"id": 7, "voice": true})), [one("audio['id']", Kind::Voice, "7")]);
    assert_eq!(found("video", json!({"link": "https://example.com/a.mp4"})), []);
    assert_eq!(found("text", json!({"body": "7"})), []);
    assert_eq!(found("video", json!("7")), []);
}

#[test]
fn headers_and_cards_refer_to_files() {
    let card = |kind: &str, id: &str| json!({"header": {"type": kind, kind: {"id": id}}, "body": {"text": "x"}});
    assert_eq!(
        found(
            "interactive",
            json!({"type": "carousel", "action": {"cards": [card("image", "1"), card("video", "2")]}})
        ),
        [
            one("interactive['action']['cards'][0]['header']['image']['id']", Kind::Image, "1"),
            one("interactive['action']['cards'][1]['header']['video']['id']", Kind::Video, "2"),
        ]
    );
    let flow = json!({"type": "flow", "header": {"type": "document", "document": {"id": "3"}}, "action": {"name": "flow",
        "parameters": {"flow_action_payload": {"data": {"image": {"id": "4"}}}}}});
    assert_eq!(found("interactive", flow), [one("interactive['header']['document']['id']", Kind::Document, "3")]);
}

#[test]
fn templates_refer_to_files() {
    let image = json!({"type": "header", "parameters": [{"type": "image", "image": {"id": "1"}}]});
    let action = json!({"type": "button", "sub_type": "flow", "parameters": [
        {"type": "action", "action": {"flow_action_data": {"image": {"id": "2"}}}}]});
    let cards = json!({"type": "carousel", "cards": [{"card_index": 0, "components": [image]}]});
    assert_eq!(
        found("template", json!({"name": "x", "components": [image, action, cards]})),
        [
            one("template['components'][0]['parameters'][0]['image']['id']", Kind::Image, "1"),
            one(
                "template['components'][2]['cards'][0]['components'][0]['parameters'][0]['image']['id']",
                Kind::Image,
                "1"
            ),
        ]
    );
}
