//! `GET /api/chats`: lists a session's chats, newest first.

use shared::{
    domain::inbox::ChatList,
    http::{responses, routes::CHATS},
    runtime::{StartError, serve},
    services::chats,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&CHATS, |app, request| async move {
        let list = ChatList::read(&request.query)?;
        request.caller()?.session(list.session_id)?;
        responses::chat_page(&chats::list(&app.store, &list).await?, &list)
    })
    .await
}
