//! The template's S3 buckets, with their objects in files. The signatures of requests are verified, and the policies of
//! the functions apply. Lifecycle rules don't.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, header::ORIGIN},
    response::{IntoResponse, Response},
};
use s3s::{
    S3Request, S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    dto::{CopyObjectInput, CopySource},
    path::S3Path,
    s3_error,
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::{
    gateway::cors::CorsRules,
    iam::{Access, Roles},
    lambda::SECRET_ACCESS_KEY,
    output::{Kind, Output},
    template::{Bucket, Function},
};

/// The folder of the objects in the data folder.
const FOLDER: &str = "s3";

/// The objects of a run.
#[derive(Debug)]
pub struct Objects {
    files: FileSystem,
    buckets: BTreeMap<String, Bucket>,
    /// Deletes the objects at the end of a run without a data folder.
    _temporary: Option<TempDir>,
}

/// The folder of the objects can't be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the folder {}", path.display())]
pub struct FolderError {
    path: PathBuf,
    source: std::io::Error,
}

impl Objects {
    /// Opens the objects in the data folder, or in a temporary folder without one.
    ///
    /// # Errors
    /// If the folder can't be created or read.
    pub fn open(data: Option<&Path>, buckets: &BTreeMap<String, Bucket>) -> Result<Objects, FolderError> {
        let failed = |path: &Path, source| FolderError { path: path.to_owned(), source };
        let temporary = match data {
            Some(_) => None,
            None => Some(TempDir::new().map_err(|source| failed(&std::env::temp_dir(), source))?),
        };
        let root = match (&temporary, data) {
            (Some(folder), _) => folder.path().to_owned(),
            (None, data) => data.unwrap_or(Path::new(".")).join(FOLDER),
        };
        for name in buckets.keys() {
            std::fs::create_dir_all(root.join(name)).map_err(|source| failed(&root, source))?;
        }
        let files =
            FileSystem::new(&root).map_err(|error| failed(&root, std::io::Error::other(format!("{error:?}"))))?;
        Ok(Objects { files, buckets: buckets.clone(), _temporary: temporary })
    }
}

/// Returns the secret key of every access key.
struct Secrets;

#[async_trait::async_trait]
impl S3Auth for Secrets {
    async fn get_secret_key(&self, _: &str) -> S3Result<SecretKey> {
        Ok(SecretKey::from(SECRET_ACCESS_KEY))
    }
}

/// Grants the access that the functions' policies allow.
struct Policies {
    roles: Roles,
    output: Output,
}

impl Policies {
    fn check(&self, access_key: &str, action: &str, resource: String) -> S3Result<()> {
        let access = Access { action: action.to_owned(), resource, leading_keys: Vec::new() };
        self.roles.check(access_key, [access]).map_err(|denied| {
            self.output.line(Kind::Problem, format!("missing permission in the template: {denied}"));
            s3_error!(AccessDenied, "{denied}")
        })
    }
}

#[async_trait::async_trait]
impl S3Access for Policies {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let Some(credentials) = context.credentials() else {
            return Err(s3_error!(AccessDenied, "The request is not signed."));
        };
        // Service Authorization Reference, *Actions, resources, and condition keys for Amazon S3*.
        let (action, resource) = match (context.s3_op().name(), context.s3_path()) {
            ("ListObjectsV2", S3Path::Bucket { bucket }) => ("s3:ListBucket", bucket_arn(bucket)),
            ("GetObject" | "HeadObject", S3Path::Object { bucket, key }) => ("s3:GetObject", object_arn(bucket, key)),
            ("PutObject" | "CopyObject", S3Path::Object { bucket, key }) => ("s3:PutObject", object_arn(bucket, key)),
            ("DeleteObject", S3Path::Object { bucket, key }) => ("s3:DeleteObject", object_arn(bucket, key)),
            _ => return Err(s3_error!(NotImplemented, "The local run does not support this operation.")),
        };
        Policies::check(self, &credentials.access_key, action, resource)
    }

    async fn copy_object(&self, request: &mut S3Request<CopyObjectInput>) -> S3Result<()> {
        let (Some(credentials), CopySource::Bucket { bucket, key, .. }) =
            (&request.credentials, &request.input.copy_source)
        else {
            return Err(s3_error!(NotImplemented, "The local run does not support this source."));
        };
        Policies::check(self, &credentials.access_key, "s3:GetObject", object_arn(bucket, key))
    }
}

fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

fn object_arn(bucket: &str, key: &str) -> String {
    format!("{}/{key}", bucket_arn(bucket))
}

/// Serves the buckets, each at its name as the first segment of the path, until `shutdown`.
///
/// # Errors
/// Returns an error if the listener is unusable.
pub async fn serve(
    listener: std::net::TcpListener,
    objects: Objects,
    functions: &[Function],
    output: Output,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let Objects { files, buckets, _temporary } = objects;
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(Secrets);
    service.set_access(Policies { roles: Roles::new(functions), output });
    let roles = Roles::new(functions);
    let cors = buckets.into_iter().filter_map(|(name, bucket)| Some((name, CorsRules::new(bucket.cors?))));
    let api = Api { service: service.build(), roles, cors: cors.collect() };
    let app = Router::new().fallback(handle).with_state(Arc::new(api));
    axum::serve(listener, app).with_graceful_shutdown(shutdown.cancelled_owned()).await
}

struct Api {
    service: S3Service,
    roles: Roles,
    cors: BTreeMap<String, CorsRules>,
}

impl Api {
    /// Returns whether the signer of a request may not know which objects exist: without the permission to list them, a
    /// missing one is a forbidden one (Amazon S3 API Reference, *GetObject*, permissions).
    fn hides_missing_objects(&self, query: &str, bucket: &str) -> bool {
        let credential = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "X-Amz-Credential");
        let credential = credential.map(|(_, value)| value.into_owned()).unwrap_or_default();
        let access_key = credential.split('/').next().unwrap_or_default();
        let list =
            Access { action: "s3:ListBucket".to_owned(), resource: bucket_arn(bucket), leading_keys: Vec::new() };
        self.roles.check(access_key, [list]).is_err()
    }
}

/// Responds to preflights, and adds the CORS headers of the bucket to other responses.
async fn handle(State(api): State<Arc<Api>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bucket = parts.uri.path().split('/').nth(1).unwrap_or_default();
    let cors = api.cors.get(bucket).zip(parts.headers.get(ORIGIN).cloned());
    let preflight = cors.as_ref().and_then(|(cors, _)| cors.preflight(&parts));
    let is_hidden = api.hides_missing_objects(parts.uri.query().unwrap_or_default(), bucket);
    let request = Request::from_parts(parts, body);
    let mut response = match preflight {
        Some(response) => response,
        None => match api.service.call(request.map(s3s::Body::http_body_unsync)).await {
            Ok(response) if response.status() == StatusCode::NOT_FOUND && is_hidden => {
                (StatusCode::FORBIDDEN, "<Error><Code>AccessDenied</Code></Error>").into_response()
            }
            Ok(response) => response.map(Body::new),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        },
    };
    if let Some((cors, origin)) = cors {
        cors.apply(response.headers_mut(), &origin);
    }
    response
}
