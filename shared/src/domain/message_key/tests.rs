use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::{id::SessionId, identity::Identity};

proptest! {
    #[test]
    fn message_keys_round_trip(owner in any::<String>(), seconds in 0i64..253_402_300_799, id in any::<u128>()) {
        let identity = Identity::Phone("1".to_owned());
        let key = MessageKey {
            chat_id: ChatId::for_identity(SessionId::for_owner(&owner), &identity),
            time: Timestamp::from_seconds(seconds).unwrap(),
            message_id: MessageId::from_uuid(Uuid::from_u128(id)),
        };
        prop_assert_eq!(key.to_string().parse::<MessageKey>(), Ok(key));
        prop_assert_eq!(MessageKey::from_sort_key(key.chat_id, &key.sort_key()), Some(key));
        // Meta limits `biz_opaque_callback_data` to 512 characters.
        prop_assert!(key.to_string().len() <= 512);
    }

    #[test]
    fn parsing_any_text_does_not_panic(text in any::<String>()) {
        let _ = text.parse::<MessageKey>();
    }
}
