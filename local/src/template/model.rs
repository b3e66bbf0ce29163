//! The evaluated template.

use std::{collections::BTreeMap, time::Duration};

use super::return_values;

/// The resource type of a function.
const FUNCTION: &str = "AWS::Serverless::Function";

/// An evaluated template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The functions, ordered by logical ID.
    pub functions: Vec<Function>,
    /// The table.
    pub table: Table,
    /// The HTTP API.
    pub http_api: HttpApi,
    /// The ARNs of the secrets by logical ID.
    pub secrets: BTreeMap<String, String>,
    /// The buckets by name.
    pub buckets: BTreeMap<String, Bucket>,
    /// The ARNs of the KMS keys.
    pub keys: Vec<String>,
    /// The values of the parameters, as text.
    pub parameters: BTreeMap<String, String>,
}

/// An `AWS::Serverless::Function`.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// The logical ID.
    pub logical_id: String,
    /// The name of the package and its binary: the last segment of `CodeUri`.
    pub name: String,
    /// The maximum duration of an invocation.
    pub timeout: Duration,
    /// `MemorySize`, which is passed to the function but not enforced.
    pub memory_mb: u32,
    /// `Environment.Variables`.
    pub environment: BTreeMap<String, String>,
    /// Whether `LoggingConfig.LogFormat` is `JSON`.
    pub json_logs: bool,
    /// `LoggingConfig.ApplicationLogLevel`.
    pub log_level: String,
    /// `ReservedConcurrentExecutions`.
    pub reserved_concurrency: Option<usize>,
    /// `EventInvokeConfig`.
    pub event_invoke_config: EventInvokeConfig,
    /// The policy statements of `Policies`, or of the role in `Role`.
    pub permissions: Vec<Statement>,
    /// The `HttpApi` events.
    pub routes: Vec<Route>,
    /// The enabled `DynamoDB` events.
    pub streams: Vec<StreamMapping>,
    /// The enabled `Schedule` events.
    pub schedules: Vec<Schedule>,
}

impl Function {
    /// Returns the value of `!Ref`: the name that CloudFormation generates.
    pub fn generated_name(&self) -> String {
        return_values::reference(FUNCTION, &self.logical_id).unwrap_or_default()
    }

    /// Returns the value of `!GetAtt Arn`.
    pub fn arn(&self) -> String {
        return_values::attribute(FUNCTION, &self.logical_id, "Arn").unwrap_or_default()
    }
}

/// What Lambda does with the events of asynchronous invocations that a function does not process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventInvokeConfig {
    /// How often to invoke the function again after an error.
    pub maximum_retry_attempts: usize,
    /// The age at which an event is discarded.
    pub maximum_event_age: Duration,
}

impl Default for EventInvokeConfig {
    /// Returns Lambda's defaults (Lambda API Reference, *PutFunctionEventInvokeConfig*).
    fn default() -> EventInvokeConfig {
        EventInvokeConfig { maximum_retry_attempts: 2, maximum_event_age: Duration::from_secs(6 * 60 * 60) }
    }
}

/// An IAM policy statement with the effect `Allow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Actions such as `dynamodb:GetItem`, in any case, or `*`.
    pub actions: Vec<String>,
    /// ARNs, or `*`.
    pub resources: Vec<String>,
    /// The patterns of a condition on `dynamodb:LeadingKeys`: the statement allows only requests whose partition keys all
    /// match one of them. `None` without such a condition.
    pub leading_keys: Option<Vec<String>>,
}

/// A route of the HTTP API.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// An HTTP method, or `ANY`. `$default` always has `ANY`.
    pub method: String,
    /// `/path`, `/path/{parameter}`, `/path/{proxy+}`, or `$default`.
    pub path: String,
    /// `TimeoutInMillis`, or API Gateway's 30 seconds.
    pub timeout: Duration,
    /// `RouteSettings` of the event.
    pub throttle: Option<Throttle>,
    /// The name of the route's authorizer, or `None` if the route is public.
    pub authorizer: Option<String>,
}

impl Route {
    /// Returns the route key in API Gateway's form: `POST /path`, `ANY /path`, or `$default`.
    pub fn key(&self) -> String {
        if self.path == "$default" { self.path.clone() } else { format!("{} {}", self.method, self.path) }
    }
}

/// The `AWS::DynamoDB::Table`.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The logical ID.
    pub logical_id: String,
    /// The table name, which is also the value of `!Ref`.
    pub name: String,
    /// The value of `!GetAtt Table.Arn`.
    pub arn: String,
    /// The members of a `CreateTable` request, without `TableName`: `AttributeDefinitions`, `KeySchema`,
    /// `GlobalSecondaryIndexes`, `LocalSecondaryIndexes`, `BillingMode`, `StreamSpecification`.
    pub create: serde_json::Value,
    /// The attribute of `TimeToLiveSpecification`, if enabled.
    pub ttl_attribute: Option<String>,
}

/// The `AWS::Serverless::HttpApi`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HttpApi {
    /// `DefaultRouteSettings`.
    pub default_throttle: Option<Throttle>,
    /// `RouteSettings` by route key.
    pub route_throttles: BTreeMap<String, Throttle>,
    /// `CorsConfiguration`.
    pub cors: Option<Cors>,
    /// `Auth.Authorizers` by name.
    pub authorizers: BTreeMap<String, Authorizer>,
    /// `Auth.DefaultAuthorizer`, for routes without an authorizer of their own.
    pub default_authorizer: Option<String>,
}

/// A Lambda authorizer with payload format 2.0 and simple responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorizer {
    /// The package of the authorizer's function.
    pub function: String,
    /// The headers in the cache key. A request without one of them is rejected without an invocation.
    pub headers: Vec<String>,
    /// `ReauthorizeEvery`: how long to cache a result.
    pub cache_ttl: Duration,
}

/// `ThrottlingRateLimit` and `ThrottlingBurstLimit`: a token bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throttle {
    /// Tokens added per second.
    pub rate: f64,
    /// The capacity of the bucket, in tokens.
    pub burst: u32,
}

/// A `CorsConfiguration`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// `AllowOrigins`.
    pub allow_origins: Vec<String>,
    /// `AllowMethods`.
    pub allow_methods: Vec<String>,
    /// `AllowHeaders`.
    pub allow_headers: Vec<String>,
    /// `ExposeHeaders`.
    pub expose_headers: Vec<String>,
    /// `MaxAge`, in seconds.
    pub max_age: Option<u64>,
    /// `AllowCredentials`.
    pub allow_credentials: bool,
}

/// An `AWS::S3::Bucket`.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// The ARN.
    pub arn: String,
    /// The rule of the `CorsConfiguration`.
    pub cors: Option<Cors>,
}

/// The position at which a new stream mapping starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartingPosition {
    /// `TRIM_HORIZON`: the oldest available record.
    TrimHorizon,
    /// `LATEST`: the next record.
    Latest,
}

/// A `DynamoDB` event of a function: an event source mapping for the table's stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamMapping {
    /// The logical ID of the event.
    pub logical_id: String,
    /// The maximum number of records per invocation.
    pub batch_size: u32,
    /// The maximum time to wait for a full batch.
    pub maximum_batching_window: Duration,
    /// The position at which the mapping starts.
    pub starting_position: StartingPosition,
    /// The parsed filter patterns. A record is passed on if it matches any of them, or if there are none.
    pub filters: Vec<serde_json::Value>,
    /// `BisectBatchOnFunctionError`.
    pub bisect_on_error: bool,
    /// `MaximumRetryAttempts`, or `None` to retry until the record expires.
    pub maximum_retry_attempts: Option<u32>,
    /// `MaximumRecordAgeInSeconds`, or `None` for the retention of the stream.
    pub maximum_record_age: Option<Duration>,
    /// Whether `FunctionResponseTypes` has `ReportBatchItemFailures`.
    pub report_batch_item_failures: bool,
    /// `ParallelizationFactor`.
    pub parallelization_factor: u32,
    /// The logical ID of the SQS queue that is the on-failure destination.
    pub on_failure: Option<String>,
}

/// A `Schedule` event of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The logical ID of the event. With that of the function, it makes the name of the rule.
    pub logical_id: String,
    /// The time between two invocations.
    pub rate: Duration,
}
