//! The claim protocol: which write, if any, a tab's request leads to, and what it is answered.
//! Pure: the ticket as read in, a conditional write or an answer out. `reveal` runs it and nothing else;
//! every condition holds by itself, so whatever was read may be stale.

use subtle::ConstantTimeEq as _;

use crate::aws::item::{Attribute, Item, ItemError, Update, bytes, number, shard, text, values};
use crate::domain::browser::Browser;
use crate::domain::ticket::seal::ClaimKey;
use crate::id::{ClaimId, TicketId};
use crate::time::Timestamp;

pub use crate::store::tickets::{
    assert_claimed, clear_outbox, clear_timer, expired, failed, increment_attempt, locked, reschedule,
    sealed, unconfirmed, void, void_claimed,
};

/// How many codes are judged before the ticket locks.
pub const TRIES: i64 = 5;

/// How long the claiming tab may fetch its sealed key again, in seconds; unconfirmed, the key is deactivated then.
pub const FETCH_WINDOW: i64 = 600;

/// How long after a claim, or after anything else that the worker must hear of, the timer looks, in seconds.
pub const RECHECK_AFTER: i64 = 60;

/// How often a claim is driven at most, counting the first time.
pub const ATTEMPTS: i64 = 3;

/// A ticket as table `Tickets` holds it: nothing of whom or what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTicket {
    /// Its name.
    pub tid: TicketId,
    /// SHA-256 of the proof.
    pub proof_hash: [u8; 32],
    /// Until when it can be claimed.
    pub expires_at: Timestamp,
    /// SHA-256 of the stretched mailed code, where one is wanted.
    pub code_hash: Option<[u8; 32]>,
    /// Codes judged so far.
    pub tries: i64,
    /// Where it stands.
    pub state: TicketState,
    /// What `reveal` did and the worker has not yet taken into the audit chain.
    pub outbox: Vec<TicketEvent>,
    /// When the worker must next look at it, if nobody does anything. `reveal` writes it and does not read it.
    pub due_at: Option<Timestamp>,
}

/// The states of a ticket. A `PENDING` one past its expiry is expired; with all tries taken it is locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TicketState {
    /// Nobody has claimed it.
    Pending,
    /// A tab has, and waits for the key.
    Claimed(ClaimHolder),
    /// Five codes were wrong.
    Locked,
    /// Withdrawn.
    Void,
    /// Claimed, but no key came of it.
    Failed,
    /// The key lies sealed to the tab.
    Sealed {
        /// Whose.
        claimed: ClaimHolder,
        /// When it was sealed.
        sealed_at: Timestamp,
        /// The encapsulated key.
        enc: Vec<u8>,
        /// The ciphertext.
        ct: Vec<u8>,
        /// What it is bound to.
        aad: Vec<u8>,
        /// SHA-256 of the receipt inside.
        receipt_hash: [u8; 32],
    },
    /// The tab confirmed.
    Confirmed {
        /// Whose.
        claimed: ClaimHolder,
        /// SHA-256 of the receipt that was shown.
        receipt_hash: [u8; 32],
    },
    /// The tab never confirmed.
    Unconfirmed(ClaimHolder),
}

/// The tab that holds a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimHolder {
    /// The tab's random id.
    pub cid: ClaimId,
    /// The tab's public key.
    pub key: ClaimKey,
    /// Which attempt to issue this is, from 1.
    pub attempt: i64,
    /// When it was claimed.
    pub at: Timestamp,
    /// Which browser it is, as it says.
    pub browser: Browser,
}

/// Something `reveal` did, as its outbox keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketEvent {
    /// What.
    pub what: TicketEventKind,
    /// When.
    pub at: Timestamp,
    /// At which attempt.
    pub attempt: i64,
}

/// What `reveal` can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketEventKind {
    /// A tab claimed the ticket.
    Claimed,
    /// The fifth code was wrong.
    Locked,
    /// The tab confirmed that it has the key.
    Confirmed,
    /// A second tab came with the right link.
    Misused,
}

impl TicketEventKind {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Locked => "locked",
            Self::Confirmed => "confirmed",
            Self::Misused => "misused",
        }
    }

    fn from_stored(text: &str) -> Option<Self> {
        [Self::Claimed, Self::Locked, Self::Confirmed, Self::Misused]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// A tab's claim: `POST /reveal/claim`.
#[derive(Clone, Debug)]
pub struct Claim {
    /// SHA-256 of the proof it showed.
    pub proof_hash: [u8; 32],
    /// SHA-256 of the code it derived, if it sent one.
    pub code_hash: Option<[u8; 32]>,
    /// The tab.
    pub cid: ClaimId,
    /// Its public key.
    pub key: ClaimKey,
    /// Its browser.
    pub browser: Browser,
}

/// A tab's confirmation: `POST /reveal/ack`.
#[derive(Clone, Debug)]
pub struct Ack {
    /// SHA-256 of the proof it showed.
    pub proof_hash: [u8; 32],
    /// The tab.
    pub cid: ClaimId,
    /// SHA-256 of the receipt it found inside.
    pub receipt_hash: [u8; 32],
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimStep {
    /// Answer; nothing is written.
    Answer(ClaimOutcome),
    /// Take a try by this write; if it holds, [`after_try`] says what follows.
    CountAttempt(Update),
    /// Write this; if it holds, answer so.
    Write(Update, ClaimOutcome),
}

/// What the tab is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// 404: unknown ticket or wrong proof, which nobody can tell apart.
    NotFound,
    /// 200: the sealed key.
    Sealed {
        /// The encapsulated key.
        enc: Vec<u8>,
        /// The ciphertext.
        ct: Vec<u8>,
        /// What it is bound to.
        aad: Vec<u8>,
    },
    /// 202: the key is being made; ask again. Queue `claimed` for this attempt.
    Working {
        /// Which attempt.
        attempt: i64,
    },
    /// 401: a code is wanted.
    CodeWanted {
        /// How many may still be judged.
        tries_left: i64,
    },
    /// 401: the code was wrong.
    CodeWrong {
        /// How many may still be judged.
        tries_left: i64,
    },
    /// 409: another tab has it. Queue `misused`.
    Used,
    /// 410: nobody opened it in time.
    Expired,
    /// 410: withdrawn.
    Void,
    /// 410: no key came of it.
    Failed,
    /// 410: this tab confirmed already.
    AlreadyConfirmed,
    /// 410: this tab never confirmed; the key was deactivated.
    Unconfirmed,
    /// 423: too many wrong codes.
    Locked,
    /// 200 to a confirmation. Queue `acknowledged`.
    Confirmed,
    /// 400: the receipt is not the one inside.
    WrongReceipt,
}

pub(crate) fn event(what: TicketEventKind, at: Timestamp, attempt: i64) -> Attribute {
    let entry = values([("event", what.as_str().into()), ("at", at.0.into()), ("attempt", attempt.into())]);
    Attribute::List(vec![Attribute::Map(entry)])
}

/// When the worker looks by itself, in case the message that would tell it is lost.
fn recheck_at(now: Timestamp) -> Attribute {
    (now.0 + RECHECK_AFTER).into()
}

fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    bool::from(a.ct_eq(b))
}

/// What a claim leads to, given the ticket as last read.
#[must_use]
pub fn claim(ticket: &StoredTicket, claim: &Claim, now: Timestamp) -> ClaimStep {
    if !same(&ticket.proof_hash, &claim.proof_hash) {
        return ClaimStep::Answer(ClaimOutcome::NotFound);
    }
    let mine = |claimed: &ClaimHolder| claimed.cid == claim.cid && claimed.key == claim.key;
    ClaimStep::Answer(match &ticket.state {
        TicketState::Pending if ticket.tries >= TRIES => ClaimOutcome::Locked,
        TicketState::Pending if ticket.expires_at <= now => ClaimOutcome::Expired,
        TicketState::Pending => match (ticket.code_hash, claim.code_hash) {
            (None, _) => return claim_write(claim, None, now),
            (Some(_), None) => ClaimOutcome::CodeWanted { tries_left: TRIES - ticket.tries },
            (Some(_), Some(_)) => return ClaimStep::CountAttempt(count_attempt(claim, now)),
        },
        TicketState::Claimed(claimed) if mine(claimed) => ClaimOutcome::Working { attempt: claimed.attempt },
        TicketState::Sealed { claimed, sealed_at, enc, ct, aad, .. } if mine(claimed) => {
            if now.since(*sealed_at) < FETCH_WINDOW {
                ClaimOutcome::Sealed { enc: enc.clone(), ct: ct.clone(), aad: aad.clone() }
            } else {
                ClaimOutcome::Unconfirmed
            }
        }
        TicketState::Confirmed { claimed, .. } if mine(claimed) => ClaimOutcome::AlreadyConfirmed,
        TicketState::Claimed(_) | TicketState::Sealed { .. } | TicketState::Confirmed { .. } => {
            ClaimOutcome::Used
        }
        TicketState::Unconfirmed(_) => ClaimOutcome::Unconfirmed,
        TicketState::Locked => ClaimOutcome::Locked,
        TicketState::Void => ClaimOutcome::Void,
        TicketState::Failed => ClaimOutcome::Failed,
    })
}

/// What follows a try that was taken: `tries` is the count that the write returned, this try included.
#[must_use]
pub fn after_try(ticket: &StoredTicket, claim: &Claim, tries: i64, now: Timestamp) -> ClaimStep {
    let right = match (&ticket.code_hash, &claim.code_hash) {
        (Some(stored), Some(shown)) => same(stored, shown),
        _ => false,
    };
    if right {
        claim_write(claim, Some(tries), now)
    } else if tries >= TRIES {
        let update = Update {
            update: "SET #state = :locked, due_at = :due, outbox = list_append(outbox, :event)",
            condition: "#state = :pending AND proof_sha256 = :proof AND tries >= :most",
            values: values([
                (":locked", "LOCKED".into()),
                (":pending", "PENDING".into()),
                (":proof", claim.proof_hash.as_slice().into()),
                (":most", TRIES.into()),
                (":due", recheck_at(now)),
                (":event", event(TicketEventKind::Locked, now, 0)),
            ]),
        };
        ClaimStep::Write(update, ClaimOutcome::Locked)
    } else {
        ClaimStep::Answer(ClaimOutcome::CodeWrong { tries_left: TRIES - tries })
    }
}

fn count_attempt(claim: &Claim, now: Timestamp) -> Update {
    Update {
        update: "SET tries = tries + :one",
        condition: "#state = :pending AND proof_sha256 = :proof AND expires_at > :now AND tries < :most",
        values: values([
            (":one", 1.into()),
            (":pending", "PENDING".into()),
            (":proof", claim.proof_hash.as_slice().into()),
            (":now", now.0.into()),
            (":most", TRIES.into()),
        ]),
    }
}

/// Takes the ticket for this tab: without a code where none is wanted, or on the strength of the try just taken.
fn claim_write(claim: &Claim, tries: Option<i64>, now: Timestamp) -> ClaimStep {
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
    let update = Update {
        update: "SET #state = :claimed, cid = :cid, pub = :pub, attempt = :first, claimed_at = :now, \
                 browser = :browser, due_at = :due, outbox = list_append(outbox, :event)",
        condition,
        values: named,
    };
    ClaimStep::Write(update, ClaimOutcome::Working { attempt: 1 })
}

/// The write that records, once, that a second tab came with the right link.
#[must_use]
pub fn misuse(proof_hash: &[u8; 32], now: Timestamp) -> Update {
    Update {
        update: "SET misused_at = :now, due_at = :due, outbox = list_append(outbox, :event)",
        condition: "proof_sha256 = :proof AND attribute_not_exists(misused_at)",
        values: values([
            (":proof", proof_hash.as_slice().into()),
            (":now", now.0.into()),
            (":due", recheck_at(now)),
            (":event", event(TicketEventKind::Misused, now, 0)),
        ]),
    }
}

/// What a confirmation leads to. State decides, not the clock.
#[must_use]
pub fn acknowledge(ticket: &StoredTicket, ack: &Ack, now: Timestamp) -> ClaimStep {
    if !same(&ticket.proof_hash, &ack.proof_hash) {
        return ClaimStep::Answer(ClaimOutcome::NotFound);
    }
    ClaimStep::Answer(match &ticket.state {
        TicketState::Sealed { claimed, receipt_hash, .. } if claimed.cid == ack.cid => {
            if !same(receipt_hash, &ack.receipt_hash) {
                return ClaimStep::Answer(ClaimOutcome::WrongReceipt);
            }
            let update = Update {
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
                    (":due", recheck_at(now)),
                    (":event", event(TicketEventKind::Confirmed, now, claimed.attempt)),
                ]),
            };
            return ClaimStep::Write(update, ClaimOutcome::Confirmed);
        }
        TicketState::Confirmed { claimed, receipt_hash } if claimed.cid == ack.cid => {
            if same(receipt_hash, &ack.receipt_hash) {
                ClaimOutcome::Confirmed
            } else {
                ClaimOutcome::WrongReceipt
            }
        }
        TicketState::Unconfirmed(_) => ClaimOutcome::Unconfirmed,
        TicketState::Sealed { .. } | TicketState::Confirmed { .. } | TicketState::Claimed(_) => {
            ClaimOutcome::Used
        }
        TicketState::Pending => ClaimOutcome::NotFound,
        TicketState::Locked => ClaimOutcome::Locked,
        TicketState::Void => ClaimOutcome::Void,
        TicketState::Failed => ClaimOutcome::Failed,
    })
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
                // Whoever has the role of `reveal` can write anything there.
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
