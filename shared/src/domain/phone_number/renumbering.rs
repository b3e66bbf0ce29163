//! Countries whose numbers WhatsApp spells in two ways: accounts from before a change of the numbering plan keep the old
//! number as their ID, while people write the new one.

/// Returns the one spelling by which two spellings of a number are compared. Every other number stays as it is.
///
/// | country | spellings |
/// |---|---|
/// | Argentina | `54` and the mobile form `549` |
/// | Benin | eight digits, and ten with `01` (2024) |
/// | Brazil | a mobile number with and without the ninth digit; a landline (2 to 5) never had it |
/// | Côte d'Ivoire | eight digits, and ten with the operator's `01`, `05`, `07`, or for landlines `21`, `25`, `27` (2021) |
/// | Gabon | seven digits, eight with a zero, and eight with `11`, `6`, or `7` instead of the zero (2019) |
/// | Mexico | `52` and the mobile form `521` (until 2019) |
/// | Vietnam | mobile numbers of ten digits, and of nine (2018) |
///
/// The changes of Brazil, Gabon, Mexico, and Vietnam are those of libphonenumber's migrator, and Côte d'Ivoire's
/// prefixes those of ARTCI, its regulator.
pub fn canonical(digits: &str) -> String {
    renumbered(digits).unwrap_or_else(|| digits.to_owned())
}

fn renumbered(digits: &str) -> Option<String> {
    if let Some(national) = digits.strip_prefix("52").filter(|national| national.len() == 11) {
        return Some(format!("52{}", national.strip_prefix('1')?));
    }
    if let Some(national) = digits.strip_prefix("54").filter(|national| national.len() == 11) {
        return Some(format!("54{}", national.strip_prefix('9')?));
    }
    if let Some(national) = digits.strip_prefix("55").filter(|national| national.len() == 10) {
        let (area, subscriber) = national.split_at_checked(2)?;
        return subscriber.starts_with(['6', '7', '8', '9']).then(|| format!("55{area}9{subscriber}"));
    }
    if let Some(national) = digits.strip_prefix("84").filter(|national| national.len() == 10) {
        let (old, rest) = national.split_at_checked(3)?;
        return Some(format!("84{}{rest}", vietnam(old)?));
    }
    if let Some(national) = digits.strip_prefix("225").filter(|national| national.len() == 8) {
        return Some(format!("225{}{national}", ivory_coast(national.as_bytes())?));
    }
    if let Some(national) = digits.strip_prefix("229").filter(|national| national.len() == 8) {
        return national.starts_with(['2', '3', '4', '5', '6', '7', '9']).then(|| format!("22901{national}"));
    }
    gabon(digits.strip_prefix("241")?)
}

fn vietnam(old: &str) -> Option<&'static str> {
    Some(match old {
        "120" => "70",
        "121" => "79",
        "122" => "77",
        "123" => "83",
        "124" => "84",
        "125" => "85",
        "126" => "76",
        "127" => "81",
        "128" => "78",
        "129" => "82",
        "162" => "32",
        "163" => "33",
        "164" => "34",
        "165" => "35",
        "166" => "36",
        "167" => "37",
        "168" => "38",
        "169" => "39",
        "186" => "56",
        "188" => "58",
        "199" => "59",
        _ => return None,
    })
}

/// Returns the operator's prefix. The second digit of a mobile number named the operator, and the third one of a
/// landline.
fn ivory_coast(old: &[u8]) -> Option<&'static str> {
    Some(match old {
        [b'2' | b'3', _, b'0', ..] => "25",
        [b'2', _, b'8', ..] => "21",
        [b'2' | b'3', ..] => "27",
        [b'1', ..] => return None,
        [_, b'0'..=b'3', ..] => "01",
        [_, b'4'..=b'6', ..] => "05",
        _ => "07",
    })
}

fn gabon(national: &str) -> Option<String> {
    let eight_digits = |prefix: char, rest: &str| Some(format!("241{prefix}{rest}"));
    match (national.len(), national.as_bytes()) {
        (8, [b'0', b'1', ..]) => eight_digits('1', national.get(1..)?),
        (8, [b'0', b'2' | b'5' | b'6', ..]) => eight_digits('6', national.get(1..)?),
        (8, [b'0', b'4' | b'7', ..]) => eight_digits('7', national.get(1..)?),
        (7, [b'2' | b'5' | b'6', ..]) => eight_digits('6', national),
        (7, [b'4' | b'7', ..]) => eight_digits('7', national),
        _ => None,
    }
}
