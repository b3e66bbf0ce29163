//! Phone numbers as people write them: which number a text means. The rules and the numbering plans are those of
//! [libphonenumber](https://github.com/google/libphonenumber).

mod pattern;
pub(super) mod region;
mod renumbering;
#[cfg(test)]
mod tests;

use self::region::Region;
pub use self::renumbering::canonical;
use crate::domain::{country::Country, digit::ascii_digit};

/// Why a text isn't the phone number of one contact. The texts follow the name of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneNumberError {
    /// The text contains characters that phone numbers don't have.
    #[error("is not a phone number")]
    NotANumber,
    /// The digits don't start with the country code of a number of that length.
    #[error(
        "has no country code: write it with + and the country code, or set the session's defaultCountry \
         (PATCH /api/session)"
    )]
    NoCountryCode,
    /// The digits are no number of the default country, and don't start with a country code.
    #[error(
        "is neither a phone number of the session's defaultCountry nor one with a country code: \
         write it with + and the country code"
    )]
    NotInCountry,
    /// No number with this country code has this length.
    #[error("is not a possible phone number: check its country code and its length")]
    Impossible,
    /// The text contains letters.
    #[error("contains letters: write the phone number in digits")]
    Letters,
    /// The digits are a number after `00`, and another one after the call prefix of the default country.
    #[error("can be read as two phone numbers: write it with + and the country code")]
    Ambiguous,
    /// The number has an extension.
    #[error("has an extension, which WhatsApp numbers don't have: leave it out")]
    Extension,
    /// The text contains more than one number.
    #[error("contains several phone numbers: send a request for each")]
    Several,
    /// The number was reformatted as a decimal or in scientific notation.
    #[error("looks like a phone number that a spreadsheet has changed: store phone numbers as text")]
    Spreadsheet,
}

/// A phone number as written: its digits, and whether a `+` says that they start with a country code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    digits: String,
    has_plus: bool,
}

impl Written {
    /// Reads the digits of a text: of any script, in full width, and between the punctuation that phone numbers have.
    ///
    /// # Errors
    ///
    /// [`PhoneNumberError`] if the text contains anything else.
    pub fn read(text: &str) -> Result<Self, PhoneNumberError> {
        if is_reformatted(text) {
            return Err(PhoneNumberError::Spreadsheet);
        }
        let mut written = Self { digits: String::with_capacity(text.len().min(64)), has_plus: false };
        // The digits since the last character that can separate two numbers.
        let mut since_separator = 0;
        for (position, c) in text.char_indices() {
            if let Some(digit) = ascii_digit(c) {
                written.digits.push(digit);
                since_separator += 1;
                continue;
            }
            match c {
                '+' | '＋' if written.digits.is_empty() => written.has_plus = true,
                '+' | '＋' => return Err(PhoneNumberError::Several),
                '/' | '／' | '\n' | '\r' if since_separator >= SHORTEST => {
                    let follow = text.get(position..).unwrap_or_default().chars().filter_map(ascii_digit).count();
                    if follow >= SHORTEST {
                        return Err(PhoneNumberError::Several);
                    }
                    since_separator = 0;
                }
                c if is_punctuation(c) => {}
                _ => return Err(Self::unreadable(&written.digits, text.get(position..).unwrap_or_default())),
            }
        }
        if written.digits.is_empty() { Err(PhoneNumberError::NotANumber) } else { Ok(written) }
    }

    /// Returns why a text can't be read, from its digits before the first unknown character and the rest.
    fn unreadable(digits: &str, rest: &str) -> PhoneNumberError {
        let following = rest.chars().filter_map(ascii_digit).count();
        let word: String = rest.chars().take_while(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
        let starts_extension = rest.starts_with(['#', ';', ',']) || EXTENSION_WORDS.contains(&word.as_str());
        match digits.len() {
            0 => PhoneNumberError::NotANumber,
            SHORTEST.. if following >= SHORTEST => PhoneNumberError::Several,
            SHORTEST.. if starts_extension && following > 0 => PhoneNumberError::Extension,
            _ if !word.is_empty() => PhoneNumberError::Letters,
            _ => PhoneNumberError::NotANumber,
        }
    }

    /// Returns the number that the text means, with its country code.
    ///
    /// After a `+`, the digits start with a country code. Otherwise they can also start with an international call
    /// prefix, with a country code, or, with a default country, be a national number. If they can be read as a national
    /// and as an international number, the national one wins, unless only the international one is a mobile number. If
    /// they start with `00` and with a longer call prefix, the number that is a mobile number wins.
    ///
    /// # Errors
    ///
    /// [`PhoneNumberError`] if there is no such number.
    pub fn resolve(&self, default_country: Option<Country>) -> Result<String, PhoneNumberError> {
        let digits = self.digits.as_str();
        if self.has_plus {
            return international(digits).map(|found| found.digits).ok_or(PhoneNumberError::Impossible);
        }
        let region = default_country.and_then(|country| Region::all().find(|region| region.id == country.as_str()));
        if let Some(found) = after_call_prefix(region.as_ref(), digits)? {
            return Ok(found.digits);
        }
        let international = international(digits).filter(|found| found.is_valid);
        match (region.and_then(|region| national(&region, digits)), international) {
            (Some(national), Some(international)) if international.is_mobile && !national.is_mobile => {
                Ok(international.digits)
            }
            (Some(found), _) | (None, Some(found)) => Ok(found.digits),
            (None, None) if digits.starts_with("00") => Err(PhoneNumberError::Impossible),
            (None, None) if region.is_some() => Err(PhoneNumberError::NotInCountry),
            (None, None) => Err(PhoneNumberError::NoCountryCode),
        }
    }

    /// Returns whether a default country can change the number.
    pub fn depends_on_country(&self) -> bool {
        !self.has_plus
    }
}

/// Reads the digits of a link or a WhatsApp ID, which start with a country code without `+`.
///
/// # Errors
///
/// [`PhoneNumberError`] if there is no such number.
pub fn of_link(text: &str) -> Result<String, PhoneNumberError> {
    Written { has_plus: true, ..Written::read(text)? }.resolve(None)
}

/// The fewest digits of a number with its country code, and of a number on either side of a separator.
const SHORTEST: usize = 7;

/// The most digits of a number with its country code (E.164).
const LONGEST: usize = 15;

/// What can precede an extension (libphonenumber's list, in lower case).
const EXTENSION_WORDS: [&str; 9] = ["x", "ext", "extn", "extension", "int", "anexo", "доб", "ｘ", "ｅｘｔ"];

/// A number with its country code.
struct Found {
    digits: String,
    is_valid: bool,
    is_mobile: bool,
}

impl Found {
    fn new(code: &str, national: &str) -> Self {
        let regions = || Region::with_code(code);
        Self {
            digits: format!("{code}{national}"),
            is_valid: regions().any(|region| region.is_valid(national)),
            is_mobile: regions().any(|region| pattern::matches(region.mobile, national)),
        }
    }
}

/// Returns the number that starts with a country code; `None` if the code doesn't exist, or no number of it has this
/// length. Drops the trunk prefix that people leave after the country code, as in `+44 (0)7911 900001`.
fn international(digits: &str) -> Option<Found> {
    if !(SHORTEST..=LONGEST + 3).contains(&digits.len()) {
        return None;
    }
    let (main, national) = (1..=3).find_map(|length| {
        let (code, national) = digits.split_at_checked(length)?;
        Region::with_code(code).next().map(|main| (main, national))
    })?;
    let is_possible = |national: &str| Region::with_code(main.code).any(|region| region.is_possible(national));
    // A spelling that WhatsApp uses stays as it is, because only that one is certain to be delivered.
    let known = canonical(digits);
    if known != digits {
        let national = known.strip_prefix(main.code)?;
        let found = Found::new(main.code, national);
        return is_possible(national).then(|| Found { digits: digits.to_owned(), ..found });
    }
    let found = Found::new(main.code, national);
    if !found.is_valid {
        if let Some(stripped) = main.without_trunk(national).filter(|stripped| is_possible(stripped)) {
            let found = Found::new(main.code, &stripped);
            // The rest can start with another trunk prefix. A number that was read must read as itself.
            let is_final = found.is_valid || stripped.len() >= national.len();
            return if is_final { within_limit(found) } else { international(&found.digits) };
        }
        // People write the zero also in countries that have no trunk prefix.
        let without_zero = national.strip_prefix('0').and_then(|rest| international(&format!("{}{rest}", main.code)));
        if let Some(found) = without_zero.filter(|found| found.is_valid) {
            return Some(found);
        }
    }
    is_possible(national).then_some(found).and_then(within_limit)
}

/// Returns the number after a call prefix: that of the region, or `00`, which people write in every country. Some regions
/// have prefixes that start with `00`: `0011` in Australia, and `001` and others in Singapore.
fn after_call_prefix(region: Option<&Region>, digits: &str) -> Result<Option<Found>, PhoneNumberError> {
    let prefix = region.map(|region| region.idd).filter(|prefix| !prefix.is_empty());
    let rest = prefix.and_then(|prefix| pattern::prefix(prefix, digits)).map(|found| found.rest);
    let dialed = rest.and_then(international).filter(|found| found.is_valid);
    // No country code starts with a zero.
    let without_zeros = digits.strip_prefix("00");
    let written = without_zeros.and_then(international);
    match (dialed, written) {
        (Some(dialed), Some(written)) if written.is_valid && dialed.digits != written.digits => {
            let is_exact = without_zeros == Some(written.digits.as_str());
            match (dialed.is_mobile, written.is_mobile) {
                (true, false) => Ok(Some(dialed)),
                (false, true) => Ok(Some(written)),
                // The other one has a trunk prefix after its country code.
                (false, false) if !is_exact => Ok(Some(dialed)),
                _ => Err(PhoneNumberError::Ambiguous),
            }
        }
        (dialed, written) => Ok(dialed.or(written)),
    }
}

fn within_limit(found: Found) -> Option<Found> {
    (SHORTEST..=LONGEST).contains(&found.digits.len()).then_some(found)
}

/// Returns the number that people of the region mean by `digits`.
fn national(region: &Region, digits: &str) -> Option<Found> {
    // People of a territory also write numbers of the others with its country code without it.
    let is_valid = |national: &str| Region::with_code(region.code).any(|region| region.is_valid(national));
    let stripped = region.without_trunk(digits).filter(|stripped| is_valid(stripped));
    let given = || Some(digits).filter(|digits| is_valid(digits));
    // Colombia's rules read the first digit of a mobile number after the zero as the code of a carrier.
    let without_zero = || digits.strip_prefix('0').filter(|rest| is_valid(rest));
    match stripped.or_else(|| given().or_else(without_zero).map(str::to_owned)) {
        Some(national) => within_limit(Found::new(region.code, &national)),
        // A number from before a change of the numbering plan.
        None => {
            let old = format!("{}{digits}", region.code);
            if canonical(&old) == old { None } else { international(&old) }
        }
    }
}

/// Returns whether a text is a number with decimals, such as `14155550101.0`, or an exponent, such as `1.41556E+10`. A
/// point between groups of digits is preceded by less than five digits, or followed by more than two of which one isn't
/// zero.
fn is_reformatted(text: &str) -> bool {
    let text: String = text.chars().filter_map(spreadsheet_character).collect();
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if let Some((number, exponent)) = text.split_once('e') {
        let number = number.split_once('.').map_or(number.to_owned(), |(whole, rest)| format!("{whole}{rest}"));
        return is_digits(&number) && is_digits(exponent);
    }
    let Some((whole, decimals)) = text.split_once('.') else { return false };
    let has_decimals = decimals.len() < 3 || decimals.bytes().all(|digit| digit == b'0');
    whole.len() > 4 && is_digits(whole) && is_digits(decimals) && has_decimals
}

/// Returns a character as a number of a spreadsheet contains it: a digit, a decimal point, or an exponent's `e` of any
/// script. Omits the punctuation that people add to it.
fn spreadsheet_character(c: char) -> Option<char> {
    match c {
        '.' | '．' | ',' | '，' | '\u{66b}' => Some('.'),
        'e' | 'E' | 'ｅ' | 'Ｅ' => Some('e'),
        '+' | '＋' => None,
        c if is_punctuation(c) => None,
        c => Some(ascii_digit(c).unwrap_or(c)),
    }
}

/// Returns whether phone numbers contain `c` between their digits (libphonenumber's punctuation), or it shows nothing.
fn is_punctuation(c: char) -> bool {
    c.is_whitespace()
        || is_invisible(c)
        || matches!(
            c,
            '-' | '\u{2010}'
                ..='\u{2015}'
                    | '\u{2212}'
                    | '\u{30fc}'
                    | '－'
                    | '('
                    | ')'
                    | '（'
                    | '）'
                    | '['
                    | ']'
                    | '［'
                    | '］'
                    | '.'
                    | '．'
                    | '/'
                    | '／'
                    | '~'
                    | '\u{2053}'
                    | '\u{223c}'
                    | '～'
                    | '\u{ad}'
                    | '\u{b7}'
        )
}

/// Text copied from a web page or an address book can contain direction marks and joiners.
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}')
}
