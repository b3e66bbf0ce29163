use super::*;

#[test]
fn number_app_owns_only_its_numbers() {
    let webhook_app = WebhookApp::Numbers(vec!["1".to_owned(), "2".to_owned()]);
    assert!(webhook_app.owns("1") && webhook_app.owns("2") && !webhook_app.owns("3"));
    assert!(WebhookApp::Deployment.owns("3"));
}
