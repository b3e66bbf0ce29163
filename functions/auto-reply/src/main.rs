//! `GET`, `PUT`, and `DELETE /api/auto-replies/{ruleId}`: returns, replaces, or deletes an auto-reply rule.

use shared::{
    domain::auto_reply::RuleFields,
    http::{Method, responses, routes::AUTO_REPLY},
    runtime::{StartError, serve},
    services::rules,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&AUTO_REPLY, |app, request| async move {
        match request.method {
            Method::PUT => {
                let fields = RuleFields::read(&request.body)?;
                let rule = request.rule(&app.store).await?;
                responses::rule(&rules::replace(&app.store, app.system, rule, fields).await?)
            }
            Method::DELETE => responses::deleted(rules::delete(&app.store, &request.rule(&app.store).await?).await?),
            _ => responses::rule(&request.rule(&app.store).await?),
        }
    })
    .await
}
