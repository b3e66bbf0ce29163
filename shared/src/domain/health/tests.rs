use std::time::Duration;

use serde_json::json;

use super::*;
use crate::domain::session::Session;

const NUMBER: &str = "106540352242922";
const ACCOUNT: &str = "102290129340398";

fn now() -> Timestamp {
    Timestamp::from_seconds(1_795_000_000).unwrap()
}

fn after_days(days: u64) -> Timestamp {
    now().after(Duration::from_secs(days * 24 * 60 * 60))
}

fn refused(code: i64, error: &str) -> ReadError {
    ReadError::Refused(Refusal {
        error: error.to_owned(),
        code: Some(code),
        fbtrace_id: None,
        is_token_refused: matches!(code, 100 | 190),
    })
}

fn no_response() -> ReadError {
    ReadError::NoResponse("WhatsApp didn't respond: timed out".to_owned())
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn token() -> TokenInfo {
    TokenInfo {
        app_id: some("670843887433847"),
        is_valid: true,
        error: None,
        expires_at: None,
        scopes: ["whatsapp_business_management", "whatsapp_business_messaging"].map(str::to_owned).to_vec(),
        granted_accounts: vec![("whatsapp_business_messaging".to_owned(), vec![ACCOUNT.to_owned()])],
    }
}

fn number() -> NumberInfo {
    NumberInfo {
        status: some("CONNECTED"),
        code_verification_status: some("VERIFIED"),
        platform_type: some("CLOUD_API"),
        quality_rating: some("GREEN"),
        throughput: some("STANDARD"),
        verified_name: some("Lucky Shrub"),
        callbacks: Callbacks { app: some("https://api.example.com/api/webhook"), ..Callbacks::default() },
    }
}

fn review() -> NumberReview {
    let entity = |kind: &str, id: &str| HealthEntity {
        kind: kind.to_owned(),
        id: id.to_owned(),
        can_send_message: "AVAILABLE".to_owned(),
        ..HealthEntity::default()
    };
    NumberReview {
        name_status: some("APPROVED"),
        can_send_message: some("AVAILABLE"),
        entities: vec![entity("PHONE_NUMBER", NUMBER), entity("WABA", ACCOUNT), entity("APP", "670843887433847")],
    }
}

/// Checks the state of a check, and that it has a sentence if it needs one. Returns its problem and fix.
fn texts(check: &Check, ok: Option<bool>) -> String {
    assert_eq!(check.ok, ok, "{check:?}");
    assert!(check.ok == Some(true) || check.problem.is_some(), "{check:?}");
    assert!(check.ok != Some(false) || check.fix.is_some(), "{check:?}");
    let texts = [&check.problem, &check.fix];
    let texts: Vec<&str> = texts.into_iter().flatten().map(String::as_str).collect();
    assert!(texts.iter().all(|text| text.ends_with('.')), "{check:?}");
    texts.join(" ")
}

fn of_token(info: Result<TokenInfo, ReadError>) -> Check {
    access_token(Some(&info), CredentialSource::Deployment, Some(ACCOUNT), now())
}

#[test]
fn valid_token_is_good() {
    let check = of_token(Ok(token()));
    assert_eq!(texts(&check, Some(true)), "");
    assert_eq!(check.details["source"], "deployment");
    assert_eq!(texts(&of_token(Ok(TokenInfo { expires_at: Some(after_days(8)), ..token() })), Some(true)), "");
    let soon = texts(&of_token(Ok(TokenInfo { expires_at: Some(after_days(6)), ..token() })), Some(true));
    assert!(soon.contains("expires on 2026-11-"), "{soon}");
    assert_eq!(texts(&of_token(Ok(TokenInfo { granted_accounts: Vec::new(), ..token() })), Some(true)), "");
}

#[test]
fn problem_of_a_token_is_named() {
    let without = |scope: &str| token().scopes.into_iter().filter(|own| own != scope).collect();
    let elsewhere = ("whatsapp_business_management".to_owned(), vec!["7".to_owned()]);
    for (info, part) in [
        (Ok(TokenInfo { is_valid: false, error: some("Session has expired"), ..token() }), "not valid: Session has"),
        (Ok(TokenInfo { expires_at: Some(now()), ..token() }), "expired on 2026-11-"),
        (
            Ok(TokenInfo { scopes: without("whatsapp_business_messaging"), ..token() }),
            "lacks the permission whatsapp_business_messaging.",
        ),
        (
            Ok(TokenInfo { granted_accounts: vec![elsewhere], ..token() }),
            "granted for other WhatsApp Business Accounts",
        ),
        (Err(refused(190, "Invalid OAuth access token (190)")), "refuses the access token: Invalid OAuth"),
        (
            Err(refused(100, "API calls from the server require an appsecret_proof argument (100)")),
            "Require App Secret",
        ),
    ] {
        let texts = texts(&of_token(info), Some(false));
        assert!(texts.contains(part), "{texts}");
    }
    assert!(texts(&of_token(Err(no_response())), None).contains("timed out"));
    let missing = |source| texts(&access_token(None, source, None, now()), Some(false));
    assert!(missing(CredentialSource::Deployment).contains("SecretArn"));
    assert!(missing(CredentialSource::Number).contains("PUT /api/numbers/"));
}

#[test]
fn app_secret_must_be_that_of_the_tokens_app() {
    let check = |found| app_secret(&found, CredentialSource::Deployment, Some("670843887433847"));
    assert_eq!(texts(&check(AppSecretMatch::Match(CredentialSource::Number)), Some(true)), "");
    assert!(texts(&check(AppSecretMatch::NoSecret), Some(false)).contains("No app secret is stored"));
    assert!(texts(&check(AppSecretMatch::Mismatch), Some(false)).contains("the app 670843887433847"));
    texts(&check(AppSecretMatch::Unknown(no_response())), None);
}

#[test]
fn status_decides_whether_a_number_works() {
    let check = |status: &str, platform: &str| {
        number_status(&Ok(NumberInfo { status: some(status), platform_type: some(platform), ..number() }), NUMBER)
    };
    assert_eq!(texts(&check("CONNECTED", "CLOUD_API"), Some(true)), "");
    assert!(texts(&check("FLAGGED", "CLOUD_API"), Some(true)).contains("flagged"));
    for (status, platform, part) in [
        ("CONNECTED", "NOT_APPLICABLE", "v26.0/106540352242922/register"),
        ("DISCONNECTED", "NOT_APPLICABLE", "not registered"),
        ("RESTRICTED", "CLOUD_API", "messaging limit"),
        ("BANNED", "CLOUD_API", "Appeal"),
        ("MIGRATED", "CLOUD_API", "moved"),
        ("STRANGE", "CLOUD_API", "the status STRANGE"),
    ] {
        let texts = texts(&check(status, platform), Some(false));
        assert!(texts.contains(part), "{texts}");
    }
    texts(&number_status(&Ok(NumberInfo::default()), NUMBER), None);
    let inaccessible = number_status(&Err(refused(100, "Unsupported get request (100)")), NUMBER);
    assert!(texts(&inaccessible, Some(false)).contains("no access"));
    let invalid_token = number_status(&Err(refused(190, "Invalid (190)")), NUMBER);
    assert!(texts(&invalid_token, None).contains("the check access_token"));
    texts(&number_status(&Err(no_response()), NUMBER), None);
}

#[test]
fn low_quality_is_bad_and_medium_quality_a_warning() {
    let check = |rating: &str| quality(&Ok(NumberInfo { quality_rating: some(rating), ..number() }));
    for rating in ["GREEN", "NA", "UNKNOWN"] {
        assert_eq!(texts(&check(rating), Some(true)), "", "{rating}");
    }
    assert!(texts(&check("YELLOW"), Some(true)).contains("medium"));
    assert!(texts(&check("RED"), Some(false)).contains("low"));
    texts(&quality(&Ok(NumberInfo::default())), None);
}

#[test]
fn throughput_must_not_be_below_the_deployments() {
    let check = |level: &str, rate| throughput(&Ok(NumberInfo { throughput: some(level), ..number() }), rate);
    assert_eq!(texts(&check("STANDARD", 80), Some(true)), "");
    assert_eq!(texts(&check("HIGH", 1000), Some(true)), "");
    assert!(texts(&check("STANDARD", 81), Some(false)).contains("81 messages a second"));
    texts(&check("NOT_APPLICABLE", 80), None);
    texts(&throughput(&Err(no_response()), 80), None);
}

#[test]
fn display_name_is_checked_by_its_status() {
    let check = |status: Option<&str>| {
        display_name(&Ok(number()), &Ok(NumberReview { name_status: status.map(str::to_owned), ..review() }))
    };
    assert_eq!(check(Some("APPROVED")).details["verified_name"], "Lucky Shrub");
    for (status, ok) in [
        (Some("APPROVED"), Some(true)),
        (Some("AVAILABLE_WITHOUT_REVIEW"), Some(true)),
        (Some("PENDING_REVIEW"), Some(true)),
        (Some("NONE"), Some(true)),
        (Some("DECLINED"), Some(false)),
        (Some("EXPIRED"), Some(false)),
        (Some("STRANGE"), None),
        (None, None),
    ] {
        texts(&check(status), ok);
    }
}

#[test]
fn blocked_entity_has_metas_error_and_solution() {
    assert_eq!(texts(&sending(&Ok(review())), Some(true)), "");
    let mut blocked = review();
    blocked.can_send_message = some("BLOCKED");
    blocked.entities[1].can_send_message = "BLOCKED".to_owned();
    blocked.entities[1].errors = vec![("There was an error with the payment method.".to_owned(), some("Add a card."))];
    let check = sending(&Ok(blocked));
    assert_eq!(
        texts(&check, Some(false)),
        "WhatsApp blocks the WhatsApp Business Account: There was an error with the payment method. Add a card."
    );
    assert_eq!(check.details["entities"], json!({"PHONE_NUMBER": "AVAILABLE", "WABA": "BLOCKED", "APP": "AVAILABLE"}));
    let mut limited = review();
    limited.can_send_message = some("LIMITED");
    limited.entities[0].can_send_message = "LIMITED".to_owned();
    limited.entities[0].additional_info = vec!["Your display name has not been approved yet.".to_owned()];
    assert!(texts(&sending(&Ok(limited)), Some(true)).contains("limits the number. Your display name"));
    texts(&sending(&Ok(NumberReview::default())), None);
}

fn deployment() -> Deployment {
    let gateway = Gateway { host: some("api.example.com"), api_id: some("a1b2c3d4e5") };
    Deployment { gateway, ..Deployment::default() }
}

fn of_callback(callbacks: Callbacks, deployment: &Deployment) -> Check {
    callback(&Ok(NumberInfo { callbacks, ..number() }), deployment, NUMBER, Some(ACCOUNT))
}

fn of_url(url: &str, deployment: &Deployment) -> Check {
    of_callback(Callbacks { app: some(url), ..Callbacks::default() }, deployment)
}

#[test]
fn callback_leads_to_the_deployment() {
    for url in [
        "https://api.example.com/api/webhook",
        "https://API.example.com:443/api/webhook/",
        "https://api.example.com/api/webhook?source=meta",
        "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/api/webhook",
    ] {
        assert_eq!(texts(&of_url(url, &deployment()), Some(true)), "", "{url}");
    }
    let own_domain = Deployment { domain_name: some("wa.example.org"), ..deployment() };
    assert_eq!(texts(&of_url("https://wa.example.org/api/webhook", &own_domain), Some(true)), "");
    for url in [
        "https://other.example.com/api/webhook",
        "https://api.example.com:8443/api/webhook",
        "https://a1b2c3d4e5.example.com/api/webhook",
        "https://z9b2c3d4e5.execute-api.eu-central-1.amazonaws.com/api/webhook",
        "https://api.example.com/webhook",
        "https://api.example.com/api/webhook/x",
        "nonsense",
    ] {
        assert!(texts(&of_url(url, &deployment()), Some(false)).contains("App Dashboard"), "{url}");
    }
    assert!(texts(&of_callback(Callbacks::default(), &deployment()), Some(false)).contains("no callback URL"));
}

#[test]
fn override_replaces_the_callback_of_the_app() {
    let (here, elsewhere) = (some("https://api.example.com/api/webhook"), some("https://bot.example.net/hook"));
    let check =
        of_callback(Callbacks { number: elsewhere.clone(), account: here.clone(), app: here.clone() }, &deployment());
    assert!(texts(&check, Some(false)).contains("v26.0/106540352242922 with an empty override_callback_uri"));
    assert_eq!(
        (&check.details["set_for"], &check.details["url"]),
        (&json!("number"), &json!("https://bot.example.net/…"))
    );
    let check = of_callback(Callbacks { number: None, account: elsewhere.clone(), app: here.clone() }, &deployment());
    assert!(texts(&check, Some(false)).contains("v26.0/102290129340398/subscribed_apps without parameters"));
    let check = of_callback(Callbacks { number: here, account: None, app: elsewhere }, &deployment());
    assert_eq!(texts(&check, Some(true)), "");
}

#[test]
fn secrets_in_a_callback_are_not_shown() {
    let check = of_url("https://user:password@other.example.com/hook-token?token=secret#part", &deployment());
    assert_eq!(check.details["url"], "https://other.example.com/…");
    let shown = serde_json::to_string(&check).unwrap();
    assert!(!["password", "hook-token", "token=", "user:"].iter().any(|part| shown.contains(part)), "{shown}");
}

#[test]
fn firewall_and_proxies_hide_the_address() {
    let url = "https://d111111abcdef8.cloudfront.net/api/webhook";
    let firewall = Deployment { has_firewall: true, ..deployment() };
    assert!(texts(&of_url(url, &firewall), None).contains("WebhookUrl"));
    assert!(texts(&of_url("https://api.example.com/api/webhook", &firewall), Some(false)).contains("firewall"));
    let known = Deployment { domain_name: some("wa.example.org"), ..firewall };
    texts(&of_url(url, &known), Some(false));
    let receiving = Deployment { receives_webhooks: true, ..deployment() };
    texts(&of_url(url, &receiving), None);
    texts(&of_url("https://api.example.com/webhook", &receiving), Some(false));
}

#[test]
fn app_must_be_subscribed_to_the_account_and_to_messages() {
    let app = "670843887433847";
    let apps = |ids: &[&str]| Ok(ids.iter().map(|id| (*id).to_owned()).collect());
    let fields = |names: &[&str], is_active| {
        Ok(Some(AppSubscription { is_active, fields: names.iter().map(|name| (*name).to_owned()).collect() }))
    };
    let check = |subscribed: Option<Result<Vec<String>, ReadError>>,
                 own: Option<Result<Option<AppSubscription>, ReadError>>| {
        subscription(Some(ACCOUNT), subscribed.as_ref(), Some(app), own.as_ref())
    };
    let messages = || Some(fields(&["account_update", "messages"], true));
    assert_eq!(texts(&check(Some(apps(&["7", app])), messages()), Some(true)), "");
    assert_eq!(texts(&check(Some(apps(&[app])), None), Some(true)), "");
    for ids in [&[][..], &["7"]] {
        let texts = texts(&check(Some(apps(ids)), messages()), Some(false));
        assert!(texts.contains("POST https://graph.facebook.com/v26.0/102290129340398/subscribed_apps"), "{texts}");
    }
    for own in [fields(&["account_update"], true), fields(&["messages"], false), Ok(None)] {
        assert!(texts(&check(Some(apps(&[app])), Some(own)), Some(false)).contains("Webhook fields"));
    }
    texts(&check(Some(apps(&[app])), Some(Err(no_response()))), None);
    texts(&check(Some(Err(no_response())), None), None);
    texts(&check(None, None), None);
    texts(&subscription(Some(ACCOUNT), Some(&apps(&[app])), None, None), None);
}

fn session() -> Session {
    Session { is_connected: true, is_ready: true, ..Session::new("ada".to_owned(), None, now()) }
}

#[test]
fn paused_and_unlinked_sessions_are_bad() {
    assert_eq!(texts(&connection(&session()), Some(true)), "");
    assert_eq!(texts(&outbox(&session()), Some(true)), "");
    let unlinked = Session::new("ada".to_owned(), None, now());
    assert!(texts(&connection(&unlinked), Some(false)).contains("GET /api/qr"));
    let refused = Session { pairing_error: some("This WhatsApp number belongs to another owner."), ..unlinked };
    assert!(texts(&connection(&refused), Some(false)).contains("another owner"));
    let paused = Session { paused_reason: some("Error validating access token (190)."), ..session() };
    assert!(texts(&outbox(&paused), Some(false)).contains("POST /api/session/resume"));
    let worker = Session { channel: crate::domain::message::Channel::Worker, is_connected: false, ..session() };
    assert!(texts(&connection(&worker), Some(false)).contains("worker"));
    texts(&connection(&Session { is_connected: true, is_ready: false, ..worker }), Some(false));
}

#[test]
fn silence_of_whatsapp_is_no_proof_of_a_problem() {
    assert_eq!(texts(&last_webhook(Some(now()), 0), Some(true)), "");
    texts(&last_webhook(None, 0), None);
    assert!(texts(&last_webhook(Some(now()), 3), None).contains("accepted 3 messages"));
}

#[test]
fn report_without_an_answer_about_the_number_is_not_healthy() {
    let good = || vec![connection(&session()), number_status(&Ok(number()), NUMBER)];
    assert!(Report::new(good()).healthy);
    assert!(Report::new(vec![connection(&session())]).healthy);
    let with = |check| Report::new(good().into_iter().chain([check]).collect()).healthy;
    assert!(with(last_webhook(None, 0)), "unknown");
    assert!(!with(quality(&Ok(NumberInfo { quality_rating: some("RED"), ..number() }))));
    assert!(!Report::new(vec![connection(&session()), number_status(&Err(no_response()), NUMBER)]).healthy);
}
