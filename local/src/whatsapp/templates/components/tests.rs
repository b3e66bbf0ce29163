use serde_json::json;

use super::*;
use crate::whatsapp::templates::Category::{Authentication, Marketing};

const BODY: &str = "Your order is on its way.";

fn create(components: &Value) -> Result<Vec<Value>, GraphError> {
    parse(components.as_array().unwrap(), Marketing, ParameterFormat::Positional)
}

/// Creates a template with a body and these components.
fn with_body(mut components: Value) -> Result<Vec<Value>, GraphError> {
    components.as_array_mut().unwrap().push(json!({"type": "BODY", "text": BODY}));
    create(&components)
}

fn with_buttons(buttons: Value) -> Result<Vec<Value>, GraphError> {
    with_body(json!([{"type": "BUTTONS", "buttons": buttons}]))
}

fn body(text: &str, count: usize) -> Result<Vec<Value>, GraphError> {
    let examples = vec!["e"; count];
    create(&json!([{"type": "BODY", "text": text, "example": {"body_text": [examples]}}]))
}

/// Asserts the subcode of each refusal; 0 for none.
fn assert_refused(cases: Vec<(Result<Vec<Value>, GraphError>, u32)>) {
    for (index, (result, subcode)) in cases.into_iter().enumerate() {
        let error = result.expect_err(&format!("case {index} is accepted"));
        assert_eq!((error.code, error.status), (100, 400), "case {index}: {error:?}");
        assert_eq!(error.subcode.unwrap_or_default(), subcode, "case {index}: {error:?}");
    }
}

#[test]
fn components_of_all_kinds_are_accepted_in_any_case() {
    let parsed = create(&json!([
        {"type": "header", "format": "text", "text": "Hi {{1}}!", "example": {"header_text": ["Ana"]}},
        {"type": "body", "text": "Use {{1}} and {{2}} until the end of May.",
            "example": {"body_text": [["a", "b"]]}},
        {"type": "footer", "text": "Lucky Shrub"},
        {"type": "buttons", "buttons": [
            {"type": "quick_reply", "text": "Stop"},
            {"type": "url", "text": "Open", "url": "https://example.org/{{1}}", "example": ["a"]},
            {"type": "URL", "text": "Open", "url": "https://example.org"},
            {"type": "phone_number", "text": "Call", "phone_number": "+15550051310"},
            {"type": "copy_code", "example": "25OFF"},
            {"type": "flow", "text": "Book", "flow_id": "1"},
            {"type": "catalog", "text": "View catalog"},
        ]},
    ]))
    .unwrap();
    let types: Vec<_> = parsed.iter().map(|component| component["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["HEADER", "BODY", "FOOTER", "BUTTONS"]);
    assert_eq!(parsed[0]["format"], "TEXT");
    assert_eq!(parsed[3]["buttons"][4], json!({"type": "COPY_CODE", "example": "25OFF", "text": "Copy code"}));

    for format in ["IMAGE", "VIDEO", "GIF", "DOCUMENT"] {
        with_body(json!([{"type": "HEADER", "format": format, "example": {"header_handle": ["4::aW"]}}])).unwrap();
    }
    with_body(json!([{"type": "HEADER", "format": "LOCATION"}])).unwrap();
    with_body(json!([{"type": "call_permission_request"}])).unwrap();
    with_body(json!([{"type": "limited_time_offer", "limited_time_offer": {"text": "Expiring offer!"}}])).unwrap();
}

#[test]
fn examples_are_accepted_in_all_documented_forms() {
    let text = "Your order {{1}} is ready.";
    for example in [json!({"body_text": "1"}), json!({"body_text": ["1"]}), json!({"body_text": [["1"]]})] {
        create(&json!([{"type": "BODY", "text": text, "example": example}])).unwrap();
    }
    let example = json!({"body_text_named_params": [
        {"param_name": "order", "example": "1"}, {"param_name": "name", "example": "Ana"}]});
    let named = json!({"type": "BODY", "text": "Hi {{name}}, order {{order}} is ready now.", "example": example});
    parse(&[named], Marketing, ParameterFormat::Named).unwrap();
}

#[test]
fn limits_are_inclusive() {
    body(&"é".repeat(1024), 0).unwrap();
    with_body(json!([{"type": "HEADER", "format": "TEXT", "text": "é".repeat(60)}])).unwrap();
    with_body(json!([{"type": "FOOTER", "text": "é".repeat(60)}])).unwrap();
    with_buttons(json!([{"type": "QUICK_REPLY", "text": "é".repeat(25)}])).unwrap();
    with_buttons(json!(vec![json!({"type": "QUICK_REPLY", "text": "Yes"}); 10])).unwrap();
    let phone = json!([{"type": "PHONE_NUMBER", "text": "Call", "phone_number": "1".repeat(20)}]);
    with_buttons(phone).unwrap();
    with_buttons(json!([{"type": "COPY_CODE", "example": "1".repeat(15)}])).unwrap();
    let url = format!("https://example.org/{}", "a".repeat(1980));
    with_buttons(json!([{"type": "URL", "text": "Open", "url": url}])).unwrap();
    body(&"😀 ok ".repeat(10), 0).unwrap();
    body("a\n\nb", 0).unwrap();
    // An example of Meta, *Template components*.
    body("Forget something, {{1}}?", 1).unwrap();
    body("Hi {{1}}, {{2}} ok.", 2).unwrap();
    body("订单{{1}}时间{{2}}。", 2).unwrap();
}

#[test]
fn invalid_texts_are_refused() {
    let header = |text: &str| with_body(json!([{"type": "HEADER", "format": "TEXT", "text": text}]));
    let footer = |text: &str| with_body(json!([{"type": "FOOTER", "text": text}]));
    let offer = |text: &str| with_body(json!([{"type": "LIMITED_TIME_OFFER", "limited_time_offer": {"text": text}}]));
    let long_body_with_offer = create(&json!([
        {"type": "LIMITED_TIME_OFFER", "limited_time_offer": {"text": "Offer"}},
        {"type": "BODY", "text": "a".repeat(601)}]));
    assert_refused(vec![
        (body(&"é".repeat(1025), 0), 2_388_040),
        (body("a\n\n\nb", 0), 2_388_072),
        (body("{{1}} {{2}}", 2), 2_388_072),
        (body(&"😀 ok ".repeat(11), 0), 2_388_072),
        (body("{{1}}, your order is ready.", 1), 2_388_299),
        (body("Your order is {{1}}", 1), 2_388_299),
        (body("Hi {{1}}, {{2}}!", 2), 2_388_293),
        (body("Your order {{1}} is ready.", 0), 2_388_043),
        (body("Your order {{1}} is ready.", 2), 2_388_043),
        (body("", 0), 2_388_043),
        (create(&json!([{"type": "BODY"}])), 2_388_043),
        (create(&json!([])), 2_388_043),
        (header(&"é".repeat(61)), 2_388_040),
        (header("*Hi*"), 2_388_047),
        (header("Hi\nthere"), 2_388_047),
        (header("Hi 😀"), 2_388_047),
        (header("Hi {{1}} and {{2}}."), 2_388_047),
        (header("Hi {{1}}"), 2_388_043),
        (with_body(json!([{"type": "HEADER", "format": "TEXT"}])), 2_388_043),
        (with_body(json!([{"type": "HEADER"}])), 2_388_043),
        (with_body(json!([{"type": "HEADER", "format": "IMAGE"}])), 2_388_043),
        (with_body(json!([{"type": "HEADER", "format": "AUDIO"}])), 0),
        (footer(&"é".repeat(61)), 2_388_040),
        (footer("Bye {{1}}"), 2_388_073),
        (footer("Bye\n"), 2_388_073),
        (footer("Bye 😀"), 2_388_073),
        (with_body(json!([{"type": "FOOTER", "code_expiration_minutes": 5}])), 2_388_042),
        (offer(&"a".repeat(17)), 2_388_040),
        (with_body(json!([{"type": "LIMITED_TIME_OFFER"}])), 2_388_043),
        (long_body_with_offer, 2_388_040),
        (with_body(json!([{"type": "POLL"}])), 0),
        (with_body(json!(["BODY"])), 0),
        (with_body(json!([{"type": "BODY", "text": BODY}])), 2_388_042),
        (create(&json!([{"type": "BODY", "text": BODY, "parameters": []}])), 2_388_042),
    ]);
}

#[test]
fn names_need_examples() {
    for example in [
        json!(null),
        json!({"body_text": [["1"]]}),
        json!({"body_text_named_params": [{"param_name": "other", "example": "1"}]}),
        json!({"body_text_named_params": [{"param_name": "order"}]}),
    ] {
        let named = json!({"type": "BODY", "text": "Your order {{order}} is ready.", "example": example});
        assert_refused(vec![(parse(&[named], Marketing, ParameterFormat::Named), 2_388_043)]);
    }
}

#[test]
fn invalid_buttons_are_refused() {
    let url = |url: &str, example: Value| {
        with_buttons(json!([{"type": "URL", "text": "Open", "url": url, "example": example}]))
    };
    let reply = json!({"type": "QUICK_REPLY", "text": "Yes"});
    let link = json!({"type": "URL", "text": "Open", "url": "https://example.org"});
    let phone = json!({"type": "PHONE_NUMBER", "text": "Call", "phone_number": "15550051310"});
    let code = json!({"type": "COPY_CODE", "example": "25OFF"});
    with_buttons(json!([reply, reply, link, phone])).unwrap();
    with_buttons(json!([link, phone, reply, reply])).unwrap();
    assert_refused(vec![
        (with_buttons(json!([])), 2_388_043),
        (with_buttons(json!(vec![reply.clone(); 11])), 2_388_042),
        (with_buttons(json!([link, link, link])), 2_388_042),
        (with_buttons(json!([phone, phone])), 2_388_042),
        (with_buttons(json!([code, code])), 2_388_042),
        (with_buttons(json!([reply, link, reply])), 2_388_042),
        (with_buttons(json!([link, reply, link])), 2_388_042),
        (with_buttons(json!([{"type": "QUICK_REPLY", "text": "é".repeat(26)}])), 2_388_040),
        (with_buttons(json!([{"type": "QUICK_REPLY"}])), 2_388_043),
        (with_buttons(json!([{"type": "PHONE_NUMBER", "text": "Call"}])), 2_388_043),
        (with_buttons(json!([{"type": "PHONE_NUMBER", "text": "Call", "phone_number": "1".repeat(21)}])), 2_388_040),
        (with_buttons(json!([{"type": "COPY_CODE"}])), 2_388_043),
        (with_buttons(json!([{"type": "COPY_CODE", "example": "1".repeat(16)}])), 2_388_040),
        (with_buttons(json!([{"type": "FLOW", "text": "Book"}])), 2_388_043),
        (with_buttons(json!([{"type": "OTP", "otp_type": "COPY_CODE"}])), 2_388_042),
        (with_buttons(json!([{"type": "BELL", "text": "Ring"}])), 0),
        (with_buttons(json!(["QUICK_REPLY"])), 2_388_043),
        (url("https://example.org/{{1}}", json!(null)), 2_388_043),
        (url("https://example.org/{{1}}/a", json!(["a"])), 2_388_042),
        (url("https://example.org/{{1}}{{2}}", json!(["a"])), 2_388_042),
        (url("example.org", json!(null)), 2_388_042),
        (url(&format!("https://example.org/{}", "a".repeat(1981)), json!(null)), 2_388_040),
    ]);
}

#[test]
fn cards_are_checked() {
    let card = |header: &str, text: &str, buttons: usize| {
        json!({"components": [
            {"type": "header", "format": header, "example": {"header_handle": ["4::aW"]}},
            {"type": "body", "text": text},
            {"type": "buttons", "buttons": vec![json!({"type": "quick_reply", "text": "Yes"}); buttons]},
        ]})
    };
    let carousel = |cards: Vec<Value>| with_body(json!([{"type": "carousel", "cards": cards}]));
    let good = card("image", &"é".repeat(160), 2);
    let parsed = carousel(vec![good.clone(); 10]).unwrap();
    assert_eq!(parsed[0]["cards"][9]["components"][0]["format"], "IMAGE");
    carousel(vec![good.clone(); 2]).unwrap();
    assert_refused(vec![
        (carousel(vec![good.clone()]), 2_388_042),
        (carousel(vec![good.clone(); 11]), 2_388_042),
        (carousel(vec![good.clone(), card("video", "a", 2)]), 2_388_042),
        (carousel(vec![good.clone(), card("image", "a", 1)]), 2_388_042),
        (carousel(vec![card("document", "a", 1); 2]), 2_388_042),
        (carousel(vec![card("image", &"é".repeat(161), 1); 2]), 2_388_040),
        (carousel(vec![card("image", "a", 3); 2]), 2_388_042),
        (carousel(vec![json!({"components": [{"type": "footer", "text": "a"}]}); 2]), 2_388_042),
        (carousel(vec![json!({}); 2]), 2_388_043),
        (with_body(json!([{"type": "carousel"}])), 2_388_043),
    ]);
}

#[test]
fn authentication_templates_have_texts_of_meta() {
    let create = |components: Value| parse(components.as_array().unwrap(), Authentication, ParameterFormat::Positional);
    let buttons = |button: Value| create(json!([{"type": "body"}, {"type": "buttons", "buttons": [button]}]));
    let parsed = create(json!([
        {"type": "body", "add_security_recommendation": true},
        {"type": "footer", "code_expiration_minutes": 5},
        {"type": "buttons", "buttons": [{"type": "otp", "otp_type": "copy_code"}]},
    ]))
    .unwrap();
    let text = "*{{1}}* is your verification code. For your security, do not share this code.";
    assert_eq!(parsed[0]["text"], text);
    assert_eq!(parsed[1]["text"], "This code expires in 5 minutes.");
    assert_eq!(parsed[2]["buttons"][0]["type"], "URL");
    assert_eq!(parsed[2]["buttons"][0]["url"], "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}");
    let app = json!({"package_name": "com.example.app", "signature_hash": "K8a/AINcGX7"});
    buttons(json!({"type": "OTP", "otp_type": "ONE_TAP", "supported_apps": vec![app.clone(); 5]})).unwrap();
    let zero_tap = json!({"type": "OTP", "otp_type": "ZERO_TAP", "zero_tap_terms_accepted": true,
        "package_name": "com.example.app", "signature_hash": "K8a/AINcGX7"});
    buttons(zero_tap).unwrap();

    let otp = json!({"type": "OTP", "otp_type": "COPY_CODE"});
    assert_refused(vec![
        (create(json!([{"type": "BODY"}])), 2_388_043),
        (create(json!([{"type": "BODY", "text": "a"}, {"type": "BUTTONS", "buttons": [otp]}])), 2_388_042),
        (create(json!([{"type": "BODY"}, {"type": "HEADER", "format": "TEXT", "text": "a"}])), 2_388_042),
        (create(json!([{"type": "BODY"}, {"type": "FOOTER", "code_expiration_minutes": 91}])), 0),
        (create(json!([{"type": "BODY"}, {"type": "FOOTER", "code_expiration_minutes": 0}])), 0),
        (create(json!([{"type": "BODY"}, {"type": "FOOTER", "text": "a"}])), 2_388_042),
        (buttons(json!({"type": "QUICK_REPLY", "text": "Yes"})), 0),
        (buttons(json!({"type": "OTP", "otp_type": "SMS"})), 0),
        (buttons(json!({"type": "OTP", "otp_type": "COPY_CODE", "text": "a".repeat(26)})), 2_388_040),
        (buttons(json!({"type": "OTP", "otp_type": "ONE_TAP"})), 2_388_043),
        (buttons(json!({"type": "OTP", "otp_type": "ONE_TAP", "supported_apps": vec![app.clone(); 6]})), 0),
        (buttons(json!({"type": "OTP", "otp_type": "ONE_TAP", "package_name": "app", "signature_hash": "a"})), 0),
        (buttons(json!({"type": "OTP", "otp_type": "ONE_TAP", "package_name": "a.b", "signature_hash": "-"})), 0),
        (buttons(json!({"type": "OTP", "otp_type": "ZERO_TAP", "supported_apps": [app]})), 2_388_043),
    ]);
}
