//! Policies of users and groups, and their documents.

use std::collections::BTreeMap;

use crate::aws::iam::client::Iam;
use crate::aws::iam::error::{IamError, unless_missing};
use crate::id::IamUserName;

/// A managed policy that is attached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttachedPolicy {
    pub name: String,
    /// Its ARN: AWS's own and one of the account's may share a name.
    pub arn: String,
}

impl AttachedPolicy {
    /// Whether it is what AWS attaches to a user of whom a key leaked
    /// (<https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCompromisedKeyQuarantineV3.html>).
    #[must_use]
    pub fn is_quarantine(&self) -> bool {
        // AWS's own policies are of the account `aws`, in every partition.
        let parts: Vec<&str> = self.arn.splitn(6, ':').collect();
        matches!(parts.as_slice(), ["arn", _, "iam", "", "aws", policy]
            if policy.starts_with("policy/AWSCompromisedKeyQuarantine"))
    }
}

impl Iam {
    /// The attached policies.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedUserPolicies.html>
    ///
    /// # Errors
    /// [`IamError`].
    pub async fn list_attached_policies(&self, user: &IamUserName) -> Result<Vec<AttachedPolicy>, IamError> {
        let pages =
            self.0.list_attached_user_policies().user_name(user.as_str()).into_paginator().items().send();
        let policies: Vec<_> = pages
            .collect::<Result<_, _>>()
            .await
            .map_err(|error| unless_missing("iam:ListAttachedUserPolicies", &error))?;
        attached("iam:ListAttachedUserPolicies", policies)
    }

    /// Names of the inline policies.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUserPolicies.html>
    ///
    /// # Errors
    /// [`IamError`].
    pub async fn list_inline_policies(&self, user: &IamUserName) -> Result<Vec<String>, IamError> {
        let pages = self.0.list_user_policies().user_name(user.as_str()).into_paginator().items().send();
        pages.collect::<Result<_, _>>().await.map_err(|error| unless_missing("iam:ListUserPolicies", &error))
    }

    /// The policies attached to a group.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedGroupPolicies.html>
    ///
    /// # Errors
    /// [`IamError`].
    pub async fn list_attached_group_policies(&self, group: &str) -> Result<Vec<AttachedPolicy>, IamError> {
        let pages = self.0.list_attached_group_policies().group_name(group).into_paginator().items().send();
        let policies: Vec<_> = pages
            .collect::<Result<_, _>>()
            .await
            .map_err(|error| unless_missing("iam:ListAttachedGroupPolicies", &error))?;
        attached("iam:ListAttachedGroupPolicies", policies)
    }

    /// Names of a group's inline policies.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListGroupPolicies.html>
    ///
    /// # Errors
    /// [`IamError`].
    pub async fn list_inline_group_policies(&self, group: &str) -> Result<Vec<String>, IamError> {
        let pages = self.0.list_group_policies().group_name(group).into_paginator().items().send();
        pages.collect::<Result<_, _>>().await.map_err(|error| unless_missing("iam:ListGroupPolicies", &error))
    }

    /// The default version of every policy that is attached to something in the account, by ARN: with it a policy's
    /// document is one call away (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicies.html>).
    ///
    /// # Errors
    /// [`IamError`].
    pub async fn default_versions(&self) -> Result<BTreeMap<String, String>, IamError> {
        let pages =
            self.0.list_policies().only_attached(true).max_items(1000).into_paginator().items().send();
        let policies: Vec<_> = pages
            .collect::<Result<_, _>>()
            .await
            .map_err(|error| unless_missing("iam:ListPolicies", &error))?;
        Ok(policies
            .into_iter()
            .filter_map(|policy| Some((policy.arn?, policy.default_version_id?)))
            .collect())
    }

    /// The default version of a managed policy (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicy.html>).
    ///
    /// # Errors
    /// [`IamError`].
    pub async fn default_version(&self, arn: &str) -> Result<String, IamError> {
        let answer = self.0.get_policy().policy_arn(arn).send().await;
        let policy = answer.map_err(|error| unless_missing("iam:GetPolicy", &error))?.policy;
        let version = policy.and_then(|policy| policy.default_version_id);
        Ok(version.ok_or_else(|| anyhow::anyhow!("iam:GetPolicy: a policy without a default version"))?)
    }

    /// The document of a managed policy.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicyVersion.html>
    ///
    /// # Errors
    /// [`IamError`].
    pub async fn policy_document(&self, arn: &str, version: &str) -> Result<String, IamError> {
        let answer = self.0.get_policy_version().policy_arn(arn).version_id(version).send().await;
        let answer = answer.map_err(|error| unless_missing("iam:GetPolicyVersion", &error))?;
        Ok(decoded(&answer.policy_version.and_then(|version| version.document).unwrap_or_default()))
    }

    /// The document of a user's inline policy.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUserPolicy.html>
    ///
    /// # Errors
    /// [`IamError`].
    pub async fn inline_document(&self, user: &IamUserName, policy: &str) -> Result<String, IamError> {
        let answer = self.0.get_user_policy().user_name(user.as_str()).policy_name(policy).send().await;
        Ok(decoded(&answer.map_err(|error| unless_missing("iam:GetUserPolicy", &error))?.policy_document))
    }

    /// The document of a group's inline policy.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetGroupPolicy.html>
    ///
    /// # Errors
    /// [`IamError`].
    pub async fn inline_group_document(&self, group: &str, policy: &str) -> Result<String, IamError> {
        let answer = self.0.get_group_policy().group_name(group).policy_name(policy).send().await;
        Ok(decoded(&answer.map_err(|error| unless_missing("iam:GetGroupPolicy", &error))?.policy_document))
    }
}

fn attached(
    call: &'static str,
    policies: Vec<aws_sdk_iam::types::AttachedPolicy>,
) -> Result<Vec<AttachedPolicy>, IamError> {
    policies
        .into_iter()
        .map(|policy| {
            read_attached(policy).ok_or_else(|| anyhow::anyhow!("{call}: a policy without a name").into())
        })
        .collect()
}

pub(crate) fn read_attached(policy: aws_sdk_iam::types::AttachedPolicy) -> Option<AttachedPolicy> {
    Some(AttachedPolicy { name: policy.policy_name?, arn: policy.policy_arn? })
}

/// A policy document as IAM sends it: JSON, percent-encoded (RFC 3986).
fn decoded(document: &str) -> String {
    let mut bytes = Vec::with_capacity(document.len());
    let mut rest = document.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarantine_policies_match_in_any_partition() {
        for (arn, expected) in [
            ("arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3", true),
            ("arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantine", true),
            ("arn:aws-cn:iam::aws:policy/AWSCompromisedKeyQuarantineV2", true),
            ("arn:aws-us-gov:iam::aws:policy/AWSCompromisedKeyQuarantineV3", true),
            ("arn:aws:iam::123456789012:policy/AWSCompromisedKeyQuarantineV3", false),
            ("arn:aws:iam::aws:policy/ReadOnlyAccess", false),
            ("AWSCompromisedKeyQuarantineV3", false),
        ] {
            let policy =
                AttachedPolicy { name: "AWSCompromisedKeyQuarantineV3".to_owned(), arn: arn.to_owned() };
            assert_eq!(policy.is_quarantine(), expected, "{arn}");
        }
    }
}
