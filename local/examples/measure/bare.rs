//! What a user would write instead of `session-status`: a `lambda_http` handler with the same `GetItem`, without
//! authentication, validation, and Qasid's responses. For the section `compare`.

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::{Client, types::AttributeValue::S};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use lambda_http::{Body, Error, Request, RequestExt, Response, service_fn};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::disallowed_methods, reason = "a handler without Qasid's configuration")]
async fn main() -> Result<(), Error> {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let sdk = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
    let client = Client::new(&sdk);
    let table = std::env::var("TABLE_NAME")?;
    lambda_http::run(service_fn(|request| respond(&client, &table, request))).await
}

async fn respond(client: &Client, table: &str, request: Request) -> Result<Response<Body>, Error> {
    let query = request.query_string_parameters();
    let id = query.first("sessionId").unwrap_or_default();
    let request =
        client.get_item().table_name(table).key("pk", S(format!("SESSION#{id}"))).key("sk", S("SESSION".into()));
    let item = request.send().await?.item;
    let response = Response::builder().header("content-type", "application/json");
    let Some(item) = item else { return Ok(response.status(404).body(Body::Empty)?) };
    let id = item.get("id").and_then(|id| id.as_s().ok());
    let is_ready = item.get("is_ready").and_then(|is_ready| is_ready.as_bool().ok());
    Ok(response.body(json!({"id": id, "isReady": is_ready}).to_string().into())?)
}
