//! `/{phone number ID}/settings`, `whatsapp_commerce_settings`, `whatsapp_business_encryption`, and
//! `conversational_automation`.

use axum::{
    Json,
    http::Method,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{GraphRequest, success};
use crate::whatsapp::{
    business::{self, NumberState},
    fields,
    graph_error::GraphError,
    numbers::RegisteredNumber,
    simulator::Simulator,
};

pub(super) fn handle(
    simulator: &Simulator,
    request: &GraphRequest,
    number: &RegisteredNumber,
    edge: &str,
) -> Result<Response, GraphError> {
    let (id, numbers) = (&number.number.phone_number_id, &simulator.business.numbers);
    let parameters = &request.parameters;
    match request.method {
        Method::GET => {
            let fields = parameters.fields()?;
            show(&business::get(numbers, id), id, edge, fields.as_deref()).map(|shown| Json(shown).into_response())
        }
        Method::POST => {
            business::change(numbers, id, |NumberState { settings, automation, .. }| match edge {
                "settings" => settings.update(parameters),
                "whatsapp_commerce_settings" => settings.update_commerce(parameters),
                "whatsapp_business_encryption" => settings.set_public_key(parameters),
                _ => automation.update(parameters),
            })?;
            Ok(success())
        }
        _ => Err(request.unsupported()),
    }
}

fn show(state: &NumberState, id: &str, edge: &str, fields: Option<&[String]>) -> Result<Value, GraphError> {
    let settings = &state.settings;
    match edge {
        "settings" => {
            let mut all = json!({"payload_encryption": null, "user_identity_change": null});
            let features = settings.features(state.registration.region.as_deref());
            for (feature, members) in features.as_object().into_iter().flatten() {
                all[feature] = members.clone();
            }
            fields::choose(&all, fields, &[], "WhatsAppBusinessPhoneNumberSettings")
        }
        "whatsapp_commerce_settings" => {
            let mut all = settings.commerce();
            all["id"] = json!(id);
            // The ID of the connected catalog, which the simulated WhatsApp doesn't have.
            all["catalog_id"] = Value::Null;
            Ok(json!({"data": [fields::choose(&all, fields, &["id"], "WhatsAppCommerceSettings")?]}))
        }
        "whatsapp_business_encryption" => {
            let key = settings.public_key();
            let data =
                key.map(|key| json!({"business_public_key": key, "business_public_key_signature_status": "VALID"}));
            Ok(json!({"data": data.into_iter().collect::<Vec<_>>()}))
        }
        _ => Ok(json!({"id": id, "conversational_automation": state.automation.field(id)})),
    }
}
