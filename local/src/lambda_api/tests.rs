use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use futures_util::FutureExt;
use serde_json::Value;
use shared::{
    aws::{Service, ServiceClient},
    domain::time::Timestamp,
    services::function_invoker::{DeliverEvent, FunctionInvoker},
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::DropGuard;

use super::*;
use crate::template::{EventInvokeConfig, Statement};

/// The ARN in the template, and the one that names the package.
const ARNS: [&str; 2] = [
    "arn:aws:lambda:us-east-1:000000000000:function:qasid-Deliver",
    "arn:aws:lambda:us-east-1:000000000000:function:deliver",
];

pub(super) fn function(logical_id: &str, permissions: Vec<Statement>) -> Function {
    Function {
        logical_id: logical_id.to_owned(),
        name: logical_id.to_lowercase(),
        timeout: Duration::from_secs(3),
        memory_mb: 128,
        environment: BTreeMap::new(),
        json_logs: true,
        log_level: "INFO".to_owned(),
        reserved_concurrency: None,
        event_invoke_config: EventInvokeConfig::default(),
        permissions,
        routes: Vec::new(),
        streams: Vec::new(),
        schedules: Vec::new(),
    }
}

/// A running Lambda API.
struct Harness {
    url: String,
    output: Output,
    /// The functions and events of all invocations.
    invocations: UnboundedReceiver<(String, Value)>,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
    _guard: DropGuard,
}

/// Starts a fake whose functions echo their events. `{"fail": …}` fails, and `{"wait": …}` waits until `open` is
/// canceled. `Relay` may invoke `Deliver`, and no other function may invoke any.
fn start(open: &CancellationToken) -> Harness {
    let allow = Statement {
        actions: vec!["lambda:InvokeFunction".to_owned()],
        resources: vec![ARNS[0].to_owned()],
        leading_keys: None,
    };
    start_with(open, &[function("Deliver", Vec::new()), function("Relay", vec![allow])])
}

/// Starts a fake of these functions.
fn start_with(open: &CancellationToken, functions: &[Function]) -> Harness {
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
    let (output, stop) = (Output::captured(), CancellationToken::new());
    let (functions, task_output, task_stop) = (functions.to_vec(), output.clone(), stop.clone());
    let serving =
        tokio::spawn(async move { serve(listener, &functions, RETRY_DELAYS, lambda, task_output, task_stop).await });
    Harness { url, output, invocations, _guard: stop.clone().drop_guard(), stop, serving }
}

impl Harness {
    /// The status and the body, or the error's code.
    async fn invoke(&self, function: &str, kind: &str, event: impl ToString) -> Result<(u16, Value), String> {
        self.invoke_as("test", function, kind, event).await
    }

    /// Invokes a function as the holder of an access key.
    async fn invoke_as(
        &self,
        access_key: &str,
        function: &str,
        kind: &str,
        event: impl ToString,
    ) -> Result<(u16, Value), String> {
        let response = self.send(access_key, function, kind, event.to_string()).await;
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
    async fn send(&self, access_key: &str, function: &str, kind: &str, event: String) -> reqwest::Response {
        let url = format!("{}/2015-03-31/functions/{function}/invocations", self.url);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let authorization = format!("AWS4-HMAC-SHA256 Credential={access_key}/20260101/us-east-1/lambda/aws4_request");
        let request = client.post(url).header("authorization", authorization).header("x-amz-invocation-type", kind);
        request.body(event).send().await.unwrap()
    }

    fn invoker(&self, function: &str) -> FunctionInvoker {
        let credentials = Credentials::new("id", "secret", None, None, "test");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(&self.url)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new("us-east-1"))
            .retry_config(RetryConfig::disabled())
            .build();
        FunctionInvoker::new(ServiceClient::new(&sdk, Service::Lambda).unwrap(), function.to_owned())
    }

    /// Stops the fake and waits for the invocations in progress.
    async fn end(self) -> Output {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
        self.output
    }
}

#[tokio::test]
async fn a_synchronous_invocation_returns_the_response() {
    let harness = start(&CancellationToken::new());
    let names = ["deliver", "deliver:$LATEST", "qasid-Deliver", "000000000000:function:deliver"];
    for name in names.into_iter().chain(ARNS) {
        let response = harness.invoke(name, "RequestResponse", json!({"a": 1})).await;
        assert_eq!(response, Ok((200, json!({"a": 1}))), "{name}");
    }
    let failed = harness.invoke("deliver", "RequestResponse", json!({"fail": 1})).await;
    assert_eq!(failed, Ok((200, json!({"Unhandled": {"errorType": "E", "errorMessage": "no"}}))));
    let empty = harness.send("test", "deliver", "RequestResponse", String::new()).await;
    assert_eq!(empty.headers()["x-amz-executed-version"], "$LATEST");
    assert_eq!(empty.text().await.unwrap(), "{}");
    harness.end().await;
}

#[tokio::test]
async fn an_asynchronous_invocation_does_not_wait_for_the_function() {
    let open = CancellationToken::new();
    let mut harness = start(&open);
    for name in ["relay", "qasid-Relay", "deliver", ARNS[0], ARNS[1]] {
        let waiting = harness.invoke(name, "Event", json!({"wait": 1})).await;
        assert_eq!(waiting, Ok((202, Value::Null)));
        let invoked = harness.invocations.recv().await.unwrap().0;
        assert!(name.to_lowercase().ends_with(&invoked), "{name}: {invoked}");
    }
    open.cancel();
    let lines = harness.end().await.lines();
    assert_eq!(lines.iter().filter(|line| line.contains("invoked asynchronously")).count(), 5, "{lines:?}");
}

#[tokio::test]
async fn a_function_needs_the_permission_to_invoke() {
    let harness = start(&CancellationToken::new());
    for kind in ["Event", "RequestResponse"] {
        for name in ["deliver", "qasid-Deliver", ARNS[0], ARNS[1]] {
            assert!(harness.invoke_as("relay.1", name, kind, json!({})).await.is_ok(), "{name}");
        }
        for (access_key, name) in [
            ("relay.1", "relay"),
            ("deliver.1", "deliver"),
            ("deliver.27", ARNS[0]),
            // The policy names no version.
            ("relay.1", "deliver:$LATEST"),
        ] {
            let denied = harness.invoke_as(access_key, name, kind, json!({})).await;
            assert_eq!(denied, Err("AccessDeniedException".to_owned()), "{access_key} {name}");
        }
    }
    let denied = harness.send("deliver.1", "relay", "Event", "{}".to_owned()).await;
    assert_eq!(denied.status(), 403);
    let body: Value = serde_json::from_str(&denied.text().await.unwrap()).unwrap();
    let message = "User: arn:aws:sts::000000000000:assumed-role/DeliverRole/deliver is not authorized to perform: \
                   lambda:InvokeFunction on resource: arn:aws:lambda:us-east-1:000000000000:function:qasid-Relay \
                   because no identity-based policy allows the lambda:InvokeFunction action";
    assert_eq!(body["Message"], message);
    let lines = harness.end().await.lines();
    assert!(lines.iter().any(|line| line.contains("missing permission in the template") && line.contains(message)));
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
    let (invoker, interval) = (harness.invoker("deliver"), Duration::from_secs(5));
    for milliseconds in [1_000, 1_000, 5_999, 6_000] {
        invoker.clone().invoke_at_intervals(interval, at(milliseconds), &DeliverEvent::Due).await;
    }
    harness.invoker("other").invoke(&DeliverEvent::Due).await;
    harness.stop.cancel();
    harness.serving.await.unwrap().unwrap();
    for _ in 0..2 {
        let wake = harness.invocations.try_recv().unwrap();
        assert_eq!(wake, ("deliver".to_owned(), json!({"source": "qasid.self-invoke"})));
    }
    assert!(harness.invocations.try_recv().is_err());
}
