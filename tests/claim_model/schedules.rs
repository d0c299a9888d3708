//! Random schedules: several tabs and their retries, the worker, lost replies, crashes and the clock, interleaved at
//! every table call. What must hold is looked at after each of them.

use std::collections::BTreeSet;

use keyvend::claim::{
    Answer, FETCH_AGAIN, StoredTicket, TRIES, TicketEvent, TicketEventKind, TicketState, new_item,
};
use keyvend::item::Table;
use keyvend::time::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::cast::{self, Code, EXPIRES, START, TABS};
use crate::jobs::{self, Job, Task};
use crate::tables::Tables;
use crate::visits::{Posted, Visit, Went};

/// How many schedules are run.
const SCHEDULES: u32 = 20_000;
/// How many requests of tabs, and how many invocations of the worker, are under way at once.
const AT_ONCE: usize = 5;

/// A story so far.
struct Story {
    tables: Tables,
    now: Timestamp,
    visits: Vec<Visit>,
    jobs: Vec<Job>,
    chain: Vec<TicketEvent>,
    /// Codes judged, right or wrong.
    judged: usize,
    /// Tabs that were told that they have the claim, or were given the sealed key.
    holders: BTreeSet<usize>,
    /// Tabs that hold the sealed key and so its receipt.
    receipts: BTreeSet<usize>,
    /// What happened anywhere in the story, for the count at the end.
    seen: BTreeSet<&'static str>,
}

impl Story {
    fn new(wants_code: bool) -> Self {
        let mut tables = Tables::default();
        tables.seed(Table::Tickets, new_item(&cast::ticket(wants_code), Timestamp(EXPIRES.0 + 1)));
        jobs::seed(&mut tables);
        Self {
            tables,
            now: START,
            visits: Vec::new(),
            jobs: Vec::new(),
            chain: Vec::new(),
            judged: 0,
            holders: BTreeSet::new(),
            receipts: BTreeSet::new(),
            seen: BTreeSet::new(),
        }
    }

    fn ticket(&self) -> StoredTicket {
        StoredTicket::try_from(self.tables.get(Table::Tickets, cast::tid().as_str()).unwrap()).unwrap()
    }

    /// One thing happens, as the word says.
    fn act(&mut self, word: u16) {
        let argument = usize::from(word >> 4);
        let visit = (!self.visits.is_empty()).then(|| argument % self.visits.len().max(1));
        let job = (!self.jobs.is_empty()).then(|| argument % self.jobs.len().max(1));
        match (word % 16, visit, job) {
            (0..=2, _, _) if self.visits.len() < AT_ONCE => self.visit(argument),
            (3 | 4, _, _) if self.jobs.len() < AT_ONCE => {
                self.jobs.push(Job::new(Task::OFTEN[argument % Task::OFTEN.len()], self.now));
            }
            (5..=7, Some(visit), _) => self.step(visit),
            (8, Some(visit), _) => while self.visits.len() > visit && self.step_goes_on(visit) {},
            (9, Some(visit), _) => {
                let mut moving = self.visits.remove(visit);
                self.changing(Some(&moving.clone()), |story| moving.step_unheard(&mut story.tables));
                self.visits.push(moving);
            }
            (10, Some(visit), _) => {
                // Done, and the function killed: the tab hears nothing.
                let mut moving = self.visits.remove(visit);
                self.changing(Some(&moving.clone()), |story| drop(moving.step(&mut story.tables)));
            }
            (11 | 12, _, Some(job)) => self.work(job),
            (13, _, Some(job)) => while self.jobs.len() > job && self.work_goes_on(job) {},
            (14, _, Some(job)) => {
                self.work(job);
                self.jobs.truncate(job);
            }
            (15, _, _) => self.now = Timestamp(self.now.0 + [1, 20, 120, 700][argument % 4]),
            _ => {}
        }
    }

    /// A tab sends a request: a claim, or its confirmation once it has something to confirm.
    fn visit(&mut self, argument: usize) {
        let choice = argument / TABS;
        let holder = self.holders.first().filter(|_| choice % 4 != 3);
        let tab = holder.copied().unwrap_or(argument % TABS);
        let right_proof = tab != TABS - 1;
        let posted = if self.receipts.contains(&tab) && choice.is_multiple_of(2) {
            Posted::Ack(cast::ack(tab, right_proof, !choice.is_multiple_of(3)))
        } else {
            let code = Code::ALL[choice % Code::ALL.len()];
            Posted::Claim(cast::claim(tab, right_proof, code), code)
        };
        self.visits.push(Visit::new(tab, posted, self.now));
    }

    fn step(&mut self, visit: usize) {
        self.step_goes_on(visit);
    }

    fn step_goes_on(&mut self, at: usize) -> bool {
        let mut visit = self.visits.remove(at);
        let mut went = None;
        self.changing(Some(&visit.clone()), |story| went = Some(visit.step(&mut story.tables)));
        match went.unwrap() {
            Went::On(code) => {
                self.judged += usize::from(code.is_some());
                assert!(self.judged <= 5, "a sixth code was judged");
                self.visits.insert(at, visit);
                true
            }
            Went::Answered(answer) => {
                self.answered(&visit, &answer);
                false
            }
            Went::GaveUp => {
                self.seen.insert("a request that gave up");
                false
            }
        }
    }

    fn work(&mut self, job: usize) {
        self.work_goes_on(job);
    }

    fn work_goes_on(&mut self, at: usize) -> bool {
        let mut job = self.jobs.remove(at);
        let mut done = false;
        self.changing(None, |story| done = job.step(&mut story.tables, &mut story.chain));
        if !done {
            self.jobs.insert(at, job);
        }
        !done
    }

    /// Does something to the tables and looks at what it changed.
    fn changing(&mut self, visit: Option<&Visit>, act: impl FnOnce(&mut Self)) {
        let before = self.tables.get(Table::Tickets, cast::tid().as_str()).unwrap().clone();
        act(self);
        let after = self.tables.get(Table::Tickets, cast::tid().as_str()).unwrap();
        if before == *after {
            return;
        }
        let (before, after) = (StoredTicket::try_from(&before).unwrap(), self.ticket());
        assert!((before.tries..=TRIES).contains(&after.tries), "{before:?} to {after:?}");
        if let Some(visit) = visit {
            let Visit {
                posted:
                    Posted::Claim(keyvend::claim::Claim { proof_hash, .. }, _)
                    | Posted::Ack(keyvend::claim::Ack { proof_hash, .. }),
                ..
            } = visit;
            assert_eq!(*proof_hash, cast::proof(true), "a wrong proof moved something");
        }
        if std::mem::discriminant(&before.state) == std::mem::discriminant(&after.state) {
            assert_eq!(before.state, after.state, "a state changed within itself");
        } else {
            self.moved(visit, &before.state, &after);
        }
        self.together(&after);
    }

    /// The ticket moves along the diagram, and only those move it who may.
    fn moved(&mut self, visit: Option<&Visit>, from: &TicketState, after: &StoredTicket) {
        match (from, &after.state) {
            (TicketState::Pending, TicketState::Claimed(claimed)) => {
                let Some(Visit { tab, posted: Posted::Claim(_, code), now, .. }) = visit else {
                    panic!("only a claim claims: {visit:?}");
                };
                assert_eq!((&claimed.cid, &claimed.key), (&cast::cid(*tab), &cast::key(*tab)));
                assert!(*now < after.expires_at, "claimed when expired");
                assert!(after.code_hash.is_none() || *code == Code::Right, "claimed without the code");
                self.seen.insert("a claim");
            }
            (TicketState::Pending, TicketState::Locked) => {
                assert!(visit.is_some() && after.tries == TRIES && after.code_hash.is_some());
                self.seen.insert("a lock");
            }
            (TicketState::Pending | TicketState::Locked, TicketState::Void) => {
                assert!(visit.is_none() && matches!(jobs::state(&self.tables), "CANCELLED" | "REPLACED"));
                self.seen.insert("a void");
            }
            (TicketState::Claimed(_), TicketState::Void) => {
                assert!(
                    visit.is_none() && jobs::state(&self.tables) == "CANCELLED",
                    "a claimed link was replaced"
                );
                self.seen.insert("a void of a claimed one");
            }
            (TicketState::Claimed(_), TicketState::Failed) => {
                assert!(visit.is_none() && jobs::state(&self.tables) == "APPROVED");
                self.seen.insert("a failure");
            }
            (TicketState::Claimed(before), TicketState::Sealed { claimed, ct, .. }) => {
                assert!(visit.is_none());
                assert_eq!((before, ct), (claimed, &cast::sealed_to(&before.key).ct));
                self.seen.insert("a seal");
            }
            (TicketState::Sealed { claimed: before, .. }, TicketState::Acked { claimed, .. }) => {
                assert!(visit.is_some_and(|visit| cast::cid(visit.tab) == claimed.cid));
                assert_eq!(before, claimed);
                let item = self.tables.get(Table::Tickets, cast::tid().as_str()).unwrap();
                assert!(!item.contains_key("ct") && !item.contains_key("enc"), "the sealed key stayed");
                self.seen.insert("a confirmation");
            }
            (from, to) => panic!("no arrow from {from:?} to {to:?}"),
        }
    }

    /// Request and ticket fit each other, and nothing is told twice.
    fn together(&self, ticket: &StoredTicket) {
        let request = jobs::state(&self.tables);
        let fits = match ticket.state {
            TicketState::Pending | TicketState::Locked => matches!(request, "TICKETED"),
            TicketState::Claimed(_) => matches!(request, "TICKETED" | "ISSUING"),
            TicketState::Void => matches!(request, "CANCELLED" | "REPLACED"),
            TicketState::Failed => matches!(request, "APPROVED" | "CANCELLED"),
            TicketState::Sealed { .. } | TicketState::Acked { .. } => request == "ISSUED",
            TicketState::Lapsed(_) => false,
        };
        assert!(fits, "a ticket {:?} of a request {request}", ticket.state);
        let told = |kind| {
            let all = self.chain.iter().chain(&ticket.outbox);
            all.filter(|event| event.what == kind).count()
        };
        let claimed = !matches!(ticket.state, TicketState::Pending | TicketState::Locked);
        for (kind, most) in [
            (TicketEventKind::Claimed, usize::from(claimed)),
            (TicketEventKind::Locked, usize::from(!matches!(ticket.state, TicketState::Claimed(_)))),
            (TicketEventKind::Acknowledged, usize::from(matches!(ticket.state, TicketState::Acked { .. }))),
            (TicketEventKind::Misused, 1),
        ] {
            assert!(told(kind) <= most, "{kind:?} is told {} times", told(kind));
        }
        match ticket.state {
            TicketState::Claimed(_) | TicketState::Sealed { .. } | TicketState::Failed => {
                assert_eq!(told(TicketEventKind::Claimed), 1, "a claim that is told nowhere");
            }
            TicketState::Acked { .. } => assert_eq!(told(TicketEventKind::Acknowledged), 1),
            TicketState::Locked => assert_eq!(told(TicketEventKind::Locked), 1),
            TicketState::Pending | TicketState::Void | TicketState::Lapsed(_) => {}
        }
    }

    /// A tab hears an answer.
    fn answered(&mut self, visit: &Visit, answer: &Answer) {
        let tab = visit.tab;
        let is_claim = matches!(visit.posted, Posted::Claim(..));
        let right_proof = tab != TABS - 1;
        assert_eq!(*answer == Answer::NotFound, !right_proof, "{visit:?}: {answer:?}");
        match answer {
            Answer::Working { .. } => {
                self.holders.insert(tab);
            }
            Answer::Sealed { ct, .. } => {
                assert_eq!(*ct, cast::sealed_to(&cast::key(tab)).ct, "sealed to another tab");
                self.holders.insert(tab);
                self.receipts.insert(tab);
                self.seen.insert("a sealed key handed over");
            }
            Answer::CodeWanted { tries_left } | Answer::CodeWrong { tries_left } => {
                assert!((0..=TRIES).contains(tries_left));
            }
            Answer::Confirmed => assert!(!is_claim && self.receipts.contains(&tab)),
            Answer::Used => {
                self.seen.insert("a second tab");
            }
            Answer::Expired => {
                assert!(visit.now >= EXPIRES);
                self.seen.insert("an expired link");
            }
            Answer::Locked
            | Answer::Void
            | Answer::Failed
            | Answer::Acknowledged
            | Answer::Lapsed
            | Answer::WrongReceipt
            | Answer::NotFound => {}
        }
        assert!(self.holders.len() <= 1, "two tabs have the claim: {:?}", self.holders);
        let holder = |tab: &usize| {
            let (cid, key) = (cast::cid(*tab), cast::key(*tab));
            match self.ticket().state {
                TicketState::Claimed(claimed)
                | TicketState::Sealed { claimed, .. }
                | TicketState::Acked { claimed, .. } => claimed.cid == cid && claimed.key == key,
                _ => true,
            }
        };
        assert!(self.holders.iter().all(holder), "a tab was told of a claim that it has not");
    }

    /// Everything under way comes to its end; then the tab that has the claim is served, alone.
    fn end(mut self) -> BTreeSet<&'static str> {
        while !self.visits.is_empty() {
            self.step(0);
        }
        while !self.jobs.is_empty() {
            self.work(0);
        }
        let owner =
            |claimed: &keyvend::claim::Claimed| (0..TABS).find(|tab| cast::cid(*tab) == claimed.cid).unwrap();
        let state = self.ticket().state;
        match state {
            TicketState::Pending if self.ticket().tries < TRIES && self.now < EXPIRES => {
                let answer = self.asks(0, Code::Right);
                assert_eq!(answer, Answer::Working { attempt: 1 }, "the link's holder is not served");
            }
            TicketState::Claimed(claimed) => {
                let tab = owner(&claimed);
                assert_eq!(self.asks(tab, Code::None), Answer::Working { attempt: 1 });
                assert_eq!(self.asks((tab + 1) % (TABS - 1), Code::Right), Answer::Used);
            }
            TicketState::Sealed { claimed, sealed_at, .. } => {
                let tab = owner(&claimed);
                self.now = Timestamp(sealed_at.0 + FETCH_AGAIN - 1);
                for _ in 0..2 {
                    let answer = self.asks(tab, Code::None);
                    assert!(matches!(answer, Answer::Sealed { .. }), "the tab lost its key: {answer:?}");
                }
                assert_eq!(self.asks((tab + 1) % (TABS - 1), Code::Right), Answer::Used);
                for _ in 0..2 {
                    assert_eq!(self.acks(tab), Answer::Confirmed);
                }
                assert_eq!(self.asks(tab, Code::None), Answer::Acknowledged);
            }
            TicketState::Acked { claimed, .. } => {
                let tab = owner(&claimed);
                assert_eq!(self.acks(tab), Answer::Confirmed);
                assert_eq!(self.asks(tab, Code::None), Answer::Acknowledged);
            }
            TicketState::Pending
            | TicketState::Locked
            | TicketState::Void
            | TicketState::Failed
            | TicketState::Lapsed(_) => {}
        }
        self.seen
    }

    fn asks(&mut self, tab: usize, code: Code) -> Answer {
        self.alone(Visit::new(tab, Posted::Claim(cast::claim(tab, true, code), code), self.now))
    }

    fn acks(&mut self, tab: usize) -> Answer {
        self.alone(Visit::new(tab, Posted::Ack(cast::ack(tab, true, true)), self.now))
    }

    fn alone(&mut self, mut visit: Visit) -> Answer {
        loop {
            match visit.step(&mut self.tables) {
                Went::On(_) => {}
                Went::Answered(answer) => {
                    self.answered(&visit, &answer);
                    return answer;
                }
                Went::GaveUp => panic!("nobody is in the way"),
            }
        }
    }
}

/// Runs one schedule.
pub fn run(words: &[u16]) -> BTreeSet<&'static str> {
    let mut story = Story::new(words.first().is_some_and(|word| word % 3 != 0));
    for word in words {
        story.act(*word);
    }
    story.end()
}

#[test]
fn whatever_comes_between_one_tab_gets_the_key() {
    let mut runner =
        TestRunner::new(Config { cases: SCHEDULES, failure_persistence: None, ..Config::default() });
    let seen = std::cell::RefCell::new(std::collections::BTreeMap::<&str, u32>::new());
    let schedules = prop::collection::vec(any::<u16>(), 10..80);
    let outcome = runner.run(&schedules, |words| {
        for what in run(&words) {
            *seen.borrow_mut().entry(what).or_default() += 1;
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    let seen = seen.into_inner();
    for what in [
        "a claim",
        "a lock",
        "a void",
        "a void of a claimed one",
        "a failure",
        "a seal",
        "a sealed key handed over",
        "a confirmation",
        "a second tab",
        "an expired link",
    ] {
        assert!(seen.get(what).is_some_and(|times| *times >= 20), "{what} is hardly ever seen: {seen:?}");
    }
}
