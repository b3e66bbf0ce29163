//! Static files: the pages of the console.

use std::io::Read;

use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::read::GzDecoder;
use lambda_http::{
    Request,
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{self, InvalidHeaderValue},
    },
};
use sha2::{Digest, Sha256};

use super::{ApiError, ApiResponse};

/// Files whose URL changes with their content.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const HTML: &str = "text/html; charset=utf-8";

/// A file of a [`StaticSite`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticFile {
    /// The path below the version.
    pub path: &'static str,
    /// The media type.
    pub content_type: &'static str,
    /// The content, compressed with gzip.
    pub gzip: &'static [u8],
}

/// A page and the files that it loads: the page at `<root>`, and the files at `<root>/<version>/<path>`.
#[derive(Clone, Debug)]
pub struct StaticSite {
    root: &'static str,
    version: &'static str,
    page: &'static [u8],
    files: &'static [StaticFile],
    /// The security headers of the page.
    page_headers: Vec<(HeaderName, HeaderValue)>,
}

impl StaticSite {
    /// Creates a site. `page` is HTML, compressed with gzip, whose only inline script is the import map `import_map`. It
    /// can show files of `media_origin`, and upload files to it.
    ///
    /// # Errors
    /// If `media_origin` can't be a part of a header.
    pub fn new(
        root: &'static str,
        version: &'static str,
        page: &'static [u8],
        import_map: &str,
        files: &'static [StaticFile],
        media_origin: Option<&str>,
    ) -> Result<Self, InvalidHeaderValue> {
        let policy = HeaderValue::from_str(&content_security_policy(import_map, media_origin))?;
        let page_headers = vec![
            (header::CONTENT_SECURITY_POLICY, policy),
            (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
            (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
        ];
        Ok(Self { root, version, page, files, page_headers })
    }

    /// Responds to a `GET` or `HEAD` request.
    ///
    /// # Errors
    ///
    /// 404 for a path that isn't the page's or a file's, such as a file of another version.
    pub fn respond(&self, request: &Request) -> Result<ApiResponse, ApiError> {
        let path = request.uri().path();
        let not_found = || ApiError::path_not_found(path);
        let rest = path.strip_prefix(self.root).ok_or_else(not_found)?;
        if matches!(rest, "" | "/") {
            return compressed_response(HTML, "no-cache", self.page, self.page_headers.clone(), request.headers());
        }
        let name = rest.strip_prefix('/').and_then(|rest| rest.strip_prefix(self.version)?.strip_prefix('/'));
        let file = self.files.iter().find(|file| Some(file.path) == name).ok_or_else(not_found)?;
        compressed_response(file.content_type, IMMUTABLE, file.gzip, Vec::new(), request.headers())
    }
}

/// Returns a file, without compression for a client that doesn't accept it.
pub(super) fn compressed_response(
    content_type: &'static str,
    cache_control: &'static str,
    gzip: &'static [u8],
    mut headers: Vec<(HeaderName, HeaderValue)>,
    request: &HeaderMap,
) -> Result<ApiResponse, ApiError> {
    headers.push((header::VARY, HeaderValue::from_static("accept-encoding")));
    let body = if accepts_gzip(request) {
        headers.push((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
        gzip.to_vec()
    } else {
        let mut plain = Vec::new();
        GzDecoder::new(gzip).read_to_end(&mut plain).map_err(|error| ApiError::internal(&error))?;
        plain
    };
    Ok(ApiResponse::file(content_type, cache_control, headers, body))
}

/// Returns whether the client accepts gzip (RFC 9110, section 12.5.3). A weight of 0 refuses it.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip") && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

/// Returns the Content-Security-Policy of a page: its own scripts and styles, requests to its own origin, and images
/// that it has as data; images, sound, and uploads also of `media_origin`. Nothing else, no frames, and no strings as
/// HTML or code (Trusted Types).
fn content_security_policy(import_map: &str, media_origin: Option<&str>) -> String {
    let hash = BASE64_STANDARD.encode(Sha256::digest(import_map.as_bytes()));
    let media = media_origin.map(|origin| format!(" {origin}")).unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self' 'sha256-{hash}'; style-src 'self'; img-src 'self' data: blob:{media}; \
         media-src 'self' blob:{media}; connect-src 'self'{media}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

#[cfg(test)]
mod tests {
    use lambda_http::{Body, http::Method};

    use super::*;

    /// `<p>Hello</p>`.
    const PAGE: &[u8] = &[
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 179, 41, 176, 243, 72, 205, 201, 201, 183, 209, 47, 176, 3, 0, 231, 121, 95,
        80, 12, 0, 0, 0,
    ];
    const FILES: &[StaticFile] = &[StaticFile { path: "a/b.js", content_type: "text/javascript", gzip: PAGE }];

    const ORIGIN: &str = "https://files.s3.eu-central-1.amazonaws.com";

    fn get(path: &str, accept_encoding: Option<&'static str>) -> Result<lambda_http::Response<Body>, ApiError> {
        let site = StaticSite::new("/console", "v1", PAGE, "{}", FILES, Some(ORIGIN)).unwrap();
        let mut request = Request::default();
        *request.uri_mut() = path.parse().unwrap();
        if let Some(value) = accept_encoding {
            request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
        }
        site.respond(&request).map(|response| response.into_response(&Method::GET, "id"))
    }

    #[test]
    fn the_page_and_files_of_this_version_are_served() {
        for path in ["/console", "/console/"] {
            let page = get(path, Some("br, gzip;q=0.8")).unwrap();
            assert_eq!(page.headers()["content-type"], HTML);
            assert_eq!(page.headers()["cache-control"], "no-cache");
            assert_eq!(page.headers()["content-encoding"], "gzip");
            let policy = page.headers()["content-security-policy"].to_str().unwrap();
            assert!(policy.contains("'sha256-RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o='"), "{policy}");
        }
        let file = get("/console/v1/a/b.js", Some("gzip")).unwrap();
        assert_eq!(file.headers()["cache-control"], IMMUTABLE);
        assert_eq!(file.body().as_ref(), PAGE);
        for path in
            ["/console/v0/a/b.js", "/console/v1/", "/console/v1", "/console/v1a/b.js", "/console/v1/a", "/consolev1"]
        {
            assert!(get(path, None).is_err(), "{path}");
        }
    }

    #[test]
    fn files_are_allowed_as_images_sound_and_uploads_only() {
        let allowing = |media_origin| -> Vec<String> {
            let policy = content_security_policy("{}", media_origin);
            policy.split("; ").filter(|directive| directive.contains("https:")).map(str::to_owned).collect()
        };
        assert_eq!(allowing(None), [""; 0]);
        let expected = [
            format!("img-src 'self' data: blob: {ORIGIN}"),
            format!("media-src 'self' blob: {ORIGIN}"),
            format!("connect-src 'self' {ORIGIN}"),
        ];
        assert_eq!(allowing(Some(ORIGIN)), expected);
        assert!(StaticSite::new("/console", "v1", PAGE, "{}", FILES, Some("https://files\n")).is_err());
    }

    #[test]
    fn a_client_without_gzip_gets_the_plain_file() {
        for accepted in [None, Some("br"), Some("gzip;q=0"), Some("identity, gzip; q=0")] {
            let page = get("/console", accepted).unwrap();
            assert!(!page.headers().contains_key("content-encoding"), "{accepted:?}");
            assert_eq!(page.body().as_ref(), b"<p>Hello</p>", "{accepted:?}");
        }
    }
}
