//! Session policies: what one step of work may do, to one IAM user and nothing else.
//! The issuer role allows more; a session has what both allow.

use serde_json::{Value, json};

use crate::domain::iam::Account;
use crate::id::{AccountId, IamUserName, Partition};

/// One step that acts on a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IamStep {
    Create,
    Delete,
    /// Switch a key on.
    Activate,
    /// Switch a key off.
    Deactivate,
    /// Describe a key by a tag on its user.
    Describe,
    /// Remove descriptions of keys that are gone.
    RemoveDescriptions,
}

impl IamStep {
    fn action(self) -> &'static str {
        match self {
            Self::Create => "iam:CreateAccessKey",
            Self::Delete => "iam:DeleteAccessKey",
            Self::Activate | Self::Deactivate => "iam:UpdateAccessKey",
            Self::Describe => "iam:TagUser",
            Self::RemoveDescriptions => "iam:UntagUser",
        }
    }
}

/// What a session may do, before it is known in which partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPolicy(Allowed);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    /// On the users of these paths and names.
    Step {
        step: IamStep,
        account: AccountId,
        users: Vec<String>,
    },
    Reading,
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
pub fn write_policy(
    step: IamStep,
    account: &Account,
    path: &str,
    user: &IamUserName,
) -> Result<SessionPolicy, UnsupportedPath> {
    if !is_supported_path(path) {
        return Err(UnsupportedPath);
    }
    let users = vec![format!("{path}{user}")];
    Ok(SessionPolicy(Allowed::Step { step, account: account.id.clone(), users }))
}

/// The policy for deactivating a key of the user of this name, whose path is not known. The name is whole in it: names
/// hold no slash, so no other user of the account has an ARN that ends in it.
#[cfg(feature = "cli")]
#[must_use]
pub fn deactivating_at_any_path(account: &Account, user: &IamUserName) -> SessionPolicy {
    let users = vec![format!("/{user}"), format!("/*/{user}")];
    SessionPolicy(Allowed::Step { step: IamStep::Deactivate, account: account.id.clone(), users })
}

/// The policy for looking things up.
#[must_use]
pub fn read_policy() -> SessionPolicy {
    SessionPolicy(Allowed::Reading)
}

impl SessionPolicy {
    /// The policy document, for a session in this partition.
    #[must_use]
    pub fn document(&self, partition: &Partition) -> String {
        let statement = match &self.0 {
            Allowed::Step { step, account, users } => {
                let arn = |user: &String| json!(format!("arn:{partition}:iam::{account}:user{user}"));
                let resource = match users.as_slice() {
                    [user] => arn(user),
                    users => users.iter().map(arn).collect(),
                };
                stepping(*step, &resource)
            }
            Allowed::Reading => json!({
                "Effect": "Allow",
                "Action": [
                    "iam:GetUser", "iam:ListAccessKeys", "iam:GetAccessKeyLastUsed", "iam:ListGroupsForUser",
                    "iam:ListAttachedUserPolicies", "iam:ListUserPolicies", "iam:GetUserPolicy",
                    "iam:ListAttachedGroupPolicies", "iam:ListGroupPolicies", "iam:GetGroupPolicy",
                    "iam:ListPolicies", "iam:GetPolicy", "iam:GetPolicyVersion",
                    "iam:GetAccountAuthorizationDetails",
                ],
                "Resource": "*",
            }),
        };
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    }
}

fn stepping(step: IamStep, resource: &Value) -> Value {
    let action = step.action();
    match step {
        // A tag named after a key is its description; any other tag may decide who owns the user.
        IamStep::Describe | IamStep::RemoveDescriptions => json!({
            "Effect": "Allow", "Action": action, "Resource": resource,
            "Condition": {"ForAllValues:StringLike": {"aws:TagKeys": "AKIA*"}},
        }),
        IamStep::Create | IamStep::Delete | IamStep::Activate | IamStep::Deactivate => {
            json!({"Effect": "Allow", "Action": action, "Resource": resource})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [IamStep; 6] = [
        IamStep::Create,
        IamStep::Delete,
        IamStep::Activate,
        IamStep::Deactivate,
        IamStep::Describe,
        IamStep::RemoveDescriptions,
    ];

    // T2.22
    #[test]
    fn session_allows_one_action_on_one_user() {
        let account = Account { alias: "home".parse().unwrap(), id: "123456789012".parse().unwrap() };
        for step in STEPS {
            let (action, tags) = match step {
                IamStep::Create => ("iam:CreateAccessKey", false),
                IamStep::Delete => ("iam:DeleteAccessKey", false),
                IamStep::Activate | IamStep::Deactivate => ("iam:UpdateAccessKey", false),
                IamStep::Describe => ("iam:TagUser", true),
                IamStep::RemoveDescriptions => ("iam:UntagUser", true),
            };
            for (path, user) in [("/", "user/ci"), ("/bots/", "user/bots/ci")] {
                for partition in ["aws", "aws-cn", "aws-us-gov", "aws-iso-b"] {
                    let policy = write_policy(step, &account, path, &"ci".parse().unwrap()).unwrap();
                    let arn = format!("arn:{partition}:iam::123456789012:{user}");
                    let mut statement = json!({"Effect": "Allow", "Action": action, "Resource": arn});
                    if tags {
                        statement["Condition"] = json!({"ForAllValues:StringLike": {"aws:TagKeys": "AKIA*"}});
                    }
                    let expected = json!({"Version": "2012-10-17", "Statement": [statement]});
                    let document: Value =
                        serde_json::from_str(&policy.document(&partition.parse().unwrap())).unwrap();
                    assert_eq!(document, expected, "{step:?} in {partition}");
                }
            }
        }
    }

    // T2.8
    #[test]
    fn wildcard_path_gets_no_session_policy() {
        let account = Account { alias: "home".parse().unwrap(), id: "123456789012".parse().unwrap() };
        for step in STEPS {
            for path in ["/*/", "/bots*/", "/b?ts/", "/${aws:username}/", "/$/", "/*"] {
                let refused = write_policy(step, &account, path, &"ci".parse().unwrap());
                assert_eq!(refused, Err(UnsupportedPath), "{step:?} {path}");
            }
        }
        for name in ["ci*", "c?", "$", "${aws:username}"] {
            assert!(name.parse::<IamUserName>().is_err(), "{name}");
        }
    }

    #[cfg(feature = "cli")]
    // T2.8
    #[test]
    fn session_policy_at_any_path_names_one_user() {
        let account = Account { alias: "home".parse().unwrap(), id: "123456789012".parse().unwrap() };
        let policy = deactivating_at_any_path(&account, &"ci".parse().unwrap());
        let policy: Value = serde_json::from_str(&policy.document(&Partition::default())).unwrap();
        let arns = ["arn:aws:iam::123456789012:user/ci", "arn:aws:iam::123456789012:user/*/ci"];
        assert_eq!(policy["Statement"][0]["Resource"], json!(arns));
        assert_eq!(policy["Statement"][0]["Action"], "iam:UpdateAccessKey");
    }

    #[test]
    fn reading_changes_nothing() {
        let policy: Value = serde_json::from_str(&read_policy().document(&Partition::default())).unwrap();
        for action in policy["Statement"][0]["Action"].as_array().unwrap() {
            let name = action.as_str().unwrap();
            assert!(name.starts_with("iam:Get") || name.starts_with("iam:List"), "{name}");
        }
    }
}
