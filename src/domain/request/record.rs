//! A request as its item tells: what is requested, what was reviewed, where it stands, and when its timer runs out.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::audit::{AuditChain, AuditEvent, NewAuditEntry};
use crate::domain::denial::DenialReason;
use crate::domain::notification::Outbox;
use crate::domain::person::EligibleApprovers;
use crate::domain::reason::Reason;
use crate::domain::request::details::{RequestDetails, RequestKind, ReviewSnapshot};
use crate::domain::request::question::Question;
use crate::domain::request::revision::RevisionSalt;
use crate::domain::request::state::RequestState;
use crate::domain::timer::Lane;
use crate::id::{
    AccessKeyId, ChannelId, Digest256, MessageTs, PersonId, RequestId, Revision, SlackUserId, TicketId,
};
use crate::time::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRequest {
    pub id: RequestId,
    pub details: RequestDetails,
    /// What the card shows.
    pub snapshot: ReviewSnapshot,
    /// What its revisions are salted with.
    pub salt: RevisionSalt,
    /// The revisions that its card showed before the present one: a press that names one was once right.
    pub previous_revisions: Vec<Revision>,
    /// Who was an approver when it was created, without the holder of the key that it is about.
    pub eligible_approvers: EligibleApprovers,
    /// Those of them whom messages name, where they are few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named_approvers: Vec<SlackUserId>,
    /// Approvals given to what the card shows.
    pub approvals: Vec<Approval>,
    /// What approvers asked about it, and the answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<Question>,
    /// Since when its card has waited for approvals.
    pub pending_since: Timestamp,
    /// When it expires in its present state.
    pub expires_at: Timestamp,
    /// The card, once posted.
    #[serde(deserialize_with = "Option::deserialize")]
    pub card: Option<Card>,
    pub state: RequestState,
    /// Whether it was told that the present link was misused.
    pub misuse_alert_sent: bool,
    /// Whether the approvers were reminded.
    pub reminder_sent: bool,
    pub chain: AuditChain,
    /// What people are still to be told.
    pub notifications: Outbox,
    /// The request that took its place, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<RequestId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub by: PersonId,
    /// By which press: one that is delivered again meets its own approval.
    pub interaction_id: RequestId,
    pub at: Timestamp,
    /// What the approver wrote with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Reason>,
}

/// The message in the approvals channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    pub channel: ChannelId,
    pub ts: MessageTs,
}

impl KeyRequest {
    /// A request as it begins: pending, or approved where policy wants no approval.
    #[must_use]
    pub fn new(
        id: RequestId,
        asked: RequestDetails,
        shown: ReviewSnapshot,
        salt: RevisionSalt,
        eligible_approvers: EligibleApprovers,
        (request_ttl, approved_ttl): (Duration, Duration),
    ) -> Self {
        let (state, ttl) = if shown.required_approvals == 0 {
            (RequestState::Approved, approved_ttl)
        } else {
            (RequestState::Pending, request_ttl)
        };
        let mut chain = AuditChain::default();
        let detail = [
            ("account", asked.account.id.to_string()),
            ("user", asked.user.to_string()),
            ("use_case", asked.use_case.to_string()),
            ("days", asked.days.to_string()),
            ("reason", asked.reason.clone()),
            ("needed", shown.required_approvals.to_string()),
        ];
        let mut happened = NewAuditEntry::new(AuditEvent::RequestCreated, &asked.requester, detail);
        happened.detail.extend(asked.kind.detail());
        happened.detail.extend(asked.replaces.as_ref().map(|old| ("replaces".to_owned(), old.to_string())));
        chain.append(&id, asked.at, happened);
        let expires_at = asked.at + ttl;
        Self {
            id,
            pending_since: asked.at,
            details: asked,
            snapshot: shown,
            salt,
            previous_revisions: Vec::new(),
            eligible_approvers,
            named_approvers: Vec::new(),
            approvals: Vec::new(),
            questions: Vec::new(),
            expires_at,
            card: None,
            state,
            misuse_alert_sent: false,
            reminder_sent: false,
            chain,
            notifications: Outbox::default(),
            replaced_by: None,
        }
    }

    /// A request that policy refused when it was asked: kept, so that a redelivery meets it, and audited.
    #[must_use]
    pub fn refused(
        id: RequestId,
        asked: RequestDetails,
        salt: RevisionSalt,
        reason: DenialReason,
        by: &[String],
    ) -> Self {
        let shown = ReviewSnapshot {
            required_approvals: 0,
            privileged: true,
            groups: Vec::new(),
            policies: Vec::new(),
            policy_digest: Digest256::of(b""),
            boundary: None,
            keys: Vec::new(),
        };
        let ttls = (Duration::ZERO, Duration::ZERO);
        let mut request = Self::new(id, asked, shown, salt, EligibleApprovers::default(), ttls);
        let detail = [("by", by.join(" "))];
        request.chain.append(
            &request.id,
            request.details.at,
            NewAuditEntry::new(AuditEvent::RequestPolicyDenied, "keyvend", detail),
        );
        request.state = RequestState::PolicyDenied { reason };
        request
    }

    /// The request with approvals that were given to another one and hold for this one too, as far as they can count here;
    /// `enough` says that policy allows issuing with them.
    #[must_use]
    pub fn inheriting(
        mut self,
        mut approvals: Vec<Approval>,
        of: &RequestId,
        enough: bool,
        approved_ttl: Duration,
    ) -> Self {
        approvals.retain(|approval| self.can_count(&approval.by));
        let by: Vec<String> = approvals.iter().map(|approval| approval.by.to_string()).collect();
        let detail = [("of", of.to_string()), ("by", by.join(" ")), ("enough", enough.to_string())];
        self.chain.append(
            &self.id,
            self.details.at,
            NewAuditEntry::new(AuditEvent::ReviewInherited, "keyvend", detail),
        );
        self.approvals = approvals;
        if enough {
            self.state = RequestState::Approved;
            self.expires_at = self.details.at + approved_ttl;
        }
        self
    }

    /// Whether this person's approval can count: they were an approver when it was created, and it is not their own.
    #[must_use]
    pub fn can_count(&self, by: &PersonId) -> bool {
        self.eligible_approvers.contains(&by.user) && by.user != self.details.requester.user
    }

    /// The revision of what its card shows. Only the buttons of that card carry it.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision_of(&self.snapshot)
    }

    /// The revision of its card if it showed this: over the request, how privileged the user is, its groups, its policies
    /// and their documents, and the approvals needed.
    #[must_use]
    pub fn revision_of(&self, shown: &ReviewSnapshot) -> Revision {
        self.salted_hash("card", &shown.canonical())
    }

    /// What its requester's own buttons carry. It stays as it is, as what was asked does, and is no revision of the card:
    /// a stolen answer to the requester decides nothing.
    #[must_use]
    pub fn requester_revision(&self) -> Revision {
        self.salted_hash("requester", &Value::Null)
    }

    /// Whether its card shows this revision, or did.
    #[must_use]
    pub fn is_known_revision(&self, revision: &Revision) -> bool {
        *revision == self.revision() || self.previous_revisions.contains(revision)
    }

    fn salted_hash(&self, to: &str, shown: &Value) -> Revision {
        let canonical = json!([self.salt.encoded(), to, self.details.canonical(), shown]);
        Revision::of(canonical.to_string().as_bytes())
    }

    /// The card shows this from now on.
    pub(crate) fn set_snapshot(&mut self, shown: ReviewSnapshot) {
        let before = self.revision();
        self.snapshot = shown;
        if before != self.revision() && !self.previous_revisions.contains(&before) {
            self.previous_revisions.push(before);
        }
    }

    /// Whether these facts are other than those that its approvals were given for. Where no approval is needed, none was
    /// given for anything.
    #[must_use]
    pub fn is_outdated_by(&self, shown: &ReviewSnapshot) -> bool {
        shown.required_approvals > 0 && self.revision_of(shown) != self.revision()
    }

    /// It waits for approvals of what its card shows from now on.
    pub(crate) fn wait_for_approvals(
        &mut self,
        shown: ReviewSnapshot,
        approvals: Vec<Approval>,
        now: Timestamp,
        ttl: Duration,
    ) {
        let approvals = approvals.into_iter().filter(|approval| self.can_count(&approval.by)).collect();
        self.state = RequestState::Pending;
        self.set_snapshot(shown);
        self.approvals = approvals;
        self.pending_since = now;
        self.expires_at = now + ttl;
        self.reminder_sent = false;
    }

    /// Whether its time has run out while it still waits for a person.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.is_actionable() && self.expires_at <= now
    }

    /// Whether it may still come to a key.
    #[must_use]
    pub fn is_unresolved(&self, now: Timestamp) -> bool {
        let under_way = matches!(self.state, RequestState::Issuing(_) | RequestState::Ambiguous(_));
        under_way || (self.is_actionable() && !self.is_expired(now))
    }

    /// When a quarter of the card's time is gone.
    #[must_use]
    pub fn remind_at(&self) -> Timestamp {
        Timestamp(self.pending_since.0 + self.expires_at.since(self.pending_since) / 4)
    }

    /// When it must next be looked at, if nobody does anything.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        // An intent's holder is left alone until its deadline: any other write would take it from them.
        if let RequestState::Issuing(intent) = &self.state {
            return Some(intent.deadline);
        }
        if self.has_leftovers() {
            // Written, but not yet known to be audited and told: at the next sweep that finds it so.
            return Some(self.details.at);
        }
        match &self.state {
            RequestState::Ambiguous(doubt) => doubt.look_at(),
            // There is no link to wait for.
            RequestState::Approved if self.details.kind.existing().is_some() => Some(self.pending_since),
            RequestState::Pending if !self.reminder_sent => Some(self.remind_at()),
            RequestState::Pending | RequestState::Approved | RequestState::LinkIssued { .. } => {
                Some(self.expires_at)
            }
            RequestState::Issuing(_)
            | RequestState::Issued { .. }
            | RequestState::Completed { .. }
            | RequestState::Denied { .. }
            | RequestState::Cancelled
            | RequestState::Expired
            | RequestState::PolicyDenied { .. } => None,
        }
    }

    /// Whether audit entries or notifications are still to be handed on.
    #[must_use]
    pub fn has_leftovers(&self) -> bool {
        !self.chain.outbox.is_empty() || !self.notifications.outbox.is_empty()
    }

    /// Which timers its own belongs to.
    #[must_use]
    pub fn lane(&self) -> Lane {
        match &self.state {
            // There may be a key of which nobody knows.
            RequestState::Issuing(_) | RequestState::Ambiguous(_) => Lane::Security,
            RequestState::Pending
            | RequestState::Approved
            | RequestState::LinkIssued { .. }
            | RequestState::Issued { .. }
            | RequestState::Completed { .. }
            | RequestState::Denied { .. }
            | RequestState::Cancelled
            | RequestState::Expired
            | RequestState::PolicyDenied { .. } => {
                if self.has_leftovers() {
                    Lane::Outbox
                } else {
                    Lane::Routine
                }
            }
        }
    }

    /// Whether a person can still decide it.
    #[must_use]
    pub fn is_actionable(&self) -> bool {
        match self.state {
            RequestState::Pending | RequestState::Approved | RequestState::LinkIssued { .. } => true,
            RequestState::Issuing(_)
            | RequestState::Ambiguous(_)
            | RequestState::Issued { .. }
            | RequestState::Completed { .. }
            | RequestState::Denied { .. }
            | RequestState::Cancelled
            | RequestState::Expired
            | RequestState::PolicyDenied { .. } => false,
        }
    }

    /// Whether its requester can change it now: it asks for a new key, and nobody's approvals are enough yet.
    #[must_use]
    pub fn is_editable(&self, now: Timestamp) -> bool {
        self.state == RequestState::Pending
            && self.details.kind == RequestKind::Create
            && !self.is_expired(now)
    }

    /// The question of this number, while it waits for an answer.
    #[must_use]
    pub fn open_question(&self, number: usize, now: Timestamp) -> Option<&Question> {
        let waits = self.state == RequestState::Pending && !self.is_expired(now);
        self.questions.get(number).filter(|question| waits && question.answer.is_none())
    }

    /// Whether its requester can get a link for a new key now.
    #[must_use]
    pub fn is_collectable(&self, now: Timestamp) -> bool {
        let may = matches!(self.state, RequestState::Approved | RequestState::LinkIssued { .. });
        may && self.details.kind.existing().is_none() && !self.is_expired(now)
    }

    /// The key that was issued and the ticket it was sealed to, if one was.
    #[must_use]
    pub fn issued(&self) -> Option<(&AccessKeyId, &TicketId)> {
        self.state.issued()
    }

    /// The link that was given out and not used up, if any.
    #[must_use]
    pub fn ticket(&self) -> Option<&TicketId> {
        match &self.state {
            RequestState::LinkIssued { tid } | RequestState::Issued { tid, .. } => Some(tid),
            RequestState::Issuing(intent) => Some(&intent.tid),
            RequestState::Ambiguous(doubt) => Some(&doubt.intent.tid),
            RequestState::Pending
            | RequestState::Approved
            | RequestState::Completed { .. }
            | RequestState::Denied { .. }
            | RequestState::Cancelled
            | RequestState::Expired
            | RequestState::PolicyDenied { .. } => None,
        }
    }
}
