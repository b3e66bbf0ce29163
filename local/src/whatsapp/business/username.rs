//! The username of a business (Meta, *Business-scoped user IDs*, business usernames).

use crate::whatsapp::graph_error::GraphError;

/// The ends of domain names that a username can't have.
const DOMAINS: [&str; 10] = [".com", ".org", ".net", ".int", ".edu", ".gov", ".mil", ".us", ".in", ".html"];

/// Checks the form of a username.
pub(in crate::whatsapp) fn check(username: &str) -> Result<(), GraphError> {
    let lowercase = username.to_ascii_lowercase();
    let problem = if !(3..=35).contains(&username.chars().count()) {
        "must have 3 to 35 characters"
    } else if !username.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_') {
        "must contain only letters, digits, periods, and underscores"
    } else if !username.contains(|c: char| c.is_ascii_alphabetic()) {
        "must contain a letter"
    } else if username.starts_with('.') || username.ends_with('.') || username.contains("..") {
        "must not start or end with a period, or have two in a row"
    } else if lowercase.starts_with("www") {
        "must not start with www"
    } else if DOMAINS.iter().any(|domain| lowercase.ends_with(domain)) {
        "must not end with a domain"
    } else {
        return Ok(());
    };
    Err(GraphError::parameter(&format!("Param username {problem}.")))
}

#[cfg(test)]
mod tests;
