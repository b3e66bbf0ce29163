//! `AWS::Serverless::HttpApi` (SAM specification).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::values::{Decimal, Flag, Integer, typed};
use super::{Cors, HttpApi, TemplateError, Throttle};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Properties {
    stage_name: Option<String>,
    cors_configuration: Option<CorsConfiguration>,
    default_route_settings: Option<RouteSettings>,
    #[serde(default)]
    route_settings: BTreeMap<String, RouteSettings>,

    #[expect(dead_code, reason = "the console shows each request")]
    access_log_settings: Option<IgnoredAny>,
    #[expect(dead_code, reason = "for people")]
    description: Option<IgnoredAny>,
    #[expect(dead_code, reason = "about imported OpenAPI definitions")]
    fail_on_warnings: Option<IgnoredAny>,
    #[expect(dead_code, reason = "for people")]
    name: Option<IgnoredAny>,
    #[expect(dead_code, reason = "for bills and searches")]
    tags: Option<IgnoredAny>,
    #[expect(dead_code, reason = "for bills and searches")]
    propagate_tags: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct RouteSettings {
    throttling_rate_limit: Option<Decimal>,
    throttling_burst_limit: Option<Integer>,
    #[expect(dead_code, reason = "nothing is measured over time")]
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

pub(super) fn read(properties: Value, path: &str) -> Result<HttpApi, TemplateError> {
    let properties: Properties = typed(properties, path)?;
    if properties.stage_name.as_deref().unwrap_or("$default") != "$default" {
        return Err(TemplateError::at(format!("{path}.StageName"), "a local run honours only $default"));
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
    Ok(HttpApi { default_throttle, route_throttles, cors: properties.cors_configuration.map(cors) })
}

/// None when neither limit is set.
pub(super) fn throttle(settings: RouteSettings, path: &str) -> Result<Option<Throttle>, TemplateError> {
    match (settings.throttling_rate_limit, settings.throttling_burst_limit) {
        (None, None) => Ok(None),
        (Some(rate), Some(burst)) if rate.0 >= 0.0 => {
            let burst = u32::try_from(burst.0).map_err(|_| TemplateError::at(path, "the burst is too large"))?;
            Ok(Some(Throttle { rate: rate.0, burst }))
        }
        _ => Err(TemplateError::at(path, "needs both ThrottlingRateLimit and ThrottlingBurstLimit, not negative")),
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
