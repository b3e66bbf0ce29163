//! `POST` and `GET /api/keys`: makes an API key, and lists those that there are.

use std::collections::BTreeSet;

use lambda_http::Error;
use serde_json::{Value, json};
use shared::{
    domain::api_key::{ApiKey, NAME_LIMIT, SecretKey},
    domain::scope::Scope,
    domain::session::OWNER_ID_LIMIT,
    domain::system::System,
    domain::time::Timestamp,
    http::routes::KEYS,
    http::{ApiError, ApiRequest, ApiResponse, Body, Method},
    runtime::{serve, startup::Startup},
    store::Store,
};

/// Names the list in its cursors.
const LIST: &str = "keys";

/// Keys in one answer, unless the caller asks for fewer.
const PAGE: i32 = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let (store, system) = (startup.store()?, startup.system);
    store.warm_up().await;
    serve(&KEYS, move |request| {
        let store = store.clone();
        async move {
            match request.method {
                Method::POST => create(&store, system, &request).await,
                _ => list(&store, &request).await,
            }
        }
    })
    .await
}

async fn create(store: &Store, system: System, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    let secret = SecretKey::from_random(std::array::from_fn(|_| system.random_uuid()));
    let key = read(&request.body, &secret, system.now())?;
    store.api_keys().create(&key).await?;
    tracing::info!(key_id = %key.id, by = request.caller()?.key_id, "API key created");
    ApiResponse::json(&json!({"success": true, "key": key.response(), "secret": secret.reveal()}))
}

/// Reads `{"name", "ownerId", "scopes", "expiresAt"?}`. A key with the scope `admin` may do without an owner.
fn read(body: &Body, secret: &SecretKey, now: Timestamp) -> Result<ApiKey, ApiError> {
    let invalid = |message: String| ApiError::bad_request("invalid_field", message);
    let body = body.object()?;
    let name = body.required("name")?.trim();
    if name.chars().count() > NAME_LIMIT {
        return Err(invalid(format!("name may have up to {NAME_LIMIT} characters")));
    }
    let scopes = scopes(body.value("scopes"))?;
    let owner_id = body.string("ownerId")?.filter(|owner| !owner.trim().is_empty());
    if owner_id.is_none() && !scopes.contains(&Scope::Admin) {
        return Err(ApiError::bad_request("missing_field", "ownerId is required"));
    }
    if owner_id.is_some_and(|owner| owner.len() > OWNER_ID_LIMIT) {
        return Err(invalid(format!("ownerId may have up to {OWNER_ID_LIMIT} bytes")));
    }
    let valid_until = match body.string("expiresAt")? {
        Some(text) => {
            let time = text.parse().ok().filter(|time: &Timestamp| *time > now);
            Some(time.ok_or_else(|| invalid("expiresAt must be a time to come, like 2027-11-23T12:00:00Z".to_owned()))?)
        }
        None => None,
    };
    let hash = secret.hash();
    Ok(ApiKey {
        id: hash.key_id(),
        hash,
        name: name.to_owned(),
        owner_id: owner_id.map(str::to_owned),
        scopes,
        created_at: now,
        valid_until,
        last_used_at: None,
    })
}

fn scopes(value: Option<&Value>) -> Result<BTreeSet<Scope>, ApiError> {
    let value = value.ok_or_else(|| ApiError::bad_request("missing_field", "scopes is required"))?;
    let scopes = value.as_array().map(|items| items.iter().map(|item| item.as_str()?.parse().ok()).collect());
    let scopes: Option<BTreeSet<Scope>> = scopes.flatten();
    scopes.filter(|scopes| !scopes.is_empty()).ok_or_else(|| {
        let known = Scope::ALL.map(Scope::as_str).join(", ");
        ApiError::bad_request("invalid_field", format!("scopes must be a list of one or more of {known}"))
    })
}

async fn list(store: &Store, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    let limit = match request.query.one("limit")? {
        Some(text) => {
            let limit = text.parse().ok().filter(|limit| (1..=PAGE).contains(limit));
            let message = format!("limit must be a whole number from 1 to {PAGE}");
            limit.ok_or_else(|| ApiError::bad_request("invalid_query", message))?
        }
        None => PAGE,
    };
    let after = request.query.cursor(LIST)?;
    let page = store.api_keys().list(limit, after).await?;
    let keys: Vec<_> = page.keys.iter().map(ApiKey::response).collect();
    ApiResponse::json(&json!({"success": true, "keys": keys, "nextCursor": page.next.map(|place| place.cursor(LIST))}))
}
