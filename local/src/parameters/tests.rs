use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use shared::{
    aws::{Service, ServiceClient},
    domain::system::System,
    secrets::signing_key::SigningKeyReader,
};

use super::*;
use crate::template::Statement;

const NAME: &str = "/qasid/qasid/webhook-signing-key";

fn get(store: &ParameterStore, request: &Value) -> Value {
    store.handle(Some("AmazonSSM.GetParameter"), request.to_string().as_bytes()).1
}

fn put(store: &ParameterStore, request: &Value) -> Value {
    store.handle(Some("AmazonSSM.PutParameter"), request.to_string().as_bytes()).1
}

fn new_store() -> ParameterStore {
    ParameterStore::open(None).unwrap()
}

#[test]
fn a_secure_string_is_readable_only_with_decryption() {
    let store = new_store();
    let created = put(&store, &json!({"Name": NAME, "Value": "hunter2", "Type": "SecureString", "Tier": "Standard"}));
    assert_eq!(created, json!({"Version": 1, "Tier": "Standard"}));
    let read = |with_decryption: bool| {
        get(&store, &json!({"Name": NAME, "WithDecryption": with_decryption}))["Parameter"].clone()
    };
    let decrypted = read(true);
    assert_eq!((&decrypted["Value"], &decrypted["Type"]), (&json!("hunter2"), &json!("SecureString")));
    assert_eq!(decrypted["ARN"], "arn:aws:ssm:us-east-1:000000000000:parameter/qasid/qasid/webhook-signing-key");
    for encrypted in [read(false), get(&store, &json!({"Name": NAME}))["Parameter"].clone()] {
        assert!(encrypted["Value"].is_string() && encrypted["Value"] != "hunter2");
    }
    put(&store, &json!({"Name": "plain", "Value": "text", "Type": "String"}));
    assert_eq!(get(&store, &json!({"Name": "plain"}))["Parameter"]["Value"], "text");
}

#[test]
fn a_parameter_is_replaced_only_with_overwrite() {
    let store = new_store();
    put(&store, &json!({"Name": NAME, "Value": "1", "Type": "SecureString"}));
    for request in [
        json!({"Name": NAME, "Value": "2", "Type": "SecureString"}),
        json!({"Name": NAME, "Value": "2", "Type": "SecureString", "Overwrite": false}),
    ] {
        assert_eq!(put(&store, &request)["__type"], "ParameterAlreadyExists");
    }
    let value = |store: &ParameterStore| {
        get(store, &json!({"Name": NAME, "WithDecryption": true}))["Parameter"]["Value"].clone()
    };
    assert_eq!(value(&store), "1");
    assert_eq!(put(&store, &json!({"Name": NAME, "Value": "2", "Overwrite": true}))["Version"], 2);
    assert_eq!(value(&store), "2");
}

#[test]
fn invalid_requests_are_rejected() {
    let store = new_store();
    let deep = format!("/{}", ["a"; 16].join("/"));
    for (operation, request, kind) in [
        ("GetParameter", json!({"Name": NAME}), "ParameterNotFound"),
        ("GetParameter", json!({}), "SerializationException"),
        ("GetParameter", json!(7), "SerializationException"),
        ("PutParameter", json!({"Name": NAME, "Value": "1"}), "ValidationException"),
        ("PutParameter", json!({"Name": NAME, "Value": "", "Type": "String"}), "ValidationException"),
        ("PutParameter", json!({"Name": NAME, "Value": "a".repeat(4097), "Type": "String"}), "ValidationException"),
        ("PutParameter", json!({"Name": NAME, "Value": "1", "Type": "Other"}), "SerializationException"),
        (
            "PutParameter",
            json!({"Name": NAME, "Value": "1", "Type": "String", "Tier": "Advanced"}),
            "ValidationException",
        ),
        ("PutParameter", json!({"Name": NAME, "Value": "1", "Type": "SecureString", "KeyId": "x"}), "InvalidKeyId"),
        ("PutParameter", json!({"Name": "/", "Value": "1", "Type": "String"}), "ValidationException"),
        ("PutParameter", json!({"Name": "/AWS/a", "Value": "1", "Type": "String"}), "ValidationException"),
        ("PutParameter", json!({"Name": "ssm-a", "Value": "1", "Type": "String"}), "ValidationException"),
        ("PutParameter", json!({"Name": "a/b", "Value": "1", "Type": "String"}), "ValidationException"),
        ("PutParameter", json!({"Name": "/a b", "Value": "1", "Type": "String"}), "ValidationException"),
        ("PutParameter", json!({"Name": deep, "Value": "1", "Type": "String"}), "ValidationException"),
        ("DeleteParameter", json!({"Name": NAME}), "UnknownOperationException"),
    ] {
        let target = format!("AmazonSSM.{operation}");
        let (status, response) = store.handle(Some(&target), request.to_string().as_bytes());
        let expected = (StatusCode::BAD_REQUEST, &json!(kind));
        assert_eq!((status, &response["__type"]), expected, "{operation} {request}");
    }
}

#[test]
fn parameters_are_stored_in_the_data_folder_readable_only_by_their_owner() {
    let folder = tempfile::tempdir().unwrap();
    put(
        &ParameterStore::open(Some(folder.path())).unwrap(),
        &json!({"Name": NAME, "Value": "1", "Type": "SecureString"}),
    );
    let again = ParameterStore::open(Some(folder.path())).unwrap();
    assert_eq!(get(&again, &json!({"Name": NAME, "WithDecryption": true}))["Parameter"]["Value"], "1");
    let file = folder.path().join("parameters.json");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    std::fs::write(&file, "[]").unwrap();
    let error = ParameterStore::open(Some(folder.path())).err().unwrap();
    assert!(error.to_string().contains("parameters.json"), "{error}");
}

#[tokio::test]
async fn a_function_needs_the_permission_for_its_operation_and_parameter() {
    let statement = Statement {
        actions: vec!["ssm:GetParameter".to_owned()],
        resources: vec!["arn:aws:ssm:us-east-1:000000000000:parameter/qasid/qasid/webhook-signing-key".to_owned()],
        leading_keys: None,
    };
    let roles = Roles::of([("notify".to_owned(), ("NotifyRole".to_owned(), vec![statement]))]);
    let api = Arc::new(Api { parameters: new_store(), roles, output: Output::captured() });
    let call = async |access_key: &str, operation: &str, name: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", format!("AmazonSSM.{operation}").parse().unwrap());
        let credential = format!("AWS4-HMAC-SHA256 Credential={access_key}/20260101/us-east-1/ssm/aws4_request");
        headers.insert("authorization", credential.parse().unwrap());
        let request = json!({"Name": name, "Value": "1", "Type": "String"});
        let response = handle(State(Arc::clone(&api)), headers, Bytes::from(request.to_string())).await;
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        serde_json::from_slice::<Value>(&body).unwrap()["__type"].clone()
    };
    assert_eq!(call("test", "PutParameter", NAME).await, Value::Null);
    assert_eq!(call("notify.1", "GetParameter", NAME).await, Value::Null);
    for (operation, name) in [("PutParameter", NAME), ("GetParameter", "/qasid/other")] {
        assert_eq!(call("notify.1", operation, name).await, "AccessDeniedException", "{operation} {name}");
    }
    let lines = api.output.lines();
    assert!(lines.len() == 2 && lines[0].contains("ssm:PutParameter on resource: arn:aws:ssm:"), "{lines:?}");
}

#[tokio::test]
async fn processes_that_start_at_once_share_the_signing_key() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    let task_shutdown = shutdown.clone();
    let serving =
        tokio::spawn(async move { serve(listener, new_store(), &[], Output::captured(), task_shutdown).await });
    let credentials = Credentials::new("local", "local", None, None, "test");
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .build();
    let reader = || {
        let client = ServiceClient::new(&sdk, Service::Ssm).unwrap();
        SigningKeyReader::new(client, NAME.to_owned(), System::real())
    };
    let processes: [_; 8] = std::array::from_fn(|_| reader());
    let keys = futures_util::future::join_all(processes.iter().map(SigningKeyReader::get)).await;
    let first = keys[0].as_ref().unwrap();
    assert!(keys.iter().all(|key| key.as_ref().unwrap() == first));
    let later = reader();
    assert_eq!(later.get().await.unwrap(), *first);
    shutdown.cancel();
    serving.await.unwrap().unwrap();
}
