//! `GET` and `POST /api/webhook`: Meta's subscription and what WhatsApp sends.

use lambda_http::Error;
use shared::{
    domain::system::System,
    http::origin_guard::{self, OriginGuard},
    http::routes::WEBHOOK,
    http::{ApiError, ApiRequest, ApiResponse, Method},
    runtime::{serve, startup::Startup},
    services::credentials::Credentials,
    services::receive::{ReceiveError, Receiver},
    telemetry::{self, Metric},
};

/// The largest webhook body, in bytes. Meta sends up to 3 MB.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let (credentials, system) = (startup.credentials()?, startup.system);
    let receiver = Receiver::new(startup.store()?, system);
    let origin_guard = startup.origin_guard()?;
    let phone_number_id = startup.environment.phone_number_id().unwrap_or_default();
    tokio::join!(origin_guard.warm_up(), credentials.warm_up(), receiver.warm_up(&phone_number_id));
    serve(&WEBHOOK, move |request| {
        let (origin_guard, receiver, credentials) = (origin_guard.clone(), receiver.clone(), credentials.clone());
        async move {
            pass(&origin_guard, &request).await?;
            match request.method {
                Method::GET => verify(&credentials, &request).await,
                _ => receive(&receiver, &credentials, system, &request).await,
            }
        }
    })
    .await
}

/// Every other route has the authorizer before it, which sees to this.
async fn pass(origin_guard: &OriginGuard, request: &ApiRequest) -> Result<(), ApiError> {
    let header = request.headers.get(origin_guard::HEADER).and_then(|value| value.to_str().ok());
    if origin_guard.verify(header).await? {
        return Ok(());
    }
    let message = "This address takes no requests: use the deployment's ApiUrl or WebhookUrl";
    Err(ApiError::forbidden("wrong_address", message))
}

/// Meta asks with the verify token, and wants its challenge back (Meta: "Create a webhook endpoint").
async fn verify(credentials: &Credentials, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    let mode = request.query.one("hub.mode").unwrap_or_default();
    let token = request.query.one("hub.verify_token").unwrap_or_default().unwrap_or_default();
    let challenge = request.query.one("hub.challenge").unwrap_or_default().unwrap_or_default();
    if mode.as_deref() == Some("subscribe") && credentials.verifies(&token).await? {
        return Ok(ApiResponse::text(challenge));
    }
    Err(ApiError::forbidden("verification_failed", "Verification failed"))
}

async fn receive(
    receiver: &Receiver,
    credentials: &Credentials,
    system: System,
    request: &ApiRequest,
) -> Result<ApiResponse, ApiError> {
    let body = request.body.bytes(BODY_LIMIT)?;
    let signature = request.headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok());
    let webhook_app = match signature {
        Some(signature) => credentials.webhook_app(body, signature).await?,
        None => None,
    };
    let Some(webhook_app) = webhook_app else {
        telemetry::count(Metric::WebhookSignatureInvalid, 1, system.now());
        let message = "X-Hub-Signature-256 is missing, or is not the signature of this body under the app secret";
        return Err(ApiError::unauthorized("invalid_signature", message));
    };
    match receiver.receive(body, &webhook_app).await {
        Ok(()) => Ok(ApiResponse::json_text(r#"{"success":true}"#.to_owned())),
        Err(ReceiveError::NotJson(_)) => Err(ApiError::bad_request("invalid_json", "The body is not valid JSON")),
        Err(ReceiveError::Store(error)) => Err(error.into()),
    }
}
