//! `AWS::S3::Bucket` (CloudFormation Template Reference).

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::{
    Bucket, Cors, TemplateError, return_values,
    values::{Integer, deserialize},
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Properties {
    cors_configuration: Option<CorsConfiguration>,

    #[expect(dead_code, reason = "the data is in a directory of the user")]
    bucket_encryption: Option<IgnoredAny>,
    #[expect(dead_code, reason = "the local run deletes nothing by age")]
    lifecycle_configuration: Option<IgnoredAny>,
    #[expect(dead_code, reason = "the local run has one account")]
    ownership_controls: Option<IgnoredAny>,
    #[expect(dead_code, reason = "the local run refuses unsigned requests")]
    public_access_block_configuration: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CorsConfiguration {
    cors_rules: Vec<CorsRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CorsRule {
    allowed_origins: Vec<String>,
    allowed_methods: Vec<String>,
    #[serde(default)]
    allowed_headers: Vec<String>,
    #[serde(default)]
    exposed_headers: Vec<String>,
    max_age: Option<Integer>,
}

pub(super) fn read(logical_id: &str, properties: Value, path: &str) -> Result<Bucket, TemplateError> {
    let Properties { cors_configuration, .. } = deserialize(properties, path)?;
    let mut rules = cors_configuration.map(|cors| cors.cors_rules).unwrap_or_default().into_iter();
    let cors = rules.next().map(|rule| Cors {
        allow_origins: rule.allowed_origins,
        allow_methods: rule.allowed_methods,
        allow_headers: rule.allowed_headers,
        expose_headers: rule.exposed_headers,
        max_age: rule.max_age.map(|Integer(seconds)| seconds),
        allow_credentials: false,
    });
    if rules.next().is_some() {
        let path = format!("{path}.CorsConfiguration.CorsRules");
        return Err(TemplateError::at(path, "the local run supports only one rule"));
    }
    let arn = return_values::attribute("AWS::S3::Bucket", logical_id, "Arn").unwrap_or_default();
    Ok(Bucket { arn, cors })
}
