mod decision;
mod placeholder;
mod read;
mod schedule;
mod trigger;

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::http::{ApiError, Body};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn fields(body: &Value) -> Result<RuleFields, ApiError> {
    RuleFields::read(&Body::new(body.to_string().into_bytes()).object().unwrap())
}

/// A rule that answers anything with `Hello {{name}}`, with other fields where they are given. Rules with higher numbers
/// are younger.
fn rule(number: u128, other: Value) -> Rule {
    let mut body = json!({"name": "R", "trigger": {"type": "any"}, "reply": {"message": "Hello {{name}}"}});
    body.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    let fields = fields(&body).unwrap_or_else(|error| panic!("{error:?}"));
    Rule::new(
        RuleId::from_uuid(Uuid::from_u128(number)),
        SessionId::for_owner("ada"),
        fields,
        time("2026-01-01T00:00:00Z"),
    )
}
