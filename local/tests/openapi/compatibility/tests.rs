//! The rules, each in the direction that breaks clients and in the other one.

use serde_json::{Value, json};

use super::compare::breaking_changes;
use crate::document::Document;

fn document() -> Value {
    json!({
        "paths": {
            "/things/{id}": {
                "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
                "post": {
                    "operationId": "changeThing",
                    "x-scopes": ["things"],
                    "parameters": [
                        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100}}
                    ],
                    "requestBody": {
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Request"}}}
                    },
                    "responses": {
                        "200": {
                            "headers": {"ETag": {"schema": {"type": "string"}}},
                            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Response"}}}
                        },
                        "404": {}
                    }
                },
                "get": {"operationId": "getThing", "security": [], "responses": {"200": {}}}
            }
        },
        "webhooks": {
            "thing": {
                "post": {
                    "operationId": "thing",
                    "requestBody": {
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Response"}}}
                    },
                    "responses": {"200": {}}
                }
            }
        },
        "components": {
            "schemas": {
                "Request": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["name"],
                    "properties": {
                        "name": {"type": ["string", "null"], "minLength": 1, "maxLength": 10},
                        "kind": {"type": "string", "enum": ["a", "b"]},
                        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
                        "content": {"oneOf": [
                            {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
                            {"type": "string"}
                        ]},
                        "extra": {"type": "object", "additionalProperties": {"type": "string"}},
                        "parent": {"$ref": "#/components/schemas/Request"}
                    }
                },
                "Response": {
                    "type": "object",
                    "required": ["name", "kind"],
                    "properties": {
                        "name": {"type": "string", "format": "uuid"},
                        "kind": {"type": "string", "enum": ["a", "b"]},
                        "code": {"type": "string", "x-open-enum": true, "enum": ["a"]},
                        "tags": {"type": "array", "items": {"type": "integer"}, "maxItems": 3},
                        "content": {"oneOf": [
                            {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
                            {"type": "null"}
                        ]},
                        "children": {"type": "array", "items": {"$ref": "#/components/schemas/Response"}}
                    }
                }
            }
        }
    })
}

/// A change to the member at this pointer; `None` removes it.
type Edit = (&'static str, Option<Value>);

fn edited((pointer, value): &Edit) -> Document {
    let mut document = document();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let name = name.replace("~1", "/");
    match (document.pointer_mut(parent).unwrap(), value) {
        (Value::Object(members), Some(value)) => {
            members.insert(name, value.clone());
        }
        (Value::Object(members), None) => {
            members.remove(&name).unwrap();
        }
        (Value::Array(items), Some(value)) => items.insert(name.parse().unwrap(), value.clone()),
        (Value::Array(items), None) => {
            items.remove(name.parse().unwrap());
        }
        (other, _) => panic!("{pointer}: {other}"),
    }
    Document(document)
}

/// Verifies that a change breaks clients with this sentence, and that the opposite change doesn't.
fn assert_breaks_one_way(edit: Edit, expected: &str) {
    let (original, changed) = (Document(document()), edited(&edit));
    let changes = breaking_changes(&original, &changed);
    assert!(changes.iter().any(|change| change.contains(expected)), "{edit:?}: {expected}: {changes:#?}");
    assert_eq!(breaking_changes(&changed, &original), Vec::<String>::new(), "{edit:?}: the opposite");
}

#[test]
fn the_same_description_has_no_changes() {
    assert_eq!(breaking_changes(&Document(document()), &Document(document())), Vec::<String>::new());
}

const POST: &str = "POST /things/{id}";

#[test]
fn operations_and_parameters_stay() {
    for (edit, expected) in [
        (("/paths/~1things~1{id}", None), format!("{POST} was removed")),
        (("/paths/~1things~1{id}/post", None), format!("{POST} was removed")),
        (("/webhooks/thing", None), "POST thing was removed".to_owned()),
        (("/paths/~1things~1{id}/post/parameters/0", None), format!("{POST}: the query parameter limit was removed")),
        (
            ("/paths/~1things~1{id}/post/parameters/0/required", Some(json!(true))),
            format!("{POST}: the query parameter limit became required"),
        ),
        (
            ("/paths/~1things~1{id}/post/parameters/0/schema/maximum", Some(json!(50))),
            format!("{POST}: the query parameter limit has another maximum: 50 instead of 100"),
        ),
        (
            ("/paths/~1things~1{id}/post/parameters/0/schema/minimum", Some(json!(2))),
            format!("{POST}: the query parameter limit has another minimum: 2 instead of 1"),
        ),
        (("/paths/~1things~1{id}/post/x-scopes/1", Some(json!("admin"))), format!("{POST} needs the scope admin")),
        (("/paths/~1things~1{id}/post/requestBody", None), format!("{POST}: the request body was removed")),
        (
            ("/paths/~1things~1{id}/post/requestBody/required", Some(json!(true))),
            format!("{POST}: the request body became required"),
        ),
        (("/paths/~1things~1{id}/post/responses/404", None), format!("{POST}: the response 404 was removed")),
        (
            ("/paths/~1things~1{id}/post/responses/200/headers/ETag", None),
            format!("{POST}: the response 200: the header ETag was removed"),
        ),
    ] {
        assert_breaks_one_way(edit, &expected);
    }
    let required = json!({"name": "x", "in": "header", "required": true});
    for (edit, expected) in [
        (
            ("/paths/~1things~1{id}/post/parameters/1", Some(required)),
            format!("{POST}: the header parameter x is new and required"),
        ),
        (
            ("/paths/~1things~1{id}/post/operationId", Some(json!("other"))),
            format!("{POST} has another operationId: other instead of changeThing"),
        ),
        (("/paths/~1things~1{id}/get/x-scopes", Some(json!([]))), "GET /things/{id} needs a credential".to_owned()),
        (("/paths/~1things~1{id}/post/responses/202", Some(json!({}))), format!("{POST}: the response 202 is new")),
        (
            ("/paths/~1things~1{id}/post/responses/200/content/application~1json", None),
            format!("{POST}: the response 200 no longer has the type application/json"),
        ),
        (
            ("/paths/~1things~1{id}/post/responses/200/content/text~1plain", Some(json!({}))),
            format!("{POST}: the response 200 can have the type text/plain"),
        ),
    ] {
        let changes = breaking_changes(&Document(document()), &edited(&edit));
        assert_eq!(changes, [expected], "{edit:?}");
    }
}

const REQUEST: &str = "/components/schemas/Request";
const BODY: &str = "POST /things/{id}: the request body";

#[test]
fn requests_are_not_narrowed() {
    for (pointer, value, expected) in [
        ("/required/1", Some(json!("kind")), ": kind became required"),
        ("/properties/kind", None, ": kind was removed"),
        ("/properties/name/type", Some(json!("string")), ": name no longer accepts null"),
        ("/properties/name/minLength", Some(json!(2)), ": name has another minLength: 2 instead of 1"),
        ("/properties/name/maxLength", Some(json!(9)), ": name has another maxLength: 9 instead of 10"),
        ("/properties/name/pattern", Some(json!("^a")), ": name has another pattern: \"^a\" instead of none"),
        ("/properties/kind/enum/0", None, ": kind no longer accepts the value \"a\""),
        ("/properties/extra/enum", Some(json!([{}])), ": extra accepts only certain values"),
        ("/properties/tags/items/type", Some(json!("null")), ""),
        ("/properties/tags/maxItems", Some(json!(2)), ": tags has another maxItems: 2 instead of 3"),
        ("/properties/content/oneOf/1", None, ": content no longer accepts an alternative"),
        ("/properties/content/oneOf/0/properties/text/maxLength", Some(json!(5)), "text has another maxLength"),
        ("/properties/extra/additionalProperties", Some(json!(false)), ": extra: another member is no longer accepted"),
    ] {
        let pointer: &'static str = format!("{REQUEST}{pointer}").leak();
        let edit = (pointer, value);
        if expected.is_empty() {
            let changes = breaking_changes(&Document(document()), &edited(&edit));
            assert_eq!(changes, [format!("{BODY}: tags: an item no longer accepts string")]);
        } else {
            assert_breaks_one_way(edit, expected);
        }
    }
    let added = json!({"type": "string"});
    let mut document = edited(&("/components/schemas/Request/properties/new", Some(added)));
    assert_eq!(breaking_changes(&Document(self::document()), &document), Vec::<String>::new());
    document.0["components"]["schemas"]["Request"]["required"] = json!(["name", "new"]);
    let changes = breaking_changes(&Document(self::document()), &document);
    assert_eq!(changes, [format!("{BODY}: new is new and required")]);
}

#[test]
fn responses_are_not_widened() {
    for (pointer, value, expected) in [
        ("/properties/name/type", Some(json!(["string", "null"])), ": name can be null"),
        ("/properties/name/format", None, ": name has another format: none instead of \"uuid\""),
        ("/properties/kind/enum/2", Some(json!("c")), ": kind can have the value \"c\""),
        ("/properties/tags/items/type", Some(json!("number")), ": tags: an item can be number"),
        ("/properties/tags/maxItems", None, ": tags has another maxItems: none instead of 3"),
        ("/properties/content/oneOf/2", Some(json!({"type": "string"})), ": content has a new alternative"),
        ("/required/1", None, ": kind can be missing"),
    ] {
        let pointer: &'static str = format!("/components/schemas/Response{pointer}").leak();
        assert_breaks_one_way((pointer, value), expected);
    }
    let removed = ("/components/schemas/Response/properties/tags", None);
    let changes = breaking_changes(&Document(document()), &edited(&removed));
    assert_eq!(changes, [format!("{POST}: the response 200: tags was removed")]);
    // Of both directions, the response of the path comes first, so a webhook with the same schema isn't named again.
    for allowed in [
        ("/components/schemas/Response/properties/new", Some(json!({"type": "string"}))),
        ("/components/schemas/Response/properties/code/enum/1", Some(json!("b"))),
        ("/paths/~1things~1{id}/post/responses/409", Some(json!({}))),
    ] {
        assert_eq!(breaking_changes(&Document(document()), &edited(&allowed)), Vec::<String>::new(), "{allowed:?}");
    }
}
