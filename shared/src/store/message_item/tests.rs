use super::*;
use crate::{
    domain::{
        id::{ChatId, MessageId, SessionId},
        identity::Identity,
        inbound::{Inbound, InboundBatch},
        message::{Attempt, Channel, MessageStatus, MessageType, Priority},
        profile::{Profile, Writer},
        time::Timestamp,
    },
    store::inbound::inbound_item,
};

const NUMBER: &str = "106540352242922";
const REQUEST_ID: &str = "M7CMgGR1uRqBew0=";
const WAMID: &str = "wamid.HBgMMjAxMDAxMjM0NTY3FQIAEhgUM0E4NTlFQzBFMzY4NTZCRkM3MTkA";
const ENGLISH: &str = "Hello, is my order 12345 on its way? I have been waiting since Monday, and the driver could not \
    say when it arrives. Please check whether the second item is still in your warehouse, because it was missing from \
    the last delivery. If it is easier for you, I can pick both up at the store near the station. My address has not \
    changed since the previous order, only the phone number is new: please call me on it before you send the driver. I \
    will be at home tomorrow between nine and twelve, and on Friday after five in the evening. Thanks a lot!";
const ARABIC: &str = "السلام عليكم، أريد أن أسأل عن طلبي، هل تم شحنه أم لا يزال في المستودع؟ لقد انتظرت منذ يوم الاثنين ولم \
    يصلني أي إشعار من شركة التوصيل حتى الآن. أرجو التأكد من العنوان ورقم الهاتف لأنني غيرت رقمي الأسبوع الماضي. كما أود \
    أن أعرف إن كان بإمكاني استلام الطلب من الفرع القريب من منزلي، فهذا أسهل بالنسبة لي ولعائلتي. وإذا كان هناك تأخير \
    فأرجو إعلامي بالموعد الجديد في أقرب وقت ممكن. المنتج الثاني كان ناقصا في المرة السابقة، فهل يمكنكم إرساله مع هذا \
    الطلب دون رسوم إضافية؟ أيضا أريد معرفة أوقات الدوام في العطلة القادمة لأنني سأسافر مع أسرتي لمدة أسبوعين ولن أكون \
    موجودا في المدينة، لذلك أفضل أن يتم التسليم قبل نهاية الشهر الحالي إن أمكن ذلك، أو تأجيله إلى بداية الشهر القادم بعد \
    عودتي. وقد لاحظت أن الفاتورة الأخيرة تحتوي على مبلغ مختلف عن المبلغ الذي دفعته عند الشراء، فأرجو مراجعة الحساب وإرسال \
    نسخة مصححة على بريدي الإلكتروني. مع خالص التحية والتقدير لكم جميعا، وأنتظر ردكم الكريم بفارغ الصبر، وشكرا جزيلا على \
    حسن تعاونكم وخدمتكم الممتازة دائما، وأتمنى لكم يوما سعيدا ومليئا بالنجاح والتوفيق في عملكم.";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn session() -> SessionId {
    SessionId::for_owner("ada")
}

fn chat() -> ChatId {
    ChatId::for_identity(session(), &Identity::Phone("201001234567".to_owned()))
}

fn start(text: &str, characters: usize) -> String {
    let start: String = text.chars().take(characters).collect();
    assert_eq!(start.chars().count(), characters);
    start
}

/// Returns the message as WhatsApp sends it: with every character outside ASCII escaped.
fn received(text: &str) -> Item {
    let escaped = |text: &str| {
        let units = text.encode_utf16().map(|unit| match u8::try_from(unit) {
            Ok(ascii @ 0..0x80) => char::from(ascii).to_string(),
            _ => format!("\\u{unit:04x}"),
        });
        units.collect::<String>()
    };
    let raw = format!(
        r#"{{"from":"201001234567","from_user_id":"EG.13491208655302741918","id":"{WAMID}","timestamp":"1779194044","#,
    ) + &format!(r#""text":{{"body":"{}"}},"type":"text"}}"#, escaped(text));
    let contact = r#"{"profile":{"name":"Nadia Haddad"},"user_id":"EG.13491208655302741918","wa_id":"201001234567"}"#;
    let user_id = Some("EG.13491208655302741918".to_owned());
    let inbound = Inbound {
        wamid: WAMID.to_owned(),
        has_wamid: true,
        timestamp: at("2026-05-19T12:34:04.000Z"),
        is_redated: false,
        kind: MessageType::Text,
        body: Some(text.to_owned()),
        content: None,
        raw,
        index: 0,
        from_me: false,
        writer: Some(Writer { user_id, username: None, contact: Some(contact.to_owned()) }),
        status: MessageStatus::Received,
        action: None,
        call: None,
        ours: None,
        opens_window: true,
        has_referral: false,
    };
    let batch = InboundBatch {
        session_id: session(),
        phone_number_id: NUMBER.to_owned(),
        addresses: Vec::new(),
        profile: Profile::default(),
        source: None,
        may_be_copy: false,
        received_at: None,
        is_import: false,
        request_id: Some(REQUEST_ID.to_owned()),
        messages: Vec::new(),
    };
    inbound_item(&batch, chat(), &inbound, &inbound.raw, at("2026-05-19T12:34:05.123Z")).unwrap()
}

fn pending(text: &str) -> Message {
    let previous = "MESSAGE#2026-05-19T12:33:05.123Z#019e4041-9a03-7c53-8f6e-71a51dc0a51d";
    Message {
        id: MessageId::from_uuid("019e4041-9a03-7c53-8f6e-71a51dc0a51e".parse().unwrap()),
        chat_id: chat(),
        session_id: session(),
        phone_number_id: NUMBER.to_owned(),
        kind: MessageType::Text,
        body: Some(text.to_owned()),
        from_me: true,
        writer: None,
        status: MessageStatus::Pending,
        wamid: None,
        error: None,
        to: Some("201001234567".to_owned()),
        timestamp: at("2026-05-19T12:34:05.123Z"),
        received_at: None,
        receive_index: 0,
        request_id: Some(REQUEST_ID.to_owned()),
        raw: None,
        content: Some(serde_json::json!({"type": "text", "text": {"body": text}}).to_string()),
        media: None,
        valid_until: None,
        reference: None,
        message_status: None,
        category: None,
        priority: Priority::default(),
        channel: Channel::default(),
        source: None,
        previous: Some(previous.to_owned()),
        attempts: Vec::new(),
    }
}

#[test]
fn message_is_read_as_it_was_written() {
    let all = Message {
        channel: Channel::Worker,
        writer: Some(Writer { username: Some("ada".to_owned()), ..Writer::default() }),
        raw: Some("not JSON".to_owned()),
        wamid: Some(WAMID.to_owned()),
        reference: "r".parse().ok(),
        ..pending(ENGLISH)
    };
    let none = Message { body: None, content: None, ..pending("") };
    for message in [pending("Hi"), all, none] {
        let item = write(&message).unwrap();
        assert!(!item.contains_key("body") && !item.contains_key("chat_id"), "{item:?}");
        assert_eq!(read::<Message>(item).unwrap(), message);
    }
}

#[test]
fn accepted_attempt_and_status_details_are_read_as_responses_show_them() {
    let [pricing, conversation] = [
        r#"{"billable":false,"pricing_model":"PMP","category":"service","type":"free_customer_service"}"#,
        r#"{"id":"8eb644d2350611f3746e7f0985bddfc1","expiration_timestamp":"1673031000","origin":{"type":"service"}}"#,
    ];
    let failed = Attempt {
        at: at("2026-05-19T12:34:06.000Z"),
        outcome: AttemptOutcome::NotSent,
        code: None,
        fbtrace_id: None,
        error: Some("no connection".to_owned()),
    };
    let message = Message { attempts: vec![failed.clone()], ..pending("Hi") };
    let mut item = write(&message).unwrap();
    item.insert("accepted_at".to_owned(), string("2026-05-19T12:34:07.000Z"));
    for (name, text) in [("pricing", pricing), ("conversation", conversation)] {
        let stored = compressed(text).unwrap().unwrap();
        assert!(stored.as_b().unwrap().as_ref().len() < text.len() * 2 / 3, "{name}: {stored:?}");
        item.insert(name.to_owned(), stored);
    }
    let (message, metadata) = crate::store::lookup::read_message(item).unwrap();
    assert_eq!((metadata.pricing.as_deref(), metadata.conversation.as_deref()), (Some(pricing), Some(conversation)));
    let accepted = Attempt {
        at: at("2026-05-19T12:34:07.000Z"),
        outcome: AttemptOutcome::Accepted,
        error: None,
        ..failed.clone()
    };
    assert_eq!(message.attempts, [failed, accepted]);
}

/// DynamoDB bills a write by the started kilobyte, and delivering a message adds about 300 bytes to its item.
#[test]
fn items_have_at_most_these_sizes() {
    let limits = [
        (ENGLISH, 15, 600, 470),
        (ENGLISH, 160, 700, 570),
        (ENGLISH, 500, 890, 750),
        (ARABIC, 150, 740, 600),
        (ARABIC, 300, 860, 710),
        (ARABIC, 1000, 1370, 1210),
    ];
    for (text, characters, inbound, outbound) in limits {
        let text = start(text, characters);
        let sizes = (item::size(&received(&text)), item::size(&write(&pending(&text)).unwrap()));
        assert!(sizes.0 <= inbound && sizes.1 <= outbound, "{characters} characters: {sizes:?}");
    }
}
