//! Users: what they are, whose tags they carry, and the descriptions of their keys, which are tags as well.

use std::collections::BTreeMap;

use aws_sdk_iam::error::ProvideErrorMetadata;
use aws_sdk_iam::types::{EntityType, Tag};

use crate::aws::error::aws_error;
use crate::aws::iam::client::Iam;
use crate::aws::iam::error::{IamError, TagError, unless_missing};
use crate::aws::iam::policies::read_attached;
use crate::id::{AccessKeyId, IamUserName};

/// A user as `GetUser` shows it.
#[derive(Clone, Debug)]
pub struct UserDetail {
    /// As IAM spells it.
    pub name: IamUserName,
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
    pub users: Vec<TaggedUser>,
    /// Where the next part begins, if there is one.
    pub next: Option<String>,
}

impl Iam {
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
    pub async fn page_of_users(&self, marker: Option<&str>) -> anyhow::Result<UserPage> {
        let page = self
            .0
            .get_account_authorization_details()
            .filter(EntityType::User)
            .max_items(100)
            .set_marker(marker.map(str::to_owned))
            .send()
            .await
            .map_err(|error| aws_error("iam:GetAccountAuthorizationDetails", &error))?;
        let users = page.user_detail_list.unwrap_or_default().into_iter().filter_map(|user| {
            let tags = user.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect();
            let policies = user.attached_managed_policies.unwrap_or_default();
            // One that cannot be read says nothing here; a decision fails by it.
            let quarantined = policies
                .into_iter()
                .any(|policy| read_attached(policy).is_some_and(|policy| policy.is_quarantine()));
            Some(TaggedUser { name: user.user_name?.parse().ok()?, path: user.path?, tags, quarantined })
        });
        Ok(UserPage { users: users.collect(), next: page.marker.filter(|_| page.is_truncated) })
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
                _ => TagError::Other(aws_error("iam:TagUser", &error)),
            }
        })
    }

    /// Removes the descriptions of these keys; one that is not there is no error.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagUser.html>
    pub async fn untag_keys(&self, user: &IamUserName, keys: &[AccessKeyId]) -> anyhow::Result<()> {
        let names = keys.iter().map(|key| key.as_str().to_owned()).collect();
        let answer = self.0.untag_user().user_name(user.as_str()).set_tag_keys(Some(names)).send().await;
        answer.map(drop).map_err(|error| aws_error("iam:UntagUser", &error))
    }
}
