//! A story: actors come and go as the words of a schedule say, each word a thing that happens.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use keyvend::time::Timestamp;
use serde_json::Value;

use crate::claims::calls::{Calls, Fate};
use crate::claims::emulated::{Emulated, Flight};
use crate::claims::fixtures::{Code, TABS};
use crate::claims::invariants::{Actor, Rules};
use crate::claims::state::{Shared, Stage};
use crate::claims::tab::{self, Visit};
use crate::claims::trace::name;
use crate::claims::worker::{Luck, Task, Worker};

/// How many actors are there at once.
const AT_ONCE: usize = 8;
/// No actor has so many turns.
const TURNS: usize = 200;

/// Somebody who acts, and stands before a call.
pub struct Acting {
    actor: Actor,
    future: Pin<Box<dyn Future<Output = ()>>>,
}

/// What a story is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Theme {
    Anything,
    /// Wrong codes above all.
    Guesses,
    /// Hardly anything goes well.
    Faults,
}

/// A story so far.
pub struct Story {
    pub stage: Shared,
    pub acting: Vec<Acting>,
    pub rules: Rules,
    theme: Theme,
    /// Whether all is looked at closely at its end.
    pub closely: bool,
    /// How many actors there were.
    actors: usize,
}

thread_local! {
    /// How stories begin that are not told and not emulated, without a code and with one: each in the same way.
    static OPENED: [(Stage, Rules); 2] = [false, true].map(|wants_code| {
        let story = Story::opened(wants_code, None, false);
        (story.stage.take(), story.rules)
    });
}

/// What is broken, and where in the schedule.
#[derive(Clone, Debug)]
pub struct Broken {
    /// The word, from 0; none at the end, when everybody finishes.
    pub at: Option<usize>,
    pub what: String,
    /// The story, where it was to be told.
    pub told: Vec<String>,
}

impl Story {
    /// The first word says what it is about, and whether a code is wanted.
    fn begun(word: u32, emulated: Option<&Emulated>, told: bool) -> Self {
        let theme = match word / 32 % 8 {
            0 | 1 => Theme::Faults,
            2 => Theme::Guesses,
            _ => Theme::Anything,
        };
        let closely = (word / 1_024).is_multiple_of(3);
        let wants_code = theme == Theme::Guesses || !(word / 256).is_multiple_of(3);
        if emulated.is_some() || told {
            return Self { theme, closely, ..Self::opened(wants_code, emulated.cloned(), told) };
        }
        let (stage, rules) = OPENED.with(|opened| opened[usize::from(wants_code)].clone());
        Self { theme, closely, ..Self::of(stage, rules) }
    }

    /// A request whose requester was given its first link.
    fn opened(wants_code: bool, emulated: Option<Emulated>, told: bool) -> Self {
        let mut stage = Stage::new(wants_code, emulated);
        stage.told = told.then(Vec::new);
        let rules = Rules::new(&stage);
        let mut story = Self::of(stage, rules);
        story.alone(Task::Press);
        story
    }

    fn of(stage: Stage, rules: Rules) -> Self {
        let stage = Rc::new(RefCell::new(stage));
        Self { stage, acting: Vec::new(), rules, theme: Theme::Anything, closely: false, actors: 0 }
    }

    /// How many actors there were.
    pub fn actors(&self) -> usize {
        self.actors
    }

    pub fn now(&self) -> Timestamp {
        self.stage.borrow().now()
    }

    /// One thing happens, as the word says.
    fn act(&mut self, word: u32) {
        let argument = (word / 32) as usize;
        let some = (!self.acting.is_empty()).then(|| argument % self.acting.len().max(1));
        let few = self.acting.len() < AT_ONCE;
        let further = argument / AT_ONCE;
        match (word % 32, some) {
            (0..=3, _) if few => self.visit(argument),
            (4..=6, _) if few && self.theme == Theme::Guesses => self.visit(argument),
            (4..=6, _) if few => {
                let messages = self.stage.borrow().messages.clone();
                // What was queued last comes most often.
                if let Some(message) = messages.iter().rev().nth((argument % 8) / 4 * (argument / 8 % 4)) {
                    self.begin_work(Task::Message(*message), Luck(argument / 32));
                }
            }
            (7, _) if few => {
                self.begin_work(Task::OFTEN[argument % Task::OFTEN.len()], Luck(argument / 16));
            }
            (8..=13, Some(at)) => self.turns(at, 1, Fate::Done),
            (14..=17, Some(at)) => self.turns(at, further % 8, Fate::Done),
            (18..=20, Some(at)) if self.theme != Theme::Faults => self.work_off(at),
            (18..=24, Some(at)) => self.turns(at, further % 12, Fate::Unheard),
            (25, Some(at)) => self.turns(at, further % 12, Fate::Lost),
            (26, Some(at)) => self.turns(at, further % 12, Fate::LostEachTime),
            (27, Some(at)) => self.turns(at, further % 12, Fate::Unreachable),
            (28, Some(at)) => self.turns(at, further % 24, Fate::KilledAfter),
            (29, Some(at)) => {
                let gone = self.acting.remove(at);
                self.tell(|| format!("{}: killed before its next call", name(&gone.actor)));
            }
            (30 | 31, _) => {
                let long = if further.is_multiple_of(4) { 3_000 } else { 700 };
                let by = [1, 1, 10, 10, 40, 40, 200, long][argument % 8];
                let mut stage = self.stage.borrow_mut();
                stage.now += by;
                stage.tell(|| format!("{by} s pass"));
            }
            _ => {}
        }
    }

    /// A tab sends a request: a claim, or a confirmation once there is something to confirm.
    fn visit(&mut self, argument: usize) {
        let (link, now) = {
            let stage = self.stage.borrow();
            let back = if argument % 8 == 7 { argument / 8 % 4 } else { 0 };
            let Some(link) = stage.shown.iter().rev().nth(back) else { return };
            (*link, stage.now())
        };
        let argument = argument / 32;
        let choice = argument / TABS;
        let tab = self.rules.holders[link].filter(|_| choice % 4 != 3).unwrap_or(argument % TABS);
        let right_proof = tab != TABS - 1;
        let given = self.rules.receipts.iter().any(|(of, _)| *of == link);
        self.begin_visit(if given && choice.is_multiple_of(2) {
            Visit::ack(link, tab, right_proof, !choice.is_multiple_of(3), now)
        } else {
            let guesses = self.theme == Theme::Guesses && !choice.is_multiple_of(8);
            let code = if guesses { Code::Wrong } else { Code::ALL[choice % Code::ALL.len()] };
            Visit::claim(link, tab, right_proof, code, now)
        });
    }

    pub fn begin_visit(&mut self, visit: Visit) {
        let visit = Rc::new(visit);
        let actor = Actor::Tab(Rc::clone(&visit));
        let flight = self.stage.borrow().emulated.as_ref().map(|emulated| emulated.visit(&visit));
        let calls = self.calls(&actor, flight);
        self.begin(actor, tab::answer(calls, visit));
    }

    pub fn begin_work(&mut self, task: Task, luck: Luck) {
        let actor = Actor::Worker(task);
        let calls = self.calls(&actor, None);
        let worker = Worker { calls, now: self.now(), luck };
        self.begin(actor, worker.work(task));
    }

    fn calls(&mut self, actor: &Actor, handler: Option<Flight<(u64, Value)>>) -> Calls {
        self.actors += 1;
        let told = self.stage.borrow().told.is_some();
        let who = if told { format!("{}) {}", self.actors, name(actor)).into() } else { "somebody".into() };
        let handler = handler.map(|flight| Rc::new(RefCell::new(flight)));
        Calls { stage: Rc::clone(&self.stage), handler, who }
    }

    fn begin(&mut self, actor: Actor, future: impl Future<Output = ()> + 'static) {
        self.tell(|| format!("{}) {} begins", self.actors, name(&actor)));
        let mut acting = Acting { actor, future: Box::pin(future) };
        if acting.future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            self.acting.push(acting);
        }
    }

    /// So many calls of somebody that go well, and one of this fate.
    fn turns(&mut self, at: usize, well: usize, fate: Fate) {
        let goes_on = (0..well).all(|_| self.goes_on(at, Fate::Done));
        if goes_on {
            self.goes_on(at, fate);
        }
    }

    /// One call; whether the actor has more to do.
    pub fn goes_on(&mut self, at: usize, fate: Fate) -> bool {
        self.stage.borrow_mut().fate = fate;
        let acting = &mut self.acting[at];
        let polled = acting.future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let mut stage = self.stage.borrow_mut();
        if stage.broken.is_none()
            && let Err(broken) = self.rules.look(&mut stage, &acting.actor)
        {
            stage.broken = Some(broken);
        }
        drop(stage);
        if polled == Poll::Ready(()) || fate == Fate::KilledAfter {
            self.acting.remove(at);
            return false;
        }
        true
    }

    /// Somebody does all that is left to do, undisturbed.
    pub fn work_off(&mut self, at: usize) {
        for _ in 0..TURNS {
            if !self.goes_on(at, Fate::Done) {
                return;
            }
        }
        let endless = self.acting.remove(at);
        self.must(false, || format!("{} is never done", name(&endless.actor)));
    }

    pub fn must(&self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.stage.borrow_mut().must(holds, otherwise);
    }

    pub fn tell(&self, line: impl FnOnce() -> String) {
        self.stage.borrow_mut().tell(line);
    }

    /// A task, while nobody else acts, and with everybody saying yes.
    pub fn alone(&mut self, task: Task) {
        self.begin_work(task, Luck::default());
        if !self.acting.is_empty() {
            self.work_off(0);
        }
    }

    fn broken(&self, at: Option<usize>) -> Option<Broken> {
        let mut stage = self.stage.borrow_mut();
        let what = stage.broken.take()?;
        Some(Broken { at, what, told: stage.told.take().unwrap_or_default() })
    }
}

/// Runs one schedule; what happened in it.
///
/// # Errors
/// What is broken.
pub fn run(words: &[u32], emulated: Option<&Emulated>, told: bool) -> Result<BTreeSet<&'static str>, Broken> {
    let mut story = Story::begun(words.first().copied().unwrap_or(0), emulated, told);
    for (at, word) in words.iter().enumerate().skip(1) {
        story.act(*word);
        if let Some(broken) = story.broken(Some(at)) {
            return Err(broken);
        }
    }
    story.end();
    if let Some(emulated) = emulated {
        let difference = emulated.difference(&story.stage.borrow().tables);
        story.must(difference.is_none(), || difference.unwrap_or_default());
    }
    match story.broken(None) {
        Some(broken) => Err(broken),
        None => Ok(std::mem::take(&mut story.rules.seen)),
    }
}
