//! URLs in messages.

use url::{Host, Url};

use crate::domain::public_address;

/// Checks that WhatsApp can fetch a file from this URL: it uses `https`, has no credentials, and its host is not in a
/// private network, which a caller could otherwise make WhatsApp access.
///
/// # Errors
///
/// Returns what the value must be, for [`ContentError::Invalid`](super::ContentError::Invalid).
pub(super) fn check_public(text: &str) -> Result<(), String> {
    let url = parse(text, &["https"])?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL without a user name and password".to_owned());
    }
    if !url.host().is_some_and(is_public_host) {
        return Err("a URL with a public host: WhatsApp can't reach hosts in private networks".to_owned());
    }
    Ok(())
}

/// Checks that a browser can open this URL.
///
/// # Errors
///
/// As [`check_public`].
pub(super) fn check_web(text: &str) -> Result<(), String> {
    parse(text, &["https", "http"]).map(drop)
}

/// Parses a URL with one of `schemes`. Rejects what the `url` crate corrects but WhatsApp might not.
fn parse(text: &str, schemes: &[&str]) -> Result<Url, String> {
    if let Some(wrong) = text.chars().find_map(wrong_character) {
        return Err(wrong);
    }
    let has_scheme = |scheme: &&str| {
        let prefix = text.get(..scheme.len()).filter(|prefix| prefix.eq_ignore_ascii_case(scheme));
        let rest = prefix.and_then(|_| text[scheme.len()..].strip_prefix("://"));
        rest.is_some_and(|rest| !rest.starts_with('/'))
    };
    if !schemes.iter().any(has_scheme) {
        let prefixes: Vec<_> = schemes.iter().map(|scheme| format!("{scheme}://")).collect();
        return Err(format!("a URL that starts with {}", prefixes.join(" or ")));
    }
    let url = Url::parse(text).ok().filter(Url::has_host);
    url.ok_or_else(|| "a valid URL, such as https://example.com/a.png".to_owned())
}

/// Returns what the URL must be if it can't contain `c`.
fn wrong_character(c: char) -> Option<String> {
    match c {
        ' ' => Some("a URL without spaces: write a space as %20".to_owned()),
        '\t' | '\n' | '\r' => Some("a URL without line breaks and tabs".to_owned()),
        '\\' | '<' | '>' | '"' => Some(format!("a URL without the character {c}: write it as %{:02X}", u32::from(c))),
        c if c.is_whitespace() || c.is_control() || is_invisible(c) => {
            Some(format!("a URL without the invisible character U+{:04X}", u32::from(c)))
        }
        _ => None,
    }
}

/// Marks that people copy with a link without seeing them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
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
