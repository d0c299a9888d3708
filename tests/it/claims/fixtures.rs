//! Who and what takes part: one request, the links it may be given, tabs with and without a link, right and wrong
//! codes. Links and codes are the pinned ones, derived once.

use std::cell::RefCell;
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hpke::kem::DhP256HkdfSha256;
use hpke::{Kem as _, Serializable as _};
use keyvend::aws::item::{Table, Write, text, values};
use keyvend::domain::browser::Browser;
use keyvend::domain::iam::{Account, IamUser};
use keyvend::domain::person::EligibleApprovers;
use keyvend::domain::request::{KeyRequest, RequestDetails, RequestKind, ReviewSnapshot, RevisionSalt};
use keyvend::domain::ticket::claim::{Ack, Claim, ClaimHolder, StoredTicket, TicketState};
use keyvend::domain::ticket::seal::{ClaimKey, Sealed};
use keyvend::domain::ticket::{Psk, Ticket, hash};
use keyvend::domain::use_case::UseCase;
use keyvend::id::{AccessKeyId, ClaimId, Digest256, PersonId, RequestId, TicketId};
use keyvend::store::counters;
use keyvend::store::leases;
use keyvend::store::requests::StoredRequest;
use keyvend::store::ticket_refs::TicketRef;
use keyvend::time::Timestamp;
use serde_json::Value;

/// When every story begins.
pub const START: Timestamp = Timestamp(1_764_000_000);
/// How long a link can be claimed, in seconds.
pub const LINK_LIFE: i64 = 900;
/// Until when the first link can be claimed.
pub const EXPIRES: Timestamp = Timestamp(START.0 + LINK_LIFE);
/// How long the request waits for its requester.
pub const REQUEST_LIFE: Duration = Duration::from_secs(3_000);
/// How many tabs there are. The last has no right proof.
pub const TABS: usize = 4;

/// A link: what is derived from its `T`, and its mailed code.
pub struct LinkOf {
    pub tid: TicketId,
    pub psk: Psk,
    pub proof: [u8; 32],
    pub proof_hash: [u8; 32],
    pub code: [u8; 32],
    pub code_hash: [u8; 32],
    /// The key of its item in `Requests`.
    pub key: String,
}

/// The links of tests/vectors/ticket.json, in the order they are given out.
pub static LINKS: LazyLock<Vec<LinkOf>> = LazyLock::new(|| {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../../vectors/ticket.json")).unwrap();
    let bytes = |case: &Value, field: &str| -> [u8; 32] {
        URL_SAFE_NO_PAD.decode(case[field].as_str().unwrap()).unwrap().try_into().unwrap()
    };
    let link = |case: &Value| {
        let ticket = Ticket::of(bytes(case, "T"));
        let (tid, psk, proof_hash) = (ticket.tid(), ticket.psk(), ticket.proof_hash());
        let Write::Put { item, .. } = TicketRef::create(&tid, &REQUEST.id, &psk, START) else {
            panic!("a link is put")
        };
        let key = text(&item, "pk").unwrap().to_owned();
        let (proof, code) = (bytes(case, "proof"), bytes(case, "code"));
        assert_eq!((hash(&proof), hash(&code)), (proof_hash, bytes(case, "code_sha256")));
        LinkOf { tid, psk, proof, proof_hash, code, code_hash: hash(&code), key }
    };
    cases.iter().map(link).collect()
});

static TAB_IDS: LazyLock<Vec<(ClaimId, ClaimKey)>> = LazyLock::new(|| {
    let key = || DhP256HkdfSha256::gen_keypair().1.to_bytes().to_vec().try_into().unwrap();
    let cid = |tab: usize| TicketId::of(&[u8::try_from(tab).unwrap(); 16]).as_str().parse().unwrap();
    (0..TABS).map(|tab| (cid(tab), key())).collect()
});

/// The IAM user that the key is for.
pub static USER: LazyLock<IamUser> = LazyLock::new(|| IamUser {
    account: Account { alias: "home".parse().unwrap(), id: "123456789012".parse().unwrap() },
    name: "ci-deployer".parse().unwrap(),
    path: "/".to_owned(),
    tags: [("keyvend:owners".to_owned(), "U0ALICE".to_owned())].into(),
    owners: ["U0ALICE".parse().unwrap()].into(),
    owner_groups: [].into(),
    groups: [].into(),
    policies: ["upload-artifacts".to_owned()].into(),
    policy_digest: Digest256::of(b""),
    boundary: None,
    privileged: false,
    quarantined: false,
    keys: Vec::new(),
});

/// Whoever asked and owns the IAM user.
pub static ALICE: LazyLock<PersonId> = LazyLock::new(|| "T0001.U0ALICE".to_owned().try_into().unwrap());
/// Whoever may approve and deny.
pub static BOB: LazyLock<PersonId> = LazyLock::new(|| "T0001.U0BOB".to_owned().try_into().unwrap());

/// The request as every story begins: approved, for policy wanted no approval.
pub static REQUEST: LazyLock<KeyRequest> = LazyLock::new(|| {
    let asked = RequestDetails {
        kind: RequestKind::Create,
        requester: ALICE.clone(),
        account: USER.account.clone(),
        user: USER.name.clone(),
        use_case: UseCase::Cli,
        days: 30,
        reason: "nightly uploads".to_owned(),
        email_hash: None,
        at: START,
        replaces: None,
    };
    let id = RequestId::of_signature(&[7; 32]);
    let (shown, salt, ttls) =
        (ReviewSnapshot::of(&USER, 0), RevisionSalt::new([1; 16]), (REQUEST_LIFE, REQUEST_LIFE));
    KeyRequest::new(id, asked, shown, salt, EligibleApprovers::default(), ttls)
});

/// The keys of the other items that an attempt to issue writes.
pub static LEASE: LazyLock<String> = LazyLock::new(|| {
    let write = leases::take_lease(&USER.account, &USER.name, REQUEST.id.as_str());
    updated_key(&write)
});
pub static COUNT: LazyLock<String> =
    LazyLock::new(|| updated_key(&counters::increment_daily_count(&ALICE, START, 0)));

fn updated_key(write: &Write) -> String {
    let Write::Update { key, .. } = write else { panic!("{write:?} is no update") };
    key.clone()
}

thread_local! {
    /// Requests as read at the versions 0, 1, 2, ...: of one that was read, its write needs no more.
    static READ: RefCell<Vec<StoredRequest>> = RefCell::default();
}

/// The write that replaces the request that was read at this version, as the product makes it.
pub fn replace(version: i64, next: &KeyRequest) -> Write {
    READ.with_borrow_mut(|read| {
        let at = usize::try_from(version).unwrap();
        while read.len() <= at {
            let document = serde_json::to_string(&*REQUEST).unwrap();
            let version = i64::try_from(read.len()).unwrap();
            let item = values([("document", document.as_str().into()), ("version", version.into())]);
            read.push(StoredRequest::try_from(&item).unwrap());
        }
        read[at].replace(next).unwrap()
    })
}

/// That write without what is written: the item's key, the condition, and the names in it that stand for the version.
pub struct Replace {
    pub key: String,
    pub condition: &'static str,
    pub named: Vec<String>,
}

pub static REPLACE: LazyLock<Replace> = LazyLock::new(|| {
    let Write::Put { table: Table::Requests, item, condition, values } = replace(7, &REQUEST) else {
        panic!("a request is put")
    };
    assert_eq!(item["version"], 8.into(), "what the model writes");
    assert!(values.values().all(|value| *value == 7.into()), "what the model compares: {values:?}");
    let key = text(&item, "pk").unwrap().to_owned();
    Replace { key, condition, named: values.into_keys().collect() }
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

    /// The code as a tab derives it for this link; the wrong one is the next link's.
    pub fn derived(self, link: usize) -> Option<[u8; 32]> {
        match self {
            Self::None => None,
            Self::Right => Some(LINKS[link].code),
            Self::Wrong => Some(LINKS[(link + 1) % LINKS.len()].code),
        }
    }

    /// Its hash.
    pub fn hash(self, link: usize) -> Option<[u8; 32]> {
        match self {
            Self::None => None,
            Self::Right => Some(LINKS[link].code_hash),
            Self::Wrong => Some(LINKS[(link + 1) % LINKS.len()].code_hash),
        }
    }
}

/// The first link's name.
pub fn tid() -> TicketId {
    LINKS[0].tid.clone()
}

/// What is no link's proof.
pub const NO_PROOF: [u8; 32] = [7; 32];

/// The hash of this link's proof, or of none.
pub fn proof(link: usize, right: bool) -> [u8; 32] {
    if right { LINKS[link].proof_hash } else { hash(&NO_PROOF) }
}

pub fn cid(tab: usize) -> ClaimId {
    TAB_IDS[tab].0.clone()
}

pub fn key(tab: usize) -> ClaimKey {
    TAB_IDS[tab].1.clone()
}

/// Which tab has claimed.
pub fn tab_of(claimed: &ClaimHolder) -> usize {
    let both = |(cid, key): &(ClaimId, ClaimKey)| *cid == claimed.cid && *key == claimed.key;
    TAB_IDS.iter().position(both).unwrap()
}

/// Which link is named so.
pub fn link_of(tid: &TicketId) -> usize {
    LINKS.iter().position(|link| link.tid == *tid).unwrap()
}

/// A ticket as it begins.
pub fn ticket_of(link: usize, wants_code: bool, expires_at: Timestamp) -> StoredTicket {
    StoredTicket {
        tid: LINKS[link].tid.clone(),
        proof_hash: proof(link, true),
        expires_at,
        code_hash: if wants_code { Code::Right.hash(link) } else { None },
        tries: 0,
        state: TicketState::Pending,
        due_at: None,
        outbox: Vec::new(),
    }
}

/// The first one.
pub fn ticket(wants_code: bool) -> StoredTicket {
    ticket_of(0, wants_code, EXPIRES)
}

pub fn claimed(tab: usize) -> ClaimHolder {
    ClaimHolder {
        cid: cid(tab),
        key: key(tab),
        attempt: 1,
        at: START,
        browser: Browser::of_user_agent("Firefox/140.0"),
    }
}

/// A claim of this link by this tab.
pub fn claim_of(link: usize, tab: usize, right_proof: bool, code: Code) -> Claim {
    Claim {
        proof_hash: proof(link, right_proof),
        code_hash: code.hash(link),
        cid: cid(tab),
        key: key(tab),
        browser: Browser::of_user_agent("Firefox/140.0"),
    }
}

/// One of the first link.
pub fn claim(tab: usize, right_proof: bool, code: Code) -> Claim {
    claim_of(0, tab, right_proof, code)
}

/// The receipt inside what is sealed to this key.
pub fn receipt(to: &ClaimKey) -> [u8; 16] {
    *hash(&[b"receipt".as_slice(), to.as_bytes()].concat()).first_chunk().unwrap()
}

pub fn receipt_hash(to: &ClaimKey) -> [u8; 32] {
    hash(&receipt(to))
}

/// What is nobody's receipt.
pub const NO_RECEIPT: [u8; 16] = [7; 16];

/// A confirmation of this link by this tab.
pub fn ack_of(link: usize, tab: usize, right_proof: bool, right_receipt: bool) -> Ack {
    let receipt_hash = if right_receipt { receipt_hash(&key(tab)) } else { hash(&NO_RECEIPT) };
    Ack { proof_hash: proof(link, right_proof), cid: cid(tab), receipt_hash }
}

/// One of the first link.
pub fn ack(tab: usize, right_proof: bool, right_receipt: bool) -> Ack {
    ack_of(0, tab, right_proof, right_receipt)
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

/// The key of this id, sealed to a tab.
pub fn sealed_key(to: &ClaimKey, key: &AccessKeyId) -> Sealed {
    Sealed { aad: key.as_str().as_bytes().to_vec(), ..sealed_to(to) }
}
