//! Evaluates the sections of a template and checks that the resources are consistent.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

use super::{
    Function, HttpApi, Table, Template, TemplateError, bucket, function,
    globals::{Globals, merge},
    http_api,
    intrinsics::Scope,
    parameters,
    policies::{self, Boundary, Role},
    return_values, table,
    values::{deserialize, text},
};

/// Resource types that have no effect in the local run.
const IGNORED_TYPES: &[&str] = &[
    "AWS::ApiGatewayV2::ApiMapping",
    "AWS::ApiGatewayV2::DomainName",
    "AWS::CloudFront::Distribution",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Logs::LogGroup",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Topic",
    // Only on-failure destinations, whose records the output shows.
    "AWS::SQS::Queue",
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    #[serde(rename = "AWSTemplateFormatVersion")]
    version: Option<String>,
    transform: String,
    #[serde(default)]
    globals: Globals,
    #[serde(default)]
    parameters: Map<String, Value>,
    #[serde(default)]
    conditions: Map<String, Value>,
    resources: BTreeMap<String, Resource>,
    #[expect(dead_code, reason = "documentation")]
    description: Option<IgnoredAny>,
    #[expect(dead_code, reason = "for the console and linters")]
    metadata: Option<IgnoredAny>,
    #[expect(dead_code, reason = "applies to deployments")]
    outputs: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Resource {
    r#type: String,
    #[serde(default)]
    properties: Map<String, Value>,
    metadata: Option<Value>,
    condition: Option<String>,
    #[expect(dead_code, reason = "applies to deployments")]
    depends_on: Option<IgnoredAny>,
    #[expect(dead_code, reason = "applies to deployments")]
    deletion_policy: Option<IgnoredAny>,
    #[expect(dead_code, reason = "applies to deployments")]
    update_replace_policy: Option<IgnoredAny>,
}

/// The resources that the properties of a function or API can refer to.
pub(super) struct References<'a> {
    pub(super) http_api: &'a str,
    pub(super) table: &'a str,
    /// The types of the created resources by logical ID.
    pub(super) resources: &'a BTreeMap<String, String>,
    pub(super) roles: &'a [Role],
    pub(super) boundaries: &'a [Boundary],
}

/// Evaluates a parsed template. `overrides` replace the defaults of its parameters.
pub(super) fn evaluate(document: Value, overrides: &BTreeMap<String, String>) -> Result<Template, TemplateError> {
    let document: Document = deserialize(document, "")?;
    if document.version.as_deref().is_some_and(|version| version != "2010-09-09") {
        return Err(TemplateError::at("AWSTemplateFormatVersion", "must be 2010-09-09"));
    }
    if document.transform != "AWS::Serverless-2016-10-31" {
        return Err(TemplateError::at("Transform", "the local run supports only AWS::Serverless-2016-10-31"));
    }
    let parameters = parameters::resolve(&document.parameters, overrides)?;
    let resources = created_resources(&document, &parameters)?;
    let scope = Scope { parameters: &parameters, conditions: &document.conditions, resources: &resources };
    let properties = |id: &str, globals: &Map<String, Value>| {
        let own = document.resources.get(id).map(|resource| resource.properties.clone()).unwrap_or_default();
        let path = format!("Resources.{id}.Properties");
        let evaluated = scope.evaluate(&Value::Object(merge(globals, own)), &path)?.unwrap_or_default();
        Ok::<_, TemplateError>((evaluated, path))
    };
    let roles = roles(&resources, |id| properties(id, &Map::new()))?;
    let boundaries = of_kind(&resources, "AWS::IAM::ManagedPolicy").map(|id| {
        let (properties, path) = properties(id, &Map::new())?;
        policies::boundary(id, properties, &path)
    });
    let boundaries = boundaries.collect::<Result<Vec<_>, TemplateError>>()?;
    let references = References {
        http_api: single_resource("AWS::Serverless::HttpApi", &resources)?,
        table: single_resource("AWS::DynamoDB::Table", &resources)?,
        resources: &resources,
        roles: &roles,
        boundaries: &boundaries,
    };
    let mut functions = Vec::new();
    let (mut api, mut table) = (HttpApi::default(), None::<Table>);
    let (mut secrets, mut buckets, mut keys) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for (id, kind) in &resources {
        let Some(resource) = document.resources.get(id) else { continue };
        match kind.as_str() {
            "AWS::Serverless::Function" => {
                function::check_metadata(resource.metadata.as_ref(), &format!("Resources.{id}.Metadata"))?;
                let (properties, path) = properties(id, &document.globals.function)?;
                functions.push(function::read(id, properties, &path, &references)?);
            }
            "AWS::Serverless::HttpApi" => {
                let (properties, path) = properties(id, &document.globals.http_api)?;
                api = http_api::read(properties, &path, &references)?;
            }
            "AWS::DynamoDB::Table" => {
                let (properties, path) = properties(id, &Map::new())?;
                table = Some(table::read(id, properties, &path)?);
            }
            "AWS::SecretsManager::Secret" => {
                secrets.extend(return_values::reference(kind, id).map(|reference| (id.clone(), reference)));
            }
            "AWS::S3::Bucket" => {
                let (properties, path) = properties(id, &Map::new())?;
                buckets.extend(return_values::reference(kind, id).zip(Some(bucket::read(id, properties, &path)?)));
            }
            "AWS::KMS::Key" => keys.extend(return_values::attribute(kind, id, "Arn")),
            "AWS::IAM::ManagedPolicy" | "AWS::IAM::Role" | "AWS::IAM::RolePolicy" => {}
            _ if IGNORED_TYPES.contains(&kind.as_str()) => {}
            _ => {
                let path = format!("Resources.{id}.Type");
                return Err(TemplateError::at(path, format!("the local run does not support {kind}")));
            }
        }
    }
    let api_path = format!("Resources.{}.Properties", references.http_api);
    check_functions(&functions, &mut api, &api_path)?;
    assign_authorizers(&mut functions, &mut api)?;
    let table = table.ok_or_else(|| TemplateError::at("Resources", "has no AWS::DynamoDB::Table"))?;
    let parameters = parameters.iter().map(|(name, value)| (name.clone(), parameter_text(value))).collect();
    Ok(Template { functions, table, http_api: api, secrets, buckets, keys, parameters })
}

/// Returns the types of the resources whose condition is true, by logical ID.
fn created_resources(
    document: &Document,
    parameters: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, String>, TemplateError> {
    let none = BTreeMap::new();
    let scope = Scope { parameters, conditions: &document.conditions, resources: &none };
    // Evaluates unused conditions too, so that every error is reported.
    for name in document.conditions.keys() {
        scope.condition(name, "Conditions")?;
    }
    let mut created = BTreeMap::new();
    for (id, resource) in &document.resources {
        let is_created = match &resource.condition {
            Some(condition) => scope.condition(condition, &format!("Resources.{id}.Condition"))?,
            None => true,
        };
        if is_created {
            created.insert(id.clone(), resource.r#type.clone());
        }
    }
    Ok(created)
}

/// Returns the roles with all their policies.
fn roles(
    resources: &BTreeMap<String, String>,
    properties: impl Fn(&str) -> Result<(Value, String), TemplateError>,
) -> Result<Vec<Role>, TemplateError> {
    let mut roles = Vec::new();
    for id in of_kind(resources, "AWS::IAM::Role") {
        let (properties, path) = properties(id)?;
        roles.push(policies::role(id, properties, &path)?);
    }
    for id in of_kind(resources, "AWS::IAM::RolePolicy") {
        let (properties, path) = properties(id)?;
        policies::attach(&mut roles, properties, &path)?;
    }
    Ok(roles)
}

/// Returns the logical IDs of the resources of one type.
fn of_kind<'a>(resources: &'a BTreeMap<String, String>, kind: &'a str) -> impl Iterator<Item = &'a str> {
    resources.iter().filter(move |(_, found)| *found == kind).map(|(id, _)| id.as_str())
}

fn single_resource<'a>(kind: &'a str, resources: &'a BTreeMap<String, String>) -> Result<&'a str, TemplateError> {
    let mut ids = of_kind(resources, kind);
    match (ids.next(), ids.next()) {
        (Some(id), None) => Ok(id),
        (None, _) => Err(TemplateError::at("Resources", format!("the local run needs an {kind}"))),
        (Some(_), Some(second)) => {
            Err(TemplateError::at(format!("Resources.{second}"), format!("the local run supports only one {kind}")))
        }
    }
}

fn check_functions(functions: &[Function], api: &mut HttpApi, api_path: &str) -> Result<(), TemplateError> {
    let (mut names, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for function in functions {
        let path = format!("Resources.{}", function.logical_id);
        if !names.insert(&function.name) {
            return Err(TemplateError::at(path, format!("another function has the same package {}", function.name)));
        }
        for route in &function.routes {
            if !keys.insert(route.key()) {
                return Err(TemplateError::at(path, format!("another function has the route {}", route.key())));
            }
        }
        for (route, throttle) in function.routes.iter().filter_map(|route| Some((route, route.throttle?))) {
            api.route_throttles.entry(route.key()).or_insert(throttle);
        }
    }
    match api.route_throttles.keys().find(|key| !keys.contains(*key)) {
        Some(key) => Err(TemplateError::at(format!("{api_path}.RouteSettings"), format!("there is no route {key}"))),
        None => Ok(()),
    }
}

/// Sets the package of each authorizer, and the authorizer of each route: the one it names, or the default.
fn assign_authorizers(functions: &mut [Function], api: &mut HttpApi) -> Result<(), TemplateError> {
    for authorizer in api.authorizers.values_mut() {
        if let Some(function) = functions.iter().find(|function| function.logical_id == authorizer.function) {
            authorizer.function.clone_from(&function.name);
        }
    }
    for function in functions {
        for route in &mut function.routes {
            route.authorizer = match route.authorizer.take() {
                None => api.default_authorizer.clone(),
                Some(none) if none == "NONE" => None,
                Some(name) if api.authorizers.contains_key(&name) => Some(name),
                Some(name) => {
                    let path = format!("Resources.{}.Properties.Events", function.logical_id);
                    return Err(TemplateError::at(path, format!("there is no authorizer {name}")));
                }
            };
        }
    }
    Ok(())
}

fn parameter_text(value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().filter_map(text).collect::<Vec<_>>().join(","),
        other => text(other).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
