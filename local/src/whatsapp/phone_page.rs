//! The phone page, `/phone`: simulated customers' phones in a browser. It uses only the `/simulator` control API.

use std::sync::LazyLock;

use axum::{
    Router,
    extract::Path,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("../../assets/phone/index.html");

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! file {
    ($name:literal, $content_type:expr) => {
        file!($name, $content_type, concat!("../../assets/phone/", $name))
    };
    ($name:literal, $content_type:expr, $path:expr) => {
        ($name, $content_type, include_str!($path))
    };
}

/// The files of the page: name, content type, and content. The console has the libraries and the texts' language.
const FILES: [(&str, &str, &str); 20] = [
    file!("api.js", SCRIPT),
    file!("app.js", SCRIPT),
    file!("attach.js", SCRIPT),
    file!("bubble.js", SCRIPT),
    file!("composer.js", SCRIPT),
    file!("faults.js", SCRIPT),
    file!("i18n.js", SCRIPT, "../../../functions/console/assets/i18n.js"),
    file!("icon.svg", "image/svg+xml"),
    file!("ogg.js", SCRIPT),
    file!("phone.css", "text/css; charset=utf-8"),
    file!("scan.js", SCRIPT),
    file!("settings.js", SCRIPT),
    file!("strings.js", SCRIPT),
    file!("text.js", SCRIPT),
    file!("thread.js", SCRIPT),
    file!("ui.js", SCRIPT),
    file!("vendor/hooks.js", SCRIPT, "../../../functions/console/assets/vendor/hooks.js"),
    file!("vendor/htm.js", SCRIPT, "../../../functions/console/assets/vendor/htm.js"),
    file!("vendor/preact.js", SCRIPT, "../../../functions/console/assets/vendor/preact.js"),
    file!("voice.js", SCRIPT),
];

/// Allows only the files of this server, and the page's import map by its hash.
static CONTENT_SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let import_map = PAGE.split_once("<script type=\"importmap\">").and_then(|(_, rest)| rest.split_once("</script>"));
    let hash = STANDARD.encode(Sha256::digest(import_map.map_or("", |(map, _)| map)));
    format!(
        "default-src 'none'; script-src 'self' 'sha256-{hash}'; style-src 'self'; img-src 'self' data: blob:; \
         media-src 'self' blob:; connect-src 'self'; font-src 'none'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
});

pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/phone", get(page)).route("/phone/", get(page)).route("/phone/{*name}", get(file))
}

async fn page() -> Response {
    response("text/html; charset=utf-8", PAGE)
}

async fn file(Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some((_, content_type, content)) => response(content_type, content),
        None => (StatusCode::NOT_FOUND, format!("No such file: {name}")).into_response(),
    }
}

fn response(content_type: &'static str, content: &'static str) -> Response {
    let mut response = content.into_response();
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_TYPE, content_type);
    set(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY.as_str());
    // The files of another build are used at once.
    set(header::CACHE_CONTROL, "no-cache");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    response
}
