//! An access key that keyvend issued. Pure: what time and state call for is decided here; src/worker/timers/key.rs does it.

mod due;
mod expiry;
mod record;
mod state;
mod undo;

pub use due::{DELETION_GRACE, DueAction, RETRY_DELAY, UNCONFIRMED_DELETION_GRACE};
pub use expiry::{
    ExpiryDecision, MAX_POSTPONEMENTS, PostponeReason, RECENT_USE_WINDOW, UNDO_EXTENSION, days_until,
};
pub use record::{IssuedKey, Postponement, REASSERT_DELAY, Reminders, Successor, UNPROVEN_LIMIT, Unproven};
pub use state::{DeactivationMark, DeactivationReason, KeyState};
pub use undo::{DeactivationUndo, UNDO_WINDOW};

#[cfg(test)]
pub(crate) mod tests;
