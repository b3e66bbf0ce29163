//! `GET`, `POST /api/auto-replies`: the auto-reply rules of a session, and a new one.

use std::cmp::Reverse;

use lambda_http::Error;
use serde_json::json;
use shared::{
    domain::auto_reply::{MAX_RULES, Rule, RuleFields},
    domain::id::RuleId,
    domain::system::System,
    http::routes::AUTO_REPLIES,
    http::{ApiError, ApiRequest, ApiResponse, Method},
    runtime::{serve, startup::Startup},
    store::{RuleCreated, Store},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let (store, system) = (startup.store()?, startup.system);
    store.warm_up().await;
    serve(&AUTO_REPLIES, move |request| {
        let store = store.clone();
        async move {
            match request.method {
                Method::GET => list(&store, &request).await,
                _ => create(&store, system, &request).await,
            }
        }
    })
    .await
}

/// In the order in which the rules are asked.
async fn list(store: &Store, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    let session_id = request.caller()?.session(request.query.session_id()?)?;
    let (_, mut rules) = store.sessions().get_with_rules(session_id).await?.ok_or_else(ApiError::session_not_found)?;
    rules.sort_by_key(|rule| (Reverse(rule.priority), rule.id));
    let rows: Vec<_> = rules.iter().map(Rule::response).collect();
    ApiResponse::json(&json!({"success": true, "rules": rows}))
}

async fn create(store: &Store, system: System, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    let session_id = request.caller()?.session(request.query.session_id()?)?;
    let fields = RuleFields::read(&request.body.object()?)?;
    let rule = Rule::new(RuleId::from_uuid(system.ordered_uuid()), session_id, fields, system.now());
    match store.rules().create(&rule).await? {
        RuleCreated::Created => ApiResponse::json(&json!({"success": true, "rule": rule.response()})),
        RuleCreated::NoSession => Err(ApiError::session_not_found()),
        RuleCreated::TooMany => {
            let message = format!("The session has {MAX_RULES} auto-replies, the most there can be: delete one first");
            Err(ApiError::conflict("too_many_auto_replies", message))
        }
    }
}
