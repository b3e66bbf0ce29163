use super::*;

#[test]
fn an_unavailable_port_is_named() {
    let first = bind(0).unwrap();
    let taken = first.api.local_addr().unwrap().port();
    let error = bind(taken).err().unwrap().to_string();
    assert!(error.contains(&format!("port {taken} for the API")), "{error}");
    assert!(bind(65_530).err().unwrap().to_string().contains("65529"));
}
