//! JSON as Meta writes it: members in a fixed order, received values byte for byte, and characters outside ASCII and
//! slashes escaped in strings.

use std::fmt::Write;

use serde_json::value::RawValue;

/// JSON text.
#[derive(Clone, Debug)]
pub(super) struct Json(String);

impl Json {
    /// Returns a received value as it is. `None` if it isn't JSON.
    pub(super) fn received(text: &str) -> Option<Self> {
        serde_json::from_str::<&RawValue>(text).ok().map(|raw| Self(raw.get().to_owned()))
    }

    /// Returns a string.
    pub(super) fn string(text: &str) -> Self {
        let mut json = String::with_capacity(text.len() + 2);
        json.push('"');
        for character in text.chars() {
            match character {
                '"' | '\\' | '/' => json.extend(['\\', character]),
                '\n' => json.push_str("\\n"),
                '\r' => json.push_str("\\r"),
                '\t' => json.push_str("\\t"),
                ' '..='~' => json.push(character),
                _ => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        // Writing to a string can't fail.
                        let _ = write!(json, "\\u{unit:04x}");
                    }
                }
            }
        }
        json.push('"');
        Self(json)
    }

    /// Returns a number.
    pub(super) fn number(number: i64) -> Self {
        Self(number.to_string())
    }

    /// Returns an array.
    pub(super) fn array(items: impl IntoIterator<Item = Self>) -> Self {
        let items: Vec<String> = items.into_iter().map(|item| item.0).collect();
        Self(format!("[{}]", items.join(",")))
    }

    /// Returns an object, without the members that are `None`.
    pub(super) fn object<'a>(members: impl IntoIterator<Item = (&'a str, Option<Self>)>) -> Self {
        let member = |(name, value): (&str, Option<Self>)| Some(format!("{}:{}", Self::string(name).0, value?.0));
        let members: Vec<String> = members.into_iter().filter_map(member).collect();
        Self(format!("{{{}}}", members.join(",")))
    }

    /// Returns the text.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_have_metas_escapes() {
        let text = "a/b \"q\" \\ \n\u{1} é 👍\u{7f}";
        let json = Json::string(text).into_text();
        assert_eq!(json, r#""a\/b \"q\" \\ \n\u0001 \u00e9 \ud83d\udc4d\u007f""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
