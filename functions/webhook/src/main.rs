//! `GET` and `POST /api/webhook`: Meta's subscription and what WhatsApp sends.

use lambda_http::Error;
use shared::{
    cloud_api::is_signed,
    http::{Answer, ApiError, Incoming, Method, serve},
    receiving::{ReceiveError, Receiver},
    secrets::Secrets,
    startup::{Startup, System},
    telemetry::{self, Metric},
};
use subtle::ConstantTimeEq;

/// The largest webhook body, in bytes. Meta sends up to 3 MB.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let startup = Startup::begin().await;
    let (secrets, system) = (startup.secrets()?, startup.system);
    let receiver = Receiver::new(startup.store()?, system);
    let phone_number_id = startup.environment.phone_number_id().unwrap_or_default();
    let (secret, ()) = tokio::join!(secrets.get((system.now)()), receiver.warm_up(&phone_number_id));
    if let Err(error) = secret {
        tracing::warn!(error = telemetry::chain(&error), "the secret could not be read yet");
    }
    serve(&[Method::GET, Method::POST], move |request| {
        let (receiver, secrets) = (receiver.clone(), secrets.clone());
        async move {
            match request.method {
                Method::GET => verify(&secrets, system, &request).await,
                _ => receive(&receiver, &secrets, system, &request).await,
            }
        }
    })
    .await
}

/// Meta asks with the verify token, and wants its challenge back (Meta: "Create a webhook endpoint").
async fn verify(secrets: &Secrets, system: System, request: &Incoming) -> Result<Answer, ApiError> {
    let mode = request.query.one("hub.mode").unwrap_or_default();
    let token = request.query.one("hub.verify_token").unwrap_or_default().unwrap_or_default();
    let challenge = request.query.one("hub.challenge").unwrap_or_default().unwrap_or_default();
    let expected = &secrets.get((system.now)()).await?.verify_token;
    let is_known = !expected.is_empty() && bool::from(token.as_bytes().ct_eq(expected.as_bytes()));
    if mode.as_deref() == Some("subscribe") && is_known {
        return Ok(Answer::text(challenge));
    }
    Err(ApiError::forbidden("verification_failed", "Verification failed"))
}

async fn receive(
    receiver: &Receiver,
    secrets: &Secrets,
    system: System,
    request: &Incoming,
) -> Result<Answer, ApiError> {
    let body = request.body.bytes(BODY_LIMIT)?;
    let signature = request.headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok());
    let secrets = secrets.get((system.now)()).await?;
    if !signature.is_some_and(|signature| is_signed(body, signature, &secrets.app_secret)) {
        telemetry::count(Metric::WebhookSignatureInvalid, 1, (system.now)());
        let message = "X-Hub-Signature-256 is missing, or is not the signature of this body under the app secret";
        return Err(ApiError::unauthorized("invalid_signature", message));
    }
    match receiver.receive(body).await {
        Ok(()) => Ok(Answer::written_json(r#"{"success":true}"#.to_owned())),
        Err(ReceiveError::NotJson(_)) => Err(ApiError::bad_request("invalid_json", "The body is not valid JSON")),
        Err(ReceiveError::Store(error)) => Err(error.into()),
    }
}
