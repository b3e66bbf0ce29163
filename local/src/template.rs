//! Reads `template.yaml` for the local run: applies parameters and evaluates intrinsic functions. Accepts a property only
//! if the local run supports it or it has no effect locally. Any other property is an error that names it.

mod bucket;
mod document;
mod events;
mod function;
mod globals;
mod http_api;
mod intrinsics;
mod model;
mod parameters;
mod policies;
mod return_values;
mod table;
mod values;
mod yaml;

use std::{collections::BTreeMap, path::Path};

pub use model::*;

/// An error in a template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file cannot be read.
    #[error("cannot be read")]
    Read(#[source] std::io::Error),
    /// The text is not valid YAML.
    #[error("is not valid YAML")]
    Yaml(#[from] saphyr::ScanError),
    /// A value is invalid, or the local run does not support it.
    #[error("{}{problem}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
    Invalid {
        /// The location of the value, such as `Resources.Table.Properties.KeySchema`.
        path: String,
        /// The problem, without the location.
        problem: String,
    },
}

impl TemplateError {
    fn at(path: impl Into<String>, problem: impl Into<String>) -> TemplateError {
        TemplateError::Invalid { path: path.into(), problem: problem.into() }
    }
}

impl Template {
    /// Reads and evaluates the template at `path`. `parameters` override the template's defaults.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Read`] if the file cannot be read, and the errors of [`Template::parse`].
    pub fn load(path: &Path, parameters: &BTreeMap<String, String>) -> Result<Template, TemplateError> {
        let text = std::fs::read_to_string(path).map_err(TemplateError::Read)?;
        Template::parse(&text, parameters)
    }

    /// Evaluates the text of a template. `parameters` override the template's defaults.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not valid YAML, if the template or a parameter is invalid, or if the template
    /// uses a feature that the local run neither supports nor can ignore.
    pub fn parse(text: &str, parameters: &BTreeMap<String, String>) -> Result<Template, TemplateError> {
        document::evaluate(yaml::parse(text)?, parameters)
    }
}

#[cfg(test)]
mod tests;
