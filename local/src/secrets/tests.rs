use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

use super::*;

const ARN: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:qasid-WhatsApp-AAAAAA";

fn stored(id: &str) -> StoredSecret {
    StoredSecret { id: id.to_owned(), current: Mutex::new(Version { id: Uuid::nil(), value: "{}".to_owned() }) }
}

fn request_value(stored: StoredSecret, request: Value) -> (StatusCode, Value) {
    get_secret_value(&[stored], request.to_string().as_bytes())
}

#[test]
fn a_secret_is_found_by_name_and_by_arn() {
    for id in [ARN, "qasid-WhatsApp"] {
        for requested in [ARN, "qasid-WhatsApp", ARN.strip_suffix("-AAAAAA").unwrap()] {
            let (status, response) = request_value(stored(id), json!({"SecretId": requested}));
            assert_eq!(status, StatusCode::OK, "{id} {requested}");
            assert_eq!((&response["ARN"], &response["Name"]), (&json!(ARN), &json!("qasid-WhatsApp")));
            assert_eq!(response["VersionStages"], json!(["AWSCURRENT"]));
        }
    }
}

#[test]
fn invalid_requests_are_rejected() {
    for (request, kind) in [
        (json!({"SecretId": "other"}), "ResourceNotFoundException"),
        (json!({"SecretId": ""}), "ResourceNotFoundException"),
        (json!({"SecretId": ARN, "VersionStage": "AWSPREVIOUS"}), "ResourceNotFoundException"),
        (json!({"SecretId": ARN, "VersionId": "7"}), "ResourceNotFoundException"),
        (json!({}), "InvalidParameterException"),
        (json!({"SecretId": 7}), "SerializationException"),
        (json!("text"), "SerializationException"),
    ] {
        let (status, response) = request_value(stored(ARN), request.clone());
        assert_eq!((status, &response["__type"]), (StatusCode::BAD_REQUEST, &json!(kind)), "{request}");
    }
}

#[tokio::test]
async fn get_returns_the_value_of_the_last_put() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let secret = WhatsAppSecret::random();
    let shutdown = CancellationToken::new();
    let serving = {
        let secrets = BTreeMap::from([(ARN.to_owned(), json!(secret))]);
        tokio::spawn(serve(listener, secrets, Kms::new(Vec::new(), None).unwrap(), shutdown.clone()))
    };
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let call = async |target: &str, body: Value| {
        let request = Request::post(&url).header("x-amz-target", target).body(Body::from(body.to_string())).unwrap();
        let response =
            to_bytes(Body::new(client.request(request).await.unwrap().into_body()), usize::MAX).await.unwrap();
        serde_json::from_slice::<Value>(&response).unwrap()
    };
    let first = call("secretsmanager.GetSecretValue", json!({"SecretId": ARN})).await;
    let string = first["SecretString"].as_str().unwrap();
    assert!(serde_json::from_str::<WhatsAppSecret>(string).unwrap() == secret);
    for wrong in [json!({"SecretId": ARN}), json!({"SecretId": "other", "SecretString": "{}"}), json!(7)] {
        assert!(call("secretsmanager.PutSecretValue", wrong).await["__type"].is_string());
    }
    call("secretsmanager.PutSecretValue", json!({"SecretId": ARN, "SecretString": "{\"a\":1}"})).await;
    let second = call("secretsmanager.GetSecretValue", json!({"SecretId": ARN})).await;
    assert_eq!(second["SecretString"], "{\"a\":1}");
    assert_ne!(second["VersionId"], first["VersionId"]);
    let other = call("secretsmanager.DeleteSecret", json!({"SecretId": ARN})).await;
    assert_eq!(other, json!({"__type": "UnknownOperationException"}));
    shutdown.cancel();
    serving.await.unwrap().unwrap();
}

#[test]
fn the_secret_is_stored_readable_only_by_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let first = WhatsAppSecret::load_or_create(folder.path()).unwrap();
    assert!(first == WhatsAppSecret::load_or_create(folder.path()).unwrap());
    assert!(first != WhatsAppSecret::random());
    let file = folder.path().join("secrets.json");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    std::fs::write(&file, "{}").unwrap();
    let error = WhatsAppSecret::load_or_create(folder.path()).err().unwrap();
    assert!(error.to_string().contains("secrets.json"), "{error}");
}
