use serde_json::{Value, json};

use super::*;

fn update(profile: &mut Profile, mut change: Value) -> Result<(), GraphError> {
    change["messaging_product"] = json!("whatsapp");
    profile.update(&serde_json::from_value(change).map(Parameters).unwrap())
}

#[test]
fn members_are_set_and_cleared() {
    let mut profile = Profile::default();
    let change = json!({"about": "Succulents", "email": "lucky@example.com", "vertical": "RETAIL",
        "websites": "[\"https://www.example.com\"]"});
    update(&mut profile, change).unwrap();
    update(&mut profile, json!({"email": "", "address": "1 Hacker Way"})).unwrap();
    let expected = json!({"messaging_product": "whatsapp", "about": "Succulents", "address": "1 Hacker Way",
        "vertical": "RETAIL", "websites": ["https://www.example.com"]});
    assert_eq!(profile.fields(None).unwrap(), expected);
    update(&mut profile, json!({"websites": [], "vertical": ""})).unwrap();
    let fields = [String::from("websites"), String::from("vertical")];
    let expected = json!({"messaging_product": "whatsapp", "vertical": "UNDEFINED"});
    assert_eq!(profile.fields(Some(&fields)).unwrap(), expected);
}

#[test]
fn members_outside_of_the_limits_are_refused() {
    let website = |characters: usize| format!("https://{}", "x".repeat(characters - 8));
    let accepted = [
        json!({"about": "x".repeat(139)}),
        json!({"address": "ä".repeat(256)}),
        json!({"description": "x".repeat(512)}),
        json!({"email": format!("{}@b.c", "x".repeat(124))}),
        json!({"websites": [website(256), "http://b"]}),
        json!({"vertical": "NOT_A_BIZ"}),
        json!({"profile_picture_handle": "4::aW1hZ2UvcG5n:AR"}),
    ];
    for change in accepted {
        assert!(update(&mut Profile::default(), change.clone()).is_ok(), "{change}");
    }
    let refused = [
        json!({"about": ""}),
        json!({"about": "x".repeat(140)}),
        json!({"address": "x".repeat(257)}),
        json!({"description": "x".repeat(513)}),
        json!({"email": format!("{}@b.c", "x".repeat(125))}),
        json!({"email": "lucky"}),
        json!({"websites": ["https://a", "https://b", "https://c"]}),
        json!({"websites": ["www.example.com"]}),
        json!({"websites": [website(257)]}),
        json!({"vertical": "FLOWERS"}),
        json!({"profile_picture_handle": "https://example.com/a.png"}),
    ];
    for change in refused {
        let mut profile = Profile::default();
        let error = update(&mut profile, change.clone()).unwrap_err();
        assert_eq!((error.status, error.code), (400, 100), "{change}");
        assert_eq!(profile, Profile::default());
    }
    assert_eq!(Profile::default().update(&Parameters::default()).unwrap_err().code, 100);
}
