//! What the worker writes to a ticket, each as part of the transaction that changes its request.

use crate::id::TicketId;
use crate::item::{Attribute, Item, Table, Update, Write, values};
use crate::seal::Sealed;
use crate::time::Timestamp;

fn update(tid: &TicketId, update: &'static str, condition: &'static str, values: Item) -> Write {
    Write::Update {
        table: Table::Tickets,
        key: tid.to_string(),
        update: Update { update, condition, values },
    }
}

/// Holds while the tab waits, at this attempt, for its key.
#[must_use]
pub fn still_claimed(tid: &TicketId, attempt: i64) -> Write {
    Write::Check {
        table: Table::Tickets,
        key: tid.to_string(),
        condition: "#state = :claimed AND attempt = :attempt",
        values: values([(":claimed", "CLAIMED".into()), (":attempt", attempt.into())]),
    }
}

/// The key lies sealed to the tab.
#[must_use]
pub fn sealed(tid: &TicketId, attempt: i64, sealed: Sealed, now: Timestamp) -> Write {
    update(
        tid,
        "SET #state = :sealed, enc = :enc, ct = :ct, aad = :aad, receipt_sha256 = :receipt, sealed_at = :now",
        "#state = :claimed AND attempt = :attempt",
        values([
            (":sealed", "SEALED".into()),
            (":claimed", "CLAIMED".into()),
            (":attempt", attempt.into()),
            (":enc", Attribute::Bytes(sealed.enc)),
            (":ct", Attribute::Bytes(sealed.ct)),
            (":aad", Attribute::Bytes(sealed.aad)),
            (":receipt", sealed.receipt_hash.as_slice().into()),
            (":now", now.0.into()),
        ]),
    )
}

/// Claimed, but no key came of it.
#[must_use]
pub fn failed(tid: &TicketId) -> Write {
    update(
        tid,
        "SET #state = :failed",
        "#state = :claimed",
        values([(":failed", "FAILED".into()), (":claimed", "CLAIMED".into())]),
    )
}

/// Withdrawn while nobody claimed it: one that a tab is collecting is not taken from it by a new link.
#[must_use]
pub fn void(tid: &TicketId) -> Write {
    update(
        tid,
        "SET #state = :void",
        "#state = :pending OR #state = :locked",
        values([(":void", "VOID".into()), (":pending", "PENDING".into()), (":locked", "LOCKED".into())]),
    )
}

/// Withdrawn from the tab that claimed it, while no key is being created for it.
#[must_use]
pub fn void_claimed(tid: &TicketId) -> Write {
    update(
        tid,
        "SET #state = :void",
        "#state = :claimed",
        values([(":void", "VOID".into()), (":claimed", "CLAIMED".into())]),
    )
}

/// The first `taken` events are in the request's chain: empties the outbox, if it has not grown.
#[must_use]
pub fn outbox_taken(tid: &TicketId, taken: usize) -> Write {
    let taken = i64::try_from(taken).unwrap_or(i64::MAX);
    update(
        tid,
        "SET outbox = :none",
        "size(outbox) = :taken",
        values([(":none", Attribute::List(Vec::new())), (":taken", taken.into())]),
    )
}
