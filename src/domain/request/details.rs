//! What is requested: a new key, or a change of one; for whom, how long and why. And what approvers are shown of it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::iam::{AccessKey, Account, IamUser};
use crate::domain::use_case::UseCase;
use crate::id::{AccessKeyId, Digest256, IamUserName, PersonId, RequestId};
use crate::time::Timestamp;

/// What a request is for. Everything but a new key is about one that exists, and is judged with what remains of its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestKind {
    Create,
    /// A new key in place of one, until that one's approved end or for a lifetime of its own.
    Rotate {
        key: AccessKeyId,
        end: Timestamp,
        /// The lifetime that was approved for it first, in days.
        days: u32,
        /// Whether it may outlive that one: a whole lifetime begins.
        #[serde(default)]
        renews: bool,
    },
    /// A key that is off back, until `end`.
    Reactivate {
        key: AccessKeyId,
        end: Timestamp,
        /// Whether this takes an expiry back, which happens once.
        undo: bool,
    },
    /// A key for longer, until `end`.
    Extend {
        key: AccessKeyId,
        end: Timestamp,
    },
}

impl RequestKind {
    /// The key that exists and comes back or lives longer: no link is needed for it.
    #[must_use]
    pub fn existing(&self) -> Option<&AccessKeyId> {
        match self {
            Self::Create | Self::Rotate { .. } => None,
            Self::Reactivate { key, .. } | Self::Extend { key, .. } => Some(key),
        }
    }

    /// The key that the request is about, where it is about one.
    #[must_use]
    pub fn key(&self) -> Option<&AccessKeyId> {
        match self {
            Self::Create => None,
            Self::Rotate { key, .. } | Self::Reactivate { key, .. } | Self::Extend { key, .. } => Some(key),
        }
    }

    /// The end that the key then has, where it is fixed beforehand.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        match self {
            Self::Create => None,
            Self::Rotate { end, .. } | Self::Reactivate { end, .. } | Self::Extend { end, .. } => Some(*end),
        }
    }

    /// What the trail says of it, where it is about a key that exists.
    pub(crate) fn detail(&self) -> Vec<(String, String)> {
        let (kind, key, end) = match self {
            Self::Create => return Vec::new(),
            Self::Rotate { key, end, renews: false, .. } => ("rotate", key, end),
            Self::Rotate { key, end, renews: true, .. } => ("renew", key, end),
            Self::Reactivate { key, end, undo: true } => ("undo", key, end),
            Self::Reactivate { key, end, undo: false } => ("activate", key, end),
            Self::Extend { key, end } => ("extend", key, end),
        };
        let detail = [("kind", kind.to_owned()), ("key", key.to_string()), ("end", end.rfc3339())];
        detail.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

/// What somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestDetails {
    pub kind: RequestKind,
    pub requester: PersonId,
    pub account: Account,
    /// For which IAM user.
    pub user: IamUserName,
    /// What the key is for.
    pub use_case: UseCase,
    /// How many days it should live.
    pub days: u32,
    /// Why, in the requester's words.
    pub reason: String,
    /// SHA-256 of the mail address in the requester's profile at that time: enough to see later that it changed.
    #[serde(deserialize_with = "Option::deserialize")]
    pub email_hash: Option<String>,
    pub at: Timestamp,
    /// The open request of the same person that this one takes the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<RequestId>,
}

impl RequestDetails {
    /// Whether it is the same request, whatever the requester's address was when each was looked at, and however the IAM
    /// user's name was spelled.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let looked_up =
            Self { email_hash: self.email_hash.clone(), user: self.user.clone(), ..other.clone() };
        self.user.is_same_user(&other.user) && *self == looked_up
    }

    /// Whether both ask for the same, whenever they were made. A change of a key is the same whatever end it was given.
    #[must_use]
    pub fn asks_the_same(&self, other: &Self) -> bool {
        let about_key = self.kind.key().is_some();
        std::mem::discriminant(&self.kind) == std::mem::discriminant(&other.kind)
            && self.kind.key() == other.kind.key()
            && self.requester == other.requester
            && self.account.id == other.account.id
            && self.user.is_same_user(&other.user)
            && (about_key
                || (self.use_case, self.days, &self.reason) == (other.use_case, other.days, &other.reason))
    }

    pub(crate) fn canonical(&self) -> Value {
        json!([
            self.requester.to_string(),
            self.account.id.as_str(),
            self.user.as_str(),
            self.use_case.as_str(),
            self.days,
            self.reason,
            self.at.0,
            self.kind,
        ])
    }
}

/// What the card shows and its approvers judged: another value at the click redraws the card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewSnapshot {
    /// Approvals that policy wants.
    pub required_approvals: u32,
    /// Whether the IAM user is privileged.
    pub privileged: bool,
    pub groups: Vec<String>,
    /// Its policies, attached, inline and of its groups.
    pub policies: Vec<String>,
    /// A digest over their documents: part of the revision, but not of what people read.
    pub policy_digest: Digest256,
    #[serde(deserialize_with = "Option::deserialize")]
    pub boundary: Option<String>,
    /// Its keys. Shown, but no part of the revision: a last use moves all the time.
    pub keys: Vec<AccessKey>,
}

impl ReviewSnapshot {
    /// What an IAM user and the needed approvals show.
    #[must_use]
    pub fn of(user: &IamUser, needed: u32) -> Self {
        Self {
            required_approvals: needed,
            privileged: user.privileged,
            groups: user.groups.iter().cloned().collect(),
            policies: user.policies.iter().cloned().collect(),
            policy_digest: user.policy_digest.clone(),
            boundary: user.boundary.clone(),
            keys: user.keys.clone(),
        }
    }
}

impl ReviewSnapshot {
    /// A digest over what approvers judge, whatever request shows it: approvals hold for what has the same one.
    #[must_use]
    pub fn digest(&self) -> Digest256 {
        Digest256::of(self.canonical().to_string().as_bytes())
    }

    /// All but the keys.
    pub(crate) fn canonical(&self) -> Value {
        let Self {
            required_approvals: needed,
            privileged,
            groups,
            policies,
            policy_digest,
            boundary,
            keys: _,
        } = self;
        json!([privileged, groups, policies, policy_digest, boundary, needed])
    }
}
