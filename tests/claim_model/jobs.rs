//! What the worker does to a ticket: reads the request, reads the ticket, and changes both in one transaction. Of the
//! request only its state and version are kept; what else it goes through has tests of its own.

use keyvend::claim::{self, StoredTicket, TicketEvent, TicketState};
use keyvend::item::{Item, Table, Update, Write, number, text, values};
use keyvend::time::Timestamp;

use crate::cast::{sealed_to, tid};
use crate::tables::Tables;

/// The request's key.
pub const REQUEST: &str = "request";

/// What a message or a person asks of the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Write down the intent to create a key.
    Begin,
    /// The key was created: seal it.
    Seal,
    /// No key comes of it.
    Fail,
    /// The request is taken back, denied or out of time.
    Cancel,
    /// Another link takes this one's place.
    Replace,
    /// Take the ticket's outbox into the audit chain.
    TakeIn,
}

impl Task {
    /// What is asked, as often as it shall be.
    pub const OFTEN: [Self; 12] = [
        Self::Begin,
        Self::Seal,
        Self::TakeIn,
        Self::Seal,
        Self::Begin,
        Self::Fail,
        Self::Seal,
        Self::Cancel,
        Self::Begin,
        Self::Seal,
        Self::TakeIn,
        Self::Replace,
    ];
}

#[derive(Clone, Debug)]
enum At {
    ReadRequest,
    ReadTicket { version: i64, state: String },
    Write { writes: Vec<Write>, events: Vec<TicketEvent> },
}

/// A task under way.
#[derive(Clone, Debug)]
pub struct Job {
    task: Task,
    now: Timestamp,
    at: At,
}

/// Puts the request there, with its link given out.
pub fn seed(tables: &mut Tables) {
    let item = values([("pk", REQUEST.into()), ("version", 1.into()), ("state", "TICKETED".into())]);
    tables.seed(Table::Requests, item);
}

/// The request's state.
pub fn state(tables: &Tables) -> &str {
    text(tables.get(Table::Requests, REQUEST).unwrap(), "state").unwrap()
}

fn moved(version: i64, to: &str) -> Write {
    let update = Update {
        update: "SET #state = :to, version = version + :one",
        condition: "version = :version",
        values: values([(":to", to.into()), (":one", 1.into()), (":version", version.into())]),
    };
    Write::Update { table: Table::Requests, key: REQUEST.to_owned(), update }
}

impl Job {
    pub fn new(task: Task, now: Timestamp) -> Self {
        Self { task, now, at: At::ReadRequest }
    }

    /// The next table call; true once there is no more to do. What it took into the chain is added to `chain`.
    pub fn step(&mut self, tables: &mut Tables, chain: &mut Vec<TicketEvent>) -> bool {
        match &self.at {
            At::ReadRequest => {
                let item: &Item = tables.get(Table::Requests, REQUEST).unwrap();
                let (version, state) =
                    (number(item, "version").unwrap(), text(item, "state").unwrap().to_owned());
                self.at = At::ReadTicket { version, state };
                false
            }
            At::ReadTicket { version, state } => {
                let item = tables.get(Table::Tickets, tid().as_str()).unwrap();
                let ticket = StoredTicket::try_from(item).unwrap();
                match self.decide(*version, state, &ticket) {
                    Some(at) => {
                        self.at = at;
                        false
                    }
                    None => true,
                }
            }
            At::Write { writes, events } => {
                if tables.write(writes).is_ok() {
                    chain.extend(events);
                }
                true
            }
        }
    }

    fn decide(&self, version: i64, state: &str, ticket: &StoredTicket) -> Option<At> {
        let tid = tid();
        let waits = matches!(state, "TICKETED" | "APPROVED");
        let mut events = Vec::new();
        let writes = match (self.task, &ticket.state) {
            (Task::Begin, TicketState::Claimed(claimed)) if state == "TICKETED" => {
                vec![moved(version, "ISSUING"), claim::still_claimed(&tid, claimed.attempt)]
            }
            (Task::Seal, TicketState::Claimed(claimed)) if state == "ISSUING" => {
                let sealed = sealed_to(&claimed.key);
                vec![moved(version, "ISSUED"), claim::sealed(&tid, claimed.attempt, sealed, self.now)]
            }
            (Task::Fail, TicketState::Claimed(_)) if matches!(state, "TICKETED" | "ISSUING") => {
                vec![moved(version, "APPROVED"), claim::failed(&tid)]
            }
            (Task::Cancel, _) if waits => {
                let mut writes = vec![moved(version, "CANCELLED")];
                match ticket.state {
                    TicketState::Pending | TicketState::Locked => writes.push(claim::void(&tid)),
                    TicketState::Claimed(_) => writes.push(claim::void_claimed(&tid)),
                    _ => {}
                }
                writes
            }
            (Task::Replace, TicketState::Pending | TicketState::Locked) if state == "TICKETED" => {
                vec![moved(version, "REPLACED"), claim::void(&tid)]
            }
            (Task::TakeIn, _) if !ticket.outbox.is_empty() => {
                events.clone_from(&ticket.outbox);
                vec![moved(version, state), claim::outbox_taken(&tid, ticket.outbox.len())]
            }
            _ => return None,
        };
        Some(At::Write { writes, events })
    }
}
