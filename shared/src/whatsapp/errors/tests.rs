use proptest::prelude::*;
use serde_json::json;

use super::*;

fn list(errors: &Value) -> Vec<GraphError> {
    let raw = RawValue::from_string(errors.to_string()).unwrap();
    GraphError::parse_list(Some(&raw))
}

fn sentence(errors: &Value) -> String {
    list(errors).iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[test]
fn the_reason_survives_every_shape_of_errors() {
    let documented = "Message undeliverable (131026): No account";
    for (errors, expected) in [
        (
            json!([{"code": 131_026, "title": "Message undeliverable", "error_data": {"details": "No account"}}]),
            documented,
        ),
        (
            json!([{"code": "131026", "title": "Message undeliverable", "error_data": {"details": "No account"}}]),
            documented,
        ),
        (json!([{"code": 131_026.0, "title": "Message undeliverable", "details": "No account"}]), documented),
        (json!([{"code": " (#131026) ", "title": "Message undeliverable", "error_data": "No account"}]), documented),
        (
            json!({"code": 131_026, "message": "(#131026) Message undeliverable", "error_data": {"details": "No account"}}),
            documented,
        ),
        (json!([{"code": "131026"}]), "WhatsApp refused the message (131026)"),
        (json!([131_026]), "WhatsApp refused the message (131026)"),
        (json!(131_026), "WhatsApp refused the message (131026)"),
        (json!(["Message undeliverable"]), "Message undeliverable"),
        (json!("Message undeliverable"), "Message undeliverable"),
        (json!([{"title": "Message undeliverable"}]), "Message undeliverable"),
        (json!([{"code": "RATE_LIMIT"}]), "RATE_LIMIT"),
        (json!([{"code": null, "title": {"en": "Undeliverable"}}]), r#"{"en":"Undeliverable"}"#),
        (json!([{"code": 1, "error_data": {"details": 17}}]), "WhatsApp refused the message (1): 17"),
        (json!([{"code": 1, "error_data": {"details": ["a", "b"]}}]), r#"WhatsApp refused the message (1): ["a","b"]"#),
        (
            json!([{"code": 1, "error_data": {"messaging_product": "whatsapp", "reason": "b"}}]),
            r#"WhatsApp refused the message (1): {"reason":"b"}"#,
        ),
        (json!([{"code": 1, "error_data": ["b"]}]), r#"WhatsApp refused the message (1): ["b"]"#),
        (json!([{"code": 1, "error_data": {}, "details": "b"}]), "WhatsApp refused the message (1): b"),
        (json!([{"code": 1, "title": 5, "fbtrace_id": {}}]), "5 (1)"),
        (json!({"error": {"code": 131_026, "message": "Message undeliverable"}}), "Message undeliverable (131026)"),
        (json!([{"error": {"code": 131_026, "title": "Message undeliverable"}}]), "Message undeliverable (131026)"),
        (
            json!({"errors": [{"code": 1}, {"code": 2}]}),
            "WhatsApp refused the message (1); WhatsApp refused the message (2)",
        ),
        (json!({"title": "Failed", "error": {"code": 131_026}}), "WhatsApp refused the message (131026)"),
        (json!({"title": "Failed", "error": "a"}), "Failed"),
        (json!({"error": "Message undeliverable"}), "Message undeliverable"),
        (json!({"0": {"code": 131_026}}), "WhatsApp refused the message (131026)"),
        (json!({"0": {"code": 1, "title": "a"}, "1": {"code": 2, "title": "b"}}), "a (1); b (2)"),
        (json!([{"error_code": "131026", "error_message": "Undeliverable"}]), "Undeliverable (131026)"),
        (json!([{"code": null, "error_code": 5, "message": null, "error_message": "a"}]), "a (5)"),
        (json!(["131026"]), "WhatsApp refused the message (131026)"),
        (json!(" 131026 "), "WhatsApp refused the message (131026)"),
        (json!("99999999999999999999"), "99999999999999999999"),
        (json!("-7"), "-7"),
        (json!([[{"code": 131_026, "title": "Message undeliverable"}]]), "Message undeliverable (131026)"),
        (
            json!([[[{"error": {"code": 7}}]], [{"code": 8}]]),
            "WhatsApp refused the message (7); WhatsApp refused the message (8)",
        ),
        (json!([null, {}, [], "", {"code": 2, "title": "Second"}]), "Second (2)"),
        (json!([]), ""),
        (json!(null), ""),
        (json!({}), ""),
    ] {
        assert_eq!(sentence(&errors), expected, "{errors}");
    }
}

#[test]
fn a_field_that_cannot_be_represented_leaves_the_others() {
    let number = "9".repeat(400);
    let raw =
        format!(r#"[{{"code": {number}, "title": "Broken", "error_data": {{"details": {number}}}}}, {{"code": 7}}]"#);
    let errors = GraphError::parse_list(Some(&RawValue::from_string(raw).unwrap()));
    assert_eq!(
        errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["Broken", "WhatsApp refused the message (7)"]
    );
}

#[test]
fn long_texts_and_lists_are_limited() {
    let long = "é".repeat(100_000);
    let errors =
        json!(vec![json!({"code": 1, "title": long, "error_data": {"details": long}, "fbtrace_id": long}); 1000]);
    let errors = list(&errors);
    assert_eq!(errors.len(), MAX_ERRORS);
    for error in errors {
        let stored = WhatsAppError::from(&error);
        assert_eq!(stored.title.unwrap().chars().count(), TEXT_LIMIT);
        assert_eq!(stored.details.unwrap().chars().count(), TEXT_LIMIT);
        assert_eq!(error.fbtrace_id, None);
    }
}

#[test]
fn deeply_nested_errors_are_limited() {
    let mut errors = json!({"code": 1});
    for _ in 0..50 {
        errors = json!([{"error": errors}]);
    }
    assert_eq!(list(&errors), []);
    assert_eq!(list(&json!(vec![vec![json!({"code": 1}); 15]; 15])).len(), MAX_ERRORS);
}

#[test]
fn responses_keep_their_error() {
    for (body, expected) in [
        (r#"{"error": {"message": "(#131026) Undeliverable", "code": 131026}}"#, Some("Undeliverable (131026)")),
        (r#"{"error": {"message": "Undeliverable", "code": "131026"}}"#, Some("Undeliverable (131026)")),
        (r#"{"error": "invalid_request", "error_description": "No token"}"#, Some("invalid_request: No token")),
        (r#"{"error": [{"code": 131026}]}"#, Some("WhatsApp refused the message (131026)")),
        (r#"{"errors": [{"code": 131026, "title": "Undeliverable"}]}"#, Some("Undeliverable (131026)")),
        (r#"[{"error": {"code": 131026}}]"#, Some("WhatsApp refused the message (131026)")),
        (r#"{"error": {}}"#, None),
        (r#"{"error": null}"#, None),
        ("{}", None),
        ("[]", None),
        ("\"error\"", None),
        ("<html>", None),
        ("", None),
    ] {
        let error = GraphError::parse_response(body.as_bytes());
        assert_eq!(error.map(|error| error.to_string()).as_deref(), expected, "{body}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9]{1,8}".prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name = prop::sample::select(vec!["code", "title", "message", "error_data", "details", "error", "errors"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.prop_map(str::to_owned), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// An error with a code keeps it, whatever the other fields are.
    #[test]
    fn the_code_survives_any_other_field(code in any::<i32>(), written_as_text: bool, others in any_json()) {
        let mut error = others.as_object().cloned().unwrap_or_default();
        error.insert("code".to_owned(), if written_as_text { json!(code.to_string()) } else { json!(code) });
        let body = json!({"error": error}).to_string();
        prop_assert_eq!(list(&json!([error.clone()]))[0].code, Some(i64::from(code)));
        prop_assert_eq!(list(&Value::Object(error))[0].code, Some(i64::from(code)));
        prop_assert_eq!(GraphError::parse_response(body.as_bytes()).unwrap().code, Some(i64::from(code)));
    }

    /// Any JSON is parsed without a panic, and what is kept is short enough to store.
    #[test]
    fn any_json_is_limited(errors in any_json()) {
        for error in list(&errors) {
            let stored = WhatsAppError::from(&error);
            for text in [stored.title, stored.details].into_iter().flatten() {
                prop_assert!(!text.trim().is_empty() && text.chars().count() <= TEXT_LIMIT);
            }
        }
        let _ = GraphError::parse_response(errors.to_string().as_bytes());
    }
}
