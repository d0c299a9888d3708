//! What time and state call for next: decided here, and done by the key's timer.

use crate::domain::key::record::IssuedKey;
use crate::domain::key::state::{DeactivationMark, DeactivationReason, KeyState};
use crate::domain::ticket::claim::FETCH_WINDOW;
use crate::domain::timer::Lane;
use crate::time::{DAY, Timestamp};

/// How long a key that is off can still be asked back before it is deleted, in seconds.
pub const DELETION_GRACE: i64 = 7 * DAY;
/// How long the requester of a key that nobody confirmed has to say so, in seconds.
pub const UNCONFIRMED_DELETION_GRACE: i64 = DAY;
/// How long after an interrupted step the timer does it again, in seconds.
pub const RETRY_DELAY: i64 = 60;

/// What is to be done with a key when its timer runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DueAction {
    Nothing,
    /// IAM is to switch it off, and its item is to say so.
    Deactivate(DeactivationReason),
    /// Its time ran out: its last use decides whether it is deactivated now.
    Expire,
    /// Its requester is reminded of its end.
    SendReminder,
    /// Another took its place: its last use decides whether to ask about switching it off.
    CheckOldKeyIdle,
    /// Its ticket decides whether it was received.
    CheckConfirmation,
    /// Its last use does.
    CheckLastUse,
    /// It is to be deleted.
    Delete(DeactivationReason),
    /// IAM is told once more that it is off.
    ReassertInactive,
    /// It is to be activated: the decision was written down.
    Activate,
    /// The approvers are asked once more whether it is keyvend's.
    RemindAboutSuspect,
}

impl IssuedKey {
    /// When it must next be looked at, if nobody does anything.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        let next = match &self.state {
            KeyState::Delivered => Some(Timestamp(self.issued_at.0 + FETCH_WINDOW)),
            KeyState::Confirmed | KeyState::Active => {
                let look_at = self.successor.as_ref().and_then(|successor| successor.check_at);
                [Some(self.deadline()), self.remind_at(), look_at].into_iter().flatten().min()
            }
            KeyState::Unconfirmed { since } => Some(*since),
            KeyState::Inactive { why: DeactivationReason::Unconfirmed, since } => {
                Some(Timestamp(since.0 + UNCONFIRMED_DELETION_GRACE))
            }
            KeyState::Inactive { since, .. } => Some(Timestamp(since.0 + DELETION_GRACE)),
            // Under way: whenever the next sweep finds it so.
            KeyState::Activating { .. } | KeyState::Deleting { .. } => {
                Some(self.unproven.map_or(self.issued_at, |unproven| unproven.retry_at))
            }
            KeyState::Suspect { asked_at } => Some(Timestamp(asked_at.0 + DAY)),
            KeyState::Deleted { .. } | KeyState::NotOurs { .. } => None,
        };
        let reassert_at = self.reassert_at.map(|at| self.unproven.map_or(at, |unproven| unproven.retry_at));
        [next, reassert_at].into_iter().flatten().min()
    }

    /// Whether `mark` is still to be carried out: the key is active as far as its state says, or its state does not say that
    /// it was reported.
    #[must_use]
    pub fn is_deactivation_pending(&self, mark: Option<&DeactivationMark>) -> bool {
        mark.is_some_and(|mark| {
            self.state.is_active() || (mark.why == DeactivationReason::Reported && !self.is_reported())
        })
    }

    /// When its timer runs out, as [`Self::due_at`] unless it is still to be deactivated.
    #[must_use]
    pub fn due_at_with(&self, mark: Option<&DeactivationMark>) -> Option<Timestamp> {
        match mark {
            // It is still to be deactivated, whatever else is written of it.
            Some(mark) if self.is_deactivation_pending(Some(mark)) => {
                let retry_at = self.unproven.map_or(mark.since.0, |unproven| unproven.retry_at.0);
                Some(Timestamp(retry_at.max(mark.since.0 + RETRY_DELAY)))
            }
            Some(_) | None => self.due_at(),
        }
    }

    /// Which timers its own belongs to, by what it will call for.
    #[must_use]
    pub fn lane(&self, mark: Option<&DeactivationMark>) -> Lane {
        let Some(due_at) = self.due_at_with(mark) else { return Lane::Routine };
        match self.due_action(mark, due_at) {
            DueAction::Deactivate(_)
            | DueAction::Expire
            | DueAction::CheckConfirmation
            | DueAction::CheckLastUse
            | DueAction::ReassertInactive
            | DueAction::Activate
            | DueAction::RemindAboutSuspect => Lane::Security,
            DueAction::Nothing
            | DueAction::SendReminder
            | DueAction::CheckOldKeyIdle
            | DueAction::Delete(_) => Lane::Routine,
        }
    }

    /// What time and state call for.
    #[must_use]
    pub fn due_action(&self, mark: Option<&DeactivationMark>, now: Timestamp) -> DueAction {
        if let (Some(mark), true) = (mark, self.is_deactivation_pending(mark)) {
            return DueAction::Deactivate(mark.why);
        }
        if self.due_at().is_none_or(|due_at| now < due_at) {
            return DueAction::Nothing;
        }
        if self.reassert_at.is_some_and(|at| at <= now) {
            return DueAction::ReassertInactive;
        }
        match &self.state {
            KeyState::Delivered => DueAction::CheckConfirmation,
            KeyState::Confirmed | KeyState::Active => {
                if self.deadline() <= now {
                    DueAction::Expire
                } else if self.remind_at().is_some_and(|at| at <= now) {
                    DueAction::SendReminder
                } else {
                    DueAction::CheckOldKeyIdle
                }
            }
            KeyState::Unconfirmed { .. } => DueAction::CheckLastUse,
            KeyState::Inactive { why, .. } | KeyState::Deleting { why, .. } => DueAction::Delete(*why),
            KeyState::Activating { .. } => DueAction::Activate,
            KeyState::Suspect { .. } => DueAction::RemindAboutSuspect,
            KeyState::Deleted { .. } | KeyState::NotOurs { .. } => DueAction::Nothing,
        }
    }
}
