use super::*;
use crate::whatsapp::templates::{ParameterFormat, Templates};

#[test]
fn a_phone_shows_the_parameters_in_the_template() {
    let mut template = Templates::new("1").all()[0].clone();
    template.parameter_format = ParameterFormat::Named;
    template.components = vec![
        json!({"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["x"]}}),
        json!({"type": "BODY", "text": "Hi {{name}}, see {{what}}.", "example": {"body_text_named_params": []}}),
        json!({"type": "FOOTER", "text": "Reply STOP to stop"}),
        json!({"type": "BUTTONS", "buttons": [
            {"type": "QUICK_REPLY", "text": "Yes"},
            {"type": "URL", "text": "Track", "url": "https://example.com/{{1}}", "example": ["x"]},
            {"type": "COPY_CODE", "text": "Copy"},
            {"type": "QUICK_REPLY", "text": "No"},
        ]}),
    ];
    let named = |name: &str, text: &str| json!({"type": "text", "parameter_name": name, "text": text});
    let button = |kind: &str, index: Value, parameter: Value| json!({"type": "button", "sub_type": kind, "index": index, "parameters": [parameter]});
    let content = json!({"name": "a", "components": [
        {"type": "header", "parameters": [{"type": "image", "image": {"id": "7"}}]},
        {"type": "body", "parameters": [named("what", "order 17"), named("name", "Mona")]},
        button("quick_reply", json!(0), json!({"type": "payload", "payload": "yes"})),
        button("url", json!("1"), json!({"type": "text", "text": "17"})),
        button("copy_code", json!("2"), json!({"type": "coupon_code", "coupon_code": "SPRING"})),
    ]});
    assert_eq!(
        render(&content, &template).unwrap(),
        [
            json!({"type": "HEADER", "format": "IMAGE", "image": {"id": "7"}}),
            json!({"type": "BODY", "text": "Hi Mona, see order 17."}),
            json!({"type": "FOOTER", "text": "Reply STOP to stop"}),
            json!({"type": "BUTTONS", "buttons": [
                {"type": "QUICK_REPLY", "text": "Yes", "payload": "yes"},
                {"type": "URL", "text": "Track", "url": "https://example.com/17"},
                {"type": "COPY_CODE", "text": "Copy", "coupon_code": "SPRING"},
                {"type": "QUICK_REPLY", "text": "No"},
            ]}),
        ]
    );
}

#[test]
fn hello_world_is_shown_without_parameters() {
    let template = Templates::new("1").all()[0].clone();
    let shown = render(&json!({"name": "hello_world"}), &template).unwrap();
    assert_eq!(shown.len(), template.components.len());
    assert!(render(&json!({"components": [{"type": "color"}]}), &template).is_err());
}
