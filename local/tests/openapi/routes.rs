//! The operations of the description and the routes of the code.

use std::collections::{BTreeMap, BTreeSet};

use shared::http::{
    ErrorCode,
    routes::{self, Access},
};

use crate::document::{Document, Operation};

/// Statuses that API Gateway answers with in its own shape.
const GATEWAY_STATUSES: [u16; 6] = [401, 403, 413, 429, 500, 503];
/// Codes that no operation answers with: the first two are about requests to no operation, and the third about a function
/// that is invoked without API Gateway.
const OTHER_CODES: [&str; 3] = ["path_not_found", "method_not_allowed", "unauthenticated"];

/// What a route and an operation have in common: the query parameters, and the scopes, unless the route is open.
#[derive(Debug, PartialEq, Eq)]
struct Signature {
    query: BTreeSet<String>,
    scopes: Option<BTreeSet<String>>,
}

/// Returns the routes of the API; the console isn't part of it.
fn routes() -> BTreeMap<String, Signature> {
    let api = routes::ALL.iter().filter(|route| !route.path.starts_with("/console"));
    let operations = api.flat_map(|route| route.operations.iter().map(move |operation| (route.path, operation)));
    operations
        .map(|(path, operation)| {
            let query = operation.query.iter().map(|name| (*name).to_owned()).collect();
            let scopes = operation.access.scopes().map(|scope| scope.as_str().to_owned()).collect();
            let scopes = (operation.access != Access::Open).then_some(scopes);
            (format!("{} {path}", operation.method), Signature { query, scopes })
        })
        .collect()
}

fn signature(operation: &Operation<'_>) -> Signature {
    let query = operation.parameters.iter().filter(|parameter| parameter.text("in") == "query");
    let query = query.map(|parameter| parameter.text("name").to_owned()).collect();
    let is_open = operation.node.get("security").is_some_and(|security| security.items().is_empty());
    let scopes = operation.texts("x-scopes").map(|scopes| scopes.into_iter().map(str::to_owned).collect());
    assert_eq!(scopes.is_none(), is_open, "{}: an operation has x-scopes, or security: []", operation.key);
    Signature { query, scopes }
}

#[test]
fn operations_parameters_and_scopes_equal_the_route_table() {
    let document = Document::load();
    let operations = document.operations();
    let described: BTreeMap<String, Signature> =
        operations.iter().map(|operation| (operation.key.clone(), signature(operation))).collect();
    let routes = routes();
    for (key, route) in &routes {
        let operation = described.get(key);
        assert!(operation.is_some(), "openapi.yaml lacks the operation {key}");
        assert_eq!(operation, Some(route), "{key}: on the left openapi.yaml, on the right routes.rs");
    }
    for key in described.keys() {
        assert!(routes.contains_key(key), "routes.rs lacks the operation {key} of openapi.yaml");
    }
    let ids: BTreeSet<&str> = operations.iter().map(|operation| operation.node.text("operationId")).collect();
    assert!(ids.len() == operations.len() && !ids.contains(""), "each operation has its own operationId");
}

#[test]
fn path_parameters_equal_the_variables_of_the_path() {
    for operation in Document::load().operations() {
        let variables: BTreeSet<&str> =
            operation.key.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
        let in_path = operation.parameters.iter().filter(|parameter| parameter.text("in") == "path");
        let described: BTreeSet<&str> = in_path.clone().map(|parameter| parameter.text("name")).collect();
        assert_eq!(described, variables, "{}", operation.key);
        assert!(in_path.clone().all(|parameter| parameter.is("required")), "{}", operation.key);
    }
}

#[test]
fn error_codes_equal_the_enum_and_have_their_status_in_each_operation() {
    let statuses: BTreeMap<&str, u16> = ErrorCode::ALL.iter().map(|code| (code.as_str(), code.status())).collect();
    let document = Document::load();
    let schema = document.0.pointer("/components/schemas/ErrorCode/enum").unwrap();
    let listed: BTreeSet<&str> = schema.as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    assert_eq!(listed, statuses.keys().copied().collect(), "on the left openapi.yaml, on the right error_code.rs");

    let mut used: BTreeSet<&str> = OTHER_CODES.into();
    for operation in document.operations() {
        let key = &operation.key;
        let codes = operation.texts("x-error-codes").unwrap_or_else(|| panic!("{key} has no x-error-codes"));
        let described: BTreeSet<u16> = operation
            .responses()
            .iter()
            .map(|(status, _)| status.parse().unwrap_or_else(|_| panic!("{key}: {status} is no status")))
            .collect();
        for code in &codes {
            let status = statuses.get(code).unwrap_or_else(|| panic!("{key}: there is no error code {code}"));
            assert!(described.contains(status), "{key}: {code} has the status {status}, which has no response");
            assert!(!OTHER_CODES.contains(code), "{key} never answers with {code}");
        }
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len(), "{key}: x-error-codes has a code twice");
        let of_codes: BTreeSet<u16> = codes.iter().map(|code| statuses[code]).collect();
        for status in described.into_iter().filter(|status| *status >= 400) {
            let known = of_codes.contains(&status) || GATEWAY_STATUSES.contains(&status);
            assert!(known, "{key}: no error code of the operation has the status {status}");
        }
        used.extend(codes);
    }
    let unused: Vec<_> = listed.difference(&used).collect();
    assert!(unused.is_empty(), "no operation has the error codes {unused:?}");
}
