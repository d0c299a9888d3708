//! An approver's click: judged with fresh facts, against what the card showed, by what the table holds.

use super::cancel::RACES;
use super::facts::Facts;
use super::{NotDone, Worker};
use crate::aws::WriteError;
use crate::card;
use crate::command::Reason;
use crate::facts::Person;
use crate::id::{RequestId, Revision};
use crate::inbound::{ButtonMessage, Message};
use crate::policy::{Approve, Authorized, Denial, Issue, Needed, Policies, Verdict};
use crate::request::{Event, KeyRequest, Shown, State, Telling, Unfit};
use crate::slack_api;
use crate::store::Stored;
use crate::time::Timestamp;
use crate::words;

/// What an approver decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Click {
    Approve,
    Deny(Reason),
}

/// Where they decided it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    /// On a card, which must be the request's own.
    Card(Option<&'a ButtonMessage>),
    /// In a form that the request's own card opened.
    Form,
}

impl Place<'_> {
    /// Whether it belongs to the request.
    pub(super) fn is_of(self, request: &KeyRequest) -> bool {
        match (self, &request.card) {
            (Self::Form, _) => true,
            (Self::Card(Some(button)), Some(card)) => button.channel == card.channel && button.ts == card.ts,
            (Self::Card(_), _) => false,
        }
    }
}

/// `<request id>.<revision>`.
pub(super) fn carried(value: &str) -> Option<(RequestId, Revision)> {
    let (id, revision) = value.split_once('.')?;
    Some((id.parse().ok()?, revision.parse().ok()?))
}

/// What a click comes to, before it is written.
enum Judged {
    /// Write this.
    Event(Event),
    /// The card shows something else than what is so: draw it anew.
    Changed(Shown),
    /// The card in front of this person is an old one.
    OldCard,
    /// Say this and change nothing.
    No(String),
}

impl Worker {
    pub(super) async fn decide(
        &self,
        message: &Message,
        click: Click,
        value: &str,
        place: Place<'_>,
        now: Timestamp,
    ) -> Result<(), NotDone> {
        let Some((id, revision)) = carried(value) else {
            return Ok(self.reply(message, now, words::UNKNOWN_BUTTON).await?);
        };
        let Ok(policies) = &self.policies else {
            return Ok(self.reply(message, now, words::POLICIES_INVALID).await?);
        };
        for _ in 0..RACES {
            let Some(stored) = Stored::read(&self.dynamo, &id).await? else {
                return Ok(self.reply(message, now, words::UNKNOWN_BUTTON).await?);
            };
            if let Some(own) = already(&stored.request, message) {
                self.redraw(&stored, now).await;
                return Ok(self.reply(message, now, own).await?);
            }
            if !place.is_of(&stored.request) {
                return Ok(self.reply(message, now, words::UNKNOWN_BUTTON).await?);
            }
            if stored.request.is_expired(now) {
                self.lapse(&stored, now).await?;
                continue;
            }
            if !stored.request.waits() || (click == Click::Approve && stored.request.state != State::Pending)
            {
                self.redraw(&stored, now).await;
                return Ok(self.reply(message, now, &words::moved_on(&stored.request)).await?);
            }
            let judged = self.judge_click(policies, message, &click, &stored, &revision, now).await?;
            if self.carry_out(message, judged, &stored, now).await? {
                return Ok(());
            }
        }
        Err(anyhow::anyhow!("a request changed too often to be decided").into())
    }

    async fn judge_click(
        &self,
        policies: &Policies,
        message: &Message,
        click: &Click,
        stored: &Stored,
        revision: &Revision,
        now: Timestamp,
    ) -> anyhow::Result<Judged> {
        let request = &stored.request;
        let asked = &request.asked;
        let slack = self.slack().await?;
        let subject = (&asked.account, &asked.user);
        let people = (request.approvals.as_slice(), Some(&message.person));
        let facts = match self.facts(&slack, &asked.requester, subject, people, now).await? {
            Ok(facts) => facts,
            Err(crate::lookup::NoSuchUser) => {
                let why = words::USER_GONE.to_owned();
                return Ok(Judged::Event(Event::Refuse { why }));
            }
        };
        let facts = self.with_key(facts, asked).await?;
        let presser = facts.presser.as_ref().ok_or_else(|| anyhow::anyhow!("nobody pressed"))?;
        let authorized = policies.authorize(presser, Approve(facts.to_approve(asked)), &facts.iam_user);
        let authorized = match authorized {
            Ok(authorized) => authorized,
            Err(denial) => return Ok(Judged::No(self.no(&denial))),
        };
        Ok(match click {
            Click::Deny(reason) => Judged::Event(deny(&authorized, message, reason)),
            Click::Approve => match facts.needed(policies, asked) {
                Needed::Never(denial) => Judged::Event(Event::Refuse { why: self.no(&denial) }),
                Needed::Approvals(needed) => {
                    let shown = Shown::of(&facts.iam_user, needed);
                    if asked.revision(&shown) != request.revision() {
                        Judged::Changed(shown)
                    } else if *revision != request.revision() {
                        Judged::OldCard
                    } else {
                        Judged::Event(self.approve(policies, &authorized, &facts, presser, request, message))
                    }
                }
            },
        })
    }

    fn no(&self, denial: &Denial) -> String {
        words::refused(&denial.advice, self.config.help_channel.as_ref())
    }

    /// The approval, with whether policy then allows issuing.
    fn approve(
        &self,
        policies: &Policies,
        authorized: &Authorized<Approve>,
        facts: &Facts,
        presser: &Person,
        request: &KeyRequest,
        message: &Message,
    ) -> Event {
        let count = facts.approvals(policies, &request.asked, Some(presser));
        let issue = Issue(facts.asked(&request.asked, count));
        let enough =
            matches!(policies.decide(&facts.requester, &issue, &facts.iam_user), Verdict::Allow { .. });
        Event::Approve {
            by: authorized.principal().clone(),
            press: message.id.clone(),
            enough,
            approved_ttl: self.config.approved_ttl,
        }
    }

    /// Writes what a click came to and tells whom it concerns; `false` where somebody else wrote first.
    async fn carry_out(
        &self,
        message: &Message,
        judged: Judged,
        stored: &Stored,
        now: Timestamp,
    ) -> Result<bool, NotDone> {
        let event = match judged {
            Judged::No(sentence) => {
                self.reply(message, now, &sentence).await?;
                self.note(stored, "press-refused", message, now).await?;
                return Ok(true);
            }
            Judged::OldCard => {
                self.redraw(stored, now).await;
                self.reply(message, now, &words::card_changed()).await?;
                return Ok(true);
            }
            Judged::Changed(shown) => Event::Redraw(shown),
            Judged::Event(event) => event,
        };
        let next = match stored.request.apply(event.clone(), &message.person.to_string(), now) {
            Ok(next) => next,
            Err(Unfit::AlreadyApproved) => {
                self.reply(message, now, words::ALREADY_APPROVED).await?;
                return Ok(true);
            }
            Err(Unfit::Expired | Unfit::MovedOn | Unfit::Replaced) => return Ok(false),
        };
        let voided = if next.waits() { Vec::new() } else { self.void_ticket(stored).await? };
        let (to_presser, to_requester) = told(&event, &next);
        let direct = Telling::Direct { to: next.asked.requester.clone(), message: to_requester };
        match self.commit(stored, next, voided, vec![Telling::Card, direct]).await {
            Ok(saved) => {
                self.try_to_reply(message, now, &to_presser).await;
                self.flush(saved).await;
                Ok(true)
            }
            Err(WriteError::Lost(_)) => Ok(false),
            Err(WriteError::Fault(fault)) => Err(fault.into()),
        }
    }
}

/// What a decision is told as: to whoever pressed, and to the requester.
fn told(event: &Event, next: &KeyRequest) -> (String, slack_api::Message) {
    match event {
        Event::Approve { enough: true, .. } if next.asked.wants.existing().is_some() => {
            (words::APPROVAL_COUNTED.to_owned(), card::text(&words::being_done(next)))
        }
        Event::Approve { enough: true, .. } => (words::APPROVAL_COUNTED.to_owned(), card::ready(next)),
        Event::Approve { by, .. } => {
            (words::APPROVAL_COUNTED.to_owned(), card::text(&words::one_more(next, by)))
        }
        Event::Deny { by, reason, .. } => {
            let told = format!("{}\n{}", words::denied(next, by), words::because(reason));
            (words::DENIAL_COUNTED.to_owned(), card::text(&told))
        }
        Event::Redraw(_) => (words::card_changed(), card::text(&words::facts_changed(next))),
        // Of these only Refuse comes of a click; the others are here so that a new event is thought of.
        Event::Refuse { .. }
        | Event::Cancel
        | Event::Lapse
        | Event::Remind
        | Event::Ticket { .. }
        | Event::TicketGone { .. }
        | Event::Begin { .. }
        | Event::TakeOver { .. }
        | Event::Created { .. }
        | Event::NoAnswer { .. }
        | Event::Looked { .. }
        | Event::Fulfil
        | Event::Withdraw { .. }
        | Event::Seal { .. }
        | Event::Seen { .. }
        | Event::Report { .. }
        | Event::Posted(_) => (words::moved_on(next), card::text(&words::standing(next))),
    }
}

fn deny(authorized: &Authorized<Approve>, message: &Message, reason: &Reason) -> Event {
    Event::Deny { by: authorized.principal().clone(), press: message.id.clone(), reason: reason.clone() }
}

/// What to say where this very press was counted before: it was delivered again.
fn already(request: &KeyRequest, message: &Message) -> Option<&'static str> {
    if let State::Denied { press, .. } = &request.state
        && *press == message.id
    {
        return Some(words::DENIAL_COUNTED);
    }
    let approved = request.approvals.iter().any(|approval| approval.press == message.id);
    approved.then_some(words::APPROVAL_COUNTED)
}
