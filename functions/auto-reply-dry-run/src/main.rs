//! `POST /api/auto-replies/dry-run`: which rule would answer a text, with what, and why the others would not.

use lambda_http::Error;
use shared::{
    http::ApiResponse,
    http::routes::AUTO_REPLY_DRY_RUN,
    runtime::{serve, startup::Startup},
    services::auto_reply::{DryRun, dry_run},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let (store, system) = (startup.store()?, startup.system);
    let limits = startup.environment.auto_reply_limits()?;
    store.warm_up().await;
    serve(&AUTO_REPLY_DRY_RUN, move |request| {
        let store = store.clone();
        async move {
            let run = DryRun::read(&request.body.object()?, request.caller()?)?;
            ApiResponse::json(&dry_run(&store, system, limits, &run).await?)
        }
    })
    .await
}
