//! Links that contain a phone number.

use percent_encoding::percent_decode_str;

use super::AddressError;

/// Returns the phone number of a `tel:` or `whatsapp:` link, or of a link that opens a chat in WhatsApp, as the link
/// contains it. `None` if the text isn't a link.
///
/// # Errors
///
/// [`AddressError::Link`] for a link without a phone number.
pub(super) fn number(text: &str) -> Result<Option<String>, AddressError> {
    let lower = text.to_ascii_lowercase();
    let rest = |start: usize| text.get(start..).unwrap_or_default();
    let found = if lower.starts_with("tel:") {
        let number = rest(4);
        // RFC 3966: the context of a local number is its prefix.
        match number.split_once(";phone-context=") {
            Some((local, context)) if context.starts_with('+') => Some(format!("{context}{local}")),
            _ => Some(number.to_owned()),
        }
    } else if lower.starts_with("whatsapp://") {
        phone_parameter(rest(11))
    } else if lower.starts_with("whatsapp:") {
        Some(rest(9).to_owned())
    } else {
        let scheme = ["https://", "http://", ""].into_iter().find(|scheme| lower.starts_with(scheme));
        let address = rest(scheme.map_or(0, str::len));
        let (host, path) = address.split_once(['/', '?']).unwrap_or((address, ""));
        let host = host.to_ascii_lowercase();
        match host.strip_prefix("www.").unwrap_or(&host) {
            "wa.me" => path.split(['/', '?', '#']).next().map(str::to_owned),
            "api.whatsapp.com" | "web.whatsapp.com" | "whatsapp.com" => phone_parameter(path),
            _ if scheme.is_some_and(|scheme| !scheme.is_empty()) || host.ends_with(".whatsapp.com") => None,
            _ => return Ok(None),
        }
    };
    let number = found.map(|number| percent_decode_str(&number).decode_utf8_lossy().trim().to_owned());
    number.filter(|number| number.chars().any(char::is_numeric)).map(Some).ok_or(AddressError::Link)
}

/// Returns the query parameter `phone`.
fn phone_parameter(path: &str) -> Option<String> {
    let query = path.split_once('?').map_or(path, |(_, query)| query);
    query.split(['&', '#']).find_map(|pair| pair.strip_prefix("phone=")).map(str::to_owned)
}
