use std::net::SocketAddr;

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{Request, StatusCode, request},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};

use super::{table::tests::table, *};

struct Harness {
    database: Database,
    meter: UsageMeter,
    client: Client<HttpConnector, Body>,
    url: String,
}

/// Starts a database with a minimal table and returns it with its address.
pub(crate) async fn start(storage: Storage, meter: UsageMeter) -> (Database, SocketAddr) {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let database = Database::start(listener, storage, &table(), &[], meter, Output::captured()).await.unwrap();
    (database, address)
}

async fn harness(storage: Storage) -> Harness {
    let meter = UsageMeter::default();
    let (database, address) = start(storage, meter.clone()).await;
    let url = format!("http://{address}/");
    Harness { database, meter, client: Client::builder(TokioExecutor::new()).build_http(), url }
}

impl Harness {
    fn request(&self, operation: &str) -> request::Builder {
        Request::post(&self.url)
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-date", "20260101T000000Z")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=webhook.1/20260101/us-east-1/dynamodb/aws4_request, \
                 SignedHeaders=host;x-amz-date;x-amz-target, Signature=00",
            )
    }

    async fn call(&self, operation: &str, body: Value) -> (StatusCode, Value) {
        let request = self.request(operation).body(Body::from(body.to_string())).unwrap();
        let response = self.client.request(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(Body::new(body), usize::MAX).await.unwrap();
        if let Some(checksum) = head.headers.get("x-amz-crc32") {
            assert_eq!(checksum.to_str().unwrap(), crc32(&body).to_string());
        }
        (head.status, serde_json::from_slice(&body).unwrap())
    }

    async fn put(&self, pk: &str) -> (StatusCode, Value) {
        self.call("PutItem", put(pk)).await
    }

    async fn exists(&self, pk: &str) -> bool {
        let get = json!({"TableName": "qasid", "Key": {"pk": {"S": pk}, "sk": {"S": "s"}}});
        self.call("GetItem", get).await.1["Item"].is_object()
    }
}

/// The CRC-32 of zlib and PNG.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & 0u32.wrapping_sub(crc & 1)))
    })
}

fn put(pk: &str) -> Value {
    json!({
        "TableName": "qasid",
        "Item": {"pk": {"S": pk}, "sk": {"S": "s"}, "due_key": {"S": "d"}},
        "ConditionExpression": "attribute_not_exists(pk)",
    })
}

#[tokio::test]
async fn requests_and_units_are_counted_by_access_key() {
    let h = harness(Storage::Memory).await;
    assert_eq!(h.put("a").await, (StatusCode::OK, json!({})));
    assert!(h.exists("a").await);
    let (status, error) = h.put("a").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(error["__type"].as_str().unwrap().ends_with("ConditionalCheckFailedException"), "{error}");

    let usage = h.meter.take("webhook.1");
    // The put costs one unit for the table and one for the index; the failed put costs one.
    assert_eq!(usage.to_string(), "3 requests, 0.5 read units, 3 write units");
    assert_eq!(usage.operations["PutItem"], 2);
}

#[tokio::test]
async fn a_replayed_transaction_counts_as_a_read() {
    let h = harness(Storage::Memory).await;
    let body = json!({
        "ClientRequestToken": "t",
        "TransactItems": [{"Put": {"TableName": "qasid", "Item": {"pk": {"S": "a"}, "sk": {"S": "s"}}}}],
    });
    h.call("TransactWriteItems", body.clone()).await;
    assert_eq!(h.meter.take("webhook.1").to_string(), "1 request, 0 read units, 2 write units");
    h.call("TransactWriteItems", body).await;
    assert_eq!(h.meter.take("webhook.1").to_string(), "1 request, 2 read units, 0 write units");
}

#[tokio::test]
async fn a_client_that_requests_capacity_receives_it() {
    let h = harness(Storage::Memory).await;
    let mut request = put("a");
    request["ReturnConsumedCapacity"] = json!("INDEXES");
    let (_, response) = h.call("PutItem", request).await;
    assert_eq!(response["ConsumedCapacity"]["CapacityUnits"], 2.0);
    assert!(response["ConsumedCapacity"]["GlobalSecondaryIndexes"].is_object());
}

#[tokio::test]
async fn other_requests_pass_through() {
    let h = harness(Storage::Memory).await;
    let health = h.client.get(h.url.parse().unwrap()).await.unwrap();
    assert_eq!(health.status(), StatusCode::OK);
    let (status, tables) = h.call("ListTables", json!({})).await;
    assert_eq!((status, tables), (StatusCode::OK, json!({"TableNames": ["qasid"]})));
    let (status, error) = h.call("NoSuchOperation", json!({})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(error["__type"], "com.amazon.coral.service#UnknownOperationException");
    for body in ["", "[", "[]", "\u{0}"] {
        let request = h.request("PutItem").body(Body::from(body)).unwrap();
        assert_eq!(h.client.request(request).await.unwrap().status(), StatusCode::BAD_REQUEST, "{body:?}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_rejected() {
    let h = harness(Storage::Memory).await;
    let mut body = vec![b' '; 16 * 1024 * 1024];
    body.push(b' ');
    let request = h.request("PutItem").body(Body::from(Bytes::from(body))).unwrap();
    assert_eq!(h.client.request(request).await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn faults_apply_the_request_only_after_the_commit() {
    let h = harness(Storage::Memory).await;
    let inject = |fault| {
        h.database.faults().inject(Injection {
            operation: "PutItem".into(),
            function: Some("webhook".into()),
            times: 1,
            fault,
        });
    };
    inject(Fault::Throttled);
    let (status, error) = h.put("throttled").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(error["__type"].as_str().unwrap().ends_with("#ThrottlingException"));
    assert!(!h.exists("throttled").await);

    inject(Fault::InternalServerErrorAfterCommit);
    assert_eq!(h.put("kept").await.0, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(h.exists("kept").await);

    inject(Fault::ConnectionLostAfterCommit);
    let request = h.request("PutItem").body(Body::from(put("lost").to_string())).unwrap();
    let lost = match h.client.request(request).await {
        Err(_) => true,
        Ok(response) => to_bytes(Body::new(response.into_body()), usize::MAX).await.is_err(),
    };
    assert!(lost);
    assert!(h.exists("lost").await);
    // All faults are used up.
    assert_eq!(h.put("fine").await.0, StatusCode::OK);
}

#[tokio::test]
async fn data_in_a_folder_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let storage = || Storage::Directory(folder.path().join("data"));
    let first = harness(storage()).await;
    first.put("a").await;
    first.database.stop().await;

    let second = harness(storage()).await;
    assert!(second.exists("a").await);
}

#[tokio::test]
async fn an_unusable_folder_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |storage| {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Database::start(listener, storage, &table(), &[], UsageMeter::default(), Output::captured()).await.err()
    };
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = start(Storage::Directory(file.join("data"))).await.unwrap();
    assert!(matches!(error, DatabaseError::Directory { .. }) && error.to_string().contains("file/data"), "{error}");

    std::fs::write(folder.path().join("qasid.db"), "this is no database, whatever its name says".repeat(100)).unwrap();
    let error = start(Storage::Directory(folder.path().to_owned())).await.unwrap();
    assert!(matches!(error, DatabaseError::Open { .. }) && error.to_string().contains("qasid.db"), "{error}");
}
