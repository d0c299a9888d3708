//! Tickets in table `Tickets`: reading one, what `reveal` writes of a claim, and what the worker writes, each as part of
//! the transaction that changes its request. Every condition holds by itself.

use crate::aws::Tables;
use crate::aws::item::{Attribute, Item, ItemError, Table, Update, Write, bytes, number, text, values};
use crate::domain::browser::Browser;
use crate::domain::shard::shard;
use crate::domain::ticket::claim::{
    ATTEMPTS, Claim, ClaimHolder, FETCH_WINDOW, RECHECK_AFTER, StoredTicket, TRIES, TicketEvent,
    TicketEventKind, TicketState, TicketWrite,
};
use crate::domain::ticket::seal::Sealed;
use crate::id::TicketId;
use crate::time::Timestamp;

/// The ticket as it is now.
///
/// # Errors
/// A fault, also where the item is half-written.
pub async fn read_ticket(tables: &Tables, tid: &TicketId) -> anyhow::Result<Option<StoredTicket>> {
    let item = tables.get(Table::Tickets, tid.as_str(), None).await?;
    Ok(item.as_ref().map(StoredTicket::try_from).transpose()?)
}

/// The attributes that `reveal` reads, by name: its role is limited to them.
pub const READ: &str = "tid, proof_sha256, expires_at, code_sha256, tries, #state, cid, pub, attempt, claimed_at, \
                        browser, sealed_at, enc, ct, aad, receipt_sha256, outbox";

/// A new ticket's item.
#[must_use]
pub fn new_item(ticket: &StoredTicket, keep_until: Timestamp) -> Item {
    let mut item = values([
        ("tid", ticket.tid.as_str().into()),
        ("proof_sha256", ticket.proof_hash.as_slice().into()),
        ("expires_at", ticket.expires_at.0.into()),
        ("tries", 0.into()),
        ("state", "PENDING".into()),
        ("outbox", Attribute::List(Vec::new())),
        ("due_at", ticket.expires_at.0.into()),
        ("due_shard", shard(ticket.tid.as_str()).into()),
        ("keep_until", keep_until.0.into()),
    ]);
    if let Some(code) = &ticket.code_hash {
        item.insert("code_sha256".to_owned(), code.as_slice().into());
    }
    item
}

impl TryFrom<&Item> for StoredTicket {
    type Error = ItemError;

    fn try_from(item: &Item) -> Result<Self, ItemError> {
        let hash = |name| bytes(item, name)?.try_into().map_err(|_| ItemError(name));
        let claimed = || {
            Ok(ClaimHolder {
                cid: text(item, "cid")?.parse().map_err(|_| ItemError("cid"))?,
                key: bytes(item, "pub")?.to_vec().try_into().map_err(|_| ItemError("pub"))?,
                attempt: number(item, "attempt")?,
                at: Timestamp(number(item, "claimed_at")?),
                // With the role of `reveal` anything can be written there.
                browser: Browser::from_stored(text(item, "browser")?),
            })
        };
        let state = match text(item, "state")? {
            "PENDING" => TicketState::Pending,
            "CLAIMED" => TicketState::Claimed(claimed()?),
            "LOCKED" => TicketState::Locked,
            "VOID" => TicketState::Void,
            "FAILED" => TicketState::Failed,
            "SEALED" => TicketState::Sealed {
                claimed: claimed()?,
                sealed_at: Timestamp(number(item, "sealed_at")?),
                enc: bytes(item, "enc")?.to_vec(),
                ct: bytes(item, "ct")?.to_vec(),
                aad: bytes(item, "aad")?.to_vec(),
                receipt_hash: hash("receipt_sha256")?,
            },
            "CONFIRMED" => {
                TicketState::Confirmed { claimed: claimed()?, receipt_hash: hash("receipt_sha256")? }
            }
            "UNCONFIRMED" => TicketState::Unconfirmed(claimed()?),
            _ => return Err(ItemError("state")),
        };
        Ok(Self {
            tid: text(item, "tid")?.parse().map_err(|_| ItemError("tid"))?,
            proof_hash: hash("proof_sha256")?,
            expires_at: Timestamp(number(item, "expires_at")?),
            code_hash: if item.contains_key("code_sha256") { Some(hash("code_sha256")?) } else { None },
            tries: number(item, "tries")?,
            state,
            outbox: outbox(item)?,
            due_at: item.contains_key("due_at").then(|| number(item, "due_at")).transpose()?.map(Timestamp),
        })
    }
}

fn outbox(item: &Item) -> Result<Vec<TicketEvent>, ItemError> {
    let Some(Attribute::List(entries)) = item.get("outbox") else { return Err(ItemError("outbox")) };
    entries
        .iter()
        .map(|entry| {
            let Attribute::Map(entry) = entry else { return Err(ItemError("outbox")) };
            Ok(TicketEvent {
                what: TicketEventKind::from_stored(text(entry, "event")?).ok_or(ItemError("event"))?,
                at: Timestamp(number(entry, "at")?),
                attempt: number(entry, "attempt")?,
            })
        })
        .collect()
}

fn event(what: TicketEventKind, at: Timestamp, attempt: i64) -> Attribute {
    let entry = values([("event", what.as_str().into()), ("at", at.0.into()), ("attempt", attempt.into())]);
    Attribute::List(vec![Attribute::Map(entry)])
}

/// When the worker looks by itself, in case the message that would tell it is lost.
fn recheck_at(now: Timestamp) -> Attribute {
    (now.0 + RECHECK_AFTER).into()
}

/// The update by which `reveal` writes a change.
#[must_use]
pub fn reveal_update(write: &TicketWrite) -> Update {
    match write {
        TicketWrite::CountAttempt { proof_hash, now } => Update {
            update: "SET tries = tries + :one",
            condition: "#state = :pending AND proof_sha256 = :proof AND expires_at > :now AND tries < :most",
            values: values([
                (":one", 1.into()),
                (":pending", "PENDING".into()),
                (":proof", proof_hash.as_slice().into()),
                (":now", now.0.into()),
                (":most", TRIES.into()),
            ]),
        },
        TicketWrite::Claim { claim, tries, now } => claim_update(claim, *tries, *now),
        TicketWrite::Lock { proof_hash, now } => Update {
            update: "SET #state = :locked, due_at = :due, outbox = list_append(outbox, :event)",
            condition: "#state = :pending AND proof_sha256 = :proof AND tries >= :most",
            values: values([
                (":locked", "LOCKED".into()),
                (":pending", "PENDING".into()),
                (":proof", proof_hash.as_slice().into()),
                (":most", TRIES.into()),
                (":due", recheck_at(*now)),
                (":event", event(TicketEventKind::Locked, *now, 0)),
            ]),
        },
        TicketWrite::Confirm { ack, attempt, now } => Update {
            update: "SET #state = :confirmed, confirmed_at = :now, due_at = :due, outbox = list_append(outbox, :event) \
                     REMOVE enc, ct",
            condition: "#state = :sealed AND proof_sha256 = :proof AND cid = :cid AND receipt_sha256 = :receipt",
            values: values([
                (":confirmed", "CONFIRMED".into()),
                (":sealed", "SEALED".into()),
                (":proof", ack.proof_hash.as_slice().into()),
                (":cid", ack.cid.as_str().into()),
                (":receipt", ack.receipt_hash.as_slice().into()),
                (":now", now.0.into()),
                (":due", recheck_at(*now)),
                (":event", event(TicketEventKind::Confirmed, *now, *attempt)),
            ]),
        },
        // Once a ticket.
        TicketWrite::RecordMisuse { proof_hash, now } => Update {
            update: "SET misused_at = :now, due_at = :due, outbox = list_append(outbox, :event)",
            condition: "proof_sha256 = :proof AND attribute_not_exists(misused_at)",
            values: values([
                (":proof", proof_hash.as_slice().into()),
                (":now", now.0.into()),
                (":due", recheck_at(*now)),
                (":event", event(TicketEventKind::Misused, *now, 0)),
            ]),
        },
    }
}

/// The ticket is a tab's, if nobody has claimed it in time; on the strength of a counted attempt, if that is still counted.
fn claim_update(claim: &Claim, tries: Option<i64>, now: Timestamp) -> Update {
    let mut named = values([
        (":claimed", "CLAIMED".into()),
        (":pending", "PENDING".into()),
        (":proof", claim.proof_hash.as_slice().into()),
        (":now", now.0.into()),
        (":cid", claim.cid.as_str().into()),
        (":pub", claim.key.as_bytes().into()),
        (":first", 1.into()),
        (":browser", claim.browser.to_string().as_str().into()),
        (":due", recheck_at(now)),
        (":event", event(TicketEventKind::Claimed, now, 1)),
    ]);
    let condition = match tries {
        None => {
            "#state = :pending AND proof_sha256 = :proof AND expires_at > :now AND attribute_not_exists(code_sha256)"
        }
        Some(tries) => {
            named.insert(":mine".to_owned(), tries.into());
            "#state = :pending AND proof_sha256 = :proof AND expires_at > :now AND tries >= :mine"
        }
    };
    Update {
        update: "SET #state = :claimed, cid = :cid, pub = :pub, attempt = :first, claimed_at = :now, \
                 browser = :browser, due_at = :due, outbox = list_append(outbox, :event)",
        condition,
        values: named,
    }
}

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
