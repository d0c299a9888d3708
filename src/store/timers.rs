//! Timers of items in table `Requests`.

use crate::aws::item::{Update, values};
use crate::time::Timestamp;

/// Moves an item's timer on, if it is still the one that failed.
#[must_use]
pub fn postpone(due_at: Timestamp, until: Timestamp) -> Update {
    Update {
        update: "SET due_at = :until",
        condition: "due_at = :due",
        values: values([(":until", until.0.into()), (":due", due_at.0.into())]),
    }
}
