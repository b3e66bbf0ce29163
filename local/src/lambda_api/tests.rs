use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use futures_util::FutureExt;
use serde_json::Value;
use shared::{
    aws::{Service, ServiceClient},
    domain::time::Timestamp,
    services::self_invoker::SelfInvoker,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::DropGuard;

use super::*;

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:deliver";

/// A running Lambda API.
struct Harness {
    url: String,
    console: Console,
    /// The functions and events of all invocations.
    invocations: UnboundedReceiver<(String, Value)>,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
    _guard: DropGuard,
}

/// Starts a fake whose functions echo their events. `{"fail": …}` fails, and `{"wait": …}` waits until `open` is
/// canceled.
fn start(open: &CancellationToken) -> Harness {
    let (seen, invocations) = unbounded_channel();
    let open = open.clone();
    let lambda = Lambda::fake(move |name, event| {
        let (seen, open) = (seen.clone(), open.clone());
        async move {
            let value: Value = serde_json::from_slice(&event).unwrap();
            seen.send((name, value.clone())).unwrap();
            if value.get("wait").is_some() {
                open.cancelled().await;
            }
            match value.get("fail") {
                Some(_) => Err(InvokeError::Handled { error_type: "E".to_owned(), message: "no".to_owned() }),
                None => Ok(event),
            }
        }
        .boxed()
    });
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (console, stop) = (Console::captured(), CancellationToken::new());
    let names = vec!["deliver".to_owned(), "webhook".to_owned()];
    let serving = tokio::spawn(serve(listener, names, lambda, console.clone(), stop.clone()));
    Harness { url, console, invocations, _guard: stop.clone().drop_guard(), stop, serving }
}

impl Harness {
    /// The status and the body, or the error's code.
    async fn invoke(&self, function: &str, kind: &str, event: impl ToString) -> Result<(u16, Value), String> {
        let response = self.send(function, kind, event.to_string()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let header = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let text = response.text().await.unwrap();
        if !status.is_success() {
            return Err(header("x-amzn-errortype").unwrap());
        }
        let mut body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        if let Some(error) = header("x-amz-function-error") {
            body = json!({error: body});
        }
        Ok((status.as_u16(), body))
    }

    /// Sends an `Invoke` request (Lambda API Reference, "Invoke", "Request Syntax").
    async fn send(&self, function: &str, kind: &str, event: String) -> reqwest::Response {
        let url = format!("{}/2015-03-31/functions/{function}/invocations", self.url);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.post(url).header("x-amz-invocation-type", kind).body(event).send().await.unwrap()
    }

    fn self_invoker(&self, function: &str) -> SelfInvoker {
        let credentials = Credentials::new("id", "secret", None, None, "test");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(&self.url)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new("us-east-1"))
            .retry_config(RetryConfig::disabled())
            .build();
        SelfInvoker::new(ServiceClient::new(&sdk, Service::Lambda).unwrap(), function.to_owned())
    }

    /// Stops the fake and waits for the invocations in progress.
    async fn end(self) -> Console {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
        self.console
    }
}

#[tokio::test]
async fn a_synchronous_invocation_returns_the_response() {
    let harness = start(&CancellationToken::new());
    for name in ["deliver", "deliver:$LATEST", "000000000000:function:deliver", ARN] {
        let response = harness.invoke(name, "RequestResponse", json!({"a": 1})).await;
        assert_eq!(response, Ok((200, json!({"a": 1}))), "{name}");
    }
    let failed = harness.invoke("deliver", "RequestResponse", json!({"fail": 1})).await;
    assert_eq!(failed, Ok((200, json!({"Unhandled": {"errorType": "E", "errorMessage": "no"}}))));
    let empty = harness.send("deliver", "RequestResponse", String::new()).await;
    assert_eq!(empty.headers()["x-amz-executed-version"], "$LATEST");
    assert_eq!(empty.text().await.unwrap(), "{}");
    harness.end().await;
}

#[tokio::test]
async fn a_failed_asynchronous_invocation_is_reported() {
    let open = CancellationToken::new();
    let mut harness = start(&open);
    let waiting = harness.invoke("deliver", "Event", json!({"wait": 1, "fail": 1})).await;
    assert_eq!(waiting, Ok((202, Value::Null)));
    assert_eq!(harness.invocations.recv().await.unwrap().0, "deliver");
    assert!(harness.console.output().is_empty());
    open.cancel();
    let lines = harness.end().await.output();
    assert!(lines.len() == 1 && lines[0].contains("deliver invoked asynchronously: E: no"), "{lines:?}");
}

#[tokio::test]
async fn pending_asynchronous_invocations_are_limited() {
    let open = CancellationToken::new();
    let harness = start(&open);
    for _ in 0..PENDING_LIMIT {
        let accepted = harness.invoke(ARN, "Event", json!({"wait": 1})).await;
        assert_eq!(accepted, Ok((202, Value::Null)));
    }
    let rejected = harness.invoke("deliver", "Event", json!({})).await;
    assert_eq!(rejected, Err("TooManyRequestsException".to_owned()));
    let other = harness.invoke("webhook", "Event", json!({})).await;
    assert_eq!(other, Ok((202, Value::Null)));
    open.cancel();
    let lines = harness.end().await.output();
    assert_eq!(lines.iter().filter(|line| line.contains("deliver invoked asynchronously")).count(), PENDING_LIMIT);
}

#[tokio::test]
async fn invalid_invocations_are_rejected() {
    let harness = start(&CancellationToken::new());
    let long = json!("x".repeat(EVENT_LIMIT));
    for (name, kind, event, wanted) in [
        ("other", "Event", json!({}).to_string(), "ResourceNotFoundException"),
        ("other", "RequestResponse", json!({}).to_string(), "ResourceNotFoundException"),
        ("deliver:live", "Event", json!({}).to_string(), "ResourceNotFoundException"),
        ("deliver", "Event", "{".to_owned(), "InvalidRequestContentException"),
        ("deliver", "Event", long.to_string(), "RequestTooLargeException"),
        ("deliver", "DryRun", json!({}).to_string(), "InvalidParameterValueException"),
    ] {
        let rejected = harness.invoke(name, kind, event).await;
        assert_eq!(rejected, Err(wanted.to_owned()), "{name}");
    }
    let response = harness.invoke("deliver", "RequestResponse", &long).await;
    assert_eq!(response, Ok((200, long)));
    harness.end().await;
}

#[tokio::test]
async fn a_function_wakes_itself_once_in_five_seconds_and_goes_on_when_it_cannot() {
    let mut harness = start(&CancellationToken::new());
    let at = |milliseconds| Timestamp::from_milliseconds(milliseconds).unwrap();
    let self_invoker = harness.self_invoker("deliver");
    for milliseconds in [1_000, 1_000, 5_999, 6_000] {
        self_invoker.clone().invoke(at(milliseconds)).await;
    }
    harness.self_invoker("other").invoke(at(0)).await;
    harness.stop.cancel();
    harness.serving.await.unwrap().unwrap();
    for _ in 0..2 {
        let wake = harness.invocations.try_recv().unwrap();
        assert_eq!(wake, ("deliver".to_owned(), json!({"source": "qasid.self-invoke"})));
    }
    assert!(harness.invocations.try_recv().is_err());
}
