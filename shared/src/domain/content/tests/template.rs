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
        {"type": "button", "sub_type": "CATALOG", "index": 2, "parameters": [
            {"type": "action", "action": {"thumbnail_product_retailer_id": "1"}}]},
        {"type": "limited_time_offer", "parameters": [
            {"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": 1_700_000_000_000_u64}}]},
        {"type": "carousel", "cards": [card]},
    ])));
    assert_eq!(content.body.as_deref(), Some("order_ready"));
    accepts(&without(&message(json!([])), "/template/components"));
    accepts(&with(&message(json!([])), "/template/language/policy", json!("deterministic")));
}

#[test]
fn every_parameter_type_is_accepted() {
    for value in [
        json!({"type": "text", "text": "a    b"}),
        json!({"type": "currency", "currency": {"fallback_value": "$1", "code": "USD", "amount_1000": 1000}}),
        json!({"type": "date_time", "date_time": {"fallback_value": "May 1", "year": 2026}}),
        json!({"type": "image", "image": {"id": "1"}}),
        json!({"type": "video", "video": {"link": "https://example.org/a.mp4"}}),
        json!({"type": "video", "video": {"link": "https://example.org/a.mp4", "provider": {"name": "P"}}}),
        json!({"type": "document", "document": {"link": "https://example.org/a.pdf", "provider": {"name": "P"}}}),
        json!({"type": "gif", "gif": {"id": "1"}}),
        json!({"type": "document", "document": {"link": "https://example.org/a.pdf"}}),
        json!({"type": "location", "location": {"latitude": "1", "longitude": "2", "name": "N", "address": "A"}}),
        json!({"type": "payload", "payload": "p"}),
        json!({"type": "coupon_code", "coupon_code": "C"}),
        json!({"type": "group_id", "group_id": "g"}),
        json!({"type": "action", "action": {"flow_token": "t", "flow_action_data": {"a": null}}}),
        json!({"type": "product", "product": {"product_retailer_id": "1", "catalog_id": "2"}}),
        json!({"type": "order_status", "order_status": {"reference_id": "1", "order": {"status": "shipped"}}}),
        json!({"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": 1}}),
        json!({"type": "tap_target_configuration", "tap_target_configuration": [
            {"url": "https://example.org", "title": "t"}]}),
        json!({"type": "ttl_minutes", "ttl_minutes": 1}),
        json!({"type": "ttl_minutes", "ttl_minutes": 43200}),
    ] {
        accepts(&parameter(value.clone()));
        let kind = value["type"].as_str().unwrap();
        rejects(&parameter(json!({"type": kind})), &format!("{PARAMETER}.{kind} is required"));
        let mut more = value.clone();
        more["extra"] = json!(1);
        let known = if kind == "text" { "text, payment_link_preview" } else { kind };
        let sentence =
            format!("{PARAMETER}.extra is not a field of this message: its fields are parameter_name, type, {known}");
        rejects(&parameter(more), &sentence);
    }
}

#[test]
fn invalid_parameters_are_rejected() {
    for (value, sentence) in [
        (json!({"type": "text", "text": 5}), "text must be a string"),
        (json!({"type": "ttl_minutes", "ttl_minutes": 0}), "ttl_minutes must be a whole number from 1 to 43200"),
        (json!({"type": "ttl_minutes", "ttl_minutes": 43201}), "ttl_minutes must be a whole number from 1 to 43200"),
        (json!({"type": "date_time", "date_time": {}}), "date_time.fallback_value is required"),
        (json!({"type": "date_time", "date_time": "May 1"}), "date_time must be an object"),
        (
            json!({"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": -1}}),
            "limited_time_offer.expiration_time_ms must be a whole number of at least 1",
        ),
        (json!({"type": "product", "product": {"product_retailer_id": "1"}}), "product.catalog_id is required"),
        (
            json!({"type": "action", "action": {"flow_tokn": "t"}}),
            "action.flow_tokn is not a field of this message: did you mean PARAMETER.action.flow_token?",
        ),
        (
            json!({"type": "action", "action": {"sections": []}}),
            "action.sections has 0 entries: WhatsApp allows 1 to 10",
        ),
        (
            json!({"type": "currency", "currency": {"fallback_value": "$1", "code": "usd", "amount_1000": 1}}),
            "currency.code must be a currency code of ISO 4217, such as USD",
        ),
        (json!({"type": "payload", "payload": " "}), "payload is required"),
        (
            json!({"type": "currency", "currency": {"fallback_value": "$1", "code": "USD", "amount_1000": 1.5}}),
            "currency.amount_1000 must be a whole number",
        ),
        (json!({"type": "currency", "currency": {"code": "USD"}}), "currency.fallback_value is required"),
        (
            json!({"type": "image", "image": {}}),
            "image.id or PARAMETER.image.link or PARAMETER.image.media is required",
        ),
        (json!({"text": "t"}), "type is required"),
    ] {
        rejects(&parameter(value), &format!("{PARAMETER}.{}", sentence.replace("PARAMETER", PARAMETER)));
    }
    let wrong = read_value(&parameter(json!({"type": "txt"}))).unwrap_err().to_string();
    assert!(wrong.starts_with(&format!("{PARAMETER}.type must be one of text, payload, ")), "{wrong}");
    for code in ["25 OFF", "25-OFF", "25\nOFF", "😀"] {
        let sentence = format!("{PARAMETER}.coupon_code must be letters and digits without spaces, such as 25OFF");
        rejects(&parameter(json!({"type": "coupon_code", "coupon_code": code})), &sentence);
    }
    accepts(&parameter(json!({"type": "coupon_code", "coupon_code": "é".repeat(15)})));
    let sentence = format!("{PARAMETER}.coupon_code has 16 characters: WhatsApp allows up to 15");
    rejects(&parameter(json!({"type": "coupon_code", "coupon_code": "é".repeat(16)})), &sentence);
}

#[test]
fn name_and_language_are_validated() {
    accepts(&with(&message(json!([])), "/template/name", json!("a".repeat(512))));
    let sentence = "template.name has 513 characters: WhatsApp allows up to 512";
    rejects(&with(&message(json!([])), "/template/name", json!("a".repeat(513))), sentence);
    for name in ["Order_ready", "order ready", "order-ready", "é", "order_ready "] {
        let sentence = "template.name must be lower-case letters, digits, and underscores, such as order_ready";
        rejects(&with(&message(json!([])), "/template/name", json!(name)), sentence);
    }
    for code in ["en", "fil", "pt_BR", "prs_AF"] {
        accepts(&with(&message(json!([])), "/template/language/code", json!(code)));
    }
    for code in ["en-US", "en_us", "EN", "english", "e", "en_", "en_USA", "ön"] {
        let sentence = "template.language.code must be a language code, such as en or en_US";
        rejects(&with(&message(json!([])), "/template/language/code", json!(code)), sentence);
    }
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
        let cards: Value = (0..cards).map(|index| json!({"card_index": index, "components": []})).collect();
        json!([{"type": "carousel", "cards": cards}])
    };
    accepts(&message(carousel(10)));
    let nested = json!([{"type": "carousel", "cards": [{"card_index": 0, "components": carousel(1)}]}]);
    for (components, sentence) in [
        (json!({}), " must be an array".to_owned()),
        (json!(["body"]), "[0] must be an object".to_owned()),
        (json!([{"type": "buttons"}]), format!("[0].type must be one of {types}")),
        (nested, format!("[0].cards[0].components[0].type must be one of {}", types.replace(", carousel", ""))),
        (carousel(0), "[0].cards has 0 entries: WhatsApp allows 1 to 10".to_owned()),
        (carousel(11), "[0].cards has 11 entries: WhatsApp allows 1 to 10".to_owned()),
        (
            json!([{"type": "carousel", "cards": [{"card_index": 10, "components": []}]}]),
            "[0].cards[0].card_index must be a whole number from 0 to 9".to_owned(),
        ),
        (json!([{"type": "button"}]), "[0].sub_type is required".to_owned()),
        (
            json!([{"type": "body", "index": 0}]),
            "[0].index is not a field of this message: its fields are type, parameters".to_owned(),
        ),
    ] {
        rejects(&message(components), &format!("template.components{sentence}"));
    }
}

const PLAIN: &str = "must be a text without line breaks, tabs, or more than 4 spaces in a row";

/// Returns a message with `text` as the first parameter of each component, and the path of its text.
fn texts(text: &Value) -> Vec<(Value, &'static str)> {
    let parameters = json!([{"type": "text", "text": text}]);
    let button = json!({"type": "button", "sub_type": "url", "index": 0, "parameters": parameters});
    let amount = json!([{"type": "currency", "currency": {"fallback_value": text, "code": "USD", "amount_1000": 1}}]);
    let time = json!([{"type": "date_time", "date_time": {"fallback_value": text}}]);
    let body = |parameters: &Value| json!([{"type": "body", "parameters": parameters}]);
    let card = |components: Value| {
        json!([{"type": "carousel", "cards": [
        {"card_index": 0, "components": []}, {"card_index": 1, "components": components}]}])
    };
    vec![
        (body(&parameters), "[0].parameters[0].text"),
        (json!([{"type": "header", "parameters": parameters}]), "[0].parameters[0].text"),
        (json!([{"type": "limited_time_offer", "parameters": parameters}]), "[0].parameters[0].text"),
        (json!([{"type": "body"}, button]), "[1].parameters[0].text"),
        (card(body(&parameters)), "[0].cards[1].components[0].parameters[0].text"),
        (card(json!([button])), "[0].cards[1].components[0].parameters[0].text"),
        (body(&amount), "[0].parameters[0].currency.fallback_value"),
        (body(&time), "[0].parameters[0].date_time.fallback_value"),
    ]
}

#[test]
fn texts_that_whatsapp_refuses_are_rejected_in_every_component() {
    for text in ["a\nb", "a\r\nb", "\n", "a\tb", "a     b", "     ", "a\u{2028}b", "a\u{2029}b", "a\u{b}b", "a\u{85}b"]
    {
        for (components, path) in texts(&json!(text)) {
            let expected = if text.trim().is_empty() { "is required" } else { PLAIN };
            rejects(&message(components), &format!("template.components{path} {expected}"));
        }
    }
    for (text, expected) in [(json!(""), "is required"), (Value::Null, "is required"), (json!(1), "must be a string")] {
        for (components, path) in texts(&text) {
            rejects(&message(components), &format!("template.components{path} {expected}"));
        }
    }
    for text in ["a    b", "a\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}b", "\u{200b}", "é\u{301}😀"] {
        for (components, _) in texts(&json!(text)) {
            accepts(&message(components));
        }
    }
}

#[test]
fn texts_are_limited_by_component() {
    let text = |component: Value| {
        with(
            &message(json!([component])),
            "/template/components/0/parameters",
            json!([
        {"type": "text", "text": "a"}]),
        )
    };
    let at = |path: &str| format!("/template/components/{path}/parameters/0/text");
    limits_text(&text(json!({"type": "header"})), &at("0"), 60);
    let body = text(json!({"type": "body"}));
    limits_text(&body, &at("0"), 32_768);
    let mut two = body;
    let button =
        json!({"type": "button", "sub_type": "url", "index": 0, "parameters": [{"type": "text", "text": "a"}]});
    two["template"]["components"].as_array_mut().unwrap().push(button);
    limits_text(&two, &at("0"), 1024);
    limits_text(&two, &at("1"), 2000);
    let card =
        json!({"card_index": 0, "components": [{"type": "body", "parameters": [{"type": "text", "text": "a"}]}]});
    let carousel = message(json!([{"type": "carousel", "cards": [card]}]));
    limits_text(&carousel, &at("0/cards/0/components/0"), 160);
}

#[test]
fn parameters_are_named_or_positional() {
    let named = |first: Value, second: Value| {
        message(json!([{"type": "body", "parameters": [
            {"type": "text", "parameter_name": first, "text": "a"},
            {"type": "text", "parameter_name": second, "text": "b"}]}]))
    };
    accepts(&named(json!("first_name"), json!("city")));
    let at = "template.components[0].parameters";
    let sentence = format!("{at}[1].parameter_name repeats an earlier value: WhatsApp requires unique values");
    rejects(&named(json!("city"), json!("city")), &sentence);
    rejects(&named(json!("city"), Value::Null), &format!("{at}[1].parameter_name is required"));
    rejects(&named(Value::Null, json!("city")), &format!("{at}[0].parameter_name is required"));
    rejects(&named(json!(""), json!("city")), &format!("{at}[0].parameter_name is required"));
    rejects(&named(json!(1), json!("city")), &format!("{at}[0].parameter_name must be a string"));
}

#[test]
fn buttons_are_validated() {
    let button = |index: Value| {
        json!({"type": "button", "sub_type": "url", "index": index,
        "parameters": [{"type": "text", "text": "a"}]})
    };
    for index in [json!(0), json!(9), json!("0"), json!("9")] {
        accepts(&message(json!([button(index)])));
    }
    for index in [json!(10), json!(-1), json!(1.5), json!("10"), json!("a"), json!(""), json!("99999999999999999999")] {
        let sentence = "template.components[0].index must be a whole number from 0 to 9";
        rejects(&message(json!([button(index)])), sentence);
    }
    rejects(&message(json!([button(Value::Null)])), "template.components[0].index is required");
    accepts(&message(json!([button(json!(0)), button(json!("1"))])));
    let sentence = "template.components[1].index repeats an earlier value: WhatsApp requires unique values";
    rejects(&message(json!([button(json!(1)), button(json!("1"))])), sentence);
    let cards: Value = (0..2).map(|index| json!({"card_index": index, "components": [button(json!(0))]})).collect();
    accepts(&message(json!([{"type": "carousel", "cards": cards}])));
    let mut unknown = button(json!(0));
    unknown["sub_type"] = json!("reply");
    let error = read_value(&message(json!([unknown]))).unwrap_err().to_string();
    assert!(error.starts_with("template.components[0].sub_type must be one of quick_reply, url, "), "{error}");
    for kind in ["quick_reply", "url", "copy_code", "mpm", "order_details"] {
        let bare = json!({"type": "button", "sub_type": kind, "index": 0});
        rejects(&message(json!([bare])), "template.components[0].parameters is required");
        let empty = with(&bare, "/parameters", json!([]));
        let sentence = "template.components[0].parameters has 0 entries: WhatsApp requires at least 1";
        rejects(&message(json!([empty])), sentence);
    }
    accepts(&message(json!([{"type": "button", "sub_type": "flow", "index": 0}])));
}

#[test]
fn components_and_cards_are_unique() {
    let sentence = "template.components[1].type repeats an earlier value: WhatsApp requires unique values";
    rejects(&message(json!([{"type": "body"}, {"type": "BODY"}])), sentence);
    let cards = json!([{"card_index": 0, "components": []}, {"card_index": "0", "components": []}]);
    let sentence =
        "template.components[0].cards[1].card_index repeats an earlier value: WhatsApp requires unique values";
    rejects(&message(json!([{"type": "carousel", "cards": cards}])), sentence);
}
