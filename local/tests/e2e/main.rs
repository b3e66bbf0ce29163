//! End-to-end tests: each starts a system of its own (real function binaries, API Gateway events, embedded DynamoDB,
//! simulated WhatsApp) and drives it over HTTP, as a user would.

#![allow(unreachable_pub, reason = "a test binary has no public face")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(missing_docs, reason = "the names of tests say what they show")]

mod contract;
mod events;
#[cfg(target_os = "linux")]
mod faults;
mod pairing;
mod program;
mod receiving;
mod sending;
mod system;
