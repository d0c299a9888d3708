//! A story: actors come and go as the words of a schedule say, each word a thing that happens; at the end everybody
//! finishes, and whoever holds the link is served.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use keyvend::claim::{Answer, FETCH_AGAIN, TRIES, TicketState};
use keyvend::item::{Table, text};
use keyvend::key::StoredKey;
use keyvend::request::State;
use keyvend::time::Timestamp;
use keyvend::worker::ClaimEvent;
use serde_json::Value;

use crate::calls::{Calls, Fate, Message, Shared, Stage};
use crate::cast::{self, Code, LINKS, TABS};
use crate::emulated::{Emulated, Flight};
use crate::jobs::{LIFE, Luck, Task, Worker};
use crate::rules::{Actor, Rules};
use crate::visits::{self, Posted, Visit};

/// How many actors are there at once.
const AT_ONCE: usize = 8;
/// No actor has so many turns.
const TURNS: usize = 200;

/// Somebody who acts, and stands before a call.
struct Acting {
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
    stage: Shared,
    acting: Vec<Acting>,
    rules: Rules,
    theme: Theme,
    /// Whether all is looked at closely at its end.
    closely: bool,
    names: usize,
}

thread_local! {
    static WITHOUT_CODE: (Stage, Rules) = opened(false, None, false);
    static WITH_CODE: (Stage, Rules) = opened(true, None, false);
}

/// How stories begin that nobody is told: each the same way.
static OPENED: [&std::thread::LocalKey<(Stage, Rules)>; 2] = [&WITHOUT_CODE, &WITH_CODE];

/// A request whose requester was given its first link.
fn opened(wants_code: bool, emulated: Option<Emulated>, told: bool) -> (Stage, Rules) {
    let mut stage = Stage::new(wants_code, emulated);
    stage.told = told.then(Vec::new);
    let rules = Rules::new(&stage);
    let stage = Rc::new(RefCell::new(stage));
    let theme = Theme::Anything;
    let (acting, closely) = (Vec::new(), false);
    let mut story = Story { stage: Rc::clone(&stage), acting, rules, theme, closely, names: 0 };
    story.alone(Task::Press);
    let rules = story.rules;
    (stage.take(), rules)
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
        let (stage, rules) = if emulated.is_none() && !told {
            OPENED[usize::from(wants_code)].with(Clone::clone)
        } else {
            opened(wants_code, emulated.cloned(), told)
        };
        Self { stage: Rc::new(RefCell::new(stage)), acting: Vec::new(), rules, theme, closely, names: 0 }
    }

    fn now(&self) -> Timestamp {
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

    fn begin_visit(&mut self, visit: Visit) {
        let visit = Rc::new(visit);
        let actor = Actor::Tab(Rc::clone(&visit));
        let flight = self.stage.borrow().emulated.as_ref().map(|emulated| emulated.visit(&visit));
        let calls = self.calls(&actor, flight);
        self.begin(actor, visits::answer(calls, visit));
    }

    fn begin_work(&mut self, task: Task, luck: Luck) {
        let actor = Actor::Worker(task);
        let calls = self.calls(&actor, None);
        let worker = Worker { calls, now: self.now(), luck };
        self.begin(actor, worker.work(task));
    }

    fn calls(&mut self, actor: &Actor, handler: Option<Flight<(u64, Value)>>) -> Calls {
        self.names += 1;
        let told = self.stage.borrow().told.is_some();
        let who = if told { format!("{}) {}", self.names, name(actor)).into() } else { "somebody".into() };
        let handler = handler.map(|flight| Rc::new(RefCell::new(flight)));
        Calls { stage: Rc::clone(&self.stage), handler, who }
    }

    fn begin(&mut self, actor: Actor, future: impl Future<Output = ()> + 'static) {
        self.tell(|| format!("{}) {} begins", self.names, name(&actor)));
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
    fn goes_on(&mut self, at: usize, fate: Fate) -> bool {
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
    fn work_off(&mut self, at: usize) {
        for _ in 0..TURNS {
            if !self.goes_on(at, Fate::Done) {
                return;
            }
        }
        self.must(false, || "somebody is never done".to_owned());
    }

    fn must(&self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.stage.borrow_mut().must(holds, otherwise);
    }

    fn tell(&self, line: impl FnOnce() -> String) {
        self.stage.borrow_mut().tell(line);
    }

    /// Everything under way comes to its end and the timer runs; then the tab that has the claim is served, or else
    /// whoever holds the link.
    fn end(&mut self) {
        self.tell(|| "everybody finishes".to_owned());
        while !self.acting.is_empty() {
            self.work_off(0);
        }
        self.stage.borrow_mut().now += LIFE + 1;
        self.alone(Task::Timer);
        self.serve();
        // The link's holder is served in some of the stories: a claimant in all of them.
        let served = if self.closely { self.open_link() } else { None };
        if let Some(link) = served {
            let answer = self.asks(link, 0, Code::Right);
            self.must(matches!(answer, Some(Answer::Working { .. })), || {
                format!("the link's holder is not served: {answer:?}")
            });
            self.serve();
            self.must(self.rules.seen.contains("a seal"), || "the link's holder gets no key".to_owned());
        }
        self.closed();
    }

    /// A tab that has claimed asks again, and its message comes again.
    fn serve(&mut self) {
        for link in 0..LINKS.len() {
            let Some(TicketState::Claimed(claimed)) = self.state(link) else { continue };
            let answer = self.asks(link, cast::tab_of(&claimed), Code::None);
            let working = Answer::Working { attempt: claimed.attempt };
            self.must(answer == Some(working), || format!("the claiming tab hears {answer:?}"));
            let message = Message { link, event: ClaimEvent::Claimed, attempt: claimed.attempt };
            let queued = self.stage.borrow().messages.contains(&message);
            self.must(queued, || format!("nobody was told that ticket {link} is claimed"));
            self.alone(Task::Message(message));
        }
    }

    /// The link that somebody could still open, if there is one.
    fn open_link(&self) -> Option<usize> {
        let State::Ticketed { tid } = &self.rules.request().request.state else { return None };
        let link = cast::link_of(tid);
        let ticket = self.rules.ticket(link)?;
        let open = ticket.state == TicketState::Pending
            && ticket.tries < TRIES
            && self.now() < ticket.expires_at
            && !self.rules.request().request.is_expired(self.now());
        open.then_some(link)
    }

    /// Nothing is left that waits for nobody, and a sealed key is its tab's.
    fn closed(&mut self) {
        let request = self.rules.request().request.clone();
        self.must(!matches!(request.state, State::Issuing(_)), || "somebody issues for ever".to_owned());
        let live = self.stage.borrow().keys.live.clone();
        let known = match &request.state {
            State::Issued { key, .. } => live == [key.clone()],
            State::Ambiguous(_) => live.len() <= 1,
            _ => live.is_empty(),
        };
        self.must(known, || format!("{live:?} are live as the request is {:?}", request.state));
        for link in 0..LINKS.len() {
            match self.state(link) {
                Some(TicketState::Claimed(_)) => {
                    self.must(false, || format!("ticket {link} waits for ever"));
                }
                Some(TicketState::Sealed { claimed, sealed_at, .. }) => {
                    let tab = cast::tab_of(&claimed);
                    self.stage.borrow_mut().now = sealed_at.0 + FETCH_AGAIN - 1;
                    let answer = self.asks(link, tab, Code::None);
                    self.must(matches!(answer, Some(Answer::Sealed { .. })), || {
                        format!("the tab that has the claim lost its key: it hears {answer:?}")
                    });
                    if self.closely {
                        let answer = self.asks(link, (tab + 1) % (TABS - 1), Code::Right);
                        self.must(answer == Some(Answer::Used), || format!("another tab hears {answer:?}"));
                        self.confirms(link, tab, &Answer::WrongReceipt, false);
                    }
                    self.confirms(link, tab, &Answer::Confirmed, true);
                    self.confirmed(link);
                }
                Some(TicketState::Acked { claimed, .. }) => {
                    let tab = cast::tab_of(&claimed);
                    self.confirms(link, tab, &Answer::Confirmed, true);
                    let answer = self.asks(link, tab, Code::None);
                    self.must(answer == Some(Answer::Acknowledged), || format!("its tab hears {answer:?}"));
                    self.confirmed(link);
                }
                _ => {}
            }
        }
    }

    /// The worker hears of a confirmation, however late, and the key's item says so.
    fn confirmed(&mut self, link: usize) {
        if !self.closely {
            return;
        }
        self.alone(Task::Message(Message { link, event: ClaimEvent::Acknowledged, attempt: 0 }));
        let State::Issued { key, .. } = &self.rules.request().request.state else { return };
        let stage = self.stage.borrow();
        let item = stage.tables.get(Table::Requests, &StoredKey::item_key(key));
        let confirmed = item.is_some_and(|item| text(item, "state") == Ok("CONFIRMED"));
        drop(stage);
        self.must(confirmed, || "nobody was told that the key arrived".to_owned());
        self.audited(link);
    }

    /// What tabs did is in the audit trail, once.
    fn audited(&self, link: usize) {
        let stage = self.stage.borrow();
        let tid = LINKS[link].tid.as_str();
        let of = |event: &str| {
            let about = |entry: &&keyvend::audit::Entry| {
                entry.event == event && entry.detail.get("tid").is_some_and(|other| other == tid)
            };
            stage.audit.values().filter(about).count()
        };
        let (claimed, revealed) = (of("claimed"), of("revealed"));
        drop(stage);
        self.must((claimed, revealed) == (1, 1), || {
            format!("ticket {link} is audited as claimed {claimed} times and as revealed {revealed} times")
        });
    }

    fn confirms(&mut self, link: usize, tab: usize, expected: &Answer, right_receipt: bool) {
        let answer = self.posts(Visit::ack(link, tab, true, right_receipt, self.now()));
        self.must(answer.as_ref() == Some(expected), || format!("its confirmation hears {answer:?}"));
    }

    fn state(&self, link: usize) -> Option<TicketState> {
        self.rules.ticket(link).map(|ticket| ticket.state.clone())
    }

    fn asks(&mut self, link: usize, tab: usize, code: Code) -> Option<Answer> {
        self.posts(Visit::claim(link, tab, true, code, self.now()))
    }

    /// A tab's request, while nobody else acts.
    fn posts(&mut self, visit: Visit) -> Option<Answer> {
        self.rules.heard = None;
        self.begin_visit(visit);
        self.work_off(0);
        self.rules.heard.take()
    }

    /// A task, while nobody else acts, and with everybody saying yes.
    fn alone(&mut self, task: Task) {
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

/// An actor in a few words.
fn name(actor: &Actor) -> String {
    match actor {
        Actor::Tab(visit) => match &visit.posted {
            Posted::Claim(_, code) => {
                format!("tab {} opens link {} with {} code", visit.tab, visit.link, said(*code))
            }
            Posted::Ack(_) => format!("tab {} confirms link {}", visit.tab, visit.link),
        },
        Actor::Worker(Task::Message(Message { link, event, attempt })) => {
            format!("worker on {} of link {link}, attempt {attempt}", event.as_str())
        }
        Actor::Worker(task) => format!("worker on {task:?}"),
    }
}

fn said(code: Code) -> &'static str {
    match code {
        Code::None => "no",
        Code::Right => "the right",
        Code::Wrong => "a wrong",
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
