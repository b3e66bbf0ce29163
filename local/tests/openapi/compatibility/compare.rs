//! Finds the differences between two descriptions that break clients.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::document::{Document, Node, Operation};

/// Keywords that restrict a value, and whose values can't be compared: any other value counts as another restriction.
const RESTRICTIONS: [&str; 16] = [
    "pattern",
    "format",
    "multipleOf",
    "uniqueItems",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "propertyNames",
    "contains",
    "prefixItems",
    "contentEncoding",
    "contentMediaType",
];
const LOWER_LIMITS: [&str; 5] = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
const UPPER_LIMITS: [&str; 5] = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];
/// Marks an enum of responses that can get new values.
const OPEN_ENUM: &str = "x-open-enum";

/// Which side must accept the values of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Direction {
    /// The client writes: what the old description accepts, the new one must accept.
    Request,
    /// The client reads: what the new description allows, the old one must allow.
    Response,
}

/// Returns a sentence for each change that breaks clients of `old`.
pub fn breaking_changes(old: &Document, new: &Document) -> Vec<String> {
    let mut comparison = Comparison::default();
    for (section, direction) in [("paths", Direction::Request), ("webhooks", Direction::Response)] {
        let new: BTreeMap<String, Operation<'_>> =
            new.operations_of(section).into_iter().map(|operation| (operation.key.clone(), operation)).collect();
        for operation in old.operations_of(section) {
            match new.get(&operation.key) {
                Some(new) => comparison.operation(&operation, new, direction),
                None => comparison.report(&operation.key, "was removed"),
            }
        }
    }
    comparison.changes
}

#[derive(Default)]
struct Comparison {
    changes: Vec<String>,
    /// Pairs of schemas that were compared, or are being compared: schemas can be recursive.
    compared: BTreeSet<(Direction, String, String)>,
}

impl Comparison {
    fn report(&mut self, place: &str, problem: impl AsRef<str>) {
        self.changes.push(format!("{place} {}", problem.as_ref()));
    }

    fn operation(&mut self, old: &Operation<'_>, new: &Operation<'_>, direction: Direction) {
        let key = &old.key;
        let (old_id, new_id) = (old.node.text("operationId"), new.node.text("operationId"));
        if old_id != new_id {
            self.report(key, format!("has another operationId: {new_id} instead of {old_id}"));
        }
        let is_open = |operation: &Operation<'_>| operation.texts("x-scopes").is_none();
        if is_open(old) && !is_open(new) {
            self.report(key, "needs a credential");
        }
        let old_scopes = old.texts("x-scopes").unwrap_or_default();
        for scope in new.texts("x-scopes").unwrap_or_default() {
            if !old_scopes.contains(&scope) && !is_open(old) {
                self.report(key, format!("needs the scope {scope}"));
            }
        }
        self.parameters(old, new);
        self.request_body(old, new, direction);
        // Those of a webhook are the client's own.
        if direction == Direction::Request {
            self.responses(old, new);
        }
    }

    fn parameters(&mut self, old: &Operation<'_>, new: &Operation<'_>) {
        let (key, old, new) = (&old.key, parameters(old), parameters(new));
        for (name, (is_required, schema)) in &old {
            let place = format!("{key}: {name}");
            match new.get(name) {
                None => self.report(&place, "was removed"),
                Some((now_required, _)) if *now_required && !is_required => self.report(&place, "became required"),
                Some((_, new_schema)) => {
                    self.optional_schemas(schema.as_ref(), new_schema.as_ref(), Direction::Request, &place);
                }
            }
        }
        for (name, (is_required, _)) in &new {
            if *is_required && !old.contains_key(name) {
                self.report(&format!("{key}: {name}"), "is new and required");
            }
        }
    }

    fn request_body(&mut self, old: &Operation<'_>, new: &Operation<'_>, direction: Direction) {
        let place = format!("{}: the request body", old.key);
        match (old.node.get("requestBody"), new.node.get("requestBody")) {
            (Some(_), None) => self.report(&place, "was removed"),
            (None, Some(new)) if new.is("required") => self.report(&place, "is new and required"),
            (Some(old), Some(new)) => {
                if new.is("required") && !old.is("required") {
                    self.report(&place, "became required");
                }
                self.content(&old, &new, direction, &place);
            }
            (None, _) => {}
        }
    }

    fn responses(&mut self, old: &Operation<'_>, new: &Operation<'_>) {
        let key = &old.key;
        let (old, new): (BTreeMap<_, _>, BTreeMap<_, _>) =
            (old.responses().into_iter().collect(), new.responses().into_iter().collect());
        for (status, response) in &old {
            let place = format!("{key}: the response {status}");
            match new.get(status) {
                None => self.report(&place, "was removed"),
                Some(new) => {
                    let new_headers: BTreeSet<String> =
                        members(new, "headers").into_iter().map(|(name, _)| name).collect();
                    for (name, _) in members(response, "headers") {
                        if !new_headers.contains(&name) {
                            self.report(&format!("{place}: the header {name}"), "was removed");
                        }
                    }
                    self.content(response, new, Direction::Response, &place);
                }
            }
        }
        // New errors are handled like the others of their class (RFC 9110, section 15).
        for status in new.keys().filter(|status| !old.contains_key(*status) && !status.starts_with(['4', '5'])) {
            self.report(&format!("{key}: the response {status}"), "is new");
        }
    }

    fn content(&mut self, old: &Node<'_>, new: &Node<'_>, direction: Direction, place: &str) {
        let (old, new) = (media_types(old), media_types(new));
        for (name, schema) in &old {
            match new.get(name) {
                None => self.report(place, format!("no longer has the type {name}")),
                Some(new) => self.optional_schemas(schema.as_ref(), new.as_ref(), direction, place),
            }
        }
        for name in new.keys().filter(|name| direction == Direction::Response && !old.contains_key(*name)) {
            self.report(place, format!("can have the type {name}"));
        }
    }

    fn optional_schemas(
        &mut self,
        old: Option<&Schema<'_>>,
        new: Option<&Schema<'_>>,
        direction: Direction,
        place: &str,
    ) {
        match (old, new, direction) {
            (Some(old), Some(new), _) => self.schemas(old, new, direction, place),
            (None, Some(_), Direction::Request) => self.report(place, "is restricted by a schema"),
            (Some(_), None, Direction::Response) => self.report(place, "has no schema"),
            _ => {}
        }
    }

    fn schemas(&mut self, old: &Schema<'_>, new: &Schema<'_>, direction: Direction, place: &str) {
        if !self.compared.insert((direction, old.0.pointer.clone(), new.0.pointer.clone())) {
            return;
        }
        match (old.alternatives(), new.alternatives()) {
            (None, None) => {}
            (old_parts, new_parts) => {
                // One schema is an alternative by itself.
                let old_parts = old_parts.unwrap_or_else(|| vec![Schema(old.0.clone())]);
                let new_parts = new_parts.unwrap_or_else(|| vec![Schema(new.0.clone())]);
                self.alternatives(&old_parts, &new_parts, direction, place);
                if old.alternatives().is_none() || new.alternatives().is_none() {
                    return;
                }
            }
        }
        self.types(old, new, direction, place);
        self.values(old, new, direction, place);
        self.limits(old, new, direction, place);
        self.members(old, new, direction, place);
        self.parts(old, new, direction, place);
    }

    /// Each alternative of the writer must be one of the reader's.
    fn alternatives(&mut self, old: &[Schema<'_>], new: &[Schema<'_>], direction: Direction, place: &str) {
        let (written, accepted, problem) = match direction {
            Direction::Request => (old, new, "no longer accepts an alternative"),
            Direction::Response => (new, old, "has a new alternative"),
        };
        for one in written {
            // The nearest alternative is the one with the fewest changes. It is usually at the same place.
            let mut nearest: Option<Vec<String>> = None;
            let (same, others): (Vec<_>, Vec<_>) = accepted.iter().partition(|other| other.0.pointer == one.0.pointer);
            for other in same.into_iter().chain(others) {
                if nearest.as_ref().is_some_and(Vec::is_empty) {
                    break;
                }
                let (old, new) = if direction == Direction::Request { (one, other) } else { (other, one) };
                let mut attempt = Comparison::default();
                attempt.compared.clone_from(&self.compared);
                attempt.schemas(old, new, direction, place);
                if nearest.as_ref().is_none_or(|changes| attempt.changes.len() < changes.len()) {
                    nearest = Some(attempt.changes);
                }
            }
            match nearest {
                Some(changes) if changes.is_empty() => {}
                Some(changes) => {
                    self.report(place, format!("{problem} ({}). Compared with the nearest one:", one.0.pointer));
                    self.changes.extend(changes.into_iter().map(|change| format!("    {change}")));
                }
                None => self.report(place, problem),
            }
        }
    }

    fn types(&mut self, old: &Schema<'_>, new: &Schema<'_>, direction: Direction, place: &str) {
        let (Some(old), Some(new)) = (old.types(), new.types()) else { return };
        let (written, accepted, problem) = match direction {
            Direction::Request => (old, new, "no longer accepts"),
            Direction::Response => (new, old, "can be"),
        };
        for one in written {
            let is_accepted = accepted.contains(one) || (one == "integer" && accepted.contains("number"));
            if !is_accepted {
                self.report(place, format!("{problem} {one}"));
            }
        }
    }

    fn values(&mut self, old: &Schema<'_>, new: &Schema<'_>, direction: Direction, place: &str) {
        let (written, accepted) = match direction {
            Direction::Request => (old.values(), new.values()),
            Direction::Response if old.0.is(OPEN_ENUM) => return,
            Direction::Response => (new.values(), old.values()),
        };
        match (written, accepted, direction) {
            (_, None, _) => {}
            (None, Some(_), Direction::Request) => self.report(place, "accepts only certain values"),
            (None, Some(_), Direction::Response) => self.report(place, "can have any value"),
            (Some(written), Some(accepted), _) => {
                let problem =
                    if direction == Direction::Request { "no longer accepts the value" } else { "can have the value" };
                for value in written.into_iter().filter(|value| !accepted.contains(value)) {
                    self.report(place, format!("{problem} {value}"));
                }
            }
        }
    }

    fn limits(&mut self, old: &Schema<'_>, new: &Schema<'_>, direction: Direction, place: &str) {
        let (writer, reader) = if direction == Direction::Request { (old, new) } else { (new, old) };
        let number = |schema: &Schema<'_>, name: &str| schema.0.value.get(name).and_then(Value::as_f64);
        let shown =
            |schema: &Schema<'_>, name: &str| schema.0.value.get(name).map_or("none".to_owned(), Value::to_string);
        let change = |name: &str| format!("has another {name}: {} instead of {}", shown(new, name), shown(old, name));
        for name in LOWER_LIMITS {
            let limit =
                number(reader, name).filter(|limit| number(writer, name).is_none_or(|written| written < *limit));
            limit.iter().for_each(|_| self.report(place, change(name)));
        }
        for name in UPPER_LIMITS {
            let limit =
                number(reader, name).filter(|limit| number(writer, name).is_none_or(|written| written > *limit));
            limit.iter().for_each(|_| self.report(place, change(name)));
        }
        for name in RESTRICTIONS {
            let (written, accepted) = (writer.0.value.get(name), reader.0.value.get(name));
            if accepted.is_some() && written != accepted {
                self.report(place, change(name));
            }
        }
    }

    fn members(&mut self, old: &Schema<'_>, new: &Schema<'_>, direction: Direction, place: &str) {
        let (old_members, new_members) = (old.members(), new.members());
        for (name, schema) in &old_members {
            let place = format!("{place}: {name}");
            match new_members.get(name) {
                None => self.report(&place, "was removed"),
                Some(new) => self.schemas(schema, new, direction, &place),
            }
        }
        let (old_required, new_required) = (old.required(), new.required());
        match direction {
            Direction::Request => {
                for name in new_required.difference(&old_required) {
                    let problem =
                        if old_members.contains_key(*name) { "became required" } else { "is new and required" };
                    self.report(&format!("{place}: {name}"), problem);
                }
            }
            Direction::Response => {
                for name in old_required.difference(&new_required) {
                    self.report(&format!("{place}: {name}"), "can be missing");
                }
            }
        }
    }

    /// Compares the schemas of items and of members without a name, and those that must all match.
    fn parts(&mut self, old: &Schema<'_>, new: &Schema<'_>, direction: Direction, place: &str) {
        for (name, what) in [("items", "an item"), ("additionalProperties", "another member")] {
            let place = format!("{place}: {what}");
            let (old, new) = (old.part(name), new.part(name));
            match (&old, &new, direction) {
                (Part::Schema(old), Part::Schema(new), _) => self.schemas(old, new, direction, &place),
                (Part::Any | Part::Schema(_), Part::Nothing, Direction::Request) => {
                    self.report(&place, "is no longer accepted");
                }
                (Part::Any, Part::Schema(_), Direction::Request) => self.report(&place, "is restricted by a schema"),
                (Part::Schema(_), Part::Any, Direction::Response) => self.report(&place, "can have any value"),
                // Clients ignore members that they don't know.
                _ => {}
            }
        }
        let (old_parts, new_parts) = (items(&old.0, "allOf"), items(&new.0, "allOf"));
        if old_parts.len() != new_parts.len() {
            self.report(place, "has another number of schemas in allOf");
        }
        for (old, new) in old_parts.into_iter().zip(new_parts) {
            self.schemas(&Schema(old), &Schema(new), direction, place);
        }
    }
}

/// Returns the parameters by a description of them: whether they are required, and their schemas.
fn parameters<'a>(operation: &Operation<'a>) -> BTreeMap<String, (bool, Option<Schema<'a>>)> {
    let parameters = operation.parameters.iter().map(|parameter| {
        let name = format!("the {} parameter {}", parameter.text("in"), parameter.text("name"));
        (name, (parameter.is("required"), parameter.get("schema").map(Schema)))
    });
    parameters.collect()
}

/// Returns the schemas of the content of a request or response by media type.
fn media_types<'a>(node: &Node<'a>) -> BTreeMap<String, Option<Schema<'a>>> {
    members(node, "content").into_iter().map(|(name, media)| (name, media.get("schema").map(Schema))).collect()
}

/// Returns the members of a member, which may be missing.
fn members<'a>(node: &Node<'a>, name: &str) -> Vec<(String, Node<'a>)> {
    node.get(name).map(|all| all.members()).unwrap_or_default()
}

/// Returns the items of a member, which may be missing.
fn items<'a>(node: &Node<'a>, name: &str) -> Vec<Node<'a>> {
    node.get(name).map(|all| all.items()).unwrap_or_default()
}

/// The schema of items or other members.
enum Part<'a> {
    Any,
    Nothing,
    Schema(Schema<'a>),
}

struct Schema<'a>(Node<'a>);

impl<'a> Schema<'a> {
    fn alternatives(&self) -> Option<Vec<Schema<'a>>> {
        let parts = self.0.get("oneOf").or_else(|| self.0.get("anyOf"))?;
        Some(parts.items().into_iter().map(Schema).collect())
    }

    /// Returns the types; `None` if the values of an enum or a constant say enough.
    fn types(&self) -> Option<BTreeSet<&'a str>> {
        match self.0.value.get("type") {
            Some(Value::String(one)) => Some(BTreeSet::from([one.as_str()])),
            Some(Value::Array(types)) => Some(types.iter().filter_map(Value::as_str).collect()),
            _ if self.values().is_some() => None,
            _ => Some(BTreeSet::from(["null", "boolean", "object", "array", "number", "string"])),
        }
    }

    fn values(&self) -> Option<Vec<&'a Value>> {
        let constant = self.0.value.get("const").map(|value| vec![value]);
        constant.or_else(|| Some(self.0.value.get("enum")?.as_array()?.iter().collect()))
    }

    fn members(&self) -> BTreeMap<String, Schema<'a>> {
        members(&self.0, "properties").into_iter().map(|(name, node)| (name, Schema(node))).collect()
    }

    fn required(&self) -> BTreeSet<&'a str> {
        self.0.value.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn part(&self, name: &str) -> Part<'a> {
        match self.0.value.get(name) {
            None | Some(Value::Bool(true)) => Part::Any,
            Some(Value::Bool(false)) => Part::Nothing,
            Some(_) => self.0.get(name).map_or(Part::Any, |node| Part::Schema(Schema(node))),
        }
    }
}
