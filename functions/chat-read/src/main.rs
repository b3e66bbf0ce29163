//! `POST /api/chats/{chatId}/read`: nothing in the chat is unread any more, and the contact sees blue ticks.

use lambda_http::Error;
use serde::Serialize;
use shared::{
    domain::inbox::{ChatChange, ChatDetailResponse},
    http::access::paths::CHAT_READ,
    http::{ApiError, ApiRequest, ApiResponse, serve},
    runtime::startup::Startup,
    services::credentials::Credentials,
    services::read_receipt::{ReadReceipt, send_read_receipt},
    store::Store,
    whatsapp::CloudApi,
};

#[derive(Serialize)]
struct ReadResponse {
    success: bool,
    chat: ChatDetailResponse,
    #[serde(flatten)]
    receipt: ReadReceipt,
}

#[derive(Clone)]
struct Reader {
    store: Store,
    cloud_api: CloudApi,
    credentials: Credentials,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let cloud_api = CloudApi::new(startup.environment.graph_api_url()?)?;
    let (store, credentials) = (startup.store()?, startup.credentials()?);
    tokio::join!(store.warm_up(), credentials.warm_up());
    let reader = Reader { store, cloud_api, credentials };
    serve(&CHAT_READ, move |request| {
        let reader = reader.clone();
        async move { reader.read(&request).await }
    })
    .await
}

impl Reader {
    /// The table first: the chat is read whatever WhatsApp says.
    async fn read(&self, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
        let chat = request.caller()?.chat(&self.store, request.chat_id()?).await?;
        let (session, changed) =
            tokio::join!(self.store.session(chat.session_id), self.store.change_chat(&chat, &ChatChange::READ));
        let (session, chat) = (session?, changed?.ok_or_else(ApiError::chat_not_found)?);
        let session = session.ok_or_else(ApiError::session_not_found)?;
        let receipt = send_read_receipt(&self.cloud_api, &self.credentials, &session, &chat).await;
        ApiResponse::json(&ReadResponse { success: true, chat: ChatDetailResponse::from(&chat), receipt })
    }
}
