//! `POST /api/chats/{chatId}/read`: marks a chat as read, also at WhatsApp.

use lambda_http::Error;
use serde::Serialize;
use shared::{
    http::responses::ChatDetailResponse,
    http::routes::CHAT_READ,
    http::{ApiError, ApiResponse},
    runtime::{serve, startup::Startup},
    services::read_receipt::{ReadError, ReadReceipt, ReadReceipts},
    whatsapp::CloudApi,
};

#[derive(Serialize)]
struct ReadResponse {
    success: bool,
    chat: ChatDetailResponse,
    #[serde(flatten)]
    receipt: ReadReceipt,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let cloud_api = CloudApi::new(startup.environment.graph_api_url()?)?;
    let (store, credentials) = (startup.store()?, startup.credentials()?);
    tokio::join!(store.warm_up(), credentials.warm_up());
    let read_receipts = ReadReceipts::new(cloud_api, credentials);
    serve(&CHAT_READ, move |request| {
        let (store, read_receipts) = (store.clone(), read_receipts.clone());
        async move {
            let chat = request.caller()?.chat(&store, request.chat_id()?).await?;
            let read = read_receipts.mark_read(&store, &chat).await.map_err(|error| match error {
                ReadError::NoChat => ApiError::chat_not_found(),
                ReadError::NoSession => ApiError::session_not_found(),
                ReadError::Store(error) => error.into(),
            });
            let (chat, receipt) = read?;
            ApiResponse::json(&ReadResponse { success: true, chat: ChatDetailResponse::from(&chat), receipt })
        }
    })
    .await
}
