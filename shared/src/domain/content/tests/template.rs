use serde_json::{Value, json};

use super::*;

fn message(components: Value) -> Value {
    let template = json!({"name": "order_ready", "language": {"code": "pt_BR"}, "components": components});
    json!({"type": "template", "template": template})
}

fn parameter(parameter: Value) -> Value {
    message(json!([{"type": "body", "parameters": [parameter]}]))
}

const PARAMETER: &str = "template.components[0].parameters[0]";

#[test]
fn every_component_is_accepted() {
    let card = json!({"card_index": 0, "components": [
        {"type": "HEADER", "parameters": [{"type": "image", "image": {"id": "1"}}]},
        {"type": "BODY"},
        {"type": "button", "sub_type": "quick_reply", "index": 9, "parameters": [{"type": "payload", "payload": "p"}]},
    ]});
    let content = accepts(&message(json!([
        {"type": "header", "parameters": [{"type": "document", "document": {"id": "1", "filename": "a.pdf"}}]},
        {"type": "body", "parameters": [{"type": "text", "parameter_name": "first_name", "text": "Ana"}]},
        {"type": "button", "sub_type": "url", "index": "1", "parameters": [{"type": "text", "text": "abc"}]},
        {"type": "button", "sub_type": "voice_call", "parameters": [{"type": "ttl_minutes", "ttl_minutes": 60}]},
        {"type": "limited_time_offer", "parameters": [
            {"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": 1_700_000_000_000_u64}}]},
        {"type": "carousel", "cards": [card]},
    ])));
    assert_eq!(content.body, None);
    accepts(&without(&message(json!([])), "/template/components"));
    accepts(&with(&message(json!([])), "/template/language/policy", json!("deterministic")));
}

#[test]
fn every_parameter_type_is_accepted() {
    for value in [
        json!({"type": "text", "text": ""}),
        json!({"type": "currency", "currency": {"fallback_value": "$1", "code": "USD", "amount_1000": 1000}}),
        json!({"type": "date_time", "date_time": {"fallback_value": "May 1", "year": 2026}}),
        json!({"type": "image", "image": {"id": "1"}}),
        json!({"type": "video", "video": {"link": "https://example.org/a.mp4"}}),
        json!({"type": "document", "document": {"link": "https://example.org/a.pdf"}}),
        json!({"type": "location", "location": {"latitude": "1", "longitude": "2", "name": "N", "address": "A"}}),
        json!({"type": "payload", "payload": "p"}),
        json!({"type": "coupon_code", "coupon_code": "C"}),
        json!({"type": "group_id", "group_id": "g"}),
        json!({"type": "action", "action": {"flow_token": "t", "flow_action_data": {"a": null}}}),
        json!({"type": "product", "product": {"product_retailer_id": "1", "catalog_id": "2"}}),
        json!({"type": "order_status", "order_status": {"reference_id": "1"}}),
        json!({"type": "tap_target_configuration", "tap_target_configuration": [{"url": "u", "title": "t"}]}),
        json!({"type": "ttl_minutes", "ttl_minutes": 1}),
        json!({"type": "ttl_minutes", "ttl_minutes": 43200}),
    ] {
        accepts(&parameter(value.clone()));
        let kind = value["type"].as_str().unwrap();
        rejects(&parameter(json!({"type": kind})), &format!("{PARAMETER}.{kind} is required"));
        let mut more = value.clone();
        more["extra"] = json!(1);
        let sentence = format!(
            "{PARAMETER}.extra is not a field of this message: WhatsApp documents parameter_name, type, {kind}"
        );
        rejects(&parameter(more), &sentence);
    }
}

#[test]
fn invalid_parameters_are_rejected() {
    for (value, sentence) in [
        (json!({"type": "text", "text": 5}), "text must be a string"),
        (json!({"type": "ttl_minutes", "ttl_minutes": 0}), "ttl_minutes must be a whole number from 1 to 43200"),
        (json!({"type": "ttl_minutes", "ttl_minutes": 43201}), "ttl_minutes must be a whole number from 1 to 43200"),
        (json!({"type": "date_time", "date_time": {}}), "date_time must be an object with fallback_value, a string"),
        (
            json!({"type": "currency", "currency": {"fallback_value": "$1", "code": "USD", "amount_1000": 1.5}}),
            "currency.amount_1000 must be a whole number",
        ),
        (json!({"type": "currency", "currency": {"code": "USD"}}), "currency.fallback_value is required"),
        (json!({"type": "image", "image": {}}), "image.id or PARAMETER.image.link is required"),
        (json!({"text": "t"}), "type is required"),
    ] {
        rejects(&parameter(value), &format!("{PARAMETER}.{}", sentence.replace("PARAMETER", PARAMETER)));
    }
    let wrong = read_value(&parameter(json!({"type": "txt"}))).unwrap_err().to_string();
    assert!(wrong.starts_with(&format!("{PARAMETER}.type must be one of text, payload, ")), "{wrong}");
    limits_text(&parameter(json!({"type": "coupon_code"})), "/template/components/0/parameters/0/coupon_code", 20);
}

#[test]
fn name_and_language_are_validated() {
    limits_text(&message(json!([])), "/template/name", 512);
    for name in ["name", "language", "language/code"] {
        let sentence = format!("template.{} is required", name.replace('/', "."));
        rejects(&without(&message(json!([])), &format!("/template/{name}")), &sentence);
    }
    let sentence = "template.language must be an object";
    rejects(&with(&message(json!([])), "/template/language", json!("en")), sentence);
    let sentence = "template.language.policy must be deterministic";
    rejects(&with(&message(json!([])), "/template/language/policy", json!("fallback")), sentence);
}

#[test]
fn invalid_components_are_rejected() {
    let types = "header, body, footer, limited_time_offer, tap_target_configuration, order_status, button, carousel";
    let carousel = |cards: usize| {
        let cards: Value = (0..cards).map(|_| json!({"card_index": 0, "components": []})).collect();
        json!([{"type": "carousel", "cards": cards}])
    };
    accepts(&message(carousel(10)));
    let nested = json!([{"type": "carousel", "cards": [{"card_index": 0, "components": carousel(1)}]}]);
    for (components, sentence) in [
        (json!({}), " must be an array".to_owned()),
        (json!(["body"]), "[0] must be an object".to_owned()),
        (json!([{"type": "buttons"}]), format!("[0].type must be one of {types}")),
        (nested, format!("[0].cards[0].components[0].type must be one of {types}")),
        (carousel(0), "[0].cards has 0 entries: WhatsApp allows 1 to 10".to_owned()),
        (carousel(11), "[0].cards has 11 entries: WhatsApp allows 1 to 10".to_owned()),
        (
            json!([{"type": "carousel", "cards": [{"card_index": 10, "components": []}]}]),
            "[0].cards[0].card_index must be a whole number from 0 to 9".to_owned(),
        ),
        (json!([{"type": "button"}]), "[0].sub_type is required".to_owned()),
        (
            json!([{"type": "body", "index": 0}]),
            "[0].index is not a field of this message: WhatsApp documents type, parameters".to_owned(),
        ),
    ] {
        rejects(&message(components), &format!("template.components{sentence}"));
    }
    for index in [json!(10), json!(-1), json!(1.5), json!("10"), json!("a"), json!("")] {
        let components = json!([{"type": "button", "sub_type": "url", "index": index}]);
        rejects(&message(components), "template.components[0].index must be a whole number from 0 to 9");
    }
}
