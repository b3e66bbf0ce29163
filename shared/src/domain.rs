//! Plain types and pure functions: business rules that know no AWS, no HTTP, and no Lambda.

pub mod auto_reply;
pub mod chat;
pub mod contact;
pub mod content;
pub mod cursor;
pub mod erasure;
pub mod id;
pub mod identity;
pub mod inbox;
pub mod message;
pub mod message_action;
pub mod number;
pub mod pacing;
pub mod page;
pub mod pairing;
pub mod public_address;
pub mod retry;
pub mod session;
pub mod system;
pub mod time;
