//! `/{WhatsApp Business Account ID}`: an account, its numbers, and its subscribed apps.

use axum::{
    Json,
    http::Method,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{GraphRequest, callbacks, phone_number, success};
use crate::whatsapp::{
    apps::App,
    business, error_code, fields,
    graph_error::GraphError,
    numbers::RegisteredNumber,
    paging::{self, Limits},
    simulator::Simulator,
    users::Address,
    webhook::BusinessNumber,
};

/// The business portfolio that owns the accounts.
pub(super) const BUSINESS_ID: &str = "2729063490586005";
const BUSINESS_NAME: &str = "Local run";

pub(super) const NODE_TYPE: &str = "WhatsAppBusinessAccount";
const DEFAULT_FIELDS: [&str; 4] = ["id", "name", "timezone_id", "message_template_namespace"];
const PHONE_NUMBER_LIMITS: Limits = Limits { default: 25, max: 100 };

pub(super) async fn handle(
    simulator: &Simulator,
    app: &App,
    request: &GraphRequest,
    waba_id: &str,
    edge: &[&str],
) -> Result<Response, GraphError> {
    match (edge, &request.method) {
        ([], &Method::GET) => show(simulator, app, request, waba_id),
        ([], &Method::POST) => change(simulator, request, waba_id),
        (["phone_numbers"], &Method::GET) => phone_numbers(simulator, app, request, waba_id),
        (["phone_numbers"], &Method::POST) => add_phone_number(simulator, app, request, waba_id),
        (["subscribed_apps"], &Method::GET) => Ok(Json(subscribed_apps(simulator, waba_id)).into_response()),
        (["subscribed_apps"], &Method::POST) => subscribe(simulator, app, request, waba_id).await,
        (["subscribed_apps"], &Method::DELETE) => {
            simulator.apps.change(|apps| {
                apps.unsubscribe(waba_id, &app.id);
                Ok::<_, GraphError>(())
            })?;
            Ok(success())
        }
        _ => Err(request.unsupported()),
    }
}

fn numbers(simulator: &Simulator, app: &App, waba_id: &str) -> Vec<RegisteredNumber> {
    let mut numbers = simulator.accessible_numbers(app);
    numbers.retain(|number| number.number.waba_id == waba_id);
    numbers
}

/// Returns the fields of an account (Meta, *WhatsApp Business Account API*).
fn show(simulator: &Simulator, app: &App, request: &GraphRequest, waba_id: &str) -> Result<Response, GraphError> {
    let fields = request.parameters.fields()?;
    Ok(Json(account_fields(simulator, app, waba_id, fields.as_deref())?).into_response())
}

fn account_fields(
    simulator: &Simulator,
    app: &App,
    waba_id: &str,
    fields: Option<&[String]>,
) -> Result<Value, GraphError> {
    let state = business::get(&simulator.business.accounts, waba_id);
    let numbers = numbers(simulator, app, waba_id);
    let numbers = numbers.iter().map(|number| phone_number::show(simulator, app, number, None));
    let all = json!({
        "id": waba_id,
        "account_review_status": "APPROVED",
        "business_verification_status": "verified",
        "country": "US",
        "currency": "USD",
        "disable_marketing_messages_on_cloud_api": null,
        "health_status": {"can_send_message": "AVAILABLE", "entities": entities(app, waba_id)},
        "is_enabled_for_insights": false,
        "marketing_messages_lite_api_status": null,
        "marketing_messages_onboarding_status": null,
        "message_template_namespace": "ba30dd89_2ebd_41e4_b805_f2c05ae04cc9",
        "name": state.name.as_deref().unwrap_or("Local run"),
        "on_behalf_of_business_info": null,
        "owner_business_info": {"name": BUSINESS_NAME, "id": BUSINESS_ID},
        "ownership_type": "SELF",
        "phone_numbers": {"data": numbers.collect::<Result<Vec<_>, _>>()?},
        "primary_business_location": "US",
        "status": "ACTIVE",
        "subscribed_apps": subscribed_apps(simulator, waba_id),
        "timezone_id": state.timezone_id.as_deref().unwrap_or("1"),
    });
    let default = || DEFAULT_FIELDS.map(str::to_owned).to_vec();
    let fields = fields.map_or_else(default, <[String]>::to_vec);
    fields::choose(&all, Some(&fields), &["id"], NODE_TYPE)
}

fn change(simulator: &Simulator, request: &GraphRequest, waba_id: &str) -> Result<Response, GraphError> {
    let (name, timezone_id) = (request.parameters.string("name")?, request.parameters.string("timezone_id")?);
    business::change(&simulator.business.accounts, waba_id, |state| {
        state.name = name.or(state.name.take());
        state.timezone_id = timezone_id.or(state.timezone_id.take());
        Ok::<_, GraphError>(())
    })?;
    Ok(Json(json!({"id": waba_id, "success": true})).into_response())
}

/// Lists the accounts of the business portfolio (Meta, *Manage accounts*).
pub(super) fn of_business(simulator: &Simulator, app: &App, request: &GraphRequest) -> Result<Response, GraphError> {
    let accounts = simulator.accessible_accounts(app);
    let fields = request.parameters.fields()?;
    let url = super::list_url(simulator, request);
    let show = |waba_id: &String| account_fields(simulator, app, waba_id, fields.as_deref());
    let page = paging::page(&accounts, &request.parameters, PHONE_NUMBER_LIMITS, &url, Clone::clone, show)?;
    Ok(Json(page).into_response())
}

/// Lists the numbers of an account (Meta, *Phone number management API*).
fn phone_numbers(
    simulator: &Simulator,
    app: &App,
    request: &GraphRequest,
    waba_id: &str,
) -> Result<Response, GraphError> {
    let fields = request.parameters.fields()?;
    let filters = request.parameters.array("filtering")?.unwrap_or_default();
    let mut numbers = Vec::new();
    for number in self::numbers(simulator, app, waba_id) {
        if matches(simulator, app, &number, &filters)? {
            numbers.push(number);
        }
    }
    let key = |number: &RegisteredNumber| number.number.phone_number_id.clone();
    let show = |number: &RegisteredNumber| phone_number::show(simulator, app, number, fields.as_deref());
    let url = super::list_url(simulator, request);
    let page = paging::page(&numbers, &request.parameters, PHONE_NUMBER_LIMITS, &url, key, show)?;
    Ok(Json(page).into_response())
}

/// Returns whether a number has the values of `filtering`.
fn matches(simulator: &Simulator, app: &App, number: &RegisteredNumber, filters: &[Value]) -> Result<bool, GraphError> {
    const FIELDS: [&str; 3] = ["account_mode", "is_official_business_account", "messaging_limit_tier"];
    for filter in filters {
        let field = filter["field"].as_str().unwrap_or_default();
        if !FIELDS.contains(&field) {
            return Err(GraphError::not_one_of("filtering['field']", &FIELDS));
        }
        if filter["operator"] != "EQUAL" {
            return Err(GraphError::not_one_of("filtering['operator']", &["EQUAL"]));
        }
        if phone_number::show(simulator, app, number, Some(&[field.to_owned()]))?[field] != filter["value"] {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Adds a number, which must be verified and registered before it can be used (Meta, *Registering phone numbers*).
fn add_phone_number(
    simulator: &Simulator,
    app: &App,
    request: &GraphRequest,
    waba_id: &str,
) -> Result<Response, GraphError> {
    let parameters = &request.parameters;
    let country = parameters.string("cc")?.or(parameters.string("country_code")?);
    let country = country.ok_or_else(|| GraphError::missing("cc"))?;
    let name = parameters.required_string("verified_name")?;
    let number = parameters.required_string("phone_number")?;
    let country = country.trim_start_matches('+');
    let number = number.trim_start_matches('+');
    let number = if number.starts_with(country) { number.to_owned() } else { format!("{country}{number}") };
    let Some(Address::Phone(digits)) = Address::phone(&number) else {
        return Err(GraphError::parameter("Param phone_number must be a phone number."));
    };
    if simulator.numbers.find_by_display_number(&digits).is_some() {
        return Err(GraphError::parameter("The phone number is already in use."));
    }
    let id = simulator.add_number(waba_id, &app.id, digits, name)?;
    Ok(Json(json!({"id": id})).into_response())
}

/// Subscribes the app to an account, with or without an override of the callback URL (Meta, *Override webhooks*).
async fn subscribe(
    simulator: &Simulator,
    app: &App,
    request: &GraphRequest,
    waba_id: &str,
) -> Result<Response, GraphError> {
    let callback = callbacks::read(&request.parameters, "override_callback_uri", "")?;
    if let Some(callback) = &callback {
        callbacks::check_subscribed(simulator, app, waba_id)?;
        callbacks::verify(simulator, callback).await?;
    }
    simulator.apps.change(|apps| {
        apps.subscribe(waba_id, &app.id, callback);
        Ok::<_, GraphError>(())
    })?;
    Ok(success())
}

/// Lists the subscribed apps (Meta, *Manage webhooks*).
fn subscribed_apps(simulator: &Simulator, waba_id: &str) -> Value {
    simulator.apps.read(|apps| {
        let subscribed = apps.subscriptions(waba_id).filter_map(|subscription| {
            let app = apps.app(&subscription.app_id)?;
            let link = format!("https://www.facebook.com/games/?app_id={}", app.id);
            let mut shown = json!({"whatsapp_business_api_data": {"id": app.id, "name": app.name, "link": link}});
            if let Some(callback) = &subscription.callback {
                shown["override_callback_uri"] = json!(callback.url);
            }
            Some(shown)
        });
        json!({"data": subscribed.collect::<Vec<_>>()})
    })
}

/// Returns whether a number can send (Meta, *Messaging health status*).
pub(super) fn health_status(app: &App, number: &BusinessNumber, is_registered: bool) -> Value {
    let status = if is_registered { "AVAILABLE" } else { "BLOCKED" };
    let mut entity = json!({"entity_type": "PHONE_NUMBER", "id": number.phone_number_id, "can_send_message": status});
    if !is_registered {
        let (code, title) = (133_010, error_code::describe(133_010).1);
        let solution = "Register the phone number.";
        entity["errors"] = json!([{"error_code": code, "error_description": title, "possible_solution": solution}]);
    }
    let mut entities = entities(app, &number.waba_id);
    entities.insert(0, entity);
    json!({"can_send_message": status, "entities": entities})
}

fn entities(app: &App, waba_id: &str) -> Vec<Value> {
    let entity = |kind: &str, id: &str| json!({"entity_type": kind, "id": id, "can_send_message": "AVAILABLE"});
    vec![entity("WABA", waba_id), entity("BUSINESS", BUSINESS_ID), entity("APP", &app.id)]
}
