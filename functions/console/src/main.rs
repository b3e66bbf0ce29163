//! `GET /console`: serves the console, a web page that uses the API with the credentials of its user.

use shared::{
    http::{StaticFile, StaticSite},
    runtime::{StartError, serve_static},
};

// `VERSION`, `PAGE`, `IMPORT_MAP`, and `FILES`.
include!(concat!(env!("OUT_DIR"), "/files.rs"));

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve_static(|media_origin| StaticSite::new("/console", VERSION, PAGE, IMPORT_MAP, FILES, media_origin)).await
}
