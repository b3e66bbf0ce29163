//! Request parsing and validation, by resource.

mod auto_reply;
mod chat;
mod dry_run;
mod number;
mod send;
mod worker;
