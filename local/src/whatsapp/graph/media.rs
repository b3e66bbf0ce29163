//! `/{phone number ID}/media` and `/{media ID}`: uploads, lookups, and deletions of files, and their download URLs (Meta,
//! *Media*).

use std::future::pending;

use axum::{
    Json,
    body::{Body, Bytes},
    http::Method,
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use serde_json::json;
use thiserror::Error;

use super::{
    super::{
        apps::App,
        clock::unix_now,
        faults::{MediaOutcome, MediaRequest},
        graph_error::GraphError,
        media::{self, Media, NewMedia, Source, upload_error},
        numbers::RegisteredNumber,
        simulator::Simulator,
    },
    GraphRequest,
};

/// Handles a request with the fault of the next one of its kind.
pub(super) async fn with_fault(
    simulator: &Simulator,
    request: MediaRequest,
    handle: impl Future<Output = Result<Response, GraphError>>,
) -> Result<Response, GraphError> {
    let outcome = simulator.next_media(request);
    if outcome != MediaOutcome::Handled {
        simulator.problem(format!("fault: {request:?} of a file: {outcome:?}"));
    }
    match outcome {
        MediaOutcome::Handled => handle.await,
        MediaOutcome::Rejected(status) => Err(GraphError::new(131_000, None).with_status(Some(status))),
        MediaOutcome::Delayed(delay) => {
            tokio::time::sleep(delay).await;
            handle.await
        }
        MediaOutcome::Dropped(bytes) => {
            // An error ends the connection at once. Until then, the server sends what it has.
            Ok(cut(handle.await?, bytes, tokio::task::yield_now))
        }
        MediaOutcome::Stalled(bytes) => Ok(cut(handle.await?, bytes, pending)),
        MediaOutcome::Corrupt => Ok(corrupt(handle.await?)),
    }
}

#[derive(Clone, Copy, Debug, Error)]
#[error("a fault closes the connection within the response")]
struct Dropped;

/// Closes the connection after this number of bytes of the body, once `wait` is over.
fn cut<W>(response: Response, bytes: u64, wait: impl Fn() -> W + Send + 'static) -> Response
where
    W: Future<Output = ()> + Send + 'static,
{
    let mut left = usize::try_from(bytes).unwrap_or(usize::MAX);
    let cut = move |chunk: Result<Bytes, axum::Error>| match chunk {
        Ok(chunk) if chunk.len() > left => vec![Ok(chunk.slice(..left)), Err(axum::Error::new(Dropped))],
        Ok(chunk) => {
            left -= chunk.len();
            vec![Ok(chunk)]
        }
        Err(error) => vec![Err(error)],
    };
    response.map(|body| {
        let chunks = body.into_data_stream().map(cut).flat_map(stream::iter);
        Body::from_stream(chunks.then(move |chunk| {
            let wait = chunk.is_err().then(&wait);
            async move {
                if let Some(wait) = wait {
                    wait.await;
                }
                chunk
            }
        }))
    })
}

/// Changes one bit of the body.
fn corrupt(response: Response) -> Response {
    let mut is_changed = false;
    let change = move |chunk: Bytes| {
        let mut chunk = chunk.to_vec();
        if let Some(last) = chunk.last_mut().filter(|_| !is_changed) {
            *last ^= 1;
            is_changed = true;
        }
        chunk
    };
    response.map(|body| {
        let mut change = change;
        Body::from_stream(body.into_data_stream().map(move |chunk| chunk.map(&mut change)))
    })
}

/// Stores a file of the business and returns its ID.
pub(super) async fn upload(
    simulator: &Simulator,
    request: GraphRequest,
    number: RegisteredNumber,
) -> Result<Response, GraphError> {
    if request.method != Method::POST {
        return Err(request.unsupported());
    }
    request.parameters.require_messaging_product()?;
    let file = request.file.ok_or_else(|| GraphError::missing("file"))?;
    let mime_type = file.content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
    if let Some(sentence) = upload_error(&mime_type, file.content.size()) {
        return Err(GraphError::parameter(&sentence));
    }
    let phone_number_id = number.number.phone_number_id;
    let new = NewMedia { phone_number_id, mime_type, file_name: file.name, source: Source::Business };
    let media = simulator.media.store(file.content, new, unix_now()).await.map_err(|error| {
        simulator.problem(format!("file not stored: {error}"));
        GraphError::new(131_000, None)
    })?;
    Ok(Json(json!({"id": media.id})).into_response())
}

/// Returns or deletes a file. With `phone_number_id`, only a file of this number.
pub(super) fn handle(simulator: &Simulator, request: &GraphRequest, media: &Media) -> Result<Response, GraphError> {
    if let Some(phone_number_id) = request.parameters.string("phone_number_id")?
        && phone_number_id != media.phone_number_id
    {
        return Err(GraphError::parameter("Param phone_number_id is not a valid whatsapp business phone number id ID"));
    }
    let body = match request.method {
        Method::GET => json!({
            "messaging_product": "whatsapp",
            "url": simulator.download_url(media),
            "mime_type": media.mime_type,
            "sha256": media.sha256_hex(),
            "file_size": media.size,
            "id": media.id,
        }),
        Method::DELETE => {
            simulator.media.delete(media).map_err(|error| {
                simulator.problem(format!("file not deleted: {error}"));
                GraphError::new(131_000, None)
            })?;
            json!({"success": true})
        }
        _ => return Err(request.unsupported()),
    };
    Ok(Json(body).into_response())
}

/// Downloads a file. A missing or unknown token has status 401, and an invalid or expired URL 404 (Meta, *Media Download
/// API*).
pub(super) async fn download(simulator: &Simulator, app: &App, request: GraphRequest) -> Result<Response, GraphError> {
    let parameter = |name| request.parameters.string(name).map(Option::unwrap_or_default);
    let (id, ext, hash) = (parameter("mid")?, parameter("ext")?, parameter("hash")?);
    let media = simulator.find_media(&id).filter(|media| {
        request.method == Method::GET
            && simulator.can_access_media(app, media)
            && media.is_download_url(&ext, &hash, unix_now())
    });
    let missing = || GraphError::unsupported("get", &id).with_status(Some(404));
    let media = media.ok_or_else(missing)?;
    media::content(&simulator.media, &media).await.map_err(|error| {
        simulator.problem(format!("file not read: {error}"));
        missing()
    })
}
