//! The types of files, by their content rather than by what the sender declares.

/// The number of bytes at the start of a file that tell its type.
pub const HEAD_BYTES: usize = 4096;

const BINARY: &str = "application/octet-stream";

/// How the bucket serves a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedAs {
    /// The `Content-Type`.
    pub content_type: String,
    /// Whether a browser may show it. Otherwise, it is downloaded.
    pub is_inline: bool,
}

impl ServedAs {
    /// Returns the `Content-Disposition`, with the name of a document (RFC 6266 and RFC 8187).
    pub fn disposition(&self, file_name: Option<&str>) -> String {
        let kind = if self.is_inline { "inline" } else { "attachment" };
        let Some(name) = file_name else { return kind.to_owned() };
        let name: String = name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
        format!("{kind}; filename*=UTF-8''{}", percent_encoding::utf8_percent_encode(&name, ATTRIBUTE))
    }
}

/// The maximum length of a file name, in characters.
const MAX_NAME: usize = 240;

/// The characters that a parameter's value can't contain (RFC 8187, `attr-char`).
const ATTRIBUTE: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Returns how to serve a file that begins with `head`.
///
/// The content decides. If it has no known signature, the declared type is used if a browser can't run it. Pages, SVG
/// images, scripts, and programs are downloads without a type: the bucket's origin must not run what a stranger sends.
pub fn served_as(head: &[u8], declared: Option<&str>) -> ServedAs {
    let declared = declared.map(|declared| declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let declared = declared.filter(|declared| is_type(declared));
    let found = infer::get(head);
    let sniffed = found.map(|found| found.mime_type().to_owned());
    let is_ambiguous = |sniffed: &str| matches!(sniffed, "application/zip" | "application/x-ole-storage");
    let content_type = match (sniffed, declared) {
        // Office documents are ZIP or OLE containers.
        (Some(sniffed), Some(declared)) if is_ambiguous(&sniffed) && is_document(&declared) => declared,
        // Containers of audio and of video have the same signature.
        (Some(sniffed), Some(declared)) if is_same_container(&sniffed, &declared) => declared,
        (Some(sniffed), _) => sniffed,
        (None, Some(declared)) => declared,
        (None, None) => BINARY.to_owned(),
    };
    if is_active(&content_type) || is_markup(head) {
        return ServedAs { content_type: BINARY.to_owned(), is_inline: false };
    }
    let is_inline = ["image/", "audio/", "video/"].iter().any(|kind| content_type.starts_with(kind))
        || content_type == "application/pdf";
    ServedAs { content_type, is_inline }
}

/// Returns whether this is a type in the form that headers allow.
fn is_type(text: &str) -> bool {
    let is_name = |name: &str| {
        (1..=127).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    text.split_once('/').is_some_and(|(kind, name)| is_name(kind) && is_name(name))
}

fn is_document(content_type: &str) -> bool {
    content_type.starts_with("application/vnd.") || content_type == "application/msword"
}

fn is_same_container(sniffed: &str, declared: &str) -> bool {
    let container = |content_type: &str| {
        let (_, name) = content_type.split_once('/')?;
        match name {
            "mp4" | "m4a" | "x-m4v" | "3gpp" | "quicktime" => Some("iso"),
            "ogg" | "opus" => Some("ogg"),
            "webm" => Some("webm"),
            _ => None,
        }
    };
    let is_media = declared.starts_with("audio/") || declared.starts_with("video/");
    is_media && container(sniffed).is_some() && container(sniffed) == container(declared)
}

/// Returns whether a browser or an operating system could run a file of this type.
fn is_active(content_type: &str) -> bool {
    const ACTIVE: [&str; 12] = [
        "html",
        "xml",
        "svg",
        "script",
        "wasm",
        "executable",
        "x-msdownload",
        "x-sh",
        "x-elf",
        "mach-binary",
        "java",
        "shockwave",
    ];
    ACTIVE.iter().any(|part| content_type.contains(part)) && !content_type.starts_with("application/vnd.openxmlformats")
}

/// Returns whether a file begins like a page or an image in SVG, whatever its type is.
fn is_markup(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    text.trim_ascii_start().first() == Some(&b'<')
}
