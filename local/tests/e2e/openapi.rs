//! The description of the API that a deployment serves.

#[path = "../openapi/document.rs"]
pub mod document;
#[path = "../openapi/schemas.rs"]
pub mod schemas;

use std::io::Read as _;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::test_app::TestApp;

const PATH: &str = "/api/openapi.json";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_needs_no_key_and_is_cached() {
    let app = TestApp::start().await;
    let plain = app.anonymous("GET", PATH, &[], Vec::new()).await;
    assert_eq!((plain.status, plain.header("content-type")), (200, "application/json"));
    assert_eq!(plain.header("cache-control"), "public, max-age=3600");
    assert_eq!(plain.json["openapi"], "3.1.1");
    assert_eq!(plain.json["servers"], json!([{"url": "/"}]), "the deployment itself");
    assert!(plain.json["paths"][PATH]["get"].is_object());

    let compressed = app.anonymous("GET", PATH, &[("accept-encoding", "gzip")], Vec::new()).await;
    assert_eq!(compressed.header("content-encoding"), "gzip");
    let mut text = String::new();
    GzDecoder::new(&compressed.bytes[..]).read_to_string(&mut text).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), plain.json);

    let etag = plain.header("etag");
    let unchanged = app.anonymous("GET", PATH, &[("if-none-match", etag)], Vec::new()).await;
    assert_eq!((unchanged.status, unchanged.bytes.len(), unchanged.header("etag")), (304, 0, etag));
}
