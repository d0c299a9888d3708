//! The transitions of a request: which event may follow which state, what it leaves, and what the audit trail says of it.
//! docs/state-machines.md draws them.

use std::time::Duration;

use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::denial::DenialReason;
use crate::domain::reason::Reason;
use crate::domain::request::details::{RequestKind, ReviewSnapshot};
use crate::domain::request::event::{AbortOutcome, RequestEvent, TransitionError};
use crate::domain::request::question::{Answer, MAX_QUESTIONS, Question};
use crate::domain::request::record::{Approval, KeyRequest};
use crate::domain::request::state::{AmbiguousCreate, IssueIntent, RequestState};
use crate::id::{AccessKeyId, PersonId, RequestId, RunId, TicketId};
use crate::time::Timestamp;

/// What an event leaves, and its audit entry without its actor.
type Transition = Result<(KeyRequest, AuditEvent, Vec<(&'static str, String)>), TransitionError>;

impl KeyRequest {
    /// The next state, or why the event does not fit this one.
    ///
    /// # Errors
    /// [`TransitionError`]; nothing changed then.
    pub fn apply(&self, event: RequestEvent, actor: &str, now: Timestamp) -> Result<Self, TransitionError> {
        let changed = match event {
            RequestEvent::Approve { by, press, comment, enough, approved_ttl } => {
                self.approve((by, press, comment), enough, approved_ttl, now)
            }
            RequestEvent::RevokeApprovals { by } => self.revoke_approvals(&by, now),
            RequestEvent::Deny { by, press, reason } => self.deny(by, press, reason, now),
            RequestEvent::Ask { by, press, question } => self.ask((by, press, question), now),
            RequestEvent::Answer { number, press, answer } => self.answer(number, press, answer, now),
            RequestEvent::Cancel => self.cancel(now),
            RequestEvent::Replace { by } => self.replace(by, now),
            RequestEvent::Expire => self.expire(now),
            RequestEvent::Remind => self.remind(now),
            RequestEvent::Refuse { reason } => self.refuse(reason, now),
            RequestEvent::FactsChanged(shown) => self.change_facts(shown, now),
            RequestEvent::Reopen { shown, ttl } => self.reopen(shown, ttl, now),
            RequestEvent::IssueLink { tid } => self.issue_link(tid, now),
            RequestEvent::TicketVoided { tid, why } => self.void_ticket(tid, why),
            RequestEvent::StartIssuing { intent, browser } => self.start_issuing(intent, browser, now),
            RequestEvent::ResumeIssuing { run, until } => self.resume_issuing(run, until, now),
            RequestEvent::Created { run, key } => self.record_created_key(&run, key),
            RequestEvent::CreateTimedOut { run } => self.mark_ambiguous(&run, now),
            RequestEvent::Rechecked { suspects } => self.record_recheck(suspects, now),
            RequestEvent::Complete => self.complete(now),
            RequestEvent::AbortIssuing { run, to, why, deleted } => {
                self.abort_issuing(run.as_ref(), to, why, deleted, now)
            }
            RequestEvent::Seal { run } => self.seal(&run, now),
            RequestEvent::RecordTicketEvent { happened, at, alert } => {
                let mut next = self.clone();
                next.misuse_alert_sent |= alert;
                next.chain.append(&self.id, at, happened);
                return Ok(next);
            }
            RequestEvent::CardPosted(card) => return Ok(Self { card: Some(card), ..self.clone() }),
        };
        let (mut next, event, detail) = changed?;
        next.chain.append(&self.id, now, NewAuditEntry::new(event, actor, detail));
        Ok(next)
    }

    fn approve(
        &self,
        (by, press, comment): (PersonId, RequestId, Option<Reason>),
        enough: bool,
        approved_ttl: Duration,
        now: Timestamp,
    ) -> Transition {
        let mut next = self.clone();
        self.ensure_open(now)?;
        if !matches!(self.state, RequestState::Pending) {
            return Err(TransitionError::InvalidState);
        }
        if !self.can_count(&by) {
            return Err(TransitionError::NotEligible);
        }
        // Met in two workspaces of an organisation it is still one person.
        if self.approvals.iter().any(|approval| approval.by.user == by.user) {
            return Err(TransitionError::AlreadyApproved);
        }
        let written = comment.as_ref().map(|comment| ("comment", comment.as_str().to_owned()));
        next.approvals.push(Approval { by, interaction_id: press, at: now, comment });
        if enough {
            next.state = RequestState::Approved;
            next.expires_at = now + approved_ttl;
        }
        let detail = [("revision", self.revision().to_string()), ("enough", enough.to_string())];
        Ok((next, AuditEvent::ReviewApproved, detail.into_iter().chain(written).collect()))
    }

    fn revoke_approvals(&self, by: &[PersonId], now: Timestamp) -> Transition {
        let mut next = self.clone();
        self.ensure_open(now)?;
        if !matches!(self.state, RequestState::Pending) {
            return Err(TransitionError::InvalidState);
        }
        next.approvals.retain(|approval| !by.contains(&approval.by));
        let by: Vec<String> = by.iter().map(PersonId::to_string).collect();
        Ok((next, AuditEvent::ReviewRevoked, Vec::from([("by", by.join(" "))])))
    }

    fn deny(&self, by: PersonId, press: RequestId, reason: Reason, now: Timestamp) -> Transition {
        let mut next = self.clone();
        self.ensure_open(now)?;
        let why = ("reason", reason.as_str().to_owned());
        next.state = RequestState::Denied { by, press, reason };
        Ok((next, AuditEvent::ReviewDenied, Vec::from([("revision", self.revision().to_string()), why])))
    }

    fn ask(&self, (by, press, text): (PersonId, RequestId, Reason), now: Timestamp) -> Transition {
        let mut next = self.clone();
        self.ensure_open(now)?;
        if self.state != RequestState::Pending || self.questions.len() >= MAX_QUESTIONS {
            return Err(TransitionError::InvalidState);
        }
        if !self.can_count(&by) {
            return Err(TransitionError::NotEligible);
        }
        let detail = [("number", self.questions.len().to_string()), ("question", text.as_str().to_owned())];
        next.questions.push(Question { by, interaction_id: press, at: now, text, answer: None });
        Ok((next, AuditEvent::QuestionAsked, Vec::from(detail)))
    }

    fn answer(&self, number: usize, press: RequestId, text: Reason, now: Timestamp) -> Transition {
        let mut next = self.clone();
        self.ensure_open(now)?;
        let asked = next.questions.get_mut(number).filter(|question| question.answer.is_none());
        let (RequestState::Pending, Some(asked)) = (&self.state, asked) else {
            return Err(TransitionError::InvalidState);
        };
        let detail = [("number", number.to_string()), ("answer", text.as_str().to_owned())];
        asked.answer = Some(Answer { interaction_id: press, at: now, text });
        Ok((next, AuditEvent::QuestionAnswered, Vec::from(detail)))
    }

    fn cancel(&self, now: Timestamp) -> Transition {
        let mut next = self.clone();
        self.ensure_open(now)?;
        next.state = RequestState::Cancelled;
        Ok((next, AuditEvent::RequestCancelled, Vec::new()))
    }

    /// Approvals that it had were given to what it asked for, and stay behind.
    fn replace(&self, by: RequestId, now: Timestamp) -> Transition {
        let mut next = self.clone();
        self.ensure_open(now)?;
        if !self.is_editable(now) {
            return Err(TransitionError::InvalidState);
        }
        let detail = [("by", by.to_string())];
        next.state = RequestState::Cancelled;
        next.replaced_by = Some(by);
        Ok((next, AuditEvent::RequestReplaced, Vec::from(detail)))
    }

    fn expire(&self, now: Timestamp) -> Transition {
        let mut next = self.clone();
        if !self.is_expired(now) {
            return Err(TransitionError::InvalidState);
        }
        next.state = RequestState::Expired;
        Ok((next, AuditEvent::RequestExpired, Vec::new()))
    }

    fn remind(&self, now: Timestamp) -> Transition {
        let mut next = self.clone();
        self.ensure_open(now)?;
        if self.state != RequestState::Pending || self.reminder_sent || now < self.remind_at() {
            return Err(TransitionError::InvalidState);
        }
        next.reminder_sent = true;
        Ok((next, AuditEvent::ReviewReminderSent, Vec::new()))
    }

    fn refuse(&self, reason: DenialReason, now: Timestamp) -> Transition {
        let mut next = self.clone();
        self.ensure_open(now)?;
        next.state = RequestState::PolicyDenied { reason };
        Ok((next, AuditEvent::RequestPolicyDenied, Vec::new()))
    }

    fn change_facts(&self, shown: ReviewSnapshot, now: Timestamp) -> Transition {
        let mut next = self.clone();
        self.ensure_open(now)?;
        if !matches!(self.state, RequestState::Pending) {
            return Err(TransitionError::InvalidState);
        }
        next.set_snapshot(shown);
        next.approvals.clear();
        let detail = [("from", self.revision().to_string()), ("to", next.revision().to_string())];
        Ok((next, AuditEvent::ReviewFactsChanged, Vec::from(detail)))
    }

    fn reopen(&self, shown: ReviewSnapshot, ttl: Duration, now: Timestamp) -> Transition {
        let mut next = self.clone();
        self.ensure_open(now)?;
        if self.state != RequestState::Approved || self.details.kind.existing().is_none() {
            return Err(TransitionError::InvalidState);
        }
        next.wait_for_approvals(shown, Vec::new(), now, ttl);
        let detail = [("from", self.revision().to_string()), ("to", next.revision().to_string())];
        Ok((next, AuditEvent::ReviewReopened, Vec::from(detail)))
    }

    fn issue_link(&self, tid: TicketId, now: Timestamp) -> Transition {
        let mut next = self.clone();
        self.ensure_open(now)?;
        if matches!(self.state, RequestState::Pending) || self.details.kind.existing().is_some() {
            return Err(TransitionError::InvalidState);
        }
        let detail = [("tid", tid.to_string())];
        next.state = RequestState::LinkIssued { tid };
        next.misuse_alert_sent = false;
        Ok((next, AuditEvent::LinkIssued, Vec::from(detail)))
    }

    fn void_ticket(&self, tid: TicketId, why: &str) -> Transition {
        let mut next = self.clone();
        if self.state != (RequestState::LinkIssued { tid: tid.clone() }) {
            return Err(TransitionError::InvalidState);
        }
        next.state = RequestState::Approved;
        Ok((next, AuditEvent::LinkVoided, Vec::from([("tid", tid.to_string()), ("why", why.to_owned())])))
    }

    fn start_issuing(&self, intent: IssueIntent, browser: String, now: Timestamp) -> Transition {
        let mut next = self.clone();
        self.ensure_open(now)?;
        if self.state != (RequestState::LinkIssued { tid: intent.tid.clone() }) {
            return Err(TransitionError::InvalidState);
        }
        let detail =
            [("tid", intent.tid.to_string()), ("run", intent.invocation.to_string()), ("browser", browser)];
        next.state = RequestState::Issuing(intent);
        Ok((next, AuditEvent::IssueStarted, Vec::from(detail)))
    }

    fn resume_issuing(&self, run: RunId, until: Timestamp, now: Timestamp) -> Transition {
        let mut next = self.clone();
        let RequestState::Issuing(intent) = &self.state else {
            return Err(TransitionError::InvalidState);
        };
        if now <= intent.deadline {
            return Err(TransitionError::IntentLost);
        }
        let detail = [("from", intent.invocation.to_string()), ("run", run.to_string())];
        next.state =
            RequestState::Issuing(IssueIntent { invocation: run, deadline: until, ..intent.clone() });
        Ok((next, AuditEvent::IssueResumed, Vec::from(detail)))
    }

    fn record_created_key(&self, run: &RunId, key: AccessKeyId) -> Transition {
        let mut next = self.clone();
        let intent = self.intent_held_by(run)?;
        if intent.created.is_some() {
            return Err(TransitionError::InvalidState);
        }
        let detail = [("key", key.to_string()), ("run", run.to_string())];
        next.state = RequestState::Issuing(IssueIntent { created: Some(key), ..intent.clone() });
        Ok((next, AuditEvent::IssueKeyCreated, Vec::from(detail)))
    }

    fn mark_ambiguous(&self, run: &RunId, now: Timestamp) -> Transition {
        let mut next = self.clone();
        let intent = self.intent_held_by(run)?;
        if intent.created.is_some() {
            return Err(TransitionError::InvalidState);
        }
        let doubt =
            AmbiguousCreate { intent: intent.clone(), since: now, checks_done: 0, suspect_keys: Vec::new() };
        next.state = RequestState::Ambiguous(doubt);
        Ok((next, AuditEvent::IssueCreateTimedOut, Vec::from([("run", run.to_string())])))
    }

    fn record_recheck(&self, suspects: Vec<AccessKeyId>, now: Timestamp) -> Transition {
        let mut next = self.clone();
        let RequestState::Ambiguous(doubt) = &self.state else {
            return Err(TransitionError::InvalidState);
        };
        if doubt.look_at().is_none_or(|look_at| now < look_at) {
            return Err(TransitionError::InvalidState);
        }
        let found = suspects.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let mut doubt = AmbiguousCreate { checks_done: doubt.checks_done + 1, ..doubt.clone() };
        doubt.suspect_keys.extend(suspects);
        let detail = [("check", doubt.checks_done.to_string()), ("suspects", found)];
        // After the last look the request may be tried again: what there was to find is found.
        let settled = doubt.look_at().is_none();
        next.state = if settled { RequestState::Approved } else { RequestState::Ambiguous(doubt) };
        Ok((next, AuditEvent::IssueRechecked, Vec::from(detail)))
    }

    fn complete(&self, now: Timestamp) -> Transition {
        let mut next = self.clone();
        self.ensure_open(now)?;
        let (event, key, end) = match (&self.state, &self.details.kind) {
            (RequestState::Approved, RequestKind::Reactivate { key, end, .. }) => {
                (AuditEvent::KeyActivated, key, end)
            }
            (RequestState::Approved, RequestKind::Extend { key, end }) => (AuditEvent::KeyExtended, key, end),
            _ => return Err(TransitionError::InvalidState),
        };
        next.state = RequestState::Completed { key: key.clone(), at: now };
        Ok((next, event, Vec::from([("key", key.to_string()), ("end", end.rfc3339())])))
    }

    fn abort_issuing(
        &self,
        run: Option<&RunId>,
        to: AbortOutcome,
        why: &str,
        deleted: Option<AccessKeyId>,
        now: Timestamp,
    ) -> Transition {
        let mut next = self.clone();
        let fits = match &run {
            // A key that was recorded is given up only once it is deleted.
            Some(run) => {
                let created = &self.intent_held_by(run)?.created;
                (created.is_none() || *created == deleted) && !matches!(to, AbortOutcome::Pending { .. })
            }
            None => matches!(self.state, RequestState::LinkIssued { .. }) && deleted.is_none(),
        };
        if !fits {
            return Err(TransitionError::InvalidState);
        }
        match to {
            AbortOutcome::Approved => next.state = RequestState::Approved,
            AbortOutcome::Pending { shown, approvals, ttl } => {
                next.wait_for_approvals(shown, approvals, now, ttl);
            }
            AbortOutcome::Refused { reason } => next.state = RequestState::PolicyDenied { reason },
        }
        let mut detail = vec![("why", why.to_owned())];
        detail.extend(deleted.map(|key| ("deleted", key.to_string())));
        Ok((next, AuditEvent::IssueAborted, detail))
    }

    fn seal(&self, run: &RunId, now: Timestamp) -> Transition {
        let mut next = self.clone();
        let intent = self.intent_held_by(run)?;
        let key = intent.created.clone().ok_or(TransitionError::InvalidState)?;
        let detail = [("key", key.to_string()), ("run", run.to_string())];
        next.state = RequestState::Issued { key, tid: intent.tid.clone(), at: now };
        Ok((next, AuditEvent::IssueCompleted, Vec::from(detail)))
    }

    fn ensure_open(&self, now: Timestamp) -> Result<(), TransitionError> {
        if self.is_expired(now) {
            Err(TransitionError::Expired)
        } else if self.is_actionable() {
            Ok(())
        } else {
            Err(TransitionError::InvalidState)
        }
    }

    fn intent_held_by(&self, run: &RunId) -> Result<&IssueIntent, TransitionError> {
        let intent = self.state.intent().filter(|intent| intent.invocation == *run);
        intent.ok_or(TransitionError::IntentLost)
    }
}
