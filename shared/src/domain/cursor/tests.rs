use proptest::prelude::*;

use super::*;

fn position() -> impl Strategy<Value = Position> {
    (0i64..253_402_300_799_000, any::<u128>()).prop_map(|(milliseconds, id)| Position {
        at: Timestamp::from_milliseconds(milliseconds).unwrap(),
        id: Uuid::from_u128(id),
    })
}

fn message_position() -> impl Strategy<Value = MessagePosition> {
    (position(), position(), any::<u32>()).prop_map(|(at, arrived, index)| MessagePosition {
        second: at.at.whole_second(),
        arrived_at: arrived.at,
        index,
        id: at.id,
    })
}

proptest! {
    #[test]
    fn message_cursor_round_trips_in_its_list_only(
        position in message_position(),
        other in position(),
        list in any::<String>(),
    ) {
        let cursor = position.cursor(&list);
        prop_assert_eq!(MessagePosition::from_cursor(&cursor, &list), Ok(position));
        prop_assert!(MessagePosition::from_cursor(&cursor, "another").is_err());
        prop_assert!(MessagePosition::from_cursor(&other.cursor(&list), &list).is_err());
        prop_assert!(Position::from_cursor(&cursor, &list).is_err());
    }

    #[test]
    fn modified_message_cursor_is_rejected(position in message_position(), at in any::<prop::sample::Index>()) {
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(position.cursor("list")).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1;
        let cursor = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        prop_assert_eq!(MessagePosition::from_cursor(&cursor, "list"), Err(InvalidCursor));
    }

    #[test]
    fn cursor_round_trips_in_its_list_only(
        position in position(),
        list in any::<String>(),
        other in any::<String>(),
    ) {
        let cursor = position.cursor(&list);
        prop_assert_eq!(Position::from_cursor(&cursor, &list), Ok(position));
        prop_assert_eq!(Position::from_cursor(&cursor, &other).is_ok(), list == other);
    }

    #[test]
    fn external_cursor_round_trips_in_its_list_only(text in "[A-Za-z0-9+/=é]{0,200}", list in any::<String>()) {
        let position = ExternalPosition(text);
        let cursor = position.cursor(&list);
        prop_assert_eq!(ExternalPosition::from_cursor(&cursor, &list), Ok(position));
        prop_assert!(ExternalPosition::from_cursor(&cursor, "another").is_err());
        prop_assert!(Position::from_cursor(&cursor, &list).is_err());
    }

    #[test]
    fn modified_cursor_is_rejected(position in position(), at in 0usize..33, bit in 0u32..8) {
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(position.cursor("list")).unwrap();
        bytes[at] ^= 1 << bit;
        prop_assert_eq!(Position::from_cursor(&BASE64_URL_SAFE_NO_PAD.encode(bytes), "list"), Err(InvalidCursor));
    }

    #[test]
    fn arbitrary_cursors_are_rejected(text in any::<String>(), bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(Position::from_cursor(&text, "list").is_err());
        prop_assert!(Position::from_cursor(&BASE64_URL_SAFE_NO_PAD.encode(bytes), "list").is_err());
    }

    #[test]
    fn text_form_round_trips_and_keeps_sort_order(a in position(), b in position()) {
        prop_assert_eq!(a.to_string().cmp(&b.to_string()), a.cmp(&b));
        prop_assert_eq!(Position::parse(&a.to_string()), Some(a));
    }
}
