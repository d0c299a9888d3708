//! What all actors share, and the calls that they make: each waits for its turn, and then has the fate that the schedule
//! gives it. Between any two calls anybody else may act.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;

use keyvend::audit::Entry;
use keyvend::claim::{Answer, StoredTicket};
use keyvend::id::AccessKeyId;
use keyvend::item::{Item, Table, Update, Write};
use keyvend::request::KeyRequest;
use keyvend::seal::base64url;
use keyvend::time::Timestamp;
use keyvend::worker::ClaimEvent;
use serde_json::{Value, json};

use crate::cast::{self, LINKS, START};
use crate::emulated::{Emulated, Flight};
use crate::tables::{Row, Tables};
use crate::visits::Visit;

/// How often the SDK makes a call whose answer it does not hear.
pub const ATTEMPTS: usize = 3;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It is done and heard of.
    #[default]
    Done,
    /// It is done, its reply is lost, and at its caller's next turn the SDK makes it again.
    Unheard,
    /// It is done, its reply is lost, and no further attempt gets through.
    Lost,
    /// It is done as often as the SDK tries, and no reply is ever heard.
    LostEachTime,
    /// It is not done.
    Unreachable,
    /// It is done, and its caller killed there.
    KilledAfter,
}

/// A table call.
#[derive(Debug)]
pub enum Op {
    Get { table: Table, key: String },
    GetRequest,
    Update { table: Table, key: String, update: Update },
    Write { request: Option<(Row, Rc<KeyRequest>)>, others: Vec<Write> },
}

/// What its caller hears.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Got(Option<Rc<Item>>),
    GotRequest(Row),
    Set(Item),
    Written,
    Lost,
    Fault,
}

/// A write that did not take place, or of which that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotWritten {
    Lost,
    Fault,
}

/// Nothing can be said of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault;

/// A message on queue `claims`, of this link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    pub link: usize,
    pub event: ClaimEvent,
    pub attempt: i64,
}

/// The keys of the IAM user.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    created: u32,
    /// Those that can be used.
    pub live: Vec<AccessKeyId>,
}

impl Keys {
    pub fn create(&mut self) -> AccessKeyId {
        self.created += 1;
        let id: AccessKeyId = format!("AKIA{:016}", self.created).parse().unwrap();
        self.live.push(id.clone());
        id
    }

    pub fn delete(&mut self, id: &AccessKeyId) {
        self.live.retain(|live| live != id);
    }
}

/// What all actors share.
#[derive(Clone, Default)]
pub struct Stage {
    pub tables: Tables,
    pub emulated: Option<Emulated>,
    pub now: i64,
    /// That of the call whose turn it is.
    pub fate: Fate,
    pub wants_code: bool,
    /// How many links were made.
    pub made: usize,
    /// Which of them somebody was shown.
    pub shown: Vec<usize>,
    /// Every message ever queued: any of them may come again.
    pub messages: Vec<Message>,
    /// What tickets' items were last read as: an item that is still the same is not read again.
    read: Vec<Option<(Rc<Item>, Rc<StoredTicket>)>>,
    pub keys: Keys,
    /// How many runs there were.
    pub runs: u8,
    pub audit: BTreeMap<u32, Entry>,
    /// Codes judged, by link.
    pub judged: Vec<usize>,
    /// Answers that the rules have not yet looked at.
    pub answers: Vec<(Rc<Visit>, Answer)>,
    /// What must not happen and did.
    pub broken: Option<String>,
    /// The story in words, where it is to be told.
    pub told: Option<Vec<String>>,
}

pub type Shared = Rc<RefCell<Stage>>;

impl Stage {
    pub fn new(wants_code: bool, emulated: Option<Emulated>) -> Self {
        let (read, judged) = (vec![None; LINKS.len()], vec![0; LINKS.len()]);
        let mut stage = Self { now: START.0, wants_code, emulated, judged, read, ..Self::default() };
        stage.tables.seed_request(&cast::REQUEST);
        if let Some(emulated) = &stage.emulated {
            emulated.seed_request();
        }
        stage
    }

    pub fn now(&self) -> Timestamp {
        Timestamp(self.now)
    }

    /// The ticket that an item of this link's is.
    pub fn ticket(&mut self, link: usize, item: &Rc<Item>) -> Rc<StoredTicket> {
        if let Some((read, ticket)) = &self.read[link]
            && Rc::ptr_eq(read, item)
        {
            return Rc::clone(ticket);
        }
        let ticket = Rc::new(StoredTicket::try_from(&**item).unwrap());
        self.read[link] = Some((Rc::clone(item), Rc::clone(&ticket)));
        ticket
    }

    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(told) = &mut self.told {
            told.push(line());
        }
    }

    pub fn must(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds && self.broken.is_none() {
            self.broken = Some(otherwise());
        }
    }

    pub fn send(&mut self, message: Message) {
        if !self.messages.contains(&message) {
            self.messages.push(message);
        }
    }

    /// The call, done once.
    fn once(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Get { table, key, .. } => Outcome::Got(self.tables.get(*table, key).cloned()),
            Op::GetRequest => Outcome::GotRequest(self.tables.request()),
            Op::Update { table, key, update } => {
                self.tables.update(*table, key, update).map_or(Outcome::Lost, Outcome::Set)
            }
            Op::Write { request, others } => {
                let mut writes: Vec<Write> = request.iter().map(|(row, _)| row.replace()).collect();
                writes.extend_from_slice(others);
                let next = request.as_ref().map(|(_, next)| next);
                self.tables.write(&writes, next).map_or(Outcome::Lost, |()| Outcome::Written)
            }
        }
    }
}

/// The product's own handler of a tab's request, under way.
pub type Handler = Rc<RefCell<Flight<(u64, Value)>>>;

/// An actor's way to everything outside of it.
#[derive(Clone)]
pub struct Calls {
    pub stage: Shared,
    /// The product's own handler of a tab's request, where there is an emulator: it makes the same calls there.
    pub handler: Option<Handler>,
    /// The actor, in a few words.
    pub who: Rc<str>,
}

impl Calls {
    /// A table call. Of a transaction whose reply was lost a further attempt carries the same token: once done, it is
    /// only answered.
    #[expect(clippy::await_holding_refcell_ref, reason = "it is dropped before: the lint does not see that")]
    async fn call(&self, op: Op) -> Outcome {
        let mut flight = None;
        let mut last = Outcome::Fault;
        for attempt in 1..=ATTEMPTS {
            my_turn().await;
            let mut stage = self.stage.borrow_mut();
            let fate = std::mem::take(&mut stage.fate);
            let left = ATTEMPTS + 1 - attempt;
            let times = match fate {
                Fate::Done | Fate::Unheard | Fate::Lost | Fate::KilledAfter => 1,
                Fate::LostEachTime => left,
                Fate::Unreachable => 0,
            };
            for _ in 0..times {
                if !matches!((&op, &last), (Op::Write { .. }, Outcome::Written)) {
                    last = stage.once(&op);
                }
            }
            let heard = match fate {
                Fate::Done => Some(last.clone()),
                Fate::Unheard if attempt < ATTEMPTS => None,
                Fate::KilledAfter => None,
                Fate::Unheard | Fate::Lost | Fate::LostEachTime | Fate::Unreachable => Some(Outcome::Fault),
            };
            stage.tell(|| match fate {
                Fate::Done => format!("{}: {}", self.who, said(&op, &last)),
                _ => format!("{}: {}: {fate:?}", self.who, said(&op, &last)),
            });
            if let Some(emulated) = stage.emulated.clone() {
                let agreed = match &self.handler {
                    Some(handler) => {
                        emulated.go_on(&mut handler.borrow_mut(), fate, left);
                        emulated.differs(&stage.tables, &op)
                    }
                    None => {
                        let flight = flight.get_or_insert_with(|| emulated.begin(&op));
                        emulated.go_on(flight, fate, left);
                        heard.as_ref().and_then(|heard| {
                            let other = flight.finish();
                            (other != *heard).then(|| format!("{other:?}, in memory {heard:?}"))
                        })
                    }
                };
                stage.must(agreed.is_none(), || {
                    format!("the emulator disagrees on {op:?}: {}", agreed.unwrap_or_default())
                });
            }
            drop(stage);
            match heard {
                Some(heard) => return heard,
                None if fate == Fate::KilledAfter => return pending().await,
                None => {}
            }
        }
        Outcome::Fault
    }

    /// The tab hears this, or that it cannot be served; so it must be at the emulator.
    pub fn answered(&self, answer: Option<&Answer>) {
        let Some(handler) = &self.handler else { return };
        let (other, expected) = (handler.borrow_mut().finish(), posted(answer));
        self.stage.borrow_mut().must(other == expected, || {
            format!("{}: `reveal` answers {other:?} over the emulator, in memory {expected:?}", self.who)
        });
    }

    pub async fn get(&self, table: Table, key: &str) -> Result<Option<Rc<Item>>, Fault> {
        match self.call(Op::Get { table, key: key.to_owned() }).await {
            Outcome::Got(item) => Ok(item),
            _ => Err(Fault),
        }
    }

    pub async fn get_request(&self) -> Result<Row, Fault> {
        match self.call(Op::GetRequest).await {
            Outcome::GotRequest(row) => Ok(row),
            _ => Err(Fault),
        }
    }

    pub async fn update(&self, table: Table, key: &str, update: &Update) -> Result<Item, NotWritten> {
        match self.call(Op::Update { table, key: key.to_owned(), update: update.clone() }).await {
            Outcome::Set(item) => Ok(item),
            Outcome::Lost => Err(NotWritten::Lost),
            _ => Err(NotWritten::Fault),
        }
    }

    pub async fn write(
        &self,
        request: Option<(Row, Rc<KeyRequest>)>,
        others: Vec<Write>,
    ) -> Result<(), NotWritten> {
        match self.call(Op::Write { request, others }).await {
            Outcome::Written => Ok(()),
            Outcome::Lost => Err(NotWritten::Lost),
            _ => Err(NotWritten::Fault),
        }
    }

    /// A call of anything but the tables, which may be made twice without harm.
    pub async fn elsewhere(&self, what: &str, mut act: impl FnMut(&mut Stage)) -> Result<(), Fault> {
        let fate = self.act(what, |stage, fate| {
            if fate != Fate::Unreachable {
                act(stage);
            }
        });
        match fate.await {
            Fate::Done | Fate::Unheard => Ok(()),
            Fate::Lost | Fate::LostEachTime | Fate::Unreachable | Fate::KilledAfter => Err(Fault),
        }
    }

    /// A call whose fate its caller deals with.
    #[expect(clippy::await_holding_refcell_ref, reason = "it is dropped before: the lint does not see that")]
    pub async fn act(&self, what: &str, act: impl FnOnce(&mut Stage, Fate)) -> Fate {
        my_turn().await;
        let mut stage = self.stage.borrow_mut();
        let fate = std::mem::take(&mut stage.fate);
        stage.tell(|| match fate {
            Fate::Done => format!("{}: {what}", self.who),
            _ => format!("{}: {what}: {fate:?}", self.who),
        });
        act(&mut stage, fate);
        if let (Some(emulated), Some(handler)) = (&stage.emulated, &self.handler) {
            let mut handler = handler.borrow_mut();
            emulated.go_on(&mut handler, fate, ATTEMPTS);
            if fate == Fate::Unheard {
                emulated.go_on(&mut handler, Fate::Done, ATTEMPTS - 1);
            }
        }
        if fate == Fate::KilledAfter {
            drop(stage);
            return pending().await;
        }
        fate
    }
}

/// Waits until the schedule says that this actor goes on.
async fn my_turn() {
    let mut waited = false;
    poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// Status and body of an answer; of none, what a tab is told that cannot be served.
fn posted(answer: Option<&Answer>) -> (u64, Value) {
    let error = |status, what: &str| (status, json!({"error": what}));
    let code = |what: &str, left: &i64| (401, json!({"error": what, "tries_left": left}));
    match answer {
        None => error(503, "try-again"),
        Some(Answer::Sealed { enc, ct, aad }) => {
            let [enc, ct, aad] = [enc, ct, aad].map(|part| base64url(part));
            (200, json!({"enc": enc, "ct": ct, "aad": aad}))
        }
        Some(Answer::Working { .. }) => (202, json!({})),
        Some(Answer::Confirmed) => (200, json!({})),
        Some(Answer::CodeWanted { tries_left }) => code("code-wanted", tries_left),
        Some(Answer::CodeWrong { tries_left }) => code("code-wrong", tries_left),
        Some(Answer::NotFound) => error(404, "not-found"),
        Some(Answer::Used) => error(409, "used"),
        Some(Answer::Expired) => error(410, "expired"),
        Some(Answer::Void) => error(410, "void"),
        Some(Answer::Failed) => error(410, "failed"),
        Some(Answer::Acknowledged) => error(410, "acknowledged"),
        Some(Answer::Lapsed) => error(410, "lapsed"),
        Some(Answer::Locked) => error(423, "locked"),
        Some(Answer::WrongReceipt) => error(400, "bad-request"),
    }
}

/// A call and its outcome, for people.
fn said(op: &Op, outcome: &Outcome) -> String {
    let name = |key: &str| match LINKS.iter().position(|link| link.tid.as_str() == key) {
        Some(link) => format!("ticket {link}"),
        None => match LINKS.iter().position(|link| link.key == key) {
            Some(link) => format!("the way from ticket {link}"),
            None => key.to_owned(),
        },
    };
    let held = match outcome {
        Outcome::Lost => "the condition does not hold",
        Outcome::Fault => "nothing done",
        Outcome::Got(_) | Outcome::GotRequest(_) | Outcome::Set(_) | Outcome::Written => "done",
    };
    match (op, outcome) {
        (Op::GetRequest, Outcome::GotRequest(row)) => {
            let state = keyvend::store::state_name(&row.request.state);
            format!("reads the request: {state}, version {}", row.version)
        }
        (Op::GetRequest, _) => format!("reads the request: {held}"),
        (Op::Get { key, .. }, Outcome::Got(item)) => {
            let state = item.as_ref().and_then(|item| item.get("state"));
            let state = match (item, state) {
                (None, _) => "is not there".to_owned(),
                (_, Some(keyvend::item::Attribute::Text(state))) => state.clone(),
                _ => "is there".to_owned(),
            };
            format!("reads {}: {state}", name(key))
        }
        (Op::Get { key, .. }, _) => format!("reads {}: {held}", name(key)),
        (Op::Update { key, update, .. }, _) => {
            format!("{}: {} if {}: {held}", name(key), update.update, update.condition)
        }
        (Op::Write { request, others }, _) => {
            let request = request.iter().map(|(row, next)| {
                format!("request to {} at {}", keyvend::store::state_name(&next.state), row.version)
            });
            let others = others.iter().map(|write| match write {
                Write::Update { key, update, .. } => {
                    format!("{}: {} if {}", name(key), update.update, update.condition)
                }
                Write::Check { key, condition, .. } => format!("{} if {condition}", name(key)),
                Write::Put { table, item, .. } => {
                    format!("new {}", name(keyvend::item::text(item, table.key_name()).unwrap()))
                }
            });
            let all: Vec<String> = request.chain(others).collect();
            format!("[{}]: {held}", all.join("; "))
        }
    }
}
