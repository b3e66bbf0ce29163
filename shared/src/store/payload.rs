//! The texts of a message, compressed: its body, content, and raw JSON, and what WhatsApp said about the writer.
//!
//! DynamoDB bills each KB of an item, on every write. An inbound message's body repeats a part of its raw JSON, an
//! outbound one's a part of its content, and the rest of both is mostly the names of the Cloud API. Compressed together,
//! with these names as dictionary, the repetitions take a few bytes.

mod escapes;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use miniz_oxide::{
    deflate::core::{CompressorOxide, TDEFLFlush, compress_to_output, create_comp_flags_from_zip_params},
    inflate::{
        TINFLStatus,
        core::{DecompressorOxide, decompress, inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF},
    },
};

use crate::domain::{message::Message, profile::Writer};

/// The first byte of a payload: parts compressed with [`DICTIONARY`].
const SENT: u8 = 1;

/// The first byte of a payload: parts compressed with the message's wamid and [`DICTIONARY`]. The raw JSON contains the
/// wamid.
const RECEIVED: u8 = 2;

/// The maximum size of an uncompressed payload. An item with more would have been refused: see
/// [`BODY_LIMIT`](crate::domain::message::BODY_LIMIT).
const LIMIT: usize = 512 * 1024;

/// Starts a part. UTF-8 doesn't have this byte.
const SEPARATOR: u8 = 0xff;

/// The byte after the separator, which names the part.
const WRITER: u8 = b'w';
const CONTACT: u8 = b'k';
const CONTENT: u8 = b'c';
const RAW: u8 = b'r';
/// Raw JSON whose characters outside ASCII were escaped, as Meta escapes them.
const ESCAPED_RAW: u8 = b'e';
const BODY: u8 = b'b';

/// Text to refer back to, the most frequent at the end. Stored payloads can't be read with another dictionary: to change
/// it, add a format.
const DICTIONARY_TEXT: &str = concat!(
    r#""errors":[{"code":131051,"title":"Message type unknown","message":"Message type unknown","#,
    r#""error_data":{"details":"Message type is currently not supported."}}],"type":"unsupported""#,
    r#""referral":{"source_url":"https:\/\/fb.me\/","source_id":"","source_type":"ad","headline":"","body":"","#,
    r#""media_type":"image","image_url":"https:\/\/scontent.xx.fbcdn.net\/","ctwa_clid":"","#,
    r#""welcome_message":{"text":""}}"#,
    r#""location":{"latitude":,"longitude":,"name":"","address":""},"type":"location""#,
    r#""contacts":[{"name":{"first_name":"","last_name":"","formatted_name":""},"#,
    r#""phones":[{"phone":"+","wa_id":"","type":"CELL"}]}],"type":"contacts""#,
    r#""conversation":{"id":"","expiration_timestamp":"","origin":{"type":"service"}}"#,
    r#""order":{"catalog_id":"","text":"","product_items":[{"product_retailer_id":"","quantity":1,"item_price":,"#,
    r#""currency":""}]},"type":"order""#,
    r#"{"type":"interactive","interactive":{"type":"list","header":{"type":"text","text":""},"body":{"text":""},"#,
    r#""footer":{"text":""},"action":{"button":"","sections":[{"title":"","rows":[{"id":"","title":"","#,
    r#""description":""}]}]}}}{"type":"button","action":{"buttons":[{"type":"reply","reply":{"id":"","title":""}}]}}"#,
    r#""interactive":{"type":"list_reply","list_reply":{"id":"","title":"","description":""}},"#,
    r#""interactive":{"type":"button_reply","button_reply":{"id":"","title":""}},"type":"interactive""#,
    r#""button":{"payload":"","text":""},"type":"button""#,
    r#"{"type":"template","template":{"name":"","language":{"code":"en_US"},"components":[{"type":"header","#,
    r#""parameters":[{"type":"image","image":{"link":"https://"}}]},{"type":"button","sub_type":"url","index":"0","#,
    r#""parameters":[{"type":"payload","payload":""}]},{"type":"body","parameters":[{"type":"text","text":""},"#,
    r#"{"type":"text","text":""}]}]}}"#,
    r#""sticker":{"mime_type":"image\/webp","sha256":"=","id":"","animated":false},"type":"sticker""#,
    r#""document":{"caption":"","filename":".pdf","mime_type":"application\/pdf","sha256":"=","id":""}"#,
    r#""video":{"caption":"","mime_type":"video\/mp4","sha256":"=","id":""},"type":"video""#,
    r#""audio":{"mime_type":"audio\/ogg; codecs=opus","sha256":"=","id":"","#,
    r#""url":"https:\/\/lookaside.fbsbx.com\/whatsapp_business\/attachments\/?mid=&ext=&hash=","voice":true}"#,
    r#""image":{"caption":"","mime_type":"image/jpeg","sha256":"=","id":"","link":"https://www."},"type":"image""#,
    r#""reaction":{"message_id":"wamid.HBgM","emoji":""},"type":"reaction""#,
    r#""context":{"forwarded":true,"frequently_forwarded":true,"from":"","id":"wamid.HBgM"},"#,
    " the and you for que de la en por para gracias hola thank you hello please ",
    " من في على إلى أن عن هذا ما هل لا كم ممكن الطلب السعر مع تم شكرا مرحبا السلام عليكم ورحمة الله وبركاته ",
    "\0b{\"billable\":true,\"pricing_model\":\"CBP\",\"category\":\"utility\",\"type\":\"regular\"}",
    "\0b{\"billable\":false,\"pricing_model\":\"PMP\",\"category\":\"service\",\"type\":\"free_customer_service\"}",
    "\0w{\"user_id\":\"US.\",\"username\":\"@\"}",
    "\0k{\"profile\":{\"name\":\"\",\"username\":\"\"},\"user_id\":\"US.\",\"wa_id\":\"\"}",
    "\0e{\"from\":\"\",\"from_user_id\":\"US.\",\"id\":\"wamid.HBgM\",\"text\":{\"body\":\"\"},\"timestamp\":\"\"",
    "\0r{\"from\":\"\",\"id\":\"wamid.HBgM\",\"timestamp\":\"17\",\"text\":{\"body\":\"\"},\"type\":\"text\"}\0b",
    "\0c{\"type\":\"text\",\"text\":{\"body\":\"\",\"preview_url\":true}}\0b",
    "\0c{\"text\":{\"body\":\"\"},\"type\":\"text\"}\0b",
);

/// [`DICTIONARY_TEXT`] with each NUL replaced by the separator.
const DICTIONARY: [u8; DICTIONARY_TEXT.len()] = {
    let mut bytes = [0; DICTIONARY_TEXT.len()];
    let mut index = 0;
    while index < bytes.len() {
        let byte = DICTIONARY_TEXT.as_bytes()[index];
        bytes[index] = if byte == 0 { SEPARATOR } else { byte };
        index += 1;
    }
    bytes
};

/// The texts of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Payload {
    pub(super) body: Option<String>,
    pub(super) content: Option<String>,
    pub(super) raw: Option<String>,
    pub(super) writer: Option<Writer>,
}

/// A stored payload that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("invalid payload of a message")]
pub(super) struct InvalidPayload;

impl Payload {
    /// Returns the texts of a message.
    pub(super) fn of(message: &Message) -> Self {
        let Message { body, content, raw, writer, .. } = message.clone();
        Self { body, content, raw, writer }
    }

    /// Compresses the texts of the message with this wamid. Returns `None` if there are none.
    pub(super) fn compress(&self, wamid: Option<&str>) -> Result<Option<AttributeValue>, serde_json::Error> {
        let parts = self.parts()?;
        if parts.is_empty() {
            return Ok(None);
        }
        let wamid = wamid.filter(|_| self.raw.is_some());
        let mut payload = vec![if wamid.is_some() { RECEIVED } else { SENT }];
        deflate(&dictionary(wamid), &parts, &mut payload);
        Ok(Some(AttributeValue::B(Blob::new(payload))))
    }

    /// Reads a compressed payload of the message with this wamid.
    pub(super) fn decompress(payload: &[u8], wamid: Option<&str>) -> Result<Self, InvalidPayload> {
        let dictionary = match payload.first() {
            Some(&SENT) => dictionary(None),
            Some(&RECEIVED) => dictionary(wamid),
            _ => return Err(InvalidPayload),
        };
        let parts = inflate(&dictionary, payload.get(1..).unwrap_or_default()).ok_or(InvalidPayload)?;
        let mut read = Self::default();
        for part in parts.split(|byte| *byte == SEPARATOR).skip(1) {
            let (name, text) = part.split_first().ok_or(InvalidPayload)?;
            let text = str::from_utf8(text).map_err(|_| InvalidPayload)?.to_owned();
            match *name {
                WRITER => read.writer = Some(serde_json::from_str(&text).map_err(|_| InvalidPayload)?),
                CONTACT => read.writer.get_or_insert_default().contact = Some(text),
                CONTENT => read.content = Some(text),
                RAW => read.raw = Some(text),
                ESCAPED_RAW => read.raw = Some(escapes::escaped(&text)),
                BODY => read.body = Some(text),
                _ => return Err(InvalidPayload),
            }
        }
        Ok(read)
    }

    fn parts(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut parts = Vec::new();
        let mut add = |name: u8, text: Option<&str>| {
            if let Some(text) = text {
                parts.extend([SEPARATOR, name]);
                parts.extend(text.as_bytes());
            }
        };
        let contact = self.writer.as_ref().and_then(|writer| writer.contact.as_deref());
        let names = self.writer.as_ref().map(|writer| Writer { contact: None, ..writer.clone() });
        // A part of the contact is enough to know that there is a writer.
        let names = names.filter(|names| contact.is_none() || *names != Writer::default());
        add(WRITER, names.as_ref().map(serde_json::to_string).transpose()?.as_deref());
        add(CONTACT, contact);
        add(CONTENT, self.content.as_deref());
        match self.raw.as_deref().map(|raw| (raw, escapes::unescaped(raw))) {
            Some((_, Some(unescaped))) => add(ESCAPED_RAW, Some(&unescaped)),
            Some((raw, None)) => add(RAW, Some(raw)),
            None => {}
        }
        add(BODY, self.body.as_deref());
        Ok(parts)
    }
}

fn dictionary(wamid: Option<&str>) -> Vec<u8> {
    [wamid.unwrap_or_default().as_bytes(), &DICTIONARY].concat()
}

/// Appends the compressed data.
fn deflate(dictionary: &[u8], data: &[u8], compressed: &mut Vec<u8>) {
    let mut compressor = CompressorOxide::new(create_comp_flags_from_zip_params(9, 0, 0));
    // `miniz_oxide` has no preset dictionaries. After a flush, data refers back to what was compressed before.
    compress_to_output(&mut compressor, dictionary, TDEFLFlush::Sync, |_| true);
    compress_to_output(&mut compressor, data, TDEFLFlush::Finish, |part| {
        compressed.extend_from_slice(part);
        true
    });
}

/// Returns the data; `None` if it is invalid or larger than [`LIMIT`].
fn inflate(dictionary: &[u8], compressed: &[u8]) -> Option<Vec<u8>> {
    let mut decompressor = DecompressorOxide::new();
    let mut buffer = dictionary.to_vec();
    let (mut read, mut written) = (0, dictionary.len());
    loop {
        buffer.resize((written * 2).min(dictionary.len() + LIMIT), 0);
        let rest = compressed.get(read..)?;
        let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (status, consumed, produced) = decompress(&mut decompressor, rest, &mut buffer, written, flags);
        read += consumed;
        written += produced;
        match status {
            TINFLStatus::Done => return Some(buffer.get(dictionary.len()..written)?.to_vec()),
            TINFLStatus::HasMoreOutput if written < dictionary.len() + LIMIT => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests;
