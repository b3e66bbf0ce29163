//! A function's log lines, made readable.

use serde_json::{Map, Value};

/// A JSON line as `tracing` writes it, or a metric in CloudWatch's embedded format, as `LEVEL message key=value`;
/// any other line as it is.
pub(super) fn readable(line: &str) -> String {
    let Ok(Value::Object(mut line_object)) = serde_json::from_str(line) else {
        return line.to_owned();
    };
    if line_object.remove("_aws").is_some() {
        // The console says at each line which function wrote it.
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
