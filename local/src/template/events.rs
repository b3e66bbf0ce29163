//! The `Events` of a function: HTTP routes, stream mappings, and schedules (SAM Specification, *EventSource*).

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

use super::{
    Route, Schedule, StartingPosition, StreamMapping, TemplateError,
    document::References,
    function::bounded,
    http_api::{RouteSettings, throttle},
    return_values,
    values::{Flag, Integer, deserialize},
};

/// The maximum number of filters of an event source mapping (Lambda Developer Guide, *Control which events Lambda sends to
/// your function*). AWS raises it to 10 on request.
const MAX_FILTERS: usize = 5;
/// The maximum length of a filter pattern (Lambda API Reference, *Filter*).
const MAX_PATTERN_LENGTH: usize = 4_096;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Event {
    r#type: String,
    #[serde(default)]
    properties: Map<String, Value>,
}

#[derive(Default)]
pub(super) struct Events {
    pub(super) routes: Vec<Route>,
    pub(super) streams: Vec<StreamMapping>,
    pub(super) schedules: Vec<Schedule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct HttpApiEvent {
    api_id: String,
    method: Option<String>,
    path: Option<String>,
    payload_format_version: Option<String>,
    timeout_in_millis: Option<Integer>,
    route_settings: Option<RouteSettings>,
    auth: Option<EventAuth>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct EventAuth {
    authorizer: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DynamoDbEvent {
    stream: String,
    starting_position: Position,
    batch_size: Option<Integer>,
    maximum_batching_window_in_seconds: Option<Integer>,
    parallelization_factor: Option<Integer>,
    filter_criteria: Option<FilterCriteria>,
    #[serde(default)]
    function_response_types: Vec<ResponseType>,
    bisect_batch_on_function_error: Option<Flag>,
    maximum_retry_attempts: Option<Limit>,
    maximum_record_age_in_seconds: Option<Limit>,
    destination_config: Option<DestinationConfig>,
    enabled: Option<Flag>,
    #[expect(dead_code, reason = "the local run has no CloudWatch")]
    metrics_config: Option<IgnoredAny>,
}

#[derive(Deserialize)]
enum Position {
    #[serde(rename = "TRIM_HORIZON")]
    TrimHorizon,
    #[serde(rename = "LATEST")]
    Latest,
}

#[derive(Deserialize, PartialEq)]
enum ResponseType {
    ReportBatchItemFailures,
}

/// A limit, where a negative number means unlimited.
#[derive(Deserialize)]
#[serde(untagged)]
enum Limit {
    Number(u64),
    Unlimited(#[expect(dead_code, reason = "CloudFormation accepts only -1")] i64),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct FilterCriteria {
    filters: Vec<Filter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Filter {
    pattern: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DestinationConfig {
    on_failure: OnFailure,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct OnFailure {
    destination: String,
    #[expect(dead_code, reason = "SAM derives a permission from it")]
    r#type: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ScheduleEvent {
    schedule: String,
    enabled: Option<Flag>,
    state: Option<String>,
    #[expect(dead_code, reason = "documentation")]
    description: Option<IgnoredAny>,
    #[expect(dead_code, reason = "the local run always delivers the event")]
    retry_policy: Option<IgnoredAny>,
    #[expect(dead_code, reason = "the local run always delivers the event")]
    dead_letter_config: Option<IgnoredAny>,
}

pub(super) fn read(
    events: BTreeMap<String, Event>,
    path: &str,
    references: &References<'_>,
) -> Result<Events, TemplateError> {
    let mut all = Events::default();
    for (id, event) in events {
        let path = format!("{path}.Events.{id}");
        let properties = Value::Object(event.properties);
        let inner = format!("{path}.Properties");
        match event.r#type.as_str() {
            "HttpApi" => all.routes.push(route(deserialize(properties, &inner)?, &inner, references)?),
            "DynamoDB" => all.streams.extend(stream(id, deserialize(properties, &inner)?, &inner, references)?),
            "Schedule" => all.schedules.extend(schedule(id, deserialize(properties, &inner)?, &inner)?),
            other => {
                let problem = format!("the local run does not support {other} events");
                return Err(TemplateError::at(format!("{path}.Type"), problem));
            }
        }
    }
    Ok(all)
}

fn route(event: HttpApiEvent, path: &str, references: &References<'_>) -> Result<Route, TemplateError> {
    if return_values::reference("AWS::Serverless::HttpApi", references.http_api).as_ref() != Some(&event.api_id) {
        return Err(TemplateError::at(format!("{path}.ApiId"), format!("must be !Ref {}", references.http_api)));
    }
    if event.payload_format_version.as_deref().unwrap_or("2.0") != "2.0" {
        return Err(TemplateError::at(format!("{path}.PayloadFormatVersion"), "the local run supports only 2.0"));
    }
    let (method, route_path) = match (event.method, event.path) {
        (None, None) => ("ANY".to_owned(), "$default".to_owned()),
        (Some(method), Some(path)) => (method.to_ascii_uppercase(), path),
        _ => return Err(TemplateError::at(path, "needs both Method and Path, or neither")),
    };
    let method = if method == "X-AMAZON-APIGATEWAY-ANY-METHOD" { "ANY".to_owned() } else { method };
    let methods = ["ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
    if !methods.contains(&method.as_str()) {
        return Err(TemplateError::at(format!("{path}.Method"), format!("must be one of {}", methods.join(", "))));
    }
    check_route_path(&route_path, &method).map_err(|problem| TemplateError::at(format!("{path}.Path"), problem))?;
    // API Gateway Developer Guide, *Quotas for HTTP APIs*.
    let timeout = bounded(event.timeout_in_millis, 30_000, 50..=30_000, path, "TimeoutInMillis")?;
    let throttle = event.route_settings.map(|settings| throttle(settings, &format!("{path}.RouteSettings")));
    let throttle = throttle.transpose()?.flatten();
    let authorizer = event.auth.map(|auth| auth.authorizer);
    Ok(Route { method, path: route_path, timeout: Duration::from_millis(timeout), throttle, authorizer })
}

fn check_route_path(path: &str, method: &str) -> Result<(), String> {
    if path == "$default" {
        return if method == "ANY" { Ok(()) } else { Err("$default must have the method ANY".to_owned()) };
    }
    let Some(segments) = path.strip_prefix('/') else { return Err("must begin with /".to_owned()) };
    let segments: Vec<&str> = segments.split('/').collect();
    for (index, segment) in segments.iter().enumerate() {
        let name = segment.strip_prefix('{').and_then(|inner| inner.strip_suffix('}'));
        let greedy = name.is_some_and(|name| name.ends_with('+'));
        let braces = name.unwrap_or(segment).contains(['{', '}']);
        if braces || name.is_some_and(|name| name.trim_end_matches('+').is_empty()) {
            return Err(format!("{segment:?} is not a path parameter"));
        }
        if greedy && index + 1 != segments.len() {
            return Err(format!("{segment} must be at the end"));
        }
    }
    Ok(())
}

fn stream(
    logical_id: String,
    event: DynamoDbEvent,
    path: &str,
    references: &References<'_>,
) -> Result<Option<StreamMapping>, TemplateError> {
    if return_values::attribute("AWS::DynamoDB::Table", references.table, "StreamArn").as_ref() != Some(&event.stream) {
        return Err(TemplateError::at(
            format!("{path}.Stream"),
            format!("must be !GetAtt {}.StreamArn", references.table),
        ));
    }
    let limit = |limit: Option<Limit>| match limit {
        Some(Limit::Number(number)) => Some(number),
        Some(Limit::Unlimited(_)) | None => None,
    };
    let mut filters = Vec::new();
    let criteria = format!("{path}.FilterCriteria.Filters");
    for (index, filter) in event.filter_criteria.map(|criteria| criteria.filters).into_iter().flatten().enumerate() {
        let path = format!("{criteria}[{index}].Pattern");
        if filter.pattern.len() > MAX_PATTERN_LENGTH {
            return Err(TemplateError::at(path, format!("is longer than {MAX_PATTERN_LENGTH} characters")));
        }
        let pattern: Value = serde_json::from_str(&filter.pattern)
            .map_err(|error| TemplateError::at(path, format!("is not valid JSON: {error}")))?;
        filters.push(pattern);
    }
    if filters.len() > MAX_FILTERS {
        return Err(TemplateError::at(criteria, format!("Lambda allows up to {MAX_FILTERS} filters")));
    }
    let on_failure = match event.destination_config {
        Some(config) => {
            let destination = config.on_failure.destination;
            let queue = references.resources.iter().find(|(id, kind)| {
                *kind == "AWS::SQS::Queue" && return_values::attribute(kind, id, "Arn").as_ref() == Some(&destination)
            });
            let problem = "must be the ARN of an AWS::SQS::Queue in this template";
            let path = format!("{path}.DestinationConfig.OnFailure.Destination");
            Some(queue.map(|(id, _)| id.clone()).ok_or_else(|| TemplateError::at(path, problem))?)
        }
        None => None,
    };
    if event.enabled.is_some_and(|enabled| !enabled.0) {
        return Ok(None);
    }
    // The ranges and defaults are those of the Lambda API Reference, *CreateEventSourceMapping*.
    let window = bounded(event.maximum_batching_window_in_seconds, 0, 0..=300, path, "MaximumBatchingWindowInSeconds")?;
    let retries = limit(event.maximum_retry_attempts)
        .map(|retries| bounded(Some(Integer(retries)), 0, 0..=10_000, path, "MaximumRetryAttempts"));
    let age = limit(event.maximum_record_age_in_seconds)
        .map(|age| bounded(Some(Integer(age)), 60, 60..=604_800, path, "MaximumRecordAgeInSeconds"));
    Ok(Some(StreamMapping {
        logical_id,
        batch_size: bounded(event.batch_size, 100, 1..=10_000, path, "BatchSize")? as u32,
        maximum_batching_window: Duration::from_secs(window),
        starting_position: match event.starting_position {
            Position::TrimHorizon => StartingPosition::TrimHorizon,
            Position::Latest => StartingPosition::Latest,
        },
        filters,
        bisect_on_error: event.bisect_batch_on_function_error.is_some_and(|flag| flag.0),
        maximum_retry_attempts: retries.transpose()?.map(|retries| retries as u32),
        maximum_record_age: age.transpose()?.map(Duration::from_secs),
        report_batch_item_failures: event.function_response_types.contains(&ResponseType::ReportBatchItemFailures),
        parallelization_factor: bounded(event.parallelization_factor, 1, 1..=10, path, "ParallelizationFactor")? as u32,
        on_failure,
    }))
}

fn schedule(logical_id: String, event: ScheduleEvent, path: &str) -> Result<Option<Schedule>, TemplateError> {
    let rate = rate(&event.schedule).ok_or_else(|| {
        TemplateError::at(format!("{path}.Schedule"), "the local run supports only rate(<number> minutes|hours|days)")
    })?;
    let enabled = match event.state.as_deref() {
        None | Some("ENABLED") => event.enabled.is_none_or(|enabled| enabled.0),
        Some("DISABLED") => false,
        Some(_) => return Err(TemplateError::at(format!("{path}.State"), "must be ENABLED or DISABLED")),
    };
    Ok(enabled.then_some(Schedule { logical_id, rate }))
}

/// Parses a rate expression such as `rate(5 minutes)` (EventBridge User Guide, *Rate expressions*).
fn rate(expression: &str) -> Option<Duration> {
    let (number, unit) = expression.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    let number: u64 = number.parse().ok().filter(|number| (1..=1_000_000).contains(number))?;
    let unit = match (number, unit) {
        (1, "minute") => 60,
        (1, "hour") => 3_600,
        (1, "day") => 86_400,
        (2.., "minutes") => 60,
        (2.., "hours") => 3_600,
        (2.., "days") => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(number * unit))
}
