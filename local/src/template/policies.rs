//! What a function may do: the statements of its own policies, or of its role's (SAM specification, "Policies" and
//! "Role"; IAM user guide, "IAM JSON policy elements reference").

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::values::{Text, typed};
use super::{Statement, TemplateError, stand_in};

/// An `AWS::IAM::Role` with the statements of its inline policies and of the `AWS::IAM::RolePolicy` beside it.
pub(super) struct Role {
    arn: String,
    name: String,
    statements: Vec<Statement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RoleProperties {
    #[serde(default)]
    policies: Vec<Policy>,
    #[expect(dead_code, reason = "the local run starts the functions, whoever may assume their role")]
    assume_role_policy_document: IgnoredAny,
    #[expect(dead_code, reason = "for people")]
    description: Option<IgnoredAny>,
    #[expect(dead_code, reason = "for bills and searches")]
    tags: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Policy {
    policy_document: Value,
    #[expect(dead_code, reason = "for people")]
    policy_name: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RolePolicy {
    role_name: String,
    policy_document: Value,
    #[expect(dead_code, reason = "for people")]
    policy_name: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    statement: Value,
    #[expect(dead_code, reason = "versions differ in policy variables, which match nothing here")]
    version: Option<IgnoredAny>,
    #[expect(dead_code, reason = "for people")]
    id: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Element {
    #[expect(dead_code, reason = "only one can be evaluated")]
    effect: Effect,
    action: OneOrMany,
    resource: OneOrMany,
    condition: Option<IgnoredAny>,
    #[expect(dead_code, reason = "for people")]
    sid: Option<IgnoredAny>,
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

/// Reads a role.
pub(super) fn role(logical_id: &str, properties: Value, path: &str) -> Result<Role, TemplateError> {
    let properties: RoleProperties = typed(properties, path)?;
    let mut statements = Vec::new();
    for (index, policy) in properties.policies.into_iter().enumerate() {
        statements.extend(document(policy.policy_document, &format!("{path}.Policies[{index}].PolicyDocument"))?);
    }
    let kind = "AWS::IAM::Role";
    Ok(Role {
        arn: stand_in::attribute(kind, logical_id, "Arn").unwrap_or_default(),
        name: stand_in::reference(kind, logical_id).unwrap_or_default(),
        statements,
    })
}

/// Reads a policy that stands beside its role, and gives it to the role.
pub(super) fn attach(roles: &mut [Role], properties: Value, path: &str) -> Result<(), TemplateError> {
    let policy: RolePolicy = typed(properties, path)?;
    let role = roles.iter_mut().find(|role| role.name == policy.role_name);
    let role = role.ok_or_else(|| TemplateError::at(format!("{path}.RoleName"), "must be !Ref of a role"))?;
    role.statements.extend(document(policy.policy_document, &format!("{path}.PolicyDocument"))?);
    Ok(())
}

/// The statements of a function with these properties.
pub(super) fn of_function(
    role: Option<&str>,
    policies: Option<Value>,
    roles: &[Role],
    path: &str,
) -> Result<Vec<Statement>, TemplateError> {
    let policies_path = format!("{path}.Policies");
    match (role, policies) {
        (Some(_), Some(_)) => Err(TemplateError::at(policies_path, "has no effect beside a Role")),
        (Some(arn), None) => match roles.iter().find(|role| role.arn == arn) {
            Some(role) => Ok(role.statements.clone()),
            None => Err(TemplateError::at(format!("{path}.Role"), "must be !GetAtt of a role's Arn")),
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
        return Err(TemplateError::at(path, "a local run cannot evaluate a managed policy"));
    }
    let document: Document = typed(policy, path)?;
    let statements = items(document.statement).into_iter().enumerate();
    statements.map(|(index, element)| statement(element, &format!("{path}.Statement[{index}]"))).collect()
}

fn statement(element: Value, path: &str) -> Result<Statement, TemplateError> {
    let Element { action: OneOrMany(actions), resource: OneOrMany(resources), condition, .. } = typed(element, path)?;
    no_pattern(&actions, &format!("{path}.Action"))?;
    let statement = Statement { actions, resources };
    // A pattern among other services' resources compares with nothing here: a log group's ARN ends in one.
    if statement.actions.iter().any(|action| action == "*" || action.to_lowercase().starts_with("dynamodb:")) {
        no_pattern(&statement.resources, &format!("{path}.Resource"))?;
        // The other stand-ins check no permissions.
        if condition.is_some() {
            return Err(TemplateError::at(format!("{path}.Condition"), "a local run cannot honour Condition"));
        }
    }
    Ok(statement)
}

fn no_pattern(texts: &[String], path: &str) -> Result<(), TemplateError> {
    match texts.iter().find(|text| *text != "*" && text.contains(['*', '?'])) {
        Some(text) => Err(TemplateError::at(path, format!("a local run cannot evaluate the pattern {text}"))),
        None => Ok(()),
    }
}

fn items(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        one => vec![one],
    }
}
