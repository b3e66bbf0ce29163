//! What a function process finds in its environment: what Lambda would give it, the template's variables, and where
//! the stand-ins of AWS services are. Nothing of the user's own environment, so that nothing works here by accident.

use std::collections::BTreeMap;

use super::Deployment;

/// The region that the functions are told they are in.
const REGION: &str = "us-east-1";

/// The ARN that an invocation is told it was invoked by.
pub(super) fn function_arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:000000000000:function:{name}")
}

/// Lambda developer guide, "Defined runtime environment variables". `instance` is the access key, by which the
/// database tells whose requests it answers.
#[allow(clippy::disallowed_methods, reason = "whoever asks for backtraces wants those of the functions")]
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
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("LAMBDA_TASK_ROOT", &folder),
        ("LANG", "en_US.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"),
        ("TZ", ":UTC"),
        ("_HANDLER", "bootstrap"),
    ];
    variables.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
    if !function.json_logs {
        // Lambda filters by level only what is JSON.
        variables.remove("AWS_LAMBDA_LOG_LEVEL");
    }
    if let Ok(backtrace) = std::env::var("RUST_BACKTRACE") {
        variables.insert("RUST_BACKTRACE".to_owned(), backtrace);
    }
    variables
}
