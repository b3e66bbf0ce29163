//! Request parsing and validation, by resource.

mod api_key;
mod auto_reply;
mod change;
mod chat;
mod dry_run;
mod import;
mod media;
mod number;
mod send;
mod session;
mod stats;
mod template;
mod webhook;
mod webhook_delivery;
mod worker;

pub(super) use self::{api_key::LIST as KEY_LIST, session::LIST as SESSION_LIST};
pub use self::{
    api_key::read_key_page,
    chat::ChatQuery,
    session::{QrFormat, WorkerQr, WorkerState, read_resumed_session, read_session_page},
    webhook::{NewWebhook, read_rotation},
};

#[cfg(test)]
mod tests;
