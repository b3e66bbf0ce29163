use super::*;

#[test]
fn a_username_has_the_form_that_meta_asks_for() {
    for accepted in ["abc", "My_Shop.1", "x".repeat(35).as_str(), "1a2", "comical", "w.ww"] {
        assert!(check(accepted).is_ok(), "{accepted}");
    }
    for refused in [
        "",
        "ab",
        "x".repeat(36).as_str(),
        "my shop",
        "café",
        "123",
        ".abc",
        "abc.",
        "a..b",
        "wwwabc",
        "WWW.abc",
        "shop.com",
        "shop.IN",
        "a-b",
    ] {
        assert_eq!(check(refused).unwrap_err().code, 100, "{refused}");
    }
}
