use serde_json::json;

use super::*;
use crate::whatsapp::users::Users;

fn user(digits: &str) -> User {
    Users::default().get(&Address::Phone(digits.to_owned()))
}

#[test]
fn users_are_blocked_once_and_unblocked() {
    let mut list = BlockList::default();
    assert!(list.add(&user("201001234567")));
    assert!(list.add(&user("201001234567")));
    assert_eq!((list.users().len(), list.version), (1, 1));
    assert!(list.contains(&user("201001234567")));
    assert!(!list.contains(&user("201001234568")));
    // A user is the same under their user ID.
    let user_id = Address::UserId(user("201001234567").user_id);
    assert!(list.contains(&Users::default().get(&user_id)));

    list.remove(&user("201001234568"));
    assert_eq!((list.users().len(), list.version), (1, 1));
    list.remove(&user("201001234567"));
    assert_eq!((list.users().len(), list.version), (0, 2));
}

#[test]
fn a_full_list_accepts_no_user() {
    let users = (0..MAX_USERS).map(|n| BlockedUser { wa_id: None, user_id: format!("US.{n}") }).collect();
    let mut list = BlockList { version: 1, users };
    assert!(!list.add(&user("201001234567")));
    list.users.pop();
    assert!(list.add(&user("201001234567")));
}

#[test]
fn an_entry_names_the_user_as_the_request_did() {
    let phone = Address::Phone("201001234567".to_owned());
    assert_eq!(entry("+20 100 123 4567", &phone), json!({"input": "+20 100 123 4567", "wa_id": "201001234567"}));
    let user_id = Address::UserId("US.1".to_owned());
    assert_eq!(entry("US.1", &user_id), json!({"input": "US.1", "wa_id": "", "user_id": "US.1"}));
}
