//! Parses scanned QR codes, which contain click-to-chat links.

use percent_encoding::percent_decode_str;
use reqwest::Url;

/// What a scanned link opens.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// A chat with the number in digits, with this text.
    Chat { number: String, text: String },
    /// The chat of a QR code that a business created with the Graph API.
    Code(String),
}

/// Parses a click-to-chat link, `https://wa.me/<digits>?text=<text>` (WhatsApp Help Center, *How to use click to chat*),
/// or the link of a QR code, `https://wa.me/message/<code>` (Meta, *QR codes and short links*).
///
/// # Errors
/// Returns a sentence that describes the problem.
pub(super) fn parse(qr: &str) -> Result<Scanned, String> {
    let link = Url::parse(qr).map_err(|error| format!("qr is not a link: {error}"))?;
    if link.scheme() != "https" || link.host_str() != Some("wa.me") {
        return Err("qr is not a link to https://wa.me/".to_owned());
    }
    if let Some(code) = link.path().strip_prefix("/message/") {
        return Ok(Scanned::Code(code.to_owned()));
    }
    let number = link.path().trim_start_matches('/');
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err("qr does not contain a phone number in digits".to_owned());
    }
    let text = query_value(link.query().unwrap_or_default(), "text")
        .map_err(|()| "The text of qr is not percent-encoded UTF-8".to_owned())?
        .filter(|text| !text.is_empty())
        .ok_or("qr does not contain a text")?;
    Ok(Scanned::Chat { number: number.to_owned(), text })
}

/// Returns the first value of `key` in a query string.
///
/// # Errors
/// Returns an error if the value does not decode to UTF-8.
pub(super) fn query_value(query: &str, key: &str) -> Result<Option<String>, ()> {
    let Some(value) = query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('=')) else {
        return Ok(None);
    };
    let value = value.replace('+', " ");
    percent_decode_str(&value).decode_utf8().map(|text| Some(text.into_owned())).map_err(|_| ())
}

#[cfg(test)]
mod tests;
