use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    result::ConnectorError,
};
use serde_json::{Value, json};

use super::*;
use crate::telemetry;

/// A response: its status, error header, and body. `None` is a connection timeout.
pub(crate) type Canned = Option<(u16, &'static str, &'static str)>;

/// An HTTP connection that records requests and returns canned responses.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    responses: Arc<Mutex<VecDeque<Canned>>>,
    pub(crate) requests: Arc<Mutex<Vec<HttpRequest>>>,
}

impl HttpConnector for Connection {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.requests.lock().unwrap().push(request);
        let Some((status, error, body)) = self.responses.lock().unwrap().pop_front().unwrap() else {
            return HttpConnectorFuture::ready(Err(ConnectorError::timeout("timeout".into())));
        };
        let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
        if !error.is_empty() {
            response.headers_mut().insert("x-amzn-errortype", error);
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

/// Returns a client of `service` that gets `responses`, and its connection.
pub(crate) fn client(service: Service, responses: &[Canned]) -> (ServiceClient, Connection) {
    let connection =
        Connection { responses: Arc::new(Mutex::new(responses.iter().copied().collect())), requests: Arc::default() };
    let connector = connection.clone();
    let credentials = Credentials::new("AKID", "secret", Some("session".to_owned()), None, "test");
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(connector.clone())))
        .region(Region::new("eu-central-1"))
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .build();
    (ServiceClient::new(&sdk, service).unwrap(), connection)
}

#[tokio::test]
async fn call_is_a_signed_json_request() {
    let (client, connection) = client(Service::SecretsManager, &[Some((200, "", r#"{"a": 1}"#))]);
    let output: Value = client.call("secretsmanager.GetSecretValue", &json!({"SecretId": "x"})).await.unwrap();
    assert_eq!(output, json!({"a": 1}));
    let requests = connection.requests.lock().unwrap();
    let request = &requests[0];
    assert_eq!((request.method(), request.uri()), ("POST", "https://secretsmanager.eu-central-1.amazonaws.com/"));
    assert_eq!(request.body().bytes(), Some(br#"{"SecretId":"x"}"#.as_slice()));
    let header = |name: &str| request.headers().get(name).unwrap();
    assert_eq!(header("content-type"), "application/x-amz-json-1.1");
    assert_eq!(header("x-amz-target"), "secretsmanager.GetSecretValue");
    assert_eq!(header("x-amz-security-token"), "session");
    let signature = header("authorization");
    assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=AKID/"), "{signature}");
    assert!(signature.contains("/eu-central-1/secretsmanager/aws4_request, SignedHeaders="), "{signature}");
    assert!(signature.contains("x-amz-target"), "{signature}");
}

#[tokio::test]
async fn async_invocation_sends_the_event_to_the_function() {
    let (client, connection) = client(Service::Lambda, &[Some((202, "", ""))]);
    client.invoke_async("deliver", "{}").await.unwrap();
    let requests = connection.requests.lock().unwrap();
    let uri = "https://lambda.eu-central-1.amazonaws.com/2015-03-31/functions/deliver/invocations";
    assert_eq!(requests[0].uri(), uri);
    assert_eq!(requests[0].headers().get("x-amz-invocation-type"), Some("Event"));
    assert_eq!(requests[0].body().bytes(), Some(b"{}".as_slice()));
}

#[tokio::test]
async fn throttling_server_errors_and_timeouts_are_retried() {
    let throttled = (400, "", r#"{"__type":"com.amazonaws.kms#ThrottlingException","message":"slow down"}"#);
    for failure in [Some(throttled), Some((429, "TooManyRequestsException:", "")), Some((500, "", "")), None] {
        let (client, connection) = client(Service::Kms, &[failure, failure, Some((200, "", "{}"))]);
        let output = client.call::<Value>("TrentService.Decrypt", &json!({})).await;
        assert_eq!(output.unwrap(), json!({}), "{failure:?}");
        assert_eq!(connection.requests.lock().unwrap().len(), 3);
    }
}

#[tokio::test]
async fn refusal_is_not_retried_and_contains_its_code() {
    let body = r#"{"__type":"AccessDeniedException","Message":"not authorized"}"#;
    for refusal in [(400, "", body), (403, "AccessDeniedException:http://docs", r#"{"message":"not authorized"}"#)] {
        let (client, connection) = client(Service::Kms, &[Some(refusal)]);
        let error = client.call::<Value>("TrentService.Decrypt", &json!({})).await.unwrap_err();
        let text = telemetry::chain(&*error);
        assert!(text.contains("AccessDeniedException") && text.contains("not authorized"), "{text}");
        assert!(!text.contains("http://docs"), "{text}");
        assert_eq!(error_code(&error), Some("AccessDeniedException"));
        assert_eq!(connection.requests.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn error_without_a_code_has_none() {
    for response in [Some((400, "", "")), Some((200, "", "no JSON")), None] {
        let (client, _) = client(Service::Ssm, &[response, None, None]);
        let error = client.call::<Value>("AmazonSSM.GetParameter", &json!({})).await.unwrap_err();
        assert_eq!(error_code(&error), None, "{response:?}");
    }
}

#[tokio::test]
async fn error_does_not_quote_the_response() {
    let (client, _) = client(Service::SecretsManager, &[Some((200, "", r#"{"SecretString": "hunter2"}"#))]);
    let error = client.call::<u32>("secretsmanager.GetSecretValue", &json!({})).await.unwrap_err();
    let shown = format!("{error:?} {} {:?}", telemetry::chain(&*error), Content(b"hunter2".to_vec()));
    assert!(!shown.contains("hunter2"), "{shown}");
}
