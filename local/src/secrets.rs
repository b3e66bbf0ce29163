//! A fake Secrets Manager with the template's secrets and the operations `GetSecretValue` and `PutSecretValue`. New
//! values last for the run. The same endpoint serves the fake KMS.

use std::{
    collections::BTreeMap,
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
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{file, kms::Kms};

/// The secret that the functions and the simulated WhatsApp share. Its JSON is the `SecretString`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhatsAppSecret {
    /// Key of the webhook signatures.
    pub app_secret: String,
    /// Token that Meta sends to verify the webhook.
    pub verify_token: String,
    /// Bearer token for sends.
    pub access_token: String,
}

/// The credentials of the simulated WhatsApp's second Meta app, for a bot beside Qasid.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BotCredentials {
    /// Key of the webhook signatures.
    pub app_secret: String,
    /// Bearer token for Graph API calls.
    pub access_token: String,
}

/// The value of the origin header that CloudFront adds. Its JSON is the `SecretString`. Generated for each run.
#[derive(Clone, Serialize)]
pub struct OriginSecret {
    /// The current value.
    pub first: String,
    second: String,
}

impl OriginSecret {
    /// Generates a value with 244 random bits and no second value for rotation.
    pub fn random() -> OriginSecret {
        OriginSecret { first: format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()), second: String::new() }
    }
}

/// An error reading or writing the secrets in the data folder.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the secrets in {}", path.display())]
pub struct SecretError {
    path: PathBuf,
    source: std::io::Error,
}

impl WhatsAppSecret {
    /// Generates values with 122 random bits each.
    pub fn random() -> WhatsAppSecret {
        let value = || Uuid::new_v4().simple().to_string();
        WhatsAppSecret { app_secret: value(), verify_token: value(), access_token: value() }
    }

    /// Loads the secret from `secrets.json` in `directory`, which exists, or creates it with random values, readable
    /// only by the owner.
    ///
    /// # Errors
    /// Returns a [`SecretError`] if the file is damaged or cannot be read or written.
    pub fn load_or_create(directory: &Path) -> Result<WhatsAppSecret, SecretError> {
        load_or_create(directory.join("secrets.json"), WhatsAppSecret::random)
    }
}

impl BotCredentials {
    /// Generates values with 122 random bits each.
    pub fn random() -> BotCredentials {
        let value = || Uuid::new_v4().simple().to_string();
        BotCredentials { app_secret: value(), access_token: value() }
    }

    /// Loads the credentials from `bot.json` in `directory`, as [`WhatsAppSecret::load_or_create`] does.
    ///
    /// # Errors
    /// Returns a [`SecretError`] if the file is damaged or cannot be read or written.
    pub fn load_or_create(directory: &Path) -> Result<BotCredentials, SecretError> {
        load_or_create(directory.join("bot.json"), BotCredentials::random)
    }
}

fn load_or_create<T: Serialize + DeserializeOwned>(path: PathBuf, create: fn() -> T) -> Result<T, SecretError> {
    let load_or_create = || match file::read(&path)? {
        Some(json) => Ok(serde_json::from_slice(&json)?),
        None => {
            let created = create();
            file::replace(&path, &serde_json::to_vec_pretty(&created)?)?;
            Ok(created)
        }
    };
    load_or_create().map_err(|source| SecretError { path: path.clone(), source })
}

/// Serves the secrets, given by name or ARN with their current values, and the keys of `kms` until `shutdown`.
///
/// # Errors
/// Returns an error if the listener is unusable.
pub async fn serve(
    listener: std::net::TcpListener,
    secrets: BTreeMap<String, Value>,
    kms: Kms,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let secrets = secrets.into_iter().map(|(id, value)| {
        let current = Version { id: Uuid::new_v4(), value: value.to_string() };
        StoredSecret { id, current: Mutex::new(current) }
    });
    let app = Router::new().fallback(handle).with_state(Arc::new((secrets.collect::<Vec<_>>(), kms)));
    axum::serve(listener, app).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

struct StoredSecret {
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

async fn handle(State(services): State<Arc<(Vec<StoredSecret>, Kms)>>, headers: HeaderMap, body: Bytes) -> Response {
    let (secrets, kms) = &*services;
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let (status, response) = match target {
        Some("secretsmanager.GetSecretValue") => get_secret_value(secrets, &body),
        Some("secretsmanager.PutSecretValue") => put_secret_value(secrets, &body),
        Some(target) if target.starts_with("TrentService.") => kms.handle(&target["TrentService.".len()..], &body),
        _ => (StatusCode::BAD_REQUEST, json!({"__type": "UnknownOperationException"})),
    };
    (status, [(CONTENT_TYPE, "application/x-amz-json-1.1")], response.to_string()).into_response()
}

fn error(kind: &str, message: &str) -> (StatusCode, Value) {
    (StatusCode::BAD_REQUEST, json!({"__type": kind, "Message": message}))
}

fn not_found() -> (StatusCode, Value) {
    error("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

/// Implements `GetSecretValue` (Secrets Manager API Reference).
fn get_secret_value(secrets: &[StoredSecret], body: &[u8]) -> (StatusCode, Value) {
    let Ok(request) = serde_json::from_slice::<GetSecretValue>(body) else {
        return error("SerializationException", "The request body is not a GetSecretValue request.");
    };
    let Some(id) = request.secret_id else {
        return error("InvalidParameterException", "You must provide a value for the SecretId parameter.");
    };
    let Some(secret) = secrets.iter().find(|secret| secret.matches(&id)) else { return not_found() };
    let current = secret.current();
    let this_version = request.version_id.is_none_or(|version| version == current.id.to_string());
    let this_stage = request.version_stage.is_none_or(|stage| stage == "AWSCURRENT");
    if !this_version || !this_stage {
        let message = "Secrets Manager can't find the specified secret value for that version or staging label.";
        return error("ResourceNotFoundException", message);
    }
    let response = json!({
        "ARN": secret.arn(),
        "Name": secret.name(),
        "VersionId": current.id,
        "SecretString": current.value,
        "VersionStages": ["AWSCURRENT"],
    });
    (StatusCode::OK, response)
}

/// Implements `PutSecretValue` for text (Secrets Manager API Reference).
fn put_secret_value(secrets: &[StoredSecret], body: &[u8]) -> (StatusCode, Value) {
    let Ok(request) = serde_json::from_slice::<PutSecretValue>(body) else {
        return error("SerializationException", "The request body is not a PutSecretValue request.");
    };
    let (Some(id), Some(value)) = (request.secret_id, request.secret_string) else {
        let message = "You must provide a value for the SecretId and the SecretString parameters.";
        return error("InvalidParameterException", message);
    };
    let Some(secret) = secrets.iter().find(|secret| secret.matches(&id)) else { return not_found() };
    let version = Version { id: Uuid::new_v4(), value };
    *secret.current.lock().unwrap_or_else(PoisonError::into_inner) = version.clone();
    let response = json!({
        "ARN": secret.arn(),
        "Name": secret.name(),
        "VersionId": version.id,
        "VersionStages": ["AWSCURRENT"],
    });
    (StatusCode::OK, response)
}

impl StoredSecret {
    fn current(&self) -> Version {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns whether `id` is the secret's name, its ARN, or its ARN without the hyphen and six characters at the end.
    fn matches(&self, id: &str) -> bool {
        let arn = self.arn();
        id == self.name()
            || id == arn
            || arn.strip_prefix(id).is_some_and(|rest| rest.len() == 7 && id.starts_with("arn:"))
    }

    fn name(&self) -> &str {
        match self.id.strip_prefix("arn:").and_then(|arn| arn.rsplit(':').next()) {
            // Secrets Manager adds the part after the last hyphen.
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
