//! `GET` and `POST /api/auto-replies`: lists a session's auto-reply rules, or creates one.

use shared::{
    domain::auto_reply::RuleFields,
    http::{Method, responses, routes::AUTO_REPLIES},
    runtime::{StartError, serve},
    services::rules,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&AUTO_REPLIES, |app, request| async move {
        let session_id = request.session_of_query()?;
        if request.method == Method::GET {
            return responses::rules(&rules::list(&app.store, session_id).await?);
        }
        let fields = RuleFields::read(&request.body)?;
        responses::rule(&rules::create(&app.store, app.system, session_id, fields).await?)
    })
    .await
}
