use http_body_util::BodyExt;

use super::*;

async fn converted(payload: &str) -> (u16, Option<String>, Vec<u8>) {
    let response = from_function(payload.as_bytes()).unwrap();
    let kind = response.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), kind, response.into_body().collect().await.unwrap().to_bytes().to_vec())
}

#[tokio::test]
async fn without_a_status_the_entire_result_is_the_body() {
    let json = Some("application/json".to_owned());
    assert_eq!(converted(r#"{"a": 1}"#).await, (200, json.clone(), br#"{"a": 1}"#.to_vec()));
    assert_eq!(converted(r#""hello""#).await, (200, json.clone(), b"hello".to_vec()));
    assert_eq!(converted("null").await, (200, json, b"null".to_vec()));
}

#[tokio::test]
async fn a_structured_result_is_converted() {
    let payload = r#"{"statusCode": 201, "headers": {"Content-Type": "image/png", "X-N": 5, "Content-Length": "9"},
        "multiValueHeaders": {"x-lost": ["a"]}, "cookies": ["a=1; Path=/", "b=2"], "isBase64Encoded": true,
        "body": "AAEC"}"#;
    let response = from_function(payload.as_bytes()).unwrap();
    let cookies: Vec<_> = response.headers().get_all(SET_COOKIE).iter().collect();
    assert_eq!(cookies, ["a=1; Path=/", "b=2"]);
    assert_eq!(response.headers()["x-n"], "5");
    assert!(!response.headers().contains_key("x-lost") && !response.headers().contains_key(CONTENT_LENGTH));
    assert_eq!(converted(payload).await, (201, Some("image/png".into()), vec![0, 1, 2]));
    let plain = Some("text/plain;charset=UTF-8".to_owned());
    assert_eq!(converted(r#"{"statusCode": 404, "body": "no"}"#).await, (404, plain, b"no".to_vec()));
    assert_eq!(converted(r#"{"statusCode": 204, "body": null, "headers": null}"#).await, (204, None, vec![]));
}

#[test]
fn results_that_api_gateway_rejects_are_none() {
    for payload in [
        "",
        "{",
        r#"{"statusCode": "200"}"#,
        r#"{"statusCode": 99}"#,
        r#"{"statusCode": 600}"#,
        r#"{"statusCode": 100}"#,
        r#"{"statusCode": 200, "body": {}}"#,
        r#"{"statusCode": 200, "body": "*", "isBase64Encoded": true}"#,
        r#"{"statusCode": 200, "headers": {"a b": "x"}}"#,
        r#"{"statusCode": 200, "headers": {"a": "x\ny"}}"#,
        r#"{"statusCode": 200, "headers": []}"#,
        r#"{"statusCode": 200, "cookies": "a=1"}"#,
    ] {
        assert!(from_function(payload.as_bytes()).is_none(), "{payload}");
    }
}
