use super::*;
use crate::store::item::{number, string};

fn key() -> Key {
    Key { pk: "p".to_owned(), sk: "s".to_owned() }
}

#[test]
fn an_update_binds_its_names_and_values() {
    let update = UpdateBuilder::new(&key())
        .set("status", "sent")
        .set("error", None::<&str>)
        .set_if_absent("failed_at", "now")
        .add("attempts", 1)
        .remove(["lease", "due_at"])
        .condition(("#status = ? AND lease = ?", ["pending", "l"]))
        .condition(("attribute_not_exists(count) OR count < ?", 5));
    assert_eq!(
        update.expression().as_deref(),
        Some(
            "SET #status = :v0, #failed_at = if_not_exists(#failed_at, :v1) ADD #attempts :v2 \
             REMOVE #lease, #due_at"
        )
    );
    assert_eq!(
        update.condition_expression().as_deref(),
        Some("#status = :v3 AND lease = :v4 AND (attribute_not_exists(count) OR count < :v5)")
    );
    let (names, values) = update.bindings.into_parts();
    let mut names: Vec<String> = names.unwrap().into_values().collect();
    names.sort();
    assert_eq!(names, ["attempts", "due_at", "failed_at", "lease", "status"]);
    let values = values.unwrap();
    assert_eq!((&values[":v0"], &values[":v5"]), (&string("sent"), &number(5)));
}

#[test]
fn an_update_without_changes_is_a_condition_check() {
    let action = UpdateBuilder::new(&key()).condition("attribute_not_exists(pk)").into_action("table");
    let check = action.condition_check.unwrap();
    assert_eq!(check.condition_expression, "attribute_not_exists(pk)");
    assert_eq!((check.expression_attribute_names, check.expression_attribute_values), (None, None));
}

#[test]
fn joined_conditions_keep_their_values_in_order() {
    let condition = Condition::equals("chat_id", Some("a")).and(Condition::equals("ends_at", None::<&str>));
    let (text, bindings) = condition.or(("n >= ?", 2).into()).build();
    assert_eq!(text.as_deref(), Some("((#chat_id = :v0) AND (attribute_not_exists(#ends_at))) OR (n >= :v1)"));
    assert_eq!(bindings.values[":v1"], number(2));
    assert_eq!(Condition::none().build().0, None);
}
