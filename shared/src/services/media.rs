//! Files of messages.

mod fetch;
mod links;
mod uploads;

pub use fetch::Fetcher;
pub use links::{MediaLinks, MediaResponse};
pub use uploads::{MediaError, NewUpload, UploadRequest, announce, attach, location};
