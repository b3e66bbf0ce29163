//! End-to-end tests. Each starts its own deployment (real function binaries, API Gateway events, embedded DynamoDB,
//! simulated WhatsApp) and drives it over HTTP.

#![allow(unreachable_pub, reason = "a test binary has no public API")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and prints its seed"
)]
#![allow(missing_docs, reason = "test names describe the behavior")]

mod authentication;
#[cfg(target_os = "linux")]
mod auto_reply;
mod change_feed;
mod changes;
#[cfg(target_os = "linux")]
mod chaos;
mod cli;
#[cfg(target_os = "linux")]
mod consent;
mod console;
mod contact_merging;
mod contacts;
mod contract;
mod credentials;
mod delivery;
mod edge_values;
mod erasure;
mod events;
mod fault_session;
mod firewall;
#[cfg(target_os = "linux")]
mod function_failures;
mod health;
mod http_edges;
mod identity;
mod import_cli;
mod import_messages;
mod inbound;
mod inbox;
mod inbox_cost;
mod jwt;
mod log_level;
mod log_redaction;
mod media;
mod media_chaos;
mod media_erasure;
mod media_send;
mod message_lookup;
mod openapi;
mod outbound;
mod pairing;
mod permissions;
mod phone_numbers;
mod phones;
mod priorities;
mod rate_limit;
mod receiver;
mod sending;
mod sessions;
mod stats;
mod templates;
mod tenancy;
mod test_app;
mod update_cost;
mod webhook_chaos;
mod webhook_delivery;
mod webhook_edges;
mod webhook_endpoints;
mod webhook_robustness;
mod webhook_routes;
mod webhook_updates;
mod worker;
mod worker_receive;
