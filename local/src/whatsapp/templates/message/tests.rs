use serde_json::json;

use super::*;
use crate::whatsapp::templates::{Templates, components as definition};

/// Returns a template with these components.
fn template(components: &Value, category: Category, format: ParameterFormat) -> Template {
    let mut template = Templates::new("1").all()[0].clone();
    template.components = definition::parse(components.as_array().unwrap(), category, format).unwrap();
    template.category = category;
    template.parameter_format = format;
    template
}

fn positional(components: &Value) -> Template {
    template(components, Category::Marketing, ParameterFormat::Positional)
}

fn order() -> Template {
    positional(&json!([
        {"type": "HEADER", "format": "TEXT", "text": "Hi {{1}}!", "example": {"header_text": ["Ana"]}},
        {"type": "BODY", "text": "Your order {{1}} of {{2}} will arrive soon.", "example": {"body_text": [["1", "2"]]}},
    ]))
}

fn with_header(header: Value) -> Template {
    positional(&json!([header, {"type": "BODY", "text": "Your order is ready."}]))
}

fn with_buttons(buttons: Value) -> Template {
    let body = json!({"type": "BODY", "text": "Your order is ready."});
    positional(&json!([body, {"type": "BUTTONS", "buttons": buttons}]))
}

fn send(template: &Template, components: Value) -> Result<(), GraphError> {
    check(&json!({"name": "a", "components": components}), template)
}

fn texts(values: &[&str]) -> Value {
    values.iter().map(|value| json!({"type": "text", "text": value})).collect()
}

fn text_component(kind: &str, values: &[&str]) -> Value {
    json!({"type": kind, "parameters": texts(values)})
}

fn button(kind: &str, index: Value, parameter: Value) -> Value {
    json!([{"type": "button", "sub_type": kind, "index": index, "parameters": [parameter]}])
}

/// Asserts the code and a part of the details of each refusal.
fn assert_refused(cases: Vec<(Result<(), GraphError>, u32, &str)>) {
    for (index, (result, code, part)) in cases.into_iter().enumerate() {
        let error = result.expect_err(&format!("case {index} is accepted"));
        assert_eq!((error.code, error.status), (code, 400), "case {index}: {error:?}");
        assert!(error.details.as_deref().unwrap_or_default().contains(part), "case {index}: {error:?}");
    }
}

#[test]
fn matching_parameters_are_accepted() {
    send(&order(), json!([text_component("HEADER", &["Ana"]), text_component("body", &["7    8", "two"])])).unwrap();
    let currency =
        json!({"type": "currency", "currency": {"fallback_value": "$1", "code": "USD", "amount_1000": 1000}});
    let time = json!({"type": "date_time", "date_time": {"fallback_value": "May 1"}});
    send(&order(), json!([text_component("header", &["Ana"]), {"type": "body", "parameters": [currency, time]}]))
        .unwrap();
    send(&with_buttons(json!([{"type": "QUICK_REPLY", "text": "Yes"}])), json!(null)).unwrap();
}

#[test]
fn the_number_of_parameters_must_match() {
    let count = |component: &str, sent: usize, expected: usize| {
        format!(
            "{component}: number of localizable_params ({sent}) does not match the expected number of params \
             ({expected})"
        )
    };
    let header = text_component("header", &["Ana"]);
    let plain = positional(&json!([{"type": "BODY", "text": "Your order is ready."}]));
    assert_refused(vec![
        (send(&order(), json!([header])), 132_000, &count("body", 0, 2)),
        (send(&order(), json!([header, text_component("body", &["1"])])), 132_000, &count("body", 1, 2)),
        (send(&order(), json!([header, text_component("body", &["1", "2", "3"])])), 132_000, &count("body", 3, 2)),
        (send(&order(), json!([text_component("body", &["1", "2"])])), 132_000, &count("header", 0, 1)),
        (send(&plain, json!([header])), 132_000, &count("header", 1, 0)),
        (send(&plain, json!([text_component("body", &["1"])])), 132_000, &count("body", 1, 0)),
    ]);
}

#[test]
fn values_must_be_valid() {
    let send_value = |value: &str| {
        send(&order(), json!([text_component("header", &["Ana"]), text_component("body", &["1", value])]))
    };
    let send_parameter = |parameter: Value| {
        let body = json!({"type": "body", "parameters": [{"type": "text", "text": "1"}, parameter]});
        send(&order(), json!([text_component("header", &["Ana"]), body]))
    };
    let control = "Param text cannot have new-line/tab characters or more than 4 consecutive spaces";
    send_value("a    b").unwrap();
    assert_refused(vec![
        (send_value("a\nb"), 132_018, control),
        (send_value("a\tb"), 132_018, control),
        (send_value("a     b"), 132_018, control),
        (send_value(""), 131_008, "Parameter of type text is missing text value"),
        (send_parameter(json!({"type": "text"})), 131_008, "text value"),
        (send_parameter(json!({"type": "text", "text": [5]})), 131_008, "text value"),
        (send_parameter(json!({"text": "1"})), 131_008, "missing type"),
        (send_parameter(json!({"type": "image", "image": {"id": "1"}})), 132_012, "expected TEXT, received IMAGE"),
        (send_parameter(json!({"type": "currency", "currency": {"code": "USD"}})), 131_008, "fallback_value"),
        (send_parameter(json!({"type": "date_time", "date_time": {}})), 131_008, "fallback_value"),
    ]);
}

#[test]
fn numbers_are_accepted_as_texts() {
    let parameter = json!({"type": "text", "text": 5});
    let body = json!({"type": "body", "parameters": [parameter, {"type": "text", "text": true}]});
    send(&order(), json!([text_component("header", &["Ana"]), body])).unwrap();
    let text = filled("{{1}} and {{2}}", parameters(Some(&body)), ParameterFormat::Positional);
    assert_eq!(text, "5 and true");

    let url = json!([{"type": "URL", "text": "Open", "url": "https://example.org/{{1}}", "example": ["a"]}]);
    send(&with_buttons(url), button("url", json!(0), parameter)).unwrap();
    let code = with_buttons(json!([{"type": "COPY_CODE", "example": "25OFF"}]));
    let coupon = |code: Value| button("copy_code", json!(0), json!({"type": "coupon_code", "coupon_code": code}));
    send(&code, coupon(json!(25))).unwrap();
    assert_refused(vec![(send(&code, coupon(json!(1_000_000_000_000_000_u64))), 132_018, "length limit 15")]);
}

#[test]
fn a_filled_text_has_a_limit() {
    let send_lengths = |header: usize, body: usize| {
        let (header, body) = ("é".repeat(header), "é".repeat(body));
        send(&order(), json!([text_component("header", &[&header]), text_component("body", &["1", &body])]))
    };
    // "Hi !" and "Your order 1 of  will arrive soon." without the values.
    send_lengths(60 - 4, 1024 - 34).unwrap();
    assert_refused(vec![(send_lengths(61 - 4, 1), 132_005, "header"), (send_lengths(1, 1025 - 34), 132_005, "body")]);
}

#[test]
fn names_must_be_those_of_the_template() {
    let example = json!({"body_text_named_params": [
        {"param_name": "name", "example": "Ana"}, {"param_name": "order", "example": "1"}]});
    let body = json!([{"type": "BODY", "text": "Hello {{name}}, order {{order}} is ready now.", "example": example}]);
    let named = template(&body, Category::Utility, ParameterFormat::Named);
    let body = |names: [&str; 2]| {
        let parameters = names.map(|name| json!({"type": "text", "parameter_name": name, "text": "x"}));
        json!([{"type": "body", "parameters": parameters}])
    };
    send(&named, body(["order", "name"])).unwrap();
    let position = json!([text_component("header", &["Ana"]),
        {"type": "body", "parameters": [{"type": "text", "parameter_name": "1", "text": "x"}, {"type": "text", "text": "x"}]}]);
    assert_refused(vec![
        (send(&named, json!([text_component("body", &["a", "b"])])), 100, "Parameter name is missing or empty"),
        (send(&named, body(["name", ""])), 100, "Parameter name is missing or empty"),
        (send(&named, body(["name", "total"])), 132_012, "no parameter total"),
        (send(&named, body(["name", "name"])), 132_012, "order"),
        (send(&order(), position), 132_012, "no names"),
    ]);
}

#[test]
fn the_header_must_have_the_format_of_the_template() {
    let image = with_header(json!({"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["4::aW"]}}));
    let location = with_header(json!({"type": "HEADER", "format": "LOCATION"}));
    let header = |parameters: Value| json!([{"type": "header", "parameters": parameters}]);
    let place = json!({"latitude": "1", "longitude": 2, "name": "N", "address": "A"});
    send(&image, header(json!([{"type": "image", "image": {"id": "1"}}]))).unwrap();
    send(&image, header(json!([{"type": "image", "image": {"link": "https://example.org/a.png"}}]))).unwrap();
    send(&location, header(json!([{"type": "location", "location": place}]))).unwrap();
    let video = json!([{"type": "video", "video": {"id": "1"}}]);
    let two = json!([{"type": "image", "image": {"id": "1"}}, {"type": "image", "image": {"id": "1"}}]);
    let nowhere = json!([{"type": "location", "location": {"latitude": 1, "longitude": 2, "name": "N"}}]);
    assert_refused(vec![
        (send(&image, json!([])), 132_012, "header: Format mismatch, expected IMAGE, received UNKNOWN"),
        (send(&image, header(video)), 132_012, "expected IMAGE, received VIDEO"),
        (send(&image, header(texts(&["a"]))), 132_012, "expected IMAGE, received TEXT"),
        (send(&image, header(two)), 132_012, "expected IMAGE"),
        (send(&image, header(json!([{"type": "image", "image": {}}]))), 131_008, "id or link"),
        (send(&location, json!([])), 132_012, "expected LOCATION"),
        (send(&location, header(nowhere)), 131_008, "address"),
    ]);
}

#[test]
fn buttons_must_be_those_of_the_template() {
    let text = |value: &str| json!({"type": "text", "text": value});
    let buttons = with_buttons(json!([
        {"type": "QUICK_REPLY", "text": "Yes"},
        {"type": "URL", "text": "Open", "url": "https://example.org/{{1}}", "example": ["a"]},
    ]));
    let url = |index: Value, value: &str| button("url", index, text(value));
    send(&buttons, url(json!("1"), "a")).unwrap();
    send(&buttons, url(json!(1), &"a".repeat(2000 - 20))).unwrap();
    let mut both = url(json!(1), "a");
    let payload = json!({"type": "payload", "payload": "p".repeat(256)});
    both.as_array_mut().unwrap().extend(button("QUICK_REPLY", json!(0), payload).as_array().unwrap().clone());
    send(&buttons, both.clone()).unwrap();
    both[1]["parameters"][0]["payload"] = json!("p".repeat(257));

    let fixed = with_buttons(json!([{"type": "URL", "text": "Open", "url": "https://example.org"}]));
    let code = with_buttons(json!([{"type": "COPY_CODE", "example": "25OFF"}]));
    let coupon = |code: &str| button("copy_code", json!(0), json!({"type": "coupon_code", "coupon_code": code}));
    send(&code, coupon(&"1".repeat(15))).unwrap();
    let items = with_buttons(json!([{"type": "MPM", "text": "View items"}]));
    send(&items, button("mpm", json!(0), json!({"type": "action", "action": {"sections": []}}))).unwrap();
    let flow = with_buttons(json!([{"type": "FLOW", "text": "Book", "flow_id": "1"}]));
    send(&flow, json!([])).unwrap();
    let payment = with_buttons(json!([{"type": "ORDER_DETAILS", "text": "Pay"}]));
    assert_refused(vec![
        (send(&buttons, json!([])), 131_008, "buttons: Button at index 1 of type Url requires a parameter"),
        (send(&buttons, url(json!(1), "")), 131_008, "requires a parameter"),
        (send(&buttons, url(json!(0), "a")), 132_018, "buttons: Button at index 0 must be of type QuickReply"),
        (send(&buttons, url(json!(2), "a")), 132_018, "index 2 does not exist"),
        (send(&buttons, url(json!(1), &"a".repeat(2001 - 20))), 132_018, "length limit 2000"),
        (send(&buttons, both), 132_018, "length limit 256"),
        (send(&fixed, url(json!(0), "a")), 132_018, "has no parameters"),
        (send(&code, json!([])), 131_008, "of type copy_code requires a non-empty parameter coupon_code"),
        (send(&code, coupon("")), 131_008, "coupon_code"),
        (send(&code, coupon(&"1".repeat(16))), 132_018, "length limit 15"),
        (send(&items, json!([])), 131_008, "Mpm requires a parameter"),
        (send(&payment, json!([])), 131_008, "OrderDetails requires a parameter"),
    ]);
}

#[test]
fn a_code_is_needed_twice_and_is_short() {
    let components =
        json!([{"type": "BODY"}, {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE"}]}]);
    let template = template(&components, Category::Authentication, ParameterFormat::Positional);
    let send_code = |code: &str, sub_type: &str| {
        let button = json!({"type": "button", "sub_type": sub_type, "index": "0", "parameters": texts(&[code])});
        send(&template, json!([text_component("body", &[code]), button]))
    };
    send_code("J$FpnYnP1234567", "url").unwrap();
    assert_refused(vec![
        (
            send_code("J$FpnYnP12345678", "url"),
            132_018,
            "body: Parameter at index 0 exceeds the parameter length limit 15",
        ),
        (send_code("1", "copy_code"), 132_018, "buttons: Button at index 0 must be of type Url"),
        (send(&template, json!([text_component("body", &["1"])])), 131_008, "Button at index 0 of type Url"),
    ]);
}

#[test]
fn an_offer_that_expires_needs_its_time() {
    let offer = |expires: bool| {
        positional(&json!([
            {"type": "LIMITED_TIME_OFFER", "limited_time_offer": {"text": "Offer", "has_expiration": expires}},
            {"type": "BODY", "text": "Good news for you!"},
        ]))
    };
    let time = |time: Value| {
        json!([{"type": "limited_time_offer", "parameters": [
            {"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": time}}]}])
    };
    send(&offer(true), time(json!(1_700_000_000_000_u64))).unwrap();
    send(&offer(true), time(json!("1700000000000"))).unwrap();
    send(&offer(false), json!([])).unwrap();
    assert_refused(vec![
        (send(&offer(true), json!([])), 131_008, "expiration_time_ms"),
        (send(&offer(true), time(json!("tomorrow"))), 131_008, "expiration_time_ms"),
    ]);
}

#[test]
fn all_cards_are_needed() {
    let card = |format: &str| {
        json!({"components": [{"type": "HEADER", "format": format, "example": {"header_handle": ["4::aW"]}},
            {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Open", "url": "https://example.org/{{1}}", "example": ["a"]}]}]})
    };
    let carousel = |format: &str| {
        positional(
            &json!([{"type": "BODY", "text": "New plants!"}, {"type": "CAROUSEL", "cards": vec![card(format); 2]}]),
        )
    };
    let sent = |kind: &str, content: Value, count: usize| {
        let card = |index| {
            json!({"card_index": index, "components": [
                {"type": "header", "parameters": [{"type": kind, kind: content}]},
                {"type": "button", "sub_type": "url", "index": 0, "parameters": texts(&["a"])}]})
        };
        json!([{"type": "carousel", "cards": (0..count).map(card).collect::<Vec<_>>()}])
    };
    let images = |count| sent("image", json!({"id": "1"}), count);
    let products = |count| sent("product", json!({"product_retailer_id": "1", "catalog_id": "2"}), count);
    send(&carousel("IMAGE"), images(2)).unwrap();
    send(&carousel("PRODUCT"), products(10)).unwrap();
    let mut without_button = images(2);
    without_button[0]["cards"][1]["components"].as_array_mut().unwrap().pop();
    assert_refused(vec![
        (send(&carousel("IMAGE"), json!([])), 132_012, "number of cards (0)"),
        (
            send(&carousel("IMAGE"), images(1)),
            132_012,
            "number of cards (1) does not match the expected number of cards (2)",
        ),
        (send(&carousel("IMAGE"), images(3)), 132_012, "number of cards (3)"),
        (send(&carousel("PRODUCT"), products(11)), 132_012, "number of cards (11)"),
        (send(&carousel("IMAGE"), products(2)), 132_012, "expected IMAGE, received PRODUCT"),
        (send(&carousel("IMAGE"), without_button), 131_008, "requires a parameter"),
    ]);
}

#[test]
fn cards_have_the_index_of_a_card_of_the_template() {
    let card = |text: &str, example: Value| {
        json!({"components": [{"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["4::aW"]}},
            {"type": "BODY", "text": text, "example": example}]})
    };
    let cards = [card("Rare!", json!(null)), card("Only {{1}} left!", json!({"body_text": [["2"]]}))];
    let carousel = positional(&json!([{"type": "BODY", "text": "New plants!"}, {"type": "CAROUSEL", "cards": cards}]));
    let sent = |indexes: [Value; 2]| {
        let image = json!({"type": "header", "parameters": [{"type": "image", "image": {"id": "1"}}]});
        let values = [text_component("body", &[]), text_component("body", &["2"])];
        let cards = [0, 1].map(|card| json!({"card_index": indexes[card], "components": [image, values[card]]}));
        json!([{"type": "carousel", "cards": cards}])
    };
    let send = |first: Value, second: Value, is_reversed: bool| {
        let mut components = sent([first, second]);
        if is_reversed {
            components[0]["cards"].as_array_mut().unwrap().reverse();
        }
        send(&carousel, components)
    };
    send(json!(0), json!(1), false).unwrap();
    send(json!("0"), json!("1"), true).unwrap();
    assert_refused(vec![
        (send(json!(1), json!(0), false), 132_000, "body: number of localizable_params (0)"),
        (send(json!(0), json!(0), true), 132_018, "carousel: Duplicate card index 0"),
        (send(json!(0), json!(2), false), 132_018, "carousel: Card at index 2 does not exist in the template"),
        (send(json!(0), json!(null), false), 131_008, "carousel: card_index is missing"),
    ]);
}

#[test]
fn unknown_components_are_refused() {
    for components in [json!([{"type": "title"}]), json!(["body"])] {
        let error = send(&order(), components.clone()).unwrap_err();
        assert_eq!(error.code, 100, "{components}");
    }
}
