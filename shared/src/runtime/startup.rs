//! What every function does once, before its first event: log format, clients, and one cheap request that opens the
//! connection, so that the first event finds it warm.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::{Builder, tls};
use serde::de::DeserializeOwned;

use crate::{
    aws::{Service, ServiceClient},
    domain::system::System,
    http::origin_guard::OriginGuard,
    runtime::config::Environment,
    secrets::cipher::CredentialCipher,
    secrets::{OperatorSecret, Secrets},
    services::credentials::Credentials,
    services::self_invoker::SelfInvoker,
    store::Store,
    telemetry,
};

/// A function's failure to start.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

/// A function that is starting.
#[derive(Debug)]
pub struct Startup {
    /// The function's variables.
    pub environment: Environment,
    /// Time and randomness.
    pub system: System,
    aws: SdkConfig,
}

impl Startup {
    /// Sets up logging and the AWS clients' common part.
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub async fn begin() -> Self {
        lambda_runtime::tracing::init_default_subscriber();
        let https =
            Builder::new().tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring)).build_https();
        // Under every function's own timeout, so that a stall becomes an error that is logged and can be retried.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1))
            .operation_attempt_timeout(Duration::from_secs(3))
            .operation_timeout(Duration::from_secs(8))
            .build();
        let aws = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(https)
            .timeout_config(timeouts)
            .load()
            .await;
        let environment = Environment::new(|name| std::env::var(name).ok());
        if let Ok(name) = environment.function_name() {
            telemetry::set_function_name(name);
        }
        Self { environment, system: System::real(), aws }
    }

    /// The table.
    pub fn store(&self) -> Result<Store, StartError> {
        let client = aws_sdk_dynamodb::Client::new(&self.aws);
        let store = Store::new(client, self.environment.table_name()?, self.system);
        let environment = self.environment;
        Ok(store.with_inbox_shards(environment.inbox_shards()?).with_retention(environment.retention()?))
    }

    /// What WhatsApp knows us by.
    pub fn credentials(&self) -> Result<Credentials, StartError> {
        let secrets = self.secrets(self.environment.secret_id()?)?;
        Ok(Credentials::new(secrets, self.store()?, self.cipher()?, self.system))
    }

    /// What encrypts the credentials of numbers; `None` where the deployment has no key for them.
    pub fn cipher(&self) -> Result<Option<CredentialCipher>, StartError> {
        let Some(key_id) = self.environment.numbers_key_id() else { return Ok(None) };
        Ok(Some(CredentialCipher::new(ServiceClient::new(&self.aws, Service::Kms)?, key_id)))
    }

    /// The operator's key.
    pub fn operator_secret(&self) -> Result<Secrets<OperatorSecret>, StartError> {
        self.secrets(self.environment.operator_secret_id()?)
    }

    /// What tells requests that came through the firewall from others.
    pub fn origin_guard(&self) -> Result<OriginGuard, StartError> {
        let secret = self.environment.origin_secret_id().map(|id| self.secrets(id)).transpose()?;
        Ok(OriginGuard::new(secret, self.system))
    }

    /// What lets the function invoke itself.
    pub fn self_invoker(&self) -> Result<SelfInvoker, StartError> {
        // One repeat, for a connection that was closed while the process was frozen. More would hold up the invocation
        // for the sake of an event that the schedule makes up for.
        let retries = RetryConfig::standard().with_max_attempts(2);
        let client = ServiceClient::with_retries(&self.aws, Service::Lambda, &retries)?;
        Ok(SelfInvoker::new(client, self.environment.function_name()?))
    }

    fn secrets<T: DeserializeOwned + PartialEq>(&self, secret_id: String) -> Result<Secrets<T>, StartError> {
        Ok(Secrets::new(ServiceClient::new(&self.aws, Service::SecretsManager)?, secret_id))
    }
}
