use super::*;

#[test]
fn an_id_has_the_layout_of_a_real_one() {
    let id = generate("16503879439", Direction::Outbound);
    assert!(id.starts_with("wamid.HBgLMTY1MDM4Nzk0MzkVAgARGB"), "{id}");
    assert_eq!(STANDARD.decode(id.strip_prefix("wamid.").unwrap()).unwrap().len(), 2 + 12 + 5 + 19 + 1);

    let id = generate("16503879439", Direction::Inbound);
    assert!(id.starts_with("wamid.HBgLMTY1MDM4Nzk0MzkVAgASGB"), "{id}");
}

#[test]
fn ids_are_unique() {
    assert_ne!(generate("16503879439", Direction::Inbound), generate("16503879439", Direction::Inbound));
}
