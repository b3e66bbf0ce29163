//! `/{app ID}`: a Meta app and its webhook, and the endpoints of access tokens.

use axum::{
    Json,
    http::Method,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{GraphRequest, callbacks, success};
use crate::whatsapp::{
    apps::App, clock::unix_now, fields, graph_error::GraphError, parameters::Parameters, simulator::Simulator,
};

/// The webhooks of WhatsApp Business Accounts.
const OBJECT: &str = "whatsapp_business_account";
const SCOPES: [&str; 2] = ["whatsapp_business_management", "whatsapp_business_messaging"];

pub(super) async fn handle(
    simulator: &Simulator,
    app: &App,
    request: &GraphRequest,
    edge: &[&str],
) -> Result<Response, GraphError> {
    match (edge, &request.method) {
        ([], &Method::GET) => {
            let link = format!("https://www.facebook.com/games/?app_id={}", app.id);
            let all = json!({"id": app.id, "name": app.name, "link": link, "category": "Business"});
            let fields = request.parameters.fields()?;
            Ok(Json(fields::choose(&all, fields.as_deref(), &["id"], "Application")?).into_response())
        }
        (["subscriptions"], method) => {
            if request.token.as_deref() != Some(app.app_token().as_str()) {
                return Err(GraphError::titled(15, "This method must be called with an app access_token."));
            }
            match *method {
                Method::GET => Ok(Json(subscriptions(simulator, app)).into_response()),
                Method::POST => subscribe(simulator, app, &request.parameters).await,
                Method::DELETE => {
                    simulator.apps.change(|apps| {
                        apps.set_callback(&app.id, None);
                        Ok::<_, GraphError>(())
                    })?;
                    Ok(success())
                }
                _ => Err(request.unsupported()),
            }
        }
        _ => Err(request.unsupported()),
    }
}

/// Sets the app's callback URL (Graph API, *Application subscriptions*).
async fn subscribe(simulator: &Simulator, app: &App, parameters: &Parameters) -> Result<Response, GraphError> {
    if parameters.required_string("object")? != OBJECT {
        return Err(GraphError::not_one_of("object", &[OBJECT]));
    }
    let callback = callbacks::read(parameters, "callback_url", "")?;
    let callback = callback.ok_or_else(|| GraphError::missing("callback_url"))?;
    callbacks::verify(simulator, &callback).await?;
    simulator.apps.change(|apps| {
        apps.set_callback(&app.id, Some(callback));
        Ok::<_, GraphError>(())
    })?;
    Ok(success())
}

fn subscriptions(simulator: &Simulator, app: &App) -> Value {
    let callback = simulator.apps.read(|apps| apps.app(&app.id)?.callback.clone());
    let subscription = callback.map(|callback| {
        json!({"object": OBJECT, "callback_url": callback.url, "active": true, "fields": [{"name": "messages"}]})
    });
    json!({"data": subscription.into_iter().collect::<Vec<_>>()})
}

/// `/oauth/access_token`: exchanges the app's secret for an app access token, or a token for one that lasts (Graph API,
/// *Access tokens*). Embedded Signup, which issues codes, isn't simulated.
pub(super) fn access_token(simulator: &Simulator, parameters: &Parameters) -> Result<Response, GraphError> {
    let client_id = parameters.required_string("client_id")?;
    let app = simulator.apps.read(|apps| apps.app(&client_id).cloned());
    let app = app.ok_or_else(|| {
        GraphError::titled(101, "Error validating application. Cannot get application info due to a system error.")
    })?;
    if parameters.required_string("client_secret")? != app.secret {
        return Err(GraphError::titled(1, "Error validating client secret."));
    }
    let token = match parameters.string("grant_type")?.as_deref() {
        Some("client_credentials") => app.app_token(),
        Some("fb_exchange_token") => {
            let token = parameters.required_string("fb_exchange_token")?;
            if token != app.access_token {
                return Err(GraphError::new(190, None));
            }
            token
        }
        _ if parameters.get("code").is_some() => {
            return Err(GraphError::parameter("Invalid verification code format."));
        }
        _ => return Err(GraphError::missing("code")),
    };
    Ok(Json(json!({"access_token": token, "token_type": "bearer"})).into_response())
}

/// `/debug_token` (Meta, *Permissions*).
pub(super) fn debug_token(simulator: &Simulator, app: &App, parameters: &Parameters) -> Result<Response, GraphError> {
    let token = parameters.required_string("input_token")?;
    let data = match simulator.apps.read(|apps| apps.find_by_token(&token).cloned()) {
        Some(owner) if token == owner.app_token() => json!({
            "app_id": owner.id, "type": "APP", "application": owner.name, "is_valid": true, "scopes": [],
        }),
        Some(owner) => {
            let targets = simulator.accessible_accounts(&owner);
            let granular = SCOPES.map(|scope| json!({"scope": scope, "target_ids": targets}));
            json!({
                "app_id": owner.id,
                "type": "SYSTEM_USER",
                "application": owner.name,
                "data_access_expires_at": 0,
                "expires_at": 0,
                "is_valid": true,
                "issued_at": unix_now(),
                "scopes": SCOPES,
                "granular_scopes": granular,
                "user_id": "104169029247128",
            })
        }
        None => json!({
            "app_id": app.id,
            "error": {"code": 190, "message": "Invalid OAuth access token - Cannot parse access token"},
            "is_valid": false,
            "scopes": [],
        }),
    };
    Ok(Json(json!({"data": data})).into_response())
}
