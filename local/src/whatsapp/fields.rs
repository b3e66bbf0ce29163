//! The fields of Graph API objects (Graph API, *Field expansion*).

use serde_json::{Map, Value};

use super::graph_error::GraphError;

/// Returns the chosen fields of an object, and always those in `always`. Without a choice, returns all fields. Omits
/// fields that are null, as the Graph API does. Ignores the modifiers of a field, as in `qr_image_url.format(SVG)`.
///
/// # Errors
/// Returns an error for a field that the object of this type doesn't have.
pub(super) fn choose(
    all: &Value,
    fields: Option<&[String]>,
    always: &[&str],
    node_type: &str,
) -> Result<Value, GraphError> {
    let name = |field: &'_ String| field.split(['.', '{', '(']).next().unwrap_or_default().to_owned();
    let chosen: Option<Vec<String>> = fields.map(|fields| fields.iter().map(name).collect());
    if let Some(unknown) = chosen.iter().flatten().find(|field| all.get(field.as_str()).is_none()) {
        return Err(nonexisting(unknown, node_type));
    }
    let is_chosen = |name: &str| {
        always.contains(&name) || chosen.as_ref().is_none_or(|chosen| chosen.iter().any(|field| field == name))
    };
    let members = all.as_object().into_iter().flatten();
    let members = members.filter(|(name, value)| !value.is_null() && is_chosen(name));
    Ok(Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>()))
}

/// The error for a field or edge that objects of a type don't have.
pub(super) fn nonexisting(field: &str, node_type: &str) -> GraphError {
    GraphError::parameter(&format!("Tried accessing nonexisting field ({field}) on node type ({node_type})"))
}

#[cfg(test)]
mod tests;
