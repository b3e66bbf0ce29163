//! Changes.

use super::members;
use crate::{
    http::{ApiError, ApiResponse},
    services::changes::ChangeFeed,
};

/// `{"success", "changes", "next", "more"}`.
pub fn change_page(feed: &ChangeFeed) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(&members! {"changes": feed.changes, "next": feed.next, "more": feed.more})
}
