//! The start of a function: logging, clients, and requests that open the connections before the first event.

use std::{cell::OnceCell, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};
use serde::de::DeserializeOwned;

use crate::{
    aws::{
        Service, ServiceClient,
        s3::{self, Bucket},
    },
    domain::system::System,
    http::{authorizer::Authorizer, origin_guard::OriginGuard},
    runtime::config::Environment,
    secrets::{Secrets, cipher::CredentialCipher, signing_key::SigningKeyReader},
    services::{
        authentication::{Authentication, Tokens},
        auto_reply::Responder,
        credentials::Credentials,
        deliver::{Dispatcher, FileUploader, Invokers},
        function_invoker::FunctionInvoker,
        health::HealthChecks,
        media::{Fetcher, MediaLinks},
        notify::Notifier,
        read_receipt::ReadReceipts,
        receive::Receiver,
        relay::Relay,
        templates::Templates,
        webhook::Webhook,
        webhook_client::WebhookClient,
        webhook_endpoints::WebhookCreator,
        webhook_payload::WebhookPayloads,
        webhook_sender::WebhookSender,
    },
    store::Store,
    telemetry,
    whatsapp::{CloudApi, GraphReader, MediaClient},
};

/// Why a function can't start, or an invocation fails.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

/// The state of most handlers.
#[derive(Clone, Debug)]
pub struct App {
    /// The table.
    pub store: Store,
    /// The clock and randomness.
    pub system: System,
    /// The environment variables.
    pub environment: Environment,
    /// The URLs of files.
    pub media: MediaLinks,
}

/// Builds the clients and use cases of a function.
#[derive(Debug)]
pub struct Startup {
    /// The environment variables.
    pub environment: Environment,
    system: System,
    /// The HTTP connections of all clients, so that a process reads the root certificates once.
    http: SharedHttpConnector,
    aws: SdkConfig,
    dynamodb: OnceCell<aws_sdk_dynamodb::Client>,
}

/// Starts logging. Returns the environment of the process.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(super) fn start_logging() -> Environment {
    let environment = Environment::new(|name| std::env::var(name).ok());
    let function = environment.function_name().unwrap_or_else(|_| "unnamed".to_owned());
    telemetry::init(function, environment.log_level(), System::real());
    environment
}

/// Returns the origin of the URLs of files; `None` if they stay at WhatsApp. Needs no clients, so that a process that only
/// serves files starts without them.
pub(super) fn media_origin(environment: Environment) -> Result<Option<String>, StartError> {
    let Some(bucket) = environment.media_bucket() else { return Ok(None) };
    let mut sdk = SdkConfig::builder();
    sdk.set_region(environment.region().map(Region::new)).set_endpoint_url(environment.s3_endpoint());
    s3::origin(&sdk.build(), &bucket).map(Some)
}

impl Startup {
    /// Sets up logging and the configuration of the AWS clients.
    pub async fn begin() -> Self {
        let environment = start_logging();
        // Long enough to repeat a lost SYN packet, which Linux does after a second.
        let connect_timeout = HttpConnectorSettings::builder().connect_timeout(Duration::from_secs(2)).build();
        let connector = Connector::builder().connector_settings(connect_timeout);
        let http = SharedHttpConnector::new(connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).build());
        let shared = http.clone();
        // Below every function's timeout, so that a stalled request becomes an error that is logged and can be retried.
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(Duration::from_secs(3))
            .operation_timeout(Duration::from_secs(8))
            .build();
        let aws = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http_client_fn(move |_, _| shared.clone()))
            .timeout_config(timeouts)
            .load()
            .await;
        Self { environment, system: System::real(), http, aws, dynamodb: OnceCell::new() }
    }

    /// The state of most handlers, with an open connection to the table.
    pub async fn app(&self) -> Result<App, StartError> {
        let (store, media) = (self.store()?, self.media_links().await?);
        let app = App { store, system: self.system, environment: self.environment, media };
        app.store.warm_up().await;
        Ok(app)
    }

    /// The authorizer.
    pub async fn authorizer(&self) -> Result<Authorizer, StartError> {
        let operator_keys = self.environment.operator_key_hashes();
        let tokens = self.environment.token_issuer()?.map(Tokens::new);
        let authentication = Authentication::new(self.store()?, operator_keys, tokens, self.system);
        let authorizer = Authorizer::new(authentication, self.origin_guard()?, self.system);
        authorizer.warm_up().await;
        Ok(authorizer)
    }

    /// The dispatcher of outbound messages.
    pub async fn dispatcher(&self) -> Result<Dispatcher, StartError> {
        let settings = self.environment.delivery_settings()?;
        let (cloud_api, credentials) = (self.cloud_api()?, self.credentials()?);
        let invokers = Invokers {
            deliver: self.function_invoker(self.environment.function_name()?)?,
            notify: self.notify_invoker()?,
            media_fetch: self.media_invoker()?,
        };
        let files = self.bucket().await?.map(|bucket| {
            Ok::<_, StartError>(FileUploader::new(
                self.store()?,
                bucket,
                self.media_client()?,
                credentials.clone(),
                self.system,
            ))
        });
        let files = files.transpose()?;
        let dispatcher = Dispatcher::new(self.store()?, cloud_api, credentials, invokers, files, self.system, settings);
        dispatcher.warm_up().await;
        Ok(dispatcher)
    }

    /// The relay of changes and auto-replies.
    pub async fn relay(&self) -> Result<Relay, StartError> {
        let limits = self.environment.auto_reply_limits()?;
        let store = self.app().await?.store;
        Ok(Relay::new(
            store.clone(),
            Responder::new(store, self.system, limits),
            self.notify_invoker()?,
            self.media_invoker()?,
        ))
    }

    /// Read receipts.
    pub async fn read_receipts(&self) -> Result<ReadReceipts, StartError> {
        let credentials = self.credentials()?;
        credentials.warm_up().await;
        Ok(ReadReceipts::new(self.cloud_api()?, credentials))
    }

    /// The health checks.
    pub async fn health_checks(&self) -> Result<HealthChecks, StartError> {
        let (credentials, settings) = (self.credentials()?, self.environment.health_settings()?);
        credentials.warm_up().await;
        Ok(HealthChecks::new(self.graph_reader()?, credentials, self.system, settings))
    }

    /// Message templates.
    pub async fn templates(&self) -> Result<Templates, StartError> {
        let credentials = self.credentials()?;
        credentials.warm_up().await;
        Ok(Templates::new(self.graph_reader()?, credentials))
    }

    /// The webhook and the guard in front of it.
    pub async fn webhook(&self) -> Result<(Webhook, OriginGuard), StartError> {
        let (own_number, policy) = (self.environment.business_number(), self.environment.pairing_policy());
        let receiver = Receiver::new(self.store()?, self.system, own_number, policy);
        let webhook = Webhook::new(receiver, self.credentials()?, self.system);
        let origin_guard = self.origin_guard()?;
        let number = self.environment.phone_number_id().unwrap_or_default();
        tokio::join!(origin_guard.warm_up(), webhook.warm_up(&number));
        Ok((webhook, origin_guard))
    }

    /// The cipher of the numbers' credentials; `None` if the deployment has no key for them.
    pub fn cipher(&self) -> Result<Option<CredentialCipher>, StartError> {
        let Some(key_id) = self.environment.numbers_key_id() else { return Ok(None) };
        Ok(Some(CredentialCipher::new(ServiceClient::new(&self.aws, Service::Kms)?, key_id)))
    }

    /// The notifier of webhooks.
    pub async fn notifier(&self) -> Result<Notifier, StartError> {
        let self_invoker = self.function_invoker(self.environment.function_name()?)?;
        let notifier = Notifier::new(self.store()?, self.webhook_sender().await?, self_invoker, self.system);
        notifier.warm_up().await;
        Ok(notifier)
    }

    /// The reader of the key that signs outgoing webhooks.
    pub fn signing_key(&self) -> Result<SigningKeyReader, StartError> {
        let client = ServiceClient::new(&self.aws, Service::Ssm)?;
        Ok(SigningKeyReader::new(client, self.environment.signing_key_parameter()?, self.system))
    }

    /// The creator of outgoing webhooks.
    pub fn webhook_creator(&self) -> Result<WebhookCreator, StartError> {
        Ok(WebhookCreator::new(self.webhook_client(), self.signing_key()?, self.system))
    }

    /// The sender of outgoing webhooks.
    pub async fn webhook_sender(&self) -> Result<WebhookSender, StartError> {
        let links = self.media_links().await?;
        let payloads = WebhookPayloads::new(self.store()?, links, self.system, self.environment.business_number());
        Ok(WebhookSender::new(self.webhook_client(), self.signing_key()?, payloads, self.system))
    }

    /// The bucket with the files of messages; `None` if they stay at WhatsApp.
    pub async fn bucket(&self) -> Result<Option<Bucket>, StartError> {
        let Some(name) = self.environment.media_bucket() else { return Ok(None) };
        Ok(Some(Bucket::new(&self.aws, self.http.clone(), &name, self.system).await?))
    }

    async fn media_links(&self) -> Result<MediaLinks, StartError> {
        Ok(MediaLinks::new(self.bucket().await?, self.system))
    }

    fn webhook_client(&self) -> WebhookClient {
        WebhookClient::new(self.environment.allows_local_webhooks())
    }

    fn store(&self) -> Result<Store, StartError> {
        let client = self.dynamodb.get_or_init(|| aws_sdk_dynamodb::Client::new(&self.aws));
        let store = Store::new(client.clone(), self.environment.table_name()?, self.system);
        Ok(store
            .with_inbox_shards(self.environment.inbox_shards()?)
            .with_retention(self.environment.retention()?)
            .with_change_retention(self.environment.change_retention()?))
    }

    fn cloud_api(&self) -> Result<CloudApi, StartError> {
        Ok(CloudApi::new(self.http.clone(), self.environment.graph_api_url()?))
    }

    fn graph_reader(&self) -> Result<GraphReader, StartError> {
        Ok(GraphReader::new(self.http.clone(), self.environment.graph_api_url()?))
    }

    fn media_client(&self) -> Result<MediaClient, StartError> {
        Ok(MediaClient::new(self.http.clone(), self.environment.graph_api_url()?))
    }

    fn credentials(&self) -> Result<Credentials, StartError> {
        let secrets = self.secrets(self.environment.secret_id()?)?;
        Ok(Credentials::new(secrets, self.store()?, self.cipher()?, self.system))
    }

    fn origin_guard(&self) -> Result<OriginGuard, StartError> {
        let secret = self.environment.origin_secret_id().map(|id| self.secrets(id)).transpose()?;
        Ok(OriginGuard::new(secret, self.system))
    }

    /// The invoker of `notify`.
    pub fn notify_invoker(&self) -> Result<FunctionInvoker, StartError> {
        self.function_invoker(self.environment.notify_function()?)
    }

    /// The invoker of `media-fetch`; `None` if files stay at WhatsApp.
    fn media_invoker(&self) -> Result<Option<FunctionInvoker>, StartError> {
        match self.environment.media_bucket() {
            Some(_) => self.function_invoker(self.environment.media_fetch_function()?).map(Some),
            None => Ok(None),
        }
    }

    /// The fetcher of received files.
    pub async fn fetcher(&self) -> Result<Fetcher, StartError> {
        let bucket = self.bucket().await?.ok_or("MEDIA_BUCKET isn't set")?;
        let clients = (self.graph_reader()?, self.media_client()?);
        let notify = self.notify_invoker()?;
        let fetcher = Fetcher::new(self.store()?, bucket, clients, self.credentials()?, notify, self.system);
        fetcher.warm_up().await;
        Ok(fetcher)
    }

    fn function_invoker(&self, function: String) -> Result<FunctionInvoker, StartError> {
        // One retry, for a connection that was closed while the process was frozen. More would delay the invocation for an
        // event that the schedule makes up for.
        let retries = RetryConfig::standard().with_max_attempts(2);
        let client = ServiceClient::with_retries(&self.aws, Service::Lambda, &retries)?;
        Ok(FunctionInvoker::new(client, function))
    }

    fn secrets<T: DeserializeOwned + PartialEq>(&self, secret_id: String) -> Result<Secrets<T>, StartError> {
        Ok(Secrets::new(ServiceClient::new(&self.aws, Service::SecretsManager)?, secret_id))
    }
}
