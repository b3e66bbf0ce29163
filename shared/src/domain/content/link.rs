//! URLs in messages.

use url::{Host, Url};

use crate::domain::public_address;

/// Returns whether WhatsApp can fetch a file from this URL: it uses `https`, has no credentials, and its host is not in
/// a private network, which a caller could otherwise make WhatsApp access.
pub(super) fn is_public(text: &str) -> bool {
    let Some(url) = parse(text, &["https://"]) else { return false };
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    !has_credentials && url.host().is_some_and(is_public_host)
}

/// Returns whether a browser can open this URL.
pub(super) fn is_web(text: &str) -> bool {
    parse(text, &["https://", "http://"]).is_some_and(|url| url.has_host())
}

/// Parses a URL that starts with one of `prefixes`. Rejects what the `url` crate corrects but WhatsApp might not:
/// whitespace, control characters, backslashes, and a wrong number of slashes.
fn parse(text: &str, prefixes: &[&str]) -> Option<Url> {
    let is_plain = !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\');
    let has_prefix = prefixes.iter().any(|prefix| {
        let scheme = text.get(..prefix.len()).filter(|scheme| scheme.eq_ignore_ascii_case(prefix));
        scheme.is_some() && !text[prefix.len()..].starts_with('/')
    });
    (is_plain && has_prefix).then(|| Url::parse(text).ok()).flatten()
}

fn is_public_host(host: Host<&str>) -> bool {
    match host {
        Host::Domain(name) => is_public_name(name.trim_end_matches('.')),
        Host::Ipv4(address) => public_address::is_public(address.into()),
        Host::Ipv6(address) => public_address::is_public(address.into()),
    }
}

/// RFC 6761 and RFC 6762 reserve `localhost` and `local` for local use. ICANN reserves `internal` for private use, and
/// cloud providers use it for metadata services.
fn is_public_name(name: &str) -> bool {
    match name.rsplit_once('.') {
        Some((_, last)) => !["localhost", "local", "internal"].contains(&last),
        None => false,
    }
}

#[cfg(test)]
mod tests;
