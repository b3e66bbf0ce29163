//! A place, as a message and in the header of a template.

use serde_json::Value;

use super::{ContentError, object::Object, object::UNSTATED};

/// `location` (Meta: "Location messages", which has the degrees as strings; numbers are taken, too).
pub(super) fn location(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.value("latitude", "a number of degrees from -90 to 90", |value| is_degrees(value, 90.0))?;
    object.value("longitude", "a number of degrees from -180 to 180", |value| is_degrees(value, 180.0))?;
    object.optional_text("name", UNSTATED)?;
    object.optional_text("address", UNSTATED)?;
    object.close()
}

fn is_degrees(value: &Value, limit: f64) -> bool {
    let degrees = match value {
        Value::Number(number) => number.as_f64(),
        // Rust's numbers may also have words and exponents in them.
        Value::String(text) if text.chars().all(|c| c.is_ascii_digit() || "+-.".contains(c)) => text.parse().ok(),
        _ => None,
    };
    degrees.is_some_and(|degrees: f64| (-limit..=limit).contains(&degrees))
}
