//! URLs of outgoing webhooks: public `https` addresses. A name is resolved, and its addresses are checked, at each
//! connection, because they can change.

use std::{fmt, net::Ipv4Addr};

use url::{Host, Url};

use super::public_address::is_public_host;

/// The maximum length of a URL, in bytes.
pub const URL_LIMIT: usize = 2048;

/// Names that are never public, and those below them (RFC 6761, RFC 6762, and ICANN resolution 2024.07.29.06).
const PRIVATE_NAMES: [&str; 3] = ["localhost", "local", "internal"];

/// The URL of a webhook, in the form that is requested. It can contain a secret, so it has no [`fmt::Display`], and its
/// [`fmt::Debug`] leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(Url);

/// Why a text isn't the URL of a webhook, as the part of a sentence after the name of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum WebhookUrlError {
    #[error("must have at most {URL_LIMIT} bytes")]
    Length,
    #[error("must be a public https address, such as https://example.com/webhooks")]
    Scheme,
    #[error("must not contain a user name or password: use a header of the webhook instead")]
    Credentials,
    #[error("must not have a fragment (#)")]
    Fragment,
    #[error("must have a valid domain name or a public IP address")]
    Host,
    #[error("must lead to a public address, not to a local or private one")]
    NotPublic,
}

impl WebhookUrl {
    /// Parses and normalizes a URL. `allow_local` also allows `http://127.0.0.1`, for a local run.
    ///
    /// # Errors
    /// If the URL isn't a public `https` address, or has credentials or a fragment.
    pub fn parse(text: &str, allow_local: bool) -> Result<Self, WebhookUrlError> {
        if text.len() > URL_LIMIT {
            return Err(WebhookUrlError::Length);
        }
        let url = Url::parse(text).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => WebhookUrlError::Scheme,
            _ => WebhookUrlError::Host,
        })?;
        let is_local = url.scheme() == "http" && url.host() == Some(Host::Ipv4(Ipv4Addr::LOCALHOST));
        let is_local = is_local && allow_local;
        if url.scheme() != "https" && !is_local {
            return Err(WebhookUrlError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(WebhookUrlError::Credentials);
        }
        if url.fragment().is_some() {
            return Err(WebhookUrlError::Fragment);
        }
        if !is_local {
            check_host(url.host().ok_or(WebhookUrlError::Host)?)?;
        }
        // Percent-encoding and Punycode lengthen it.
        if url.as_str().len() > URL_LIMIT {
            return Err(WebhookUrlError::Length);
        }
        Ok(Self(url))
    }

    /// Returns the normalized text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the host: a name in ASCII, or an IP address.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Returns the URL with more query parameters.
    #[must_use]
    pub fn with_query(&self, parameters: &[(&str, &str)]) -> Self {
        let mut url = self.0.clone();
        url.query_pairs_mut().extend_pairs(parameters);
        Self(url)
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookUrl")
    }
}

fn check_host(host: Host<&str>) -> Result<(), WebhookUrlError> {
    if !is_public_host(&host) {
        return Err(WebhookUrlError::NotPublic);
    }
    let Host::Domain(name) = host else { return Ok(()) };
    let name = name.strip_suffix('.').unwrap_or(name);
    let (parent, top) = name.rsplit_once('.').unwrap_or(("", name));
    if PRIVATE_NAMES.contains(&top) || parent.is_empty() {
        return Err(WebhookUrlError::NotPublic);
    }
    // RFC 1035, section 2.3.4. Underscores are common in names of internal gateways with a public DNS entry.
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_name = name.len() <= 253 && name.split('.').all(is_label);
    is_name.then_some(()).ok_or(WebhookUrlError::Host)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> Option<WebhookUrlError> {
        WebhookUrl::parse(text, false).err()
    }

    #[test]
    fn public_https_urls_are_normalized() {
        for (text, expected) in [
            ("https://example.com", "https://example.com/"),
            ("https://example.com:8443/hooks?key=1&b", "https://example.com:8443/hooks?key=1&b"),
            ("HTTPS://Example.COM:443/Hooks", "https://example.com/Hooks"),
            ("https://example.com./hooks", "https://example.com./hooks"),
            ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
            ("https://8.8.8.8/hooks", "https://8.8.8.8/hooks"),
            ("https://[2606:4700::1111]:444/", "https://[2606:4700::1111]:444/"),
            ("https://my_hook.example.com/", "https://my_hook.example.com/"),
        ] {
            assert_eq!(WebhookUrl::parse(text, false).unwrap().as_str(), expected, "{text}");
        }
    }

    #[test]
    fn other_urls_are_refused_with_their_reason() {
        use WebhookUrlError::{Credentials, Fragment, Host, Length, NotPublic, Scheme};
        let long = format!("https://example.com/{}", "a".repeat(URL_LIMIT));
        let long_when_encoded = format!("https://example.com/{}", "ä".repeat(500));
        let long_label = format!("https://{}.example/", "a".repeat(64));
        let long_name = format!("https://{}example/", "a.".repeat(124));
        for (text, expected) in [
            ("", Scheme),
            ("example.com/hooks", Scheme),
            ("//example.com/hooks", Scheme),
            ("http://example.com/", Scheme),
            ("http://127.0.0.1:8080/", Scheme),
            ("ftp://example.com/", Scheme),
            ("file:///etc/passwd", Scheme),
            ("javascript:alert(1)", Scheme),
            ("https://user@example.com/", Credentials),
            ("https://:password@example.com/", Credentials),
            ("https://8.8.8.8:80@example.com/", Credentials),
            ("https://example.com/#", Fragment),
            ("https://example.com/#part", Fragment),
            ("https://", Host),
            ("https://exa mple.com/", Host),
            ("https://example.com:65536/", Host),
            ("https://a..example/", Host),
            ("https://.example.com/", Host),
            ("https://a!b.example/", Host),
            ("https://256.256.256.256/", Host),
            (&long_label, Host),
            (&long_name, Host),
            ("https://localhost/", NotPublic),
            ("https://LOCALHOST.:8080/", NotPublic),
            ("https://app.localhost/", NotPublic),
            ("https://printer.local/", NotPublic),
            ("https://instance-data.ec2.internal./", NotPublic),
            ("https://metadata.google.internal/", NotPublic),
            ("https://intranet/", NotPublic),
            ("https://127.0.0.1/", NotPublic),
            ("https://127.1/", NotPublic),
            ("https://2130706433/", NotPublic),
            ("https://0x7f000001/", NotPublic),
            ("https://017700000001/", NotPublic),
            ("https://①②⑦.0.0.1/", NotPublic),
            ("https://0.0.0.0/", NotPublic),
            ("https://10.0.0.1/", NotPublic),
            ("https://100.64.0.1/", NotPublic),
            ("https://169.254.169.254/latest/meta-data", NotPublic),
            ("https://169.254.169.254./latest/meta-data", NotPublic),
            ("https://172.16.0.1/", NotPublic),
            ("https://192.168.0.1/", NotPublic),
            ("https://[::1]/", NotPublic),
            ("https://[::ffff:10.0.0.1]/", NotPublic),
            ("https://[::ffff:a9fe:a9fe]/", NotPublic),
            ("https://[fd00:ec2::254]/latest/meta-data", NotPublic),
            ("https://[fe80::1]/", NotPublic),
            (&long, Length),
            (&long_when_encoded, Length),
        ] {
            assert_eq!(refusal(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_local_run_allows_http_for_127_0_0_1_only() {
        let local = |text| WebhookUrl::parse(text, true).is_ok();
        assert!(local("http://127.0.0.1:8080/hooks") && local("https://example.com/"));
        for other in [
            "http://localhost:8080/",
            "http://127.0.0.2/",
            "http://[::1]/",
            "http://10.0.0.1/",
            "http://8.8.8.8/",
            "http://example.com/",
            "http://user@127.0.0.1/",
            "https://127.0.0.1/",
            "https://localhost/",
        ] {
            assert!(!local(other), "{other}");
        }
    }

    #[test]
    fn query_parameters_are_added_to_those_of_the_url() {
        let url = WebhookUrl::parse("https://example.com/?key=1", false).unwrap();
        let url = url.with_query(&[("hub.mode", "subscribe"), ("hub.verify_token", "a b&c=ü")]);
        assert_eq!(url.as_str(), "https://example.com/?key=1&hub.mode=subscribe&hub.verify_token=a+b%26c%3D%C3%BC");
    }

    #[test]
    fn the_debug_text_has_no_part_of_the_url() {
        let url = WebhookUrl::parse("https://example.com/secret", false).unwrap();
        assert_eq!(format!("{url:?}"), "WebhookUrl");
    }

    proptest! {
        #[test]
        fn a_normalized_url_is_its_own_normal_form(host in "[a-zäA-Z0-9_.-]{1,20}", rest in "[^#]{0,40}") {
            if let Ok(url) = WebhookUrl::parse(&format!("https://{host}/{rest}"), false) {
                prop_assert_eq!(WebhookUrl::parse(url.as_str(), false), Ok(url));
            }
        }
    }
}
