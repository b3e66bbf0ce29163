//! The console's page and its files, as a browser loads them: without a key.

use std::{collections::BTreeSet, io::Read as _};

use flate2::read::GzDecoder;
use regex_lite::Regex;
use shared::http::Method;

use crate::test_app::{Response, TestApp};

const GZIP: &[(&str, &str)] = &[("accept-encoding", "gzip, deflate, br, zstd")];

async fn load(app: &TestApp, path: &str) -> (Response, String) {
    let response = app.anonymous("GET", path, GZIP, Vec::new()).await;
    assert_eq!(response.status, 200, "{path}");
    assert_eq!(response.headers["content-encoding"], "gzip", "{path}");
    assert_eq!(response.headers["x-content-type-options"], "nosniff", "{path}");
    let mut text = String::new();
    GzDecoder::new(&response.bytes[..]).read_to_string(&mut text).unwrap();
    (response, text)
}

/// Returns the URL that `reference` in the file at `path` stands for, resolved as browsers do, or `None` for the name of
/// a package, which the import map has.
fn resolve(path: &str, reference: &str) -> Option<String> {
    let base = reqwest::Url::parse("http://console").unwrap().join(path).unwrap();
    (reference.starts_with(['.', '/'])).then(|| base.join(reference).unwrap().path().to_owned())
}

/// Returns the files that a page, module, or import map names.
fn references(text: &str) -> Vec<String> {
    let pattern = r#"(?:href=|src=|from |import |import\(|":)"([^"]+\.(?:js|css|svg))""#;
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_file_that_the_page_and_its_modules_name_is_served() {
    let app = TestApp::start().await;
    let (page, html) = load(&app, "/console").await;
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(page.headers["cache-control"], "no-cache");
    let mut open: Vec<String> = references(&html);
    let mut seen = BTreeSet::new();
    while let Some(path) = open.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let (file, text) = load(&app, &path).await;
        assert_eq!(file.headers["cache-control"], "public, max-age=31536000, immutable", "{path}");
        let types =
            [(".js", "text/javascript; charset=utf-8"), (".css", "text/css; charset=utf-8"), (".svg", "image/svg+xml")];
        let (_, expected) = types.into_iter().find(|(extension, _)| path.ends_with(extension)).unwrap();
        assert_eq!(file.headers["content-type"], expected, "{path}");
        open.extend(references(&text).iter().filter_map(|reference| resolve(&path, reference)));
    }
    let names: BTreeSet<&str> = seen.iter().filter_map(|path| path.splitn(4, '/').last()).collect();
    for expected in ["app.js", "styles.css", "icon.svg", "vendor/preact.js", "screens/inbox.js"] {
        assert!(names.contains(expected), "{expected} of {names:?}");
    }
    // The license texts and the types for the type checker are in the repository only.
    let folder = html.split("/styles.css").next().unwrap().rsplit('"').next().unwrap();
    for absent in ["vendor/LICENSES.txt", "vendor/README.md", "types.d.ts", "index.html", "styles/_base.css", ""] {
        let response = app.anonymous("GET", &format!("{folder}/{absent}"), &[], Vec::new()).await;
        assert_eq!((response.status, &response.json["code"]), (404, &"path_not_found".into()), "{absent}");
        assert_eq!(response.headers["cache-control"], "no-store", "{absent}");
    }
}

/// The page can't be framed, runs its own scripts only, and sends requests only to its own origin and to the bucket with
/// the files of messages.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_locked_down() {
    let app = TestApp::start().await;
    let (page, _) = load(&app, "/console/").await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    let directives: BTreeSet<&str> = policy.split("; ").collect();
    let bucket = &app.ready.s3;
    for expected in [
        "default-src 'none'",
        "style-src 'self'",
        &format!("img-src 'self' data: blob: {bucket}"),
        &format!("media-src 'self' blob: {bucket}"),
        &format!("connect-src 'self' {bucket}"),
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(directives.contains(expected), "{expected} of {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(policy.matches(bucket).count(), 3, "{policy}");
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_only_read() {
    let app = TestApp::start().await;
    let plain = app.anonymous("GET", "/console", &[], Vec::new()).await;
    assert!(!plain.headers.contains_key("content-encoding"));
    assert!(plain.bytes.starts_with(b"<!doctype html>"), "{plain:?}");
    let head = app.anonymous("HEAD", "/console", &[], Vec::new()).await;
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        for path in ["/console", "/console/0/app.js"] {
            let response = app.request(method.as_str(), path, &[], Vec::new()).await;
            assert_eq!(
                (response.status, &response.json["code"]),
                (405, &"method_not_allowed".into()),
                "{method} {path}"
            );
            assert_eq!(response.headers["allow"], "GET, HEAD", "{method} {path}");
        }
    }
}
