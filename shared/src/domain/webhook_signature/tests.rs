use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;

use super::*;
use crate::whatsapp::is_valid_signature;

const KEY: SigningKey = SigningKey([7; LENGTH]);

fn webhook(number: u128) -> WebhookId {
    WebhookId::from_uuid(Uuid::from_u128(number))
}

/// Reads a secret as receivers do: the key is the decoded text after the prefix.
fn received(secret: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap()
}

/// HMAC-SHA256 by another implementation.
fn other_hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

#[test]
fn signature_is_that_of_the_standard_webhooks_libraries() {
    // The test "sign function works" of standard-webhooks/standard-webhooks, in each of its libraries.
    let secret = WebhookSecret(received("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    assert_eq!(secret.reveal(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    assert_eq!(
        secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#),
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    );
}

#[test]
fn derived_secret_is_stable() {
    let id = "0197a3c0-0000-7000-8000-000000000001".parse().unwrap();
    // printf 'webhook\n0197a3c0-0000-7000-8000-000000000001\n1' |
    //   openssl dgst -sha256 -mac HMAC -macopt hexkey:0707… -binary | base64
    assert_eq!(WebhookSecret::derive(&KEY, id, 1).reveal(), "whsec_4p/8bfAwqfbni9q/rTjWTx2mcIWJJ82lwv/uerYUTG0=");
}

#[test]
fn each_webhook_version_and_deployment_has_its_own_secret() {
    let secret = |key: &SigningKey, number: u128, version: u32| {
        let secret = WebhookSecret::derive(key, webhook(number), version).reveal();
        assert_eq!(received(&secret).len(), 32);
        secret
    };
    let other_key = SigningKey([8; LENGTH]);
    let secrets = [secret(&KEY, 1, 1), secret(&KEY, 1, 2), secret(&KEY, 2, 1), secret(&other_key, 1, 1)];
    for (index, secret) in secrets.iter().enumerate() {
        assert!(!secrets[index + 1..].contains(secret), "{index}");
    }
}

#[test]
fn debug_output_hides_key_and_secret() {
    let secret = WebhookSecret::derive(&KEY, webhook(1), 1);
    let shown = format!("{KEY:?} {secret:?}");
    assert_eq!(shown, "SigningKey(…) WebhookSecret(…)");
}

#[test]
fn key_is_read_from_its_own_base64_only() {
    let key = SigningKey::from_random([Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3)]);
    assert_ne!(key, SigningKey::from_random([Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(4)]));
    assert_eq!(SigningKey::from_base64(&key.to_base64()), Ok(key.clone()));
    for wrong in ["", "key", &BASE64_STANDARD.encode([7; 31]), &BASE64_STANDARD.encode([7; 33]), &hex::encode(key.0)] {
        assert_eq!(SigningKey::from_base64(wrong), Err(ParseKeyError), "{wrong}");
    }
}

proptest! {
    #[test]
    fn receiver_verifies_the_signature(
        number in any::<u128>(),
        version in any::<u32>(),
        id in "[0-9a-f-]{1,40}",
        timestamp in 0_i64..=4_102_444_800,
        body in any::<Vec<u8>>(),
    ) {
        let secret = WebhookSecret::derive(&KEY, webhook(number), version);
        let signed = [format!("{id}.{timestamp}.").as_bytes(), &body].concat();
        let expected = BASE64_STANDARD.encode(other_hmac(&received(&secret.reveal()), &signed));
        prop_assert_eq!(secret.sign(&id, timestamp, &body), format!("v1,{expected}"));
    }

    #[test]
    fn hub_signature_is_valid_under_the_revealed_secret(version in any::<u32>(), body in any::<Vec<u8>>()) {
        let secret = WebhookSecret::derive(&KEY, webhook(1), version);
        let signature = secret.hub_signature(&body);
        prop_assert!(is_valid_signature(&body, &signature, &secret.reveal()));
        let other = WebhookSecret::derive(&KEY, webhook(2), version);
        prop_assert!(!is_valid_signature(&body, &signature, &other.reveal()));
    }
}
