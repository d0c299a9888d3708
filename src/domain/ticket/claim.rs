//! The claim protocol: which write, if any, a tab's request leads to, and what it is answered.
//! Pure: the ticket as read in, a write or an answer out. `reveal` runs it and nothing else. The condition of each write
//! (src/store/tickets.rs) holds by itself, so whatever was read may be stale.

use subtle::ConstantTimeEq as _;

use crate::domain::browser::Browser;
use crate::domain::ticket::seal::ClaimKey;
use crate::id::{ClaimId, TicketId};
use crate::time::Timestamp;

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
    pub tid: TicketId,
    /// SHA-256 of the proof.
    pub proof_hash: [u8; 32],
    /// Until when it can be claimed.
    pub expires_at: Timestamp,
    /// SHA-256 of the stretched mailed code, where one is wanted.
    pub code_hash: Option<[u8; 32]>,
    /// Codes judged so far.
    pub tries: i64,
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
    Void,
    /// Claimed, but no key came of it.
    Failed,
    /// The key lies sealed to the tab.
    Sealed {
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
    Confirmed {
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
    pub what: TicketEventKind,
    pub at: Timestamp,
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
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Locked => "locked",
            Self::Confirmed => "confirmed",
            Self::Misused => "misused",
        }
    }

    /// The kind that is stored so.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Claimed, Self::Locked, Self::Confirmed, Self::Misused]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// A tab's claim: `POST /reveal/claim`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// SHA-256 of the proof it showed.
    pub proof_hash: [u8; 32],
    /// SHA-256 of the code it derived, if it sent one.
    pub code_hash: Option<[u8; 32]>,
    pub cid: ClaimId,
    pub key: ClaimKey,
    pub browser: Browser,
}

/// A tab's confirmation: `POST /reveal/ack`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// SHA-256 of the proof it showed.
    pub proof_hash: [u8; 32],
    pub cid: ClaimId,
    /// SHA-256 of the receipt it found inside.
    pub receipt_hash: [u8; 32],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimStep {
    /// Answer; nothing is written.
    Answer(ClaimOutcome),
    /// Count an attempt by this write; if it holds, [`after_try`] says what follows.
    CountAttempt(TicketWrite),
    /// Write this; if it holds, answer so.
    Write(TicketWrite, ClaimOutcome),
}

/// A change of a ticket that `reveal` writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TicketWrite {
    /// One more code is about to be judged.
    CountAttempt {
        /// SHA-256 of the proof that was shown.
        proof_hash: [u8; 32],
        now: Timestamp,
    },
    /// The ticket is this tab's: without a code where none is wanted, or on the strength of the attempt just counted.
    Claim {
        claim: Claim,
        /// The count with that attempt, where a code was wanted.
        tries: Option<i64>,
        now: Timestamp,
    },
    /// The last code was wrong.
    Lock {
        /// SHA-256 of the proof that was shown.
        proof_hash: [u8; 32],
        now: Timestamp,
    },
    /// The tab has the key.
    Confirm {
        ack: Ack,
        /// Which attempt to issue served it.
        attempt: i64,
        now: Timestamp,
    },
    /// A second tab came with the right link.
    RecordMisuse {
        /// SHA-256 of the proof that was shown.
        proof_hash: [u8; 32],
        now: Timestamp,
    },
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
            (Some(_), Some(_)) => {
                let proof_hash = claim.proof_hash;
                return ClaimStep::CountAttempt(TicketWrite::CountAttempt { proof_hash, now });
            }
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
        let lock = TicketWrite::Lock { proof_hash: claim.proof_hash, now };
        ClaimStep::Write(lock, ClaimOutcome::Locked)
    } else {
        ClaimStep::Answer(ClaimOutcome::CodeWrong { tries_left: TRIES - tries })
    }
}

fn claim_write(claim: &Claim, tries: Option<i64>, now: Timestamp) -> ClaimStep {
    let write = TicketWrite::Claim { claim: claim.clone(), tries, now };
    ClaimStep::Write(write, ClaimOutcome::Working { attempt: 1 })
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
            let confirm = TicketWrite::Confirm { ack: ack.clone(), attempt: claimed.attempt, now };
            return ClaimStep::Write(confirm, ClaimOutcome::Confirmed);
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
