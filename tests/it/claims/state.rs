//! What all actors share: the tables, the time, the queue, the keys of the IAM user, and what was heard.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use keyvend::aws::item::{Item, Write};
use keyvend::domain::audit::AuditEntry;
use keyvend::domain::ticket::claim::{ClaimOutcome, StoredTicket};
use keyvend::id::AccessKeyId;
use keyvend::queue::ClaimEvent;
use keyvend::time::Timestamp;

use crate::claims::calls::{Fate, Op, Outcome};
use crate::claims::emulated::Emulated;
use crate::claims::fixtures::{self, LINKS, START};
use crate::claims::tab::Visit;
use crate::claims::tables::Tables;

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
    pub audit: BTreeMap<u32, AuditEntry>,
    /// Codes judged, by link.
    pub judged: Vec<usize>,
    /// Answers that the rules have not yet looked at.
    pub answers: Vec<(Rc<Visit>, ClaimOutcome)>,
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
        stage.tables.seed_request(&fixtures::REQUEST);
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

    /// One line of the story, where it is told: up to where it breaks.
    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        if let (Some(told), None) = (&mut self.told, &self.broken) {
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
    pub fn once(&mut self, op: &Op) -> Outcome {
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
