//! What is left of a template once it has been evaluated.

use std::collections::BTreeMap;
use std::time::Duration;

/// An evaluated template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The functions, in the template's order.
    pub functions: Vec<Function>,
    /// The one table.
    pub table: Table,
    /// The one HTTP API.
    pub http_api: HttpApi,
    /// The ids by which functions ask for the template's secrets, by the secrets' names in the template.
    pub secrets: BTreeMap<String, String>,
    /// The ARNs of the template's KMS keys.
    pub keys: Vec<String>,
    /// The values of the parameters, as text.
    pub parameters: BTreeMap<String, String>,
}

/// An `AWS::Serverless::Function`.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Its name in the template.
    pub logical_id: String,
    /// Its package and binary: the last part of `CodeUri`.
    pub name: String,
    /// An invocation that takes longer is killed.
    pub timeout: Duration,
    /// Told to the function, not enforced.
    pub memory_mb: u32,
    /// `Environment.Variables`, evaluated.
    pub environment: BTreeMap<String, String>,
    /// `LoggingConfig.LogFormat`: whether the function is asked for JSON lines.
    pub json_logs: bool,
    /// `LoggingConfig.ApplicationLogLevel`.
    pub log_level: String,
    /// `ReservedConcurrentExecutions`.
    pub reserved_concurrency: Option<usize>,
    /// What it may do: the statements of its `Policies`, or of its `Role`.
    pub permissions: Vec<Statement>,
    /// Its `HttpApi` events.
    pub routes: Vec<Route>,
    /// Its enabled `DynamoDB` events.
    pub streams: Vec<StreamMapping>,
    /// Its enabled `Schedule` events.
    pub schedules: Vec<Schedule>,
}

/// A statement of an IAM policy, all of which allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// `dynamodb:GetItem`…, in any case, or `*`.
    pub actions: Vec<String>,
    /// ARNs, or `*`.
    pub resources: Vec<String>,
}

/// A route of the HTTP API.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// `GET`, `POST`…, or `ANY`; `$default` has `ANY`.
    pub method: String,
    /// `/path`, `/path/{parameter}`, `/path/{proxy+}`, or `$default`.
    pub path: String,
    /// `TimeoutInMillis`, or API Gateway's 30 seconds.
    pub timeout: Duration,
    /// The event's own `RouteSettings`.
    pub throttle: Option<Throttle>,
    /// The authorizer that lets a request pass; `None` when every request does.
    pub authorizer: Option<String>,
}

impl Route {
    /// The route key as API Gateway writes it: `POST /path`, `ANY /path` or `$default`.
    pub fn key(&self) -> String {
        if self.path == "$default" { self.path.clone() } else { format!("{} {}", self.method, self.path) }
    }
}

/// The `AWS::DynamoDB::Table`.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its name in the template.
    pub logical_id: String,
    /// What `!Ref` gives, and the name to create it by.
    pub name: String,
    /// What `!GetAtt Table.Arn` gives.
    pub arn: String,
    /// The members of a `CreateTable` request, without `TableName`: `AttributeDefinitions`, `KeySchema`,
    /// `GlobalSecondaryIndexes`, `LocalSecondaryIndexes`, `BillingMode`, `StreamSpecification`.
    pub create: serde_json::Value,
    /// The attribute of `TimeToLiveSpecification`, when it is enabled.
    pub ttl_attribute: Option<String>,
}

/// The `AWS::Serverless::HttpApi`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HttpApi {
    /// `DefaultRouteSettings`.
    pub default_throttle: Option<Throttle>,
    /// `RouteSettings`, by route key.
    pub route_throttles: BTreeMap<String, Throttle>,
    /// `CorsConfiguration`.
    pub cors: Option<Cors>,
    /// `Auth.Authorizers`, by name.
    pub authorizers: BTreeMap<String, Authorizer>,
    /// `Auth.DefaultAuthorizer`: of the routes that name none.
    pub default_authorizer: Option<String>,
}

/// A Lambda authorizer of payload format 2.0 with simple responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorizer {
    /// The package of its function.
    pub function: String,
    /// The headers that it decides by; a request without one of them is refused without asking.
    pub headers: Vec<String>,
    /// `ReauthorizeEvery`: how long its answer is kept.
    pub keep: Duration,
}

/// `ThrottlingRateLimit` and `ThrottlingBurstLimit`: a token bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throttle {
    /// Tokens that come back each second.
    pub rate: f64,
    /// What the bucket holds.
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
    /// `MaxAge` in seconds.
    pub max_age: Option<u64>,
    /// `AllowCredentials`.
    pub allow_credentials: bool,
}

/// Where a new stream mapping begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartingPosition {
    /// `TRIM_HORIZON`: the oldest record that is left.
    TrimHorizon,
    /// `LATEST`: what is written from now on.
    Latest,
}

/// A `DynamoDB` event of a function: an event source mapping on the table's stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamMapping {
    /// The event's name in the template.
    pub logical_id: String,
    /// Records in one invocation at most.
    pub batch_size: u32,
    /// How long a batch may wait to be filled.
    pub maximum_batching_window: Duration,
    /// Where it begins.
    pub starting_position: StartingPosition,
    /// Parsed patterns; a record that matches any of them is taken, and every record when there is none.
    pub filters: Vec<serde_json::Value>,
    /// `BisectBatchOnFunctionError`.
    pub bisect_on_error: bool,
    /// `None` retries until the record expires.
    pub maximum_retry_attempts: Option<u32>,
    /// `None` keeps a record as long as the stream does.
    pub maximum_record_age: Option<Duration>,
    /// `FunctionResponseTypes` has `ReportBatchItemFailures`.
    pub report_batch_item_failures: bool,
    /// `ParallelizationFactor`.
    pub parallelization_factor: u32,
    /// The logical id of the SQS queue that is told of records given up on.
    pub on_failure: Option<String>,
}

/// A `Schedule` event of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The event's name in the template; with the function's, the name of the rule.
    pub logical_id: String,
    /// The time between two events.
    pub rate: Duration,
}
