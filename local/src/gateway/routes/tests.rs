use std::time::Duration;

use super::*;

fn routes(keys: &[&str]) -> Routes {
    let route = |key: &str| {
        let (method, path) = key.split_once(' ').unwrap_or(("ANY", key));
        Route {
            method: method.into(),
            path: path.into(),
            timeout: Duration::from_secs(30),
            throttle: None,
            authorizer: None,
        }
    };
    Routes { routes: keys.iter().map(|key| ((*key).to_owned(), route(key))).collect() }
}

#[test]
fn the_most_specific_route_wins() {
    // The first five routes are the example in the developer guide.
    let routes = routes(&[
        "$default",
        "ANY /{proxy+}",
        "GET /pets/{proxy+}",
        "GET /pets/dog/{id}",
        "GET /pets/dog/1",
        "ANY /pets/dog/1",
        "ANY /pets/cat/{id}",
        "GET /{kind}/dog/{id}",
        "GET /",
    ]);
    for (method, path, wanted) in [
        ("GET", "/pets/dog/1", "GET /pets/dog/1"),
        ("POST", "/pets/dog/1", "ANY /pets/dog/1"),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}"),
        ("GET", "/pets/cat/1", "ANY /pets/cat/{id}"),
        ("GET", "/pets/cow/1", "GET /pets/{proxy+}"),
        ("GET", "/cars/dog/2", "GET /{kind}/dog/{id}"),
        ("POST", "/test/5", "ANY /{proxy+}"),
        ("GET", "/pets/dog/1/", "GET /pets/{proxy+}"),
        ("GET", "/", "GET /"),
        ("POST", "/", "$default"),
        ("GET", "*", "$default"),
    ] {
        assert_eq!(routes.find(method, path).unwrap().function, wanted, "{method} {path}");
    }
}

#[test]
fn path_variables_are_extracted() {
    let routes = routes(&["GET /pets/{kind}/{rest+}", "GET /chats/{id}"]);
    let matched = routes.find("GET", "/pets/dog/a/b c").unwrap();
    assert_eq!(matched.parameters, BTreeMap::from([("kind".into(), "dog".into()), ("rest".into(), "a/b c".into())]));
    assert_eq!(routes.find("GET", "/chats/x").unwrap().parameters["id"], "x");
    assert_eq!(routes.find("GET", "/pets/dog/").unwrap().parameters["rest"], "");
}

#[test]
fn a_request_without_a_route_has_no_match() {
    let routes = routes(&["GET /api/qr", "GET /chats/{id}", "GET /pets/{rest+}"]);
    for (method, path) in [
        ("POST", "/api/qr"),
        ("GET", "/api/qr/"),
        ("GET", "/api"),
        ("GET", "/api/qr/x"),
        ("GET", "/chats/"),
        ("GET", "/pets"),
        ("GET", "//api/qr"),
        ("GET", ""),
        ("GET", "/API/qr"),
    ] {
        assert!(routes.find(method, path).is_none(), "{method} {path}");
    }
}
