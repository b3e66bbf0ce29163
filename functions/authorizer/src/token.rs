//! Tokens of an identity provider: JWT (RFC 7519) signed with a key of its JWKS (RFC 7517), by whose `sub` an owner is
//! known.

use std::{future::Future, io, net::IpAddr, time::Duration};

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::ErrorKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;
use shared::{
    domain::caller::Caller,
    domain::scope::Scope,
    domain::session::OWNER_ID_LIMIT,
    domain::time::Timestamp,
    runtime::config::TokenIssuer,
    secrets::refreshing_cache::{MIN_REFRESH_INTERVAL, Refresh, RefreshingCache},
    telemetry,
};

use crate::{
    authentication::Refused,
    guard::{PublicNames, fetchable, lookup},
    signature::RING,
};

/// How far the clocks of the provider and of Lambda may be apart, in seconds.
const LEEWAY: f64 = 30.0;

/// How long fetching the keys may take, well under the 10 seconds that API Gateway gives an authorizer.
const TIMEOUT: Duration = Duration::from_secs(4);

/// The largest list of keys, in bytes. Real ones have a few thousand.
const KEYS_LIMIT: usize = 256 * 1024;

/// The provider's keys could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysError {
    #[error("the identity provider's keys are at an address that is not public")]
    Address,
    #[error("the identity provider's keys could not be fetched")]
    Fetch(#[from] reqwest::Error),
    #[error("the identity provider's keys are too long")]
    TooLong,
    #[error("the identity provider's keys are no JWKS")]
    Format,
    #[error("the identity provider could not be asked for newer keys")]
    NotYet,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
}

/// Knows callers by the tokens of one issuer.
#[derive(Clone)]
pub(crate) struct Tokens {
    issuer: TokenIssuer,
    http: reqwest::Client,
    keys: RefreshingCache<JwkSet>,
}

impl Tokens {
    pub(crate) fn new(issuer: TokenIssuer) -> Result<Self, reqwest::Error> {
        Self::with_lookup(issuer, lookup)
    }

    /// The same with another way to look up a name.
    fn with_lookup<L, F>(issuer: TokenIssuer, lookup: L) -> Result<Self, reqwest::Error>
    where
        L: Fn(String) -> F + Send + Sync + 'static,
        F: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        // Both fail only when they were done before.
        let _ = RING.install_default();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(PublicNames::new(lookup))
            // A proxy would look up the name in our place.
            .no_proxy()
            .user_agent(concat!("qasid/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { issuer, http, keys: RefreshingCache::new("keys of the identity provider") })
    }

    /// Fetches the keys ahead of the first token.
    pub(crate) async fn warm_up(&self, now: Timestamp) {
        if let Err(error) = self.keys.get(now, self.fetch()).await {
            tracing::warn!(error = telemetry::chain(&error), "the identity provider's keys could not be read yet");
        }
    }

    /// The caller whom a token names.
    pub(crate) async fn caller(&self, token: &str, now: Timestamp) -> Result<Result<Caller, Refused>, KeysError> {
        let Some((algorithm, key_id)) = signed_with(token) else { return Ok(Err(Refused::Malformed)) };
        let keys = self.keys.get(now, self.fetch()).await?;
        let key = match find(&keys, &key_id) {
            Some(key) => Some(key),
            // The provider may have begun to sign with a new key. It is asked no more than once in a while, because
            // anybody can name a key that is not there.
            None => match self.keys.refresh_if(&keys, MIN_REFRESH_INTERVAL, now, self.fetch()).await {
                Refresh::Value(newer) => find(&newer, &key_id),
                Refresh::Same => None,
                Refresh::NotYet => return Err(KeysError::NotYet),
            },
        };
        let Some((_, key)) = key.filter(|(of_key, _)| *of_key == algorithm) else { return Ok(Err(Refused::TokenKey)) };
        Ok(check(token, algorithm, &key, &self.issuer, now))
    }

    async fn fetch(&self) -> Result<JwkSet, KeysError> {
        #[derive(Deserialize)]
        struct Keys {
            keys: Vec<Value>,
        }
        let url = fetchable(&self.issuer.keys_url).ok_or(KeysError::Address)?;
        let mut response = self.http.get(url).send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend(chunk);
            if body.len() > KEYS_LIMIT {
                return Err(KeysError::TooLong);
            }
        }
        let keys: Keys = serde_json::from_slice(&body).map_err(|_| KeysError::Format)?;
        // A key of a kind that we do not know leaves the others alone.
        let keys = keys.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        Ok(JwkSet { keys: keys.collect() })
    }
}

/// The algorithm that a token says it is signed with, and the key. `None` for what is no token, for algorithms other than
/// the two, and for extensions that must be understood (RFC 7515, section 4.1.11).
fn signed_with(token: &str) -> Option<(Algorithm, String)> {
    let header = decode_header(token).ok()?;
    let is_known = matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) && header.crit.is_none();
    header.kid.filter(|_| is_known).map(|key_id| (header.alg, key_id))
}

/// The key with this id, and the one algorithm that it is for. The key says that, never the token.
fn find(keys: &JwkSet, key_id: &str) -> Option<(Algorithm, DecodingKey)> {
    let jwk = keys.find(key_id).filter(|jwk| jwk.common.public_key_use != Some(PublicKeyUse::Encryption))?;
    let (algorithm, name) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    let is_for_it = jwk.common.key_algorithm.as_ref().is_none_or(|named| *named == name);
    DecodingKey::from_jwk(jwk).ok().filter(|_| is_for_it).map(|key| (algorithm, key))
}

/// Checks signature, issuer, audience and times, and reads the owner.
fn check(
    token: &str,
    algorithm: Algorithm,
    key: &DecodingKey,
    issuer: &TokenIssuer,
    now: Timestamp,
) -> Result<Caller, Refused> {
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[&issuer.issuer]);
    validation.set_audience(&[&issuer.audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // The library would read the machine's clock.
    validation.validate_exp = false;
    let claims = decode::<Claims>(token, key, &validation).map_err(|error| refusal(error.kind()))?.claims;
    let now = now.seconds() as f64;
    if claims.exp + LEEWAY <= now || claims.nbf.is_some_and(|from| from - LEEWAY > now) {
        return Err(Refused::TokenTime);
    }
    if claims.sub.trim().is_empty() || claims.sub.len() > OWNER_ID_LIMIT {
        return Err(Refused::TokenClaims);
    }
    Ok(Caller::tenant("token", claims.sub, Scope::OF_TOKENS))
}

fn refusal(kind: &ErrorKind) -> Refused {
    match kind {
        ErrorKind::InvalidSignature => Refused::TokenSignature,
        ErrorKind::InvalidIssuer => Refused::TokenIssuer,
        ErrorKind::InvalidAudience => Refused::TokenAudience,
        _ => Refused::TokenClaims,
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
