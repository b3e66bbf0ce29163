//! Controls for message templates: what Meta's reviews and quality rating do.
//!
//! - `GET /simulator/templates` lists the templates with their status.
//! - `POST /simulator/templates` with `{"name", "language"?, "status"?, "reason"?, "messageStatus"?, "quality"?}` changes a
//!   template and sends the webhooks about it. `status` is `PENDING`, `APPROVED`, `REJECTED`, `PAUSED`, or `DISABLED`;
//!   `messageStatus` is the `message_status` of its messages: `accepted`, `held_for_quality_assessment`, or `paused`.
//!   Held messages are delivered once it is `accepted` again, and fail with 132015 once the template is `PAUSED`.
//! - `POST /simulator/templates` with `{"review": "manual"}` keeps new templates in review until a status is set;
//!   `"automatic"` reviews them at once.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    routing::{MethodRouter, get},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    clock::unix_now,
    control::{Body, ControlError, bytes, read},
    simulator::Simulator,
    templates::{AccountUpdate, MessageStatus, Quality, Template, TemplateStatus, Templates},
};

pub(super) fn routes() -> Router<Arc<Simulator>> {
    let methods: MethodRouter<Arc<Simulator>> = get(list).post(change);
    Router::new().route("/simulator/templates", methods)
}

/// How new and edited templates are reviewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Review {
    Automatic,
    Manual,
}

/// The body of `POST /simulator/templates`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TemplateChange {
    name: Option<String>,
    language: Option<String>,
    /// The account; by default that of the run's number.
    waba_id: Option<String>,
    status: Option<TemplateStatus>,
    /// Why the template is rejected, such as `TAG_CONTENT_MISMATCH`.
    reason: Option<String>,
    message_status: Option<MessageStatus>,
    quality: Option<Quality>,
    review: Option<Review>,
}

async fn list(State(simulator): State<Arc<Simulator>>) -> Json<Value> {
    Json(simulator.templates.read(|templates| {
        let review = if templates.manual_review { "manual" } else { "automatic" };
        json!({"review": review, "templates": templates.all()})
    }))
}

async fn change(State(simulator): State<Arc<Simulator>>, body: Body) -> Result<Json<Value>, ControlError> {
    let change: TemplateChange = read(&bytes(body)?)?;
    let waba_id = change.waba_id.clone().unwrap_or_else(|| simulator.numbers.default_number().number.waba_id);
    let (template, updates) = simulator.templates.change(|templates| apply(templates, &waba_id, &change))?;
    for update in &updates {
        simulator.notify(update)?;
    }
    let accepts_again = change.message_status == Some(MessageStatus::Accepted);
    if let Some(template) = template.filter(|_| accepts_again || change.status == Some(TemplateStatus::Paused)) {
        simulator.settle_held(&template)?;
    }
    Ok(Json(json!({"success": true})))
}

/// Applies a change. Returns the changed template and the webhooks about it.
fn apply(
    templates: &mut Templates,
    waba_id: &str,
    change: &TemplateChange,
) -> Result<(Option<Template>, Vec<AccountUpdate>), ControlError> {
    if let Some(review) = change.review {
        templates.manual_review = review == Review::Manual;
    }
    let Some(name) = &change.name else {
        let has_template_member = change.language.is_some()
            || change.status.is_some()
            || change.reason.is_some()
            || change.message_status.is_some()
            || change.quality.is_some();
        return if has_template_member || change.review.is_none() {
            Err(ControlError::bad_request("name is required"))
        } else {
            Ok((None, Vec::new()))
        };
    };
    let found: Vec<String> = templates
        .of(waba_id)
        .filter(|template| {
            template.name == *name && change.language.as_ref().is_none_or(|language| *language == template.language)
        })
        .map(|template| template.id.clone())
        .collect();
    let [id] = found.as_slice() else {
        return Err(ControlError::bad_request(if found.is_empty() {
            format!("There is no template {name}: create it with POST /{waba_id}/message_templates")
        } else {
            format!("{name} has several languages: add language")
        }));
    };
    let mut updates = Vec::new();
    if let Some(status) = change.status {
        let update = templates.change_status(id, status, change.reason.as_deref(), unix_now());
        updates.push(update.map_err(ControlError::bad_request)?);
    } else if change.reason.is_some() {
        return Err(ControlError::bad_request("reason requires the status REJECTED"));
    }
    if let Some(message_status) = change.message_status {
        templates.set_message_status(id, message_status);
    }
    updates.extend(change.quality.and_then(|quality| templates.set_quality(id, quality, unix_now())));
    Ok((templates.get(id).cloned(), updates))
}
