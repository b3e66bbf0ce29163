//! The template as a whole: its sections, its resources by type, and what must fit together between them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::globals::{Globals, merge};
use super::intrinsics::Scope;
use super::policies::{self, Role};
use super::values::{text, typed};
use super::{Function, HttpApi, Table, Template, TemplateError, function, http_api, parameters, stand_in, table};

/// Resource types that change nothing about how the system behaves on a laptop.
const WITHOUT_MEANING: &[(&str, &str)] = &[
    ("AWS::CloudFront::Distribution", "nothing stands before the API; calls bring what it would add"),
    ("AWS::CloudWatch::Alarm", "nothing is measured over time"),
    ("AWS::CloudWatch::Dashboard", "nothing is measured over time"),
    ("AWS::Logs::LogGroup", "logs go to the console"),
    ("AWS::SecretsManager::Secret", "a stand-in answers for it with the values of this run"),
    ("AWS::SNS::Topic", "only alarms publish, and there are none"),
    ("AWS::SQS::Queue", "a queue can only be the destination of failed batches, which the console shows"),
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
    mappings: Map<String, Value>,
    #[serde(default)]
    conditions: Map<String, Value>,
    resources: BTreeMap<String, Resource>,
    #[expect(dead_code, reason = "for people")]
    description: Option<IgnoredAny>,
    #[expect(dead_code, reason = "for consoles and linters")]
    metadata: Option<IgnoredAny>,
    #[expect(dead_code, reason = "printed by a deployment")]
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
    #[expect(dead_code, reason = "the local run has an order of its own")]
    depends_on: Option<IgnoredAny>,
    #[expect(dead_code, reason = "nothing is deployed, hence nothing deleted")]
    deletion_policy: Option<IgnoredAny>,
    #[expect(dead_code, reason = "nothing is deployed, hence nothing replaced")]
    update_replace_policy: Option<IgnoredAny>,
}

/// What a function's events may point to.
pub(super) struct Known<'a> {
    pub(super) http_api: &'a str,
    pub(super) table: &'a str,
    pub(super) resources: &'a BTreeMap<String, String>,
    pub(super) roles: &'a [Role],
}

pub(super) fn evaluate(document: Value, given: &BTreeMap<String, String>) -> Result<Template, TemplateError> {
    let document: Document = typed(document, "")?;
    if document.version.as_deref().is_some_and(|version| version != "2010-09-09") {
        return Err(TemplateError::at("AWSTemplateFormatVersion", "must be 2010-09-09"));
    }
    if document.transform != "AWS::Serverless-2016-10-31" {
        return Err(TemplateError::at("Transform", "a local run honours only AWS::Serverless-2016-10-31"));
    }
    let parameters = parameters::resolve(&document.parameters, given)?;
    let resources = created(&document, &parameters)?;
    let scope = scope(&document, &parameters, &resources);
    let properties = |id: &str, globals: &Map<String, Value>| {
        let own = document.resources.get(id).map(|resource| resource.properties.clone()).unwrap_or_default();
        let path = format!("Resources.{id}.Properties");
        let evaluated = scope.evaluate(&Value::Object(merge(globals, own)), &path)?.unwrap_or_default();
        Ok::<_, TemplateError>((evaluated, path))
    };
    let roles = roles(&resources, |id| properties(id, &Map::new()))?;
    let known = Known {
        http_api: the_only("AWS::Serverless::HttpApi", &resources)?,
        table: the_only("AWS::DynamoDB::Table", &resources)?,
        resources: &resources,
        roles: &roles,
    };
    let mut functions = Vec::new();
    let (mut api, mut the_table) = (HttpApi::default(), None::<Table>);
    let (mut secrets, mut keys) = (BTreeMap::new(), Vec::new());
    for (id, kind) in &resources {
        let Some(resource) = document.resources.get(id) else { continue };
        match kind.as_str() {
            "AWS::Serverless::Function" => {
                function::check_metadata(resource.metadata.as_ref(), &format!("Resources.{id}.Metadata"))?;
                let (properties, path) = properties(id, &document.globals.function)?;
                functions.push(function::read(id, properties, &path, &known)?);
            }
            "AWS::Serverless::HttpApi" => {
                let (properties, path) = properties(id, &document.globals.http_api)?;
                api = http_api::read(properties, &path, &known)?;
            }
            "AWS::DynamoDB::Table" => {
                let (properties, path) = properties(id, &Map::new())?;
                the_table = Some(table::read(id, properties, &path)?);
            }
            "AWS::SecretsManager::Secret" => {
                secrets.extend(stand_in::reference(kind, id).map(|reference| (id.clone(), reference)));
            }
            "AWS::KMS::Key" => keys.extend(stand_in::attribute(kind, id, "Arn")),
            // Read above, as functions refer to them.
            "AWS::IAM::Role" | "AWS::IAM::RolePolicy" => {}
            _ if WITHOUT_MEANING.iter().any(|(known, _)| known == kind) => {}
            _ => {
                let path = format!("Resources.{id}.Type");
                return Err(TemplateError::at(path, format!("a local run cannot honour {kind}")));
            }
        }
    }
    let api_path = format!("Resources.{}.Properties", known.http_api);
    check_functions(&functions, &mut api, &api_path)?;
    assign_authorizers(&mut functions, &mut api)?;
    let table = the_table.ok_or_else(|| TemplateError::at("Resources", "has no AWS::DynamoDB::Table"))?;
    let parameters = parameters.iter().map(|(name, value)| (name.clone(), parameter_text(value))).collect();
    Ok(Template { functions, table, http_api: api, secrets, keys, parameters })
}

fn scope<'a>(
    document: &'a Document,
    parameters: &'a BTreeMap<String, Value>,
    resources: &'a BTreeMap<String, String>,
) -> Scope<'a> {
    Scope { parameters, mappings: &document.mappings, conditions: &document.conditions, resources }
}

/// The resources whose condition holds, with their types.
fn created(
    document: &Document,
    parameters: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, String>, TemplateError> {
    let none = BTreeMap::new();
    let scope = scope(document, parameters, &none);
    // Also those that nothing uses: a mistake in a condition shows at once.
    for name in document.conditions.keys() {
        scope.holds(name, "Conditions")?;
    }
    let mut created = BTreeMap::new();
    for (id, resource) in &document.resources {
        let wanted = match &resource.condition {
            Some(condition) => scope.holds(condition, &format!("Resources.{id}.Condition"))?,
            None => true,
        };
        if wanted {
            created.insert(id.clone(), resource.r#type.clone());
        }
    }
    Ok(created)
}

/// The roles with all their policies, which may stand anywhere in the template.
fn roles(
    resources: &BTreeMap<String, String>,
    properties: impl Fn(&str) -> Result<(Value, String), TemplateError>,
) -> Result<Vec<Role>, TemplateError> {
    let of_kind = |kind| resources.iter().filter(move |(_, found)| *found == kind).map(|(id, _)| id.as_str());
    let mut roles = Vec::new();
    for id in of_kind("AWS::IAM::Role") {
        let (properties, path) = properties(id)?;
        roles.push(policies::role(id, properties, &path)?);
    }
    for id in of_kind("AWS::IAM::RolePolicy") {
        let (properties, path) = properties(id)?;
        policies::attach(&mut roles, properties, &path)?;
    }
    Ok(roles)
}

fn the_only<'a>(kind: &str, resources: &'a BTreeMap<String, String>) -> Result<&'a str, TemplateError> {
    let mut ids = resources.iter().filter(|(_, found)| *found == kind).map(|(id, _)| id.as_str());
    match (ids.next(), ids.next()) {
        (Some(id), None) => Ok(id),
        (None, _) => Err(TemplateError::at("Resources", format!("a local run needs one {kind}"))),
        (Some(_), Some(second)) => {
            Err(TemplateError::at(format!("Resources.{second}"), format!("a local run honours only one {kind}")))
        }
    }
}

fn check_functions(functions: &[Function], api: &mut HttpApi, api_path: &str) -> Result<(), TemplateError> {
    let (mut names, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for function in functions {
        let path = format!("Resources.{}", function.logical_id);
        if !names.insert(&function.name) {
            return Err(TemplateError::at(path, format!("a second function is built from {}", function.name)));
        }
        for route in &function.routes {
            if !keys.insert(route.key()) {
                return Err(TemplateError::at(path, format!("a second function has the route {}", route.key())));
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

/// Gives each route the authorizer that it names, or the default one, and each authorizer its function's package.
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
#[path = "document_tests.rs"]
mod tests;
