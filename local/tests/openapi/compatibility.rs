//! Compares the description with the one of the last release: whatever a client sends or reads today must keep working.

mod compare;
mod tests;

use self::compare::breaking_changes;
use crate::document::Document;

/// The description of the last release. `docs/operations.md` says when to replace it.
const RELEASED: &str = "local/tests/openapi/released.yaml";

#[test]
fn nothing_of_the_last_release_is_removed_or_narrowed() {
    let changes = breaking_changes(&Document::read(RELEASED), &Document::load());
    assert!(
        changes.is_empty(),
        "openapi.yaml breaks clients of the last release ({RELEASED}):\n{}",
        changes.join("\n")
    );
}
