#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use serde_json::Value;

use super::*;
use crate::functions::workspace;

/// `cargo lambda watch` reads its own copy of the routes, from `Cargo.toml`.
#[test]
fn cargo_lambda_watch_router_has_the_routes_of_the_template() {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--no-deps", "--format-version=1", "--offline"]).current_dir(workspace());
    let metadata: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    let router = &metadata["metadata"]["lambda"]["watch"]["router"];
    let router: BTreeMap<String, String> = serde_json::from_value(router.clone()).unwrap();

    let template = Template::load(&workspace().join("template.yaml"), &BTreeMap::new()).unwrap();
    let routes =
        template.functions.iter().flat_map(|function| function.routes.iter().map(move |route| (function, route)));
    let expected = routes.flat_map(|(function, route)| {
        let paths = match route.path.as_str() {
            "$default" | "/{proxy+}" => vec!["/", "/{*path}"],
            path => vec![path],
        };
        paths.into_iter().map(|path| (path.to_owned(), function.name.clone()))
    });
    assert_eq!(router, expected.collect());
}
