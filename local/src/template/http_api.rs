//! `AWS::Serverless::HttpApi` (SAM Specification).

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::{
    Authorizer, Cors, HttpApi, TemplateError, Throttle,
    document::References,
    return_values,
    values::{Decimal, Flag, Integer, deserialize},
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Properties {
    stage_name: Option<String>,
    cors_configuration: Option<CorsConfiguration>,
    default_route_settings: Option<RouteSettings>,
    #[serde(default)]
    route_settings: BTreeMap<String, RouteSettings>,
    auth: Option<Auth>,

    #[expect(dead_code, reason = "the output shows each request")]
    access_log_settings: Option<IgnoredAny>,
    #[expect(dead_code, reason = "documentation")]
    description: Option<IgnoredAny>,
    #[expect(dead_code, reason = "applies to imported OpenAPI definitions")]
    fail_on_warnings: Option<IgnoredAny>,
    #[expect(dead_code, reason = "documentation")]
    name: Option<IgnoredAny>,
    #[expect(dead_code, reason = "documentation")]
    tags: Option<IgnoredAny>,
    #[expect(dead_code, reason = "documentation")]
    propagate_tags: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct RouteSettings {
    throttling_rate_limit: Option<Decimal>,
    throttling_burst_limit: Option<Integer>,
    #[expect(dead_code, reason = "the local run has no CloudWatch")]
    detailed_metrics_enabled: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CorsConfiguration {
    #[serde(default)]
    allow_origins: Vec<String>,
    #[serde(default)]
    allow_methods: Vec<String>,
    #[serde(default)]
    allow_headers: Vec<String>,
    #[serde(default)]
    expose_headers: Vec<String>,
    max_age: Option<Integer>,
    allow_credentials: Option<Flag>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Auth {
    #[serde(default)]
    authorizers: BTreeMap<String, LambdaAuthorizer>,
    default_authorizer: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct LambdaAuthorizer {
    function_arn: String,
    authorizer_payload_format_version: String,
    enable_simple_responses: Flag,
    enable_function_default_permissions: Flag,
    identity: Identity,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Identity {
    headers: Vec<String>,
    reauthorize_every: Integer,
}

pub(super) fn read(properties: Value, path: &str, references: &References<'_>) -> Result<HttpApi, TemplateError> {
    let properties: Properties = deserialize(properties, path)?;
    if properties.stage_name.as_deref().unwrap_or("$default") != "$default" {
        return Err(TemplateError::at(format!("{path}.StageName"), "the local run supports only $default"));
    }
    let default_throttle = properties
        .default_route_settings
        .map(|settings| throttle(settings, &format!("{path}.DefaultRouteSettings")))
        .transpose()?
        .flatten();
    let mut route_throttles = BTreeMap::new();
    for (key, settings) in properties.route_settings {
        let path = format!("{path}.RouteSettings.{key}");
        route_throttles.extend(throttle(settings, &path)?.map(|throttle| (key, throttle)));
    }
    let auth = properties.auth.unwrap_or_default();
    let mut authorizers = BTreeMap::new();
    for (name, properties) in auth.authorizers {
        let path = format!("{path}.Auth.Authorizers.{name}");
        authorizers.insert(name, authorizer(properties, &path, references)?);
    }
    if let Some(name) = auth.default_authorizer.as_ref().filter(|name| !authorizers.contains_key(*name)) {
        return Err(TemplateError::at(
            format!("{path}.Auth.DefaultAuthorizer"),
            format!("there is no authorizer {name}"),
        ));
    }
    Ok(HttpApi {
        default_throttle,
        route_throttles,
        cors: properties.cors_configuration.map(cors),
        authorizers,
        default_authorizer: auth.default_authorizer,
    })
}

/// Reads an authorizer. Its `function` is the logical ID until `document` replaces it with the package.
fn authorizer(
    properties: LambdaAuthorizer,
    path: &str,
    references: &References<'_>,
) -> Result<Authorizer, TemplateError> {
    let kind = "AWS::Serverless::Function";
    let mut functions = references.resources.iter().filter(|(_, found)| *found == kind).map(|(id, _)| id);
    let function =
        functions.find(|id| return_values::attribute(kind, id, "Arn").as_ref() == Some(&properties.function_arn));
    let function = function.ok_or_else(|| {
        TemplateError::at(format!("{path}.FunctionArn"), "must be !GetAtt of the Arn of a function in this template")
    })?;
    if properties.authorizer_payload_format_version != "2.0" || !properties.enable_simple_responses.0 {
        let problem = "the local run supports only payload format 2.0 with simple responses";
        return Err(TemplateError::at(path, problem));
    }
    if !properties.enable_function_default_permissions.0 {
        let path = format!("{path}.EnableFunctionDefaultPermissions");
        return Err(TemplateError::at(path, "must be true, so that API Gateway has permission to invoke the function"));
    }
    // API Gateway Developer Guide, *Control access to HTTP APIs with AWS Lambda authorizers*.
    if properties.identity.headers.is_empty() || properties.identity.reauthorize_every.0 > 3_600 {
        let problem = "needs Headers, and a ReauthorizeEvery of at most 3600 seconds";
        return Err(TemplateError::at(format!("{path}.Identity"), problem));
    }
    Ok(Authorizer {
        function: function.clone(),
        headers: properties.identity.headers,
        cache_ttl: Duration::from_secs(properties.identity.reauthorize_every.0),
    })
}

/// Returns the throttle of route settings, or `None` if they set no limit.
pub(super) fn throttle(settings: RouteSettings, path: &str) -> Result<Option<Throttle>, TemplateError> {
    match (settings.throttling_rate_limit, settings.throttling_burst_limit) {
        (None, None) => Ok(None),
        (Some(rate), Some(burst)) if rate.0 >= 0.0 => {
            let burst = u32::try_from(burst.0).map_err(|_| TemplateError::at(path, "the burst is too large"))?;
            Ok(Some(Throttle { rate: rate.0, burst }))
        }
        _ => Err(TemplateError::at(
            path,
            "needs both ThrottlingRateLimit and ThrottlingBurstLimit, and neither may be negative",
        )),
    }
}

fn cors(configuration: CorsConfiguration) -> Cors {
    Cors {
        allow_origins: configuration.allow_origins,
        allow_methods: configuration.allow_methods,
        allow_headers: configuration.allow_headers,
        expose_headers: configuration.expose_headers,
        max_age: configuration.max_age.map(|seconds| seconds.0),
        allow_credentials: configuration.allow_credentials.is_some_and(|flag| flag.0),
    }
}
