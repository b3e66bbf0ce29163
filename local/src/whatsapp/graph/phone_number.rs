//! `/{phone number ID}`: a business number (Meta, *WhatsApp Business Account phone number API*).

use axum::{
    Json,
    http::Method,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{GraphRequest, account, callbacks, success};
use crate::whatsapp::{
    apps::App,
    business::{self, NumberState},
    fields,
    graph_error::GraphError,
    limits::DEFAULT_THROUGHPUT,
    numbers::RegisteredNumber,
    parameters::Parameters,
    simulator::Simulator,
};

pub(super) const NODE_TYPE: &str = "WhatsAppBusinessPhoneNumber";

/// The fields that Meta returns by default (Meta, *Manage phone numbers*).
const DEFAULT_FIELDS: [&str; 8] = [
    "verified_name",
    "code_verification_status",
    "display_phone_number",
    "quality_rating",
    "platform_type",
    "throughput",
    "webhook_configuration",
    "id",
];

pub(super) async fn handle(
    simulator: &Simulator,
    app: &App,
    request: &GraphRequest,
    number: &RegisteredNumber,
) -> Result<Response, GraphError> {
    match request.method {
        Method::GET => {
            let fields = request.parameters.fields()?;
            Ok(Json(show(simulator, app, number, fields.as_deref())?).into_response())
        }
        Method::POST => change(simulator, app, request, number).await.map(|()| success()),
        _ => Err(request.unsupported()),
    }
}

/// Changes what the request has parameters for. Ignores others, as the Graph API does.
async fn change(
    simulator: &Simulator,
    app: &App,
    request: &GraphRequest,
    number: &RegisteredNumber,
) -> Result<(), GraphError> {
    let (id, parameters) = (number.number.phone_number_id.as_str(), &request.parameters);
    if let Some(configuration) = parameters.object("webhook_configuration")? {
        let configuration = Parameters(configuration);
        if !configuration.0.contains_key("override_callback_uri") {
            return Err(GraphError::missing("webhook_configuration['override_callback_uri']"));
        }
        let callback = callbacks::read(&configuration, "override_callback_uri", "webhook_configuration")?;
        if let Some(callback) = &callback {
            callbacks::check_subscribed(simulator, app, &number.number.waba_id)?;
            callbacks::verify(simulator, callback).await?;
        }
        simulator.apps.change(|apps| {
            apps.override_number(id, &app.id, callback);
            Ok::<_, GraphError>(())
        })?;
    }
    if parameters.0.contains_key("pin") {
        business::change(&simulator.business.numbers, id, |state| state.registration.set_pin(parameters))?;
    }
    if let Some(name) = parameters.string("new_display_name")? {
        business::change(&simulator.business.numbers, id, |state| {
            state.new_display_name = Some(name);
            Ok::<_, GraphError>(())
        })?;
    }
    Ok(())
}

/// Returns the fields of a number for an app.
pub(super) fn show(
    simulator: &Simulator,
    app: &App,
    number: &RegisteredNumber,
    fields: Option<&[String]>,
) -> Result<Value, GraphError> {
    let id = &number.number.phone_number_id;
    let state: NumberState = business::get(&simulator.business.numbers, id);
    let mut all = all_fields(number, &state);
    all["webhook_configuration"] = webhook_configuration(simulator, app, number);
    all["health_status"] = account::health_status(app, &number.number, state.registration.is_registered);
    let default = || DEFAULT_FIELDS.map(str::to_owned).to_vec();
    let fields = fields.map_or_else(default, <[String]>::to_vec);
    fields::choose(&all, Some(&fields), &["id"], NODE_TYPE)
}

fn all_fields(number: &RegisteredNumber, state: &NumberState) -> Value {
    let registration = &state.registration;
    let level = if number.throughput > DEFAULT_THROUGHPUT { "HIGH" } else { "STANDARD" };
    let by_registration = |registered: &'static str, other: &'static str| {
        if registration.is_registered { registered } else { other }
    };
    json!({
        "id": number.number.phone_number_id,
        "account_mode": "LIVE",
        "certificate": null,
        "code_verification_status": if registration.is_verified { "VERIFIED" } else { "NOT_VERIFIED" },
        "conversational_automation": state.automation.field(&number.number.phone_number_id),
        "country_code": null,
        "country_dial_code": null,
        "display_phone_number": format!("+{}", number.number.display_phone_number),
        "eligibility_for_api_business_global_search": "ELIGIBLE",
        "host_platform": by_registration("CLOUD_API", "NOT_APPLICABLE"),
        "is_official_business_account": false,
        "is_on_biz_app": false,
        "is_pin_enabled": registration.pin.is_some(),
        "is_preverified_number": false,
        "last_onboarded_time": null,
        "messaging_limit_tier": "TIER_UNLIMITED",
        "name_status": "APPROVED",
        "new_certificate": null,
        "new_display_name": state.new_display_name,
        "new_name_status": state.new_display_name.as_ref().map_or("NONE", |_| "PENDING_REVIEW"),
        "platform_type": by_registration("CLOUD_API", "NOT_APPLICABLE"),
        "quality_rating": "GREEN",
        "quality_score": {"score": "GREEN"},
        "search_visibility": "NON_VISIBLE",
        "status": by_registration("CONNECTED", "DISCONNECTED"),
        "throughput": {"level": by_registration(level, "NOT_APPLICABLE")},
        "unified_cert_status": "APPROVED",
        "username": state.username,
        "verified_name": state.verified_name.as_deref().unwrap_or(business::DEFAULT_VERIFIED_NAME),
        "whatsapp_business_manager_messaging_limit": "TIER_UNLIMITED",
    })
}

/// Returns where the app's webhooks can go (Meta, *Override webhooks*).
fn webhook_configuration(simulator: &Simulator, app: &App, number: &RegisteredNumber) -> Value {
    let number = &number.number;
    simulator.apps.read(|apps| {
        let account = apps.subscriptions(&number.waba_id).find(|subscription| subscription.app_id == app.id);
        let urls = [
            ("phone_number", apps.number_override(&number.phone_number_id, &app.id)),
            ("whatsapp_business_account", account.and_then(|subscription| subscription.callback.as_ref())),
            ("application", apps.app(&app.id).and_then(|app| app.callback.as_ref())),
        ];
        let urls = urls.into_iter().filter_map(|(name, callback)| Some((name.to_owned(), json!(callback?.url))));
        Value::Object(urls.collect())
    })
}
