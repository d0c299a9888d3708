//! What was looked up afresh about an IAM user, before policy is asked.
//! A look-up that failed never becomes an empty set here: there is then no value of these types at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{AccessKeyId, AccountAlias, AccountId, Digest256, IamUserName, SlackUserId, UserGroupId};
use crate::time::Timestamp;

/// How old a key must be for IAM's not showing it to prove that it is gone, in seconds.
pub const CONSISTENT_AFTER: i64 = 45;

/// An AWS account by the alias people type and the number AWS knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// After `@` in a command.
    pub alias: AccountAlias,
    pub id: AccountId,
}

/// An IAM user by account and name, without the facts about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IamUserRef {
    pub account: Account,
    pub name: IamUserName,
}

impl fmt::Display for IamUserRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.account.alias)
    }
}

/// An IAM user with what decides over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IamUser {
    pub account: Account,
    /// Its name, as IAM spells it.
    pub name: IamUserName,
    /// Its path, `/` or `/bots/`.
    pub path: String,
    pub tags: BTreeMap<String, String>,
    /// Slack users named by `keyvend:owners`, `keyvend:owners2` to `4`.
    pub owners: BTreeSet<SlackUserId>,
    /// Slack user groups named there.
    pub owner_groups: BTreeSet<UserGroupId>,
    pub groups: BTreeSet<String>,
    /// Names of every policy that counts: attached, inline (`inline:`), of its groups (`<group>:`).
    pub policies: BTreeSet<String>,
    /// A digest over every policy that counts: where it is from, its name and its document.
    pub policy_digest: Digest256,
    /// The permissions boundary's name: shown, never reckoned.
    pub boundary: Option<String>,
    /// Yes unless shown to be no.
    pub privileged: bool,
    /// An `AWSCompromisedKeyQuarantine` policy is attached.
    pub quarantined: bool,
    /// Its access keys, at most two.
    pub keys: Vec<AccessKey>,
}

/// An access key as IAM lists it (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKeyMetadata.html>).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKey {
    pub id: AccessKeyId,
    pub status: AccessKeyStatus,
    /// When it was created.
    pub create_date: Timestamp,
    /// When it was last used, as far as AWS tells.
    pub last_used: AccessKeyLastUsed,
}

/// IAM's states of a key (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKeyMetadata.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessKeyStatus {
    Active,
    /// It does not, and can be made to again.
    Inactive,
    /// It works for nobody, and whether it can be made to again AWS does not say.
    Expired,
}

impl AccessKeyStatus {
    /// As people read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Expired => "expired",
        }
    }
}

/// What `GetAccessKeyLastUsed` says. A last use that cannot be read is unknown, never "unused".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessKeyLastUsed {
    /// AWS has no record of a use since it began to keep them.
    Never,
    At {
        at: Timestamp,
        /// With which service, `s3`.
        service: String,
        /// Where, `eu-west-1`.
        region: String,
    },
    /// It could not be read.
    Unknown,
}

impl IamUser {
    /// How many of its keys work.
    #[must_use]
    pub fn active_keys(&self) -> usize {
        self.keys.iter().filter(|key| key.status == AccessKeyStatus::Active).count()
    }

    /// How many of its keys do not.
    #[must_use]
    pub fn inactive_keys(&self) -> usize {
        self.keys.len() - self.active_keys()
    }
}
