//! Comparison of texts that people type: texts that look the same, or that differ only in case, are equal.

use icu_casemap::{CaseMapper, CaseMapperBorrowed};
use icu_normalizer::{
    ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed, properties::CanonicalCombiningClassMapBorrowed,
};
use icu_properties::{CodePointSetData, CodePointSetDataBorrowed, props::DefaultIgnorableCodePoint};

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
const NFKD: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizerBorrowed::new_nfkd();
const CASE: CaseMapperBorrowed<'static> = CaseMapper::new();
const INVISIBLE: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<DefaultIgnorableCodePoint>();
const COMBINING_CLASS: CanonicalCombiningClassMapBorrowed<'static> = CanonicalCombiningClassMapBorrowed::new();

/// The zeros of the decimal digits that keyboards of other scripts type. The digits 1 to 9 follow each zero.
const ZEROS: [char; 16] = [
    '\u{0660}', '\u{06f0}', '\u{07c0}', '\u{0966}', '\u{09e6}', '\u{0a66}', '\u{0ae6}', '\u{0b66}', '\u{0be6}',
    '\u{0c66}', '\u{0ce6}', '\u{0d66}', '\u{0e50}', '\u{0ed0}', '\u{1040}', '\u{17e0}',
];

/// Whether letters with different accents are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accents {
    /// `café` and `cafe` are different.
    Distinct,
    /// `café` and `cafe` are equal, as are Arabic words with and without vowel marks, tatweel, or a hamza on the alef.
    Ignored,
}

/// Normalizes a text for comparison. Two texts are equal if their normalized texts are. The normalized text is the
/// following, in this order:
///
/// - without invisible characters: Unicode's default ignorable code points, such as direction marks, joiners,
///   variation selectors, and the byte order mark; and control characters
/// - in compatibility form, in which full-width letters are letters (Unicode, *UAX #15*, NFKC)
/// - in full case folding (*The Unicode Standard*, 3.13), in which `ß` is `ss`, with one `i` for the Turkish `i` and `ı`
/// - with one apostrophe, one hyphen, and ASCII digits
/// - without accents, if they are ignored
/// - with single spaces, and none at the start and the end
///
/// Normalizing a normalized text changes nothing.
pub fn normalize(text: &str, accents: Accents) -> String {
    // The compatibility form of an acute accent on its own, which people type as an apostrophe, is a space with a mark.
    let apostrophe = |c| if matches!(c, '\u{b4}' | '\u{1ffd}') { '\'' } else { c };
    let text: String = visible(text).map(apostrophe).collect();
    let text = CASE.fold_string(&NFKD.normalize(&text)).into_owned();
    let mut simplified = String::with_capacity(text.len());
    let mut is_after_i = false;
    for c in NFKD.normalize(&text).chars() {
        let class = COMBINING_CLASS.get_u8(c);
        // Folding turns the Turkish `İ` into an `i` with a combining dot.
        if c == '\u{307}' && is_after_i {
            continue;
        }
        let c = simplify(c);
        is_after_i = c == Some('i') || (is_after_i && class != 0);
        match accents {
            Accents::Distinct => simplified.extend(c),
            Accents::Ignored if is_accent(class) => {}
            Accents::Ignored => c.into_iter().for_each(|c| push_without_accent(&mut simplified, c)),
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

fn visible(text: &str) -> impl Iterator<Item = char> {
    // Tags are invisible too, but the flags of England and Scotland differ by them only.
    let is_tag = |c: char| ('\u{e0020}'..='\u{e007f}').contains(&c);
    text.chars().filter(move |&c| {
        let is_invisible = INVISIBLE.contains(c) || (c.is_control() && !c.is_whitespace());
        !is_invisible || is_tag(c)
    })
}

/// Replaces the variants of a character that keyboards choose by themselves. Returns `None` for the box of the keycap
/// emoji, so that `1️⃣` is `1`.
fn simplify(c: char) -> Option<char> {
    match c {
        'ı' => Some('i'),
        '`' | '\u{2bb}'..='\u{2bd}' | '\u{2018}'..='\u{201b}' | '\u{2032}' => Some('\''),
        '\u{201c}'..='\u{201f}' | '«' | '»' => Some('"'),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        '\u{20e3}' => None,
        c if c.is_ascii() => Some(c),
        c => {
            let digit = ZEROS.iter().find_map(|zero| (c as u32).checked_sub(*zero as u32).filter(|digit| *digit < 10));
            Some(digit.and_then(|digit| char::from_digit(digit, 10)).unwrap_or(c))
        }
    }
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
