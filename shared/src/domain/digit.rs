//! Decimal digits of every script.

/// The zeros of the decimal digits of every script (Unicode 17, general category Nd). Each is followed by its nine other
/// digits.
const ZEROS: [u32; 77] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0,
    0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620,
    0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x10d40, 0x11066, 0x110f0, 0x11136,
    0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x116d0, 0x116da, 0x11730, 0x118e0, 0x11950, 0x11bf0,
    0x11c50, 0x11d50, 0x11da0, 0x11de0, 0x11f50, 0x16130, 0x16a60, 0x16ac0, 0x16b50, 0x16d70, 0x1ccf0, 0x1d7ce,
    0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e4f0, 0x1e5f1, 0x1e950, 0x1fbf0,
];

/// Returns the ASCII digit of the same value as a decimal digit of any script.
pub fn ascii_digit(c: char) -> Option<char> {
    if c.is_ascii() {
        return c.is_ascii_digit().then_some(c);
    }
    let code = u32::from(c);
    let zero = ZEROS.partition_point(|zero| *zero <= code).checked_sub(1).and_then(|index| ZEROS.get(index))?;
    char::from_digit(code.checked_sub(*zero).filter(|value| *value < 10)?, 10)
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn decimal_digits_of_every_script_are_digits() {
        let every_character: String = ('\0'..=char::MAX).collect();
        let found: String = every_character.chars().filter_map(ascii_digit).collect();
        assert_eq!(found, "0123456789".repeat(ZEROS.len()));
        for digit in Regex::new(r"\p{Nd}").unwrap().find_iter(&every_character) {
            assert!(digit.as_str().chars().all(|c| ascii_digit(c).is_some()), "{digit:?}");
        }
    }
}
