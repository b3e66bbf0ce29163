//! The environment variables of a function process: those of Lambda, those of the template, and the endpoints of the
//! fake AWS services. The user's own environment is not inherited, so that no function depends on it by accident.

use std::{collections::BTreeMap, path::Path};

use super::Deployment;

/// The region of all functions.
const REGION: &str = "us-east-1";

/// The secret key of every access key.
pub(crate) const SECRET_ACCESS_KEY: &str = "local";

/// The root certificates in one file, on Debian and macOS. `SSL_CERT_FILE` names the file of Lambda's image.
const CA_BUNDLES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"];

/// Returns the ARN of a function.
pub(super) fn function_arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:000000000000:function:{name}")
}

/// Returns the variables of an instance (Lambda Developer Guide, *Defined runtime environment variables*). `instance`
/// becomes the access key, which identifies the instance's requests to the database.
pub(super) fn variables(
    deployment: &Deployment,
    endpoints: &BTreeMap<String, String>,
    instance: &str,
    runtime_api: &str,
) -> BTreeMap<String, String> {
    let function = &deployment.function;
    let folder = deployment.binary.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    let mut variables = endpoints.clone();
    variables.extend(function.environment.clone());
    let own = [
        ("AWS_ACCESS_KEY_ID", instance),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &function.memory_mb.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", &function.name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_FORMAT", if function.json_logs { "JSON" } else { "Text" }),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &format!("/aws/lambda/{}", function.name)),
        ("AWS_LAMBDA_LOG_LEVEL", &function.log_level),
        ("AWS_LAMBDA_LOG_STREAM_NAME", instance),
        ("AWS_LAMBDA_RUNTIME_API", runtime_api),
        ("AWS_REGION", REGION),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        ("LAMBDA_TASK_ROOT", &folder),
        ("LANG", "en_US.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"),
        ("TZ", ":UTC"),
        ("_HANDLER", "bootstrap"),
    ];
    variables.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
    if !function.json_logs {
        // Lambda filters only JSON logs by level.
        variables.remove("AWS_LAMBDA_LOG_LEVEL");
    }
    if variables.get("SSL_CERT_FILE").is_some_and(|bundle| !Path::new(bundle).exists()) {
        variables.remove("SSL_CERT_FILE");
        let own = CA_BUNDLES.into_iter().find(|bundle| Path::new(bundle).exists());
        variables.extend(own.map(|bundle| ("SSL_CERT_FILE".to_owned(), bundle.to_owned())));
    }
    if let Ok(backtrace) = std::env::var("RUST_BACKTRACE") {
        variables.insert("RUST_BACKTRACE".to_owned(), backtrace);
    }
    variables
}
