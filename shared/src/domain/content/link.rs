//! Addresses on the web that a message names.

use url::{Host, Url};

use crate::domain::public_address;

/// Whether WhatsApp can fetch a file from here: `https`, without credentials, and not an address inside of some
/// network, which WhatsApp would be asked to reach into.
pub(super) fn is_public(text: &str) -> bool {
    let Some(url) = parse(text, &["https://"]) else { return false };
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    !has_credentials && url.host().is_some_and(is_public_host)
}

/// Whether a browser can open it.
pub(super) fn is_web(text: &str) -> bool {
    parse(text, &["https://", "http://"]).is_some_and(|url| url.has_host())
}

/// A URL reader repairs what WhatsApp may not: blanks, line breaks, backslashes, slashes too many or too few.
fn parse(text: &str, starts: &[&str]) -> Option<Url> {
    let is_plain = !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\');
    let starts_well = starts.iter().any(|start| {
        let scheme = text.get(..start.len()).filter(|scheme| scheme.eq_ignore_ascii_case(start));
        scheme.is_some() && !text[start.len()..].starts_with('/')
    });
    (is_plain && starts_well).then(|| Url::parse(text).ok()).flatten()
}

fn is_public_host(host: Host<&str>) -> bool {
    match host {
        Host::Domain(name) => is_public_name(name.trim_end_matches('.')),
        Host::Ipv4(address) => public_address::is_public(address.into()),
        Host::Ipv6(address) => public_address::is_public(address.into()),
    }
}

/// RFC 6761 and RFC 6762 keep `localhost` and `local` for what is near; ICANN's board keeps `internal` for private use,
/// and clouds name their metadata services in it.
fn is_public_name(name: &str) -> bool {
    match name.rsplit_once('.') {
        Some((_, last)) => !["localhost", "local", "internal"].contains(&last),
        None => false,
    }
}

#[cfg(test)]
mod tests;
