use super::*;
use crate::whatsapp::templates::Templates;

fn template(body: &str, format: ParameterFormat) -> Template {
    let mut template = Templates::new("1").all()[0].clone();
    template.components = vec![json!({"type": "BODY", "text": body})];
    template.parameter_format = format;
    template
}

#[test]
fn parameters_must_have_the_format_of_the_template() {
    let (named, positional) = (ParameterFormat::Named, ParameterFormat::Positional);
    for (body, format) in [
        ("No parameters here.", positional),
        ("Order {{1}} of {{2}} is ready.", positional),
        ("Order {{order_1}} is ready.", named),
    ] {
        assert_eq!(review(&template(body, format), &[]), Ok(()), "{body}");
    }
    for (body, format, word) in [
        ("Order {{1} is ready.", positional, "braces"),
        ("Order {{1}}{{2}} is ready.", positional, "next to each other"),
        ("Order {{2}} is ready.", positional, "sequential"),
        ("Order {{1}} of {{3}} is ready.", positional, "sequential"),
        ("Order {{order}} is ready.", positional, "sequential"),
        ("Order {{Order}} is ready.", named, "names"),
        ("Order {{#}} is ready.", named, "names"),
        ("Order {{1}} is ready.", named, "names"),
    ] {
        let rejection = review(&template(body, format), &[]).unwrap_err();
        assert_eq!(rejection.reason, "INVALID_FORMAT", "{body}");
        assert!(rejection.info().unwrap()["reason"].as_str().unwrap().contains(word), "{body}: {rejection:?}");
    }
}

#[test]
fn a_duplicate_is_rejected() {
    let original = template("Your order is ready.", ParameterFormat::Positional);
    assert!(review(&original, &[&original]).is_err());
    let mut other = original.clone();
    other.language = "ar".to_owned();
    assert_eq!(review(&other, &[&original]), Ok(()));
    let mut code = original.clone();
    code.category = Category::Authentication;
    assert_eq!(review(&code, &[&original]), Ok(()));
}

#[test]
fn a_reason_must_be_documented() {
    assert_eq!(Rejection::with_reason("SCAM").unwrap().reason, "SCAM");
    assert!(Rejection::with_reason("UGLY").unwrap_err().contains("ABUSIVE_CONTENT"));
}
