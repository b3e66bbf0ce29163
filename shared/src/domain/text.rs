//! Comparison of texts that people type: texts that look the same, or that differ only in case, are equal.

use icu_casemap::{CaseMapper, CaseMapperBorrowed};
use icu_normalizer::{
    ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed, properties::CanonicalCombiningClassMapBorrowed,
};
use icu_properties::{
    CodePointSetData, CodePointSetDataBorrowed,
    props::{Dash, DefaultIgnorableCodePoint},
};

use crate::domain::digit::ascii_digit;

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
const NFKD: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizerBorrowed::new_nfkd();
const CASE: CaseMapperBorrowed<'static> = CaseMapper::new();
const INVISIBLE: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<DefaultIgnorableCodePoint>();
const DASHES: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<Dash>();
const COMBINING_CLASS: CanonicalCombiningClassMapBorrowed<'static> = CanonicalCombiningClassMapBorrowed::new();

/// The box of the keycap emoji.
const KEYCAP: char = '\u{20e3}';

/// Whether letters with different accents are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accents {
    /// `café` and `cafe` are different.
    Distinct,
    /// `café` and `cafe` are equal, as are Arabic words with and without vowel marks, tatweel, or the hamza or
    /// madda of a letter.
    Ignored,
}

/// Normalizes a text for comparison. Two texts are equal if their normalized texts are. The normalized text is the
/// following, in this order:
///
/// - without invisible characters: Unicode's default ignorable code points, such as direction marks, joiners,
///   variation selectors, and the byte order mark; and control characters
/// - in compatibility form, in which full-width letters are letters (Unicode, *UAX #15*, NFKC)
/// - in full case folding (*The Unicode Standard*, 3.13), in which `ß` is `ss`, with one `i` for the Turkish `i` and `ı`
/// - with one apostrophe, one double quote, one hyphen, and ASCII digits
/// - without accents, if they are ignored
/// - with single spaces, and none at the start and the end
///
/// Normalizing a normalized text changes nothing.
pub fn normalize(text: &str, accents: Accents) -> String {
    let text = CASE.fold_string(&NFKD.normalize(&with_own_forms(text))).into_owned();
    let mut simplified = String::with_capacity(text.len());
    let mut is_after_i = false;
    for c in NFKD.normalize(&text).chars() {
        let class = COMBINING_CLASS.get_u8(c);
        // Folding turns the Turkish `İ` into an `i` with a combining dot. Without the box of the keycap emoji, `1️⃣` is `1`.
        if c == KEYCAP || (c == '\u{307}' && is_after_i) {
            continue;
        }
        let c = simplify(c);
        is_after_i = c == 'i' || (is_after_i && class != 0);
        match accents {
            Accents::Distinct => simplified.push(c),
            Accents::Ignored if is_accent(class) => {}
            Accents::Ignored => push_without_accent(&mut simplified, c),
        }
    }
    NFC.normalize(&simplified).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Prepares a text, or a pattern, for a search with a regular expression: composed (NFC), without invisible characters.
/// The pattern decides about the rest, such as case and spaces.
pub fn composed(text: &str) -> String {
    NFC.normalize(&visible(text).collect::<String>()).into_owned()
}

/// Returns the words of a normalized text, without the punctuation, symbols, and emoji between them.
pub fn words(normalized: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || COMBINING_CLASS.get_u8(c) != 0;
    let words: Vec<&str> = normalized.split(|c| !is_part(c)).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Returns the visible text, with those characters replaced whose compatibility form is another text than the one they
/// stand for, or which have none.
fn with_own_forms(text: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    for c in visible(text) {
        match c {
            // An acute accent on its own, which people type as an apostrophe: a space with a mark.
            '\u{b4}' | '\u{1ffd}' => replaced.push('\''),
            // Double primes: two single ones.
            '\u{2033}' | '\u{2036}' => replaced.push('"'),
            // The keycap 10.
            '\u{1f51f}' => replaced.push_str("10"),
            c => replaced.push(c),
        }
    }
    replaced
}

fn visible(text: &str) -> impl Iterator<Item = char> {
    // Tags are invisible too, but the flags of England and Scotland differ by them only.
    let is_tag = |c: char| ('\u{e0020}'..='\u{e007f}').contains(&c);
    text.chars().filter(move |&c| {
        let is_invisible = INVISIBLE.contains(c) || (c.is_control() && !c.is_whitespace());
        !is_invisible || is_tag(c)
    })
}

/// Replaces the variants of a character that keyboards choose by themselves.
fn simplify(c: char) -> char {
    match c {
        'ı' => 'i',
        // Including the Armenian apostrophe, the Hebrew geresh, and single angle quotation marks.
        '`'
        | '\u{2b9}'
        | '\u{2bb}'..='\u{2bd}'
        | '\u{55a}'
        | '\u{5f3}'
        | '\u{2018}'..='\u{201b}'
        | '\u{2032}'
        | '\u{2035}'
        | '\u{2039}'
        | '\u{203a}'
        | '\u{275b}'
        | '\u{275c}'
        | '\u{275f}' => '\'',
        // Including the Hebrew gershayim.
        '\u{2ba}'
        | '\u{2ee}'
        | '\u{5f4}'
        | '\u{201c}'..='\u{201f}'
        | '«'
        | '»'
        | '\u{275d}'
        | '\u{275e}'
        | '\u{2760}'
        | '\u{301d}'..='\u{301f}'
        | '\u{1f676}'..='\u{1f678}' => '"',
        c if is_hyphen(c) => '-',
        c => ascii_digit(c).unwrap_or(c),
    }
}

/// Returns whether a character is a hyphen or a dash (Unicode, *Dash*), or a bullet that looks like one. Swung and wavy
/// dashes are not.
fn is_hyphen(c: char) -> bool {
    c == '\u{2043}' || (DASHES.contains(c) && !matches!(c, '\u{2053}' | '\u{301c}' | '\u{3030}'))
}

/// Returns whether a combining mark of this class is an accent or a vowel mark that people leave out: of the Latin,
/// Greek, Cyrillic, Hebrew, and Arabic scripts. In other scripts, such as Devanagari and Thai, the marks are letters.
fn is_accent(class: u8) -> bool {
    matches!(class, 10..=36 | 200..=240)
}

/// Adds a letter without the accents that have no combining mark. The Arabic letters are those of Lucene's
/// `ArabicNormalizer` and `PersianNormalizer`.
fn push_without_accent(text: &mut String, c: char) {
    match c {
        'ø' => text.push('o'),
        'ł' => text.push('l'),
        'đ' | 'ð' => text.push('d'),
        'ħ' => text.push('h'),
        'ŧ' => text.push('t'),
        'æ' => text.push_str("ae"),
        'œ' => text.push_str("oe"),
        'þ' => text.push_str("th"),
        // Tatweel.
        '\u{640}' => {}
        // Alef wasla; alef maksura and Farsi yeh; teh marbuta and heh goal; keheh.
        '\u{671}' => text.push('\u{627}'),
        '\u{649}' | '\u{6cc}' => text.push('\u{64a}'),
        '\u{629}' | '\u{6c1}' | '\u{6d5}' => text.push('\u{647}'),
        '\u{6a9}' => text.push('\u{643}'),
        c => text.push(c),
    }
}

#[cfg(test)]
mod tests;
