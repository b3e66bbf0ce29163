//! A static document that clients cache and revalidate: the description of the API.

use lambda_http::http::{HeaderMap, HeaderValue, header};

use super::{ApiError, ApiResponse, static_site::compressed_response};

/// How long caches keep the document: after a deployment, clients see the new one within an hour.
const CACHE_CONTROL: &str = "public, max-age=3600";

/// A document at one URL.
#[derive(Clone, Copy, Debug)]
pub struct StaticDocument {
    /// The media type.
    pub content_type: &'static str,
    /// The entity tag, which changes with the content. It must be weak, because clients get the document with and without
    /// compression.
    pub etag: &'static str,
    /// The content, compressed with gzip.
    pub gzip: &'static [u8],
}

impl StaticDocument {
    /// Responds to a `GET` or `HEAD` request with these headers: 304 if the client has the document (RFC 9110, section
    /// 13.1.2).
    ///
    /// # Errors
    ///
    /// 500 if the document isn't gzip.
    pub fn respond(&self, request: &HeaderMap) -> Result<ApiResponse, ApiError> {
        let headers = vec![(header::ETAG, HeaderValue::from_static(self.etag))];
        if self.is_cached(request) {
            return Ok(ApiResponse::not_modified(self.content_type, CACHE_CONTROL, headers));
        }
        compressed_response(self.content_type, CACHE_CONTROL, self.gzip, headers, request)
    }

    fn is_cached(&self, request: &HeaderMap) -> bool {
        let values = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        values
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .any(|tag| tag == "*" || opaque(tag) == opaque(self.etag))
    }
}

/// Returns an entity tag without its mark of weakness, which the comparison ignores.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use lambda_http::{Body, Response, http::Method};

    use super::*;

    /// `<p>Hello</p>`.
    const GZIP: &[u8] = &[
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 179, 41, 176, 243, 72, 205, 201, 201, 183, 209, 47, 176, 3, 0, 231, 121, 95,
        80, 12, 0, 0, 0,
    ];
    const DOCUMENT: StaticDocument = StaticDocument { content_type: "text/html", etag: "W/\"v1\"", gzip: GZIP };

    fn get(headers: &[(header::HeaderName, &'static str)]) -> Response<Body> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        DOCUMENT.respond(&headers).unwrap().into_response(&Method::GET, "id")
    }

    #[test]
    fn the_document_may_be_cached() {
        let response = get(&[]);
        assert_eq!((response.status().as_u16(), response.body().as_ref()), (200, b"<p>Hello</p>".as_slice()));
        assert_eq!(response.headers()["cache-control"], CACHE_CONTROL);
        assert_eq!(response.headers()["etag"], "W/\"v1\"");
        let response = get(&[(header::ACCEPT_ENCODING, "gzip"), (header::IF_NONE_MATCH, "\"v0\"")]);
        assert_eq!((response.status().as_u16(), response.body().as_ref()), (200, GZIP));
        assert_eq!(response.headers()["vary"], "accept-encoding");
    }

    #[test]
    fn a_client_that_has_the_document_gets_304() {
        for tags in ["W/\"v1\"", "\"v1\"", "\"v0\", W/\"v1\"", "*"] {
            let response = get(&[(header::IF_NONE_MATCH, tags)]);
            assert_eq!((response.status().as_u16(), response.body().as_ref()), (304, b"".as_slice()), "{tags}");
            assert_eq!(response.headers()["etag"], "W/\"v1\"", "{tags}");
            assert_eq!(response.headers()["cache-control"], CACHE_CONTROL, "{tags}");
        }
    }
}
