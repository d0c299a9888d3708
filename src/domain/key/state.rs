//! Where a key stands, and what each state may become. Coming back from INACTIVE takes an `issue` decision; DELETED is the
//! end.

use serde::{Deserialize, Serialize};

use crate::id::{PersonId, RequestId};
use crate::time::Timestamp;

/// Where a key stands. Coming back from INACTIVE takes an `issue` decision; DELETED is the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyState {
    /// Sealed to a tab that has not confirmed.
    Delivered,
    /// The tab confirmed, or a use showed that it was received.
    Confirmed,
    /// The tab did not confirm in time: it is to be deactivated unless it was used.
    Unconfirmed {
        since: Timestamp,
    },
    Inactive {
        why: DeactivationReason,
        since: Timestamp,
    },
    /// About to be reactivated by an `issue` decision: the lease is held, and the timer finishes what was begun.
    Activating {
        by: RequestId,
        /// Until when it then lives.
        end: Timestamp,
        /// Why it was off.
        why: DeactivationReason,
        since: Timestamp,
    },
    /// Reactivated by an `issue` decision.
    Active,
    /// About to be deleted: the lease is held, and the timer finishes what was begun.
    Deleting {
        why: DeactivationReason,
        /// Who, or `keyvend.expiry`.
        by: String,
    },
    Deleted {
        why: DeactivationReason,
        at: Timestamp,
    },
    /// It may have come of a `CreateAccessKey` that nobody heard the answer of: deactivated, and asked about daily.
    Suspect {
        /// When it was last asked about.
        asked_at: Timestamp,
    },
    /// A suspect of which somebody said that keyvend did not make it: nothing to do with it any more.
    NotOurs {
        by: PersonId,
    },
}

/// Why a key is off or gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeactivationReason {
    /// Somebody pressed **This wasn't me**.
    Reported,
    /// Nobody confirmed having received it.
    Unconfirmed,
    /// Its time ran out.
    Expired,
    /// Somebody who may asked for it.
    UserRequested,
    /// Another key took its place.
    Rotated,
    /// Its owner left.
    OwnerDeactivated,
    /// Somebody deleted it in AWS, or its IAM user.
    DeletedInAws,
}

/// The mark of a key that is to be off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeactivationMark {
    pub since: Timestamp,
    /// Who, or `keyvend.expiry`.
    pub by: String,
    pub why: DeactivationReason,
    /// By which press of **This wasn't me**, where it is one.
    pub press: Option<RequestId>,
}

/// What each state may become, as docs/architecture.md draws it. Anything else is refused before it is written.
pub(crate) const TRANSITIONS: [(&str, &str); 24] = [
    ("DELIVERED", "CONFIRMED"),
    ("DELIVERED", "UNCONFIRMED"),
    ("UNCONFIRMED", "CONFIRMED"),
    ("DELIVERED", "INACTIVE"),
    ("CONFIRMED", "INACTIVE"),
    ("UNCONFIRMED", "INACTIVE"),
    ("ACTIVATING", "INACTIVE"),
    ("ACTIVE", "INACTIVE"),
    ("INACTIVE", "ACTIVATING"),
    ("ACTIVATING", "ACTIVE"),
    ("ACTIVATING", "DELIVERED"),
    ("ACTIVATING", "CONFIRMED"),
    ("ACTIVATING", "UNCONFIRMED"),
    ("INACTIVE", "DELETING"),
    ("SUSPECT", "DELETING"),
    ("SUSPECT", "NOT_OURS"),
    ("DELETING", "DELETED"),
    ("ACTIVATING", "DELETED"),
    ("DELIVERED", "DELETED"),
    ("CONFIRMED", "DELETED"),
    ("UNCONFIRMED", "DELETED"),
    ("ACTIVE", "DELETED"),
    ("INACTIVE", "DELETED"),
    ("SUSPECT", "DELETED"),
];

impl DeactivationReason {
    /// As the trail and the table say it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Unconfirmed => "unconfirmed",
            Self::Expired => "expired",
            Self::UserRequested => "user-requested",
            Self::Rotated => "rotated",
            Self::OwnerDeactivated => "owner-deactivated",
            Self::DeletedInAws => "deleted-in-aws",
        }
    }

    /// The reason that is stored so.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        [
            Self::Reported,
            Self::Unconfirmed,
            Self::Expired,
            Self::UserRequested,
            Self::Rotated,
            Self::OwnerDeactivated,
            Self::DeletedInAws,
        ]
        .into_iter()
        .find(|why| why.as_str() == text)
    }
}

impl KeyState {
    /// Whether the next write of a key in this state may leave it in `next`.
    #[must_use]
    pub fn can_become(&self, next: &Self) -> bool {
        let (from, to) = (self.as_str(), next.as_str());
        from == to || TRANSITIONS.contains(&(from, to))
    }

    /// As people and the table read it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Delivered => "DELIVERED",
            Self::Confirmed => "CONFIRMED",
            Self::Unconfirmed { .. } => "UNCONFIRMED",
            Self::Inactive { .. } => "INACTIVE",
            Self::Activating { .. } => "ACTIVATING",
            Self::Active => "ACTIVE",
            Self::Deleting { .. } => "DELETING",
            Self::Deleted { .. } => "DELETED",
            Self::Suspect { .. } => "SUSPECT",
            Self::NotOurs { .. } => "NOT_OURS",
        }
    }

    /// Whether IAM has it on, as far as its item says.
    #[must_use]
    pub fn is_active(&self) -> bool {
        match self {
            // It may be on already while it is being activated.
            Self::Delivered
            | Self::Confirmed
            | Self::Unconfirmed { .. }
            | Self::Activating { .. }
            | Self::Active => true,
            Self::Inactive { .. }
            | Self::Deleting { .. }
            | Self::Deleted { .. }
            | Self::Suspect { .. }
            | Self::NotOurs { .. } => false,
        }
    }

    /// Whether there is no such key any more, or none that keyvend has to do with.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Deleted { .. } | Self::NotOurs { .. } => true,
            Self::Delivered
            | Self::Confirmed
            | Self::Unconfirmed { .. }
            | Self::Inactive { .. }
            | Self::Activating { .. }
            | Self::Active
            | Self::Deleting { .. }
            | Self::Suspect { .. } => false,
        }
    }
}
