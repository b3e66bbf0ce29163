#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::template::{StartingPosition, Throttle};

/// A template with one of each; `{…}` marks are where a test adds something.
const TEMPLATE: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Rate: { Type: Number, Default: 200 }
  Origins: { Type: CommaDelimitedList, Default: "" }
Conditions:
  HasOrigins: !Not [!Equals [!Join ["", !Ref Origins], ""]]
  Never: !Equals [a, b]
Globals:
  Function:
    Runtime: provided.al2023
    Handler: bootstrap
    Timeout: 10
    LoggingConfig: { LogFormat: JSON, ApplicationLogLevel: INFO }
    Environment: { Variables: { SHARED: "1" } }
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      StageName: $default
      DefaultRouteSettings: { ThrottlingRateLimit: !Ref Rate, ThrottlingBurstLimit: 400 }
      RouteSettings:
        "ANY /api/qr": { ThrottlingRateLimit: 5, ThrottlingBurstLimit: 6 }
      CorsConfiguration: !If [HasOrigins, { AllowOrigins: !Ref Origins, AllowMethods: [GET] }, !Ref "AWS::NoValue"]
      #api
  Qr:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda }
    #attribute
    Properties:
      CodeUri: functions/qr/
      Policies: [{ Statement: [{ Effect: Allow, Resource: !GetAtt Table.Arn }] }]
      Environment: { Variables: { TABLE_NAME: !Ref Table } }
      Events:
        Route:
          Type: HttpApi
          Properties:
            ApiId: !Ref Api
            Path: /api/qr
            Method: ANY
            #route
      #qr
  Deliver:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda }
    Properties:
      CodeUri: functions/deliver
      Timeout: 60
      ReservedConcurrentExecutions: 2
      Events:
        Pending:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt Table.StreamArn
            StartingPosition: TRIM_HORIZON
            BatchSize: 25
            MaximumRetryAttempts: 5
            MaximumRecordAgeInSeconds: -1
            BisectBatchOnFunctionError: true
            FunctionResponseTypes: [ReportBatchItemFailures]
            FilterCriteria: { Filters: [{ Pattern: '{"eventName":["INSERT"]}' }] }
            DestinationConfig: { OnFailure: { Type: SQS, Destination: !GetAtt Failures.Arn } }
            #stream
        Minute:
          Type: Schedule
          Properties:
            Schedule: rate(1 minute)
            #schedule
  Failures:
    Type: AWS::SQS::Queue
  Secret:
    Type: AWS::SecretsManager::Secret
  Absent:
    Type: AWS::S3::Bucket
    Condition: Never
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true }
      TimeToLiveSpecification: { AttributeName: expires_at, Enabled: true }
      StreamSpecification: { StreamViewType: NEW_AND_OLD_IMAGES }
      AttributeDefinitions: [{ AttributeName: pk, AttributeType: S }, { AttributeName: k, AttributeType: S }]
      KeySchema: [{ AttributeName: pk, KeyType: HASH }]
      GlobalSecondaryIndexes:
        - IndexName: due
          KeySchema: [{ AttributeName: k, KeyType: HASH }]
          Projection: { ProjectionType: KEYS_ONLY }
          #index
      #table
  #resource
"#;

fn parse(text: &str, given: &[(&str, &str)]) -> Result<Template, String> {
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Template::parse(text, &given).map_err(|error| error.to_string())
}

/// What the template says with `text` added at `mark`.
fn with(mark: &str, text: &str) -> Result<Template, String> {
    assert!(TEMPLATE.contains(mark));
    parse(&TEMPLATE.replacen(mark, text, 1), &[])
}

#[test]
fn a_whole_template() {
    let template = parse(TEMPLATE, &[]).unwrap();
    let [deliver, qr] = template.functions.as_slice() else { unreachable!("there are two functions") };
    assert_eq!((qr.name.as_str(), qr.timeout), ("qr", Duration::from_secs(10)));
    assert_eq!(qr.environment["TABLE_NAME"], "qasid-Table");
    assert_eq!(qr.environment["SHARED"], "1");
    assert!(qr.json_logs);
    assert_eq!(qr.routes[0].key(), "ANY /api/qr");
    assert_eq!((deliver.timeout, deliver.reserved_concurrency), (Duration::from_secs(60), Some(2)));
    let stream = &deliver.streams[0];
    assert_eq!((stream.batch_size, stream.maximum_retry_attempts), (25, Some(5)));
    assert_eq!((stream.starting_position, stream.maximum_record_age), (StartingPosition::TrimHorizon, None));
    assert_eq!(stream.filters, [json!({"eventName": ["INSERT"]})]);
    assert_eq!(stream.on_failure.as_deref(), Some("Failures"));
    assert!(stream.bisect_on_error && stream.report_batch_item_failures);
    assert_eq!(deliver.schedules[0].rate, Duration::from_secs(60));
    assert_eq!(template.http_api.default_throttle, Some(Throttle { rate: 200.0, burst: 400 }));
    assert_eq!(template.http_api.route_throttles["ANY /api/qr"], Throttle { rate: 5.0, burst: 6 });
    assert_eq!(template.http_api.cors, None);
    assert_eq!(template.table.ttl_attribute.as_deref(), Some("expires_at"));
    let stream = json!({"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"});
    assert_eq!(template.table.create["StreamSpecification"], stream);
    assert_eq!(template.table.create["GlobalSecondaryIndexes"][0]["IndexName"], "due");
    assert_eq!(template.secrets.len(), 1);
}

#[test]
fn parameters_reach_the_resources() {
    let template = parse(TEMPLATE, &[("Rate", "7"), ("Origins", "https://a.example,https://b.example")]).unwrap();
    assert_eq!(template.http_api.default_throttle.unwrap().rate, 7.0);
    assert_eq!(template.http_api.cors.unwrap().allow_origins, ["https://a.example", "https://b.example"]);
    assert_eq!(template.parameters["Origins"], "https://a.example,https://b.example");
    assert!(parse(TEMPLATE, &[("Nope", "1")]).unwrap_err().contains("Parameters.Nope"));
}

#[test]
fn the_projects_own_template() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let template = Template::load(&path, &BTreeMap::new()).unwrap();
    assert!(template.functions.iter().any(|function| function.name == "webhook"));
}

#[test]
fn each_unknown_property_is_an_error_that_names_it() {
    for (mark, text, wanted) in [
        ("#api", "Auth: { DefaultAuthorizer: X }", "Resources.Api.Properties.Auth: a local run cannot honour Auth"),
        ("#api", "StageVariables: { A: b }", "Resources.Api.Properties.StageVariables"),
        ("#qr", "SnapStart: { ApplyOn: PublishedVersions }", "Resources.Qr.Properties.SnapStart"),
        ("#qr", "VpcConfig: {}", "Resources.Qr.Properties.VpcConfig"),
        ("#qr", "FunctionName: x", "Resources.Qr.Properties.FunctionName"),
        ("#qr", "EventInvokeConfig: {}", "Resources.Qr.Properties.EventInvokeConfig"),
        ("#attribute", "Connectors: {}", "Connectors"),
        ("#route", "Auth: {}", "Resources.Qr.Properties.Events.Route.Properties.Auth"),
        ("#stream", "TumblingWindowInSeconds: 5", "Events.Pending.Properties.TumblingWindowInSeconds"),
        ("#schedule", "Input: '{}'", "Resources.Deliver.Properties.Events.Minute.Properties.Input"),
        ("#table", "TableName: x", "Resources.Table.Properties.TableName"),
        ("#table", "KinesisStreamSpecification: {}", "Resources.Table.Properties.KinesisStreamSpecification"),
        ("#index", "Colour: red", "Resources.Table.Properties.GlobalSecondaryIndexes[0].Colour"),
        ("#resource", "Bucket: { Type: AWS::S3::Bucket }", "Resources.Bucket.Type: a local run cannot honour AWS::S3"),
        ("#resource", "Other: { Type: AWS::DynamoDB::Table }", "honours only one AWS::DynamoDB::Table"),
        ("Conditions:", "Rules: {}\nConditions:", "Rules: a local run cannot honour Rules"),
        ("Globals:", "Globals:\n  Api: {}", "Globals.Api: a local run cannot honour Api"),
    ] {
        let error = with(mark, text).unwrap_err();
        assert!(error.contains(wanted), "{text}: {error}");
    }
}

#[test]
fn each_value_that_cannot_be_honoured_is_an_error() {
    for (old, new, wanted) in [
        ("provided.al2023", "nodejs24.x", "Properties.Runtime: a local run honours only provided.al2023"),
        ("Timeout: 60", "Timeout: 901", "Resources.Deliver.Properties.Timeout: must be between 1 and 900"),
        ("Timeout: 60", "Timeout: soon", "expected a whole number"),
        ("rate(1 minute)", "cron(0 * * * ? *)", "Events.Minute.Properties.Schedule"),
        ("rate(1 minute)", "rate(1 minutes)", "Events.Minute.Properties.Schedule"),
        ("Type: Schedule", "Type: SQS", "a local run cannot honour SQS events"),
        ("Method: ANY", "Method: FETCH", "Events.Route.Properties.Method"),
        ("Method: ANY", "Method: ANY\n            PayloadFormatVersion: '1.0'", "PayloadFormatVersion"),
        ("ApiId: !Ref Api", "ApiId: other", "must be !Ref Api"),
        ("Path: /api/qr", "Path: /api/{x+}/qr", "must be at the end"),
        ("Path: /api/qr", "Path: api", "must begin with /"),
        ("!GetAtt Table.StreamArn", "arn:aws:dynamodb:x", "must be !GetAtt Table.StreamArn"),
        ("!GetAtt Failures.Arn", "arn:aws:sqs:x", "OnFailure.Destination"),
        (r#"'{"eventName":["INSERT"]}'"#, "'{'", "Filters[0].Pattern: is no JSON"),
        ("BatchSize: 25", "BatchSize: 0", "BatchSize: must be between"),
        ("\"ANY /api/qr\":", "\"GET /api/qr\":", "there is no route GET /api/qr"),
        ("ThrottlingBurstLimit: 6", "DetailedMetricsEnabled: true", "needs both"),
        ("StageName: $default", "StageName: v1", "honours only $default"),
        ("TABLE_NAME: !Ref Table", "AWS_REGION: x", "Lambda sets this variable itself"),
        ("TABLE_NAME: !Ref Table", "S: '{{resolve:ssm:x}}'", "dynamic reference"),
        ("functions/deliver", "functions/qr", "a second function is built from qr"),
        ("AWS::Serverless-2016-10-31", "AWS::Include", "Transform"),
        ("Metadata: { BuildMethod: rust-cargolambda }", "Metadata: { BuildMethod: makefile }", "only rust-cargolambda"),
    ] {
        let error = with(old, new).unwrap_err();
        assert!(error.contains(wanted), "{new}: {error}");
    }
}
