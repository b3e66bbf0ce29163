//! `/{app ID}/uploads` and `/upload:{session ID}`: resumable uploads, whose handles are the examples of templates and the
//! pictures of profiles (Graph API, *Upload a file*). Counts the bytes of a file and doesn't store them.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json,
    http::Method,
    response::{IntoResponse, Response},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::json;

use super::GraphRequest;
use crate::whatsapp::{apps::App, clock::random, graph_error::GraphError, simulator::Simulator};

/// The start of session IDs.
pub(super) const PREFIX: &str = "upload:";
const TYPES: [&str; 5] = ["application/pdf", "image/jpeg", "image/jpg", "image/png", "video/mp4"];

/// An upload in progress.
#[derive(Debug)]
struct Session {
    app_id: String,
    file_type: String,
    length: u64,
    received: u64,
}

/// The uploads of this run by session ID.
#[derive(Debug, Default)]
pub(in crate::whatsapp) struct UploadSessions(Mutex<HashMap<String, Session>>);

impl UploadSessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts an upload and returns its session.
pub(super) fn create(simulator: &Simulator, app: &App, request: &GraphRequest) -> Result<Response, GraphError> {
    if request.method != Method::POST {
        return Err(request.unsupported());
    }
    let length = request.parameters.integer("file_length")?.ok_or_else(|| GraphError::missing("file_length"))?;
    let length = u64::try_from(length).ok().filter(|length| *length > 0);
    let length = length.ok_or_else(|| GraphError::parameter("Param file_length must be greater than or equal to 1"))?;
    let file_type = request.parameters.required_string("file_type")?;
    if !TYPES.contains(&file_type.as_str()) {
        return Err(GraphError::not_one_of("file_type", &TYPES));
    }
    let id = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random().as_bytes()));
    let session = Session { app_id: app.id.clone(), file_type, length, received: 0 };
    simulator.uploads.lock().insert(id.clone(), session);
    Ok(Json(json!({"id": id})).into_response())
}

/// Returns how much of a file has arrived, or receives more of it. The complete file has a handle.
pub(super) fn handle(
    simulator: &Simulator,
    app: &App,
    request: &GraphRequest,
    id: &str,
) -> Result<Response, GraphError> {
    let mut sessions = simulator.uploads.lock();
    let session = sessions.get_mut(id).filter(|session| session.app_id == app.id);
    let session = session.ok_or_else(|| request.unsupported())?;
    match request.method {
        Method::GET => {}
        Method::POST => {
            let offset = request.parameters.integer("file_offset")?.unwrap_or(0);
            let received = session.received + request.uploaded;
            if u64::try_from(offset) != Ok(session.received) || received > session.length {
                return Err(GraphError::parameter(&format!(
                    "Param file_offset must be {}, with up to {} bytes in the body",
                    session.received,
                    session.length - session.received
                )));
            }
            session.received = received;
            if received == session.length {
                let (file_type, hash) = (STANDARD.encode(&session.file_type), random());
                sessions.remove(id);
                let handle = format!("4::{file_type}:AR{}", URL_SAFE_NO_PAD.encode(hash.as_bytes()));
                return Ok(Json(json!({"h": handle})).into_response());
            }
        }
        _ => return Err(request.unsupported()),
    }
    Ok(Json(json!({"id": id, "file_offset": session.received})).into_response())
}
