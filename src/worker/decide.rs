//! An approver's click: judged with fresh facts, against what the card showed, by what the table holds.

use futures_util::future::try_join;

use super::cancel::RACES;
use super::create::Limit;
use super::facts::{Facts, Found};
use super::{NotDone, Worker};
use crate::aws::WriteError;
use crate::card;
use crate::command::Reason;
use crate::id::{PersonId, RequestId, Revision};
use crate::inbound::{ButtonMessage, Message};
use crate::policy::{Approve, Authorized, Denial, Issue, Needed, Policies, Verdict};
use crate::request::{Event, KeyRequest, Shown, State, Telling, Unfit};
use crate::slack_api::{self, SlackApi};
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

/// `<request id>.<revision>`. That it has this form proves nothing: the revision must be one that the request showed.
pub(super) fn carried(value: &str) -> Option<(RequestId, Revision)> {
    let (id, revision) = value.split_once('.')?;
    Some((id.parse().ok()?, revision.parse().ok()?))
}

/// What a click comes to, before it is written.
enum Judged {
    /// Write this.
    Event(Event),
    /// Write this approval, and that these people's no longer count; so many others could still approve.
    Approved { event: Event, fallen: Vec<PersonId>, left: usize },
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
        let named = carried(value);
        // Whether they may press so often is seen beside the first read.
        let read = async {
            match &named {
                Some((id, _)) => Ok(Stored::read(&self.dynamo, id).await?),
                None => Ok(None),
            }
        };
        let (read, ()) = try_join(read, self.admit(message)).await?;
        let mut read = Some(read);
        let Some((id, revision)) = named else {
            return Ok(self.reply(message, now, words::UNKNOWN_BUTTON).await?);
        };
        let Ok(policies) = &self.policies else {
            return Ok(self.reply(message, now, words::POLICIES_INVALID).await?);
        };
        for _ in 0..RACES {
            let found = match read.take() {
                Some(found) => found,
                None => Stored::read(&self.dynamo, &id).await?,
            };
            let Some(stored) = found else {
                return Ok(self.reply(message, now, words::UNKNOWN_BUTTON).await?);
            };
            if !stored.request.has_shown(&revision) {
                return Ok(self.turn_away(message, &stored, now).await?);
            }
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
        let key = self.key_about(asked).await?;
        let about_request = |facts: Facts| facts.of_request(request, key.clone());
        let ask = |policies: &Policies, facts: &Facts| match &facts.presser {
            Some(presser) => {
                let approve = Approve(about_request(facts.clone()).to_approve(asked));
                policies.authorize(presser, approve, &facts.iam_user).map(drop)
            }
            None => Ok(()),
        };
        let found = self.facts_unless_denied(&slack, &asked.requester, subject, people, now, ask).await;
        let facts = match found {
            Ok(Found::Facts(facts)) => about_request(*facts),
            Ok(Found::Denied(denial, _)) => return Ok(Judged::No(self.no(&denial))),
            Ok(Found::NoSuchUser) => {
                return self.judge_without_user(policies, &slack, message, request).await;
            }
            Err(fault) => return Ok(Judged::No(self.unreachable(fault)?)),
        };
        let presser = facts.presser.as_ref().ok_or_else(|| anyhow::anyhow!("nobody pressed"))?;
        let authorized = policies.authorize(presser, Approve(facts.to_approve(asked)), &facts.iam_user);
        let authorized = match authorized {
            Ok(authorized) => authorized,
            Err(denial) => return Ok(Judged::No(self.no(&denial))),
        };
        Ok(match click {
            Click::Deny(reason) => Judged::Event(deny(&authorized, message, reason)),
            Click::Approve if !request.can_count(&presser.id) => {
                let others = self.who_may_still_approve(&slack, &facts, request).await?;
                Judged::No(words::approver_since(request, &others))
            }
            Click::Approve => {
                if let Some(Limit { why, .. }) = self.beyond_limits(asked, &facts.iam_user) {
                    return Ok(Judged::Event(Event::Refuse { why }));
                }
                match facts.needed(policies, asked) {
                    Needed::Never(denial) => Judged::Event(Event::Refuse { why: self.no(&denial) }),
                    Needed::Approvals(needed) => {
                        let shown = Shown::of(&facts.iam_user, needed);
                        if request.revision_of(&shown) != request.revision() {
                            Judged::Changed(shown)
                        } else if *revision != request.revision() {
                            Judged::OldCard
                        } else {
                            let event = self.approval(policies, &authorized, &facts, request, message);
                            self.with_fallen(policies, &slack, event, &facts, request).await?
                        }
                    }
                }
            }
        })
    }

    /// There is no IAM user any more that policy could be asked about. The request can only end, and those may end it
    /// whom it concerns: its requester, and whoever approves now.
    async fn judge_without_user(
        &self,
        policies: &Policies,
        slack: &SlackApi,
        message: &Message,
        request: &KeyRequest,
    ) -> anyhow::Result<Judged> {
        let memberships = self.memberships(slack).await?;
        let presser = self.lookup.person(slack, &message.person, &memberships).await?;
        let concerned =
            memberships.approvers().contains(&presser.id.user) || request.asked.requester == presser.id;
        if !presser.is_full_member()
            && let Some(denial) = policies.bars(&presser, &request.asked.account)
        {
            return Ok(Judged::No(self.no(&denial)));
        }
        if !concerned || !presser.is_full_member() {
            return Ok(Judged::No(words::NOT_YOURS_TO_DECIDE.to_owned()));
        }
        Ok(Judged::Event(Event::Refuse { why: words::USER_GONE.to_owned() }))
    }

    /// Whether somebody is a full member and approves now, where there is no IAM user that policy could be asked about.
    pub(super) async fn approves_now(&self, slack: &SlackApi, person: &PersonId) -> anyhow::Result<bool> {
        let memberships = self.memberships(slack).await?;
        let person = self.lookup.person(slack, person, &memberships).await?;
        Ok(memberships.approvers().contains(&person.id.user) && person.is_full_member())
    }

    /// Answers a press whose value no button of the request's ever had as one that belongs to nothing, and audits it.
    pub(super) async fn turn_away(
        &self,
        message: &Message,
        stored: &Stored,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        self.reply(message, now, words::UNKNOWN_BUTTON).await?;
        self.note_unknown(message, stored, now).await
    }

    /// Audits a press that somebody made up: the buttons themselves carry what was shown.
    pub(super) async fn note_unknown(
        &self,
        message: &Message,
        stored: &Stored,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        tracing::warn!("a press names a revision that nobody was shown");
        self.note(stored, "press-unknown", message, now).await
    }

    fn no(&self, denial: &Denial) -> String {
        words::refused(&denial.advice, self.config.help_channel.as_ref())
    }

    /// The approval, with whether policy then allows issuing.
    fn approval(
        &self,
        policies: &Policies,
        authorized: &Authorized<Approve>,
        facts: &Facts,
        request: &KeyRequest,
        message: &Message,
    ) -> Event {
        let count = facts.approvals(policies, &request.asked, facts.presser.as_ref());
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

    /// With the approvals that fall, and how many others could still give one where one is lacking.
    async fn with_fallen(
        &self,
        policies: &Policies,
        slack: &SlackApi,
        event: Event,
        facts: &Facts,
        request: &KeyRequest,
    ) -> anyhow::Result<Judged> {
        let given = request.approvals.iter().map(|approval| &approval.by);
        let fallen = given.filter(|by| !facts.stands(policies, &request.asked, by)).cloned().collect();
        let left = if matches!(event, Event::Approve { enough: true, .. }) {
            usize::MAX
        } else {
            let others = self.who_may_still_approve(slack, facts, request).await?;
            let pressed = facts.presser.as_ref().map(|person| &person.id.user);
            others.iter().filter(|user| Some(*user) != pressed).count()
        };
        Ok(Judged::Approved { event, fallen, left })
    }

    /// Writes what a click came to and tells whom it concerns; `false` where somebody else wrote first.
    async fn carry_out(
        &self,
        message: &Message,
        judged: Judged,
        stored: &Stored,
        now: Timestamp,
    ) -> Result<bool, NotDone> {
        let (event, fallen, left) = match judged {
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
            Judged::Changed(shown) => (Event::Redraw(shown), Vec::new(), usize::MAX),
            Judged::Event(event) => (event, Vec::new(), usize::MAX),
            Judged::Approved { event, fallen, left } => (event, fallen, left),
        };
        let standing = if fallen.is_empty() {
            Ok(stored.request.clone())
        } else {
            stored.request.apply(Event::Fall { by: fallen }, "keyvend", now)
        };
        let applied =
            standing.and_then(|request| request.apply(event.clone(), &message.person.to_string(), now));
        let next = match applied {
            Ok(next) => next,
            Err(Unfit::AlreadyApproved) => {
                self.reply(message, now, words::ALREADY_APPROVED).await?;
                return Ok(true);
            }
            Err(Unfit::NotEligible) => {
                self.reply(message, now, &words::approver_since(&stored.request, &[])).await?;
                return Ok(true);
            }
            Err(Unfit::Expired | Unfit::MovedOn | Unfit::Replaced) => return Ok(false),
        };
        let voided = if next.waits() { Vec::new() } else { self.void_ticket(stored).await? };
        let (to_presser, to_requester) = told(&event, &next, left);
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
fn told(event: &Event, next: &KeyRequest, left: usize) -> (String, slack_api::Message) {
    match event {
        Event::Approve { enough: true, .. } if next.asked.wants.existing().is_some() => {
            (words::APPROVAL_COUNTED.to_owned(), card::text(&words::being_done(next)))
        }
        Event::Approve { enough: true, .. } => (words::APPROVAL_COUNTED.to_owned(), card::ready(next)),
        Event::Approve { by, .. } => {
            let lacking = words::one_more(next, by) + &words::too_few_left(next, left);
            (words::APPROVAL_COUNTED.to_owned(), card::text(&lacking))
        }
        Event::Deny { by, reason, .. } => {
            let told = format!("{}\n{}", words::denied(next, by), words::because(reason));
            (words::DENIAL_COUNTED.to_owned(), card::text(&told))
        }
        Event::Redraw(_) => (words::card_changed(), card::text(&words::facts_changed(next))),
        Event::Refuse { .. } => (words::standing(next), card::text(&words::standing(next))),
        // None of these comes of a click alone; they are here so that a new event is thought of.
        Event::Fall { .. }
        | Event::Cancel
        | Event::Lapse
        | Event::Remind
        | Event::Ticket { .. }
        | Event::TicketGone { .. }
        | Event::Reopen { .. }
        | Event::Begin { .. }
        | Event::TakeOver { .. }
        | Event::Created { .. }
        | Event::NoAnswer { .. }
        | Event::Looked { .. }
        | Event::Fulfil
        | Event::Withdraw { .. }
        | Event::Seal { .. }
        | Event::Seen { .. }
        | Event::Posted(_) => (words::moved_on(next), card::text(&words::standing(next))),
    }
}

fn deny(authorized: &Authorized<Approve>, message: &Message, reason: &Reason) -> Event {
    Event::Deny { by: authorized.principal().clone(), press: message.id.clone(), reason: reason.clone() }
}

/// What to say where this very press was counted before: it was delivered again.
fn already(request: &KeyRequest, message: &Message) -> Option<&'static str> {
    // The id alone is no press of this person's: whoever can write to the queue chooses it.
    let is_own = |by: &PersonId, press: &RequestId| *by == message.person && *press == message.id;
    if let State::Denied { by, press, .. } = &request.state
        && is_own(by, press)
    {
        return Some(words::DENIAL_COUNTED);
    }
    let approved = request.approvals.iter().any(|approval| is_own(&approval.by, &approval.press));
    approved.then_some(words::APPROVAL_COUNTED)
}
