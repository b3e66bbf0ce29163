//! `GET /api/stats`: returns a session's hourly counters.

use shared::{
    http::{responses, routes::STATS},
    runtime::{StartError, serve},
    services::stats::{self, StatsQuery},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&STATS, |app, request| async move {
        let query = StatsQuery::read(&request.query)?;
        request.caller()?.session(query.session_id)?;
        responses::stats(&stats::read(&app.store, query, app.system.now()).await?)
    })
    .await
}
