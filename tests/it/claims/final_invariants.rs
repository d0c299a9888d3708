//! How a story ends: everybody finishes, whoever holds the claim is served, and nothing is left that waits for nobody.

use keyvend::aws::item::{Table, text};
use keyvend::domain::request::RequestState;
use keyvend::domain::ticket::claim::{ClaimOutcome, FETCH_WINDOW, TRIES, TicketState};
use keyvend::queue::ClaimEvent;
use keyvend::store::keys::StoredKey;

use crate::claims::actors::Story;
use crate::claims::calls::Fate;
use crate::claims::fixtures::{self, Code, LINKS, TABS};
use crate::claims::issue::CLAIM_LIFE;
use crate::claims::state::Message;
use crate::claims::tab::Visit;
use crate::claims::worker::{LIFE, Luck, Task};

impl Story {
    /// Everything under way comes to its end and the timer runs; then the tab that has the claim is served, or else
    /// whoever holds the link.
    pub fn end(&mut self) {
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
            self.must(matches!(answer, Some(ClaimOutcome::Working { .. })), || {
                format!("the link's holder is not served: {answer:?}")
            });
            self.serve();
        }
        self.closed();
    }

    /// A tab that has claimed asks again, and its message comes again.
    fn serve(&mut self) {
        for link in 0..LINKS.len() {
            let Some(TicketState::Claimed(claimed)) = self.state(link) else { continue };
            let answer = self.asks(link, fixtures::tab_of(&claimed), Code::None);
            let working = ClaimOutcome::Working { attempt: claimed.attempt };
            self.must(answer == Some(working), || format!("the claiming tab hears {answer:?}"));
            let message = Message { link, event: ClaimEvent::Claimed, attempt: claimed.attempt };
            let queued = self.stage.borrow().messages.contains(&message);
            self.must(queued, || format!("nobody was told that ticket {link} is claimed"));
            let now = self.now();
            let in_time =
                now.since(claimed.at) <= CLAIM_LIFE && !self.rules.request().request.is_expired(now);
            self.alone(Task::Message(message));
            let sealed = matches!(self.state(link), Some(TicketState::Sealed { .. }));
            self.must(sealed || !in_time, || format!("the tab that has ticket {link} is not served"));
        }
    }

    /// The link that somebody could still open, if there is one.
    fn open_link(&self) -> Option<usize> {
        let RequestState::LinkIssued { tid } = &self.rules.request().request.state else { return None };
        let link = fixtures::link_of(tid);
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
        self.must(!matches!(request.state, RequestState::Issuing(_)), || {
            "somebody issues for ever".to_owned()
        });
        let live = self.stage.borrow().keys.live.clone();
        let known = match &request.state {
            RequestState::Issued { key, .. } => live == [key.clone()],
            RequestState::Ambiguous(_) => live.len() <= 1,
            _ => live.is_empty(),
        };
        self.must(known, || format!("{live:?} are live as the request is {:?}", request.state));
        for link in 0..LINKS.len() {
            match self.state(link) {
                Some(TicketState::Claimed(_)) => {
                    self.must(false, || format!("ticket {link} waits for ever"));
                }
                Some(TicketState::Sealed { claimed, sealed_at, .. }) if self.is_late() => {
                    let tab = fixtures::tab_of(&claimed);
                    self.stage.borrow_mut().now = sealed_at.0 + FETCH_WINDOW - 1;
                    let answer = self.asks(link, tab, Code::None);
                    self.must(matches!(answer, Some(ClaimOutcome::Sealed { .. })), || {
                        format!("the tab that has the claim lost its key: it hears {answer:?}")
                    });
                    self.stage.borrow_mut().now += 1;
                    self.confirms_late(link, tab);
                }
                Some(TicketState::Sealed { claimed, sealed_at, .. }) => {
                    let tab = fixtures::tab_of(&claimed);
                    self.stage.borrow_mut().now = sealed_at.0 + FETCH_WINDOW - 1;
                    let answer = self.asks(link, tab, Code::None);
                    self.must(matches!(answer, Some(ClaimOutcome::Sealed { .. })), || {
                        format!("the tab that has the claim lost its key: it hears {answer:?}")
                    });
                    if self.closely {
                        let answer = self.asks(link, (tab + 1) % (TABS - 1), Code::Right);
                        self.must(answer == Some(ClaimOutcome::Used), || {
                            format!("another tab hears {answer:?}")
                        });
                        self.confirms(link, tab, &ClaimOutcome::WrongReceipt, false);
                    }
                    self.confirms(link, tab, &ClaimOutcome::Confirmed, true);
                    self.confirmed(link);
                }
                Some(TicketState::Confirmed { claimed, .. }) => {
                    let tab = fixtures::tab_of(&claimed);
                    self.confirms(link, tab, &ClaimOutcome::Confirmed, true);
                    let answer = self.asks(link, tab, Code::None);
                    self.must(answer == Some(ClaimOutcome::AlreadyConfirmed), || {
                        format!("its tab hears {answer:?}")
                    });
                    self.confirmed(link);
                }
                Some(TicketState::Unconfirmed(claimed)) => {
                    let tab = fixtures::tab_of(&claimed);
                    let answer = self.asks(link, tab, Code::None);
                    self.must(answer == Some(ClaimOutcome::Unconfirmed), || {
                        format!("its tab hears {answer:?}")
                    });
                    self.confirms(link, tab, &ClaimOutcome::Unconfirmed, true);
                }
                _ => {}
            }
        }
    }

    /// The tab confirms when its time is over, while the key's timer is at work: whoever comes first is right.
    fn confirms_late(&mut self, link: usize, tab: usize) {
        let turns = self.actors() % 16;
        self.begin_work(Task::CheckConfirmation, Luck::default());
        let lapsing = (0..turns).all(|_| self.goes_on(0, Fate::Done));
        self.rules.heard = None;
        self.begin_visit(Visit::ack(link, tab, true, true, self.now()));
        self.work_off(usize::from(lapsing));
        let answer = self.rules.heard.take();
        if lapsing {
            self.work_off(0);
        }
        // The timer that lost comes again.
        self.alone(Task::CheckConfirmation);
        let unconfirmed = matches!(self.state(link), Some(TicketState::Unconfirmed(_)));
        let expected = if unconfirmed { ClaimOutcome::Unconfirmed } else { ClaimOutcome::Confirmed };
        self.must(answer.as_ref() == Some(&expected), || format!("a late confirmation hears {answer:?}"));
        self.confirms(link, tab, &expected, true);
        if !unconfirmed {
            self.confirmed(link);
        }
    }

    /// Whether the tab of this story confirms late.
    fn is_late(&self) -> bool {
        !self.closely && self.actors().is_multiple_of(3)
    }

    /// The worker hears of a confirmation, however late, and the key's item says so.
    fn confirmed(&mut self, link: usize) {
        if !self.closely {
            return;
        }
        self.alone(Task::Message(Message { link, event: ClaimEvent::Confirmed, attempt: 0 }));
        let RequestState::Issued { key, .. } = &self.rules.request().request.state else { return };
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
            let about = |entry: &&keyvend::domain::audit::AuditEntry| {
                entry.event == event && entry.detail.get("tid").is_some_and(|other| other == tid)
            };
            stage.audit.values().filter(about).count()
        };
        let (claimed, revealed) = (of("link.claimed"), of("link.confirmed"));
        drop(stage);
        self.must((claimed, revealed) == (1, 1), || {
            format!("ticket {link} is audited as claimed {claimed} times and as revealed {revealed} times")
        });
    }

    fn confirms(&mut self, link: usize, tab: usize, expected: &ClaimOutcome, right_receipt: bool) {
        let answer = self.posts(Visit::ack(link, tab, true, right_receipt, self.now()));
        self.must(answer.as_ref() == Some(expected), || format!("its confirmation hears {answer:?}"));
    }

    fn state(&self, link: usize) -> Option<TicketState> {
        self.rules.ticket(link).map(|ticket| ticket.state.clone())
    }

    fn asks(&mut self, link: usize, tab: usize, code: Code) -> Option<ClaimOutcome> {
        self.posts(Visit::claim(link, tab, true, code, self.now()))
    }

    /// A tab's request, while nobody else acts.
    fn posts(&mut self, visit: Visit) -> Option<ClaimOutcome> {
        self.rules.heard = None;
        self.begin_visit(visit);
        self.work_off(0);
        self.rules.heard.take()
    }
}
