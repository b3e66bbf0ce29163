use std::net::Ipv4Addr;

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::domain::{id::SessionId, message_template::TemplateStatus};

const TOKEN: &str = "EAAJB-access-token";

/// Runs `read` against a server that writes `response` with `status`. Returns the result and the request.
async fn read<T>(status: u16, response: &Value, read: impl AsyncFnOnce(GraphReader) -> T) -> (T, String) {
    let body = response.to_string();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).build();
    let url = format!("http://{}/v26.0", listener.local_addr().unwrap());
    let reader = GraphReader::new(SharedHttpConnector::new(connector), url);
    let server = async {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") {
            let mut bytes = [0; 1024];
            let read = connection.read(&mut bytes).await.unwrap();
            request.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
        connection.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        request
    };
    tokio::join!(read(reader), server)
}

fn list(after: Option<&str>) -> TemplateList {
    TemplateList {
        session_id: SessionId::for_owner("ada"),
        status: Some(TemplateStatus::Approved),
        limit: 2,
        after: after.map(|after| ExternalPosition(after.to_owned())),
    }
}

async fn templates(status: u16, response: &Value, after: Option<&str>) -> (Result<TemplatePage, ReadError>, String) {
    read(status, response, async |reader| reader.templates("102290129340398", TOKEN, &list(after)).await).await
}

fn template(id: &str) -> Value {
    json!({"id": id, "name": "hello", "language": "en", "category": "UTILITY", "status": "APPROVED",
        "parameter_format": "NAMED", "components": [{"type": "BODY", "text": "Hi {{name}}"}]})
}

fn refusal(error: ReadError) -> Refusal {
    match error {
        ReadError::Refused(refusal) => refusal,
        ReadError::NoResponse(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn page_of_templates_is_requested_and_read() {
    let last = json!({"data": [template("1")], "paging": {"cursors": {"before": "a", "after": "b"}}});
    let (page, request) = templates(200, &last, Some("QVF==&limit=9")).await;
    let page = page.unwrap();
    assert_eq!((page.templates[0].id.as_str(), page.next), ("1", None));
    assert_eq!(page.templates[0].components.get(), r#"[{"text":"Hi {{name}}","type":"BODY"}]"#);
    let (line, headers) = request.split_once("\r\n").unwrap();
    let fields = "id%2Cname%2Clanguage%2Ccategory%2Cstatus%2Cparameter_format%2Ccomponents";
    let query = format!("fields={fields}&limit=2&status=APPROVED&after=QVF%3D%3D%26limit%3D9");
    assert_eq!(line, format!("GET /v26.0/102290129340398/message_templates?{query} HTTP/1.1"));
    assert!(headers.contains(&format!("authorization: Bearer {TOKEN}\r\n")), "{headers}");

    let mut more = last;
    more["paging"]["next"] = json!("https://graph.facebook.com/v26.0/…");
    assert_eq!(templates(200, &more, None).await.0.unwrap().next, Some(ExternalPosition("b".to_owned())));
}

#[tokio::test]
async fn template_in_another_format_is_skipped() {
    let (page, _) = templates(200, &json!({"data": [{"id": "1"}, 7, template("2")]}), None).await;
    let ids: Vec<String> = page.unwrap().templates.into_iter().map(|template| template.id).collect();
    assert_eq!(ids, ["2"]);
    for other in [json!({"data": {}}), json!([]), json!("x")] {
        let (page, _) = templates(200, &other, None).await;
        assert!(matches!(page, Err(ReadError::NoResponse(_))), "{other}");
    }
}

#[tokio::test]
async fn refusal_has_the_error_without_the_token() {
    let error =
        json!({"error": {"message": format!("Malformed access token {TOKEN}"), "code": 190, "fbtrace_id": "A"}});
    let refusal = refusal(templates(400, &error, None).await.0.unwrap_err());
    assert_eq!(refusal.error, "Malformed access token … (190)");
    assert_eq!((refusal.code, refusal.fbtrace_id.as_deref()), (Some(190), Some("A")));
    assert!(refusal.is_token_refused);
}

#[tokio::test]
async fn response_without_an_error_is_no_response() {
    let (page, _) = templates(502, &json!({}), None).await;
    assert_eq!(page.unwrap_err(), ReadError::NoResponse("WhatsApp responded 502 without an error".to_owned()));
}

#[tokio::test]
async fn health_status_names_the_account_of_a_number() {
    let entities = json!([{"entity_type": "PHONE_NUMBER", "id": "106"}, {"entity_type": "WABA", "id": "102"}]);
    for (response, account) in [
        (json!({"health_status": {"can_send_message": "AVAILABLE", "entities": entities}, "id": "106"}), Some("102")),
        (json!({"health_status": {"can_send_message": "AVAILABLE"}, "id": "106"}), None),
        (json!({"id": "106"}), None),
    ] {
        let (found, request) = read(200, &response, async |reader| reader.account_of("106", TOKEN).await).await;
        assert_eq!(found.unwrap().as_deref(), account, "{response}");
        assert!(request.starts_with("GET /v26.0/106?fields=health_status HTTP/1.1\r\n"), "{request}");
    }
}

#[tokio::test]
async fn id_that_would_change_the_url_is_not_requested() {
    let connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring)).build();
    let reader = GraphReader::new(SharedHttpConnector::new(connector), "http://127.0.0.1:9".to_owned());
    for id in ["", "me", "1/2", "1?x", "../1"] {
        let Err(ReadError::NoResponse(error)) = reader.account_of(id, TOKEN).await else { panic!("{id}") };
        assert!(error.contains("digits"), "{id}: {error}");
    }
}
