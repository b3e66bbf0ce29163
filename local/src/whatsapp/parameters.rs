//! Parameters of Graph API requests, with the Graph API's leniency: they come from the query, a form, or a JSON body;
//! numbers and booleans are also accepted as strings, and objects and arrays as strings that contain JSON.

use serde_json::{Map, Value};

use super::{graph_error::GraphError, json};

/// The parameters of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Parameters(pub(super) Map<String, Value>);

impl Parameters {
    /// Returns the parameter; `None` if it is absent, null, or empty.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null() && *value != "")
    }

    /// Returns a string. Accepts numbers and booleans.
    pub(super) fn string(&self, name: &str) -> Result<Option<String>, GraphError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
            Some(_) => Err(GraphError::parameter(&format!("Param {name} must be a string."))),
        }
    }

    /// Returns a string that must be present.
    pub(super) fn required_string(&self, name: &str) -> Result<String, GraphError> {
        self.string(name)?.ok_or_else(|| GraphError::missing(name))
    }

    /// Checks that `messaging_product` is `whatsapp`.
    pub(super) fn require_messaging_product(&self) -> Result<(), GraphError> {
        match self.required_string("messaging_product")?.as_str() {
            "whatsapp" => Ok(()),
            _ => Err(GraphError::not_one_of("messaging_product", &["WHATSAPP"])),
        }
    }

    /// Returns a whole number, also from a string.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, GraphError> {
        let Some(text) = self.string(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| GraphError::parameter(&format!("Param {name} must be an integer.")))
    }

    /// Returns a boolean, also from `true`, `false`, `1`, or `0`.
    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, GraphError> {
        match self.string(name)?.as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(GraphError::parameter(&format!("Param {name} must be a boolean."))),
        }
    }

    /// Returns an object, also from a string that contains JSON.
    pub(super) fn object(&self, name: &str) -> Result<Option<Map<String, Value>>, GraphError> {
        match self.get(name).map(expanded) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(GraphError::parameter(&format!("Param {name} must be a JSON object."))),
        }
    }

    /// Returns an array, also from a string that contains JSON.
    pub(super) fn array(&self, name: &str) -> Result<Option<Vec<Value>>, GraphError> {
        match self.get(name).map(expanded) {
            None => Ok(None),
            Some(Value::Array(array)) => Ok(Some(array)),
            Some(_) => Err(GraphError::parameter(&format!("Param {name} must be an array."))),
        }
    }

    /// Returns the names of `fields`, such as `id,name`; `None` without the parameter.
    pub(super) fn fields(&self) -> Result<Option<Vec<String>>, GraphError> {
        let fields = self.string("fields")?;
        Ok(fields.map(|fields| split_fields(&fields).into_iter().map(str::to_owned).collect()))
    }

    /// Replaces strings that contain a JSON object or array by their content.
    pub(super) fn expand(&mut self, names: &[&str]) {
        for name in names {
            if let Some(value) = self.0.get_mut(*name) {
                *value = expanded(value);
            }
        }
    }
}

/// Returns the object or array in a string that contains one, or the value itself.
fn expanded(value: &Value) -> Value {
    let parsed = value.as_str().and_then(|text| json::parse(text.as_bytes()).ok());
    parsed.filter(|parsed: &Value| parsed.is_object() || parsed.is_array()).unwrap_or_else(|| value.clone())
}

/// Splits at the commas outside of braces and parentheses (Graph API, *Field expansion*).
fn split_fields(fields: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    let is_separator = |c: char| {
        match c {
            '{' | '(' => depth += 1,
            '}' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    };
    fields.split(is_separator).map(str::trim).filter(|field| !field.is_empty()).collect()
}

#[cfg(test)]
mod tests;
