use super::*;

#[test]
fn a_version_is_two_numbers() {
    assert_eq!(GraphVersion::parse("v26.0"), Some(GraphVersion(26, 0)));
    assert!(GraphVersion::parse("v9.0") < GraphVersion::parse("v26.0"));
    for text in ["26.0", "v26", "v26.", "v.0", "v+26.0", "v26.0.1", "v99999.0", ""] {
        assert_eq!(GraphVersion::parse(text), None, "{text}");
    }
}
