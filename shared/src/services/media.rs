//! Files of messages.

mod fetch;
mod links;

pub use fetch::Fetcher;
pub use links::{MediaLinks, MediaResponse};
