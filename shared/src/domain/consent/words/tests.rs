use proptest::prelude::*;

use super::*;

fn find(text: &str) -> Option<ConsentWord> {
    ConsentWords::default().find(text)
}

fn list(words: &[&str]) -> Vec<String> {
    words.iter().copied().map(str::to_owned).collect()
}

#[test]
fn consent_words_are_recognized_on_their_own() {
    for text in [
        "STOP",
        "stop",
        " Stop! ",
        "*STOP*",
        "\"stop\".",
        "Stop all",
        "STOPALL",
        "opt-out",
        "OPTOUT",
        "Unsubscribe",
        "STOP 🛑",
        "stop 🙏🏽",
        "ＳＴＯＰ",
        "\u{200e}STOP\u{200f}",
        "ｓｔｏｐ！",
        "STOP。",
        "S\u{200b}TOP",
        "𝗦𝗧𝗢𝗣",
        "ﬆop",
        "BAJA",
        "Salir",
        "PARAR",
        "Cancelar suscripcion",
        "SAIR",
        "sair.",
        "PARE",
        "Cancelar inscriçao",
        "बंद",
        "बंद करें।",
        "روکیں",
        "بند كریں",
        "توقف",
        "\u{200f}توقف\u{200f}",
        "تَوَقُّف",
        "توقـــف",
        "إيقاف",
        "ايقاف",
        "الغاء الاشتراك",
        "Berhenti",
        "HENTI",
        "СТОП",
        "отписаться",
        "STOPP",
        "Abmelden",
        "ARRÊT",
        "ARRET",
        "arre\u{302}t",
        "Désabonner",
        "Disiscrivimi",
        "DUR",
        "Abonelikten Çık",
        "ABONELİKTEN ÇIK",
        "abonelikten cik",
        "退订",
        "退訂",
        "停止",
        "退订！",
    ] {
        assert_eq!(find(text), Some(ConsentWord::Stop), "{text}");
    }
    for text in [
        "START",
        "start.",
        "Unstop",
        "opt in",
        "SUBSCRIBE",
        "ＳＴＡＲＴ",
        "ALTA",
        "Começar",
        "COMECAR",
        "शुरू",
        "ابدأ",
        "ابدا",
        "Mulai",
        "СТАРТ",
        "S’abonner",
        "BAŞLAT",
        "baslat",
        "开始",
    ] {
        assert_eq!(find(text), Some(ConsentWord::Start), "{text}");
    }
}

#[test]
fn ordinary_messages_are_not_consent_words() {
    for text in [
        "",
        "!",
        "🛑",
        "stop it",
        "please stop",
        "don't stop",
        "restart",
        "bus stop",
        "cancel",
        "CANCELAR",
        "cancelar",
        "yes",
        "no",
        "st op",
        "s.t.o.p",
        "quit",
        "end",
        "iptal",
        "İPTAL",
        "batal",
        "إلغاء",
        "отмена",
        "annuler",
        "annulla",
        "basta",
        "取消",
        "रद्द",
        "la baja temporada",
        "مرحبا",
        "بند ہے؟ کب کھلے گی",
        "stop stop",
        "durum",
        "sair daqui",
        "停止营业了吗",
    ] {
        assert_eq!(find(text), None, "{text}");
    }
}

#[test]
fn default_words_are_valid_and_distinct() {
    assert_eq!(ConsentWords::default().check(), Ok(()));
    for (words, expected) in [(STOP, ConsentWord::Stop), (START, ConsentWord::Start)] {
        for word in words {
            assert!(word.chars().count() <= WORD_LIMIT);
            assert_eq!(find(word), Some(expected), "{word}");
            assert_eq!(find(&word.to_uppercase()), Some(expected), "{word}");
        }
    }
}

#[test]
fn documented_words_equal_the_defaults() {
    let documentation = include_str!("../../../../../docs/auto-reply.md");
    let section = documentation.split_once("### STOP and START words").unwrap().1.split("\n## ").next().unwrap();
    let rows: Vec<Vec<&str>> =
        section.lines().filter(|line| line.starts_with("| ")).map(|line| line.split(" | ").collect()).skip(1).collect();
    for (column, words) in [(1, STOP), (2, START)] {
        let cells = rows.iter().flat_map(|cells| cells[column].trim_end_matches(" |").split(", "));
        let mut documented: Vec<String> = cells.map(comparable).collect();
        let mut known: Vec<String> = words.iter().copied().map(comparable).collect();
        documented.sort();
        documented.dedup();
        known.sort();
        known.dedup();
        assert_eq!(documented, known);
    }
}

#[test]
fn session_words_replace_the_defaults() {
    let (stop, start) = (list(&["Schluss", "Genug!"]), list(&["Weiter"]));
    let words = ConsentWords { stop: Some(&stop), start: Some(&start) };
    assert_eq!(words.check(), Ok(()));
    for (text, expected) in [
        ("SCHLUSS.", Some(ConsentWord::Stop)),
        ("genug", Some(ConsentWord::Stop)),
        ("weiter", Some(ConsentWord::Start)),
        ("stop", None),
        ("start", None),
    ] {
        assert_eq!(words.find(text), expected, "{text}");
    }
    let only_stop = ConsentWords { stop: Some(&stop), start: None };
    assert_eq!(only_stop.find("start"), Some(ConsentWord::Start));
}

#[test]
fn invalid_session_words_are_refused() {
    let fifty_one: Vec<String> = (0..=MAX_WORDS).map(|number| format!("word {number}")).collect();
    let check = |stop: Option<&[String]>, start: Option<&[String]>| {
        ConsentWords { stop, start }.check().map_err(|error| error.to_string())
    };
    assert_eq!(check(Some(&fifty_one[1..]), None), Ok(()));
    assert_eq!(check(Some(&list(&[&"ä".repeat(50)])), None), Ok(()));
    for (stop, start, error) in [
        (Some(fifty_one.clone()), None, "stopWords must have 1 to 50 words"),
        (None, Some(fifty_one), "startWords must have 1 to 50 words"),
        (Some(Vec::new()), None, "stopWords must have 1 to 50 words"),
        (
            Some(list(&["stop", &"ä".repeat(51)])),
            None,
            "stopWords[1] must have 1 to 50 characters, with at least one letter or digit",
        ),
        (
            None,
            Some(list(&["🛑\u{200f}!"])),
            "startWords[0] must have 1 to 50 characters, with at least one letter or digit",
        ),
        (
            Some(list(&["Los"])),
            Some(list(&["lös!"])),
            "stopWords and startWords both have \"Los\": use it in one of them",
        ),
        (Some(list(&["Start"])), None, "stopWords and startWords both have \"Start\": use it in one of them"),
        (None, Some(list(&["Stop"])), "stopWords and startWords both have \"stop\": use it in one of them"),
    ] {
        assert_eq!(check(stop.as_deref(), start.as_deref()), Err(error.to_owned()), "{stop:?} {start:?}");
    }
}

#[test]
fn long_messages_are_not_consent_words() {
    assert_eq!(find(&format!("stop{}", "!".repeat(MESSAGE_LIMIT - 4))), Some(ConsentWord::Stop));
    assert_eq!(find(&format!("stop{}", "!".repeat(MESSAGE_LIMIT - 3))), None);
}

proptest! {
    #[test]
    fn any_text_is_parsed(text in any::<String>()) {
        let _ = find(&text);
    }

    #[test]
    fn punctuation_around_a_word_does_not_count(
        word in prop::sample::select(STOP),
        before in "[ .,!?*_~\"'«»،。！\u{200e}\u{200f}🛑]{0,5}",
        after in "[ .,!?*_~\"'«»،。！\u{200e}\u{200f}🛑]{0,5}",
    ) {
        prop_assert_eq!(find(&format!("{before}{word}{after}")), Some(ConsentWord::Stop));
    }
}
