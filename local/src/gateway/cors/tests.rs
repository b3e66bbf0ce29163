use axum::http::Request;

use super::*;

fn rules() -> CorsRules {
    CorsRules::new(Cors {
        allow_origins: vec!["https://app.example".into()],
        allow_methods: vec!["GET".into(), "POST".into()],
        allow_headers: vec!["content-type".into()],
        expose_headers: vec!["x-request-id".into()],
        max_age: Some(600),
        allow_credentials: false,
    })
}

fn preflight(origin: &str) -> Option<Response<Body>> {
    let request =
        Request::builder().method("OPTIONS").header("origin", origin).header("access-control-request-method", "POST");
    rules().preflight(&request.body(()).unwrap().into_parts().0)
}

#[test]
fn preflights_receive_a_response() {
    let response = preflight("https://app.example").unwrap();
    assert_eq!(response.status(), 204);
    assert_eq!(response.headers()["access-control-allow-methods"], "GET,POST");
    assert_eq!(response.headers()["access-control-max-age"], "600");
    assert!(preflight("https://evil.example").unwrap().headers().is_empty());
    let plain = Request::builder().method("OPTIONS").header("origin", "https://app.example");
    assert!(rules().preflight(&plain.body(()).unwrap().into_parts().0).is_none());
}

#[test]
fn only_the_headers_of_the_gateway_are_sent() {
    let mut headers = HeaderMap::new();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    rules().apply(&mut headers, &HeaderValue::from_static("https://evil.example"));
    assert!(headers.is_empty());
    rules().apply(&mut headers, &HeaderValue::from_static("https://app.example"));
    assert_eq!(headers["access-control-allow-origin"], "https://app.example");
    assert_eq!(headers["access-control-expose-headers"], "x-request-id");
}
