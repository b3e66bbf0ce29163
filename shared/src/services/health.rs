//! The health of a session: asks WhatsApp and the table, and checks what they say.

use futures_util::future::join_all;

use crate::{
    domain::{
        health::{
            AppSecretMatch, AppSubscription, Check, CredentialSource, Deployment, Gateway, NumberInfo, NumberReview,
            Report, TokenInfo, access_token, app_secret, callback, connection, display_name, last_webhook,
            number_status, outbox, quality, sending, subscription, throughput,
        },
        id::SessionId,
        message::Channel,
        session::Session,
        stats::{HOUR, Range},
        system::System,
        time::Timestamp,
        whatsapp_error::ReadError,
    },
    secrets::Values,
    services::{
        credentials::{AccessToken, Credentials, CredentialsError, Replacement},
        sessions::{self, SessionError},
    },
    store::{Store, StoreError},
    telemetry,
    whatsapp::GraphReader,
};

/// Checks the health of sessions.
#[derive(Clone, Debug)]
pub struct HealthChecks {
    reader: GraphReader,
    credentials: Credentials,
    system: System,
    settings: HealthSettings,
}

/// What a function knows about its deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSettings {
    /// The deployment's own domain name, if it has one.
    pub domain_name: Option<String>,
    /// Whether the deployment has a firewall.
    pub has_firewall: bool,
    /// The messages per second that `deliver` sends from a number.
    pub messages_per_second: u32,
}

/// A request for the health of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthRequest {
    /// The session.
    pub session_id: SessionId,
    /// Where the request was received.
    pub gateway: Gateway,
    /// Whether the caller acts for every owner, and may know about numbers that the session isn't linked to.
    pub is_admin: bool,
}

/// What WhatsApp says, in one round of requests.
struct Facts {
    token: Result<TokenInfo, ReadError>,
    number: Result<NumberInfo, ReadError>,
    review: Result<NumberReview, ReadError>,
    app_secret: AppSecretMatch,
    account_id: Option<String>,
    subscribed: Option<Result<Vec<String>, ReadError>>,
    app: Option<Result<Option<AppSubscription>, ReadError>>,
}

/// The credentials of a number. A failure to read them makes checks unknown.
struct NumberCredentials {
    token: Result<AccessToken, ReadError>,
    app_secrets: Result<Vec<(CredentialSource, Values)>, ReadError>,
}

/// What the table knows about webhooks and sends.
struct Traffic {
    last_webhook_at: Option<Timestamp>,
    /// Messages of the last day that WhatsApp accepted in hours after that of the last webhook.
    sent: u64,
}

impl HealthChecks {
    /// Creates the use case.
    pub fn new(reader: GraphReader, credentials: Credentials, system: System, settings: HealthSettings) -> Self {
        Self { reader, credentials, system, settings }
    }

    /// Checks a session. Only checks that apply to it are part of the report.
    ///
    /// # Errors
    ///
    /// If the session doesn't exist or the table doesn't respond. A failure of WhatsApp is part of the report.
    pub async fn check(&self, store: &Store, request: &HealthRequest) -> Result<Report, SessionError> {
        let session = sessions::find(store, request.session_id).await?;
        let mut checks = vec![connection(&session)];
        let is_linked = session.channel == Channel::CloudApi && session.phone_number_id.is_some();
        let traffic = if is_linked { Some(self.traffic(store, session.id).await?) } else { None };
        if let Some(number) = number(&session, request.is_admin) {
            checks.extend(self.number_checks(store, &session, number, traffic.as_ref(), request).await?);
        }
        checks.extend(traffic.map(|traffic| last_webhook(traffic.last_webhook_at, traffic.sent)));
        if is_linked || session.channel == Channel::Worker {
            checks.push(outbox(&session));
        }
        Ok(Report::new(checks))
    }

    async fn number_checks(
        &self,
        store: &Store,
        session: &Session,
        number: &str,
        traffic: Option<&Traffic>,
        request: &HealthRequest,
    ) -> Result<Vec<Check>, StoreError> {
        let (owner, credentials) = tokio::join!(store.numbers().owner(number), self.credentials_of(number));
        let account = owner?.filter(|owner| owner.session_id == session.id).and_then(|owner| owner.waba_id);
        let now = self.system.now();
        let (facts, source, has_token) = match credentials.token {
            Ok(token) if token.as_str().is_empty() => {
                let error = ReadError::NoResponse("WhatsApp can't be asked without an access token".to_owned());
                let mut facts = Facts::unread(&error, account);
                if credentials
                    .app_secrets
                    .as_ref()
                    .is_ok_and(|secrets| secrets.iter().all(|(_, values)| values.is_empty()))
                {
                    facts.app_secret = AppSecretMatch::NoSecret;
                }
                (facts, token.source(), false)
            }
            Ok(token) => {
                let (facts, source) = self.facts(number, account, token, &credentials.app_secrets).await;
                (facts, source, true)
            }
            Err(error) => (Facts::unread(&error, account), CredentialSource::Deployment, true),
        };
        let deployment = Deployment {
            gateway: request.gateway.clone(),
            domain_name: self.settings.domain_name.clone(),
            has_firewall: self.settings.has_firewall,
            receives_webhooks: traffic
                .and_then(|traffic| traffic.last_webhook_at)
                .is_some_and(|at| now.since(at) < HOUR * 24),
        };
        let account = facts.account_id.as_deref();
        let app_id = facts.token.as_ref().ok().and_then(|token| token.app_id.as_deref());
        Ok(vec![
            access_token(has_token.then_some(&facts.token), source, account, now),
            number_status(&facts.number, number),
            sending(&facts.review),
            subscription(account, facts.subscribed.as_ref(), app_id, facts.app.as_ref()),
            callback(&facts.number, &deployment, number, account),
            app_secret(&facts.app_secret, source, app_id),
            quality(&facts.number),
            throughput(&facts.number, self.settings.messages_per_second),
            display_name(&facts.number, &facts.review),
        ])
    }

    async fn credentials_of(&self, number: &str) -> NumberCredentials {
        let (token, app_secrets) =
            tokio::join!(self.credentials.access_token(number), self.credentials.app_secrets(number));
        let unread = |error: CredentialsError| {
            tracing::error!(error = telemetry::chain(&error), "credentials not available");
            ReadError::NoResponse("The stored credentials can't be read".to_owned())
        };
        NumberCredentials { token: token.map_err(unread), app_secrets: app_secrets.map_err(unread) }
    }

    /// Asks WhatsApp with the number's token, again with a newer one if WhatsApp refuses it. Returns the answers and where
    /// the token is stored.
    async fn facts(
        &self,
        number: &str,
        account: Option<String>,
        token: AccessToken,
        app_secrets: &Result<Vec<(CredentialSource, Values)>, ReadError>,
    ) -> (Facts, CredentialSource) {
        let facts = self.facts_with(number, account.clone(), token.as_str(), app_secrets).await;
        let is_refused = match &facts.token {
            Ok(token) => !token.is_valid,
            Err(error) => error.is_token_refused(),
        };
        if is_refused && let Replacement::Token(newer) = self.credentials.replacement(number, &token).await {
            let source = newer.source();
            return (self.facts_with(number, account, newer.as_str(), app_secrets).await, source);
        }
        let source = token.source();
        (facts, source)
    }

    async fn facts_with(
        &self,
        number: &str,
        account: Option<String>,
        token: &str,
        app_secrets: &Result<Vec<(CredentialSource, Values)>, ReadError>,
    ) -> Facts {
        let reader = &self.reader;
        let (info, status, review, secret) = tokio::join!(
            reader.token(token),
            reader.number(number, token),
            reader.number_review(number, token),
            self.app_secret_of(number, token, app_secrets),
        );
        let account_id = account.or_else(|| review.as_ref().ok()?.account_id().map(str::to_owned));
        let app_id = info.as_ref().ok().and_then(|info| info.app_id.clone());
        let subscribed = async { Some(reader.subscribed_apps(account_id.as_deref()?, token).await) };
        let app = async { Some(reader.app_subscription(app_id.as_deref()?, secret.as_ref().ok()?.1).await) };
        let (subscribed, app) = tokio::join!(subscribed, app);
        let app_secret = match &secret {
            Ok((source, _)) => AppSecretMatch::Match(*source),
            Err(mismatch) => mismatch.clone(),
        };
        Facts { token: info, number: status, review, app_secret, account_id, subscribed, app }
    }

    /// Returns the stored app secret that belongs to the token's app.
    async fn app_secret_of<'a>(
        &self,
        number: &str,
        token: &str,
        app_secrets: &'a Result<Vec<(CredentialSource, Values)>, ReadError>,
    ) -> Result<(CredentialSource, &'a str), AppSecretMatch> {
        let app_secrets = app_secrets.as_ref().map_err(|error| AppSecretMatch::Unknown(error.clone()))?;
        let app_secrets = app_secrets.iter().flat_map(|(source, values)| values.iter().map(|value| (*source, value)));
        let tried =
            join_all(app_secrets.map(async |(source, secret)| {
                (source, secret, self.reader.is_secret_of_app(number, token, secret).await)
            }));
        let mut result = AppSecretMatch::NoSecret;
        for (source, secret, is_match) in tried.await {
            match is_match {
                Ok(true) => return Ok((source, secret)),
                Ok(false) if result == AppSecretMatch::NoSecret => result = AppSecretMatch::Mismatch,
                Ok(false) => {}
                Err(error) => result = AppSecretMatch::Unknown(error),
            }
        }
        Err(result)
    }

    async fn traffic(&self, store: &Store, session_id: SessionId) -> Result<Traffic, StoreError> {
        let now = self.system.now();
        let day = Range { from: now.before(HOUR * 24).start_of(HOUR), to: now.start_of(HOUR).after(HOUR) };
        let stats = store.stats();
        let (last_webhook_at, hours) = tokio::join!(stats.last_webhook_at(session_id), stats.read(session_id, day));
        let last_webhook_at = last_webhook_at?;
        let is_later = |hour: Timestamp| last_webhook_at.is_none_or(|at| hour > at);
        let sent = hours?.iter().filter(|(hour, _)| is_later(*hour)).map(|(_, counters)| counters.sent).sum();
        Ok(Traffic { last_webhook_at, sent })
    }
}

impl Facts {
    /// Nothing, because WhatsApp can't be asked.
    fn unread(error: &ReadError, account_id: Option<String>) -> Self {
        let subscribed = account_id.as_ref().map(|_| Err(error.clone()));
        Self {
            token: Err(error.clone()),
            number: Err(error.clone()),
            review: Err(error.clone()),
            app_secret: AppSecretMatch::Unknown(error.clone()),
            account_id,
            subscribed,
            app: None,
        }
    }
}

/// Returns the number to check: the session's own or, for an admin, the one that it is to be paired with.
fn number(session: &Session, is_admin: bool) -> Option<&str> {
    if session.channel == Channel::Worker {
        return None;
    }
    let to_pair = session.qr_phone_number_id.as_deref().filter(|_| is_admin);
    session.phone_number_id.as_deref().or(to_pair)
}
