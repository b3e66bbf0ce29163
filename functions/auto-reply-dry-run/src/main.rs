//! `POST /api/auto-replies/dry-run`: returns which rule would reply to a text, and why the others would not.

use shared::{
    http::{ApiResponse, routes::AUTO_REPLY_DRY_RUN},
    runtime::{StartError, Startup, serve_with},
    services::auto_reply::{DryRun, dry_run},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    let build = async |startup: &Startup| Ok((startup.app().await?, startup.environment.auto_reply_limits()?));
    serve_with(&AUTO_REPLY_DRY_RUN, build, |(app, limits), request| async move {
        let run = DryRun::read(&request.body, request.caller()?)?;
        ApiResponse::json(&dry_run(&app.store, app.system, limits, &run).await?)
    })
    .await
}
