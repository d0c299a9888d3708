//! Why a request was denied without a person: by policy, by configuration, or by the state of what it is about. Data, stored
//! with the request; src/render/text/denial.rs says it in words.

use serde::{Deserialize, Serialize};

use crate::domain::iam::IamUserRef;
use crate::id::{AccessKeyId, RequestId, SlackUserId};
use crate::time::Timestamp;

/// Why a request was denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DenialReason {
    /// A policy forbids it, or none allows it.
    Policy {
        /// What the policies advise, each sentence once; empty where none allows it.
        advice: Vec<String>,
    },
    /// The policy set is invalid, so nothing is allowed.
    PoliciesInvalid,
    /// The approvers cannot be looked up.
    ApproversUnreachable,
    /// The lifetime is longer than is configured.
    LifetimeTooLong {
        /// The longest, in days.
        max_days: u32,
    },
    /// The IAM user's path would be read as a pattern.
    UnsupportedPath {
        user: IamUserRef,
    },
    /// The IAM user is outside the configured path.
    OutsidePath {
        user: IamUserRef,
        path: String,
    },
    /// Nobody is tagged as the IAM user's owner.
    NoOwner {
        user: IamUserRef,
        /// Who asked for its key.
        requester: SlackUserId,
    },
    /// There is no such IAM user.
    NoSuchUser {
        /// As it was asked for.
        user: IamUserRef,
        /// The IAM user of the requester's that is perhaps meant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        near: Option<IamUserRef>,
    },
    /// The IAM user was deleted since.
    UserDeleted,
    /// The IAM user has as many keys as AWS allows.
    TwoKeys {
        user: IamUserRef,
    },
    /// There are more approvers than a request can record.
    TooManyApprovers {
        /// The most that it can.
        max: usize,
    },
    /// Fewer people can approve it than it needs.
    TooFewApprovers {
        /// The approvals that it needs.
        needed: u32,
        /// How many people can give one.
        found: u32,
    },
    /// The requester has as many open requests as anybody may have.
    TooManyOpenRequests {
        open: Vec<RequestId>,
    },
    /// The key that it is about was deleted.
    KeyDeleted,
    /// The key was to be replaced, and its approved lifetime ended.
    ReplacementTooLate,
    /// The key's approved lifetime ended, which no change of it extends.
    LifetimeEnded {
        key: AccessKeyId,
        end: Timestamp,
    },
    /// The key's expiry was undone before, which can be done once.
    ExpiryUndoneBefore {
        key: AccessKeyId,
    },
    /// The key that was to be reactivated is not inactive.
    KeyNotInactive {
        key: AccessKeyId,
    },
    /// The key that was to be extended is not active.
    KeyNotActive {
        key: AccessKeyId,
    },
    Frozen,
}
