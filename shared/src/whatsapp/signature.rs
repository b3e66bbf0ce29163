//! Webhook signatures (Meta, *Create a webhook endpoint*, validating payloads).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Returns whether `header`, the value of `X-Hub-Signature-256`, is `sha256=` and the hexadecimal HMAC-SHA256 of the
/// raw body with the app secret. Compares in constant time. An empty secret verifies nothing.
pub fn is_valid_signature(body: &[u8], header: &str, app_secret: &str) -> bool {
    let Some(signature) = header.strip_prefix("sha256=").and_then(|digits| hex::decode(digits).ok()) else {
        return false;
    };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes()) else { return false };
    mac.update(body);
    !app_secret.is_empty() && mac.verify_slice(&signature).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // RFC 4231, test case 2.
    const SECRET: &str = "Jefe";
    const BODY: &[u8] = b"what do ya want for nothing?";
    const SIGNATURE: &str = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

    #[test]
    fn rfc_4231_example_is_valid() {
        assert!(is_valid_signature(BODY, SIGNATURE, SECRET));
        assert!(is_valid_signature(BODY, &SIGNATURE.to_uppercase().replace("SHA256", "sha256"), SECRET));
    }

    #[test]
    fn other_secret_body_or_signature_is_invalid() {
        assert!(!is_valid_signature(BODY, SIGNATURE, "jefe"));
        assert!(!is_valid_signature(b"what do ya want for nothing!", SIGNATURE, SECRET));
        assert!(!is_valid_signature(BODY, &SIGNATURE[..SIGNATURE.len() - 2], SECRET));
        assert!(!is_valid_signature(BODY, SIGNATURE.trim_start_matches("sha256="), SECRET));
        let of_empty_secret = "sha256=b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
        assert!(!is_valid_signature(b"", of_empty_secret, ""));
    }

    proptest! {
        #[test]
        fn arbitrary_header_is_invalid(header in any::<String>(), hex in "sha256=[0-9a-fé]{60,66}") {
            prop_assert!(!is_valid_signature(BODY, &header, SECRET));
            prop_assert!(!is_valid_signature(BODY, &hex, SECRET));
        }
    }
}
