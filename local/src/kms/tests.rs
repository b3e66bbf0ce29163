use super::*;

const ID: &str = "arn:aws:kms:us-east-1:000000000000:key/qasid-NumbersKey";

fn call(kms: &Kms, operation: &str, request: &Value) -> Value {
    kms.handle(operation, request.to_string().as_bytes()).1
}

fn data_key(kms: &Kms) -> Value {
    let context = json!({"a": "1", "b": "2"});
    call(kms, "GenerateDataKey", &json!({"KeyId": ID, "KeySpec": "AES_256", "EncryptionContext": context}))
}

#[test]
fn a_data_key_decrypts_only_with_its_context() {
    let kms = Kms::new(vec![ID.to_owned(), "other".to_owned()], None).unwrap();
    let key = data_key(&kms);
    assert_ne!(key["Plaintext"], data_key(&kms)["Plaintext"]);
    let decrypt = |kms: &Kms, id: Option<&str>, context: Value| {
        let request = json!({"KeyId": id, "CiphertextBlob": key["CiphertextBlob"], "EncryptionContext": context});
        call(kms, "Decrypt", &request)
    };
    let right = json!({"b": "2", "a": "1"});
    for id in [None, Some(ID)] {
        assert_eq!(decrypt(&kms, id, right.clone())["Plaintext"], key["Plaintext"]);
    }
    for context in [json!({}), json!({"a": "1"}), json!({"a": "1", "b": "3"})] {
        assert_eq!(decrypt(&kms, None, context)["__type"], "InvalidCiphertextException");
    }
    assert_eq!(decrypt(&kms, Some("other"), right.clone())["__type"], "IncorrectKeyException");
    let another_run = Kms::new(vec![ID.to_owned()], None).unwrap();
    assert_eq!(decrypt(&another_run, None, right)["__type"], "InvalidCiphertextException");
}

#[test]
fn invalid_requests_are_rejected() {
    let kms = Kms::new(vec![ID.to_owned()], None).unwrap();
    for (operation, request, kind) in [
        ("GenerateDataKey", json!({"KeyId": "other", "KeySpec": "AES_256"}), "NotFoundException"),
        ("GenerateDataKey", json!({"KeyId": ID, "KeySpec": "AES_128"}), "ValidationException"),
        ("Decrypt", json!({}), "InvalidCiphertextException"),
        ("Decrypt", json!({"CiphertextBlob": "AAo="}), "InvalidCiphertextException"),
        ("Decrypt", json!(7), "SerializationException"),
        ("Encrypt", json!({}), "UnknownOperationException"),
    ] {
        assert_eq!(call(&kms, operation, &request)["__type"], kind, "{operation} {request}");
    }
}

#[test]
fn the_key_is_stored_in_the_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let key = data_key(&Kms::new(vec![ID.to_owned()], Some(folder.path())).unwrap());
    let again = Kms::new(vec![ID.to_owned()], Some(folder.path())).unwrap();
    let request = json!({"CiphertextBlob": key["CiphertextBlob"], "EncryptionContext": {"a": "1", "b": "2"}});
    assert_eq!(call(&again, "Decrypt", &request)["Plaintext"], key["Plaintext"]);
    std::fs::write(folder.path().join("kms.key"), "short").unwrap();
    assert!(matches!(Kms::new(Vec::new(), Some(folder.path())), Err(KeyError::NoKey)));
}
