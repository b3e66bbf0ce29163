//! Download URLs in the form of Meta's: `https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=…&ext=…&hash=…`,
//! where `ext` is the end of the validity in Unix seconds.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How long a download URL is valid (Meta, *Media*, get media URL).
const VALIDITY_SECONDS: i64 = 5 * 60;

/// The path of download URLs.
const PATH: &str = "/whatsapp_business/attachments/";

/// Returns the URL of a file with this ID and key. `base` is the URL of the simulator.
pub(super) fn create(base: &str, id: &str, key: &str, now: i64) -> String {
    let ext = (now + VALIDITY_SECONDS).to_string();
    format!("{base}{PATH}?mid={id}&ext={ext}&hash={}", hash(id, key, &ext))
}

/// Returns whether the parameters of a URL are those of [`create`] and the URL has not expired.
pub(super) fn is_valid(id: &str, key: &str, ext: &str, given: &str, now: i64) -> bool {
    given == hash(id, key, ext) && ext.parse().is_ok_and(|end: i64| now < end)
}

/// Meta's hashes start with `AT`.
fn hash(id: &str, key: &str, ext: &str) -> String {
    // HMAC accepts keys of any length (RFC 2104), so this is never empty.
    let digest = Hmac::<Sha256>::new_from_slice(key.as_bytes())
        .map(|mac| mac.chain_update(format!("{id}.{ext}")).finalize().into_bytes().to_vec())
        .unwrap_or_default();
    format!("AT{}", URL_SAFE_NO_PAD.encode(digest))
}
