//! By what WhatsApp knows us, and by what we know WhatsApp: the deployment's secret, and what single numbers have of their
//! own. Nobody tells us when one is changed, so one that fails is asked for again at once, ahead of its time.

use std::{fmt, sync::Arc};

use crate::{
    domain::number::RegisteredNumber,
    domain::system::System,
    domain::time::Timestamp,
    secrets::cipher::{CipherError, CredentialCipher, Kind},
    secrets::refreshing_cache::{MIN_REFRESH_INTERVAL, Refresh, RefreshingCache},
    secrets::{Secrets, SecretsError, Values},
    store::{Store, StoreError},
    whatsapp::is_valid_signature,
};

/// The secrets that webhooks and sends need.
#[derive(Clone, Debug)]
pub struct Credentials {
    secrets: Secrets,
    numbers: Option<Numbers>,
    system: System,
}

/// The numbers that have credentials of their own.
#[derive(Clone, Debug)]
struct Numbers {
    store: Store,
    cipher: CredentialCipher,
    known: RefreshingCache<Vec<RegisteredNumber>>,
}

/// Credentials could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The deployment's.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The numbers.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A number's own.
    #[error(transparent)]
    CredentialCipher(#[from] CipherError),
}

/// What authorises a send.
#[derive(Clone)]
pub struct AccessToken {
    text: Arc<str>,
    read_at: Timestamp,
}

impl AccessToken {
    /// The token as it goes into a request.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// What there is in place of a token that was refused.
#[derive(Debug)]
pub enum Replacement {
    /// Another one.
    Token(AccessToken),
    /// None: it is the one that there is.
    None,
    /// Nobody knows: the question failed.
    NotYet,
}

/// Whose signature a webhook bears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookApp {
    /// The deployment's own app. It is the operator's, and may tell of every number.
    Deployment,
    /// The app of these numbers. It may be a customer's, who is believed for his own numbers and no others.
    Numbers(Vec<String>),
}

impl WebhookApp {
    /// Whether what it tells of this number is to be believed.
    pub fn owns(&self, phone_number_id: &str) -> bool {
        match self {
            Self::Deployment => true,
            Self::Numbers(numbers) => numbers.iter().any(|number| number == phone_number_id),
        }
    }
}

impl Credentials {
    /// Credentials out of the deployment's secret, and, where it has a vault, of its numbers.
    pub fn new(secrets: Secrets, store: Store, cipher: Option<CredentialCipher>, system: System) -> Self {
        let numbers = cipher.map(|cipher| Numbers { store, cipher, known: RefreshingCache::new("numbers") });
        Self { secrets, numbers, system }
    }

    /// Reads what there is, so that the first event finds it.
    pub async fn warm_up(&self) {
        let now = self.system.now();
        let numbers = async {
            match &self.numbers {
                Some(numbers) => numbers.known.get(now, numbers.store.numbers().list()).await.map(drop),
                None => Ok(()),
            }
        };
        let (secret, numbers) = tokio::join!(self.secrets.get(now), numbers);
        if let Err(error) = secret {
            tracing::warn!(error = crate::telemetry::chain(&error), "the secret could not be read yet");
        }
        if let Err(error) = numbers {
            tracing::warn!(error = crate::telemetry::chain(&error), "the numbers could not be read yet");
        }
    }

    /// Whether `token` is a verify token.
    pub async fn verifies(&self, token: &str) -> Result<bool, CredentialsError> {
        let now = self.system.now();
        let secrets = self.secrets.get(now).await?;
        if secrets.verify_token.contains(token) {
            return Ok(true);
        }
        let newer = self.secrets.refresh_if(&secrets, now).await;
        Ok(newer.is_some_and(|newer| newer.verify_token.contains(token)))
    }

    /// Whose the signature of a webhook is: `signature` is the header's value. `None` when it is nobody's. What is known
    /// comes first and the deployment's secret before all, so that the usual webhook takes one look.
    pub async fn webhook_app(&self, body: &[u8], signature: &str) -> Result<Option<WebhookApp>, CredentialsError> {
        let signed = |secrets: &Values| secrets.iter().any(|secret| is_valid_signature(body, signature, secret));
        let now = self.system.now();
        let secrets = self.secrets.get(now).await?;
        if signed(&secrets.app_secret) {
            return Ok(Some(WebhookApp::Deployment));
        }
        let known = match &self.numbers {
            Some(numbers) => {
                let known = numbers.known.get(now, numbers.store.numbers().list()).await?;
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
        match numbers.known.refresh_if(&known, MIN_REFRESH_INTERVAL, now, numbers.store.numbers().list()).await {
            Refresh::Value(newer) => self.signing_numbers(numbers, &newer, signed).await,
            Refresh::Same | Refresh::NotYet => Ok(None),
        }
    }

    /// The numbers whose app secret signs. Each distinct secret is tried once.
    async fn signing_numbers(
        &self,
        numbers: &Numbers,
        known: &[RegisteredNumber],
        signed: impl Fn(&Values) -> bool,
    ) -> Result<Option<WebhookApp>, CredentialsError> {
        let (mut tried, mut found, mut problem) = (Vec::<(Arc<str>, bool)>::new(), Vec::new(), None);
        for number in known {
            let Some(ciphertext) = &number.app_secret else { continue };
            let now = self.system.now();
            let secrets = match numbers.cipher.decrypt(Kind::AppSecret, &number.phone_number_id, ciphertext, now).await
            {
                Ok(secrets) => secrets,
                // The others may sign it.
                Err(error) => {
                    problem = Some(error);
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
        match problem {
            _ if !found.is_empty() => Ok(Some(WebhookApp::Numbers(found))),
            Some(problem) => Err(problem.into()),
            None => Ok(None),
        }
    }

    /// The token to send with from this number: its own, else the deployment's.
    pub async fn access_token(&self, phone_number_id: &str) -> Result<AccessToken, CredentialsError> {
        let now = self.system.now();
        if let Some(numbers) = &self.numbers {
            let known = numbers.known.get(now, numbers.store.numbers().list()).await?;
            if let Some(text) = self.own_token(numbers, &known, phone_number_id).await? {
                return Ok(AccessToken { text, read_at: now });
            }
        }
        Ok(AccessToken { text: self.secrets.get(now).await?.access_token.as_str().into(), read_at: now })
    }

    /// What there is in place of a token that WhatsApp has refused.
    pub async fn replacement(&self, phone_number_id: &str, refused: &AccessToken) -> Replacement {
        let now = self.system.now();
        // Whatever was read after the refused one is new enough: of many sends that fail at once, one asks.
        let age = now.since(refused.read_at);
        let mut is_sure = true;
        if let Some(numbers) = &self.numbers
            && let Ok(known) = numbers.known.get(now, numbers.store.numbers().list()).await
        {
            is_sure &=
                numbers.known.refresh_if(&known, age, now, numbers.store.numbers().list()).await != Refresh::NotYet;
        }
        if let Ok(secrets) = self.secrets.get(now).await {
            is_sure &= self.secrets.refresh_if_older(&secrets, age, now).await != Refresh::NotYet;
        }
        match self.access_token(phone_number_id).await {
            Ok(token) if token.text != refused.text => Replacement::Token(token),
            Ok(_) if is_sure => Replacement::None,
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
mod tests {
    use super::*;

    #[test]
    fn a_numbers_app_is_believed_for_its_own_numbers_only() {
        let webhook_app = WebhookApp::Numbers(vec!["1".to_owned(), "2".to_owned()]);
        assert!(webhook_app.owns("1") && webhook_app.owns("2") && !webhook_app.owns("3"));
        assert!(WebhookApp::Deployment.owns("3"));
    }
}
