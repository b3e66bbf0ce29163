#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use super::*;
use crate::functions::workspace;

/// The functions of a path: one for every method, or one for each.
#[derive(Debug, PartialEq, serde::Deserialize)]
#[serde(untagged)]
enum Handlers {
    EveryMethod(String),
    ByMethod(BTreeSet<Handler>),
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
struct Handler {
    method: String,
    function: String,
}

impl From<Vec<Handler>> for Handlers {
    fn from(handlers: Vec<Handler>) -> Self {
        match handlers.as_slice() {
            [first, rest @ ..] if rest.iter().all(|handler| handler.function == first.function) => {
                Self::EveryMethod(first.function.clone())
            }
            _ => Self::ByMethod(handlers.into_iter().collect()),
        }
    }
}

/// `cargo lambda watch` reads its own copy of the routes, from `Cargo.toml`.
#[test]
fn cargo_lambda_watch_router_has_the_routes_of_the_template() {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--no-deps", "--format-version=1", "--offline"]).current_dir(workspace());
    let metadata: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    let router = &metadata["metadata"]["lambda"]["watch"]["router"];
    let router: BTreeMap<String, Handlers> = serde_json::from_value(router.clone()).unwrap();

    let template = Template::load(&workspace().join("template.yaml"), &BTreeMap::new()).unwrap();
    let routes =
        template.functions.iter().flat_map(|function| function.routes.iter().map(move |route| (function, route)));
    let mut expected: BTreeMap<String, Vec<Handler>> = BTreeMap::new();
    for (function, route) in routes {
        let paths = match route.path.as_str() {
            "$default" | "/{proxy+}" => vec!["/", "/{*path}"],
            "/api/webhook/{proxy+}" => vec!["/api/webhook/{*path}"],
            "/console/{proxy+}" => vec!["/console/{*path}"],
            path => vec![path],
        };
        for path in paths {
            let handler = Handler { method: route.method.clone(), function: function.name.clone() };
            expected.entry(path.to_owned()).or_default().push(handler);
        }
    }
    let expected = expected.into_iter().map(|(path, handlers)| (path, handlers.into()));
    assert_eq!(router, expected.collect());
}
