use super::*;

fn inbound(bytes: usize) -> Inbound {
    let timestamp = Timestamp::from_seconds(0).unwrap();
    let raw = "x".repeat(bytes);
    Inbound {
        wamid: "w".to_owned(),
        has_wamid: true,
        timestamp,
        kind: MessageType::Text,
        body: None,
        raw,
        content: None,
        from_me: false,
        writer: None,
        status: crate::domain::message::MessageStatus::Received,
        action: None,
        ours: None,
        opens_window: true,
        has_referral: false,
        index: 0,
        is_redated: false,
        call: None,
    }
}

#[test]
fn chunks_stay_within_the_transaction_limits() {
    assert_eq!(chunk_length(&vec![inbound(300); 1_000]), MAX_ACTIONS);
    // The transaction writes only the first part of a long payload.
    assert_eq!(chunk_length(&vec![inbound(1_000_000); 100]), MAX_BYTES / (PART + 1024));
    let long = Inbound { body: Some("x".repeat(5_000_000)), ..inbound(0) };
    assert_eq!(chunk_length(&[long]), 1);
}
