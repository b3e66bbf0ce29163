//! The examples of the description.

use serde_json::Value;

use crate::{
    document::{Document, Node, Operation},
    schemas::{Direction, Schemas},
};

/// Returns the examples beside a schema: of a media type, a parameter, or a header.
fn examples<'a>(holder: &Node<'a>) -> Vec<Node<'a>> {
    let named = holder.get("examples").map(|examples| examples.members()).unwrap_or_default();
    let named = named.into_iter().map(|(name, example)| {
        example.get("value").unwrap_or_else(|| panic!("{}: the example {name} has no value", holder.pointer))
    });
    holder.get("example").into_iter().chain(named).collect()
}

/// Returns the examples of a response or a request body, with their schemas.
fn content_examples<'a>(holder: &Node<'a>) -> Vec<(Node<'a>, Node<'a>)> {
    let types = holder.get("content").map(|content| content.members()).unwrap_or_default();
    let examples = types.into_iter().flat_map(|(_, media)| {
        let schema = media.get("schema");
        examples(&media).into_iter().filter_map(move |example| Some((example, schema.clone()?)))
    });
    examples.collect()
}

fn has_success_example(operation: &Operation<'_>) -> bool {
    operation.responses().iter().any(|(status, response)| match status.as_bytes() {
        [b'2', ..] => !content_examples(response).is_empty(),
        // A redirect has no content, but its target.
        [b'3', ..] => !examples(&response.get("headers").unwrap().get("Location").unwrap()).is_empty(),
        _ => false,
    })
}

#[test]
fn examples_match_their_schemas() {
    let document = Document::load();
    let schemas = Schemas::new(&document);
    let (mut count, mut wrong) = (0, Vec::new());
    let mut check = |direction, example: &Node<'_>, schema: &Node<'_>| {
        count += 1;
        let violations = schemas.violations(direction, schema, example.value);
        wrong.extend(violations.into_iter().map(|violation| format!("{}: {violation}", example.pointer)));
    };
    for operation in document.operations() {
        for parameter in &operation.parameters {
            for example in examples(parameter) {
                check(Direction::Request, &example, &parameter.get("schema").unwrap());
            }
        }
        if let Some(body) = operation.node.get("requestBody") {
            for (example, schema) in content_examples(&body) {
                check(Direction::Request, &example, &schema);
            }
        }
        for (_, response) in operation.responses() {
            for (example, schema) in content_examples(&response) {
                check(Direction::Response, &example, &schema);
            }
        }
    }
    // The direction is reversed: Qasid writes these requests.
    for webhook in document.operations_of("webhooks") {
        if let Some(body) = webhook.node.get("requestBody") {
            for (example, schema) in content_examples(&body) {
                check(Direction::Response, &example, &schema);
            }
        }
    }
    for (_, schema) in document.root().get("components").and_then(|all| all.get("schemas")).unwrap().members() {
        for example in schema.get("examples").map(|examples| examples.items()).unwrap_or_default() {
            check(Direction::Response, &example, &schema);
        }
    }
    assert!(wrong.is_empty(), "{} of {count} examples don't match:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 100, "only {count} examples were found");
}

#[test]
fn every_operation_has_an_example_of_a_request_and_of_an_answer() {
    let document = Document::load();
    let operations = document.operations();
    let lacking = |has: fn(&Operation<'_>) -> bool| {
        operations
            .iter()
            .filter(|operation| !has(operation))
            .map(|operation| operation.key.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(lacking(has_success_example), Vec::<&str>::new(), "operations without an example of an answer");
    let with_request = |operation: &Operation<'_>| {
        operation.node.get("requestBody").is_none_or(|body| !content_examples(&body).is_empty())
    };
    assert_eq!(lacking(with_request), Vec::<&str>::new(), "operations without an example of a request");
}

/// Clients must ignore members that they don't know, so a schema of a response leaves room for them. `allOf` would make
/// it impossible for the tests to close it.
#[test]
fn schemas_of_responses_are_open_objects_without_all_of() {
    fn check(node: &Node<'_>, seen: &mut Vec<String>) {
        if seen.contains(&node.pointer) {
            return;
        }
        seen.push(node.pointer.clone());
        let is_object = node.value.get("properties").is_some_and(Value::is_object);
        assert!(node.get("allOf").is_none(), "{} has allOf", node.pointer);
        let is_closed = is_object && node.value.get("additionalProperties") == Some(&Value::Bool(false));
        assert!(!is_closed, "{} forbids other members", node.pointer);
        if is_object {
            assert!(node.value.get("type").is_some(), "{} has properties, but not the type object", node.pointer);
        }
        let parts = node.get("properties").into_iter().flat_map(|properties| properties.members());
        for (_, part) in parts {
            check(&part, seen);
        }
        for name in ["items", "additionalProperties"] {
            node.get(name).iter().for_each(|part| check(part, seen));
        }
        for name in ["oneOf", "anyOf"] {
            node.get(name).iter().flat_map(|parts| parts.items()).for_each(|part| check(&part, seen));
        }
    }
    let document = Document::load();
    let mut seen = Vec::new();
    for operation in document.operations() {
        for (_, response) in operation.responses() {
            for (_, media) in response.get("content").map(|content| content.members()).unwrap_or_default() {
                media.get("schema").iter().for_each(|schema| check(schema, &mut seen));
            }
        }
    }
    assert!(seen.len() > 100, "only {} schemas were found", seen.len());
}
