//! `AWS::Serverless::Function` (SAM Specification).

use std::{collections::BTreeMap, ops::RangeInclusive, path::Path, time::Duration};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::{
    EventInvokeConfig, Function, TemplateError,
    document::References,
    events::{self, Event},
    policies,
    values::{Integer, Text, deserialize},
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Properties {
    code_uri: String,
    handler: String,
    runtime: String,
    package_type: Option<String>,
    timeout: Option<Integer>,
    memory_size: Option<Integer>,
    reserved_concurrent_executions: Option<Integer>,
    #[serde(default)]
    environment: Environment,
    #[serde(default)]
    logging_config: LoggingConfig,
    #[serde(default)]
    events: BTreeMap<String, Event>,
    policies: Option<Value>,
    role: Option<String>,
    permissions_boundary: Option<String>,
    #[serde(default)]
    event_invoke_config: EventInvokeProperties,

    #[expect(dead_code, reason = "the functions run on the local processor")]
    architectures: Option<IgnoredAny>,
    #[expect(dead_code, reason = "applies to deployments")]
    auto_publish_alias: Option<IgnoredAny>,
    #[expect(dead_code, reason = "applies to deployments")]
    deployment_preference: Option<IgnoredAny>,
    #[expect(dead_code, reason = "documentation")]
    description: Option<IgnoredAny>,
    #[expect(dead_code, reason = "the local run doesn't limit disk space")]
    ephemeral_storage: Option<IgnoredAny>,
    #[expect(dead_code, reason = "the local run doesn't detect loops")]
    recursive_loop: Option<IgnoredAny>,
    #[expect(dead_code, reason = "documentation")]
    tags: Option<IgnoredAny>,
    #[expect(dead_code, reason = "documentation")]
    propagate_tags: Option<IgnoredAny>,
    #[expect(dead_code, reason = "the local run has no X-Ray")]
    tracing: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Environment {
    #[serde(default)]
    variables: BTreeMap<String, Text>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct LoggingConfig {
    log_format: Option<LogFormat>,
    application_log_level: Option<String>,
    #[expect(dead_code, reason = "the local run writes no system logs")]
    system_log_level: Option<IgnoredAny>,
    #[expect(dead_code, reason = "logs go to the output")]
    log_group: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct EventInvokeProperties {
    maximum_retry_attempts: Option<Integer>,
    maximum_event_age_in_seconds: Option<Integer>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
enum LogFormat {
    #[serde(rename = "JSON")]
    Json,
    Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Metadata {
    build_method: String,
    #[expect(dead_code, reason = "for the linter")]
    #[serde(rename = "cfn-lint")]
    cfn_lint: Option<IgnoredAny>,
}

pub(super) fn check_metadata(metadata: Option<&Value>, path: &str) -> Result<(), TemplateError> {
    let metadata = metadata.ok_or_else(|| TemplateError::at(path, "must have BuildMethod: rust-cargolambda"))?;
    let metadata: Metadata = deserialize(metadata.clone(), path)?;
    match metadata.build_method.as_str() {
        "rust-cargolambda" => Ok(()),
        _ => Err(TemplateError::at(format!("{path}.BuildMethod"), "the local run supports only rust-cargolambda")),
    }
}

pub(super) fn read(
    logical_id: &str,
    properties: Value,
    path: &str,
    references: &References<'_>,
) -> Result<Function, TemplateError> {
    let properties: Properties = deserialize(properties, path)?;
    let name = Path::new(&properties.code_uri).file_name().and_then(|name| name.to_str());
    let name =
        name.ok_or_else(|| TemplateError::at(format!("{path}.CodeUri"), "must end with the directory of a package"))?;
    expect(&properties.handler, "bootstrap", path, "Handler")?;
    expect(&properties.runtime, "provided.al2023", path, "Runtime")?;
    expect(properties.package_type.as_deref().unwrap_or("Zip"), "Zip", path, "PackageType")?;
    // Lambda Developer Guide, *Lambda quotas*.
    let timeout = bounded(properties.timeout, 3, 1..=900, path, "Timeout")?;
    let memory_mb = bounded(properties.memory_size, 128, 128..=10_240, path, "MemorySize")?;
    let reserved = match properties.reserved_concurrent_executions {
        Some(_) => {
            let value = properties.reserved_concurrent_executions;
            Some(bounded(value, 1, 1..=1_000, path, "ReservedConcurrentExecutions")? as usize)
        }
        None => None,
    };
    let permissions = policies::of_function(properties.role.as_deref(), properties.policies, references.roles, path)?;
    if let Some(arn) = properties.permissions_boundary {
        // A role of the template isn't limited, only the role that SAM generates (SAM Specification, *PermissionsBoundary*).
        let limited = if properties.role.is_none() { permissions.as_slice() } else { &[] };
        policies::check_boundary(&arn, references.boundaries, limited, path)?;
    }
    let events = events::read(properties.events, path, references)?;
    let logging = properties.logging_config;
    Ok(Function {
        logical_id: logical_id.to_owned(),
        name: name.to_owned(),
        timeout: Duration::from_secs(timeout),
        memory_mb: memory_mb as u32,
        environment: variables(properties.environment, &format!("{path}.Environment.Variables"))?,
        json_logs: logging.log_format == Some(LogFormat::Json),
        log_level: logging.application_log_level.unwrap_or_else(|| "INFO".to_owned()),
        reserved_concurrency: reserved,
        event_invoke_config: event_invoke_config(properties.event_invoke_config, &format!("{path}.EventInvokeConfig"))?,
        permissions,
        routes: events.routes,
        streams: events.streams,
        schedules: events.schedules,
    })
}

/// The ranges are those of the Lambda API Reference, *PutFunctionEventInvokeConfig*.
fn event_invoke_config(config: EventInvokeProperties, path: &str) -> Result<EventInvokeConfig, TemplateError> {
    let EventInvokeConfig { maximum_retry_attempts, maximum_event_age } = EventInvokeConfig::default();
    let retries = maximum_retry_attempts as u64;
    let retries = bounded(config.maximum_retry_attempts, retries, 0..=2, path, "MaximumRetryAttempts")?;
    let (age, seconds) = (maximum_event_age.as_secs(), config.maximum_event_age_in_seconds);
    let age = bounded(seconds, age, 60..=age, path, "MaximumEventAgeInSeconds")?;
    Ok(EventInvokeConfig { maximum_retry_attempts: retries as usize, maximum_event_age: Duration::from_secs(age) })
}

fn expect(found: &str, wanted: &str, path: &str, property: &str) -> Result<(), TemplateError> {
    if found == wanted {
        return Ok(());
    }
    Err(TemplateError::at(format!("{path}.{property}"), format!("the local run supports only {wanted}")))
}

pub(super) fn bounded(
    value: Option<Integer>,
    default: u64,
    range: RangeInclusive<u64>,
    path: &str,
    property: &str,
) -> Result<u64, TemplateError> {
    let value = value.map_or(default, |value| value.0);
    if range.contains(&value) {
        return Ok(value);
    }
    let problem = format!("must be between {} and {}", range.start(), range.end());
    Err(TemplateError::at(format!("{path}.{property}"), problem))
}

fn variables(environment: Environment, path: &str) -> Result<BTreeMap<String, String>, TemplateError> {
    for (name, value) in &environment.variables {
        // A template can't set these (Lambda Developer Guide, *Defined runtime environment variables*).
        let reserved = name.starts_with("AWS_LAMBDA_")
            || name.starts_with("LAMBDA_")
            || ["_HANDLER", "_X_AMZN_TRACE_ID", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV"]
                .contains(&name.as_str())
            || ["AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
                .contains(&name.as_str());
        if reserved {
            return Err(TemplateError::at(format!("{path}.{name}"), "is reserved: Lambda sets this variable"));
        }
        if value.0.contains("{{resolve:") {
            return Err(TemplateError::at(
                format!("{path}.{name}"),
                "the local run does not support dynamic references",
            ));
        }
        if name.is_empty() || name.contains(['=', '\0']) || value.0.contains('\0') {
            return Err(TemplateError::at(format!("{path}.{name}"), "is not a valid environment variable"));
        }
    }
    Ok(environment.variables.into_iter().map(|(name, value)| (name, value.0)).collect())
}
