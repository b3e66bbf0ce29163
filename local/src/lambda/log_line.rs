//! Filters the log lines of functions as Lambda does, and formats them for the output.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// The levels of `ApplicationLogLevel`, from the most to the least detailed.
const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/// Returns whether Lambda sends a line to CloudWatch Logs if `minimum` is the `ApplicationLogLevel`. A line that isn't a
/// JSON object with a level and an RFC 3339 timestamp counts as `INFO` (Lambda Developer Guide, *Log-level filtering*).
pub(super) fn passes(line: &str, minimum: &str) -> bool {
    let rank = |level: &str| LEVELS.iter().position(|known| known.eq_ignore_ascii_case(level));
    let own = serde_json::from_str(line).ok().and_then(|line: Value| {
        line["timestamp"].as_str()?.parse::<Timestamp>().ok()?;
        rank(line["level"].as_str()?)
    });
    own.or_else(|| rank("INFO")) >= rank(minimum)
}

/// Formats a JSON line of `tracing` as `LEVEL message key=value`, and a metric in CloudWatch's embedded metric format
/// as `METRIC name=value`. Returns any other line unchanged.
pub(super) fn readable(line: &str) -> String {
    let Ok(Value::Object(mut line_object)) = serde_json::from_str(line) else {
        return line.to_owned();
    };
    if line_object.remove("_aws").is_some() {
        // The output already shows the function's name and the time.
        for member in ["FunctionName", "timestamp", "level"] {
            line_object.remove(member);
        }
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
