//! Use cases: what Qasid does with the domain, the store, WhatsApp, and the secrets.

pub mod auto_reply;
pub mod credentials;
pub mod deliver;
pub mod export;
pub mod read_receipt;
pub mod receive;
pub mod self_invoker;
pub mod send;
pub mod worker;
