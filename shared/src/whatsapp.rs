//! The WhatsApp Cloud API: what it sends us and what we send it.

mod client;
mod errors;
mod send;
mod signature;
mod webhook;

pub use client::{CloudApi, Posted, Problem, TIMEOUT};
pub use errors::{Meaning, WhatsAppError};
pub use send::send_request;
pub use signature::is_signed;
pub use webhook::{Event, NotJson, Received, Sender, Told, Update, updates};
