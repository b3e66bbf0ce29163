use proptest::prelude::*;

use super::*;

fn same(one: &str, other: &str, accents: Accents) -> bool {
    normalize(one, accents) == normalize(other, accents)
}

#[test]
fn texts_that_look_the_same_are_equal() {
    for (one, other) in [
        // Canonical forms, in either order of the marks.
        ("café", "cafe\u{301}"),
        ("ệ", "e\u{302}\u{323}"),
        ("Å", "\u{212b}"),
        ("가", "\u{1100}\u{1161}"),
        // Case.
        ("straße", "STRASSE"),
        ("straße", "STRAẞE"),
        ("ΟΔΟΣ", "οδος"),
        ("ΟΔΟΣ", "οδοσ"),
        ("ﬁnance", "FINANCE"),
        ("ДА", "да"),
        ("ǅ", "ǆ"),
        ("ᾳ", "ΑΙ"),
        // The Turkish letters, in each combination of keyboard and capitals.
        ("iptal", "İPTAL"),
        ("iptal", "I\u{307}PTAL"),
        ("iptal", "IPTAL"),
        ("ıptal", "İPTAL"),
        ("sıcak", "SICAK"),
        ("ị\u{307}", "I\u{307}\u{323}"),
        // Compatibility forms.
        ("ＳＴＯＰ", "stop"),
        ("𝐒𝐭𝐨𝐩", "stop"),
        ("ｶﾞ", "ガ"),
        ("\u{fefb}", "لا"),
        ("①", "1"),
        // Invisible characters.
        ("\u{200f}توقف\u{200e}", "توقف"),
        ("\u{202b}توقف\u{202c}", "توقف"),
        ("\u{2067}توقف\u{2069}", "توقف"),
        ("\u{61c}توقف", "توقف"),
        ("می\u{200c}خواهم", "میخواهم"),
        ("क्\u{200d}ष", "क्ष"),
        ("\u{feff}price", "price"),
        ("pri\u{ad}ce", "price"),
        ("pri\u{200b}ce\u{2060}", "price"),
        ("price\0\u{7}", "price"),
        ("\u{3164}price", "price"),
        ("❤️", "❤"),
        ("☎\u{fe0e}", "☎️"),
        ("👨‍👩‍👧", "👨👩👧"),
        ("1️⃣", "1"),
        ("e\u{34f}\u{301}", "é"),
        // Spaces.
        ("  price \n\t list ", "price list"),
        ("price\u{a0}list", "price list"),
        ("price\u{3000}list", "price list"),
        ("price\u{2028}list", "price list"),
        // What keyboards choose.
        ("don’t", "don't"),
        ("j`ai", "j’ai"),
        ("can´t", "can't"),
        ("can\u{1ffd}t", "can't"),
        ("об\u{2bc}єкт", "об'єкт"),
        ("“yes”", "\"yes\""),
        ("opt–out", "opt-out"),
        ("wait…", "wait..."),
        ("١٢٣", "123"),
        ("۴۵۶", "456"),
        ("७८९", "789"),
        ("０", "0"),
        ("༡༢༣", "123"),
        ("᠑᠒᠓", "123"),
        ("𞥑𞥒𞥓", "123"),
        ("꧑꧒꧓", "123"),
        ("\u{de7}\u{de8}", "12"),
        ("🔟", "10"),
        ("at 🔟", "at 10"),
        ("‚yes‛", "'yes'"),
        ("‹yes›", "'yes'"),
        ("❛yes❜", "'yes'"),
        ("5′", "5'"),
        ("„yes‟", "\"yes\""),
        ("«yes»", "\"yes\""),
        ("❝yes❞", "\"yes\""),
        ("〝yes〟", "\"yes\""),
        ("″yes‶", "\"yes\""),
        ("צה״ל", "צה\"ל"),
        ("ג׳ירפה", "ג'ירפה"),
        ("תל־אביב", "תל-אביב"),
        ("opt⁃out", "opt-out"),
        ("opt—out", "opt-out"),
        ("opt⸺out", "opt-out"),
        ("opt\u{58a}out", "opt-out"),
    ] {
        assert!(same(one, other, Accents::Distinct), "{one} {other}");
        assert!(same(one, other, Accents::Ignored), "{one} {other}");
    }
}

#[test]
fn different_texts_stay_different() {
    for (one, other) in [
        ("café", "cafe"),
        ("año", "ano"),
        ("schön", "schon"),
        ("سعر", "سِعر"),
        ("كتـاب", "كتاب"),
        ("أحمد", "احمد"),
        ("й", "и"),
        ("smørbrød", "smorbrod"),
    ] {
        assert!(!same(one, other, Accents::Distinct), "{one} {other}");
        assert!(same(one, other, Accents::Ignored), "{one} {other}");
    }
    for (one, other) in [
        ("price", "prices"),
        ("price list", "pricelist"),
        ("मिल", "मल"),
        ("कम", "क्म"),
        ("か", "が"),
        ("ไม่", "ไม"),
        ("👍", "👍🏽"),
        (
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
        ),
        ("ö", "oe"),
        ("1", "2"),
        ("🔟", "1"),
        ("1〜2", "1-2"),
    ] {
        assert!(!same(one, other, Accents::Ignored), "{one} {other}");
    }
}

#[test]
fn digits_of_every_script_are_equal() {
    let digits: Vec<char> = ('\0'..=char::MAX).filter(|c| c.is_numeric() && ascii_digit(*c).is_some()).collect();
    assert!(digits.len() >= 700, "{}", digits.len());
    for digit in digits {
        let ascii = ascii_digit(digit).unwrap().to_string();
        assert_eq!(normalize(&digit.to_string(), Accents::Distinct), ascii, "U+{:04X}", digit as u32);
    }
}

#[test]
fn arabic_spellings_are_equal_without_accents() {
    for (one, other) in [
        ("إيقاف", "ايقاف"),
        ("مؤمن", "مومن"),
        ("قائمة", "قايمة"),
        ("آخر", "اخر"),
        ("ٱسم", "اسم"),
        ("مَرْحَبًا", "مرحبا"),
        ("رحمٰن", "رحمن"),
        ("مصطفى", "مصطفي"),
        ("قائمة", "قايمه"),
        ("بیک", "بيك"),
        ("שָׁלוֹם", "שלום"),
    ] {
        assert!(same(one, other, Accents::Ignored), "{one} {other}");
    }
}

#[test]
fn each_character_equals_its_normalized_and_decomposed_forms() {
    let nfd = DecomposingNormalizerBorrowed::new_nfd();
    // The other planes have ideographs without decompositions, and nothing.
    for c in ('\0'..='\u{ffff}')
        .chain('\u{10400}'..='\u{10fff}')
        .chain('\u{1d000}'..='\u{1fbff}')
        .chain('\u{2f800}'..='\u{2fa1f}')
    {
        for accents in [Accents::Distinct, Accents::Ignored] {
            let text = c.to_string();
            let once = normalize(&text, accents);
            assert_eq!(normalize(&once, accents), once, "U+{:04X}", c as u32);
            assert_eq!(normalize(&nfd.normalize(&text), accents), once, "U+{:04X}", c as u32);
        }
    }
}

#[test]
fn patterns_keep_case_spaces_and_full_width_punctuation() {
    assert_eq!(composed("E\u{301}\u{200f}TE  \n？❤️\u{0}"), "ÉTE  \n？❤");
}

/// Texts of ordinary characters and of those that normalization treats specially.
fn texts() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        'a',
        'e',
        'i',
        'I',
        'İ',
        'ı',
        'ß',
        'ẞ',
        'ſ',
        'K',
        'Σ',
        'ς',
        'é',
        'ﬁ',
        'Ａ',
        'ʼ',
        '´',
        '¨',
        '’',
        '–',
        '…',
        '\u{301}',
        '\u{307}',
        '\u{308}',
        '\u{323}',
        '\u{327}',
        '\u{338}',
        '\u{345}',
        '\u{34f}',
        '\u{5b0}',
        '\u{640}',
        '\u{64b}',
        '\u{653}',
        '\u{654}',
        '\u{670}',
        '\u{94d}',
        '\u{93c}',
        '\u{3099}',
        '\u{1100}',
        '\u{1161}',
        '\u{11a8}',
        'ا',
        'ي',
        'ى',
        'ة',
        '٣',
        '\u{200b}',
        '\u{200d}',
        '\u{200f}',
        '\u{feff}',
        '\u{ad}',
        '\u{fe0f}',
        '\u{20e3}',
        '🔟',
        '″',
        '—',
        '\u{5be}',
        '❝',
        '༣',
        '\u{3164}',
        '\u{ffa0}',
        ' ',
        '\u{a0}',
        '\u{3000}',
        '\n',
        '\0',
        '=',
        '<',
        '\u{fdfa}',
        '\u{1d15e}',
    ]);
    prop::collection::vec(prop_oneof![3 => special, 1 => any::<char>()], 0..12)
        .prop_map(|characters| characters.into_iter().collect())
}

#[test]
fn removed_keycap_leaves_a_normalized_text() {
    for text in ["i\u{20e3}\u{307}", "ﬁ\u{20e3}\u{307}", "i\u{301}\u{20e3}\u{307}", "e\u{20e3}\u{301}"] {
        for accents in [Accents::Distinct, Accents::Ignored] {
            let once = normalize(text, accents);
            assert_eq!(normalize(&once, accents), once, "{text:?} {accents:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn normalization_is_idempotent(text in texts(), ignored in any::<bool>()) {
        let accents = if ignored { Accents::Ignored } else { Accents::Distinct };
        let once = normalize(&text, accents);
        prop_assert_eq!(normalize(&once, accents), once);
    }

    #[test]
    fn canonical_and_compatibility_forms_are_equal(text in texts(), ignored in any::<bool>()) {
        let accents = if ignored { Accents::Ignored } else { Accents::Distinct };
        let nfd = DecomposingNormalizerBorrowed::new_nfd();
        let nfkc = ComposingNormalizerBorrowed::new_nfkc();
        let normalized = normalize(&text, accents);
        for form in [NFC.normalize(&text), nfd.normalize(&text)] {
            prop_assert_eq!(&normalize(&form, accents), &normalized, "{:?}", form);
        }
        let text = text.replace(['\u{b4}', '\u{1ffd}', '″', '‶'], "");
        prop_assert_eq!(normalize(&nfkc.normalize(&text), accents), normalize(&text, accents));
    }

    #[test]
    fn case_is_ignored(text in texts()) {
        // An iota below a letter becomes a letter, so the marks have to be in order before the case changes.
        let nfd = DecomposingNormalizerBorrowed::new_nfd();
        let text = visible(&text).collect::<String>();
        let text = nfd.normalize(&text);
        let normalized = normalize(&text, Accents::Distinct);
        for other in [CASE.fold_string(&text).into_owned(), text.to_uppercase(), text.to_lowercase()] {
            prop_assert_eq!(&normalize(&other, Accents::Distinct), &normalized, "{:?}", other);
        }
    }

    #[test]
    fn equal_with_accents_is_equal_without(text in texts()) {
        let normalized = normalize(&text, Accents::Distinct);
        prop_assert_eq!(normalize(&normalized, Accents::Ignored), normalize(&text, Accents::Ignored));
    }
}
