//! Session policies: what one step of work may do, to one IAM user and nothing else.
//! The issuer role allows more; a session has what both allow.

use serde_json::{Value, json};

use crate::facts::Account;
use crate::id::IamUserName;

/// One step that acts on a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IamStep {
    /// Create a key.
    Create,
    /// Delete a key.
    Delete,
    /// Switch a key on.
    Activate,
    /// Switch a key off.
    Deactivate,
    /// Describe a key by a tag on its user.
    Describe,
}

impl IamStep {
    fn action(self) -> &'static str {
        match self {
            Self::Create => "iam:CreateAccessKey",
            Self::Delete => "iam:DeleteAccessKey",
            Self::Activate | Self::Deactivate => "iam:UpdateAccessKey",
            Self::Describe => "iam:TagUser",
        }
    }
}

/// A path that IAM allows and that a policy would read as a pattern or as a policy variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the IAM path contains `*`, `?` or `$`, which a policy would not take literally")]
pub struct UnsupportedPath;

/// Whether a policy takes this path literally
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>).
#[must_use]
pub fn is_supported_path(path: &str) -> bool {
    !path.contains(['*', '?', '$'])
}

/// The policy for one step on one user, at the path it was looked up at.
///
/// # Errors
/// [`UnsupportedPath`]: the session would reach other users.
pub fn acting(
    step: IamStep,
    account: &Account,
    path: &str,
    user: &IamUserName,
) -> Result<String, UnsupportedPath> {
    if !is_supported_path(path) {
        return Err(UnsupportedPath);
    }
    Ok(policy(step, &json!(format!("arn:aws:iam::{}:user{path}{user}", account.id))))
}

/// The policy for deactivating a key of the user of this name, whose path is not known. The name is whole in it: names
/// hold no slash, so no other user of the account has an ARN that ends in it.
#[cfg(feature = "cli")]
#[must_use]
pub fn deactivating_at_any_path(account: &Account, user: &IamUserName) -> String {
    let user_arn = |path: &str| format!("arn:aws:iam::{}:user{path}{user}", account.id);
    policy(IamStep::Deactivate, &json!([user_arn("/"), user_arn("/*/")]))
}

fn policy(step: IamStep, resource: &Value) -> String {
    let action = step.action();
    let statement = match step {
        // A tag named after a key is its description; any other tag may decide who owns the user.
        IamStep::Describe => json!({
            "Effect": "Allow", "Action": action, "Resource": resource,
            "Condition": {"ForAllValues:StringLike": {"aws:TagKeys": "AKIA*"}},
        }),
        IamStep::Create | IamStep::Delete | IamStep::Activate | IamStep::Deactivate => {
            json!({"Effect": "Allow", "Action": action, "Resource": resource})
        }
    };
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// The policy for looking things up.
#[must_use]
pub fn reading() -> String {
    let statement = json!({
        "Effect": "Allow",
        "Action": [
            "iam:GetUser", "iam:ListAccessKeys", "iam:GetAccessKeyLastUsed", "iam:ListGroupsForUser",
            "iam:ListAttachedUserPolicies", "iam:ListUserPolicies", "iam:GetUserPolicy",
            "iam:ListAttachedGroupPolicies", "iam:ListGroupPolicies", "iam:GetGroupPolicy",
            "iam:ListPolicies", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetAccountAuthorizationDetails",
        ],
        "Resource": "*",
    });
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_may_do_one_thing_to_one_user() {
        let account = Account { alias: "home".parse().unwrap(), id: "123456789012".parse().unwrap() };
        let only_key_ids = json!({"ForAllValues:StringLike": {"aws:TagKeys": "AKIA*"}});
        for (step, action, condition) in [
            (IamStep::Create, "iam:CreateAccessKey", None),
            (IamStep::Delete, "iam:DeleteAccessKey", None),
            (IamStep::Deactivate, "iam:UpdateAccessKey", None),
            (IamStep::Describe, "iam:TagUser", Some(only_key_ids)),
        ] {
            for (path, arn) in [("/", "user/ci"), ("/bots/", "user/bots/ci")] {
                let policy = acting(step, &account, path, &"ci".parse().unwrap()).unwrap();
                let mut statement = json!({
                    "Effect": "Allow", "Action": action, "Resource": format!("arn:aws:iam::123456789012:{arn}"),
                });
                if let Some(condition) = &condition {
                    statement["Condition"] = condition.clone();
                }
                let expected = json!({"Version": "2012-10-17", "Statement": [statement]});
                assert_eq!(serde_json::from_str::<serde_json::Value>(&policy).unwrap(), expected, "{step:?}");
            }
        }
    }

    #[test]
    fn no_session_policy_is_made_of_a_path_that_is_a_pattern() {
        let account = Account { alias: "home".parse().unwrap(), id: "123456789012".parse().unwrap() };
        for step in
            [IamStep::Create, IamStep::Delete, IamStep::Activate, IamStep::Deactivate, IamStep::Describe]
        {
            for path in ["/*/", "/bots*/", "/b?ts/", "/${aws:username}/", "/$/", "/*"] {
                let refused = acting(step, &account, path, &"ci".parse().unwrap());
                assert_eq!(refused, Err(UnsupportedPath), "{step:?} {path}");
            }
        }
        for name in ["ci*", "c?", "$", "${aws:username}"] {
            assert!(name.parse::<IamUserName>().is_err(), "{name}");
        }
    }

    #[cfg(feature = "cli")]
    #[test]
    fn at_any_path_it_is_still_one_user() {
        let account = Account { alias: "home".parse().unwrap(), id: "123456789012".parse().unwrap() };
        let policy = deactivating_at_any_path(&account, &"ci".parse().unwrap());
        let policy: Value = serde_json::from_str(&policy).unwrap();
        let arns = ["arn:aws:iam::123456789012:user/ci", "arn:aws:iam::123456789012:user/*/ci"];
        assert_eq!(policy["Statement"][0]["Resource"], json!(arns));
        assert_eq!(policy["Statement"][0]["Action"], "iam:UpdateAccessKey");
    }

    #[test]
    fn reading_changes_nothing() {
        let policy: serde_json::Value = serde_json::from_str(&reading()).unwrap();
        for action in policy["Statement"][0]["Action"].as_array().unwrap() {
            let name = action.as_str().unwrap();
            assert!(name.starts_with("iam:Get") || name.starts_with("iam:List"), "{name}");
        }
    }
}
