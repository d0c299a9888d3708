//! Who takes part: a ticket, tabs with and without its link, right and wrong codes.

use std::sync::LazyLock;

use hpke::kem::DhP256HkdfSha256;
use hpke::{Kem as _, Serializable as _};
use keyvend::claim::{Ack, Claim, Claimed, StoredTicket, TicketState};
use keyvend::id::{ClaimId, TicketId};
use keyvend::seal::{ClaimKey, Sealed};
use keyvend::ticket::hash;
use keyvend::time::Timestamp;

/// When every story begins.
pub const START: Timestamp = Timestamp(1_764_000_000);
/// Until when the ticket can be claimed.
pub const EXPIRES: Timestamp = Timestamp(START.0 + 900);
/// How many tabs there are. The last has no right proof.
pub const TABS: usize = 4;

static KEYS: LazyLock<Vec<ClaimKey>> = LazyLock::new(|| {
    let key = || DhP256HkdfSha256::gen_keypair().1.to_bytes().to_vec().try_into().unwrap();
    (0..TABS).map(|_| key()).collect()
});

/// A code as a tab sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    None,
    Right,
    Wrong,
}

impl Code {
    pub const ALL: [Self; 3] = [Self::None, Self::Right, Self::Wrong];

    pub fn hash(self) -> Option<[u8; 32]> {
        match self {
            Self::None => None,
            Self::Right => Some(hash(b"the code")),
            Self::Wrong => Some(hash(b"a guess")),
        }
    }
}

pub fn tid() -> TicketId {
    TicketId::of(&[1; 16])
}

pub fn proof(right: bool) -> [u8; 32] {
    hash(if right { b"the proof" } else { b"no proof!" })
}

pub fn cid(tab: usize) -> ClaimId {
    TicketId::of(&[u8::try_from(tab).unwrap(); 16]).as_str().parse().unwrap()
}

pub fn key(tab: usize) -> ClaimKey {
    KEYS[tab].clone()
}

/// A ticket as it begins.
pub fn ticket(wants_code: bool) -> StoredTicket {
    StoredTicket {
        tid: tid(),
        proof_hash: proof(true),
        expires_at: EXPIRES,
        code_hash: if wants_code { Code::Right.hash() } else { None },
        tries: 0,
        state: TicketState::Pending,
        due_at: None,
        outbox: Vec::new(),
    }
}

pub fn claimed(tab: usize) -> Claimed {
    Claimed { cid: cid(tab), key: key(tab), attempt: 1, at: START, browser: "Firefox".to_owned() }
}

pub fn claim(tab: usize, right_proof: bool, code: Code) -> Claim {
    Claim {
        proof_hash: proof(right_proof),
        code_hash: code.hash(),
        cid: cid(tab),
        key: key(tab),
        browser: "Firefox".to_owned(),
    }
}

pub fn receipt_hash(to: &ClaimKey) -> [u8; 32] {
    hash(&[b"receipt".as_slice(), to.as_bytes()].concat())
}

pub fn ack(tab: usize, right_proof: bool, right_receipt: bool) -> Ack {
    let receipt_hash = if right_receipt { receipt_hash(&key(tab)) } else { hash(b"no receipt") };
    Ack { proof_hash: proof(right_proof), cid: cid(tab), receipt_hash }
}

/// What is sealed to a tab: here its parts only say for whom.
pub fn sealed_to(to: &ClaimKey) -> Sealed {
    Sealed {
        enc: b"enc".to_vec(),
        ct: [b"for ".as_slice(), to.as_bytes()].concat(),
        aad: b"aad".to_vec(),
        receipt_hash: receipt_hash(to),
    }
}
