//! The WhatsApp Cloud API: what it sends us and what we send it.

mod client;
mod errors;
mod send;
mod signature;
mod webhook;

pub use client::{CloudApi, SendError, SendResult, TIMEOUT};
pub use send::send_request;
pub use signature::is_signed;
pub use webhook::{ContactUpdate, NotJson, Received, Sender, Update, updates};
