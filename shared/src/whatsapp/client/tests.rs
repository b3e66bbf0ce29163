use std::net::Ipv4Addr;

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

/// Posts a message to a server that reads the request, writes `response`, and closes the connection. Returns the
/// result and the request.
async fn post_to_server(access_token: &str, response: &str) -> (SendResult, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let client = client(listener.local_addr().unwrap().port());
    let server = async {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = String::new();
        while !request.ends_with('}') {
            let mut bytes = [0; 1024];
            let read = connection.read(&mut bytes).await.unwrap();
            request.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
        connection.write_all(response.as_bytes()).await.unwrap();
        request
    };
    let message = json!({"to": "201"});
    tokio::join!(client.post("106", access_token, &message), server)
}

fn client(port: u16) -> CloudApi {
    let connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).build();
    CloudApi::new(SharedHttpConnector::new(connector), format!("http://127.0.0.1:{port}/v1"))
}

fn failure(result: SendResult) -> (ErrorClass, String) {
    match result {
        SendResult::Failed(error) => (error.class, error.error),
        SendResult::Accepted { .. } => panic!("accepted"),
    }
}

#[tokio::test]
async fn request_has_the_token_and_the_message() {
    let response = "HTTP/1.1 200 OK\r\ncontent-length: 27\r\n\r\n{\"messages\": [{\"id\": \"w\"}]}";
    let (result, request) = post_to_server("token", response).await;
    assert!(matches!(result, SendResult::Accepted { wamid, .. } if wamid == "w"));
    assert!(request.starts_with("POST /v1/106/messages HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: Bearer token\r\n"), "{request}");
    assert!(request.contains("content-type: application/json\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"to\":\"201\"}"), "{request}");
}

#[tokio::test]
async fn error_response_has_its_status_and_retry_after() {
    let response = "HTTP/1.1 400 Bad Request\r\nretry-after: 7\r\ncontent-length: 20\r\n\r\n{\"error\":{\"code\":4}}";
    let (result, _) = post_to_server("token", response).await;
    let SendResult::Failed(error) = result else { panic!("accepted") };
    assert_eq!((error.class, error.retry_after), (ErrorClass::NotSent, Some(Duration::from_secs(7))));
    let response = "HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n";
    let (result, _) = post_to_server("token", response).await;
    assert_eq!(failure(result).0, ErrorClass::Indeterminate);
}

#[tokio::test]
async fn error_does_not_contain_the_token() {
    let body = r#"{"error":{"message":"Malformed access token EAAJB-token","code":190}}"#;
    let response = format!("HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (result, _) = post_to_server("EAAJB-token", &response).await;
    assert_eq!(failure(result).1, "Malformed access token … (190)");
}

#[tokio::test]
async fn failure_is_indeterminate_once_a_connection_is_open() {
    for response in ["", "HTTP/1.1 200 OK\r\ncontent-length: 27\r\n\r\n{\"messages\"", "not HTTP\r\n\r\n"] {
        let (result, _) = post_to_server("token", response).await;
        assert_eq!(failure(result).0, ErrorClass::Indeterminate, "{response}");
    }
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let client = client(listener.local_addr().unwrap().port());
    let (class, error) = failure(client.post("106", "a\nb", &json!({})).await);
    assert_eq!(class, ErrorClass::NotSent, "{error}");
    drop(listener);
    let (class, error) = failure(client.post("106", "token", &json!({})).await);
    assert_eq!(class, ErrorClass::NotSent, "{error}");
    assert!(error.starts_with("The connection to WhatsApp failed: Connection refused"), "{error}");
}

#[test]
fn code_decides_the_error_class() {
    let error_with = |code: i64| {
        let body = format!(r#"{{"error":{{"message":"m","code":{code},"fbtrace_id":"A"}}}}"#);
        send_error(400, None, body.as_bytes())
    };
    for (class, codes) in [
        (ErrorClass::NotSent, &[4, 80007, 130_429, 131_057][..]),
        (ErrorClass::RecipientLimit, &[131_056]),
        (ErrorClass::Indeterminate, &[1, 2, 131_000, 131_016]),
        (ErrorClass::AccountBlocked, &[0, 10, 190, 200, 299, 368, 131_031, 131_042]),
        (ErrorClass::Refused, &[100, 131_026, 131_047, 132_001, 999_999, -1]),
    ] {
        for &code in codes {
            assert_eq!(error_with(code).class, class, "{code}");
        }
    }
    let error = error_with(131_026);
    assert_eq!((error.code, error.fbtrace_id.as_deref()), (Some(131_026), Some("A")));
}

#[test]
fn a_token_without_access_is_refused() {
    for (error, is_refused) in [
        (r#"{"code": 190}"#, true),
        (r#"{"code": 190, "error_subcode": 463}"#, true),
        (r#"{"code": 100, "error_subcode": 33}"#, true),
        (r#"{"code": 100, "error_subcode": 2494010}"#, false),
        (r#"{"code": 100}"#, false),
        (r#"{"code": 131026, "error_subcode": 33}"#, false),
    ] {
        let body = format!(r#"{{"error": {error}}}"#);
        assert_eq!(send_error(400, None, body.as_bytes()).is_token_refused, is_refused, "{error}");
    }
}

#[test]
fn response_without_code_or_message_id_is_indeterminate() {
    assert_eq!(send_error(502, None, b"<html>").class, ErrorClass::Indeterminate);
    assert_eq!(send_error(400, None, b"{\"error\":{}}").class, ErrorClass::Indeterminate);
    for body in ["{}", "{\"messages\":[]}", "{\"messages\":[{\"id\":\"\"}]}"] {
        let SendResult::Failed(error) = send_result(body.as_bytes()) else { panic!("accepted") };
        assert_eq!(error.class, ErrorClass::Indeterminate);
    }
}

#[test]
fn errors_keep_their_code_and_reason_in_every_shape() {
    for (body, class, error) in [
        (r#"{"error": {"code": "131056", "message": "Pair rate"}}"#, ErrorClass::RecipientLimit, "Pair rate (131056)"),
        (
            r#"{"error": {"code": 131026, "error_data": {"details": 7}}}"#,
            ErrorClass::Refused,
            "WhatsApp refused the message (131026): 7",
        ),
        (r#"{"error": "Service down"}"#, ErrorClass::Indeterminate, "Service down"),
        (r#"{"errors": [{"code": 190}]}"#, ErrorClass::AccountBlocked, "WhatsApp refused the message (190)"),
        (r#"[{"error": {"code": 4}}]"#, ErrorClass::NotSent, "WhatsApp refused the message (4)"),
        ("<html><body>Bad gateway</body></html>", ErrorClass::Indeterminate, "WhatsApp responded 502 without an error"),
        (" \n", ErrorClass::Indeterminate, "WhatsApp responded 502 without an error"),
        ("[]", ErrorClass::Indeterminate, "WhatsApp responded 502 without an error"),
        (
            "upstream\r\nconnect error",
            ErrorClass::Indeterminate,
            "WhatsApp responded 502 without an error: upstream connect error",
        ),
    ] {
        let found = send_error(502, None, body.as_bytes());
        assert_eq!((found.class, found.error.as_str()), (class, error), "{body}");
    }
    let long = send_error(500, None, "é".repeat(5000).as_bytes());
    assert!(long.error.chars().count() < 300);
    assert_eq!(send_error(500, None, b"\xff\xfe").class, ErrorClass::Indeterminate);
}

#[test]
fn an_error_with_status_200_is_an_error() {
    let SendResult::Failed(error) = send_result(br#"{"error": {"code": 131026}}"#) else { panic!("accepted") };
    assert_eq!((error.class, error.code), (ErrorClass::Refused, Some(131_026)));
}

fn accepted(body: &str) -> (String, Option<String>, Option<String>, Option<String>) {
    match send_result(body.as_bytes()) {
        SendResult::Accepted { wamid, wa_id, user_id, message_status } => (wamid, wa_id, user_id, message_status),
        SendResult::Failed(error) => panic!("{body}: {error:?}"),
    }
}

#[test]
fn only_the_message_id_is_required() {
    let some = |text: &str| Some(text.to_owned());
    for (body, wa_id, user_id) in [
        (
            r#"{"messages": [{"id": "w"}], "contacts": [{"wa_id": "201", "user_id": "EG.1"}]}"#,
            some("201"),
            some("EG.1"),
        ),
        (r#"{"messages": [{"id": "w"}], "contacts": [{"wa_id": 201}]}"#, some("201"), None),
        (r#"{"messages": {"id": "w"}, "contacts": {"wa_id": "201"}}"#, some("201"), None),
        (r#"{"messages": [{"id": "w"}], "contacts": null}"#, None, None),
        (r#"{"messages": [{"id": "w"}], "contacts": "201"}"#, None, None),
        (
            r#"{"messages": [{"id": "w", "message_status": {}}], "contacts": [{"wa_id": {}, "user_id": ""}]}"#,
            None,
            None,
        ),
    ] {
        assert_eq!(accepted(body), ("w".to_owned(), wa_id, user_id, None), "{body}");
    }
    let long = json!({"messages": [{"id": "w".repeat(MAX_ID_BYTES + 1)}]}).to_string();
    assert!(matches!(send_result(long.as_bytes()), SendResult::Failed(_)), "a wamid is a key");
}

#[test]
fn a_held_message_has_its_status() {
    for (status, expected) in [
        ("held_for_quality_assessment", Some("held_for_quality_assessment")),
        ("paused", Some("paused")),
        ("a_later_value", Some("a_later_value")),
        ("accepted", None),
        ("ACCEPTED", None),
        ("", None),
        ("line\nbreak", None),
        (&*"x".repeat(65), None),
    ] {
        let body = json!({"messages": [{"id": "w", "message_status": status}]}).to_string();
        assert_eq!(accepted(&body).3.as_deref(), expected, "{status}");
    }
}
