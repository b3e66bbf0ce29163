//! `GET /api/chats`: lists a session's chats, newest first, or finds the chat of one contact.

use shared::{
    http::{requests::ChatQuery, responses, routes::CHATS},
    runtime::{StartError, serve},
    services::chats,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&CHATS, |app, request| async move {
        let query = ChatQuery::read(&request.query)?;
        request.caller()?.session(query.session_id())?;
        match query {
            ChatQuery::List(list) => responses::chat_page(&chats::list(&app.store, &list).await?, &list),
            ChatQuery::Lookup(lookup) => responses::found_chat(chats::find(&app.store, &lookup).await?.as_ref()),
        }
    })
    .await
}
