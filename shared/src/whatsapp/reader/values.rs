//! The values of responses. A field with another type than documented is as if it were absent.

use serde_json::Value;

use crate::domain::{
    health::{Callbacks, HealthEntity, NumberInfo, NumberReview, TokenInfo},
    time::Timestamp,
};

/// Returns a nonempty string, or an integer as text.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        value => value.as_u64().map(|number| number.to_string()),
    }
}

/// Returns the elements of an array; none of any other value.
pub(super) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn texts(value: &Value) -> Vec<String> {
    items(value).filter_map(text).collect()
}

pub(super) fn token_info(data: &Value) -> TokenInfo {
    // Unix seconds; 0 for never.
    let time = |name: &str| data[name].as_i64().filter(|at| *at > 0).and_then(Timestamp::from_seconds);
    let granted = items(&data["granular_scopes"]);
    TokenInfo {
        app_id: text(&data["app_id"]),
        is_valid: data["is_valid"].as_bool() == Some(true),
        error: text(&data["error"]["message"]),
        expires_at: [time("expires_at"), time("data_access_expires_at")].into_iter().flatten().min(),
        scopes: texts(&data["scopes"]),
        granted_accounts: granted.filter_map(|one| Some((text(&one["scope"])?, texts(&one["target_ids"])))).collect(),
    }
}

pub(super) fn number_info(number: &Value) -> NumberInfo {
    let callbacks = &number["webhook_configuration"];
    NumberInfo {
        status: text(&number["status"]),
        code_verification_status: text(&number["code_verification_status"]),
        platform_type: text(&number["platform_type"]),
        quality_rating: text(&number["quality_rating"]),
        throughput: text(&number["throughput"]["level"]),
        verified_name: text(&number["verified_name"]),
        callbacks: Callbacks {
            number: text(&callbacks["phone_number"]),
            account: text(&callbacks["whatsapp_business_account"]),
            app: text(&callbacks["application"]),
        },
    }
}

pub(super) fn number_review(number: &Value) -> NumberReview {
    let health = &number["health_status"];
    let entity = |entity: &Value| {
        let error = |error: &Value| Some((text(&error["error_description"])?, text(&error["possible_solution"])));
        Some(HealthEntity {
            kind: text(&entity["entity_type"])?,
            id: text(&entity["id"])?,
            can_send_message: text(&entity["can_send_message"]).unwrap_or_default(),
            errors: items(&entity["errors"]).filter_map(error).collect(),
            additional_info: texts(&entity["additional_info"]),
        })
    };
    NumberReview {
        name_status: text(&number["name_status"]),
        can_send_message: text(&health["can_send_message"]),
        entities: items(&health["entities"]).filter_map(entity).collect(),
    }
}
