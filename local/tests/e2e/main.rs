//! End-to-end tests: each starts a system of its own (real function binaries, API Gateway events, embedded DynamoDB,
//! simulated WhatsApp) and drives it over HTTP, as a user would.

#![allow(unreachable_pub, reason = "a test binary has no public face")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells its seed"
)]
#![allow(missing_docs, reason = "the names of tests say what they show")]

mod access;
#[cfg(target_os = "linux")]
mod auto_reply;
#[cfg(target_os = "linux")]
mod chaos;
mod contract;
mod credentials;
mod delivery;
mod erasing;
mod events;
#[cfg(target_os = "linux")]
mod faults;
mod firewall;
mod histories;
mod identity;
mod inbox;
mod inbox_cost;
mod logs;
mod messages;
mod pacing;
mod pairing;
mod permissions;
mod program;
mod receiving;
mod sending;
mod system;
mod tokens;
mod understanding;
mod walk;
mod worker;
