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

const NUMBER: &str = "106540352242922";

#[tokio::test]
async fn token_has_its_app_permissions_and_earliest_expiry() {
    let data = json!({"app_id": "670", "is_valid": true, "expires_at": 1_700_000_000, "data_access_expires_at": 1_600_000_000,
        "scopes": ["a", "b"], "granular_scopes": [{"scope": "a", "target_ids": ["102"]}, {"scope": "b"}]});
    let (token, request) = read(200, &json!({"data": data}), async |reader| reader.token(TOKEN).await).await;
    let token = token.unwrap();
    assert_eq!((token.app_id.as_deref(), token.is_valid), (Some("670"), true));
    assert_eq!(token.expires_at.map(|at| at.seconds()), Some(1_600_000_000));
    assert_eq!(token.scopes, ["a", "b"]);
    assert_eq!(token.granted_accounts[0], ("a".to_owned(), vec!["102".to_owned()]));
    assert!(request.starts_with(&format!("GET /v26.0/debug_token?input_token={TOKEN} HTTP/1.1\r\n")), "{request}");

    let data = json!({"app_id": 670, "is_valid": false, "expires_at": 0, "scopes": {},
        "error": {"message": format!("Malformed access token {TOKEN}")}});
    let token = read(200, &json!({"data": data}), async |reader| reader.token(TOKEN).await).await.0.unwrap();
    assert_eq!((token.app_id.as_deref(), token.is_valid, token.expires_at), (Some("670"), false, None));
    assert_eq!(token.error.as_deref(), Some("Malformed access token …"));
}

#[tokio::test]
async fn number_has_its_state_and_callbacks() {
    let response = json!({"status": "CONNECTED", "quality_rating": "GREEN", "throughput": {"level": "STANDARD"},
        "webhook_configuration": {"phone_number": "https://a", "application": "https://b"}, "platform_type": 7});
    let number = read(200, &response, async |reader| reader.number(NUMBER, TOKEN).await).await.0.unwrap();
    assert_eq!((number.status.as_deref(), number.throughput.as_deref()), (Some("CONNECTED"), Some("STANDARD")));
    assert_eq!((number.callbacks.number.as_deref(), number.callbacks.account), (Some("https://a"), None));
    assert_eq!(number.callbacks.app.as_deref(), Some("https://b"));
    // In other formats, all is absent.
    for other in [json!({"status": {}, "throughput": "x", "webhook_configuration": []}), json!([1]), json!(null)] {
        let number = read(200, &other, async |reader| reader.number(NUMBER, TOKEN).await).await.0.unwrap();
        assert_eq!(number, NumberInfo::default(), "{other}");
    }
}

#[tokio::test]
async fn review_has_the_errors_of_each_entity() {
    let error =
        json!({"error_code": 141_006, "error_description": "No payment method.", "possible_solution": "Add one."});
    let response = json!({"name_status": "APPROVED", "health_status": {"can_send_message": "BLOCKED", "entities": [
        {"entity_type": "WABA", "id": "102", "can_send_message": "BLOCKED", "errors": [error, {}]},
        {"entity_type": "APP", "id": "670", "can_send_message": "LIMITED", "additional_info": ["Slow."]}, 7]}});
    let (review, request) = read(200, &response, async |reader| reader.number_review(NUMBER, TOKEN).await).await;
    let review = review.unwrap();
    assert_eq!(
        (review.name_status.as_deref(), review.can_send_message.as_deref()),
        (Some("APPROVED"), Some("BLOCKED"))
    );
    assert_eq!(review.entities.len(), 2);
    assert_eq!(review.entities[0].errors, [("No payment method.".to_owned(), Some("Add one.".to_owned()))]);
    assert_eq!(review.entities[1].additional_info, ["Slow."]);
    assert!(request.contains("fields=name_status%2Chealth_status"), "{request}");
}

#[tokio::test]
async fn subscriptions_name_the_apps_and_the_fields() {
    let response = json!({"data": [{"whatsapp_business_api_data": {"id": "670", "name": "x"}}, {}]});
    let apps = read(200, &response, async |reader| reader.subscribed_apps("102", TOKEN).await).await.0.unwrap();
    assert_eq!(apps, ["670"]);
    let fields = json!([{"name": "messages", "version": "v26.0"}, "account_update"]);
    let response = json!({"data": [{"object": "page"}, {"object": "whatsapp_business_account", "active": true, "fields": fields}]});
    let app = async |reader: GraphReader| reader.app_subscription("670", "app-secret").await;
    let (subscription, request) = read(200, &response, app).await;
    let subscription = subscription.unwrap().unwrap();
    assert_eq!(
        (subscription.is_active, subscription.fields.as_slice()),
        (true, &["messages".to_owned(), "account_update".to_owned()][..])
    );
    assert!(
        request.contains("authorization: Bearer 670|app-secret\r\n") && !request.contains("?access_token"),
        "{request}"
    );
    assert_eq!(read(200, &json!({"data": []}), app).await.0.unwrap(), None);
    let quoting = json!({"error": {"message": "Malformed access token 670|app-secret: app-secret", "code": 190}});
    assert_eq!(refusal(read(400, &quoting, app).await.0.unwrap_err()).error, "Malformed access token …: … (190)");
}

#[tokio::test]
async fn secret_is_proved_without_being_sent() {
    let prove = async |reader: GraphReader| reader.is_secret_of_app(NUMBER, TOKEN, "app-secret").await;
    let (is_match, request) = read(200, &json!({"id": NUMBER}), prove).await;
    assert_eq!(is_match, Ok(true));
    // printf %s EAAJB-access-token | openssl dgst -sha256 -hmac app-secret
    let proof = "2c997d2312e6d6c9e14c1f640ea45d0bbf0ffd2538812a045b1c4806269f4393";
    assert!(request.contains(&format!("appsecret_proof={proof} ")), "{request}");
    assert!(!request.contains("app-secret"), "{request}");
    let invalid = json!({"error": {"message": "Invalid appsecret_proof provided in the API argument", "code": 100}});
    assert_eq!(read(400, &invalid, prove).await.0, Ok(false));
    let other = json!({"error": {"message": "Invalid OAuth access token", "code": 190}});
    assert!(read(400, &other, prove).await.0.unwrap_err().is_token_refused());
}
