//! Access tokens, app secrets, and verify tokens of the deployment and of single numbers.
//!
//! Credentials are cached. They can be rotated at any time, so a credential that fails is read again immediately.

use std::{fmt, sync::Arc};

use crate::{
    domain::{health::CredentialSource, number::RegisteredNumber, system::System, time::Timestamp},
    secrets::{
        Secrets, SecretsError, Values,
        cipher::{CipherError, CredentialCipher, Kind},
        refreshing_cache::{MIN_REFRESH_INTERVAL, Refresh, RefreshingCache},
    },
    store::{Store, StoreError},
    telemetry,
    whatsapp::is_valid_signature,
};

/// The credentials for webhooks and sends.
#[derive(Clone, Debug)]
pub struct Credentials {
    secrets: Secrets,
    numbers: Option<Numbers>,
    system: System,
}

/// The numbers with their own credentials.
#[derive(Clone, Debug)]
struct Numbers {
    store: Store,
    cipher: CredentialCipher,
    registered: RefreshingCache<Vec<RegisteredNumber>>,
}

/// Credentials could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The deployment's secret could not be read.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The numbers could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A number's credentials could not be decrypted.
    #[error(transparent)]
    CredentialCipher(#[from] CipherError),
}

/// A Cloud API access token. Its `Debug` output doesn't contain the token.
#[derive(Clone)]
pub struct AccessToken {
    text: Arc<str>,
    read_at: Timestamp,
    source: CredentialSource,
}

impl AccessToken {
    /// Returns the token.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns where the token is stored.
    pub fn source(&self) -> CredentialSource {
        self.source
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// The result of looking for a replacement of a refused token.
#[derive(Debug)]
pub enum Replacement {
    /// There is a different token.
    Token(AccessToken),
    /// The refused token is the current one.
    None,
    /// Unknown: the credentials could not be read.
    NotYet,
}

/// The Meta app that signed a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookApp {
    /// The deployment's app, which belongs to the operator. It may send updates for every number.
    Deployment,
    /// The app of these numbers, which may belong to a customer. It may only send updates for these numbers.
    Numbers(Vec<String>),
}

impl WebhookApp {
    /// Returns whether the app may send updates for this number.
    pub fn owns(&self, phone_number_id: &str) -> bool {
        match self {
            Self::Deployment => true,
            Self::Numbers(numbers) => numbers.iter().any(|number| number == phone_number_id),
        }
    }
}

impl Credentials {
    /// Creates credentials from the deployment's secret and, with a `cipher`, from the numbers in the table.
    pub fn new(secrets: Secrets, store: Store, cipher: Option<CredentialCipher>, system: System) -> Self {
        let numbers = cipher.map(|cipher| Numbers { store, cipher, registered: RefreshingCache::new("numbers") });
        Self { secrets, numbers, system }
    }

    /// Reads the secret and the numbers before the first event arrives.
    pub async fn warm_up(&self) {
        let now = self.system.now();
        let numbers = async {
            match &self.numbers {
                Some(numbers) => numbers.registered.get(now, numbers.store.numbers().list()).await.map(drop),
                None => Ok(()),
            }
        };
        let (secret, numbers) = tokio::join!(self.secrets.get(now), numbers);
        if let Err(error) = secret {
            tracing::warn!(error = telemetry::chain(&error), "secret warm-up failed");
        }
        if let Err(error) = numbers {
            tracing::warn!(error = telemetry::chain(&error), "numbers warm-up failed");
        }
    }

    /// Returns whether `token` is a verify token.
    ///
    /// # Errors
    ///
    /// [`CredentialsError::Secrets`] if the secret can't be read.
    pub async fn verifies(&self, token: &str) -> Result<bool, CredentialsError> {
        let now = self.system.now();
        let secrets = self.secrets.get(now).await?;
        if secrets.verify_token.contains(token) {
            return Ok(true);
        }
        let newer = self.secrets.refresh_if(&secrets, now).await;
        Ok(newer.is_some_and(|newer| newer.verify_token.contains(token)))
    }

    /// Returns the app that signed a webhook, or `None` if the signature is invalid. `signature` is the value of the
    /// header `X-Hub-Signature-256`. Tries cached secrets first, and the deployment's before the numbers', so that most
    /// webhooks need one comparison.
    ///
    /// # Errors
    ///
    /// [`CredentialsError`] if credentials that may match can't be read.
    pub async fn webhook_app(&self, body: &[u8], signature: &str) -> Result<Option<WebhookApp>, CredentialsError> {
        let signed = |secrets: &Values| secrets.iter().any(|secret| is_valid_signature(body, signature, secret));
        let now = self.system.now();
        let secrets = self.secrets.get(now).await?;
        if signed(&secrets.app_secret) {
            return Ok(Some(WebhookApp::Deployment));
        }
        let known = match &self.numbers {
            Some(numbers) => {
                let known = numbers.registered.get(now, numbers.store.numbers().list()).await?;
                if let Some(webhook_app) = self.signing_numbers(numbers, &known, signed).await? {
                    return Ok(Some(webhook_app));
                }
                Some((numbers, known))
            }
            None => None,
        };
        if let Some(newer) = self.secrets.refresh_if(&secrets, now).await
            && signed(&newer.app_secret)
        {
            return Ok(Some(WebhookApp::Deployment));
        }
        let Some((numbers, known)) = known else { return Ok(None) };
        match numbers.registered.refresh_if(&known, MIN_REFRESH_INTERVAL, now, numbers.store.numbers().list()).await {
            Refresh::Value(newer) => self.signing_numbers(numbers, &newer, signed).await,
            Refresh::Same | Refresh::NotYet => Ok(None),
        }
    }

    /// Returns the numbers whose app secret matches the signature. Tries each distinct secret once.
    async fn signing_numbers(
        &self,
        numbers: &Numbers,
        known: &[RegisteredNumber],
        signed: impl Fn(&Values) -> bool,
    ) -> Result<Option<WebhookApp>, CredentialsError> {
        let (mut tried, mut found, mut failure) = (Vec::<(Arc<str>, bool)>::new(), Vec::new(), None);
        for number in known {
            let Some(ciphertext) = &number.app_secret else { continue };
            let now = self.system.now();
            let secrets = match numbers.cipher.decrypt(Kind::AppSecret, &number.phone_number_id, ciphertext, now).await
            {
                Ok(secrets) => secrets,
                // Another number's secret may still match.
                Err(error) => {
                    failure = Some(error);
                    continue;
                }
            };
            let known = tried.iter().find(|(other, _)| *other == secrets).map(|(_, signs)| *signs);
            let signs = known.unwrap_or_else(|| {
                let signs = serde_json::from_str(&secrets).is_ok_and(|values: Values| signed(&values));
                tried.push((secrets, signs));
                signs
            });
            if signs {
                found.push(number.phone_number_id.clone());
            }
        }
        match failure {
            _ if !found.is_empty() => Ok(Some(WebhookApp::Numbers(found))),
            Some(failure) => Err(failure.into()),
            None => Ok(None),
        }
    }

    /// Returns the number's own access token, or the deployment's if it has none.
    ///
    /// # Errors
    ///
    /// [`CredentialsError`] if the token can't be read.
    pub async fn access_token(&self, phone_number_id: &str) -> Result<AccessToken, CredentialsError> {
        let now = self.system.now();
        if let Some(numbers) = &self.numbers {
            let known = numbers.registered.get(now, numbers.store.numbers().list()).await?;
            if let Some(text) = self.own_token(numbers, &known, phone_number_id).await? {
                return Ok(AccessToken { text, read_at: now, source: CredentialSource::Number });
            }
        }
        let text = self.secrets.get(now).await?.access_token.as_str().into();
        Ok(AccessToken { text, read_at: now, source: CredentialSource::Deployment })
    }

    /// Returns the app secrets that verify webhooks for a number: its own, and the deployment's.
    ///
    /// # Errors
    ///
    /// [`CredentialsError`] if the secrets can't be read.
    pub async fn app_secrets(
        &self,
        phone_number_id: &str,
    ) -> Result<Vec<(CredentialSource, Values)>, CredentialsError> {
        let now = self.system.now();
        let mut secrets = Vec::new();
        if let Some(numbers) = &self.numbers {
            let known = numbers.registered.get(now, numbers.store.numbers().list()).await?;
            let number = known.iter().find(|number| number.phone_number_id == phone_number_id);
            if let Some(ciphertext) = number.and_then(|number| number.app_secret.as_ref()) {
                let own = numbers.cipher.decrypt(Kind::AppSecret, phone_number_id, ciphertext, now).await?;
                secrets.extend(serde_json::from_str(&own).ok().map(|own| (CredentialSource::Number, own)));
            }
        }
        secrets.push((CredentialSource::Deployment, self.secrets.get(now).await?.app_secret.clone()));
        Ok(secrets)
    }

    /// Looks for a replacement of a token that WhatsApp has refused.
    pub async fn replacement(&self, phone_number_id: &str, refused: &AccessToken) -> Replacement {
        let now = self.system.now();
        // Credentials read after the refused token are new enough: of many sends that fail at once, one reads them
        // again.
        let age = now.since(refused.read_at);
        let mut is_current = true;
        if let Some(numbers) = &self.numbers
            && let Ok(known) = numbers.registered.get(now, numbers.store.numbers().list()).await
        {
            is_current &= numbers.registered.refresh_if(&known, age, now, numbers.store.numbers().list()).await
                != Refresh::NotYet;
        }
        if let Ok(secrets) = self.secrets.get(now).await {
            is_current &= self.secrets.refresh_if_older(&secrets, age, now).await != Refresh::NotYet;
        }
        match self.access_token(phone_number_id).await {
            Ok(token) if token.text != refused.text => Replacement::Token(token),
            Ok(_) if is_current => Replacement::None,
            _ => Replacement::NotYet,
        }
    }

    async fn own_token(
        &self,
        numbers: &Numbers,
        known: &[RegisteredNumber],
        phone_number_id: &str,
    ) -> Result<Option<Arc<str>>, CipherError> {
        let number = known.iter().find(|number| number.phone_number_id == phone_number_id);
        let Some(ciphertext) = number.and_then(|number| number.access_token.as_ref()) else { return Ok(None) };
        let now = self.system.now();
        numbers.cipher.decrypt(Kind::AccessToken, phone_number_id, ciphertext, now).await.map(Some)
    }
}

#[cfg(test)]
mod tests;
