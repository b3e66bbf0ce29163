//! Files of messages.

mod links;

pub use links::{MediaLinks, MediaResponse};
