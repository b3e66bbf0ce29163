//! `/{account ID}/message_templates` and `/{template ID}`: lists, creates, edits, and deletes message templates (Meta,
//! *Template management*).

use axum::{
    Json,
    http::Method,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    super::{
        clock::unix_now,
        graph_error::GraphError,
        journal::JournalError,
        paging::{self, Limits},
        parameters::Parameters,
        simulator::Simulator,
        templates::{AccountUpdate, Category, MAX_TEMPLATES, Template, TemplateStatus},
    },
    GraphRequest, list_url, success,
};
use crate::error_chain;

const LIMITS: Limits = Limits { default: 25, max: 1000 };

/// Handles the templates of an account.
pub(super) fn account(simulator: &Simulator, request: &GraphRequest, waba_id: &str) -> Result<Response, GraphError> {
    let parameters = &request.parameters;
    match request.method {
        Method::GET => list(simulator, request, waba_id),
        Method::POST => {
            let (template, update) =
                simulator.templates.change(|templates| templates.create(waba_id, parameters, unix_now()))?;
            notify(simulator, update);
            let Template { id, status, category, .. } = template;
            Ok(Json(json!({"id": id, "status": status, "category": category})).into_response())
        }
        Method::DELETE => {
            simulator.templates.change(|templates| templates.delete(waba_id, parameters, unix_now()))?;
            Ok(success())
        }
        _ => Err(request.unsupported()),
    }
}

/// Handles one template.
pub(super) fn template(
    simulator: &Simulator,
    request: &GraphRequest,
    template: &Template,
) -> Result<Response, GraphError> {
    match request.method {
        Method::GET => {
            let fields = request.parameters.fields()?;
            template.fields(fields.as_deref()).map(|fields| Json(fields).into_response())
        }
        Method::POST => {
            let edit = |templates: &mut super::super::templates::Templates| {
                templates.edit(&template.id, &request.parameters, unix_now())
            };
            notify(simulator, simulator.templates.change(edit)?);
            let edited = simulator.templates.read(|templates| templates.get(&template.id).cloned());
            let Template { id, name, category, .. } = edited.unwrap_or_else(|| template.clone());
            // Meta's pages show only `success`. Clients read the others too.
            Ok(Json(json!({"success": true, "id": id, "name": name, "category": category})).into_response())
        }
        _ => Err(request.unsupported()),
    }
}

/// Approves a paused template again (Meta, *Template pausing*, unpausing).
pub(super) fn unpause(
    simulator: &Simulator,
    request: &GraphRequest,
    template: &Template,
) -> Result<Response, GraphError> {
    let id = &template.id;
    if request.method != Method::POST {
        return Err(request.unsupported());
    }
    let update = simulator.templates.change(|templates| {
        let is_paused = templates.get(id).is_some_and(|template| template.status == TemplateStatus::Paused);
        let update = templates.change_status(id, TemplateStatus::Approved, None, unix_now());
        Ok::<_, GraphError>(update.ok().filter(|_| is_paused))
    })?;
    let reason = update.is_none().then_some("The template is not paused.");
    let body = reason.map_or(json!({"success": true}), |reason| json!({"success": false, "reason": reason}));
    notify(simulator, update);
    Ok(Json(body).into_response())
}

/// Creates or edits an authentication template in several languages (Meta, *Authentication templates*, bulk management).
pub(super) fn upsert(simulator: &Simulator, request: &GraphRequest, waba_id: &str) -> Result<Response, GraphError> {
    if request.method != Method::POST {
        return Err(request.unsupported());
    }
    let mut parameters = request.parameters.clone();
    let languages = parameters.array("languages")?.ok_or_else(|| GraphError::missing("languages"))?;
    let name = parameters.required_string("name")?;
    let category = parameters.required_string("category")?;
    if !category.eq_ignore_ascii_case("AUTHENTICATION") {
        return Err(GraphError::parameter("Param category must be one of {AUTHENTICATION}."));
    }
    let (created, updates) = simulator.templates.change(|templates| {
        let (mut created, mut updates) = (Vec::new(), Vec::new());
        for language in &languages {
            let language = language.as_str().unwrap_or_default();
            parameters.0.insert("language".to_owned(), json!(language));
            let id = templates.find(waba_id, &name, language).map(|template| template.id.clone());
            let id = if let Some(id) = id {
                updates.extend(templates.edit(&id, &parameters, unix_now())?);
                id
            } else {
                let (template, update) = templates.create(waba_id, &parameters, unix_now())?;
                updates.extend(update);
                template.id
            };
            let status = templates.get(&id).map(|template| template.status);
            created.push(json!({"id": id, "status": status, "language": language}));
        }
        Ok::<_, GraphError>((created, updates))
    })?;
    notify(simulator, updates);
    Ok(Json(json!({"data": created})).into_response())
}

/// Lists templates, filtered and in pages (Meta, *Template API*).
fn list(simulator: &Simulator, request: &GraphRequest, waba_id: &str) -> Result<Response, GraphError> {
    let parameters = &request.parameters;
    let fields = parameters.fields()?;
    let templates: Vec<Template> = simulator.templates.read(|templates| templates.of(waba_id).cloned().collect());
    let count = templates.len();
    let filter = Filter::new(parameters)?;
    let found: Vec<Template> = templates.into_iter().filter(|template| filter.accepts(template)).collect();
    let url = list_url(simulator, request);
    let show = |template: &Template| template.fields(fields.as_deref());
    let mut body = paging::page(&found, parameters, LIMITS, &url, |template| template.id.clone(), show)?;
    if parameters.get("summary").is_some() {
        body["summary"] = json!({
            "total_count": found.len(),
            "message_template_count": count,
            "message_template_limit": MAX_TEMPLATES,
            "are_translations_complete": true,
        });
    }
    Ok(Json(body).into_response())
}

/// The parameters that select templates. Several values are separated by commas or are in an array.
struct Filter {
    name: Option<String>,
    name_or_content: Option<String>,
    language: Vec<String>,
    status: Vec<String>,
    category: Vec<String>,
}

impl Filter {
    fn new(parameters: &Parameters) -> Result<Filter, GraphError> {
        let list = |name: &str| -> Result<Vec<String>, GraphError> {
            let values = match parameters.array(name) {
                Ok(values) => values.unwrap_or_default(),
                Err(_) => {
                    let text = parameters.string(name)?.unwrap_or_default();
                    text.split(',').map(|value| json!(value.trim())).collect()
                }
            };
            Ok(values.iter().filter_map(Value::as_str).map(str::to_lowercase).collect())
        };
        Ok(Filter {
            name: parameters.string("name")?,
            name_or_content: parameters.string("name_or_content")?.map(|text| text.to_lowercase()),
            language: list("language")?,
            status: list("status")?,
            category: list("category")?,
        })
    }

    fn accepts(&self, template: &Template) -> bool {
        let has = |values: &[String], value: &str| values.is_empty() || values.contains(&value.to_lowercase());
        let category = match template.category {
            Category::Authentication => "authentication",
            Category::Marketing => "marketing",
            Category::Utility => "utility",
        };
        self.name.as_ref().is_none_or(|name| *name == template.name)
            && self.name_or_content.as_ref().is_none_or(|text| template.contains(text))
            && has(&self.language, &template.language)
            && has(&self.status, template.status.as_str())
            && has(&self.category, category)
    }
}

/// Sends the webhooks about a change. A failure doesn't undo the change.
fn notify(simulator: &Simulator, updates: impl IntoIterator<Item = AccountUpdate>) {
    for update in updates {
        if let Err(error) = simulator.notify(&update) {
            let error: JournalError = error;
            simulator.problem(format!("no webhook about a template: {}", error_chain(&error)));
        }
    }
}
