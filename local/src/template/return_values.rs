//! The values that `!Ref` and `!GetAtt` return for resources in the local run. They have the shapes that AWS documents
//! (CloudFormation Template Reference, *Return values*), with a fake account.

/// The account in every ARN.
pub(super) const ACCOUNT: &str = "000000000000";
/// The region of all resources.
pub(super) const REGION: &str = "us-east-1";
/// The name of the stack, and the prefix of every generated name.
pub(super) const STACK: &str = "qasid";

/// Returns what `!Ref` gives for a resource of type `kind`, or `None` if the local run has no value for that type.
pub(super) fn reference(kind: &str, logical_id: &str) -> Option<String> {
    Some(match kind {
        "AWS::SQS::Queue" => format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{}", name(logical_id)),
        "AWS::SecretsManager::Secret" => secret_arn(logical_id),
        "AWS::IAM::ManagedPolicy" => format!("arn:aws:iam::{ACCOUNT}:policy/{}", name(logical_id)),
        "AWS::DynamoDB::Table"
        | "AWS::Serverless::Function"
        | "AWS::Serverless::HttpApi"
        | "AWS::Logs::LogGroup"
        | "AWS::IAM::Role" => name(logical_id),
        // The names of buckets are in lowercase.
        "AWS::S3::Bucket" => name(logical_id).to_lowercase(),
        _ => return None,
    })
}

/// Returns what `!GetAtt` gives for a resource of type `kind`, or `None` if the local run has no value for that
/// attribute.
pub(super) fn attribute(kind: &str, logical_id: &str, attribute: &str) -> Option<String> {
    let name = name(logical_id);
    Some(match (kind, attribute) {
        ("AWS::DynamoDB::Table", "Arn") => format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"),
        ("AWS::DynamoDB::Table", "StreamArn") => {
            format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}/stream/2026-01-01T00:00:00.000")
        }
        ("AWS::Serverless::Function", "Arn") => format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"),
        ("AWS::SQS::Queue", "Arn") => format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"),
        ("AWS::SQS::Queue", "QueueName") => name,
        ("AWS::SecretsManager::Secret", "Id") => secret_arn(logical_id),
        ("AWS::KMS::Key", "Arn") => format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{name}"),
        ("AWS::Logs::LogGroup", "Arn") => format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*"),
        ("AWS::S3::Bucket", "Arn") => format!("arn:aws:s3:::{}", name.to_lowercase()),
        ("AWS::IAM::Role", "Arn") => format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
        _ => return None,
    })
}

fn name(logical_id: &str) -> String {
    format!("{STACK}-{logical_id}")
}

fn secret_arn(logical_id: &str) -> String {
    // Secrets Manager appends a hyphen and six random characters to the name.
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{}-AAAAAA", name(logical_id))
}
