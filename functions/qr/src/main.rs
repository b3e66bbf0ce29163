//! `GET /api/qr`: returns a session's QR code as text or image.

use shared::{
    http::{requests::QrFormat, responses, routes::QR},
    runtime::{StartError, serve},
    services::sessions,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), StartError> {
    serve(&QR, |app, request| async move {
        let session_id = request.session_of_query()?;
        let format = QrFormat::read(&request.query)?;
        let own_number = app.environment.business_number();
        let code = sessions::qr_code(&app.store, app.system, own_number.as_ref(), session_id).await?;
        responses::qr_code(code, format)
    })
    .await
}
