use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::json;

use super::*;
use crate::services::public_http::FixedResolver;

const NOW: i64 = 1_795_000_000;

fn now() -> Timestamp {
    Timestamp::from_seconds(NOW).unwrap()
}

fn issuer() -> TokenIssuer {
    TokenIssuer {
        issuer: "https://id.example/".to_owned(),
        audience: "qasid".to_owned(),
        keys_url: "https://id.example/.well-known/jwks.json".to_owned(),
    }
}

/// An identity provider with one key.
struct Provider {
    pair: EcdsaKeyPair,
}

impl Provider {
    fn new() -> Self {
        let _ = RING.install_default();
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        Self { pair }
    }

    fn jwk(&self) -> Value {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "kid": "1", "use": "sig", "alg": "ES256", "x": BASE64.encode(x), "y": BASE64.encode(y)})
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64.encode(signature))
    }

    fn check(&self, header: &Value, claims: &Value) -> Result<Caller, Refusal> {
        read(&self.token(header, claims), &self.jwk())
    }
}

fn set(jwk: &Value) -> JwkSet {
    JwkSet { keys: vec![serde_json::from_value(jwk.clone()).unwrap()] }
}

/// Like [`Tokens::caller`], with a provider that has only this key.
fn read(token: &str, jwk: &Value) -> Result<Caller, Refusal> {
    let (algorithm, key_id) = signed_with(token)?;
    let (of_key, key) = find(&set(jwk), &key_id).ok_or(Refusal::TokenKey)?;
    if of_key != algorithm {
        return Err(Refusal::TokenKey);
    }
    check(token, algorithm, &key, &issuer(), now())
}

fn header() -> Value {
    json!({"alg": "ES256", "kid": "1", "typ": "JWT"})
}

fn claims() -> Value {
    json!({"iss": "https://id.example/", "aud": "qasid", "sub": "ada", "exp": NOW + 60, "nbf": NOW - 60, "role": "admin", "scopes": "admin"})
}

fn with(mut value: Value, name: &str, new: Value) -> Value {
    value[name] = new;
    value
}

#[test]
fn a_valid_token_authenticates_a_tenant_and_never_an_admin() {
    let caller = Provider::new().check(&header(), &claims()).unwrap();
    assert_eq!(caller, Caller::tenant("token", "ada".to_owned(), Scope::OF_TOKENS));
    assert!(!caller.has(Scope::Admin) && !caller.has(Scope::Worker));
    for audience in [json!(["other", "qasid"]), json!(["qasid"])] {
        assert!(Provider::new().check(&header(), &with(claims(), "aud", audience)).is_ok());
    }
}

#[test]
fn each_claim_is_verified() {
    let provider = Provider::new();
    for (name, value, refused) in [
        ("iss", json!("https://id.example"), Refusal::TokenIssuer),
        ("iss", Value::Null, Refusal::TokenClaims),
        ("aud", json!("other"), Refusal::TokenAudience),
        ("aud", json!([]), Refusal::TokenAudience),
        ("aud", Value::Null, Refusal::TokenClaims),
        ("sub", Value::Null, Refusal::TokenClaims),
        ("sub", json!(7), Refusal::TokenClaims),
        ("sub", json!(" "), Refusal::TokenClaims),
        ("sub", json!("x".repeat(257)), Refusal::TokenClaims),
        ("exp", Value::Null, Refusal::TokenClaims),
        ("exp", json!("9999999999"), Refusal::TokenClaims),
        ("exp", json!(NOW - 30), Refusal::TokenTime),
        ("nbf", json!(NOW + 31), Refusal::TokenTime),
        ("nbf", json!("now"), Refusal::TokenClaims),
    ] {
        assert_eq!(provider.check(&header(), &with(claims(), name, value.clone())), Err(refused), "{name} {value}");
    }
    for (name, value) in [("exp", json!(NOW - 29)), ("exp", json!(NOW as f64 + 0.5)), ("nbf", json!(NOW + 30))] {
        assert!(provider.check(&header(), &with(claims(), name, value.clone())).is_ok(), "{name} {value}");
    }
}

/// RFC 7519, section 4.1: every claim is a string or a number, and only `aud` can be a list.
#[test]
fn a_claim_of_another_type_is_refused() {
    let provider = Provider::new();
    let valid = claims();
    for name in ["iss", "aud", "sub", "exp", "nbf"] {
        let value = &valid[name];
        let as_text = json!(value.to_string().trim_matches('"'));
        for wrong in [
            json!([value]),
            json!([value, value]),
            json!([]),
            json!({"0": value}),
            json!([[value]]),
            json!([value, 7]),
            json!([value, null]),
            json!(true),
            json!(if value.is_string() { json!(7) } else { as_text }),
        ] {
            let is_list_of_audiences = name == "aud" && (wrong == json!([value]) || wrong == json!([value, value]));
            let result = provider.check(&header(), &with(claims(), name, wrong.clone()));
            assert_eq!(result.is_ok(), is_list_of_audiences, "{name} {wrong}");
        }
    }
}

#[test]
fn a_repeated_claim_is_refused() {
    let provider = Provider::new();
    let valid = claims().to_string();
    for claim in [r#""iss":"https://id.example/""#, r#""aud":"qasid""#, r#""sub":"grace""#, r#""exp":9999999999"#] {
        let payload = valid.replacen('{', &format!("{{{claim},"), 1);
        let signed = format!("{}.{}", BASE64.encode(header().to_string()), BASE64.encode(payload));
        let signature = provider.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        let token = format!("{signed}.{}", BASE64.encode(signature));
        assert_eq!(read(&token, &provider.jwk()), Err(Refusal::TokenClaims), "{claim}");
    }
}

#[test]
fn only_the_algorithm_of_the_key_is_accepted() {
    let provider = Provider::new();
    for (name, value, refused) in [
        ("alg", json!("none"), Refusal::TokenAlgorithm("none")),
        ("alg", json!("HS256"), Refusal::TokenAlgorithm("HS256")),
        ("alg", json!("ES384"), Refusal::TokenAlgorithm("ES384")),
        ("alg", json!("hs256 of ada@example.com"), Refusal::TokenAlgorithm("an unknown algorithm")),
        ("alg", json!(256), Refusal::Malformed),
        ("alg", json!("RS256"), Refusal::TokenKey),
        ("alg", Value::Null, Refusal::Malformed),
        ("kid", json!("2"), Refusal::TokenKey),
        ("kid", Value::Null, Refusal::Malformed),
        ("crit", json!(["exp"]), Refusal::Malformed),
    ] {
        assert_eq!(provider.check(&with(header(), name, value.clone()), &claims()), Err(refused), "{name} {value}");
    }
    let token = provider.token(&header(), &claims());
    for (name, value) in [("use", json!("enc")), ("alg", json!("ES384")), ("crv", json!("P-384"))] {
        assert_eq!(read(&token, &with(provider.jwk(), name, value)), Err(Refusal::TokenKey), "{name}");
    }
    // Unsigned and wrongly signed tokens with the algorithm of the key.
    let (signed, _) = token.rsplit_once('.').unwrap();
    for forged in [format!("{signed}."), format!("{signed}.AAAA"), Provider::new().token(&header(), &claims())] {
        assert_eq!(read(&forged, &provider.jwk()), Err(Refusal::TokenSignature), "{forged}");
    }
}

#[test]
fn other_texts_are_refused() {
    for text in ["", ".", "..", "...", "a.b.c", "e30.e30.e30", "é.é.é"] {
        assert_eq!(signed_with(text), Err(Refusal::Malformed), "{text}");
    }
}

/// A name that resolves to this machine, as in a private or hostile zone, and an address of this machine.
#[tokio::test]
async fn keys_are_fetched_from_public_addresses_only() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let token = Provider::new().token(&header(), &claims());
    for (host, reason) in [("id.example", "the name has an address"), ("127.0.0.1", "keys are at an address")] {
        let issuer = TokenIssuer { keys_url: format!("https://{host}:{port}/jwks.json"), ..issuer() };
        let to_this_machine = FixedResolver(vec![[127, 0, 0, 1].into()]);
        let tokens = Tokens::with_resolver(issuer, to_this_machine);
        let error = tokens.caller(&token, now()).await.unwrap_err();
        assert!(telemetry::chain(&error).contains(reason), "{}", telemetry::chain(&error));
        let connection = listener.accept().map(|(_, from)| from).map_err(|error| error.kind());
        assert_eq!(connection, Err(std::io::ErrorKind::WouldBlock), "{host}");
    }
}

/// RFC 7515, appendix A.2.
#[test]
fn the_rs256_example_of_the_standard_is_verified() {
    let _ = RING.install_default();
    let jwk = json!({"kty": "RSA", "kid": "1", "e": "AQAB", "n":
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"});
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let (algorithm, key) = find(&set(&jwk), "1").unwrap();
    assert_eq!(algorithm, Algorithm::RS256);
    // The signature is valid, but the token has neither an audience nor a subject.
    assert_eq!(check(token, algorithm, &key, &issuer(), now()), Err(Refusal::TokenClaims));
    let other = token.replacen("eyJpc3MiOiJqb2Ui", "eyJpc3MiOiJqb2Vp", 1);
    assert_eq!(check(&other, algorithm, &key, &issuer(), now()), Err(Refusal::TokenSignature));
}
