use serde_json::{Value, json};

use super::*;

const RSA_KEY: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxwb2AKh5cB2o0qgy9tR2\n\
4bPMq7ulS4My6vXXlwmF78A4mFx2StwYmNDlIXP39Qg1TvJJwxWVUz3u8+7NC7qL\n\
4HOI65hJcGfZ9DZ93Ol6/Hwk3HFBuqcUamGqltL5lAqR2SQiSLlTLCYH4+FB7a09\n\
GUpESzStnL9R9X9MvgWpnPZGSHCWUII7oUHaeihDwqWKuMqF+2U4nam8mVkT4U8G\n\
4M1G/MVvbkT92JruLXcfrI/wCt+ggjv01/zOIuFNtn+Q+iYi6oCtBIahNBi/zLlG\n\
bupLPO8YvPCIGsgKS1Un+0YKD8CI5qZNijCQy00xW55rFH5/EwYJcBVIyik8avbE\n\
HwIDAQAB\n\
-----END PUBLIC KEY-----\n\
";
const EC_KEY: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQxUqkTXPlj1oJ2QvnrIxuDUNiKA9\n\
y+LtqlBm8NFySzeCCAC+UaSmYsIlh9lhkpprciNfr05zDQxUZe89X/0iow==\n\
-----END PUBLIC KEY-----\n\
";

fn parameters(value: Value) -> Parameters {
    serde_json::from_value(value).map(Parameters).unwrap()
}

#[test]
fn one_feature_is_changed_at_a_time() {
    let mut settings = Settings::default();
    let defaults = json!({"calling": {"status": "DISABLED"}, "storage_configuration": {"status": "DEFAULT"}});
    assert_eq!(settings.features(None), defaults);
    settings.update(&parameters(json!({"calling": {"status": "ENABLED", "call_icon_visibility": "DEFAULT"}}))).unwrap();
    settings.update(&parameters(json!({"calling": "{\"call_icon_visibility\": \"DISABLE_ALL\"}"}))).unwrap();
    settings.update(&parameters(json!({"user_identity_change": {"enable_identity_key_check": true}}))).unwrap();
    let expected = json!({
        "calling": {"status": "ENABLED", "call_icon_visibility": "DISABLE_ALL"},
        "storage_configuration": {"status": "IN_COUNTRY_STORAGE_ENABLED", "data_localization_region": "CH"},
        "user_identity_change": {"enable_identity_key_check": true},
    });
    assert_eq!(settings.features(Some("CH")), expected);
    let refused = [
        json!({}),
        json!({"calling": 1}),
        json!({"user_identity_change": {}}),
        json!({"calling": {"status": "ENABLED"}, "user_identity_change": {"enable_identity_key_check": true}}),
    ];
    for change in refused {
        assert_eq!(settings.update(&parameters(change.clone())).unwrap_err().code, 100, "{change}");
    }
}

#[test]
fn the_cart_is_enabled_and_the_catalog_hidden_at_first() {
    let mut settings = Settings::default();
    assert_eq!(settings.commerce(), json!({"is_cart_enabled": true, "is_catalog_visible": false}));
    settings.update_commerce(&parameters(json!({"is_catalog_visible": "true"}))).unwrap();
    settings.update_commerce(&parameters(json!({"is_cart_enabled": false}))).unwrap();
    assert_eq!(settings.commerce(), json!({"is_cart_enabled": false, "is_catalog_visible": true}));
    assert!(settings.update_commerce(&parameters(json!({"is_cart_enabled": "maybe"}))).is_err());
}

#[test]
fn a_public_key_is_rsa_with_2048_bits() {
    let mut settings = Settings::default();
    for key in ["", "key", EC_KEY, &RSA_KEY.replace("PUBLIC", "PRIVATE"), &RSA_KEY.replace("MII", "MI")] {
        let error = settings.set_public_key(&parameters(json!({"business_public_key": key}))).unwrap_err();
        assert_eq!(error.code, 100, "{key}");
    }
    assert_eq!(settings.public_key(), None);
    settings.set_public_key(&parameters(json!({"business_public_key": RSA_KEY}))).unwrap();
    assert_eq!(settings.public_key(), Some(RSA_KEY));
}
