//! Lists (Meta, *Interactive list messages*).

use super::Unique;
use crate::whatsapp::{
    graph_error::GraphError,
    send::param::{Param, invalid, required},
};

const MAX_SECTIONS: usize = 10;
const MAX_ROWS: usize = 10;
const MAX_LABEL_CHARS: usize = 20;
const MAX_TITLE_CHARS: usize = 24;
const MAX_ROW_ID_CHARS: usize = 200;
const MAX_DESCRIPTION_CHARS: usize = 72;

pub(super) fn check(action: &Param<'_>) -> Result<(), GraphError> {
    check_short("Button label", &action.required_text("button")?, MAX_LABEL_CHARS)?;
    let (mut ids, mut total) = (Unique::new("row id"), 0);
    for section in sections(action, "rows")? {
        for row in items(&section, "rows", &["id", "title", "description"])? {
            let (id, title) = (row.required_text("id")?, row.required_text("title")?);
            check_short("Row id", &id, MAX_ROW_ID_CHARS)?;
            check_short("Row title", &title, MAX_TITLE_CHARS)?;
            let description = row.text("description")?.unwrap_or_default();
            check_short("Row description", &description, MAX_DESCRIPTION_CHARS)?;
            ids.add(id)?;
            total += 1;
        }
    }
    check_total("row", total, MAX_ROWS)
}

/// Returns the sections of a list of rows or products. A title is required if there are several.
pub(super) fn sections<'a>(action: &Param<'a>, content: &'static str) -> Result<Vec<Param<'a>>, GraphError> {
    let sections = action.required_list("sections", &["title", content])?;
    if !(1..=MAX_SECTIONS).contains(&sections.len()) {
        let details = format!("Invalid sections count. Min allowed sections: 1, Max allowed sections: {MAX_SECTIONS}");
        return Err(invalid(details));
    }
    for section in &sections {
        match section.text("title")?.filter(|title| !title.is_empty()) {
            Some(title) => check_short("Section title", &title, MAX_TITLE_CHARS)?,
            None if sections.len() > 1 => {
                return Err(required(format!("{} is required with several sections.", section.path("title"))));
            }
            None => {}
        }
    }
    Ok(sections)
}

/// Returns the rows or products of a section, which has at least one.
pub(super) fn items<'a>(section: &Param<'a>, name: &str, known: &[&str]) -> Result<Vec<Param<'a>>, GraphError> {
    let items = section.required_list(name, known)?;
    if items.is_empty() {
        return Err(invalid(format!("{} must not be empty", section.path(name))));
    }
    Ok(items)
}

/// Checks the number of rows or products in all sections together.
pub(super) fn check_total(name: &str, total: usize, max: usize) -> Result<(), GraphError> {
    if total <= max { Ok(()) } else { Err(invalid(format!("Total {name} count exceed max allowed count: {max}"))) }
}

fn check_short(name: &str, text: &str, max: usize) -> Result<(), GraphError> {
    if text.chars().count() <= max { Ok(()) } else { Err(invalid(format!("{name} is too long. Max length is {max}"))) }
}
