use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;

/// Member names that the reader knows, so that arbitrary JSON passes the first checks.
const NAMES: [&str; 60] = [
    "type",
    "message",
    "text",
    "body",
    "image",
    "link",
    "id",
    "caption",
    "document",
    "filename",
    "audio",
    "voice",
    "location",
    "latitude",
    "longitude",
    "contacts",
    "name",
    "formatted_name",
    "reaction",
    "message_id",
    "emoji",
    "interactive",
    "header",
    "action",
    "buttons",
    "sections",
    "template",
    "language",
    "code",
    "components",
    "parameters",
    "context",
    "sub_type",
    "index",
    "parameter_name",
    "cards",
    "card_index",
    "coupon_code",
    "currency",
    "date_time",
    "fallback_value",
    "amount_1000",
    "limited_time_offer",
    "expiration_time_ms",
    "order",
    "items",
    "amount",
    "value",
    "offset",
    "quantity",
    "subtotal",
    "total_amount",
    "reference_id",
    "product_items",
    "product_retailer_id",
    "catalog_id",
    "flow_id",
    "flow_action_payload",
    "data",
    "expiration_days",
];

/// Values that the reader compares with, and boundary values.
const VALUES: [&str; 26] = [
    "text",
    "image",
    "document",
    "audio",
    "sticker",
    "location",
    "contacts",
    "reaction",
    "interactive",
    "template",
    "button",
    "body",
    "reply",
    "👍",
    "https://example.org",
    "",
    "pin",
    "url",
    "carousel",
    "product_list",
    "order_details",
    "order_status",
    "review_and_pay",
    "18446744073709551615",
    "a\u{2028}b",
    "a     b",
];

fn json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![9 => prop::sample::select(&NAMES[..]).prop_map(str::to_owned), 1 => ".{0,8}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-200.0..200.0).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        prop::sample::select(&VALUES[..]).prop_map(Value::from),
        Just(json!(u64::MAX)),
        Just(json!(i64::MIN)),
        Just(json!(f64::MAX)),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Generates a valid message.
fn message() -> impl Strategy<Value = Value> {
    let text = "[^\\s]\\PC{0,19}";
    let asset = prop_oneof![
        text.prop_map(|id| json!({"id": id})),
        "[a-z]{1,9}".prop_map(|path| json!({"link": format!("https://example.org/{path}")})),
    ];
    prop_oneof![
        (text, any::<bool>()).prop_map(|(body, preview)| {
            let text = json!({"body": body, "preview_url": preview});
            json!({"type": "text", "text": text})
        }),
        asset.prop_map(|asset| json!({"type": "image", "image": asset})),
        (-90.0..=90.0_f64, -180.0..=180.0_f64).prop_map(|(latitude, longitude)| {
            let location = json!({"latitude": latitude, "longitude": longitude.to_string()});
            json!({"type": "location", "location": location})
        }),
        prop::collection::vec(text, 1..9).prop_map(|names| {
            let cards: Value = names.iter().map(|name| json!({"name": {"formatted_name": name}})).collect();
            json!({"type": "contacts", "contacts": cards})
        }),
        prop::collection::btree_set(text, 1..4).prop_map(|ids| {
            let button = |id| json!({"type": "reply", "reply": {"id": id, "title": id}});
            let buttons: Value = ids.iter().map(button).collect();
            let interactive = json!({"type": "button", "body": {"text": "B"}, "action": {"buttons": buttons}});
            json!({"type": "interactive", "interactive": interactive})
        }),
        prop::collection::vec("[^\\s\\p{C}\\p{Z}]{1,20}", 0..9).prop_map(|texts| {
            let parameters: Value = texts.iter().map(|text| json!({"type": "text", "text": text})).collect();
            let components = json!([{"type": "body", "parameters": parameters}]);
            json!({"type": "template", "template": {"name": "n", "language": {"code": "en"}, "components": components}})
        }),
    ]
}

/// Checks that reading an accepted message again gives the same result.
fn assert_idempotent(request: &Map<String, Value>) -> Result<(), TestCaseError> {
    if let Ok(Some(first)) = read(request) {
        let again = read(first.json.as_object().unwrap()).unwrap().unwrap();
        prop_assert_eq!(&again.json, &first.json);
        prop_assert_eq!((again.kind, again.body), (first.kind, first.body));
    }
    Ok(())
}

/// Replaces the value of every member with this name.
fn corrupt(target: &mut Value, name: &str, value: &Value) {
    match target {
        Value::Object(members) => {
            for (member, inner) in members.iter_mut() {
                if member == name { *inner = value.clone() } else { corrupt(inner, name, value) }
            }
        }
        Value::Array(entries) => entries.iter_mut().for_each(|entry| corrupt(entry, name, value)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn arbitrary_json_is_accepted_or_rejected(value in json()) {
        let mut request = Map::new();
        for kind in VALUES {
            request.clear();
            request.insert("type".to_owned(), kind.into());
            request.insert(kind.to_owned(), value.clone());
            assert_idempotent(&request)?;
        }
        if let Value::Object(request) = value {
            assert_idempotent(&request)?;
        }
    }

    #[test]
    fn valid_message_goes_to_whatsapp_unchanged(message in message()) {
        let read = read_value(&message).unwrap().unwrap();
        prop_assert_eq!(read.json, message);
    }

    #[test]
    fn template_texts_have_no_line_breaks(text in "([a-z 😀]|[\\s\\p{Cc}\\p{Zl}\\p{Zp}]){0,8}") {
        let parameters = json!([{"type": "text", "text": &text}]);
        let components = json!([{"type": "body", "parameters": parameters}]);
        let template = json!({"name": "n", "language": {"code": "en"}, "components": components});
        let is_accepted = read_value(&json!({"type": "template", "template": template})).is_ok();
        let has_break = text.chars().any(|c| "\t\n\u{b}\u{c}\r\u{85}\u{2028}\u{2029}".contains(c));
        prop_assert_eq!(is_accepted, !has_break && !text.contains("     ") && !text.trim().is_empty());
    }

    #[test]
    fn corrupted_message_is_accepted_or_rejected(
        message in message(),
        name in prop::sample::select(&NAMES[..]),
        value in json(),
    ) {
        let mut corrupted = message;
        corrupt(&mut corrupted, name, &value);
        assert_idempotent(corrupted.as_object().unwrap())?;
    }
}
