//! Use cases: what Qasid does with the domain, the store, WhatsApp, and the secrets.

pub mod api_keys;
pub mod authentication;
pub mod auto_reply;
pub mod changes;
pub mod chats;
pub mod credentials;
pub mod deliver;
pub mod erasure;
pub mod events;
pub mod export;
pub mod messages;
pub mod numbers;
pub mod public_http;
pub mod read_receipt;
pub mod receive;
pub mod resources;
pub mod rules;
pub mod self_invoker;
pub mod send;
pub mod sessions;
pub mod stream;
pub mod webhook;
pub mod webhook_client;
pub mod webhook_payload;
pub mod worker;
pub mod worker_session;
