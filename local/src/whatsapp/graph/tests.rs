use super::*;

#[test]
fn a_version_is_two_numbers() {
    assert_eq!(Version::parse("v26.0"), Some(Version(26, 0)));
    assert!(Version::parse("v9.0") < Version::parse("v26.0"));
    for text in ["26.0", "v26", "v26.", "v.0", "v+26.0", "v26.0.1", "v99999.0", ""] {
        assert_eq!(Version::parse(text), None, "{text}");
    }
}
