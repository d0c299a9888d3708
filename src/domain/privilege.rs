//! Whether a policy document makes its holder privileged: it allows to act with the rights of others, or to change
//! anybody's rights. Yes unless every statement is shown to be ordinary: a document that cannot be read, says what it
//! does not allow, or has members that are not known here counts as yes. Conditions, Deny statements and permissions
//! boundaries never make it ordinary: they narrow when, or what is left, and neither is evaluated here.
//!
//! What other principals or resources allow is not in the document and is not seen: trust policies of roles, policies of
//! buckets, keys and functions, and what the one role, function or secret that is named may do.

pub mod pattern;
pub mod services;
pub mod statement;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::domain::privilege::statement::{OneOrMany, Statement};

/// The versions of the policy language
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html>).
const VERSIONS: [&str; 2] = ["2008-10-17", "2012-10-17"];

/// A policy document (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>). A member that
/// is not known here or stands there twice is an error: of two equal ones AWS may count the other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Document {
    version: Option<String>,
    #[serde(rename = "Id")]
    _id: Option<IgnoredAny>,
    statement: OneOrMany<Statement>,
}

/// Judges one policy document of the IAM user with this ARN, whose own password, keys and devices it may manage.
#[must_use]
pub fn is_privileged(document: &str, own_arn: &str) -> bool {
    let Ok(document) = serde_json::from_str::<Document>(document) else { return true };
    if document.version.is_some_and(|version| !VERSIONS.contains(&version.as_str())) {
        return true;
    }
    document.statement.as_slice().iter().any(|statement| !statement.is_ordinary(own_arn))
}

#[cfg(test)]
mod tests;
