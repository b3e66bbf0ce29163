//! Locations, as messages and as template parameters.

use serde_json::Value;

use super::{
    ContentError,
    object::{NO_LIMIT, Object},
};

/// Reads `location` (Meta, *Location messages*, which documents degrees as strings). Degrees can also be numbers.
pub(super) fn location(mut object: Object<'_>) -> Result<Value, ContentError> {
    object.drop_received(&["url"]);
    object.value("latitude", "a number of degrees from -90 to 90", |value| is_degrees(value, 90.0))?;
    object.value("longitude", "a number of degrees from -180 to 180", |value| is_degrees(value, 180.0))?;
    object.optional_text("name", NO_LIMIT)?;
    object.optional_text("address", NO_LIMIT)?;
    object.finish()
}

fn is_degrees(value: &Value, limit: f64) -> bool {
    let degrees = match value {
        Value::Number(number) => number.as_f64(),
        // `f64::from_str` also accepts words such as `inf`, and exponents.
        Value::String(text) if text.chars().all(|c| c.is_ascii_digit() || "+-.".contains(c)) => text.parse().ok(),
        _ => None,
    };
    degrees.is_some_and(|degrees: f64| (-limit..=limit).contains(&degrees))
}
