//! `template.yaml` as the local run needs it: parameters applied, intrinsic functions evaluated, and every property
//! either honoured, known to have no meaning on a laptop, or an error that names it.

mod document;
mod events;
mod function;
mod globals;
mod http_api;
mod intrinsics;
mod model;
mod parameters;
mod policies;
mod stand_in;
mod table;
mod values;
mod yaml;

use std::collections::BTreeMap;
use std::path::Path;

pub use model::*;

/// Why a template cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file cannot be read.
    #[error("cannot be read")]
    Read(#[source] std::io::Error),
    /// It is no YAML.
    #[error("is not valid YAML")]
    Yaml(#[from] saphyr::ScanError),
    /// It says something that is wrong, or that a local run cannot do.
    #[error("{}{problem}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
    Invalid {
        /// Where, as `Resources.Table.Properties.KeySchema`.
        path: String,
        /// What.
        problem: String,
    },
}

impl TemplateError {
    fn at(path: impl Into<String>, problem: impl Into<String>) -> TemplateError {
        TemplateError::Invalid { path: path.into(), problem: problem.into() }
    }
}

impl Template {
    /// Reads and evaluates the template at `path`. `parameters` replace the template's defaults.
    ///
    /// # Errors
    /// As [`Template::parse`], and when the file cannot be read.
    pub fn load(path: &Path, parameters: &BTreeMap<String, String>) -> Result<Template, TemplateError> {
        let text = std::fs::read_to_string(path).map_err(TemplateError::Read)?;
        Template::parse(&text, parameters)
    }

    /// Evaluates a template's text. `parameters` replace the template's defaults.
    ///
    /// # Errors
    /// When the text is no YAML, when the template contradicts itself or a parameter, and when it asks for something
    /// that a local run can neither do nor leave out.
    pub fn parse(text: &str, parameters: &BTreeMap<String, String>) -> Result<Template, TemplateError> {
        document::evaluate(yaml::parse(text)?, parameters)
    }
}
