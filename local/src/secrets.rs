//! A stand-in for Secrets Manager that knows the template's secrets and two operations, `GetSecretValue` and
//! `PutSecretValue`. A value that is put lasts as long as the run. KMS answers at the same address.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::kms::Kms;

/// What the functions and the simulated WhatsApp share; the JSON is the secret's `SecretString`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhatsAppSecret {
    /// Signs webhooks.
    pub app_secret: String,
    /// Meta sends it when a webhook is subscribed.
    pub verify_token: String,
    /// Authorizes sends.
    pub access_token: String,
}

/// The operator's key; the JSON is the secret's `SecretString`. It is made anew for each run.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorSecret {
    operator_key: String,
}

impl OperatorSecret {
    /// A new random value, of 244 random bits.
    #[allow(clippy::disallowed_methods, reason = "the local run is where randomness comes in")]
    pub fn random() -> OperatorSecret {
        OperatorSecret { operator_key: format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()) }
    }

    /// The key as the API takes it.
    pub fn api_key(&self) -> String {
        format!("qk_{}", self.operator_key)
    }
}

/// What CloudFront shows to the API; the JSON is the secret's `SecretString`. It is made anew for each run.
#[derive(Clone, Serialize)]
pub struct OriginSecret {
    /// What it sends at first.
    pub first: String,
    second: String,
}

impl OriginSecret {
    /// A new random value, of 244 random bits, and none to take its place.
    #[allow(clippy::disallowed_methods, reason = "the local run is where randomness comes in")]
    pub fn random() -> OriginSecret {
        OriginSecret { first: format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()), second: String::new() }
    }
}

/// Why the secrets of the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the secrets in {}", path.display())]
pub struct SecretError {
    path: PathBuf,
    source: std::io::Error,
}

impl WhatsAppSecret {
    /// New random values, of 122 random bits each.
    #[allow(clippy::disallowed_methods, reason = "the local run is where randomness comes in")]
    pub fn random() -> WhatsAppSecret {
        let value = || Uuid::new_v4().simple().to_string();
        WhatsAppSecret { app_secret: value(), verify_token: value(), access_token: value() }
    }

    /// The values of an earlier run from `secrets.json` in `directory`, which exists; at first random ones, which only
    /// the file's owner may read.
    ///
    /// # Errors
    /// [`SecretError`] when the file cannot be read or written, or is damaged.
    pub fn load_or_create(directory: &Path) -> Result<WhatsAppSecret, SecretError> {
        let path = directory.join("secrets.json");
        let secret = match std::fs::read(&path) {
            Ok(json) => serde_json::from_slice(&json).map_err(std::io::Error::from),
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => {
                let secret = WhatsAppSecret::random();
                create(directory, &path, &secret).map(|()| secret)
            }
            Err(problem) => Err(problem),
        };
        secret.map_err(|source| SecretError { path, source })
    }
}

/// `tempfile` creates with mode 0600; the rename makes it the whole file or none.
fn create(directory: &Path, path: &Path, secret: &WhatsAppSecret) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(&serde_json::to_vec_pretty(secret)?)?;
    file.persist(path)?;
    Ok(())
}

/// Serves each value as the current version of the secret that it has the id of, name or ARN, and the keys of `kms`, until
/// `shutdown`.
///
/// # Errors
/// When the listener cannot be used.
#[allow(clippy::disallowed_methods, reason = "the version's id only has to be unique")]
pub async fn serve(
    listener: std::net::TcpListener,
    secrets: BTreeMap<String, Value>,
    kms: Kms,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let stored = secrets.into_iter().map(|(id, value)| {
        let current = Version { id: Uuid::new_v4(), value: value.to_string() };
        Stored { id, current: Mutex::new(current) }
    });
    let app = Router::new().fallback(handle).with_state(Arc::new((stored.collect::<Vec<_>>(), kms)));
    axum::serve(listener, app).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

struct Stored {
    id: String,
    current: Mutex<Version>,
}

#[derive(Clone)]
struct Version {
    id: Uuid,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetSecretValue {
    secret_id: Option<String>,
    version_id: Option<String>,
    version_stage: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutSecretValue {
    secret_id: Option<String>,
    secret_string: Option<String>,
}

async fn handle(State(services): State<Arc<(Vec<Stored>, Kms)>>, headers: HeaderMap, body: Bytes) -> Response {
    let (stored, kms) = &*services;
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let (status, answer) = match target {
        Some("secretsmanager.GetSecretValue") => get(stored, &body),
        Some("secretsmanager.PutSecretValue") => put(stored, &body),
        Some(target) if target.starts_with("TrentService.") => kms.answer(&target["TrentService.".len()..], &body),
        _ => (StatusCode::BAD_REQUEST, json!({"__type": "UnknownOperationException"})),
    };
    (status, [(CONTENT_TYPE, "application/x-amz-json-1.1")], answer.to_string()).into_response()
}

fn refuse(kind: &str, message: &str) -> (StatusCode, Value) {
    (StatusCode::BAD_REQUEST, json!({"__type": kind, "Message": message}))
}

fn missing() -> (StatusCode, Value) {
    refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

/// As "GetSecretValue" in the Secrets Manager API Reference.
fn get(stored: &[Stored], body: &[u8]) -> (StatusCode, Value) {
    let Ok(request) = serde_json::from_slice::<GetSecretValue>(body) else {
        return refuse("SerializationException", "The request body is not a GetSecretValue request.");
    };
    let Some(id) = request.secret_id else {
        return refuse("InvalidParameterException", "You must provide a value for the SecretId parameter.");
    };
    let Some(secret) = stored.iter().find(|secret| secret.is(&id)) else { return missing() };
    let current = secret.current();
    let this_version = request.version_id.is_none_or(|version| version == current.id.to_string());
    let this_stage = request.version_stage.is_none_or(|stage| stage == "AWSCURRENT");
    if !this_version || !this_stage {
        let message = "Secrets Manager can't find the specified secret value for that version or staging label.";
        return refuse("ResourceNotFoundException", message);
    }
    let answer = json!({
        "ARN": secret.arn(),
        "Name": secret.name(),
        "VersionId": current.id,
        "SecretString": current.value,
        "VersionStages": ["AWSCURRENT"],
    });
    (StatusCode::OK, answer)
}

/// As "PutSecretValue" in the Secrets Manager API Reference, for text.
#[allow(clippy::disallowed_methods, reason = "the version's id only has to be unique")]
fn put(stored: &[Stored], body: &[u8]) -> (StatusCode, Value) {
    let Ok(request) = serde_json::from_slice::<PutSecretValue>(body) else {
        return refuse("SerializationException", "The request body is not a PutSecretValue request.");
    };
    let (Some(id), Some(value)) = (request.secret_id, request.secret_string) else {
        let message = "You must provide a value for the SecretId and the SecretString parameters.";
        return refuse("InvalidParameterException", message);
    };
    let Some(secret) = stored.iter().find(|secret| secret.is(&id)) else { return missing() };
    let version = Version { id: Uuid::new_v4(), value };
    *secret.current.lock().unwrap_or_else(PoisonError::into_inner) = version.clone();
    let answer = json!({
        "ARN": secret.arn(),
        "Name": secret.name(),
        "VersionId": version.id,
        "VersionStages": ["AWSCURRENT"],
    });
    (StatusCode::OK, answer)
}

impl Stored {
    fn current(&self) -> Version {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A secret answers to its name, its ARN, and its ARN without the hyphen and six characters at the end.
    fn is(&self, id: &str) -> bool {
        let arn = self.arn();
        id == self.name()
            || id == arn
            || arn.strip_prefix(id).is_some_and(|rest| rest.len() == 7 && id.starts_with("arn:"))
    }

    fn name(&self) -> &str {
        match self.id.strip_prefix("arn:").and_then(|arn| arn.rsplit(':').next()) {
            // What follows the last hyphen is Secrets Manager's.
            Some(resource) => resource.rsplit_once('-').map_or(resource, |(name, _)| name),
            None => &self.id,
        }
    }

    fn arn(&self) -> String {
        if self.id.starts_with("arn:") {
            self.id.clone()
        } else {
            format!("arn:aws:secretsmanager:us-east-1:000000000000:secret:{}-AAAAAA", self.id)
        }
    }
}

#[cfg(test)]
mod tests;
