//! What the worker writes to a ticket, each as part of the transaction that changes its request.

use crate::aws::item::{Attribute, Item, Table, Update, Write, values};
use crate::domain::ticket::claim::{ATTEMPTS, FETCH_WINDOW, RECHECK_AFTER, TRIES, TicketEventKind, event};
use crate::domain::ticket::seal::Sealed;
use crate::id::TicketId;
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
pub fn assert_claimed(tid: &TicketId, attempt: i64) -> Write {
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
        // What comes next is a matter of the key's own timer.
        "SET #state = :sealed, enc = :enc, ct = :ct, aad = :aad, receipt_sha256 = :receipt, sealed_at = :now \
         REMOVE due_at",
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
pub fn clear_outbox(tid: &TicketId, taken: usize) -> Write {
    let taken = i64::try_from(taken).unwrap_or(i64::MAX);
    update(
        tid,
        "SET outbox = :none",
        "size(outbox) = :taken",
        values([(":none", Attribute::List(Vec::new())), (":taken", taken.into())]),
    )
}

/// The tab still waits and nobody serves it: the next attempt, which messages of the one before no longer begin.
#[must_use]
pub fn increment_attempt(tid: &TicketId, attempt: i64, now: Timestamp) -> Write {
    update(
        tid,
        "SET attempt = :next, due_at = :due",
        "#state = :claimed AND attempt = :attempt AND attempt < :most",
        values([
            (":claimed", "CLAIMED".into()),
            (":attempt", attempt.into()),
            (":next", (attempt + 1).into()),
            (":most", ATTEMPTS.into()),
            (":due", (now.0 + RECHECK_AFTER).into()),
        ]),
    )
}

/// Nothing to do yet: the timer is set again, if it is still the one that ran out.
#[must_use]
pub fn reschedule(tid: &TicketId, due_at: Timestamp, at: Timestamp) -> Write {
    update(
        tid,
        "SET due_at = :next",
        "due_at = :due",
        values([(":due", due_at.0.into()), (":next", at.0.into())]),
    )
}

/// Nobody opened it in time. It stays PENDING, which past its expiry nobody can claim; only its timer goes.
#[must_use]
pub fn expired(tid: &TicketId, now: Timestamp) -> Write {
    update(
        tid,
        "REMOVE due_at",
        "#state = :pending AND expires_at <= :now AND tries < :most AND attribute_exists(due_at)",
        values([(":pending", "PENDING".into()), (":now", now.0.into()), (":most", TRIES.into())]),
    )
}

/// Five codes were judged and whoever judged the last did not come to write it down.
#[must_use]
pub fn locked(tid: &TicketId, now: Timestamp) -> Write {
    update(
        tid,
        "SET #state = :locked, due_at = :due, outbox = list_append(outbox, :event)",
        "#state = :pending AND tries >= :most",
        values([
            (":locked", "LOCKED".into()),
            (":pending", "PENDING".into()),
            (":most", TRIES.into()),
            (":due", now.0.into()),
            (":event", event(TicketEventKind::Locked, now, 0)),
        ]),
    )
}

/// The tab never confirmed: what lay sealed to it is gone.
#[must_use]
pub fn unconfirmed(tid: &TicketId, now: Timestamp) -> Write {
    update(
        tid,
        "SET #state = :unconfirmed REMOVE enc, ct, due_at",
        "#state = :sealed AND sealed_at <= :then",
        values([
            (":unconfirmed", "UNCONFIRMED".into()),
            (":sealed", "SEALED".into()),
            (":then", (now.0 - FETCH_WINDOW).into()),
        ]),
    )
}

/// It is over, and all that `reveal` did to it is in its request's chain: no timer any more.
#[must_use]
pub fn clear_timer(tid: &TicketId, due_at: Timestamp) -> Write {
    update(
        tid,
        "REMOVE due_at",
        "due_at = :due AND size(outbox) = :none",
        values([(":due", due_at.0.into()), (":none", 0.into())]),
    )
}
