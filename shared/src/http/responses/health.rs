//! The health of sessions.

use super::members;
use crate::{
    domain::health::Report,
    http::{ApiError, ApiResponse},
};

/// `{"success", "healthy", "checks"}`.
pub fn health(report: &Report) -> Result<ApiResponse, ApiError> {
    ApiResponse::success(&members! {"healthy": report.healthy, "checks": report.checks})
}
