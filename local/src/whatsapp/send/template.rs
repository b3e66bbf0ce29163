//! The shape of templates (Meta, *Template messages*). Their content depends on the template.

use serde_json::Value;

use super::param::Param;
use crate::whatsapp::graph_error::GraphError;

pub(super) fn check(content: &Value) -> Result<(), GraphError> {
    let template = Param::new("template".to_owned(), content, &["name", "language", "components"])?;
    template.required_text("name")?;
    let language = template.required_object("language", &["code", "policy"])?;
    language.required_text("code")?;
    language.optional_word("policy", &["deterministic"])?;
    let known = ["type", "sub_type", "index", "parameters", "cards"];
    template.list("components", &known)?.iter().try_for_each(|component| component.required_text("type").map(drop))
}
