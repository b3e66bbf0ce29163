//! Texts (Meta, *Text messages*).

use serde_json::Value;

use super::param::Param;
use crate::whatsapp::graph_error::GraphError;

const MAX_CHARS: usize = 4096;

pub(super) fn check(content: &Value) -> Result<(), GraphError> {
    let text = Param::new("text".to_owned(), content, &["body", "preview_url"])?;
    if text.required_text("body")?.chars().count() > MAX_CHARS {
        return Err(GraphError::too_long(&text.path("body"), MAX_CHARS));
    }
    text.flag("preview_url")
}
