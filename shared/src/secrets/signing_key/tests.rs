use super::*;
use crate::aws::{
    Service,
    tests::{Canned, Connection, client},
};

/// The base64 of 32 bytes of value 7.
const STORED: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
const FOUND: Canned =
    Some((200, "", r#"{"Parameter":{"Value":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=","Version":1}}"#));
const NOT_FOUND: Canned = Some((400, "", r#"{"__type":"ParameterNotFound"}"#));
const CREATED: Canned = Some((200, "", r#"{"Tier":"Standard","Version":1}"#));
const EXISTS: Canned = Some((400, "", r#"{"__type":"ParameterAlreadyExists","message":"exists"}"#));
const CONCURRENT: Canned = Some((400, "", r#"{"__type":"TooManyUpdates","Message":""}"#));
const DENIED: Canned = Some((400, "", r#"{"__type":"AccessDeniedException","Message":"not authorized"}"#));

fn reader(responses: &[Canned]) -> (SigningKeyReader, Connection) {
    let (client, connection) = client(Service::Ssm, responses);
    (SigningKeyReader::new(client, "/qasid/test/webhook-signing-key".to_owned(), System::real()), connection)
}

/// Returns the operation and the body of each request.
fn requests(connection: &Connection) -> Vec<(String, serde_json::Value)> {
    let requests = connection.requests.lock().unwrap();
    let request = |request: &aws_smithy_runtime_api::client::orchestrator::HttpRequest| {
        let target = request.headers().get("x-amz-target").unwrap().to_owned();
        (target, serde_json::from_slice(request.body().bytes().unwrap()).unwrap())
    };
    requests.iter().map(request).collect()
}

#[tokio::test]
async fn stored_key_is_read_once() {
    let (reader, connection) = reader(&[FOUND]);
    reader.warm_up().await;
    let clone = reader.clone();
    let (first, second) = tokio::join!(reader.get(), clone.get());
    assert_eq!([first, second].map(|key| key.unwrap().to_base64()), [STORED; 2]);
    let read = json!({"Name": "/qasid/test/webhook-signing-key", "WithDecryption": true});
    assert_eq!(requests(&connection), [("AmazonSSM.GetParameter".to_owned(), read)]);
}

#[tokio::test]
async fn missing_key_is_created_without_overwriting() {
    let (reader, connection) = reader(&[NOT_FOUND, CREATED]);
    let key = reader.get().await.unwrap().to_base64();
    let requests = requests(&connection);
    assert_eq!((requests.len(), requests[1].0.as_str()), (2, "AmazonSSM.PutParameter"));
    let created = &requests[1].1;
    assert_eq!(created["Value"], json!(key));
    assert_eq!(created["Name"], "/qasid/test/webhook-signing-key");
    assert_eq!((&created["Type"], &created["Overwrite"]), (&json!("SecureString"), &json!(false)));
    let (other, _) = self::reader(&[NOT_FOUND, CREATED]);
    assert_ne!(other.get().await.unwrap().to_base64(), key);
}

#[tokio::test]
async fn process_that_lost_the_race_to_create_uses_the_other_key() {
    for responses in [
        &[NOT_FOUND, EXISTS, FOUND][..],
        &[NOT_FOUND, CONCURRENT, FOUND],
        &[NOT_FOUND, CONCURRENT, NOT_FOUND, EXISTS, FOUND],
    ] {
        let (reader, connection) = reader(responses);
        assert_eq!(reader.get().await.unwrap().to_base64(), STORED);
        assert_eq!(requests(&connection).len(), responses.len());
    }
}

#[tokio::test]
async fn failure_is_not_kept() {
    let (reader, _) = reader(&[DENIED, NOT_FOUND, DENIED, FOUND]);
    assert!(matches!(reader.get().await, Err(SigningKeyError::Read(_))));
    let error = reader.get().await.unwrap_err();
    assert!(matches!(error, SigningKeyError::Create(_)) && telemetry::chain(&error).contains("AccessDeniedException"));
    assert_eq!(reader.get().await.unwrap().to_base64(), STORED);
}

#[tokio::test]
async fn value_that_is_not_a_key_is_an_error_that_does_not_show_it() {
    let (reader, _) = reader(&[Some((200, "", r#"{"Parameter":{"Value":"hunter2"}}"#))]);
    let error = reader.get().await.unwrap_err();
    assert!(matches!(error, SigningKeyError::Format(_)));
    assert!(!format!("{error:?} {}", telemetry::chain(&error)).contains("hunter2"));
}

#[tokio::test]
async fn debug_output_hides_the_key() {
    let (reader, _) = reader(&[FOUND]);
    reader.get().await.unwrap();
    assert!(!format!("{reader:?}").contains(STORED) && !format!("{reader:?}").contains("7, 7"));
}
