//! The states of a request.

use serde::{Deserialize, Serialize};

use crate::domain::denial::DenialReason;
use crate::domain::reason::Reason;
use crate::id::{AccessKeyId, PersonId, RequestId, RunId, TicketId};
use crate::time::Timestamp;

/// Where a request stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestState {
    Pending,
    /// Waits for its requester to press Get my key.
    Approved,
    /// A link was given out.
    LinkIssued {
        tid: TicketId,
    },
    /// A key is being created.
    Issuing(IssueIntent),
    /// `CreateAccessKey` gave no answer: whether there is a key is not known, and it is never repeated.
    Ambiguous(AmbiguousCreate),
    Issued {
        key: AccessKeyId,
        /// The ticket it was sealed to.
        tid: TicketId,
        at: Timestamp,
    },
    /// A key that exists was activated again, or lives longer.
    Completed {
        key: AccessKeyId,
        at: Timestamp,
    },
    /// An approver said no.
    Denied {
        by: PersonId,
        press: RequestId,
        /// Why, in the approver's words.
        reason: Reason,
    },
    /// The requester took it back.
    Cancelled,
    /// Nobody answered in time.
    Expired,
    /// Policy said no after all.
    PolicyDenied {
        reason: DenialReason,
    },
}

impl RequestState {
    /// The link that was issued and that nobody has claimed for certain.
    #[must_use]
    pub fn link(&self) -> Option<&TicketId> {
        match self {
            Self::LinkIssued { tid } => Some(tid),
            Self::Pending
            | Self::Approved
            | Self::Issuing(_)
            | Self::Ambiguous(_)
            | Self::Issued { .. }
            | Self::Completed { .. }
            | Self::Denied { .. }
            | Self::Cancelled
            | Self::Expired
            | Self::PolicyDenied { .. } => None,
        }
    }

    /// The intent under which a key is being created.
    #[must_use]
    pub fn intent(&self) -> Option<&IssueIntent> {
        match self {
            Self::Issuing(intent) => Some(intent),
            Self::Pending
            | Self::Approved
            | Self::LinkIssued { .. }
            | Self::Ambiguous(_)
            | Self::Issued { .. }
            | Self::Completed { .. }
            | Self::Denied { .. }
            | Self::Cancelled
            | Self::Expired
            | Self::PolicyDenied { .. } => None,
        }
    }

    /// The issued key, and the ticket that it was sealed for.
    #[must_use]
    pub fn issued(&self) -> Option<(&AccessKeyId, &TicketId)> {
        match self {
            Self::Issued { key, tid, .. } => Some((key, tid)),
            Self::Pending
            | Self::Approved
            | Self::LinkIssued { .. }
            | Self::Issuing(_)
            | Self::Ambiguous(_)
            | Self::Completed { .. }
            | Self::Denied { .. }
            | Self::Cancelled
            | Self::Expired
            | Self::PolicyDenied { .. } => None,
        }
    }

    /// As the table and people read it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Approved => "APPROVED",
            Self::LinkIssued { .. } => "LINK_ISSUED",
            Self::Issuing(_) => "ISSUING",
            Self::Ambiguous(_) => "AMBIGUOUS",
            Self::Issued { .. } => "ISSUED",
            Self::Completed { .. } => "COMPLETED",
            Self::Denied { .. } => "DENIED",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
            Self::PolicyDenied { .. } => "POLICY_DENIED",
        }
    }
}

/// The intent to create a key, held by one invocation until its own deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueIntent {
    /// The ticket that the key goes to.
    pub tid: TicketId,
    pub invocation: RunId,
    /// When the intent was first written down: the day whose count it is in.
    pub started_at: Timestamp,
    pub deadline: Timestamp,
    /// The IAM user's path.
    pub path: String,
    /// The user's keys before.
    pub existing_keys: Vec<AccessKeyId>,
    /// The key, once `CreateAccessKey` answered.
    #[serde(deserialize_with = "Option::deserialize")]
    pub created: Option<AccessKeyId>,
}

/// `CreateAccessKey` was asked and nobody heard the answer: IAM is checked until the outcome is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmbiguousCreate {
    /// What was intended, and the keys there were before.
    pub intent: IssueIntent,
    /// Since when it is not known.
    pub since: Timestamp,
    /// How often IAM was looked at since.
    pub checks_done: usize,
    /// Keys that may have come of it, found so far.
    pub suspect_keys: Vec<AccessKeyId>,
}

/// When IAM is looked at after an unanswered `CreateAccessKey`, in seconds: its lists lag behind.
pub const RECHECK_DELAYS: [i64; 4] = [15, 60, 300, 1_200];

impl AmbiguousCreate {
    /// When IAM is looked at next.
    #[must_use]
    pub fn look_at(&self) -> Option<Timestamp> {
        Some(Timestamp(self.since.0 + RECHECK_DELAYS.get(self.checks_done)?))
    }
}
