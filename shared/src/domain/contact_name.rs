//! Names of contacts and groups: text that strangers choose and agents read.

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{BidiControl, DefaultIgnorableCodePoint, GeneralCategory},
};
use unicode_segmentation::UnicodeSegmentation;

/// The maximum length of a name, in characters.
pub const NAME_LIMIT: usize = 256;

/// Returns the name that `text` shows, or `None` if it shows nothing.
///
/// - Removes controls and everything that changes the direction of the text around the name (Unicode Standard Annex
///   #9, *Bidi_Control*). A control that breaks the line becomes a space.
/// - Removes spaces and fillers at both ends.
/// - Keeps joiners, variation selectors, and tags, which emoji, Persian, and Indic scripts need.
/// - Cuts a longer text after the last whole character, as a reader counts them, within [`NAME_LIMIT`].
///
/// A name that this function returns stays as it is when it is passed in again.
pub fn clean_name(text: &str) -> Option<String> {
    let mut name = String::with_capacity(text.len().min(4 * NAME_LIMIT));
    for c in text.trim_matches(is_blank).chars() {
        if is_line_break(c) {
            name.push(' ');
        } else if !is_removed(c) {
            name.push(c);
        }
    }
    // What was removed may have stood between the text and further blanks.
    let name = within_limit(name.trim_matches(is_blank)).trim_end_matches(is_blank);
    name.chars().any(is_visible).then(|| name.to_owned())
}

/// Returns the longest prefix of whole grapheme clusters within [`NAME_LIMIT`]; of a longer first cluster, its first
/// characters.
fn within_limit(name: &str) -> &str {
    let end_of = |limit: usize| name.char_indices().nth(limit).map_or(name.len(), |(end, _)| end);
    let end = end_of(NAME_LIMIT);
    if end == name.len() {
        return name;
    }
    let boundary = name.grapheme_indices(true).map(|(start, _)| start).take_while(|start| *start <= end).last();
    &name[..boundary.filter(|boundary| *boundary > 0).unwrap_or(end)]
}

/// Returns whether a character leaves marks on a screen by itself.
fn is_visible(c: char) -> bool {
    use GeneralCategory::{EnclosingMark, Format, NonspacingMark, SpacingMark};
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    !is_blank(c)
        && !c.is_control()
        && !CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        && !matches!(category, NonspacingMark | EnclosingMark | SpacingMark | Format)
}

/// Returns whether a character is a space, or shows as one or as nothing wherever it stands.
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '\u{ad}' // soft hyphen
                | '\u{180e}' // Mongolian vowel separator
                | '\u{200b}' // zero width space
                | '\u{2060}'
                ..='\u{2064}' // word joiner, invisible operators
                | '\u{2800}' // Braille pattern without dots
                | '\u{3164}' | '\u{ffa0}' // Hangul fillers
                | '\u{feff}' // byte order mark
                | '\u{fffc}' // object replacement
                | '\u{13441}' | '\u{13442}' // Egyptian hieroglyph blanks
                | '\u{1d159}' // musical symbol null notehead
        )
}

fn is_line_break(c: char) -> bool {
    matches!(c, '\t'..='\r' | '\u{1c}'..='\u{1f}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Returns whether a character has no place in a name: controls, direction controls, and annotation marks.
fn is_removed(c: char) -> bool {
    c.is_control()
        || CodePointSetData::new::<BidiControl>().contains(c)
        || matches!(c, '\u{206a}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text_of(characters: Vec<char>) -> String {
        characters.into_iter().collect()
    }

    #[test]
    fn name_that_shows_nothing_is_no_name() {
        let invisible = [
            "",
            " ",
            "\n\t",
            "\u{a0}",
            "\u{3000}",
            "\u{200b}",
            "\u{3164}",
            "\u{115f}",
            "\u{1160}",
            "\u{115f}\u{1160}",
            "\u{ffa0}",
            "\u{2800}",
            "\u{ad}",
            "\u{fe0f}",
            "\u{fe00}",
            "\u{e0100}",
            "\u{180b}",
            "\u{180e}",
            "\u{200c}",
            "\u{200d}",
            "\u{200e}",
            "\u{202e}",
            "\u{2066}\u{2069}",
            "\u{2060}",
            "\u{2064}",
            "\u{feff}",
            "\u{34f}",
            "\u{17b4}",
            "\u{e0001}",
            "\u{e0041}\u{e007f}",
            "\u{301}",
            "\u{20e3}",
            "\u{903}",
            " \u{301}",
            "\u{0}",
            "\u{7f}",
            "\u{85}",
            "\u{2028}",
            "\u{1d159}",
            "\u{1d173}",
            "\u{fff9}",
            "\u{fffc}",
            "\u{13441}",
            "\u{6dd}",
            " \u{200b}\u{3164} \u{2800}\u{fe0f}",
        ];
        for text in invisible {
            assert_eq!(clean_name(text), None, "{text:?}");
        }
    }

    #[test]
    fn name_keeps_what_it_shows() {
        for name in [
            "Mona",
            "منى",
            "می\u{200c}خواهم",
            "👩\u{200d}👩\u{200d}👧 Family",
            "❤\u{fe0f}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "क्\u{200d}ष",
            "e\u{301}",
            "한글",
            ".",
            "😀",
            "\u{fffd}",
            "\u{e000}",
        ] {
            assert_eq!(clean_name(name).as_deref(), Some(name));
        }
    }

    #[test]
    fn controls_and_direction_marks_are_removed() {
        for (text, name) in [
            ("\u{202e}gpj.exe\u{202c}", "gpj.exe"),
            ("\u{2067}منى\u{2069}", "منى"),
            ("A\u{200f}B\u{61c}C\u{200e}", "ABC"),
            ("A\u{0}B\u{7f}C\u{9b}D\u{206a}E\u{fffb}", "ABCDE"),
            ("A\nB\tC\u{2028}D\u{85}E", "A B C D E"),
            ("\u{200b}\u{3164} Mona \u{2800}\u{ad}", "Mona"),
            ("\u{202e} Mona \u{202c}", "Mona"),
            ("Mona\u{202e} \u{200b}", "Mona"),
        ] {
            assert_eq!(clean_name(text).as_deref(), Some(name), "{text:?}");
        }
    }

    #[test]
    fn long_name_ends_with_a_whole_character() {
        let family = "👩\u{200d}👩\u{200d}👧";
        let long = family.repeat(100);
        assert_eq!(clean_name(&long), Some(family.repeat(NAME_LIMIT / 5)));
        assert_eq!(clean_name(&"é".repeat(NAME_LIMIT)), Some("é".repeat(NAME_LIMIT)));
        assert_eq!(clean_name(&"é".repeat(NAME_LIMIT + 1)), Some("é".repeat(NAME_LIMIT)));
        let marks = format!("e{}", "\u{301}".repeat(1000));
        assert_eq!(clean_name(&marks).map(|name| name.chars().count()), Some(NAME_LIMIT));
        let spaces = format!("{}  b", "a".repeat(NAME_LIMIT - 1));
        assert_eq!(clean_name(&spaces), Some("a".repeat(NAME_LIMIT - 1)));
    }

    /// Characters at the edges of the rules, and any others.
    fn character() -> impl Strategy<Value = char> {
        let edges: Vec<char> = "\u{0}\u{1f} ~\u{7f}\u{85}\u{9f}\u{a0}\u{ad}\u{ae}\u{300}\u{34f}\u{61b}\u{61c}\u{61d}\
             \u{115f}\u{1160}\u{180b}\u{180e}\u{200a}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2010}\u{2027}\u{2028}\
             \u{2029}\u{202a}\u{202e}\u{202f}\u{2060}\u{2064}\u{2066}\u{2069}\u{206a}\u{206f}\u{2070}\u{20e3}\u{2800}\
             \u{2801}\u{3000}\u{3164}\u{fe00}\u{fe0f}\u{feff}\u{ffa0}\u{fff9}\u{fffb}\u{fffc}\u{fffd}\u{ffff}\u{1f468}\
             \u{1f3fb}\u{e0001}\u{e007f}\u{e0100}\u{e01ef}\u{10ffff}aZم한"
            .chars()
            .collect();
        prop_oneof![3 => prop::sample::select(edges), 1 => any::<char>()]
    }

    proptest! {
        #[test]
        fn clean_name_is_visible_bounded_and_final(
            text in prop_oneof![
                prop::collection::vec(character(), 0..12).prop_map(text_of),
                prop::collection::vec(character(), NAME_LIMIT - 4..2 * NAME_LIMIT).prop_map(text_of),
            ],
        ) {
            let Some(name) = clean_name(&text) else {
                prop_assert!(!text.chars().take(NAME_LIMIT / 2).any(|c| c.is_alphanumeric() && is_visible(c)));
                return Ok(());
            };
            prop_assert!(name.chars().count() <= NAME_LIMIT);
            prop_assert!(name.chars().any(is_visible));
            prop_assert!(!name.chars().any(|c| is_removed(c) || is_line_break(c)));
            prop_assert_eq!(clean_name(&name), Some(name.clone()));
            prop_assert_eq!(name.trim(), name.as_str());
        }
    }
}
