//! Callers with a token (JWT) of an identity provider.

use std::sync::{Arc, Mutex};

use axum::{Router, routing::get};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};

use crate::test_app::{TestApp, now};

const ISSUER: &str = "https://id.example/";

/// A local identity provider with its current signing key.
struct Provider {
    url: String,
    keys: Arc<Mutex<Value>>,
    signing: (String, EcdsaKeyPair),
}

fn signing_key(id: &str) -> (String, EcdsaKeyPair) {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
    (id.to_owned(), pair)
}

fn jwk((id, pair): &(String, EcdsaKeyPair)) -> Value {
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    json!({"kty": "EC", "crv": "P-256", "kid": id, "x": BASE64.encode(x), "y": BASE64.encode(y)})
}

impl Provider {
    async fn start() -> Self {
        let signing = signing_key("1");
        let unsupported = json!({"kty": "new", "kid": "0"});
        let keys = Arc::new(Mutex::new(json!({"keys": [unsupported, jwk(&signing)]})));
        let served = Arc::clone(&keys);
        let serve_keys = get(move || async move { served.lock().unwrap().to_string() });
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/jwks.json", serve_keys)).await });
        Self { url, keys, signing }
    }

    /// Replaces the signing key.
    fn rotate(&mut self) {
        self.signing = signing_key("2");
        *self.keys.lock().unwrap() = json!({"keys": [jwk(&self.signing)]});
    }

    /// Returns a token of `owner` that is valid for a minute. Tokens with another `unique` differ.
    fn token(&self, owner: &str, unique: u32) -> String {
        let expires = now() + 60;
        let claims = json!({"iss": ISSUER, "aud": ["qasid"], "sub": owner, "exp": expires, "jti": unique});
        self.sign(&json!({"alg": "ES256", "kid": self.signing.0}), &claims)
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let signature = self.signing.1.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64.encode(signature))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_authenticates_its_subject_across_key_rotation() {
    let mut provider = Provider::start().await;
    let parameters = [("JwtIssuer", ISSUER), ("JwtAudience", "qasid"), ("JwksUrl", &provider.url)];
    let app = TestApp::start_with(&parameters).await;
    let ada = provider.token("ada", 0);
    let created = app.with_key(&ada, "POST", "/api/session/create", &json!({"userId": "ada"})).await;
    assert_eq!(created.json["message"], "Session created successfully", "{}", created.json);
    let status = format!("/api/session/status?sessionId={}", created.json["session"]["id"].as_str().unwrap());
    assert_eq!(app.with_key(&ada, "GET", &status, &Value::Null).await.status, 200);
    // A stolen token can't create a webhook, which would outlive it.
    let webhook = json!({"sessionId": created.json["session"]["id"], "url": "https://example.com/"});
    for (method, path) in [("POST", "/api/webhooks"), ("PATCH", "/api/webhooks/x")] {
        let refused = app.with_key(&ada, method, path, &webhook).await;
        let sentence = "This needs a key with the scope webhooks";
        assert_eq!((refused.status, refused.json["error"].as_str()), (403, Some(sentence)), "{method} {path}");
    }
    // A user of the identity provider can't take the deployment's number.
    app.scan(created.json["session"]["qr"].as_str().unwrap(), "201001234567").await;
    let paired = app.with_key(&ada, "GET", &status, &Value::Null).await.json["session"].clone();
    assert_eq!(paired["is_connected"], false);
    assert!(paired["pairing_error"].as_str().unwrap().contains("no owner"), "{paired}");
    let grace = provider.token("grace", 0);
    assert_eq!(app.with_key(&grace, "GET", &status, &Value::Null).await.json["code"], "session_not_found");
    for (path, body, status) in [
        ("/api/keys", json!({"name": "x", "scopes": ["admin"]}), 403),
        ("/api/session/create", json!({"userId": "ada"}), 403),
        ("/api/session/create?admin=true", json!({"userId": "ada"}), 400),
    ] {
        assert_eq!(app.with_key(&grace, "POST", path, &body).await.status, status, "{path}");
    }
    let worker = json!({"sessionId": created.json["session"]["id"]});
    assert_eq!(app.with_key(&ada, "POST", "/api/outbox/claim", &worker).await.json["code"], "missing_scope");

    let forged = provider.sign(&json!({"alg": "none", "kid": "1"}), &json!({"iss": ISSUER, "sub": "ada"}));
    // What Supabase signs with its legacy JWT secret.
    let legacy = provider.sign(&json!({"alg": "HS256", "typ": "JWT"}), &json!({"iss": ISSUER, "sub": "ada"}));
    let (graces, _) = grace.rsplit_once('.').unwrap();
    let (adas, signature) = ada.rsplit_once('.').unwrap();
    for invalid in [forged, legacy.clone(), format!("{graces}.{signature}"), format!("{adas}."), adas.to_owned()] {
        let response = app.with_key(&invalid, "GET", &status, &Value::Null).await;
        assert_eq!((response.status, response.json), (403, json!({"message": "Forbidden"})), "{invalid}");
    }
    let reason = "the token is signed with HS256: only RS256 and ES256 are accepted";
    let lines = app.log_lines();
    assert_eq!(lines.iter().filter(|line| line.contains(reason) && line.contains("INFO")).count(), 1, "{lines:#?}");
    assert!(!app.has_logged(&[&legacy[..30]]), "no token is logged");
    // API keys still work.
    assert_eq!(app.get(&status).await.status, 200);

    provider.rotate();
    let unique = std::sync::atomic::AtomicU32::new(1);
    app.wait_until("the new key is accepted", async || {
        // Each attempt needs another token, because the gateway caches the authorizer's response for a token.
        let token = provider.token("ada", unique.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        app.with_key(&token, "GET", &status, &Value::Null).await.status == 200
    })
    .await;
    assert!(!app.has_logged(&[&ada[..60]]), "no token is logged");
}
