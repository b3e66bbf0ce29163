//! `GET /api/templates`: lists the message templates of the number's account.

use shared::{
    domain::message_template::TemplateList,
    http::{responses, routes::TEMPLATES},
    runtime::{StartError, Startup, serve_with},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    let build = async |startup: &Startup| tokio::try_join!(startup.app(), startup.templates());
    serve_with(&TEMPLATES, build, |(app, templates), request| async move {
        let list = TemplateList::read(request.session_of_query()?, request.caller()?, &request.query)?;
        responses::template_page(&templates.list(&app.store, &list).await?, &list)
    })
    .await
}
