//! The permissions of a function: the statements of its policies or of its role, and its permissions boundary (SAM
//! Specification, *Policies*, *Role*, and *PermissionsBoundary*; IAM User Guide, *IAM JSON policy elements reference*).

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::{
    Statement, TemplateError, return_values,
    values::{Text, deserialize},
};
use crate::iam::is_like;

/// An `AWS::IAM::Role` with the statements of its inline policies and of its `AWS::IAM::RolePolicy` resources.
pub(super) struct Role {
    arn: String,
    name: String,
    statements: Vec<Statement>,
}

/// A permissions boundary.
pub(super) struct Boundary {
    arn: String,
    /// The patterns of the actions and resources that its statements allow.
    statements: Vec<(Vec<String>, Vec<String>)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RoleProperties {
    #[serde(default)]
    policies: Vec<Policy>,
    #[expect(dead_code, reason = "the local run has no principals")]
    assume_role_policy_document: IgnoredAny,
    #[expect(dead_code, reason = "documentation")]
    description: Option<IgnoredAny>,
    #[expect(dead_code, reason = "documentation")]
    tags: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Policy {
    policy_document: Value,
    #[expect(dead_code, reason = "documentation")]
    policy_name: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RolePolicy {
    role_name: String,
    policy_document: Value,
    #[expect(dead_code, reason = "documentation")]
    policy_name: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ManagedPolicy {
    policy_document: Value,
    #[expect(dead_code, reason = "documentation")]
    description: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    statement: Value,
    #[expect(dead_code, reason = "versions differ only in policy variables, which the template doesn't use")]
    version: Option<IgnoredAny>,
    #[expect(dead_code, reason = "documentation")]
    id: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Element {
    #[expect(dead_code, reason = "the only supported effect")]
    effect: Effect,
    action: OneOrMany,
    resource: OneOrMany,
    condition: Option<Value>,
    #[expect(dead_code, reason = "documentation")]
    sid: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    #[serde(rename = "ForAllValues:StringLike")]
    all_values_like: LeadingKeys,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LeadingKeys {
    #[serde(rename = "dynamodb:LeadingKeys")]
    patterns: OneOrMany,
}

#[derive(Deserialize)]
enum Effect {
    Allow,
}

#[derive(Deserialize)]
#[serde(try_from = "Value")]
struct OneOrMany(Vec<String>);

impl TryFrom<Value> for OneOrMany {
    type Error = String;

    fn try_from(value: Value) -> Result<OneOrMany, String> {
        let texts: Result<_, String> = items(value).into_iter().map(|item| Ok(Text::try_from(item)?.0)).collect();
        texts.map(OneOrMany)
    }
}

/// Reads an `AWS::IAM::Role`.
pub(super) fn role(logical_id: &str, properties: Value, path: &str) -> Result<Role, TemplateError> {
    let properties: RoleProperties = deserialize(properties, path)?;
    let mut statements = Vec::new();
    for (index, policy) in properties.policies.into_iter().enumerate() {
        statements.extend(document(policy.policy_document, &format!("{path}.Policies[{index}].PolicyDocument"))?);
    }
    let kind = "AWS::IAM::Role";
    Ok(Role {
        arn: return_values::attribute(kind, logical_id, "Arn").unwrap_or_default(),
        name: return_values::reference(kind, logical_id).unwrap_or_default(),
        statements,
    })
}

/// Reads an `AWS::IAM::RolePolicy` and adds its statements to its role.
pub(super) fn attach(roles: &mut [Role], properties: Value, path: &str) -> Result<(), TemplateError> {
    let policy: RolePolicy = deserialize(properties, path)?;
    let role = roles.iter_mut().find(|role| role.name == policy.role_name);
    let role = role.ok_or_else(|| TemplateError::at(format!("{path}.RoleName"), "must be !Ref of a role"))?;
    role.statements.extend(document(policy.policy_document, &format!("{path}.PolicyDocument"))?);
    Ok(())
}

/// Reads an `AWS::IAM::ManagedPolicy`, which can only be a permissions boundary.
pub(super) fn boundary(logical_id: &str, properties: Value, path: &str) -> Result<Boundary, TemplateError> {
    let policy: ManagedPolicy = deserialize(properties, path)?;
    let path = format!("{path}.PolicyDocument");
    let document: Document = deserialize(policy.policy_document, &path)?;
    let mut statements = Vec::new();
    for (index, element) in items(document.statement).into_iter().enumerate() {
        let element: Element = deserialize(element, &format!("{path}.Statement[{index}]"))?;
        if element.condition.is_none() {
            statements.push((element.action.0, element.resource.0));
        }
    }
    let arn = return_values::reference("AWS::IAM::ManagedPolicy", logical_id).unwrap_or_default();
    Ok(Boundary { arn, statements })
}

/// Checks that the boundary with this ARN allows all actions of a function, because the local run evaluates only the
/// function's own statements.
pub(super) fn check_boundary(
    arn: &str,
    boundaries: &[Boundary],
    statements: &[Statement],
    path: &str,
) -> Result<(), TemplateError> {
    let path = format!("{path}.PermissionsBoundary");
    let Some(boundary) = boundaries.iter().find(|boundary| boundary.arn == arn) else {
        return Err(TemplateError::at(path, "must be !Ref of an AWS::IAM::ManagedPolicy"));
    };
    let is_allowed = |action: &str, resource: &str| {
        boundary.statements.iter().any(|(actions, resources)| {
            actions.iter().any(|allowed| is_like(&allowed.to_lowercase(), &action.to_lowercase()))
                && resources.iter().any(|allowed| is_like(allowed, resource))
        })
    };
    for Statement { actions, resources, .. } in statements {
        for (action, resource) in actions.iter().flat_map(|action| resources.iter().map(move |to| (action, to))) {
            if !is_allowed(action, resource) {
                return Err(TemplateError::at(path, format!("does not allow {action} on {resource}")));
            }
        }
    }
    Ok(())
}

/// Returns the statements of a function with the properties `Role` and `Policies`.
pub(super) fn of_function(
    role: Option<&str>,
    policies: Option<Value>,
    roles: &[Role],
    path: &str,
) -> Result<Vec<Statement>, TemplateError> {
    let policies_path = format!("{path}.Policies");
    match (role, policies) {
        (Some(_), Some(_)) => Err(TemplateError::at(policies_path, "has no effect together with Role")),
        (Some(arn), None) => match roles.iter().find(|role| role.arn == arn) {
            Some(role) => Ok(role.statements.clone()),
            None => Err(TemplateError::at(format!("{path}.Role"), "must be !GetAtt of the Arn of a role")),
        },
        (None, Some(policies)) => {
            let mut statements = Vec::new();
            for (index, policy) in items(policies).into_iter().enumerate() {
                statements.extend(document(policy, &format!("{policies_path}[{index}]"))?);
            }
            Ok(statements)
        }
        (None, None) => Ok(Vec::new()),
    }
}

fn document(policy: Value, path: &str) -> Result<Vec<Statement>, TemplateError> {
    if policy.is_string() {
        return Err(TemplateError::at(path, "the local run does not support managed policies"));
    }
    let document: Document = deserialize(policy, path)?;
    let statements = items(document.statement).into_iter().enumerate();
    statements.map(|(index, element)| statement(element, &format!("{path}.Statement[{index}]"))).collect()
}

fn statement(element: Value, path: &str) -> Result<Statement, TemplateError> {
    let Element { action: OneOrMany(actions), resource: OneOrMany(resources), condition, .. } =
        deserialize(element, path)?;
    reject_patterns(&actions, &format!("{path}.Action"))?;
    let mut statement = Statement { actions, resources, leading_keys: None };
    // The local run checks only the permissions of DynamoDB, Lambda, and Parameter Store. Others may have patterns, such as
    // the ARN of a log group, and any condition.
    let concerns = |service: &str| {
        statement.actions.iter().any(|action| action == "*" || action.to_lowercase().starts_with(service))
    };
    let dynamodb = concerns("dynamodb:");
    let unconditional = concerns("lambda:") || concerns("ssm:");
    if dynamodb || unconditional {
        reject_patterns(&statement.resources, &format!("{path}.Resource"))?;
    }
    match condition {
        Some(_) if unconditional => {
            let problem = "the local run does not support conditions of permissions for Lambda and Parameter Store";
            return Err(TemplateError::at(format!("{path}.Condition"), problem));
        }
        Some(condition) if dynamodb => {
            let condition: Condition = deserialize(condition, &format!("{path}.Condition"))?;
            statement.leading_keys = Some(condition.all_values_like.patterns.0);
        }
        _ => {}
    }
    Ok(statement)
}

fn reject_patterns(texts: &[String], path: &str) -> Result<(), TemplateError> {
    match texts.iter().find(|text| *text != "*" && text.contains(['*', '?'])) {
        Some(text) => Err(TemplateError::at(path, format!("the local run does not support the pattern {text}"))),
        None => Ok(()),
    }
}

fn items(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        one => vec![one],
    }
}
