use super::*;

fn read(json: &str) -> Option<WhatsAppSecrets> {
    serde_json::from_str(json).ok()
}

#[test]
fn secret_is_one_value_or_a_list() {
    let secrets = read(r#"{"appSecret": "a", "verifyToken": ["b", "c"], "accessToken": "d", "other": 1}"#).unwrap();
    assert_eq!(secrets.app_secret.iter().collect::<Vec<_>>(), ["a"]);
    assert!(secrets.verify_token.contains("b") && secrets.verify_token.contains("c"));
    assert!(!secrets.verify_token.contains("a") && !secrets.verify_token.contains("bc"));
    assert_eq!(secrets.access_token, "d");
}

#[test]
fn empty_value_matches_nothing() {
    for json in ["{}", r#"{"verifyToken": ""}"#, r#"{"verifyToken": ["", ""]}"#, r#"{"verifyToken": []}"#] {
        let secrets = read(json).unwrap();
        assert_eq!(secrets.verify_token.iter().count(), 0, "{json}");
        assert!(!secrets.verify_token.contains(""), "{json}");
    }
    assert!(read(r#"{"appSecret": 1}"#).is_none() && read(r#"{"appSecret": [1]}"#).is_none());
}

#[test]
fn origin_secret_is_one_of_two_long_values() {
    let read = |json: serde_json::Value| serde_json::from_value::<OriginSecret>(json).unwrap();
    let (old, new) = ("a".repeat(43), "b".repeat(43));
    let both = read(json!({"first": old, "second": new}));
    assert!(both.contains(&old) && both.contains(&new));
    for other in ["", &old[1..], &format!("{old}a"), &format!("{old},{new}"), &old.to_uppercase()] {
        assert!(!both.contains(other), "{other}");
    }
    let rotated = read(json!({"first": "", "second": new}));
    assert!(rotated.contains(&new) && !rotated.contains(&old) && !rotated.contains(""));
    for weak in ["", "secret", &"a".repeat(31)] {
        assert!(!read(json!({"first": weak})).contains(weak), "{weak}");
    }
    assert!(!format!("{both:?}").contains(&old));
}

#[test]
fn debug_output_hides_secrets() {
    let shown = format!("{:?}", read(r#"{"appSecret": "hunter2", "accessToken": "hunter2"}"#).unwrap());
    assert!(!shown.contains("hunter2"));
}
