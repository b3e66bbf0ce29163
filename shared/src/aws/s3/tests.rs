use aws_smithy_types::body::SdkBody;

use super::*;

const NOW: &str = "2013-05-24T00:00:00.000Z";

fn sign_url(method: &str, url: &str, headers: &[(&str, String)], token: Option<&str>) -> String {
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", secret, token.map(str::to_owned), None, "test");
    let day = Duration::from_secs(86_400);
    signed(method, url, headers, credentials, "us-east-1", NOW.parse().unwrap(), day).unwrap()
}

/// The example of Amazon S3 API Reference, *Authenticating Requests: Using Query Parameters*.
#[test]
fn signature_is_that_of_the_reference() {
    let url = sign_url("GET", "https://examplebucket.s3.amazonaws.com/test.txt", &[], None);
    let signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    assert!(url.ends_with(&format!("X-Amz-Signature={signature}")), "{url}");
}

#[test]
fn origin_is_that_of_the_urls() {
    let sdk = |region: &'static str| SdkConfig::builder().region(aws_config::Region::new(region));
    for (region, expected) in [
        ("eu-central-1", "https://files.s3.eu-central-1.amazonaws.com"),
        ("cn-north-1", "https://files.s3.cn-north-1.amazonaws.com.cn"),
    ] {
        let sdk = sdk(region).build();
        assert_eq!(origin(&sdk, "files").unwrap(), expected);
        assert_eq!(bucket_url(&sdk, "files").unwrap(), expected);
    }
    let sdk = sdk("us-east-1").endpoint_url("http://127.0.0.1:8793").build();
    assert_eq!(origin(&sdk, "files").unwrap(), "http://127.0.0.1:8793");
    assert_eq!(bucket_url(&sdk, "files").unwrap(), "http://127.0.0.1:8793/files");
    assert!(origin(&SdkConfig::builder().build(), "files").is_err());
}

#[test]
fn signature_covers_headers_and_overrides() {
    let url =
        "https://b.s3.eu-central-1.amazonaws.com/in/a?response-content-disposition=inline%3B%20filename%3D%22a%22";
    let size = |size: u64| [("content-length", size.to_string()), ("content-type", "image/png".to_owned())];
    let first = sign_url("PUT", url, &size(7), Some("token"));
    assert!(first.starts_with(&format!("{url}&")), "{first}");
    assert!(first.contains("X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost"), "{first}");
    assert!(first.contains("X-Amz-Security-Token=token"), "{first}");
    assert_ne!(first, sign_url("PUT", url, &size(8), Some("token")));
}

#[test]
fn lists_and_errors_are_read() {
    let list = br#"<?xml version="1.0" encoding="UTF-8"?>
        <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><KeyCount>2</KeyCount>
        <Contents><Key>in/a</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified><Size>1</Size></Contents>
        <Contents><Size>1</Size><Key>in/b&amp;c</Key></Contents>
        </ListBucketResult>"#;
    assert_eq!(parse_list(list).unwrap(), ["in/a", "in/b&c"]);
    assert_eq!(parse_list(b"<ListBucketResult/>").unwrap(), Vec::<String>::new());
    assert!(parse_list(b"<ListBucketResult>").is_err() || parse_list(b"{}").is_err());
    assert_eq!(error_code(b"<Error><Code>AccessDenied</Code></Error>").as_deref(), Some("AccessDenied"));
    assert_eq!((error_code(b"<CopyObjectResult/>"), error_code(b"{}"), error_code(b"")), (None, None, None));
}

/// Reads a stream of these parts as an upload of `size` bytes. Returns the hash if it was complete.
async fn hash(parts: &'static [&'static [u8]], size: u64) -> Option<String> {
    let parts = futures_util::stream::iter(parts.iter().map(|part| Ok::<_, BodyError>(Frame::data((*part).into()))));
    let progress = Arc::default();
    let content = SdkBody::from_body_1_x(http_body_util::StreamBody::new(parts));
    let hashed = Hashed { content, left: size, digest: Arc::clone(&progress) };
    let read = ByteStream::new(SdkBody::from_body_1_x(hashed)).collect().await;
    let Progress { digest, is_complete, is_broken } = std::mem::take(&mut *progress.lock().unwrap());
    assert_eq!(read.is_err(), is_broken);
    (is_complete && !is_broken).then(|| hex::encode(digest.finalize()))
}

#[tokio::test]
async fn content_is_hashed_and_must_have_the_expected_size() {
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hash(&[b"a", b"bc"], 3).await.as_deref(), Some(expected));
    assert_eq!(hash(&[b"abc", b""], 3).await.as_deref(), Some(expected));
    assert_eq!(hash(&[b"a", b"bc"], 2).await, None);
    assert_eq!(hash(&[b"a", b"bc"], 4).await, None);
    assert_eq!(hash(&[], 1).await, None);
}
