//! Request parsing and validation, by resource.

mod auto_reply;
mod chat;
mod number;
