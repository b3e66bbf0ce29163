//! `GET`, `PUT`, `DELETE /api/auto-replies/{ruleId}`: one auto-reply rule.

use lambda_http::Error;
use serde_json::json;
use shared::{
    domain::auto_reply::{Rule, RuleFields},
    domain::system::System,
    http::routes::AUTO_REPLY,
    http::{ApiError, ApiRequest, ApiResponse, Method},
    runtime::{serve, startup::Startup},
    store::Store,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let (store, system) = (startup.store()?, startup.system);
    store.warm_up().await;
    serve(&AUTO_REPLY, move |request| {
        let store = store.clone();
        async move {
            match request.method {
                Method::GET => show(&find(&store, &request).await?),
                Method::PUT => replace(&store, system, &request).await,
                _ => delete(&store, &request).await,
            }
        }
    })
    .await
}

async fn replace(store: &Store, system: System, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    let fields = RuleFields::read(&request.body.object()?)?;
    let rule = find(store, request).await?.updated(fields, system.now());
    if store.rules().replace(&rule).await? { show(&rule) } else { Err(not_found()) }
}

async fn delete(store: &Store, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    let rule = find(store, request).await?;
    if store.rules().delete(&rule).await? { ApiResponse::json(&json!({"success": true})) } else { Err(not_found()) }
}

async fn find(store: &Store, request: &ApiRequest) -> Result<Rule, ApiError> {
    let id = request.rule_id()?;
    let caller = request.caller()?;
    store.rules().get(id).await?.filter(|rule| caller.may_use(rule.session_id)).ok_or_else(not_found)
}

fn show(rule: &Rule) -> Result<ApiResponse, ApiError> {
    ApiResponse::json(&json!({"success": true, "rule": rule.response()}))
}

fn not_found() -> ApiError {
    ApiError::not_found("auto_reply_not_found", "Auto-reply not found")
}
