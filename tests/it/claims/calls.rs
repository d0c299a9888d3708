//! The calls that actors make: each waits for its turn, and then has the fate that the schedule gives it. Between any
//! two calls anybody else may act.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;

use keyvend::aws::item::{Item, Table, Update, Write};
use keyvend::domain::request::KeyRequest;
use keyvend::domain::ticket::claim::ClaimOutcome;
use serde_json::Value;

use crate::claims::emulated::Flight;
use crate::claims::state::{Shared, Stage};
use crate::claims::tab::posted;
use crate::claims::tables::Row;
use crate::claims::trace::said;

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

/// Nothing can be reported a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault;

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
    pub fn answered(&self, answer: Option<&ClaimOutcome>) {
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
