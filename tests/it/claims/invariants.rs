//! What must hold in every story, looked at after every turn: who may move what where, what fits what, and what nobody
//! may ever hear.

use std::collections::BTreeSet;
use std::rc::Rc;

use keyvend::aws::item::{Item, Table, number, text};
use keyvend::domain::audit::AuditEntry;
use keyvend::domain::request::RequestState;
use keyvend::domain::ticket::claim::{
    ClaimOutcome, FETCH_WINDOW, StoredTicket, TRIES, TicketEvent, TicketEventKind, TicketState,
};
use keyvend::store::keys::StoredKey;

use crate::claims::fixtures::{self, COUNT, Code, LEASE, LINKS, LinkOf};
use crate::claims::state::Stage;
use crate::claims::tab::{Posted, Visit};
use crate::claims::tables::Row;
use crate::claims::trace;
use crate::claims::worker::{Task, holder};

/// Ends the look with what is broken.
macro_rules! must {
    ($holds:expr, $($otherwise:tt)+) => {
        if !$holds {
            return Err(format!($($otherwise)+));
        }
    };
}

/// Whose turn it was.
#[derive(Clone, Debug)]
pub enum Actor {
    Tab(Rc<Visit>),
    Worker(Task),
}

/// What was seen so far.
#[derive(Clone)]
pub struct Rules {
    links: &'static [LinkOf],
    request: Row,
    tickets: Vec<Option<(Rc<Item>, Rc<StoredTicket>)>>,
    /// Links that came to nothing, and were looked at since.
    gone: Vec<bool>,
    /// What the worker took into the request's chain, by link.
    taken: Vec<Vec<TicketEvent>>,
    /// Which tab was told that it has the claim, by link.
    pub holders: Vec<Option<usize>>,
    /// Tabs that were given a sealed key, and of which link.
    pub receipts: BTreeSet<(usize, usize)>,
    /// The last answer that anybody heard.
    pub heard: Option<ClaimOutcome>,
    /// What happened anywhere in the story, for the count at the end.
    pub seen: BTreeSet<&'static str>,
}

impl Rules {
    pub fn new(stage: &Stage) -> Self {
        Self {
            links: &LINKS,
            gone: vec![false; LINKS.len()],
            request: stage.tables.request(),
            tickets: vec![None; LINKS.len()],
            taken: vec![Vec::new(); LINKS.len()],
            holders: vec![None; LINKS.len()],
            receipts: BTreeSet::new(),
            heard: None,
            seen: BTreeSet::new(),
        }
    }

    /// A ticket as last seen.
    pub fn ticket(&self, link: usize) -> Option<&StoredTicket> {
        self.tickets[link].as_ref().map(|(_, ticket)| &**ticket)
    }

    /// The request as last seen.
    pub fn request(&self) -> &Row {
        &self.request
    }

    /// Looks at what the turn changed and at what was heard in it.
    pub fn look(&mut self, stage: &mut Stage, actor: &Actor) -> Result<(), String> {
        let mut changed = false;
        let request = stage.tables.request();
        let before = std::mem::replace(&mut self.request, request);
        if before.version != self.request.version {
            changed = true;
            must!(matches!(actor, Actor::Worker(_)), "a tab changed the request");
            let (from, to) = (&before.request.state, &self.request.request.state);
            if let (RequestState::Issuing(from), RequestState::Issuing(to)) = (from, to) {
                must!(
                    from.invocation == to.invocation || stage.now() > from.deadline,
                    "taken over from who may still act"
                );
            }
            if std::mem::discriminant(from) != std::mem::discriminant(to) {
                self.seen.insert(to.as_str());
            }
        }
        for link in 0..stage.made {
            let item = stage.tables.get(Table::Tickets, self.links[link].tid.as_str()).cloned();
            let Some(item) = item else { continue };
            let before = self.tickets[link].take();
            if before.as_ref().is_some_and(|(before, _)| Rc::ptr_eq(before, &item)) {
                self.tickets[link] = before;
                continue;
            }
            changed = true;
            self.gone[link] = false;
            let after = stage.ticket(link, &item);
            let before = before.map(|(_, before)| before);
            self.moved(stage, link, actor, before.as_deref(), &after)?;
            self.tickets[link] = Some((item, after));
        }
        if changed {
            self.together(stage)?;
        }
        must!(stage.keys.live.len() <= 1, "two live keys: {:?}", stage.keys.live);
        for (visit, answer) in std::mem::take(&mut stage.answers) {
            self.answered(stage, &visit, &answer)?;
            self.heard = Some(answer);
        }
        Ok(())
    }

    /// A ticket moves along the diagram, and only those move it who may.
    fn moved(
        &mut self,
        stage: &Stage,
        link: usize,
        actor: &Actor,
        before: Option<&StoredTicket>,
        after: &StoredTicket,
    ) -> Result<(), String> {
        let Some(before) = before else {
            must!(matches!(actor, Actor::Worker(Task::Press)), "{actor:?} made ticket {link}");
            must!(
                after.state == TicketState::Pending,
                "ticket {link} begins as {}",
                trace::state(&after.state)
            );
            if link > 0 {
                self.seen.insert("a reissue");
            }
            return Ok(());
        };
        if let Actor::Tab(visit) = actor {
            must!(visit.link == link, "tab {} moved ticket {link}", visit.tab);
            must!(*visit.proof() == fixtures::proof(link, true), "a wrong proof moved ticket {link}");
            must!(after.outbox.len() >= before.outbox.len(), "a tab emptied an outbox");
        } else if after.outbox.len() < before.outbox.len() {
            must!(after.outbox.is_empty(), "a part of an outbox was taken");
            must!(
                ends_with(&self.request.request.chain.outbox, &before.outbox),
                "ticket {link}: {:?} were taken and are not in the chain",
                before.outbox
            );
            self.taken[link].extend(&before.outbox);
        }
        must!(
            (before.tries..=TRIES).contains(&after.tries),
            "ticket {link}: {} tries after {}",
            after.tries,
            before.tries
        );
        must!(
            stage.judged.iter().all(|judged| *judged <= 5)
                && i64::try_from(stage.judged[link]).is_ok_and(|judged| judged <= after.tries),
            "ticket {link}: {} codes were judged, {} tries taken",
            stage.judged[link],
            after.tries
        );
        if before.state == after.state {
            return Ok(());
        }
        let request = &self.request.request.state;
        let worker = matches!(actor, Actor::Worker(_));
        let what = match (&before.state, &after.state) {
            (TicketState::Pending, TicketState::Claimed(claimed)) => {
                let Actor::Tab(visit) = actor else { return Err("the worker claimed".to_owned()) };
                let Posted::Claim(_, code) = visit.posted else {
                    return Err("only a claim claims".to_owned());
                };
                must!(
                    fixtures::tab_of(claimed) == visit.tab,
                    "claimed for tab {}",
                    fixtures::tab_of(claimed)
                );
                must!(visit.now < after.expires_at, "an expired link was claimed");
                let judged = code == Code::Right && visit.tried.get();
                must!(
                    after.code_hash.is_none() || judged,
                    "claimed without the code, or without a try for it"
                );
                "a claim"
            }
            (TicketState::Pending, TicketState::Locked) => {
                must!(!worker && after.tries == TRIES && after.code_hash.is_some(), "locked too early");
                "a lock"
            }
            (TicketState::Pending | TicketState::Locked, TicketState::Void) => {
                must!(worker, "a tab withdrew a link");
                "a void"
            }
            (TicketState::Claimed(_), TicketState::Void) => {
                let ended = matches!(
                    request,
                    RequestState::Denied { .. } | RequestState::Cancelled | RequestState::Expired
                );
                must!(worker && ended, "the link was taken from the tab that claimed it: {request:?}");
                "a void of a claimed one"
            }
            (TicketState::Claimed(_), TicketState::Failed) => {
                must!(worker, "a tab failed a link");
                "a failure"
            }
            (TicketState::Claimed(was), TicketState::Claimed(is)) => {
                let raised =
                    keyvend::domain::ticket::claim::ClaimHolder { attempt: was.attempt + 1, ..was.clone() };
                must!(
                    matches!(actor, Actor::Worker(Task::Raise)) && raised == *is,
                    "another claim took its place"
                );
                "another attempt"
            }
            (TicketState::Claimed(was), TicketState::Sealed { claimed, ct, aad, .. }) => {
                let Actor::Worker(Task::Message(message)) = actor else {
                    return Err(format!("{actor:?} sealed"));
                };
                must!(
                    message.attempt == was.attempt,
                    "sealed at attempt {}, which attempt {} began",
                    was.attempt,
                    message.attempt
                );
                must!(was == claimed && *ct == fixtures::sealed_to(&was.key).ct, "sealed to another tab");
                let RequestState::Issued { key, .. } = request else {
                    return Err(format!("sealed as {request:?}"));
                };
                must!(aad == key.as_str().as_bytes(), "another key was sealed than {key}");
                "a seal"
            }
            (TicketState::Sealed { claimed: was, .. }, TicketState::Confirmed { claimed, .. }) => {
                let Actor::Tab(visit) = actor else { return Err("the worker confirmed".to_owned()) };
                let Posted::Ack(ack) = &visit.posted else { return Err("a claim confirmed".to_owned()) };
                must!(was == claimed && fixtures::tab_of(was) == visit.tab, "another tab confirmed");
                must!(ack.receipt_hash == fixtures::receipt_hash(&was.key), "confirmed without the receipt");
                let item = stage.tables.get(Table::Tickets, LINKS[link].tid.as_str());
                let gone = item.is_some_and(|item| !item.contains_key("ct") && !item.contains_key("enc"));
                must!(gone, "the sealed key stayed");
                "a confirmation"
            }
            (TicketState::Sealed { claimed: was, sealed_at, .. }, TicketState::Unconfirmed(claimed)) => {
                must!(
                    matches!(actor, Actor::Worker(Task::CheckConfirmation)) && was == claimed,
                    "{actor:?} left it unconfirmed"
                );
                must!(stage.now().since(*sealed_at) >= FETCH_WINDOW, "it was given up early");
                let item = stage.tables.get(Table::Tickets, LINKS[link].tid.as_str());
                let gone = item.is_some_and(|item| !item.contains_key("ct") && !item.contains_key("enc"));
                must!(gone, "the sealed key stayed");
                "an unconfirmed key"
            }
            (from, to) => {
                let (from, to) = (trace::state(from), trace::state(to));
                return Err(format!("there is no arrow from {from} to {to}"));
            }
        };
        self.seen.insert(what);
        Ok(())
    }

    /// The request, its tickets, its lease, its count and its key fit each other, and nothing is told twice.
    fn together(&mut self, stage: &Stage) -> Result<(), String> {
        let state = &self.request.request.state;
        let current = self.request.request.ticket();
        for link in 0..stage.made {
            if self.gone[link] {
                continue;
            }
            let Some(ticket) = self.ticket(link) else { continue };
            let current = current == Some(&ticket.tid);
            let fits = match &ticket.state {
                TicketState::Pending | TicketState::Locked => {
                    current && matches!(state, RequestState::LinkIssued { .. })
                }
                TicketState::Claimed(_) => {
                    current && matches!(state, RequestState::LinkIssued { .. } | RequestState::Issuing(_))
                }
                TicketState::Void => !current,
                TicketState::Failed => !current || matches!(state, RequestState::Ambiguous(_)),
                TicketState::Sealed { .. } | TicketState::Confirmed { .. } | TicketState::Unconfirmed(_) => {
                    current && matches!(state, RequestState::Issued { .. })
                }
            };
            must!(fits, "ticket {link} is {} and its request {state:?}", trace::state(&ticket.state));
            let psk = stage.tables.get(Table::Requests, &self.links[link].key);
            let wanted =
                matches!(ticket.state, TicketState::Pending | TicketState::Claimed(_) | TicketState::Locked);
            must!(
                psk.is_some_and(|item| item.contains_key("psk") == wanted),
                "ticket {link} is {}, and its sealing key is {}",
                trace::state(&ticket.state),
                if wanted { "gone" } else { "still there" }
            );
            self.told(link, ticket)?;
            self.gone[link] = !current && matches!(ticket.state, TicketState::Void | TicketState::Failed);
        }
        let issuing = matches!(state, RequestState::Issuing(_) | RequestState::Ambiguous(_));
        let leased = holder(stage.tables.get(Table::Requests, &LEASE));
        must!(leased.is_some() == issuing, "the lease is held by {leased:?} as the request is {state:?}");
        let counted = stage.tables.get(Table::Requests, &COUNT);
        let counted = counted.map_or(0, |item| number(item, "issued").unwrap());
        let wanted = i64::from(issuing || matches!(state, RequestState::Issued { .. }));
        must!(counted == wanted, "{counted} keys are counted as the request is {state:?}");
        if let RequestState::Issued { key, tid, .. } = state {
            must!(stage.keys.live == [key.clone()], "{key} is sealed, and live are {:?}", stage.keys.live);
            let item = stage.tables.get(Table::Requests, &StoredKey::item_key(key));
            let Some(item) = item else { return Err(format!("{key} is recorded nowhere")) };
            let stands = text(item, "state").unwrap();
            let ticket = self.ticket(fixtures::link_of(tid)).map(|ticket| &ticket.state);
            let fits = match stands {
                "DELIVERED" => !matches!(ticket, Some(TicketState::Unconfirmed(_))),
                "CONFIRMED" => matches!(ticket, Some(TicketState::Confirmed { .. })),
                "UNCONFIRMED" => matches!(ticket, Some(TicketState::Unconfirmed(_))),
                _ => false,
            };
            must!(fits, "{key} is {stands} as its ticket is {:?}", ticket.map(trace::state));
        }
        Ok(())
    }

    /// Each event of a ticket is told once, in its outbox or in the request's chain.
    fn told(&self, link: usize, ticket: &StoredTicket) -> Result<(), String> {
        let (mut claimed, mut locked, mut acknowledged, mut misused) = (0, 0, 0, 0);
        for event in self.taken[link].iter().chain(&ticket.outbox) {
            match event.what {
                TicketEventKind::Claimed => claimed += 1,
                TicketEventKind::Locked => locked += 1,
                TicketEventKind::Confirmed => acknowledged += 1,
                TicketEventKind::Misused => misused += 1,
            }
        }
        let fits = misused <= 1
            && match &ticket.state {
                TicketState::Pending => (claimed, locked, acknowledged) == (0, 0, 0),
                TicketState::Locked => (claimed, locked, acknowledged) == (0, 1, 0),
                TicketState::Void => claimed + locked <= 1 && acknowledged == 0,
                TicketState::Claimed(_)
                | TicketState::Failed
                | TicketState::Sealed { .. }
                | TicketState::Unconfirmed(_) => (claimed, locked, acknowledged) == (1, 0, 0),
                TicketState::Confirmed { .. } => (claimed, locked, acknowledged) == (1, 0, 1),
            };
        must!(
            fits,
            "ticket {link} is {}, in the chain are {:?}, in its outbox {:?}",
            trace::state(&ticket.state),
            self.taken[link],
            ticket.outbox
        );
        Ok(())
    }

    /// A tab hears an answer.
    fn answered(&mut self, stage: &Stage, visit: &Visit, answer: &ClaimOutcome) -> Result<(), String> {
        let Visit { tab, link, .. } = *visit;
        let right_proof = *visit.proof() == fixtures::proof(link, true);
        must!((*answer == ClaimOutcome::NotFound) != right_proof, "tab {tab} hears {answer:?}");
        let is_claim = matches!(visit.posted, Posted::Claim(..));
        match answer {
            ClaimOutcome::Working { .. } | ClaimOutcome::Sealed { .. } => {
                must!(is_claim, "a confirmation hears {answer:?}");
                let held = *self.holders[link].get_or_insert(tab);
                must!(held == tab, "tabs {held} and {tab} have the claim of ticket {link}");
                let claimed = self.ticket(link).map(|ticket| &ticket.state);
                if let Some(
                    TicketState::Claimed(claimed)
                    | TicketState::Sealed { claimed, .. }
                    | TicketState::Confirmed { claimed, .. },
                ) = claimed
                {
                    must!(fixtures::tab_of(claimed) == tab, "tab {tab} was told of a claim that it has not");
                }
            }
            ClaimOutcome::CodeWanted { tries_left } => {
                must!((0..=TRIES).contains(tries_left), "{tries_left} tries are left");
            }
            ClaimOutcome::CodeWrong { tries_left } => {
                must!((0..=TRIES).contains(tries_left), "{tries_left} tries are left");
                must!(visit.tried.get(), "a code was judged without a try");
                self.seen.insert("a wrong code");
            }
            ClaimOutcome::Confirmed => {
                let Posted::Ack(ack) = &visit.posted else { return Err("a claim was confirmed".to_owned()) };
                let right = ack.receipt_hash == fixtures::receipt_hash(&fixtures::key(tab));
                must!(right && self.receipts.contains(&(link, tab)), "tab {tab} confirmed without a receipt");
            }
            ClaimOutcome::Used => drop(self.seen.insert("a second tab")),
            ClaimOutcome::Expired => {
                let expired = self.ticket(link).is_some_and(|ticket| ticket.expires_at <= visit.now);
                must!(expired, "ticket {link} has not expired");
                self.seen.insert("an expired link");
            }
            ClaimOutcome::Unconfirmed => {
                let over = self.ticket(link).is_some_and(|ticket| match &ticket.state {
                    TicketState::Sealed { sealed_at, .. } => visit.now.since(*sealed_at) >= FETCH_WINDOW,
                    // A confirmation may come late as long as it was not given up.
                    TicketState::Confirmed { .. } | TicketState::Unconfirmed(_) => true,
                    _ => false,
                });
                must!(over, "ticket {link} has not expired");
            }
            ClaimOutcome::Locked
            | ClaimOutcome::Void
            | ClaimOutcome::Failed
            | ClaimOutcome::AlreadyConfirmed
            | ClaimOutcome::WrongReceipt
            | ClaimOutcome::NotFound => {}
        }
        if let ClaimOutcome::Sealed { ct, aad, .. } = answer {
            must!(
                *ct == fixtures::sealed_to(&fixtures::key(tab)).ct,
                "tab {tab} was given another tab's key"
            );
            let live = stage.keys.live.iter().any(|key| key.as_str().as_bytes() == aad);
            must!(live, "tab {tab} was given a key that is gone");
            self.receipts.insert((link, tab));
            must!(self.receipts.len() == 1, "two tabs have a key: {:?}", self.receipts);
            self.seen.insert("a sealed key handed over");
        }
        Ok(())
    }
}

/// Whether the newest entries of a request's chain tell of these events of a ticket.
fn ends_with(chain: &[AuditEntry], events: &[TicketEvent]) -> bool {
    let name = |what| match what {
        TicketEventKind::Claimed => "link.claimed",
        TicketEventKind::Locked => "link.locked",
        TicketEventKind::Confirmed => "link.confirmed",
        TicketEventKind::Misused => "link.reused",
    };
    // Where it is recorded at another time, because the chain had gone on or the invocation began before it, when it
    // happened stands beside it.
    let told_at = |entry: &AuditEntry, event: &TicketEvent| match entry.detail.get("reported_at") {
        Some(reported_at) => *reported_at == event.at.0.to_string() && event.at != entry.at,
        None => entry.at == event.at,
    };
    chain.len() >= events.len()
        && chain.is_sorted_by_key(|entry| entry.at)
        && chain[chain.len() - events.len()..]
            .iter()
            .zip(events)
            .all(|(entry, event)| entry.event == name(event.what) && told_at(entry, event))
}
