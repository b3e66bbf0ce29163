mod decision;
mod placeholder;
mod schedule;
mod trigger;

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::http::Body;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Creates a rule that answers all messages with `Hello {{name}}`, unless `overrides` has other fields. A higher number
/// is a newer rule.
fn rule(number: u128, overrides: Value) -> Rule {
    let mut body = json!({"name": "R", "trigger": {"type": "any"}, "reply": {"message": "Hello {{name}}"}});
    body.as_object_mut().unwrap().extend(overrides.as_object().unwrap().clone());
    let fields = RuleFields::read(&Body::new(body.to_string().into_bytes())).unwrap();
    Rule::new(
        RuleId::from_uuid(Uuid::from_u128(number)),
        SessionId::for_owner("ada"),
        fields,
        time("2026-01-01T00:00:00Z"),
    )
}
