//! Evaluates the functions' IAM policies. The access key of a function instance names the function, so a fake service
//! identifies the caller by the signature of its request.

use std::{collections::HashMap, fmt};

use axum::http::header::{AUTHORIZATION, HeaderMap};

use crate::template::{Function, Statement};

/// The roles of all functions.
pub(crate) struct Roles {
    /// Keyed by package name, which is the prefix of an instance's access key.
    by_function: HashMap<String, Role>,
}

struct Role {
    name: String,
    statements: Vec<Statement>,
}

/// What a request, or a member of a transaction, needs.
pub(crate) struct Access {
    pub(crate) action: String,
    pub(crate) resource: String,
    /// The partition keys that a DynamoDB request names: one, those of a batch, or none for a scan. Empty for other
    /// services.
    pub(crate) leading_keys: Vec<String>,
}

/// A request that no statement allows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AccessDenied {
    user: String,
    pub(crate) action: String,
    pub(crate) resource: String,
}

impl Roles {
    pub(crate) fn new(functions: &[Function]) -> Roles {
        // SAM names the generated role this way.
        let role = |function: &Function| (format!("{}Role", function.logical_id), function.permissions.clone());
        Roles::of(functions.iter().map(|function| (function.name.clone(), role(function))))
    }

    /// Creates roles from package names, and the names and statements of the roles.
    pub(crate) fn of(roles: impl IntoIterator<Item = (String, (String, Vec<Statement>))>) -> Roles {
        let roles = roles.into_iter().map(|(function, (name, statements))| (function, Role { name, statements }));
        Roles { by_function: roles.collect() }
    }

    /// Checks whether the holder of this access key has all of `accesses`. The access key of a function instance is
    /// `<function>.<n>`. All other access keys have full access.
    pub(crate) fn check(
        &self,
        access_key: &str,
        accesses: impl IntoIterator<Item = Access>,
    ) -> Result<(), AccessDenied> {
        let Some((name, _)) = access_key.rsplit_once('.') else { return Ok(()) };
        let Some(role) = self.by_function.get(name) else { return Ok(()) };
        let denied = accesses.into_iter().find(|access| !role.allows(access));
        denied.map_or(Ok(()), |Access { action, resource, .. }| {
            let user = format!("arn:aws:sts::000000000000:assumed-role/{}/{name}", role.name);
            Err(AccessDenied { user, action, resource })
        })
    }
}

impl Role {
    fn allows(&self, access: &Access) -> bool {
        self.statements.iter().any(|statement| {
            // Action names are case-insensitive (IAM User Guide, *IAM JSON policy elements: Action*).
            statement.actions.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(&access.action))
                && statement.resources.iter().any(|allowed| is_like(allowed, &access.resource))
                // `ForAllValues` is also true for a request without a key, such as a scan.
                && statement.leading_keys.as_ref().is_none_or(|patterns| {
                    access.leading_keys.iter().all(|key| patterns.iter().any(|pattern| is_like(pattern, key)))
                })
        })
    }
}

/// Matches a pattern of `StringLike`, in which `*` stands for any text and `?` for one character (IAM User Guide, *String
/// condition operators*).
pub(crate) fn is_like(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => {
            text.char_indices().any(|(at, _)| is_like(rest.as_str(), &text[at..])) || is_like(rest.as_str(), "")
        }
        Some(wanted) => {
            let mut text = text.chars();
            text.next().is_some_and(|found| wanted == '?' || wanted == found) && is_like(rest.as_str(), text.as_str())
        }
    }
}

impl fmt::Display for AccessDenied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AccessDenied { user, action, resource } = self;
        write!(
            f,
            "User: {user} is not authorized to perform: {action} on resource: {resource} \
             because no identity-based policy allows the {action} action"
        )
    }
}

/// Returns the access key from `AWS4-HMAC-SHA256 Credential=<access key>/<date>/…` (IAM User Guide, *Create a signed
/// AWS API request*). Empty for a request without a signature header.
pub(crate) fn access_key(headers: &HeaderMap) -> &str {
    headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once("Credential="))
        .and_then(|(_, credential)| credential.split('/').next())
        .unwrap_or_default()
}
