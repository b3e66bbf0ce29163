#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::template::{EventInvokeConfig, StartingPosition, Statement, Throttle, return_values::ACCOUNT};

/// A template with one resource of each supported type. Tests insert text at its `#` marks.
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
      Policies: [{ Statement: [{ Effect: Allow, Action: dynamodb:GetItem, Resource: !GetAtt Table.Arn }] }]
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

fn parse(text: &str, parameters: &[(&str, &str)]) -> Result<Template, String> {
    let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Template::parse(text, &parameters).map_err(|error| error.to_string())
}

/// Parses the template with `mark` replaced by `text`.
fn with(mark: &str, text: &str) -> Result<Template, String> {
    assert!(TEMPLATE.contains(mark));
    parse(&TEMPLATE.replacen(mark, text, 1), &[])
}

#[test]
fn every_section_is_evaluated() {
    let template = parse(TEMPLATE, &[]).unwrap();
    let [deliver, qr] = template.functions.as_slice() else { unreachable!("there are two functions") };
    assert_eq!((qr.name.as_str(), qr.timeout), ("qr", Duration::from_secs(10)));
    assert_eq!(qr.environment["TABLE_NAME"], "qasid-Table");
    assert_eq!(qr.environment["SHARED"], "1");
    assert!(qr.json_logs);
    let table = "arn:aws:dynamodb:us-east-1:000000000000:table/qasid-Table";
    assert_eq!(qr.permissions, [statement("dynamodb:GetItem", table)]);
    assert_eq!((deliver.permissions.as_slice(), template.table.arn.as_str()), ([].as_slice(), table));
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

fn statement(action: &str, resource: &str) -> Statement {
    Statement { actions: vec![action.to_owned()], resources: vec![resource.to_owned()], leading_keys: None }
}

#[test]
fn route_has_its_own_or_the_default_authorizer() {
    const LAMBDA: &str = "{ FunctionArn: !GetAtt Deliver.Arn, AuthorizerPayloadFormatVersion: '2.0', \
                          EnableSimpleResponses: true, EnableFunctionDefaultPermissions: true, \
                          Identity: { Headers: [Authorization], ReauthorizeEvery: 60 } }";
    let auth = |authorizer: &str, default: &str, route: &str| {
        let auth = format!("Auth: {{ Authorizers: {{ Keys: {authorizer} }} {default} }}");
        parse(&TEMPLATE.replacen("#api", &auth, 1).replacen("#route", route, 1), &[])
    };
    let by_default = ", DefaultAuthorizer: Keys";
    for (default, route, wanted) in [
        ("", "", None),
        ("", "Auth: { Authorizer: Keys }", Some("Keys")),
        (by_default, "", Some("Keys")),
        (by_default, "Auth: { Authorizer: NONE }", None),
    ] {
        let template = auth(LAMBDA, default, route).unwrap();
        let qr = template.functions.iter().find(|function| function.name == "qr").unwrap();
        assert_eq!(qr.routes[0].authorizer.as_deref(), wanted, "{default} {route}");
        let keys = &template.http_api.authorizers["Keys"];
        assert_eq!((keys.function.as_str(), keys.cache_ttl), ("deliver", Duration::from_secs(60)));
        assert_eq!(keys.headers, ["Authorization"]);
    }
    assert!(
        auth(LAMBDA, ", DefaultAuthorizer: X", "")
            .unwrap_err()
            .contains("Auth.DefaultAuthorizer: there is no authorizer X")
    );
    assert!(auth(LAMBDA, "", "Auth: { Authorizer: X }").unwrap_err().contains("there is no authorizer X"));
    for (old, new, wanted) in [
        ("'2.0'", "'1.0'", "Authorizers.Keys: the local run supports only payload format 2.0"),
        ("EnableSimpleResponses: true", "EnableSimpleResponses: false", "with simple responses"),
        ("Permissions: true", "Permissions: false", "EnableFunctionDefaultPermissions: must be true"),
        ("!GetAtt Deliver.Arn", "!GetAtt Table.Arn", "FunctionArn: must be !GetAtt of the Arn of a function"),
        ("ReauthorizeEvery: 60", "ReauthorizeEvery: 3601", "Identity: needs Headers"),
        ("Headers: [Authorization]", "QueryStrings: [key]", "Identity.QueryStrings: the local run does not support"),
    ] {
        let error = auth(&LAMBDA.replacen(old, new, 1), "", "").unwrap_err();
        assert!(error.contains(wanted), "{new}: {error}");
    }
}

#[test]
fn function_has_the_permissions_of_its_role() {
    let role = |policies: &str| {
        let role = format!(
            "DeliverRole: {{ Type: AWS::IAM::Role, Properties: {{ AssumeRolePolicyDocument: {{}}, {policies} }} }}"
        );
        let beside = "Beside: { Type: AWS::IAM::RolePolicy, Properties: { RoleName: !Ref DeliverRole, PolicyName: b, \
                      PolicyDocument: { Statement: { Effect: Allow, Action: logs:PutLogEvents, Resource: 'a:*' } } } }";
        TEMPLATE.replacen("#resource", &format!("{role}\n  {beside}"), 1).replacen(
            "Timeout: 60",
            "Timeout: 60\n      Role: !GetAtt DeliverRole.Arn",
            1,
        )
    };
    let inline = "Policies: [{ PolicyName: a, PolicyDocument: { Version: '2012-10-17', Statement: [{ \
                  Effect: Allow, Action: [dynamodb:Query], Resource: !Sub '${Table.Arn}/index/due' }] } }]";
    let template = parse(&role(inline), &[]).unwrap();
    let due = format!("{}/index/due", template.table.arn);
    assert_eq!(
        template.functions[0].permissions,
        [statement("dynamodb:Query", &due), statement("logs:PutLogEvents", "a:*")]
    );

    for (policies, path) in [
        ("ManagedPolicyArns: [a]", "Resources.DeliverRole.Properties.ManagedPolicyArns"),
        ("PermissionsBoundary: a", "Resources.DeliverRole.Properties.PermissionsBoundary"),
        (&inline.replace("Allow", "Deny"), "DeliverRole.Properties.Policies[0].PolicyDocument.Statement[0].Effect"),
    ] {
        let error = parse(&role(policies), &[]).unwrap_err();
        assert!(error.contains(path), "{policies}: {error}");
    }
    let other = role(inline).replacen("RoleName: !Ref DeliverRole", "RoleName: other", 1);
    assert!(parse(&other, &[]).unwrap_err().contains("Resources.Beside.Properties.RoleName"));
    let other = role(inline).replacen("Role: !GetAtt DeliverRole.Arn", "Role: other", 1);
    assert!(parse(&other, &[]).unwrap_err().contains("Resources.Deliver.Properties.Role: must be !GetAtt"));
}

#[test]
fn unsupported_policy_is_an_error() {
    const ALLOW: &str = "Effect: Allow, Action: dynamodb:GetItem, Resource: !GetAtt Table.Arn";
    let changed = |old: &str, new: &str| with(ALLOW, &ALLOW.replacen(old, new, 1)).unwrap_err();
    for (old, new, wanted) in [
        ("Allow", "Deny", "Effect: unknown variant `Deny`"),
        ("Action", "NotAction", "NotAction: the local run does not support NotAction"),
        ("Resource", "NotResource", "NotResource: the local run does not support NotResource"),
        ("Effect", "Condition: {}, Effect", "Condition: missing field `ForAllValues:StringLike`"),
        (
            "Effect",
            "Condition: { 'ForAllValues:StringLike': { dynamodb:LeadingKeys: a }, Bool: {} }, Effect",
            "Condition.Bool: the local run does not support Bool",
        ),
        (
            "Effect",
            "Condition: { 'ForAllValues:StringLike': { dynamodb:Attributes: a } }, Effect",
            "Condition.ForAllValues:StringLike.dynamodb:Attributes: the local run does not support",
        ),
        ("dynamodb:GetItem", "dynamodb:Get*", "Action: the local run does not support the pattern dynamodb:Get*"),
        (
            "dynamodb:GetItem",
            "[dynamodb:GetIte?]",
            "Action: the local run does not support the pattern dynamodb:GetIte?",
        ),
        (
            "!GetAtt Table.Arn",
            "!Sub '${Table.Arn}/index/*'",
            "Resource: the local run does not support the pattern arn:",
        ),
        ("dynamodb:GetItem", "[{}]", "Action: expected text"),
    ] {
        let error = changed(old, new);
        let path = "Resources.Qr.Properties.Policies[0].Statement[0].";
        assert!(error.contains(&format!("{path}{wanted}")), "{new}: {error}");
    }
    for (policies, wanted) in [
        ("AmazonDynamoDBFullAccess", "Policies[0]: the local run does not support managed policies"),
        ("[DynamoDBCrudPolicy: { TableName: t }]", "Policies[0].DynamoDBCrudPolicy: the local run does not support"),
    ] {
        let text = TEMPLATE.lines().map(|line| match line.split_once("Policies: [{ Statement") {
            Some((indent, _)) => format!("{indent}Policies: {policies}\n"),
            None => format!("{line}\n"),
        });
        let error = parse(&text.collect::<String>(), &[]).unwrap_err();
        assert!(error.contains(&format!("Resources.Qr.Properties.{wanted}")), "{policies}: {error}");
    }
    let both = TEMPLATE.replacen("#qr", "Role: r", 1);
    assert!(
        parse(&both, &[]).unwrap_err().contains("Resources.Qr.Properties.Policies: has no effect together with Role")
    );
    let boundary = TEMPLATE.replacen("#qr", "PermissionsBoundary: p", 1);
    assert!(parse(&boundary, &[]).unwrap_err().contains("Resources.Qr.Properties.PermissionsBoundary: must be !Ref"));
}

#[test]
fn condition_on_leading_keys_becomes_part_of_the_statement() {
    let condition =
        "Condition: { 'ForAllValues:StringLike': { dynamodb:LeadingKeys: ['KEY#*', KEYS] } }, Effect: Allow";
    let template = with("Effect: Allow", condition).unwrap();
    let wanted = ["KEY#*", "KEYS"].map(str::to_owned).to_vec();
    assert_eq!(template.functions[1].permissions[0].leading_keys, Some(wanted));
}

#[test]
fn permissions_boundary_must_allow_the_actions_of_its_functions() {
    let boundary = |statement: &str| {
        let policy = format!(
            "Boundary: {{ Type: AWS::IAM::ManagedPolicy, Properties: {{ PolicyDocument: {{ Statement: [{{ {statement} }}] }} }} }}"
        );
        let text = TEMPLATE.replacen("#qr", "PermissionsBoundary: !Ref Boundary", 1);
        parse(&text.replacen("#resource", &policy, 1), &[])
    };
    for actions in ["['dynamodb:*', 'kms:*']", "DynamoDB:GetItem", "'*'"] {
        for resource in ["'*'", "!GetAtt Table.Arn", "['arn:aws:s3:::a', 'arn:aws:dynamodb:*']"] {
            let statement = format!("Effect: Allow, Action: {actions}, Resource: {resource}");
            assert!(boundary(&statement).is_ok(), "{statement}");
        }
    }
    for limit in [
        "Effect: Allow, Action: ['kms:*'], Resource: '*'",
        "Effect: Allow, Action: ['dynamodb:*'], Resource: !Sub '${Table.Arn}/index/due'",
        "Effect: Allow, Action: ['dynamodb:*'], Resource: '*', Condition: {}",
    ] {
        let error = boundary(limit).unwrap_err();
        let expected = "Resources.Qr.Properties.PermissionsBoundary: does not allow dynamodb:GetItem on arn:";
        assert!(error.contains(expected), "{error}");
    }
    // A role of the template isn't limited.
    let role = "Boundary: { Type: AWS::IAM::ManagedPolicy, Properties: { PolicyDocument: { Statement: [] } } }\n  \
                QrRole: { Type: AWS::IAM::Role, Properties: { AssumeRolePolicyDocument: {}, Policies: [{ PolicyName: a, \
                PolicyDocument: { Statement: [{ Effect: Allow, Action: dynamodb:GetItem, Resource: !GetAtt Table.Arn }] } }] } }";
    let text = TEMPLATE.replacen("#resource", role, 1).replacen(
        "Timeout: 60",
        "Timeout: 60\n      PermissionsBoundary: !Ref Boundary\n      Role: !GetAtt QrRole.Arn",
        1,
    );
    assert_eq!(parse(&text, &[]).unwrap().functions[0].permissions.len(), 1);
}

#[test]
fn permission_to_invoke_a_function_names_the_function() {
    let statement_with = |rest: &str| {
        let allow = "Effect: Allow, Action: dynamodb:GetItem, Resource: !GetAtt Table.Arn";
        with(allow, &format!("Effect: Allow, Action: lambda:InvokeFunction, {rest}"))
    };
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:qasid-Deliver";
    for resource in [
        "!GetAtt Deliver.Arn",
        "!Sub '${Deliver.Arn}'",
        "!Sub 'arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${Deliver}'",
    ] {
        let template = statement_with(&format!("Resource: {resource}")).unwrap();
        assert_eq!(template.functions[1].permissions, [statement("lambda:InvokeFunction", arn)], "{resource}");
        assert_eq!(template.functions[0].arn(), arn);
        assert_eq!(template.functions[0].generated_name(), "qasid-Deliver");
    }
    for (rest, wanted) in [
        ("Resource: !Sub '${Deliver.Arn}:*'", "Resource: the local run does not support the pattern arn:"),
        (
            "Resource: '*', Condition: {}",
            "Condition: the local run does not support conditions of permissions for Lambda",
        ),
    ] {
        let error = statement_with(rest).unwrap_err();
        assert!(error.contains(&format!("Statement[0].{wanted}")), "{error}");
    }
}

#[test]
fn asynchronous_invocations_have_lambdas_limits() {
    let config = |config: &str| {
        let template = with("Timeout: 60", &format!("Timeout: 60\n      EventInvokeConfig: {config}"))?;
        let EventInvokeConfig { maximum_retry_attempts, maximum_event_age } = template.functions[0].event_invoke_config;
        Ok::<_, String>((maximum_retry_attempts, maximum_event_age.as_secs()))
    };
    for (text, expected) in [
        ("{}", (2, 21_600)),
        ("{ MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 }", (0, 60)),
        ("{ MaximumRetryAttempts: 1, MaximumEventAgeInSeconds: 21600 }", (1, 21_600)),
    ] {
        assert_eq!(config(text), Ok(expected), "{text}");
    }
    for (text, problem) in [
        ("{ MaximumRetryAttempts: 3 }", "MaximumRetryAttempts: must be between 0 and 2"),
        ("{ MaximumEventAgeInSeconds: 59 }", "MaximumEventAgeInSeconds: must be between 60 and 21600"),
        ("{ MaximumEventAgeInSeconds: 21601 }", "MaximumEventAgeInSeconds: must be between 60 and 21600"),
    ] {
        let error = config(text).unwrap_err();
        assert!(error.contains(&format!("Resources.Deliver.Properties.EventInvokeConfig.{problem}")), "{error}");
    }
}

#[test]
fn parameters_replace_defaults_in_resources() {
    let template = parse(TEMPLATE, &[("Rate", "7"), ("Origins", "https://a.example,https://b.example")]).unwrap();
    assert_eq!(template.http_api.default_throttle.unwrap().rate, 7.0);
    assert_eq!(template.http_api.cors.unwrap().allow_origins, ["https://a.example", "https://b.example"]);
    assert_eq!(template.parameters["Origins"], "https://a.example,https://b.example");
    assert!(parse(TEMPLATE, &[("Nope", "1")]).unwrap_err().contains("Parameters.Nope"));
}

#[test]
fn project_template_is_supported() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let template = Template::load(&path, &BTreeMap::new()).unwrap();
    assert!(template.functions.iter().any(|function| function.name == "webhook"));
    let deliver = template.functions.iter().find(|function| function.name == "deliver").unwrap();
    assert_eq!(deliver.environment["MESSAGES_PER_SECOND"], "80");
    assert_eq!(deliver.environment["UNKNOWN_DEADLINE_SECONDS"], "300");
}

#[test]
fn only_functions_that_return_secrets_create_the_signing_key() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let template = Template::load(&path, &BTreeMap::new()).unwrap();
    let allowed = |action: &str| -> BTreeSet<&str> {
        let functions = template.functions.iter().filter(|function| {
            function.permissions.iter().any(|statement| statement.actions.iter().any(|allowed| allowed == action))
        });
        functions.map(|function| function.name.as_str()).collect()
    };
    assert_eq!(allowed("ssm:PutParameter"), BTreeSet::from(["webhook-secret", "webhooks"]));
    let readers = BTreeSet::from(["notify", "webhook-secret", "webhook-test", "webhooks"]);
    assert_eq!(allowed("ssm:GetParameter"), readers);
}

#[test]
fn project_parameters_are_range_checked() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let load = |name: &str, value: &str| Template::load(&path, &BTreeMap::from([(name.into(), value.into())]));
    for (name, good, bad) in [
        ("MessagesPerSecond", "1000", "1001"),
        ("UnknownDeadlineSeconds", "30", "29"),
        ("AlarmEmail", "ops@example.com", "ops"),
        ("DeliverConcurrency", "0", "1"),
        ("DeliverConcurrency", "5", "4"),
        ("DeliverConcurrency", "1000", "1001"),
        ("NotifyConcurrency", "1000", "1001"),
        ("DomainName", "api.example.com", "https://api.example.com"),
        ("Tracing", "Active", "PassThrough"),
    ] {
        load(name, good).unwrap();
        assert!(load(name, bad).unwrap_err().to_string().contains(&format!("Parameters.{name}")), "{name}");
    }
}

/// The project's template, and the types of the resources that these parameters create.
fn project(overrides: &[(&str, &str)]) -> (Document, BTreeMap<String, String>) {
    let text = std::fs::read_to_string(crate::functions::workspace().join("template.yaml")).unwrap();
    let document: Document = deserialize(super::super::yaml::parse(&text).unwrap(), "").unwrap();
    let overrides = overrides.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let parameters = parameters::resolve(&document.parameters, &overrides).unwrap();
    let created = created_resources(&document, &parameters).unwrap();
    (document, created)
}

fn web_acl() -> String {
    format!("arn:aws:wafv2:us-east-1:{ACCOUNT}:global/webacl/qasid/{}", uuid::Uuid::nil())
}

/// Counts the alarm metrics, dashboards, and secrets that AWS bills without traffic.
fn billed_while_idle(overrides: &[(&str, &str)]) -> (usize, usize, usize) {
    let (document, created) = project(overrides);
    let of_type = |kind: &str| created.iter().filter(|(_, found)| *found == kind).map(|(id, _)| id).collect::<Vec<_>>();
    let alarm_metrics = of_type("AWS::CloudWatch::Alarm").into_iter().map(|id| {
        let metrics = document.resources[id].properties.get("Metrics").and_then(Value::as_array);
        metrics.map_or(1, |metrics| metrics.iter().filter(|metric| metric.get("MetricStat").is_some()).count())
    });
    let dashboards = of_type("AWS::CloudWatch::Dashboard").len();
    (alarm_metrics.sum(), dashboards, of_type("AWS::SecretsManager::Secret").len())
}

#[test]
fn project_is_billed_for_alarms_and_dashboard_only_on_request() {
    let email = ("AlarmEmail", "ops@example.com");
    let acl = web_acl();
    let firewall = ("WebAclArn", acl.as_str());
    assert_eq!(billed_while_idle(&[]), (0, 0, 1));
    assert_eq!(billed_while_idle(&[email]), (19, 0, 1));
    assert_eq!(billed_while_idle(&[firewall]), (0, 0, 2));
    assert_eq!(billed_while_idle(&[email, firewall]), (21, 0, 2));
    assert_eq!(billed_while_idle(&[("CreateDashboard", "Yes")]), (0, 1, 1));
}

#[test]
fn project_has_an_api_domain_with_a_name_and_a_certificate_and_without_a_firewall() {
    let certificate = format!("arn:aws:acm:us-east-1:{ACCOUNT}:certificate/{}", uuid::Uuid::nil());
    let (name, certificate, acl) = (("DomainName", "api.example.com"), ("CertificateArn", &*certificate), web_acl());
    let has_domain = |overrides: &[(&str, &str)]| {
        let (_, created) = project(overrides);
        (created.contains_key("ApiDomain"), created.contains_key("ApiDomainMapping"))
    };
    assert_eq!(has_domain(&[name, certificate]), (true, true));
    for overrides in [&[][..], &[name], &[certificate], &[name, certificate, ("WebAclArn", &acl)]] {
        assert_eq!(has_domain(overrides), (false, false), "{overrides:?}");
    }
}

#[test]
fn resources_without_local_effect_are_ignored() {
    let unchanged = parse(TEMPLATE, &[]).unwrap();
    for resource in [
        "Alarm: { Type: AWS::CloudWatch::Alarm, Properties: { AlarmActions: [!Ref Topic], Dimensions: [!Ref Qr] } }",
        "Board: { Type: AWS::CloudWatch::Dashboard, Properties: { DashboardBody: !Sub '{\"a\":\"${Alarm.Arn}\"}' } }",
        "Topic: { Type: AWS::SNS::Topic, Condition: HasOrigins, Properties: { Subscription: [{ Protocol: email }] } }",
    ] {
        let template = with("#resource", resource).unwrap();
        assert_eq!(template.functions.len(), unchanged.functions.len(), "{resource}");
        assert_eq!((template.table.name, template.secrets), (unchanged.table.name.clone(), unchanged.secrets.clone()));
    }
}

#[test]
fn unknown_property_is_an_error_that_names_it() {
    for (mark, text, wanted) in [
        (
            "#api",
            "Auth: { EnableIamAuthorizer: true }",
            "Properties.Auth.EnableIamAuthorizer: the local run does not support",
        ),
        ("#api", "StageVariables: { A: b }", "Resources.Api.Properties.StageVariables"),
        ("#qr", "SnapStart: { ApplyOn: PublishedVersions }", "Resources.Qr.Properties.SnapStart"),
        ("#qr", "VpcConfig: {}", "Resources.Qr.Properties.VpcConfig"),
        ("#qr", "FunctionName: x", "Resources.Qr.Properties.FunctionName"),
        ("#qr", "EventInvokeConfig: { DestinationConfig: {} }", "Properties.EventInvokeConfig.DestinationConfig"),
        ("#attribute", "Connectors: {}", "Connectors"),
        ("#route", "Auth: { Scopes: [a] }", "Resources.Qr.Properties.Events.Route.Properties.Auth"),
        ("#stream", "TumblingWindowInSeconds: 5", "Events.Pending.Properties.TumblingWindowInSeconds"),
        ("#schedule", "Input: '{}'", "Resources.Deliver.Properties.Events.Minute.Properties.Input"),
        ("#table", "TableName: x", "Resources.Table.Properties.TableName"),
        ("#table", "KinesisStreamSpecification: {}", "Resources.Table.Properties.KinesisStreamSpecification"),
        ("#index", "Color: red", "Resources.Table.Properties.GlobalSecondaryIndexes[0].Color"),
        (
            "#resource",
            "Bus: { Type: AWS::Events::EventBus }",
            "Resources.Bus.Type: the local run does not support AWS::Events",
        ),
        ("#resource", "Other: { Type: AWS::DynamoDB::Table }", "supports only one AWS::DynamoDB::Table"),
        ("Conditions:", "Rules: {}\nConditions:", "Rules: the local run does not support Rules"),
        ("Globals:", "Globals:\n  Api: {}", "Globals.Api: the local run does not support Api"),
    ] {
        let error = with(mark, text).unwrap_err();
        assert!(error.contains(wanted), "{text}: {error}");
    }
}

#[test]
fn unsupported_value_is_an_error_that_names_it() {
    let filter = "{ Pattern: '{\"eventName\":[\"INSERT\"]}' }";
    let six_filters = format!("[{}]", [filter; 6].join(", "));
    let long_pattern = format!(r#"{{"eventName":["{}"]}}"#, "I".repeat(4_096));
    for (old, new, wanted) in [
        ("provided.al2023", "nodejs24.x", "Properties.Runtime: the local run supports only provided.al2023"),
        ("Timeout: 60", "Timeout: 901", "Resources.Deliver.Properties.Timeout: must be between 1 and 900"),
        ("Timeout: 60", "Timeout: soon", "expected a non-negative integer"),
        ("rate(1 minute)", "cron(0 * * * ? *)", "Events.Minute.Properties.Schedule"),
        ("rate(1 minute)", "rate(1 minutes)", "Events.Minute.Properties.Schedule"),
        ("Type: Schedule", "Type: SQS", "the local run does not support SQS events"),
        ("Method: ANY", "Method: FETCH", "Events.Route.Properties.Method"),
        ("Method: ANY", "Method: ANY\n            PayloadFormatVersion: '1.0'", "PayloadFormatVersion"),
        ("ApiId: !Ref Api", "ApiId: other", "must be !Ref Api"),
        ("Path: /api/qr", "Path: /api/{x+}/qr", "must be at the end"),
        ("Path: /api/qr", "Path: api", "must begin with /"),
        ("!GetAtt Table.StreamArn", "arn:aws:dynamodb:x", "must be !GetAtt Table.StreamArn"),
        ("!GetAtt Failures.Arn", "arn:aws:sqs:x", "OnFailure.Destination"),
        (r#"'{"eventName":["INSERT"]}'"#, "'{'", "Filters[0].Pattern: is not valid JSON"),
        (&format!("[{filter}]"), &six_filters, "FilterCriteria.Filters: Lambda allows up to 5 filters"),
        (r#"{"eventName":["INSERT"]}"#, &long_pattern, "Filters[0].Pattern: is longer than 4096 characters"),
        ("BatchSize: 25", "BatchSize: 0", "BatchSize: must be between"),
        ("\"ANY /api/qr\":", "\"GET /api/qr\":", "there is no route GET /api/qr"),
        ("ThrottlingBurstLimit: 6", "DetailedMetricsEnabled: true", "needs both"),
        ("StageName: $default", "StageName: v1", "supports only $default"),
        ("TABLE_NAME: !Ref Table", "AWS_REGION: x", "reserved: Lambda sets this variable"),
        ("TABLE_NAME: !Ref Table", "S: '{{resolve:ssm:x}}'", "dynamic references"),
        ("functions/deliver", "functions/qr", "another function has the same package qr"),
        ("AWS::Serverless-2016-10-31", "AWS::Include", "Transform"),
        ("Metadata: { BuildMethod: rust-cargolambda }", "Metadata: { BuildMethod: makefile }", "only rust-cargolambda"),
    ] {
        let error = with(old, new).unwrap_err();
        assert!(error.contains(wanted), "{new}: {error}");
    }
}
