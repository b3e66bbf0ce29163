use proptest::prelude::*;

use super::*;

const KEY: [u8; 32] = [7; 32];

proptest! {
    #[test]
    fn encrypted_secret_decrypts(secret in any::<String>()) {
        let text = encrypt(&KEY, Kind::AccessToken, "1", &secret).unwrap();
        prop_assert_eq!(decrypt(&KEY, Kind::AccessToken, "1", text), Some(secret));
    }

    #[test]
    fn changed_ciphertext_does_not_decrypt(at in 0_usize..22, bit in 0_u32..8) {
        let mut text = encrypt(&KEY, Kind::AccessToken, "1", "secret").unwrap();
        text[at] ^= 1 << bit;
        prop_assert_eq!(decrypt(&KEY, Kind::AccessToken, "1", text), None);
    }
}

#[test]
fn ciphertext_decrypts_only_for_its_number_purpose_and_key() {
    let text = || encrypt(&KEY, Kind::AccessToken, "1", "secret").unwrap();
    assert_eq!(decrypt(&KEY, Kind::AppSecret, "1", text()), None);
    assert_eq!(decrypt(&KEY, Kind::AccessToken, "2", text()), None);
    assert_eq!(decrypt(&[8; 32], Kind::AccessToken, "1", text()), None);
    assert_eq!(decrypt(&[7; 31], Kind::AccessToken, "1", text()), None);
    assert_eq!(decrypt(&KEY, Kind::AccessToken, "1", Vec::new()), None);
}
