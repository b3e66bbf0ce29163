//! Formats the log lines of functions for the console.

use serde_json::{Map, Value};

/// Formats a JSON line of `tracing` as `LEVEL message key=value`, and a metric in CloudWatch's embedded metric format
/// as `METRIC name=value`. Returns any other line unchanged.
pub(super) fn readable(line: &str) -> String {
    let Ok(Value::Object(mut line_object)) = serde_json::from_str(line) else {
        return line.to_owned();
    };
    if line_object.remove("_aws").is_some() {
        // The console already shows the function's name.
        line_object.remove("FunctionName");
        return format!("METRIC{}", pairs(&line_object));
    }
    let (Some(Value::String(level)), Some(Value::Object(mut fields))) =
        (line_object.remove("level"), line_object.remove("fields"))
    else {
        return line.to_owned();
    };
    let message = fields.remove("message").map(|message| format!(" {}", plain(&message))).unwrap_or_default();
    format!("{level}{message}{}", pairs(&fields))
}

fn pairs(fields: &Map<String, Value>) -> String {
    fields.iter().map(|(name, value)| format!(" {name}={}", plain(value))).collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
