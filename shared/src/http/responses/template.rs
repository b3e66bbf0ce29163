//! Message templates.

use super::members;
use crate::{
    domain::message_template::{TemplateList, TemplatePage},
    http::{ApiError, ApiResponse},
};

/// `{"success", "templates", "nextCursor"}`.
pub fn template_page(page: &TemplatePage, list: &TemplateList) -> Result<ApiResponse, ApiError> {
    let next = page.next.as_ref().map(|next| list.cursor(next));
    ApiResponse::success(&members! {"templates": page.templates, "nextCursor": next})
}
