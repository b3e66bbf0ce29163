use aws_smithy_runtime_api::client::{http::HttpConnectorFuture, result::ConnectorError};

use super::*;

#[derive(Debug)]
struct Offline;

impl HttpConnector for Offline {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Err(ConnectorError::timeout("offline".into())))
    }
}

fn client(url: &str) -> MediaClient {
    MediaClient::new(SharedHttpConnector::new(Offline), url.to_owned())
}

#[test]
fn token_is_sent_to_meta_only() {
    let meta = client("https://graph.facebook.com/v26.0");
    for url in ["https://lookaside.fbsbx.com/a?mid=1", "https://mmg.whatsapp.net/a", "https://scontent.xx.fbcdn.net/a"]
    {
        assert!(meta.may_get_token(url), "{url}");
    }
    for url in [
        "http://lookaside.fbsbx.com/a",
        "https://lookaside.fbsbx.com.example.org/a",
        "https://evilfbsbx.com/a",
        "https://lookaside.fbsbx.com:8443/a",
        "https://fbsbx.com@example.org/a",
        "https://127.0.0.1/a",
        "file:///etc/passwd",
        "",
    ] {
        assert!(!meta.may_get_token(url), "{url}");
    }
    let local = client("http://127.0.0.1:8788/v26.0");
    assert!(local.may_get_token("http://127.0.0.1:8788/media?mid=1"));
    assert!(
        !local.may_get_token("http://127.0.0.1:8789/media") && !local.may_get_token("https://lookaside.fbsbx.com/a")
    );
}

#[tokio::test]
async fn form_has_its_announced_size() {
    let file = Download { content: SdkBody::from("content"), size: 7 };
    let (form, size) = Form::new(Uuid::nil(), "audio/ogg", file);
    let text = ByteStream::new(SdkBody::from_body_1_x(form)).collect().await.unwrap().to_vec();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.len() as u64, size);
    let boundary = Uuid::nil();
    assert!(
        text.ends_with(&format!(
            "filename=\"file.ogg\"\r\ncontent-type: audio/ogg; codecs=opus\r\n\r\ncontent\r\n--{boundary}--\r\n"
        )),
        "{text}"
    );
    assert_eq!(text.matches(&boundary.to_string()).count(), 4);
}

#[tokio::test]
async fn content_that_stops_is_an_error() {
    struct Stopped(Option<Data>);

    impl Body for Stopped {
        type Data = Data;
        type Error = BodyError;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Data>, BodyError>>> {
            self.0.take().map_or(Poll::Pending, |data| Poll::Ready(Some(Ok(Frame::data(data)))))
        }
    }

    let content = SdkBody::from_body_1_x(Stopped(Some("start".into())));
    let mut content = IdleTimeout { content, limit: Duration::from_millis(1), timer: None };
    let mut next = async || std::future::poll_fn(|context| Pin::new(&mut content).poll_frame(context)).await;
    assert_eq!(next().await.unwrap().unwrap().into_data().unwrap(), "start");
    assert!(next().await.unwrap().is_err());
}
