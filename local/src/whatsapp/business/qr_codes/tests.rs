use png::Decoder;
use serde_json::{Value, json};

use super::*;

fn parameters(value: Value) -> Parameters {
    serde_json::from_value(value).map(Parameters).unwrap()
}

#[test]
fn codes_are_created_changed_and_deleted() {
    let mut codes = QrCodes::default();
    let first = codes.create(&parameters(json!({"prefilled_message": "first"}))).unwrap();
    let second = codes.create(&parameters(json!({"prefilled_message": "second"}))).unwrap();
    assert_eq!(codes.all(), [second.clone(), first.clone()]);
    assert_eq!(first.code.len(), 14);
    assert_ne!(first.code, second.code);

    let changed = codes.update(&first.code, &parameters(json!({"prefilled_message": "changed"}))).unwrap().unwrap();
    assert_eq!(changed, QrCode { prefilled_message: "changed".to_owned(), ..first.clone() });
    assert_eq!(codes.get(&first.code), Some(&changed));
    assert_eq!(codes.update("OTHER", &parameters(json!({"prefilled_message": "x"}))).unwrap(), None);

    assert!(codes.remove(&first.code));
    assert!(!codes.remove(&first.code));
    assert_eq!(codes.all(), [second]);
}

#[test]
fn messages_and_lists_have_limits() {
    let mut codes = QrCodes::default();
    assert_eq!(codes.create(&Parameters::default()).unwrap_err().code, 100);
    assert_eq!(codes.create(&parameters(json!({"prefilled_message": "ä".repeat(141)}))).unwrap_err().code, 100);
    let longest = parameters(json!({"prefilled_message": "ä".repeat(140)}));
    for _ in 0..2000 {
        codes.create(&longest).unwrap();
    }
    assert_eq!(codes.create(&longest).unwrap_err().code, 100);
}

#[test]
fn an_image_is_a_field_with_a_format() {
    let qr = QrCode { code: "4O4YGZEG3RIVE1".to_owned(), prefilled_message: "Hi".to_owned() };
    let fields = |fields: Option<&str>| {
        let fields = fields.map(|fields| fields.split(',').map(str::to_owned).collect::<Vec<_>>());
        qr.fields(fields.as_deref(), |format| format!("image.{}", format.extension()))
    };
    let link = "https://wa.me/message/4O4YGZEG3RIVE1";
    let expected = json!({"code": "4O4YGZEG3RIVE1", "prefilled_message": "Hi", "deep_link_url": link});
    assert_eq!(fields(None).unwrap(), expected);
    let expected = json!({"code": "4O4YGZEG3RIVE1", "qr_image_url": "image.png"});
    assert_eq!(fields(Some("code,qr_image_url.format(PNG)")).unwrap(), expected);
    assert_eq!(fields(Some("qr_image_url")).unwrap(), json!({"qr_image_url": "image.svg"}));
    for unknown in ["qr_image_url.format(GIF)", "color"] {
        assert_eq!(fields(Some(unknown)).unwrap_err().code, 100);
    }
}

#[test]
fn images_contain_the_link() {
    let qr = QrCode { code: "4O4YGZEG3RIVE1".to_owned(), prefilled_message: "Hi".to_owned() };
    let (kind, svg) = qr.image(ImageFormat::Svg).unwrap();
    assert_eq!(kind, "image/svg+xml");
    assert!(String::from_utf8(svg).unwrap().contains("<svg"));

    let (kind, png) = qr.image(ImageFormat::Png).unwrap();
    assert_eq!(kind, "image/png");
    let mut reader = Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    let side = usize::try_from(reader.info().width).unwrap();
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| pixels[y * side + x]);
    let (_, content) = image.detect_grids()[0].decode().unwrap();
    assert_eq!(content, qr.link());
}
