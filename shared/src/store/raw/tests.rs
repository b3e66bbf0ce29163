use super::*;

#[test]
fn parts_fit_and_join_to_the_whole() {
    for raw in ["", "{}", &"é".repeat(PART), &"x".repeat(PART), &"x".repeat(3 * 1024 * 1024)] {
        let parts = parts(raw);
        assert!(parts.iter().all(|part| part.len() <= PART));
        assert_eq!(parts.concat(), raw);
    }
}
