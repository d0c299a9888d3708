//! Access keys: listed, created once, activated, deactivated, deleted.

use std::time::Duration;

use aws_sdk_iam::error::ProvideErrorMetadata;
use aws_sdk_iam::types::StatusType;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use secrecy::SecretString;

use crate::aws::error::aws_error;
use crate::aws::iam::client::Iam;
use crate::aws::iam::error::{CreateError, IamError, KeyError, create_error, key_error, unless_missing};
use crate::domain::iam::{AccessKey, AccessKeyLastUsed, AccessKeyStatus};
use crate::domain::new_access_key::NewAccessKey;
use crate::id::{AccessKeyId, IamUserName};
use crate::time::Timestamp;

/// What `GetAccessKeyLastUsed` tells of a key.
#[derive(Debug)]
pub enum KeyUse {
    /// It is of this IAM user now.
    Of(Option<IamUserName>, AccessKeyLastUsed),
    /// It is no key of this account, of which AWS says that access is denied.
    NoSuchKey,
    Unreadable(anyhow::Error),
}

fn read_last_use(used: aws_sdk_iam::types::AccessKeyLastUsed) -> AccessKeyLastUsed {
    match used.last_used_date {
        None => AccessKeyLastUsed::Never,
        Some(at) => AccessKeyLastUsed::At {
            at: Timestamp(at.secs()),
            service: used.service_name,
            region: used.region,
        },
    }
}

impl Iam {
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
                        Some(StatusType::Expired) => AccessKeyStatus::Expired,
                        _ => return Err(unreadable().into()),
                    },
                    create_date: Timestamp(key.create_date.ok_or_else(unreadable)?.secs()),
                    last_used: AccessKeyLastUsed::Unknown,
                })
            })
            .collect()
    }

    /// Whose a key is and when it was last used, as far as AWS tells.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html>
    pub async fn key_use(&self, key: &AccessKeyId) -> KeyUse {
        let answer = self.0.get_access_key_last_used().access_key_id(key.as_str()).send().await;
        match answer {
            Ok(answer) => {
                let user = answer.user_name.and_then(|name| name.parse().ok());
                let last_used = answer.access_key_last_used.map_or(AccessKeyLastUsed::Unknown, read_last_use);
                KeyUse::Of(user, last_used)
            }
            Err(error) => match error.as_service_error().and_then(ProvideErrorMetadata::code) {
                Some("AccessDenied" | "NoSuchEntity") => KeyUse::NoSuchKey,
                _ => KeyUse::Unreadable(aws_error("iam:GetAccessKeyLastUsed", &error)),
            },
        }
    }

    /// When a key was last used. What cannot be read is unknown, never "unused".
    pub async fn last_used(&self, key: &AccessKeyId) -> AccessKeyLastUsed {
        match self.key_use(key).await {
            KeyUse::Of(_, last_used) => last_used,
            KeyUse::NoSuchKey | KeyUse::Unreadable(_) => AccessKeyLastUsed::Unknown,
        }
    }

    /// The IAM user that a key is of; none where it is no key of this account.
    pub async fn user_of_key(&self, key: &AccessKeyId) -> anyhow::Result<Option<IamUserName>> {
        match self.key_use(key).await {
            KeyUse::Of(user, _) => Ok(user),
            KeyUse::NoSuchKey => Ok(None),
            KeyUse::Unreadable(error) => Err(error),
        }
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

    /// Switches a key on or off.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html>
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn set_access_key_status(
        &self,
        user: &IamUserName,
        key: &AccessKeyId,
        is_active: bool,
    ) -> Result<(), KeyError> {
        let update = self.0.update_access_key().user_name(user.as_str()).access_key_id(key.as_str());
        let status = if is_active { StatusType::Active } else { StatusType::Inactive };
        let answer = update.status(status).send().await;
        answer.map(drop).map_err(|error| key_error("iam:UpdateAccessKey", &error))
    }

    /// Switches a key off, saying of one that the user does not have.
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

    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteAccessKey.html>
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn delete_access_key(&self, user: &IamUserName, key: &AccessKeyId) -> Result<(), KeyError> {
        let delete = self.0.delete_access_key().user_name(user.as_str()).access_key_id(key.as_str());
        delete.send().await.map(drop).map_err(|error| key_error("iam:DeleteAccessKey", &error))
    }
}
