//! `/{phone number ID}/message_qrdls` and `/{phone number ID}/message_qrdls/{code}` (Meta, *QR codes and short links*),
//! and the images of QR codes.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{Method, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

use super::{GraphRequest, success};
use crate::{
    error_chain,
    whatsapp::{
        business::{
            self,
            qr_codes::{ImageFormat, QrCode, QrCodes},
        },
        graph_error::GraphError,
        paging::{self, Limits},
        simulator::Simulator,
    },
};

/// The sizes of a page (Meta, *WhatsApp Business QR code management API*).
const LIMITS: Limits = Limits { default: 25, max: 25 };

pub(super) fn handle(
    simulator: &Simulator,
    request: &GraphRequest,
    phone_number_id: &str,
    code: Option<&str>,
) -> Result<Response, GraphError> {
    match (&request.method, code) {
        (&Method::GET, _) => list(simulator, request, phone_number_id, code),
        (&Method::POST, _) => put(simulator, request, phone_number_id, code),
        (&Method::DELETE, Some(code)) => {
            let codes = &simulator.business.qr_codes;
            business::change(codes, phone_number_id, |codes: &mut QrCodes| {
                if codes.remove(code) { Ok(()) } else { Err(GraphError::unsupported("delete", code)) }
            })?;
            Ok(success())
        }
        _ => Err(request.unsupported()),
    }
}

/// Lists the QR codes, or the one with this code, in the path or as a parameter. An unknown code has an empty list.
fn list(
    simulator: &Simulator,
    request: &GraphRequest,
    phone_number_id: &str,
    code: Option<&str>,
) -> Result<Response, GraphError> {
    let codes: QrCodes = business::get(&simulator.business.qr_codes, phone_number_id);
    let fields = request.parameters.fields()?;
    let show = |qr: &QrCode| qr.fields(fields.as_deref(), |format| image_url(simulator, qr, format));
    let parameter = request.parameters.string("code")?;
    let page = match code.or(parameter.as_deref()) {
        Some(code) => json!({"data": codes.get(code).map(show).transpose()?.into_iter().collect::<Vec<_>>()}),
        None => {
            let url = super::list_url(simulator, request);
            paging::page(codes.all(), &request.parameters, LIMITS, &url, |qr| qr.code.clone(), show)?
        }
    };
    Ok(Json(page).into_response())
}

/// Creates a QR code, or changes the message of the one with `code`.
fn put(
    simulator: &Simulator,
    request: &GraphRequest,
    phone_number_id: &str,
    code: Option<&str>,
) -> Result<Response, GraphError> {
    let parameters = &request.parameters;
    let code = code.map(str::to_owned).or(parameters.string("code")?);
    let format = parameters.string("generate_qr_image")?;
    let format = format.map(|name| ImageFormat::parse("generate_qr_image", &name)).transpose()?;
    let codes = &simulator.business.qr_codes;
    let qr = business::change(codes, phone_number_id, |codes: &mut QrCodes| match &code {
        Some(code) => codes.update(code, parameters)?.ok_or_else(|| GraphError::unsupported("post", code)),
        None => codes.create(parameters),
    })?;
    let mut response = qr.fields(None, |format| image_url(simulator, &qr, format))?;
    if let Some(format) = format {
        response["qr_image_url"] = json!(image_url(simulator, &qr, format));
    }
    Ok(Json(response).into_response())
}

fn image_url(simulator: &Simulator, qr: &QrCode, format: ImageFormat) -> String {
    format!("{}/whatsapp_business/qr/{}.{}", simulator.url, qr.code, format.extension())
}

/// Serves the images, without a token, as Meta does.
pub(super) fn routes() -> Router<Arc<Simulator>> {
    Router::new().route("/whatsapp_business/qr/{file}", get(image))
}

async fn image(State(simulator): State<Arc<Simulator>>, Path(file): Path<String>) -> Response {
    let (code, extension) = file.split_once('.').unwrap_or((&file, ""));
    let format = ImageFormat::parse("format", extension);
    let qr = business::find_qr_code(&simulator.business.qr_codes, code);
    let (Some((_, qr)), Ok(format)) = (qr, format) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match qr.image(format) {
        Ok((content_type, bytes)) => ([(CONTENT_TYPE, content_type)], bytes).into_response(),
        Err(error) => {
            simulator.problem(error_chain(&error));
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
