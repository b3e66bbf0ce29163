//! The signature of webhooks (Meta: "Create a webhook endpoint", validating payloads).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Whether `header` (`X-Hub-Signature-256: sha256=<hex>`) is the HMAC-SHA256 of the raw body under the app secret.
/// Compares in constant time. An empty secret signs nothing.
pub fn is_signed(body: &[u8], header: &str, app_secret: &str) -> bool {
    let Some(signature) = header.strip_prefix("sha256=").and_then(from_hex) else { return false };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes()) else { return false };
    mac.update(body);
    !app_secret.is_empty() && mac.verify_slice(&signature).is_ok()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
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
    fn the_standards_example_is_signed() {
        assert!(is_signed(BODY, SIGNATURE, SECRET));
        assert!(is_signed(BODY, &SIGNATURE.to_uppercase().replace("SHA256", "sha256"), SECRET));
    }

    #[test]
    fn anything_else_is_not() {
        assert!(!is_signed(BODY, SIGNATURE, "jefe"));
        assert!(!is_signed(b"what do ya want for nothing!", SIGNATURE, SECRET));
        assert!(!is_signed(BODY, &SIGNATURE[..SIGNATURE.len() - 2], SECRET));
        assert!(!is_signed(BODY, SIGNATURE.trim_start_matches("sha256="), SECRET));
        let of_empty_secret = "sha256=b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
        assert!(!is_signed(b"", of_empty_secret, ""));
    }

    proptest! {
        #[test]
        fn no_header_panics(header in any::<String>(), hex in "sha256=[0-9a-fé]{60,66}") {
            prop_assert!(!is_signed(BODY, &header, SECRET));
            prop_assert!(!is_signed(BODY, &hex, SECRET));
        }
    }
}
