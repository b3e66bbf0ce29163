use super::*;

fn callback(url: &str) -> Callback {
    Callback { url: url.to_owned(), verify_token: "verify".to_owned() }
}

fn state() -> State {
    let mut state = State::default();
    for id in ["1", "2"] {
        let text = |prefix: &str| format!("{prefix}-{id}");
        state.put(App {
            id: id.to_owned(),
            name: text("app"),
            secret: text("secret"),
            access_token: text("token"),
            callback: (id == "1").then(|| callback("app")),
        });
    }
    state.subscribe("waba", "1", None);
    state
}

#[test]
fn the_override_of_the_number_precedes_those_of_account_and_app() {
    let mut state = state();
    let url = |state: &State, number: &str| state.destination("1", "waba", number).map(|callback| callback.url.clone());
    assert_eq!(url(&state, "7").as_deref(), Some("app"));
    state.subscribe("waba", "1", Some(callback("account")));
    assert_eq!(url(&state, "7").as_deref(), Some("account"));
    state.override_number("7", "1", Some(callback("number")));
    assert_eq!(url(&state, "7").as_deref(), Some("number"));
    assert_eq!(url(&state, "8").as_deref(), Some("account"));
    state.override_number("7", "1", None);
    assert_eq!(url(&state, "7").as_deref(), Some("account"));
    state.subscribe("waba", "1", None);
    assert_eq!(url(&state, "7").as_deref(), Some("app"));
    assert_eq!(state.subscriptions("waba").count(), 1);
}

#[test]
fn only_subscribed_apps_with_a_callback_have_a_destination() {
    let mut state = state();
    assert_eq!(state.destination("2", "waba", "7"), None, "not subscribed");
    state.subscribe("waba", "2", None);
    assert_eq!(state.destination("2", "waba", "7"), None, "no callback");
    state.override_number("7", "2", Some(callback("number")));
    assert_eq!(state.destination("2", "waba", "7"), Some(&callback("number")));
    state.unsubscribe("waba", "2");
    assert_eq!(state.destination("2", "waba", "7"), None, "unsubscribed");
    assert_eq!(state.destination("1", "other", "7"), None, "another account");
}

#[test]
fn callbacks_and_subscriptions_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let (journal, recovered) = Journal::open(&folder.path().join("journal")).unwrap();
        let app = |id: &str| App { id: id.to_owned(), callback: None, ..state().apps[0].clone() };
        super::open(&journal, &recovered, "waba", app(DEFAULT_APP_ID), app(BOT_APP_ID)).unwrap()
    };
    let first = open();
    assert_eq!(first.read(|state| state.subscriptions("waba").count()), 2);
    first
        .change(|state| {
            state.unsubscribe("waba", DEFAULT_APP_ID);
            state.set_callback(BOT_APP_ID, Some(callback("bot")));
            Ok::<_, JournalError>(())
        })
        .unwrap();
    let second = open();
    assert_eq!(second.read(|state| state.subscriptions("waba").count()), 1);
    assert_eq!(second.read(|state| state.app(BOT_APP_ID).unwrap().callback.clone()), Some(callback("bot")));
}
