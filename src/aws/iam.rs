//! IAM, through one session of the issuer role.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_iam::Client;
use aws_sdk_iam::config::Credentials;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::types::{EntityType, StatusType, Tag};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use secrecy::SecretString;

use crate::domain::iam::{AccessKey, AccessKeyLastUsed, AccessKeyStatus};
use crate::domain::new_access_key::NewAccessKey;
use crate::id::{AccessKeyId, IamUserName};
use crate::time::Timestamp;

/// IAM with the rights of one session.
#[derive(Clone, Debug)]
pub struct Iam(Client);

/// A managed policy that is attached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttachedPolicy {
    /// Its name.
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

/// Why a call about a user did not do.
#[derive(Debug, thiserror::Error)]
pub enum IamError {
    /// There is no such user, group or key.
    #[error("no such entity")]
    NoSuchEntity,
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// Why a key was not described.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// The user has 50 tags.
    #[error("the user has as many tags as IAM allows")]
    LimitExceeded,
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// Why `CreateAccessKey` gave no key.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The user has two keys.
    #[error("the user has two keys")]
    LimitExceeded,
    /// There is no such user any more.
    #[error("no such user")]
    NoSuchUser,
    /// AWS said no: for certain, nothing was created.
    #[error("AWS refused: {0}")]
    Refused(String),
    /// No answer, or none that says: a key may exist.
    #[error("no answer from AWS")]
    Unknown,
}

/// A user as `GetUser` shows it.
#[derive(Clone, Debug)]
pub struct UserDetail {
    /// As IAM spells it.
    pub name: IamUserName,
    /// Its ARN.
    pub arn: String,
    /// `/` or `/bots/`.
    pub path: String,
    /// All of its tags.
    pub tags: BTreeMap<String, String>,
    /// The permissions boundary's ARN.
    pub boundary: Option<String>,
}

/// A user in a list of all.
#[derive(Clone, Debug)]
pub struct TaggedUser {
    /// Its name.
    pub name: IamUserName,
    /// `/` or `/bots/`.
    pub path: String,
    /// All of its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether AWS has quarantined it.
    pub quarantined: bool,
}

/// A part of a list of all users.
#[derive(Clone, Debug)]
pub struct UserPage {
    /// These users.
    pub users: Vec<TaggedUser>,
    /// Where the next part begins, if there is one.
    pub next: Option<String>,
}

impl Iam {
    pub(crate) fn new(config: &aws_config::SdkConfig, credentials: Credentials) -> Self {
        let config = aws_sdk_iam::config::Builder::from(config).credentials_provider(credentials).build();
        Self(Client::from_conf(config))
    }

    /// IAM with the rights of whoever calls, in their own account.
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn of_caller(config: &aws_config::SdkConfig) -> Self {
        Self(Client::new(config))
    }

    /// The user, under the name that IAM spells it with: that may differ in case from the one that was asked for
    /// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html>).
    ///
    /// # Errors
    /// [`IamError`].
    pub async fn get_user(&self, user: &IamUserName) -> Result<UserDetail, IamError> {
        let answer = self.0.get_user().user_name(user.as_str()).send().await;
        let found = answer.map_err(|error| unless_missing("iam:GetUser", &error))?;
        let found = found.user.ok_or_else(|| anyhow::anyhow!("iam:GetUser: an answer without a user"))?;
        let name: Option<IamUserName> = found.user_name.parse().ok();
        let name = name.filter(|name| name.is_same_user(user));
        Ok(UserDetail {
            name: name.ok_or_else(|| anyhow::anyhow!("iam:GetUser: an answer about another user"))?,
            arn: found.arn,
            path: found.path,
            tags: found.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect(),
            boundary: found.permissions_boundary.and_then(|boundary| boundary.permissions_boundary_arn),
        })
    }

    /// One page of the account's users with their tags, and where the next one begins. One call reads up to a hundred
    /// users, where ListUsers leaves the tags out and ListUserTags is a call a user
    /// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>).
    ///
    /// # Errors
    /// A fault.
    pub async fn page_of_users(&self, marker: Option<&str>) -> anyhow::Result<UserPage> {
        let page = self
            .0
            .get_account_authorization_details()
            .filter(EntityType::User)
            .max_items(100)
            .set_marker(marker.map(str::to_owned))
            .send()
            .await
            .map_err(|error| crate::aws::aws_error("iam:GetAccountAuthorizationDetails", &error))?;
        let users = page.user_detail_list.unwrap_or_default().into_iter().filter_map(|user| {
            let tags = user.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect();
            let policies = user.attached_managed_policies.unwrap_or_default();
            // One that cannot be read says nothing here; it fails whoever decides.
            let quarantined =
                policies.into_iter().any(|policy| named(policy).is_some_and(|policy| policy.is_quarantine()));
            Some(TaggedUser { name: user.user_name?.parse().ok()?, path: user.path?, tags, quarantined })
        });
        Ok(UserPage { users: users.collect(), next: page.marker.filter(|_| page.is_truncated) })
    }

    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccessKeys.html>. Last uses are not part of it:
    /// each is [`AccessKeyLastUsed::Unknown`].
    ///
    /// # Errors
    /// [`IamError`].
    pub async fn list_access_keys(&self, user: &IamUserName) -> Result<Vec<AccessKey>, IamError> {
        let pages = self.0.list_access_keys().user_name(user.as_str()).into_paginator().items().send();
        let listed: Vec<_> = pages
            .collect::<Result<_, _>>()
            .await
            .map_err(|error| unless_missing("iam:ListAccessKeys", &error))?;
        let unreadable = || anyhow::anyhow!("iam:ListAccessKeys: a key that cannot be read");
        listed
            .into_iter()
            .map(|key| {
                Ok(AccessKey {
                    id: key.access_key_id.and_then(|id| id.try_into().ok()).ok_or_else(unreadable)?,
                    status: match key.status {
                        Some(StatusType::Active) => AccessKeyStatus::Active,
                        Some(StatusType::Inactive) => AccessKeyStatus::Inactive,
                        _ => return Err(unreadable().into()),
                    },
                    create_date: Timestamp(key.create_date.ok_or_else(unreadable)?.secs()),
                    last_used: AccessKeyLastUsed::Unknown,
                })
            })
            .collect()
    }

    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html>. What cannot be read is
    /// unknown, never "unused".
    pub async fn last_used(&self, key: &AccessKeyId) -> AccessKeyLastUsed {
        let answer = self.0.get_access_key_last_used().access_key_id(key.as_str()).send().await;
        match answer.ok().and_then(|answer| answer.access_key_last_used) {
            None => AccessKeyLastUsed::Unknown,
            Some(used) => match used.last_used_date {
                None => AccessKeyLastUsed::Never,
                Some(at) => AccessKeyLastUsed::At {
                    at: Timestamp(at.secs()),
                    service: used.service_name,
                    region: used.region,
                },
            },
        }
    }

    /// The IAM user that a key is of; none where it is no key of this account, of which AWS says that access is denied
    /// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html>).
    ///
    /// # Errors
    /// A fault.
    pub async fn user_of_key(&self, key: &AccessKeyId) -> anyhow::Result<Option<IamUserName>> {
        let answer = self.0.get_access_key_last_used().access_key_id(key.as_str()).send().await;
        match answer {
            Ok(answer) => Ok(answer.user_name.and_then(|name| name.parse().ok())),
            Err(error) => match error.as_service_error().and_then(ProvideErrorMetadata::code) {
                Some("AccessDenied" | "NoSuchEntity") => Ok(None),
                _ => Err(crate::aws::aws_error("iam:GetAccessKeyLastUsed", &error)),
            },
        }
    }

    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListGroupsForUser.html>
    ///
    /// # Errors
    /// [`IamError`].
    pub async fn list_groups(&self, user: &IamUserName) -> Result<Vec<String>, IamError> {
        let pages = self.0.list_groups_for_user().user_name(user.as_str()).into_paginator().items().send();
        let groups: Vec<_> = pages
            .collect::<Result<_, _>>()
            .await
            .map_err(|error| unless_missing("iam:ListGroupsForUser", &error))?;
        Ok(groups.into_iter().map(|group| group.group_name).collect())
    }

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

    /// Creates a key, asking once: the call has no idempotency token, so a retry could make a second one
    /// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccessKey.html>).
    ///
    /// # Errors
    /// [`CreateError`], which tells a certain no from no answer.
    pub async fn create_access_key(&self, user: &IamUserName) -> Result<NewAccessKey, CreateError> {
        let once = aws_sdk_iam::Config::builder().retry_config(RetryConfig::disabled()).timeout_config(
            TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(10)).build(),
        );
        let answer = self
            .0
            .create_access_key()
            .user_name(user.as_str())
            .customize()
            .config_override(once)
            .send()
            .await;
        let key = match answer {
            Ok(answer) => answer.access_key.ok_or(CreateError::Unknown)?,
            Err(error) => return Err(create_error(&error)),
        };
        let id = key.access_key_id.try_into().map_err(|_| CreateError::Unknown)?;
        Ok(NewAccessKey { id, secret: SecretString::from(key.secret_access_key) })
    }

    /// Switches a key off; one that is gone is as good as off.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html>
    ///
    /// # Errors
    /// A fault.
    pub async fn deactivate_access_key(&self, user: &IamUserName, key: &AccessKeyId) -> anyhow::Result<()> {
        match self.deactivate_known_access_key(user, key).await {
            Ok(()) | Err(IamError::NoSuchEntity) => Ok(()),
            Err(IamError::Other(error)) => Err(error),
        }
    }

    /// Switches a key on; `false` where there is no such key.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html>
    ///
    /// # Errors
    /// A fault.
    pub async fn activate_access_key(&self, user: &IamUserName, key: &AccessKeyId) -> anyhow::Result<bool> {
        let update = self.0.update_access_key().user_name(user.as_str()).access_key_id(key.as_str());
        let answer = update.status(StatusType::Active).send().await;
        match answer.map_err(|error| unless_missing("iam:UpdateAccessKey", &error)) {
            Ok(_) => Ok(true),
            Err(IamError::NoSuchEntity) => Ok(false),
            Err(IamError::Other(error)) => Err(error),
        }
    }

    /// The same, saying of a key that the user does not have.
    ///
    /// # Errors
    /// [`IamError`].
    pub async fn deactivate_known_access_key(
        &self,
        user: &IamUserName,
        key: &AccessKeyId,
    ) -> Result<(), IamError> {
        let update = self.0.update_access_key().user_name(user.as_str()).access_key_id(key.as_str());
        let answer = update.status(StatusType::Inactive).send().await;
        answer.map(drop).map_err(|error| unless_missing("iam:UpdateAccessKey", &error))
    }

    /// Deletes a key; one that is gone is as good as deleted.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteAccessKey.html>
    ///
    /// # Errors
    /// A fault.
    pub async fn delete_access_key(&self, user: &IamUserName, key: &AccessKeyId) -> anyhow::Result<()> {
        let answer =
            self.0.delete_access_key().user_name(user.as_str()).access_key_id(key.as_str()).send().await;
        match answer.map_err(|error| unless_missing("iam:DeleteAccessKey", &error)) {
            Ok(_) | Err(IamError::NoSuchEntity) => Ok(()),
            Err(IamError::Other(error)) => Err(error),
        }
    }

    /// Tags the user: the console shows a tag named after a key as that key's description.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagUser.html>
    ///
    /// # Errors
    /// [`TagError`].
    pub async fn tag_key(
        &self,
        user: &IamUserName,
        key: &AccessKeyId,
        description: &str,
    ) -> Result<(), TagError> {
        let tag = Tag::builder().key(key.as_str()).value(description).build();
        let tag = tag.map_err(|_| anyhow::anyhow!("iam:TagUser: the tag could not be built"))?;
        let answer = self.0.tag_user().user_name(user.as_str()).tags(tag).send().await;
        answer.map(drop).map_err(|error| {
            match error.as_service_error().and_then(ProvideErrorMetadata::code) {
                Some("LimitExceeded") => TagError::LimitExceeded,
                _ => TagError::Other(crate::aws::aws_error("iam:TagUser", &error)),
            }
        })
    }

    /// Removes the descriptions of these keys; one that is not there is no error.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagUser.html>
    ///
    /// # Errors
    /// A fault.
    pub async fn untag_keys(&self, user: &IamUserName, keys: &[AccessKeyId]) -> anyhow::Result<()> {
        let names = keys.iter().map(|key| key.as_str().to_owned()).collect();
        let answer = self.0.untag_user().user_name(user.as_str()).set_tag_keys(Some(names)).send().await;
        answer.map(drop).map_err(|error| crate::aws::aws_error("iam:UntagUser", &error))
    }
}

fn unless_missing<E: ProvideErrorMetadata, R>(call: &'static str, error: &SdkError<E, R>) -> IamError {
    match error.as_service_error().and_then(ProvideErrorMetadata::code) {
        Some("NoSuchEntity") => IamError::NoSuchEntity,
        _ => IamError::Other(crate::aws::aws_error(call, error)),
    }
}

fn attached(
    call: &'static str,
    policies: Vec<aws_sdk_iam::types::AttachedPolicy>,
) -> Result<Vec<AttachedPolicy>, IamError> {
    policies
        .into_iter()
        .map(|policy| named(policy).ok_or_else(|| anyhow::anyhow!("{call}: a policy without a name").into()))
        .collect()
}

fn named(policy: aws_sdk_iam::types::AttachedPolicy) -> Option<AttachedPolicy> {
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

/// Only a 4xx that AWS answered, or a request that never left, is a certain no.
fn create_error<E: ProvideErrorMetadata>(
    error: &SdkError<E, aws_smithy_runtime_api::http::Response>,
) -> CreateError {
    match error {
        SdkError::ConstructionFailure(_) => CreateError::Refused("the request could not be built".to_owned()),
        SdkError::ServiceError(service) if service.raw().status().is_client_error() => {
            match service.err().code() {
                Some("LimitExceeded") => CreateError::LimitExceeded,
                Some("NoSuchEntity") => CreateError::NoSuchUser,
                code => CreateError::Refused(code.unwrap_or("an unnamed error").to_owned()),
            }
        }
        _ => CreateError::Unknown,
    }
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
