//! What `!Ref` and `!GetAtt` of a resource give on a laptop: the shapes that AWS documents, with a made-up account.

/// The account in every ARN.
pub(super) const ACCOUNT: &str = "000000000000";
/// The region that the functions are told they are in.
pub(super) const REGION: &str = "us-east-1";
/// The stack's name, and the start of every generated name.
pub(super) const STACK: &str = "qasid";

/// `!Ref` of a resource of type `kind`; none where there is no stand-in.
pub(super) fn reference(kind: &str, logical_id: &str) -> Option<String> {
    Some(match kind {
        "AWS::SQS::Queue" => format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{}", name(logical_id)),
        "AWS::SecretsManager::Secret" => secret_arn(logical_id),
        "AWS::DynamoDB::Table"
        | "AWS::Serverless::Function"
        | "AWS::Serverless::HttpApi"
        | "AWS::Logs::LogGroup"
        | "AWS::IAM::Role" => name(logical_id),
        _ => return None,
    })
}

/// `!GetAtt` of a resource of type `kind`; none where there is no stand-in.
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
        ("AWS::IAM::Role", "Arn") => format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
        _ => return None,
    })
}

fn name(logical_id: &str) -> String {
    format!("{STACK}-{logical_id}")
}

fn secret_arn(logical_id: &str) -> String {
    // Secrets Manager ends an ARN in a hyphen and six characters of its own.
    format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{}-AAAAAA", name(logical_id))
}
