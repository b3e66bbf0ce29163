//! The review of new and edited templates (Meta, *Template review*, common rejection reasons).

use serde_json::{Value, json};

use super::{Category, ParameterFormat, Template, text};

/// Why a template is rejected, in the format of the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    pub(super) reason: &'static str,
    /// An explanation and a recommendation; only with `INVALID_FORMAT`.
    details: Option<(&'static str, &'static str)>,
}

/// The reasons of the webhook.
const REASONS: [&str; 6] =
    ["ABUSIVE_CONTENT", "INCORRECT_CATEGORY", "INVALID_FORMAT", "PROMOTIONAL", "SCAM", "TAG_CONTENT_MISMATCH"];

/// Reviews the format of a template. Nothing here judges its content, except that another template must not have it.
pub(super) fn review(template: &Template, others: &[&Template]) -> Result<(), Rejection> {
    let texts = ["HEADER", "BODY"].into_iter().filter_map(|kind| template.text_of(kind));
    for text in texts {
        if let Some(details) = format_error(text, template.parameter_format) {
            return Err(Rejection { reason: "INVALID_FORMAT", details: Some(details) });
        }
    }
    let content = |template: &Template| json!([template.text_of("BODY"), template.text_of("FOOTER")]);
    let is_duplicate = |other: &&&Template| other.language == template.language && content(other) == content(template);
    if template.category != Category::Authentication && others.iter().any(|other| is_duplicate(&other)) {
        let explanation = "Your template has the same body and footer as another template.";
        let recommendation = "Change the body or the footer, or use the other template.";
        return Err(Rejection { reason: "INVALID_FORMAT", details: Some((explanation, recommendation)) });
    }
    Ok(())
}

/// Returns what is wrong with the parameters of a text, and what to do.
fn format_error(text: &str, format: ParameterFormat) -> Option<(&'static str, &'static str)> {
    if text.matches("{{").count() != text.matches("}}").count() {
        return Some((
            "Your template has parameters with missing or mismatched curly braces.",
            "Write a parameter in double curly braces, such as {{1}}.",
        ));
    }
    if text::has_adjacent_placeholders(text) {
        return Some((
            "Your template has parameters placed next to each other (like {{1}}{{2}}) without text or punctuation \
             between them.",
            "Separate parameters with descriptive text and ensure each parameter is clearly contextualized.",
        ));
    }
    let names = text::placeholders(text);
    match format {
        ParameterFormat::Positional if names.iter().zip(1..).any(|(name, index)| *name != index.to_string()) => Some((
            "Your template has parameters that are not sequential numbers from 1.",
            "Number the parameters {{1}}, {{2}}, and so on, or create the template with parameter_format NAMED.",
        )),
        ParameterFormat::Named if names.iter().any(|name| !is_name(name)) => Some((
            "Your template has parameters with invalid names.",
            "Use lowercase letters and underscores for the names of parameters.",
        )),
        _ => None,
    }
}

/// A name has lowercase letters and underscores (Meta, *Templates*, named parameters). Meta also accepts digits.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

impl Rejection {
    /// Creates a rejection without details. Returns a sentence for an unknown reason.
    pub(super) fn with_reason(reason: &str) -> Result<Rejection, String> {
        let known = REASONS.into_iter().find(|known| *known == reason);
        let reason = known.ok_or_else(|| format!("reason must be one of {}", REASONS.join(", ")))?;
        Ok(Rejection { reason, details: None })
    }

    /// Returns the `rejection_info` of the webhook.
    pub(super) fn info(&self) -> Option<Value> {
        self.details.map(|(reason, recommendation)| json!({"reason": reason, "recommendation": recommendation}))
    }
}

#[cfg(test)]
mod tests;
