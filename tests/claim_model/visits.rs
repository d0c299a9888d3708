//! One request of a tab, a table call at a time: what `reveal` does around the pure steps. Between any two calls
//! anybody else may act.

use keyvend::claim::{Ack, Answer, Claim, Step, StoredTicket, acknowledge, after_try, claim, misuse};
use keyvend::item::{Table, Update, number};
use keyvend::time::Timestamp;

use crate::cast::{Code, tid};
use crate::tables::Tables;

/// As in src/reveal.rs.
const RACES: usize = 4;

/// What a tab posts.
#[derive(Clone, Debug)]
pub enum Posted {
    Claim(Claim, Code),
    Ack(Ack),
}

/// Where its request is.
#[derive(Clone, Debug)]
enum At {
    Read,
    TakeTry(Box<StoredTicket>, Update),
    Write(Update, Answer),
    Misuse(Answer),
}

/// A request under way.
#[derive(Clone, Debug)]
pub struct Visit {
    pub tab: usize,
    pub posted: Posted,
    pub now: Timestamp,
    at: At,
    races: usize,
}

/// What became of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Went {
    /// The request goes on; this code was judged, if one was.
    On(Option<Code>),
    /// It is answered.
    Answered(Answer),
    /// It gave up: 503, and the tab asks again.
    GaveUp,
}

impl Visit {
    pub fn new(tab: usize, posted: Posted, now: Timestamp) -> Self {
        Self { tab, posted, now, at: At::Read, races: 0 }
    }

    fn proof(&self) -> [u8; 32] {
        match &self.posted {
            Posted::Claim(claim, _) => claim.proof_hash,
            Posted::Ack(ack) => ack.proof_hash,
        }
    }

    /// The next table call, done and answered.
    pub fn step(&mut self, tables: &mut Tables) -> Went {
        match self.at.clone() {
            At::Read => {
                let Some(item) = tables.get(Table::Tickets, tid().as_str()) else {
                    return Went::Answered(Answer::NotFound);
                };
                let ticket = StoredTicket::try_from(item).unwrap();
                let step = match &self.posted {
                    Posted::Claim(posted, _) => claim(&ticket, posted, self.now),
                    Posted::Ack(posted) => acknowledge(&ticket, posted, self.now),
                };
                self.go_on(ticket, step)
            }
            At::TakeTry(ticket, update) => match tables.update(Table::Tickets, tid().as_str(), &update) {
                Ok(set) => {
                    let Posted::Claim(posted, code) = &self.posted else {
                        panic!("only a claim takes a try")
                    };
                    let (step, code) =
                        (after_try(&ticket, posted, number(&set, "tries").unwrap(), self.now), *code);
                    match self.go_on(*ticket, step) {
                        Went::On(_) => Went::On(Some(code)),
                        other => other,
                    }
                }
                Err(_) => self.lost(),
            },
            At::Write(update, answer) => match tables.update(Table::Tickets, tid().as_str(), &update) {
                Ok(_) => self.answer(answer),
                Err(_) => self.lost(),
            },
            At::Misuse(answer) => {
                // Done before, or done now.
                let _ = tables.update(Table::Tickets, tid().as_str(), &misuse(&self.proof(), self.now));
                Went::Answered(answer)
            }
        }
    }

    /// The next table call, done; its reply is lost, so the SDK makes it once more later.
    pub fn step_unheard(&mut self, tables: &mut Tables) {
        let at = self.at.clone();
        let races = self.races;
        self.step(tables);
        (self.at, self.races) = (at, races);
    }

    fn go_on(&mut self, ticket: StoredTicket, step: Step) -> Went {
        match step {
            Step::Answer(answer) => return self.answer(answer),
            Step::TakeTry(update) => self.at = At::TakeTry(Box::new(ticket), update),
            Step::Write(update, answer) => self.at = At::Write(update, answer),
        }
        Went::On(None)
    }

    fn answer(&mut self, answer: Answer) -> Went {
        if answer != Answer::Used {
            return Went::Answered(answer);
        }
        self.at = At::Misuse(answer);
        Went::On(None)
    }

    fn lost(&mut self) -> Went {
        self.at = At::Read;
        self.races += 1;
        if self.races == RACES { Went::GaveUp } else { Went::On(None) }
    }
}
