//! A fake Parameter Store, a tool of AWS Systems Manager, with the operations `GetParameter` and `PutParameter`.
//! Parameters belong to the run or to its data folder.

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
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::{
    file,
    iam::{self, Access, Roles},
    output::{self, Output},
    template::Function,
};

/// The limits of a standard parameter (Systems Manager User Guide, *Creating Parameter Store parameters*).
const MAX_NAME: usize = 1011;
const MAX_LEVELS: usize = 15;
const MAX_VALUE: usize = 4096;

/// An error reading the parameters in the data folder.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the parameters in {}", path.display())]
pub struct ParameterError {
    path: PathBuf,
    source: std::io::Error,
}

/// The parameters of a run.
pub struct ParameterStore {
    parameters: Mutex<BTreeMap<String, Parameter>>,
    /// The file with the parameters. `None` if they last for the run.
    file: Option<PathBuf>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Parameter {
    kind: Kind,
    value: String,
    version: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    String,
    StringList,
    SecureString,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetParameter {
    name: String,
    #[serde(default)]
    with_decryption: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutParameter {
    name: String,
    value: String,
    r#type: Option<Kind>,
    key_id: Option<String>,
    tier: Option<String>,
    #[serde(default)]
    overwrite: bool,
}

type ParameterResponse = (StatusCode, Value);

impl ParameterStore {
    /// Loads the parameters from `folder`, an existing directory. Without a folder, they last for the run.
    ///
    /// # Errors
    /// Returns a [`ParameterError`] if the file is damaged or cannot be read.
    pub fn open(folder: Option<&Path>) -> Result<ParameterStore, ParameterError> {
        let file = folder.map(|folder| folder.join("parameters.json"));
        let parameters = match &file {
            Some(path) => load(path).map_err(|source| ParameterError { path: path.clone(), source })?,
            None => BTreeMap::new(),
        };
        Ok(ParameterStore { parameters: Mutex::new(parameters), file })
    }

    fn handle(&self, target: Option<&str>, body: &[u8]) -> ParameterResponse {
        let invalid = |_| error("SerializationException", "The request body is invalid for this operation.");
        let response = match target {
            Some("AmazonSSM.GetParameter") => serde_json::from_slice(body).map(|request| self.get_parameter(&request)),
            Some("AmazonSSM.PutParameter") => serde_json::from_slice(body).map(|request| self.put_parameter(request)),
            _ => Ok(error("UnknownOperationException", "The local run does not support this operation.")),
        };
        response.unwrap_or_else(invalid)
    }

    /// Implements `GetParameter` for the name of a parameter (Systems Manager API Reference).
    fn get_parameter(&self, request: &GetParameter) -> ParameterResponse {
        let parameters = self.parameters.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(parameter) = parameters.get(&request.name) else { return error("ParameterNotFound", "") };
        let value = match parameter.kind {
            // Stands for the ciphertext.
            Kind::SecureString if !request.with_decryption => BASE64_STANDARD.encode(Sha256::digest(&parameter.value)),
            _ => parameter.value.clone(),
        };
        let response = json!({
            "Name": request.name,
            "Type": parameter.kind,
            "Value": value,
            "Version": parameter.version,
            "ARN": arn(&request.name),
            "DataType": "text",
        });
        (StatusCode::OK, json!({"Parameter": response}))
    }

    /// Implements `PutParameter` for standard parameters under the AWS managed key (Systems Manager API Reference).
    fn put_parameter(&self, request: PutParameter) -> ParameterResponse {
        let PutParameter { name, value, r#type, key_id, tier, overwrite } = request;
        if let Err(problem) = check_name(&name) {
            return error("ValidationException", problem);
        }
        if value.is_empty() || value.len() > MAX_VALUE {
            return error("ValidationException", "A standard parameter has a value of 1 to 4096 bytes.");
        }
        if tier.is_some_and(|tier| tier != "Standard") {
            return error("ValidationException", "The local run supports only the tier Standard.");
        }
        let mut parameters = self.parameters.lock().unwrap_or_else(PoisonError::into_inner);
        let existing = parameters.get(&name);
        if existing.is_some() && !overwrite {
            let message = "The parameter already exists. To overwrite this value, set the overwrite option in the \
                           request to true.";
            return error("ParameterAlreadyExists", message);
        }
        let Some(kind) = r#type.or(existing.map(|parameter| parameter.kind)) else {
            return error("ValidationException", "A parameter type is required when you create a parameter.");
        };
        if key_id.is_some_and(|key| kind != Kind::SecureString || key != "alias/aws/ssm") {
            return error("InvalidKeyId", "The local run supports only alias/aws/ssm, for the type SecureString.");
        }
        let version = existing.map_or(0, |parameter| parameter.version) + 1;
        let mut changed = parameters.clone();
        changed.insert(name, Parameter { kind, value, version });
        let saved = self.file.as_ref().map_or(Ok(()), |path| save(path, &changed));
        if let Err(problem) = saved {
            return (StatusCode::INTERNAL_SERVER_ERROR, body("InternalServerError", &problem.to_string()));
        }
        *parameters = changed;
        (StatusCode::OK, json!({"Version": version, "Tier": "Standard"}))
    }
}

struct Api {
    parameters: ParameterStore,
    roles: Roles,
    output: Output,
}

/// Serves the parameters until `shutdown`. Each of `functions` has the access that its policies allow; other callers have
/// full access.
///
/// # Errors
/// Returns an error if the listener is unusable.
pub async fn serve(
    listener: std::net::TcpListener,
    parameters: ParameterStore,
    functions: &[Function],
    output: Output,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let api = Api { parameters, roles: Roles::new(functions), output };
    let app = Router::new().fallback(handle).with_state(Arc::new(api));
    axum::serve(listener, app).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

async fn handle(State(api): State<Arc<Api>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let (status, response) = match api.roles.check(iam::access_key(&headers), required_access(target, &body)) {
        Ok(()) => api.parameters.handle(target, &body),
        Err(denied) => {
            api.output.line(output::Kind::Problem, format!("missing permission in the template: {denied}"));
            error("AccessDeniedException", &denied.to_string())
        }
    };
    (status, [(CONTENT_TYPE, "application/x-amz-json-1.1")], response.to_string()).into_response()
}

/// Returns the access that a request requires (Service Authorization Reference, *Actions, resources, and condition keys for
/// AWS Systems Manager*). An invalid request requires none, because it fails anyway.
fn required_access(target: Option<&str>, body: &[u8]) -> Option<Access> {
    let operation = target?.strip_prefix("AmazonSSM.")?;
    let request: Value = serde_json::from_slice(body).ok()?;
    let resource = arn(request["Name"].as_str()?);
    Some(Access { action: format!("ssm:{operation}"), resource, leading_keys: Vec::new() })
}

/// Returns the ARN of a parameter. A leading slash of its name isn't repeated.
fn arn(name: &str) -> String {
    format!("arn:aws:ssm:us-east-1:000000000000:parameter/{}", name.trim_start_matches('/'))
}

/// Checks the name of a new parameter (Systems Manager User Guide, *Requirements and constraints for parameter names*).
fn check_name(name: &str) -> Result<(), &'static str> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    let path = name.strip_prefix('/').unwrap_or(name);
    let has_prefix = |prefix: &str| path.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if path.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_allowed) {
        return Err("A parameter name has 1 to 1011 letters, digits, and the characters _.-/.");
    }
    if has_prefix("aws") || has_prefix("ssm") {
        return Err("A parameter name can't be prefixed with aws or ssm.");
    }
    if path.contains('/') && path == name {
        return Err("The name of a parameter in a hierarchy has a leading slash.");
    }
    if path.split('/').count() > MAX_LEVELS {
        return Err("A parameter hierarchy has at most 15 levels.");
    }
    Ok(())
}

fn load(path: &Path) -> std::io::Result<BTreeMap<String, Parameter>> {
    match file::read(path)? {
        Some(json) => Ok(serde_json::from_slice(&json)?),
        None => Ok(BTreeMap::new()),
    }
}

fn save(path: &Path, parameters: &BTreeMap<String, Parameter>) -> std::io::Result<()> {
    file::replace(path, &serde_json::to_vec_pretty(parameters)?)
}

fn error(kind: &str, message: &str) -> ParameterResponse {
    (StatusCode::BAD_REQUEST, body(kind, message))
}

fn body(kind: &str, message: &str) -> Value {
    json!({"__type": kind, "message": message})
}

#[cfg(test)]
mod tests;
