//! A client for AWS services whose SDK crates aren't worth their compile time, because the functions call only one or
//! two operations.
//!
//! It sends signed requests with the runtime that the SDK crates are built on, and uses the credentials, retries, and
//! timeouts of the [`SdkConfig`].

pub mod s3;

use std::{error::Error, fmt, iter};

use aws_config::{SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_runtime::{
    auth::{SigV4OperationSigningConfig, SigningOptions, sigv4},
    recursion_detection::RecursionDetectionInterceptor,
    retries::classifiers::AwsErrorCodeClassifier,
};
use aws_smithy_runtime::client::{
    orchestrator::operation::Operation,
    retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier},
};
use aws_smithy_runtime_api::client::{
    auth::{AuthSchemeOptionResolverParams, static_resolver::StaticAuthSchemeOptionResolver},
    orchestrator::{HttpRequest, HttpResponse, OrchestratorError, SensitiveOutput},
    runtime_components::RuntimeComponentsBuilder,
    runtime_plugin::StaticRuntimePlugin,
};
use aws_smithy_types::{body::SdkBody, config_bag::Layer, error::ErrorMetadata};
use aws_types::{SigningName, region::SigningRegion, service_config::ServiceConfigKey};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A failed call. The text contains the service's error code and message, but never the content of a response.
pub type CallError = Box<dyn Error + Send + Sync>;

/// Returns the code with which the service refused a call, such as `ParameterNotFound`. `None` if it didn't respond, or
/// gave no code.
pub fn error_code(error: &CallError) -> Option<&str> {
    let first: &(dyn Error + 'static) = &**error;
    let mut causes = iter::successors(Some(first), |&error| error.source());
    causes.find_map(|error| error.downcast_ref::<ErrorMetadata>()?.code())
}

/// A service that [`ServiceClient`] can call.
#[derive(Clone, Copy, Debug)]
pub enum Service {
    /// AWS KMS
    Kms,
    /// AWS Lambda
    Lambda,
    /// Amazon S3
    S3,
    /// AWS Secrets Manager
    SecretsManager,
    /// AWS Systems Manager
    Ssm,
}

impl Service {
    /// Returns the service ID (AWS SDKs and Tools Reference Guide, "Service-specific endpoints"), as in
    /// `AWS_ENDPOINT_URL_LAMBDA`.
    fn id(self) -> &'static str {
        match self {
            Self::Kms => "KMS",
            Self::Lambda => "Lambda",
            Self::S3 => "S3",
            Self::SecretsManager => "Secrets Manager",
            Self::Ssm => "SSM",
        }
    }

    /// Returns the endpoint prefix, which is also the name in the signature (AWS General Reference, "Service endpoints
    /// and quotas").
    fn name(self) -> &'static str {
        match self {
            Self::Kms => "kms",
            Self::Lambda => "lambda",
            Self::S3 => "s3",
            Self::SecretsManager => "secretsmanager",
            Self::Ssm => "ssm",
        }
    }

    /// Returns the configured endpoint, or the service's own in the region.
    fn endpoint(self, sdk: &SdkConfig) -> Result<String, CallError> {
        let key = ServiceConfigKey::builder()
            .service_id(self.id())
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build()?;
        if let Some(url) = sdk.service_config().and_then(|config| config.load_config(key)) {
            return Ok(url);
        }
        if let Some(url) = sdk.endpoint_url() {
            return Ok(url.to_owned());
        }
        let region = sdk.region().ok_or("no AWS region is configured")?;
        let suffix = if region.as_ref().starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        Ok(format!("https://{}.{region}.{suffix}", self.name()))
    }
}

/// Sends signed requests to one service.
#[derive(Clone, Debug)]
pub struct ServiceClient {
    operation: Operation<Request, Content, ErrorMetadata>,
}

/// A POST request. `Debug` leaves out the body.
struct Request {
    path: String,
    headers: [(&'static str, &'static str); 2],
    body: Vec<u8>,
}

/// The body of a successful response. `Debug` leaves it out.
struct Content(Vec<u8>);

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({:?})", self.path)
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.0.len())
    }
}

impl ServiceClient {
    /// Creates a client that retries as `sdk` is configured to.
    ///
    /// # Errors
    /// If `sdk` lacks an HTTP client, credentials, or a region.
    pub fn new(sdk: &SdkConfig, service: Service) -> Result<Self, CallError> {
        let retries = sdk.retry_config().cloned().unwrap_or_else(RetryConfig::standard);
        Self::with_retries(sdk, service, &retries)
    }

    /// Creates a client that retries as `retries` is configured to.
    ///
    /// # Errors
    /// If `sdk` lacks an HTTP client, credentials, or a region.
    pub fn with_retries(sdk: &SdkConfig, service: Service, retries: &RetryConfig) -> Result<Self, CallError> {
        let http = sdk.http_client().ok_or("no HTTP client is configured")?;
        let credentials = sdk.credentials_provider().ok_or("no AWS credentials are configured")?;
        let mut layer = Layer::new("service");
        layer.store_put(SensitiveOutput);
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        layer.store_put(SigV4OperationSigningConfig {
            region: sdk.region().cloned().map(SigningRegion::from),
            region_set: None,
            name: Some(SigningName::from_static(service.name())),
            signing_options: SigningOptions::default(),
        });
        let components = RuntimeComponentsBuilder::new("service")
            .with_auth_scheme(sigv4::SigV4AuthScheme::new())
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![sigv4::SCHEME_ID])))
            .with_identity_resolver(sigv4::SCHEME_ID, credentials)
            .with_identity_cache(sdk.identity_cache());
        let mut operation = Operation::builder()
            .service_name(service.id())
            .operation_name("call")
            .http_client(http)
            .endpoint_url(&service.endpoint(sdk)?)
            .timeout_config(sdk.timeout_config().cloned().unwrap_or_else(|| TimeoutConfig::builder().build()))
            .standard_retry(retries)
            .retry_classifier(TransientErrorClassifier::<ErrorMetadata>::new())
            .retry_classifier(AwsErrorCodeClassifier::<ErrorMetadata>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .interceptor(RecursionDetectionInterceptor::new())
            .with_connection_poisoning()
            .runtime_plugin(StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components))
            .serializer(serialize)
            .deserializer(deserialize);
        if let Some(version) = sdk.behavior_version() {
            operation = operation.behavior_version(version);
        }
        Ok(Self { operation: operation.build() })
    }

    /// Calls an operation of a service with the AWS JSON 1.1 protocol. `target` is its `X-Amz-Target`, such as
    /// `secretsmanager.GetSecretValue`.
    ///
    /// # Errors
    /// If no attempt succeeds, or the response isn't JSON of the form `T`.
    pub async fn call<T: DeserializeOwned>(
        &self,
        target: &'static str,
        input: &impl Serialize,
    ) -> Result<T, CallError> {
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        let body = self.send(Request { path: "/".to_owned(), headers, body: serde_json::to_vec(input)? }).await?;
        // The cause is left out, because it could quote a secret.
        serde_json::from_slice(&body).map_err(|_| format!("unexpected response to {target}").into())
    }

    /// Queues `event` for an asynchronous invocation (Lambda API Reference, "Invoke", type `Event`).
    ///
    /// # Errors
    /// If Lambda doesn't accept the event.
    pub async fn invoke_async(&self, function: &str, event: &str) -> Result<(), CallError> {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let headers = [("content-type", "application/json"), ("x-amz-invocation-type", "Event")];
        self.send(Request { path, headers, body: event.into() }).await.map(|_| ())
    }

    async fn send(&self, request: Request) -> Result<Vec<u8>, CallError> {
        Ok(self.operation.invoke(request).await?.0)
    }
}

fn serialize(input: Request) -> Result<HttpRequest, CallError> {
    let mut request = HttpRequest::new(SdkBody::from(input.body));
    request.set_method("POST")?;
    request.set_uri(input.path)?;
    for (name, value) in input.headers {
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

fn deserialize(response: &HttpResponse) -> Result<Content, OrchestratorError<ErrorMetadata>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return Ok(Content(body.to_vec()));
    }
    Err(OrchestratorError::operation(error(response.headers().get("x-amzn-errortype"), body)))
}

/// Reads the code and message of an error response. The code can be `namespace#Code:link` (Smithy, "AWS JSON 1.1
/// protocol", "Operation error serialization").
fn error(header: Option<&str>, body: &[u8]) -> ErrorMetadata {
    #[derive(Default, Deserialize)]
    struct Body {
        #[serde(rename = "__type")]
        code: Option<String>,
        #[serde(alias = "Message")]
        message: Option<String>,
    }
    let body: Body = serde_json::from_slice(body).unwrap_or_default();
    let mut metadata = ErrorMetadata::builder();
    if let Some(code) = header.or(body.code.as_deref()) {
        let code = code.split_once('#').map_or(code, |(_, code)| code);
        metadata = metadata.code(code.split_once(':').map_or(code, |(code, _)| code));
    }
    if let Some(message) = body.message {
        metadata = metadata.message(message);
    }
    metadata.build()
}

#[cfg(test)]
pub(crate) mod tests;
