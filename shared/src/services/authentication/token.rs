//! Tokens of an identity provider: JWTs (RFC 7519) that are signed with a key of its JWKS (RFC 7517). `sub` is the owner.

use std::{error::Error, time::Duration};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    dns::ResolveDns,
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use aws_smithy_types::byte_stream::ByteStream;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::ErrorKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{AuthenticationError, Refusal, signature::RING};
use crate::{
    domain::{caller::Caller, scope::Scope, session::OWNER_ID_LIMIT, time::Timestamp},
    secrets::refreshing_cache::{MIN_REFRESH_INTERVAL, Refresh, RefreshingCache},
    services::public_http::{PublicNames, SystemResolver, fetchable},
    telemetry,
};

/// The tolerated clock difference between the provider and Lambda, in seconds.
const LEEWAY: f64 = 30.0;

/// The timeout for fetching the keys, well under API Gateway's 10 seconds for an authorizer.
const TIMEOUT: Duration = Duration::from_secs(4);

/// The maximum size of a JWKS, in bytes. Real ones have a few thousand.
const KEYS_LIMIT: usize = 256 * 1024;

/// The other algorithms of the registry *JSON Web Signature and Encryption Algorithms* that tokens are signed with. Only
/// these names are logged, because a token's header is the caller's text.
const UNSUPPORTED: [&str; 13] = [
    "none", "HS256", "HS384", "HS512", "RS384", "RS512", "ES384", "ES512", "ES256K", "PS256", "PS384", "PS512", "EdDSA",
];

/// Why the provider's keys couldn't be fetched.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum KeysError {
    #[error("the identity provider's keys are at an address that isn't public")]
    Address,
    #[error("the identity provider's keys couldn't be fetched")]
    Fetch(#[from] Box<dyn Error + Send + Sync>),
    #[error("the identity provider's keys aren't a JWKS")]
    Format,
    #[error("the identity provider's keys were fetched too recently to fetch them again")]
    NotYet,
}

/// An identity provider whose tokens name owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenIssuer {
    /// The exact value of the claim `iss`.
    pub issuer: String,
    /// The value that the claim `aud` must be or contain.
    pub audience: String,
    /// The URL of its public keys (JWKS).
    pub keys_url: String,
}

/// The claims, each with the type that RFC 7519, section 4.1, gives it. The library also accepts a list of issuers.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    sub: String,
    exp: f64,
    nbf: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(many) => many.iter().any(|one| one == audience),
        }
    }
}

/// Authenticates callers by the tokens of one issuer.
#[derive(Clone, Debug)]
pub struct Tokens {
    issuer: TokenIssuer,
    http: SharedHttpConnector,
    keys: RefreshingCache<JwkSet>,
}

impl Tokens {
    /// Creates a verifier for the tokens of `issuer`.
    pub fn new(issuer: TokenIssuer) -> Self {
        Self::with_resolver(issuer, SystemResolver)
    }

    /// Like [`Tokens::new`], with another resolver.
    fn with_resolver(issuer: TokenIssuer, resolver: impl ResolveDns + Clone + 'static) -> Self {
        // Fails only if it was installed before.
        let _ = RING.install_default();
        let connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring));
        let http = SharedHttpConnector::new(connector.build_with_resolver(PublicNames(resolver)));
        Self { issuer, http, keys: RefreshingCache::new("keys of the identity provider") }
    }

    /// Fetches the keys before the first token arrives.
    pub(super) async fn warm_up(&self, now: Timestamp) {
        if let Err(error) = self.keys.get(now, self.fetch()).await {
            tracing::warn!(error = telemetry::chain(&error), "identity provider keys not available yet");
        }
    }

    /// Verifies a token and returns its caller.
    pub(super) async fn caller(&self, token: &str, now: Timestamp) -> Result<Caller, AuthenticationError> {
        let (algorithm, key_id) = signed_with(token)?;
        let keys = self.keys.get(now, self.fetch()).await?;
        let key = match find(&keys, &key_id) {
            Some(key) => Some(key),
            // The provider may have rotated its key. The interval limits how often tokens with made-up key IDs can cause
            // a request.
            None => match self.keys.refresh_if(&keys, MIN_REFRESH_INTERVAL, now, self.fetch()).await {
                Refresh::Value(newer) => find(&newer, &key_id),
                Refresh::Same => None,
                Refresh::NotYet => return Err(KeysError::NotYet.into()),
            },
        };
        let (_, key) = key.filter(|(of_key, _)| *of_key == algorithm).ok_or(Refusal::TokenKey)?;
        Ok(check(token, algorithm, &key, &self.issuer, now)?)
    }

    async fn fetch(&self) -> Result<JwkSet, KeysError> {
        #[derive(Deserialize)]
        struct Keys {
            keys: Vec<Value>,
        }
        let url = fetchable(&self.issuer.keys_url).ok_or(KeysError::Address)?;
        let body = tokio::time::timeout(TIMEOUT, self.get(&url)).await.map_err(Box::from)??;
        let keys: Keys = serde_json::from_slice(&body).map_err(|_| KeysError::Format)?;
        // Keys of unknown types are skipped.
        let keys = keys.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        Ok(JwkSet { keys: keys.collect() })
    }

    /// Returns the body of a successful response. Follows no redirects.
    async fn get(&self, url: &Url) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        let mut request = HttpRequest::get(url)?;
        request.headers_mut().insert("user-agent", concat!("qasid/", env!("CARGO_PKG_VERSION")));
        let response = self.http.call(request).await?;
        if !response.status().is_success() {
            return Err(format!("status {}", response.status().as_u16()).into());
        }
        let mut stream = ByteStream::new(response.into_body());
        let mut body = Vec::new();
        while let Some(chunk) = stream.try_next().await? {
            body.extend(chunk);
            if body.len() > KEYS_LIMIT {
                return Err("the response is too large".into());
            }
        }
        Ok(body)
    }
}

/// The algorithm and key ID in a token's header. Refuses other texts, other algorithms, and critical extensions
/// (RFC 7515, section 4.1.11).
fn signed_with(token: &str) -> Result<(Algorithm, String), Refusal> {
    if let Some(name) = unsupported_algorithm(token) {
        return Err(Refusal::TokenAlgorithm(name));
    }
    let header = decode_header(token).map_err(|_| Refusal::Malformed)?;
    let is_known = matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) && header.crit.is_none();
    header.kid.filter(|_| is_known).map(|key_id| (header.alg, key_id)).ok_or(Refusal::Malformed)
}

/// The name of a token's algorithm that isn't accepted. The library's header has only the algorithms that it supports.
fn unsupported_algorithm(token: &str) -> Option<&'static str> {
    #[derive(Deserialize)]
    struct Header {
        alg: String,
    }
    let (header, _) = token.split_once('.')?;
    let Header { alg } = serde_json::from_slice(&BASE64.decode(header).ok()?).ok()?;
    match alg.as_str() {
        "RS256" | "ES256" => None,
        other => Some(UNSUPPORTED.into_iter().find(|name| *name == other).unwrap_or("an unknown algorithm")),
    }
}

/// The key with this ID, and its algorithm, which comes from the key and never from the token.
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

/// Verifies signature, issuer, audience, and times, and returns the caller.
fn check(
    token: &str,
    algorithm: Algorithm,
    key: &DecodingKey,
    issuer: &TokenIssuer,
    now: Timestamp,
) -> Result<Caller, Refusal> {
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[&issuer.issuer]);
    validation.set_audience(&[&issuer.audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // The library would use the system clock.
    validation.validate_exp = false;
    let claims = decode::<Claims>(token, key, &validation).map_err(|error| refusal(error.kind()))?.claims;
    if claims.iss != issuer.issuer {
        return Err(Refusal::TokenIssuer);
    }
    if !claims.aud.contains(&issuer.audience) {
        return Err(Refusal::TokenAudience);
    }
    let now = now.seconds() as f64;
    if claims.exp + LEEWAY <= now || claims.nbf.is_some_and(|from| from - LEEWAY > now) {
        return Err(Refusal::TokenTime);
    }
    if claims.sub.trim().is_empty() || claims.sub.len() > OWNER_ID_LIMIT {
        return Err(Refusal::TokenClaims);
    }
    Ok(Caller::tenant("token", claims.sub, Scope::OF_TOKENS))
}

fn refusal(kind: &ErrorKind) -> Refusal {
    match kind {
        ErrorKind::InvalidSignature => Refusal::TokenSignature,
        ErrorKind::InvalidIssuer => Refusal::TokenIssuer,
        ErrorKind::InvalidAudience => Refusal::TokenAudience,
        _ => Refusal::TokenClaims,
    }
}

#[cfg(test)]
mod tests;
