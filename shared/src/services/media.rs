//! Files of messages.

mod fetch;
mod links;

pub use fetch::{FetchEvent, Fetcher};
pub use links::{MediaLinks, MediaResponse};
