use serde_json::{Value, json};

use super::*;

fn update(automation: &mut Automation, change: Value) -> Result<(), GraphError> {
    automation.update(&serde_json::from_value(change).map(Parameters).unwrap())
}

#[test]
fn components_are_changed_one_by_one() {
    let mut automation = Automation::default();
    assert_eq!(automation.field("1"), None);
    let commands = json!([{"command_name": "tickets", "command_description": "Book flight tickets"}]);
    update(&mut automation, json!({"prompts": ["Book a flight"], "enable_welcome_message": "true"})).unwrap();
    update(&mut automation, json!({"commands": commands.to_string()})).unwrap();
    let expected = json!({"enable_welcome_message": true, "prompts": ["Book a flight"], "commands": commands,
        "id": "1"});
    assert_eq!(automation.field("1"), Some(expected));
}

#[test]
fn components_outside_of_the_limits_are_refused() {
    let command = |name: &str, description: &str| json!({"command_name": name, "command_description": description});
    let commands = |count: usize| (0..count).map(|n| command(&n.to_string(), "x")).collect::<Vec<_>>();
    let accepted = [
        json!({"prompts": vec!["x".repeat(80); 4]}),
        json!({"commands": commands(30)}),
        json!({"commands": [command(&"x".repeat(32), &"é".repeat(256))]}),
    ];
    for change in accepted {
        assert!(update(&mut Automation::default(), change.clone()).is_ok(), "{change}");
    }
    let refused = [
        json!({"prompts": vec!["x"; 5]}),
        json!({"prompts": ["x".repeat(81)]}),
        json!({"prompts": [""]}),
        json!({"prompts": ["hi 👋"]}),
        json!({"commands": commands(31)}),
        json!({"commands": [command(&"x".repeat(33), "x")]}),
        json!({"commands": [command("x", &"x".repeat(257))]}),
        json!({"commands": [command("x", "")]}),
        json!({"commands": [command("x", "1"), command("x", "2")]}),
        json!({"commands": {}}),
        json!({"enable_welcome_message": "maybe"}),
    ];
    for change in refused {
        assert_eq!(update(&mut Automation::default(), change.clone()).unwrap_err().code, 100, "{change}");
    }
}
