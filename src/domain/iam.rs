//! What was looked up afresh about a person and an IAM user, before policy is asked.
//! A look-up that failed never becomes an empty set here: there is then no value of these types at all.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::id::{
    AccessKeyId, AccountAlias, AccountId, Digest256, IamUserName, PersonId, SlackUserId, UserGroupId,
};
use crate::time::Timestamp;

/// The group that a member of `KEYVEND_APPROVERS` is in, whatever Slack group or channel that is.
pub const APPROVERS: &str = "approvers";

/// A person as Slack's `users.info` tells (<https://docs.slack.dev/reference/methods/users.info>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Team and user.
    pub id: PersonId,
    /// A single- or multi-channel guest (`is_restricted`, `is_ultra_restricted`).
    pub guest: bool,
    /// Of another workspace, seen through a shared channel (`is_stranger`, or another team).
    pub external: bool,
    /// Deactivated.
    pub deleted: bool,
    /// A bot or an app.
    pub bot: bool,
    /// The profile's address, where there is one.
    pub email: Option<String>,
    /// Whether Slack saw that address confirmed.
    pub email_confirmed: bool,
    /// Slack groups this person is in: [`APPROVERS`], and user-group ids that somebody asked about.
    pub groups: BTreeSet<String>,
}

/// A request is not made while there are more approvers than this: it keeps their ids in its item.
pub const MAX_ELIGIBLE_APPROVERS: usize = 1_000;

/// Whose approval of a request can count: who was an approver when it was created. Kept with the request, and never renewed:
/// else one approver could invite the second one to a request that waits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EligibleApprovers(BTreeSet<SlackUserId>);

impl EligibleApprovers {
    /// Whether this person's approval can count. Met in two workspaces of an organization it is one person.
    #[must_use]
    pub fn contains(&self, user: &SlackUserId) -> bool {
        self.0.contains(user)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &SlackUserId> {
        self.0.iter()
    }

    /// The same without somebody: the holder of the key that a request is about.
    #[must_use]
    pub fn without(mut self, user: &SlackUserId) -> Self {
        self.0.remove(user);
        self
    }

    /// Whether they are too many to keep.
    #[must_use]
    pub fn are_too_many(&self) -> bool {
        self.0.len() > MAX_ELIGIBLE_APPROVERS
    }
}

impl FromIterator<SlackUserId> for EligibleApprovers {
    fn from_iter<I: IntoIterator<Item = SlackUserId>>(users: I) -> Self {
        Self(users.into_iter().collect())
    }
}

impl Person {
    /// Whether this is a person of the workspace itself, and still there.
    #[must_use]
    pub fn is_full_member(&self) -> bool {
        !(self.guest || self.external || self.deleted || self.bot)
    }
}

/// An AWS account by the alias people type and the number AWS knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// After `@` in a command.
    pub alias: AccountAlias,
    /// 12 digits.
    pub id: AccountId,
}

/// An IAM user with what decides over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IamUser {
    /// Where it lives.
    pub account: Account,
    /// Its name, as IAM spells it.
    pub name: IamUserName,
    /// Its path, `/` or `/bots/`.
    pub path: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Slack users named by `keyvend:owners`, `keyvend:owners2` to `4`.
    pub owners: BTreeSet<SlackUserId>,
    /// Slack user groups named there.
    pub owner_groups: BTreeSet<UserGroupId>,
    /// Its IAM groups.
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
    /// Its id.
    pub id: AccessKeyId,
    /// Whether it works.
    pub status: AccessKeyStatus,
    /// When it was created.
    pub create_date: Timestamp,
    /// When it was last used, as far as AWS tells.
    pub last_used: AccessKeyLastUsed,
}

/// IAM's two states of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessKeyStatus {
    /// It works.
    Active,
    /// It does not, and can be made to again.
    Inactive,
}

/// What `GetAccessKeyLastUsed` says. A last use that cannot be read is unknown, never "unused".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessKeyLastUsed {
    /// AWS has no record of a use since it began to keep them.
    Never,
    /// It was used.
    At {
        /// When.
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
    /// How many of its keys have this status.
    #[must_use]
    pub fn count(&self, status: AccessKeyStatus) -> usize {
        self.keys.iter().filter(|key| key.status == status).count()
    }
}
