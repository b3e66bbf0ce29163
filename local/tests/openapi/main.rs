//! Holds `openapi.yaml`, the description of the API, against the code, its own examples, and the last release.

#![allow(unreachable_pub, reason = "a test binary has no public API")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic fails the test")]
#![allow(missing_docs, reason = "test names describe the behavior")]

mod compatibility;
mod document;
mod examples;
mod routes;
mod schemas;
