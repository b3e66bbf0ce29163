//! Graph API requests, with everything that the Graph API is lenient about: paths without a version or with a trailing
//! slash, the access token in a header, the query, or the body, and parameters in the query, a form, or a JSON body.

use axum::{
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, FromRequest, Multipart, Request, multipart::Field},
    http::{HeaderMap, Method, Uri, header, request::Parts},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::{GraphVersion, uploads};
use crate::whatsapp::{graph_error::GraphError, json, media::Writer, parameters::Parameters, simulator::Simulator};

/// Maximum size of a body that isn't a file.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// A request to the Graph API.
#[derive(Debug)]
pub(in crate::whatsapp) struct GraphRequest {
    pub(in crate::whatsapp) method: Method,
    /// The path without the version, in segments.
    pub(in crate::whatsapp) path: Vec<String>,
    pub(in crate::whatsapp) parameters: Parameters,
    pub(in crate::whatsapp) file: Option<UploadedFile>,
    /// The size of the body of a resumable upload.
    pub(in crate::whatsapp) uploaded: u64,
    /// The access token, if the request has one.
    pub(in crate::whatsapp) token: Option<String>,
}

/// A file of a multipart form.
#[derive(Debug)]
pub(in crate::whatsapp) struct UploadedFile {
    pub(in crate::whatsapp) name: Option<String>,
    pub(in crate::whatsapp) content_type: Option<String>,
    /// The content, which is on disk.
    pub(in crate::whatsapp) content: Writer,
}

impl GraphRequest {
    /// Reads a request. Reads the whole body before it checks anything, so that the client can reuse the connection.
    pub(super) async fn read(request: Request, simulator: &Simulator) -> Result<GraphRequest, GraphError> {
        let (parts, body) = request.into_parts();
        let path = path(&parts.uri, simulator.latest_version);
        let (mut file, mut uploaded) = (None, 0);
        let content = if path.as_deref().is_some_and(is_upload) {
            uploaded = size(body).await?;
            let offset = parts.headers.get("file_offset").and_then(|value| value.to_str().ok());
            offset.map(|offset| ("file_offset".to_owned(), Value::from(offset))).into_iter().collect()
        } else if content_type(&parts.headers) == "multipart/form-data" {
            let fields;
            (fields, file) = multipart(&parts, body, simulator).await?;
            fields
        } else {
            content(&parts, &bytes(body).await?)?
        };
        let path = path.ok_or_else(|| GraphError::unknown_path(parts.uri.path()))?;
        let mut parameters = form(parts.uri.query().unwrap_or_default().as_bytes());
        parameters.extend(content);
        let mut token = parameters.remove("access_token").and_then(|token| token.as_str().map(str::to_owned));
        if let Some(authorization) = parts.headers.get(header::AUTHORIZATION).filter(|_| token.is_none()) {
            let value = authorization.to_str().unwrap_or_default();
            let bearer = value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("OAuth ")).unwrap_or_default();
            token = Some(bearer.trim().to_owned());
        }
        Ok(GraphRequest { method: parts.method, path, parameters: Parameters(parameters), file, uploaded, token })
    }

    /// Returns the error for an object that doesn't support the request.
    pub(in crate::whatsapp) fn unsupported(&self) -> GraphError {
        GraphError::unsupported(self.method.as_str(), self.path.first().map_or("", String::as_str))
    }
}

/// Returns whether the path is that of a resumable upload, whose body is a file whatever its content type.
fn is_upload(path: &[String]) -> bool {
    path.first().is_some_and(|id| id.starts_with(uploads::PREFIX))
}

/// Reads a body and returns its size.
async fn size(mut body: Body) -> Result<u64, GraphError> {
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| unreadable())?;
        size += frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
    }
    Ok(size)
}

fn unreadable() -> GraphError {
    GraphError::new(100, Some("The request body could not be read".to_owned()))
}

/// Returns the segments after the version; `None` for a version that isn't supported or a path that isn't UTF-8.
fn path(uri: &Uri, latest: GraphVersion) -> Option<Vec<String>> {
    let decode = |segment: &str| percent_decode_str(segment).decode_utf8().ok().map(|text| text.into_owned());
    let segments = uri.path().split('/').filter(|segment| !segment.is_empty());
    let mut segments: Vec<String> = segments.map(decode).collect::<Option<_>>()?;
    let is_version = |segment: &String| {
        let mut characters = segment.chars();
        characters.next() == Some('v') && characters.next().is_some_and(|c| c.is_ascii_digit())
    };
    if segments.first().is_some_and(is_version) {
        GraphVersion::parse(&segments.remove(0)).filter(|version| *version <= latest)?;
    }
    Some(segments)
}

async fn bytes(body: Body) -> Result<Bytes, GraphError> {
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(GraphError::too_large()),
        Err(_) => Err(unreadable()),
    }
}

/// Parses the body by its content type. Ignores bodies of other types, as the Graph API does.
fn content(parts: &Parts, body: &[u8]) -> Result<Map<String, Value>, GraphError> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    match content_type(&parts.headers).as_str() {
        "application/json" => match json::parse(body) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(GraphError::new(100, Some("The request body is not a JSON object".to_owned()))),
            Err(error) => Err(GraphError::new(100, Some(format!("The request body is not valid JSON: {error}")))),
        },
        "application/x-www-form-urlencoded" => Ok(form(body)),
        _ => Ok(Map::new()),
    }
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn form(text: &[u8]) -> Map<String, Value> {
    form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect()
}

/// Reads a form. Writes the file to disk as it arrives.
async fn multipart(
    parts: &Parts,
    body: Body,
    simulator: &Simulator,
) -> Result<(Map<String, Value>, Option<UploadedFile>), GraphError> {
    let mut request = Request::new(body);
    *request.headers_mut() = parts.headers.clone();
    // Fields have their own limit, and a larger file than WhatsApp supports is read and not stored.
    DefaultBodyLimit::disable().apply(&mut request);
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| invalid_form())?;
    let (mut fields, mut file, mut size) = (Map::new(), None, 0);
    while let Some(field) = form.next_field().await.map_err(|_| invalid_form())? {
        let field_name = field.name().unwrap_or_default().to_owned();
        let (name, content_type) = (field.file_name().map(str::to_owned), field.content_type().map(str::to_owned));
        if field_name == "file" || name.is_some() {
            file = Some(UploadedFile { name, content_type, content: store(field, simulator).await? });
        } else {
            size += field_name.len();
            fields.insert(field_name, Value::String(text(field, &mut size).await?));
        }
    }
    Ok((fields, file))
}

async fn store(mut field: Field<'_>, simulator: &Simulator) -> Result<Writer, GraphError> {
    let failed = |error| {
        simulator.problem(format!("file not stored: {error}"));
        GraphError::new(131_000, None)
    };
    let mut writer = simulator.media.writer().map_err(failed)?;
    while let Some(bytes) = field.chunk().await.map_err(|_| invalid_form())? {
        writer.write(&bytes).await.map_err(failed)?;
    }
    Ok(writer)
}

/// Reads a field, and adds its size to that of all fields.
async fn text(mut field: Field<'_>, size: &mut usize) -> Result<String, GraphError> {
    let mut text = Vec::new();
    while let Some(bytes) = field.chunk().await.map_err(|_| invalid_form())? {
        *size += bytes.len();
        if *size > MAX_BODY_BYTES {
            return Err(GraphError::too_large());
        }
        text.extend_from_slice(&bytes);
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn invalid_form() -> GraphError {
    GraphError::new(100, Some("The request body is not a valid multipart form".to_owned()))
}
