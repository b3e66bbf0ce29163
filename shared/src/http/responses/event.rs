//! Account events.

use serde_json::json;

use crate::{
    domain::page::Page,
    http::{ApiError, ApiResponse},
    services::resources::EventResponse,
    store::StoredEvent,
};

/// `{"success", "events", "nextCursor"}`.
pub fn event_page(page: Page<StoredEvent>, list: &str) -> Result<ApiResponse, ApiError> {
    let events: Vec<EventResponse> = page.items.into_iter().map(EventResponse::from).collect();
    ApiResponse::success(&json!({"events": events, "nextCursor": page.next.map(|next| next.cursor(list))}))
}
