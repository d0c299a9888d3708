//! A deactivation that the person who asked for it can undo: who, until when, and by which buttons.

use serde::{Deserialize, Serialize};

use crate::domain::iam::Account;
use crate::domain::key::record::IssuedKey;
use crate::domain::key::state::{DeactivationMark, DeactivationReason, KeyState};
use crate::id::{Digest256, IamUserName, PersonId, RequestId};
use crate::time::Timestamp;

/// How long a deactivation can be undone by the person who asked for it, in seconds.
pub const UNDO_WINDOW: i64 = 900;

/// So many buttons of earlier deactivations are still known.
const MAX_EARLIER: usize = 20;

/// A deactivation as it can be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeactivationUndo {
    pub by: PersonId,
    /// The message that asked for the deactivation: delivered again, it makes another button.
    pub message: RequestId,
    pub deactivated_at: Timestamp,
    pub account: Account,
    pub user: IamUserName,
    /// How the key stood; none where keyvend did not issue it.
    pub state: Option<KeyState>,
    /// Digests of what its buttons carry, which is stored nowhere.
    pub nonces: Vec<Digest256>,
    /// The same of earlier deactivations of the key, so that their buttons are told from invented ones.
    pub earlier: Vec<Digest256>,
    /// The press that takes it back: there is one.
    #[serde(deserialize_with = "Option::deserialize")]
    pub pressed: Option<RequestId>,
}

impl DeactivationUndo {
    /// Until when its button may be pressed.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        Timestamp(self.deactivated_at.0 + UNDO_WINDOW)
    }

    /// Whether one of its buttons carries this.
    #[must_use]
    pub fn has_nonce(&self, nonce: &str) -> bool {
        self.nonces.contains(&Digest256::of(nonce.as_bytes()))
    }

    /// Whether a button of an earlier deactivation of the key carries this.
    #[must_use]
    pub fn had_nonce(&self, nonce: &str) -> bool {
        self.earlier.contains(&Digest256::of(nonce.as_bytes()))
    }

    /// The same with one more button.
    #[must_use]
    pub fn with_nonce(mut self, nonce: &str) -> Self {
        self.nonces.push(Digest256::of(nonce.as_bytes()));
        self
    }

    /// This one after those that were before it.
    #[must_use]
    pub fn after(mut self, before: Self) -> Self {
        let all = before.nonces.into_iter().chain(before.earlier);
        self.earlier = all.take(MAX_EARLIER).collect();
        self
    }

    /// Whether the key is off by this deactivation and by nothing else since then.
    #[must_use]
    pub fn is_of(&self, mark: Option<&DeactivationMark>, state: &KeyState) -> bool {
        let why = match state {
            KeyState::Inactive { why, .. } => *why,
            KeyState::Delivered
            | KeyState::Confirmed
            | KeyState::Unconfirmed { .. }
            | KeyState::Activating { .. }
            | KeyState::Active
            | KeyState::Deleting { .. }
            | KeyState::Deleted { .. }
            | KeyState::Suspect { .. }
            | KeyState::NotOurs { .. } => return false,
        };
        mark.is_some_and(|mark| {
            mark.why == why
                && why.can_be_undone()
                && mark.since == self.deactivated_at
                && mark.by == self.by.to_string()
        })
    }
}

impl IssuedKey {
    /// Whether the person who deactivates this key for this may take that back.
    #[must_use]
    pub fn offers_undo(&self, why: DeactivationReason) -> bool {
        // What is being activated, or may be a suspect's, needs a decision of its own.
        let can_return = match &self.state {
            KeyState::Delivered | KeyState::Confirmed | KeyState::Unconfirmed { .. } | KeyState::Active => {
                true
            }
            KeyState::Inactive { .. }
            | KeyState::Activating { .. }
            | KeyState::Deleting { .. }
            | KeyState::Deleted { .. }
            | KeyState::Suspect { .. }
            | KeyState::NotOurs { .. } => false,
        };
        can_return && self.quarantined_at.is_none() && why.can_be_undone()
    }
}

impl DeactivationReason {
    /// Whether whoever deactivated the key for this may take that back.
    #[must_use]
    pub fn can_be_undone(self) -> bool {
        match self {
            Self::UserRequested | Self::Rotated => true,
            Self::Reported
            | Self::Unconfirmed
            | Self::Expired
            | Self::OwnerDeactivated
            | Self::DeletedInAws => false,
        }
    }
}
