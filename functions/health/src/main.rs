//! `GET /api/health`: checks why a session's messages don't flow.

use shared::{
    http::{responses, routes::HEALTH},
    runtime::{StartError, Startup, serve_with},
    services::health::HealthRequest,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    let build = async |startup: &Startup| tokio::try_join!(startup.app(), startup.health_checks());
    serve_with(&HEALTH, build, |(app, checks), request| async move {
        let (session_id, is_admin) = (request.session_of_query()?, request.caller()?.is_admin());
        let request = HealthRequest { session_id, gateway: request.gateway, is_admin };
        responses::health(&checks.check(&app.store, &request).await?)
    })
    .await
}
