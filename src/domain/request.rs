//! A request for a key: what was asked, who approved, and where it stands. Pure: an event in, the next state out,
//! with the audit entry that tells of it. Nothing here looks anything up or knows Slack's messages.

pub mod event;
pub mod revision;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::audit::{AuditChain, AuditEvent, NewAuditEntry};
use crate::domain::iam::{AccessKey, Account, IamUser};
pub use crate::domain::notification::{Notification, Outbox, OutboxEntry};
use crate::domain::person::EligibleApprovers;
use crate::domain::reason::Reason;
pub use crate::domain::request::event::{AbortOutcome, RequestEvent, TransitionError};
pub use crate::domain::request::revision::RevisionSalt;
use crate::domain::use_case::UseCase;
use crate::id::{
    AccessKeyId, ChannelId, Digest256, IamUserName, MessageTs, PersonId, RequestId, Revision, RunId, TicketId,
};
use crate::time::Timestamp;

/// What a request is for. Everything but a new key is about one that exists, and is judged with what remains of its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestKind {
    /// A new key.
    Create,
    /// A new key in place of one, until that one's approved end.
    Rotate {
        /// Which.
        key: AccessKeyId,
        /// Its approved end.
        end: Timestamp,
        /// The lifetime that was approved for it first, in days.
        days: u32,
    },
    /// A key that is off back, until `end`.
    Reactivate {
        /// Which.
        key: AccessKeyId,
        /// Until when.
        end: Timestamp,
        /// Whether this takes an expiry back, which happens once.
        undo: bool,
    },
    /// A key for longer, until `end`.
    Extend {
        /// Which.
        key: AccessKeyId,
        /// Until when.
        end: Timestamp,
    },
}

impl RequestKind {
    /// The key that exists and comes back or lives longer: no link is needed for it.
    #[must_use]
    pub fn existing(&self) -> Option<&AccessKeyId> {
        match self {
            Self::Create | Self::Rotate { .. } => None,
            Self::Reactivate { key, .. } | Self::Extend { key, .. } => Some(key),
        }
    }

    /// The key that the request is about, where it is about one.
    #[must_use]
    pub fn key(&self) -> Option<&AccessKeyId> {
        match self {
            Self::Create => None,
            Self::Rotate { key, .. } | Self::Reactivate { key, .. } | Self::Extend { key, .. } => Some(key),
        }
    }

    /// The end that the key then has, where it is fixed beforehand.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        match self {
            Self::Create => None,
            Self::Rotate { end, .. } | Self::Reactivate { end, .. } | Self::Extend { end, .. } => Some(*end),
        }
    }

    /// What the trail says of it, where it is about a key that exists.
    fn detail(&self) -> Vec<(String, String)> {
        let (kind, key, end) = match self {
            Self::Create => return Vec::new(),
            Self::Rotate { key, end, .. } => ("rotate", key, end),
            Self::Reactivate { key, end, undo: true } => ("undo", key, end),
            Self::Reactivate { key, end, undo: false } => ("activate", key, end),
            Self::Extend { key, end } => ("extend", key, end),
        };
        let detail = [("kind", kind.to_owned()), ("key", key.to_string()), ("end", end.rfc3339())];
        detail.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

/// What somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestDetails {
    /// What for.
    pub kind: RequestKind,
    /// Who.
    pub requester: PersonId,
    /// In which account.
    pub account: Account,
    /// For which IAM user.
    pub user: IamUserName,
    /// What the key is for.
    pub use_case: UseCase,
    /// How many days it should live.
    pub days: u32,
    /// Why, in the requester's words.
    pub reason: String,
    /// SHA-256 of the mail address in the requester's profile at that time: enough to see later that it changed.
    #[serde(deserialize_with = "Option::deserialize")]
    pub email_hash: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What the card shows and its approvers judged: another value at the click redraws the card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewSnapshot {
    /// Approvals that policy wants.
    pub required_approvals: u32,
    /// Whether the IAM user is privileged.
    pub privileged: bool,
    /// Its IAM groups.
    pub groups: Vec<String>,
    /// Its policies, attached, inline and of its groups.
    pub policies: Vec<String>,
    /// A digest over their documents: part of the revision, but not of what people read.
    pub policy_digest: Digest256,
    /// Its permissions boundary.
    #[serde(deserialize_with = "Option::deserialize")]
    pub boundary: Option<String>,
    /// Its keys. Shown, but no part of the revision: a last use moves all the time.
    pub keys: Vec<AccessKey>,
}

/// Somebody's approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Whose.
    pub by: PersonId,
    /// By which press: one that is delivered again meets its own approval.
    pub interaction_id: RequestId,
    /// When.
    pub at: Timestamp,
}

/// The intent to create a key, held by one invocation until its own deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueIntent {
    /// The ticket that the key goes to.
    pub tid: TicketId,
    /// The invocation.
    pub invocation: RunId,
    /// When the intent was first written down: the day whose count it is in.
    pub started_at: Timestamp,
    /// Its holder's deadline.
    pub deadline: Timestamp,
    /// The IAM user's path.
    pub path: String,
    /// The user's keys before.
    pub existing_keys: Vec<AccessKeyId>,
    /// The key, once `CreateAccessKey` answered.
    #[serde(deserialize_with = "Option::deserialize")]
    pub created: Option<AccessKeyId>,
}

/// `CreateAccessKey` was asked and nobody heard the answer: IAM is looked at until it is settled what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmbiguousCreate {
    /// What was intended, and the keys there were before.
    pub intent: IssueIntent,
    /// Since when it is not known.
    pub since: Timestamp,
    /// How often IAM was looked at since.
    pub checks_done: usize,
    /// Keys that may have come of it, found so far.
    pub suspect_keys: Vec<AccessKeyId>,
}

/// When IAM is looked at after an unanswered `CreateAccessKey`, in seconds: its lists lag behind.
pub const RECHECK_DELAYS: [i64; 4] = [15, 60, 300, 1_200];

impl AmbiguousCreate {
    /// When IAM is looked at next.
    #[must_use]
    pub fn look_at(&self) -> Option<Timestamp> {
        Some(Timestamp(self.since.0 + RECHECK_DELAYS.get(self.checks_done)?))
    }
}

/// Where a request stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestState {
    /// Waits for approvals.
    Pending,
    /// Waits for its requester to press Get my key.
    Approved,
    /// A link was given out.
    LinkIssued {
        /// The link's ticket.
        tid: TicketId,
    },
    /// A key is being created.
    Issuing(IssueIntent),
    /// `CreateAccessKey` gave no answer: whether there is a key is not known, and it is never repeated.
    Ambiguous(AmbiguousCreate),
    /// The key exists.
    Issued {
        /// Which.
        key: AccessKeyId,
        /// The ticket it was sealed to.
        tid: TicketId,
        /// When.
        at: Timestamp,
    },
    /// A key that exists was activated again, or lives longer.
    Completed {
        /// Which.
        key: AccessKeyId,
        /// When.
        at: Timestamp,
    },
    /// An approver said no.
    Denied {
        /// Who.
        by: PersonId,
        /// By which press.
        press: RequestId,
        /// Why, in the approver's words.
        reason: Reason,
    },
    /// The requester took it back.
    Cancelled,
    /// Nobody answered in time.
    Expired,
    /// Policy said no after all.
    PolicyDenied {
        /// What the requester was told.
        why: String,
    },
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRequest {
    /// Its id.
    pub id: RequestId,
    /// What was asked.
    pub details: RequestDetails,
    /// What the card shows.
    pub snapshot: ReviewSnapshot,
    /// What its revisions are salted with.
    pub salt: RevisionSalt,
    /// The revisions that its card showed before the present one: a press that names one was once right.
    pub previous_revisions: Vec<Revision>,
    /// Who was an approver when it was created, without the holder of the key that it is about.
    pub eligible_approvers: EligibleApprovers,
    /// Approvals given to what the card shows.
    pub approvals: Vec<Approval>,
    /// Since when its card has waited for approvals.
    pub pending_since: Timestamp,
    /// When it expires in its present state.
    pub expires_at: Timestamp,
    /// The card, once posted.
    #[serde(deserialize_with = "Option::deserialize")]
    pub card: Option<Card>,
    /// Where it stands.
    pub state: RequestState,
    /// Whether it was told that the present link was misused.
    pub misuse_alert_sent: bool,
    /// Whether the approvers were reminded.
    pub reminder_sent: bool,
    /// Its audit chain.
    pub chain: AuditChain,
    /// What people are still to be told.
    pub notifications: Outbox,
}

/// The message in the approvals channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Where.
    pub channel: ChannelId,
    /// Which message.
    pub ts: MessageTs,
}

impl ReviewSnapshot {
    /// What an IAM user and the needed approvals show.
    #[must_use]
    pub fn of(user: &IamUser, needed: u32) -> Self {
        Self {
            required_approvals: needed,
            privileged: user.privileged,
            groups: user.groups.iter().cloned().collect(),
            policies: user.policies.iter().cloned().collect(),
            policy_digest: user.policy_digest.clone(),
            boundary: user.boundary.clone(),
            keys: user.keys.clone(),
        }
    }
}

impl ReviewSnapshot {
    /// A digest over what approvers judge, whatever request shows it: approvals hold for what has the same one.
    #[must_use]
    pub fn digest(&self) -> Digest256 {
        Digest256::of(self.canonical().to_string().as_bytes())
    }

    /// All but the keys.
    fn canonical(&self) -> Value {
        let Self {
            required_approvals: needed,
            privileged,
            groups,
            policies,
            policy_digest,
            boundary,
            keys: _,
        } = self;
        json!([privileged, groups, policies, policy_digest, boundary, needed])
    }
}

impl RequestDetails {
    /// Whether it is the same request, whatever the requester's address was when each was looked at, and however the IAM
    /// user's name was spelled.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let looked_up =
            Self { email_hash: self.email_hash.clone(), user: self.user.clone(), ..other.clone() };
        self.user.is_same_user(&other.user) && *self == looked_up
    }

    fn canonical(&self) -> Value {
        json!([
            self.requester.to_string(),
            self.account.id.as_str(),
            self.user.as_str(),
            self.use_case.as_str(),
            self.days,
            self.reason,
            self.at.0,
            self.kind,
        ])
    }
}

impl RequestState {
    /// As the table and people read it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Approved => "APPROVED",
            Self::LinkIssued { .. } => "LINK_ISSUED",
            Self::Issuing(_) => "ISSUING",
            Self::Ambiguous(_) => "AMBIGUOUS",
            Self::Issued { .. } => "ISSUED",
            Self::Completed { .. } => "COMPLETED",
            Self::Denied { .. } => "DENIED",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
            Self::PolicyDenied { .. } => "POLICY_DENIED",
        }
    }
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
            approvals: Vec::new(),
            expires_at,
            card: None,
            state,
            misuse_alert_sent: false,
            reminder_sent: false,
            chain,
            notifications: Outbox::default(),
        }
    }

    /// A request that policy refused when it was asked: kept, so that a redelivery meets it, and audited.
    #[must_use]
    pub fn refused(
        id: RequestId,
        asked: RequestDetails,
        salt: RevisionSalt,
        why: String,
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
        request.state = RequestState::PolicyDenied { why };
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
    /// whoever gets hold of an answer to the requester can decide nothing by it.
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
    fn set_snapshot(&mut self, shown: ReviewSnapshot) {
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
    fn wait_for_approvals(
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
        // Whoever holds an intent is left alone until its deadline: any other write would take it from them.
        if let RequestState::Issuing(intent) = &self.state {
            return Some(intent.deadline);
        }
        if !self.chain.outbox.is_empty() || !self.notifications.outbox.is_empty() {
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

    /// The key that came of it and the ticket it was sealed to, if one did.
    #[must_use]
    pub fn issued(&self) -> Option<(&AccessKeyId, &TicketId)> {
        match &self.state {
            RequestState::Issued { key, tid, .. } => Some((key, tid)),
            RequestState::Pending
            | RequestState::Approved
            | RequestState::LinkIssued { .. }
            | RequestState::Issuing(_)
            | RequestState::Ambiguous(_)
            | RequestState::Completed { .. }
            | RequestState::Denied { .. }
            | RequestState::Cancelled
            | RequestState::Expired
            | RequestState::PolicyDenied { .. } => None,
        }
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

    /// The next state, or why the event does not fit this one.
    ///
    /// # Errors
    /// [`TransitionError`]; nothing changed then.
    pub fn apply(&self, event: RequestEvent, actor: &str, now: Timestamp) -> Result<Self, TransitionError> {
        let mut next = self.clone();
        let happened = match event {
            RequestEvent::Approve { by, press, enough, approved_ttl } => {
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
                next.approvals.push(Approval { by, interaction_id: press, at: now });
                if enough {
                    next.state = RequestState::Approved;
                    next.expires_at = now + approved_ttl;
                }
                let detail = [("revision", self.revision().to_string()), ("enough", enough.to_string())];
                NewAuditEntry::new(AuditEvent::ReviewApproved, actor, detail)
            }
            RequestEvent::RevokeApprovals { by } => {
                self.ensure_open(now)?;
                if !matches!(self.state, RequestState::Pending) {
                    return Err(TransitionError::InvalidState);
                }
                next.approvals.retain(|approval| !by.contains(&approval.by));
                let by: Vec<String> = by.iter().map(PersonId::to_string).collect();
                NewAuditEntry::new(AuditEvent::ReviewRevoked, actor, [("by", by.join(" "))])
            }
            RequestEvent::Deny { by, press, reason } => {
                self.ensure_open(now)?;
                let why = ("reason", reason.as_str().to_owned());
                next.state = RequestState::Denied { by, press, reason };
                NewAuditEntry::new(
                    AuditEvent::ReviewDenied,
                    actor,
                    [("revision", self.revision().to_string()), why],
                )
            }
            RequestEvent::Cancel => {
                self.ensure_open(now)?;
                next.state = RequestState::Cancelled;
                NewAuditEntry::new(AuditEvent::RequestCancelled, actor, [])
            }
            RequestEvent::Expire => {
                if !self.is_expired(now) {
                    return Err(TransitionError::InvalidState);
                }
                next.state = RequestState::Expired;
                NewAuditEntry::new(AuditEvent::RequestExpired, actor, [])
            }
            RequestEvent::Remind => {
                self.ensure_open(now)?;
                if self.state != RequestState::Pending || self.reminder_sent || now < self.remind_at() {
                    return Err(TransitionError::InvalidState);
                }
                next.reminder_sent = true;
                NewAuditEntry::new(AuditEvent::ReviewReminderSent, actor, [])
            }
            RequestEvent::Refuse { why } => {
                self.ensure_open(now)?;
                next.state = RequestState::PolicyDenied { why };
                NewAuditEntry::new(AuditEvent::RequestPolicyDenied, actor, [])
            }
            RequestEvent::FactsChanged(shown) => {
                self.ensure_open(now)?;
                if !matches!(self.state, RequestState::Pending) {
                    return Err(TransitionError::InvalidState);
                }
                next.set_snapshot(shown);
                next.approvals.clear();
                let detail = [("from", self.revision().to_string()), ("to", next.revision().to_string())];
                NewAuditEntry::new(AuditEvent::ReviewFactsChanged, actor, detail)
            }
            RequestEvent::Reopen { shown, ttl } => {
                self.ensure_open(now)?;
                if self.state != RequestState::Approved || self.details.kind.existing().is_none() {
                    return Err(TransitionError::InvalidState);
                }
                next.wait_for_approvals(shown, Vec::new(), now, ttl);
                let detail = [("from", self.revision().to_string()), ("to", next.revision().to_string())];
                NewAuditEntry::new(AuditEvent::ReviewReopened, actor, detail)
            }
            RequestEvent::IssueLink { tid } => {
                self.ensure_open(now)?;
                if matches!(self.state, RequestState::Pending) || self.details.kind.existing().is_some() {
                    return Err(TransitionError::InvalidState);
                }
                let detail = [("tid", tid.to_string())];
                next.state = RequestState::LinkIssued { tid };
                next.misuse_alert_sent = false;
                NewAuditEntry::new(AuditEvent::LinkIssued, actor, detail)
            }
            RequestEvent::TicketVoided { tid, why } => {
                if self.state != (RequestState::LinkIssued { tid: tid.clone() }) {
                    return Err(TransitionError::InvalidState);
                }
                next.state = RequestState::Approved;
                NewAuditEntry::new(
                    AuditEvent::LinkVoided,
                    actor,
                    [("tid", tid.to_string()), ("why", why.to_owned())],
                )
            }
            RequestEvent::StartIssuing { intent, browser } => {
                self.ensure_open(now)?;
                if self.state != (RequestState::LinkIssued { tid: intent.tid.clone() }) {
                    return Err(TransitionError::InvalidState);
                }
                let detail = [
                    ("tid", intent.tid.to_string()),
                    ("run", intent.invocation.to_string()),
                    ("browser", browser),
                ];
                next.state = RequestState::Issuing(intent);
                NewAuditEntry::new(AuditEvent::IssueStarted, actor, detail)
            }
            RequestEvent::ResumeIssuing { run, until } => {
                let RequestState::Issuing(intent) = &self.state else {
                    return Err(TransitionError::InvalidState);
                };
                if now <= intent.deadline {
                    return Err(TransitionError::IntentLost);
                }
                let detail = [("from", intent.invocation.to_string()), ("run", run.to_string())];
                next.state =
                    RequestState::Issuing(IssueIntent { invocation: run, deadline: until, ..intent.clone() });
                NewAuditEntry::new(AuditEvent::IssueResumed, actor, detail)
            }
            RequestEvent::Created { run, key } => {
                let intent = self.intent_held_by(&run)?;
                if intent.created.is_some() {
                    return Err(TransitionError::InvalidState);
                }
                let detail = [("key", key.to_string()), ("run", run.to_string())];
                next.state = RequestState::Issuing(IssueIntent { created: Some(key), ..intent.clone() });
                NewAuditEntry::new(AuditEvent::IssueKeyCreated, actor, detail)
            }
            RequestEvent::CreateTimedOut { run } => {
                let intent = self.intent_held_by(&run)?;
                if intent.created.is_some() {
                    return Err(TransitionError::InvalidState);
                }
                let doubt = AmbiguousCreate {
                    intent: intent.clone(),
                    since: now,
                    checks_done: 0,
                    suspect_keys: Vec::new(),
                };
                next.state = RequestState::Ambiguous(doubt);
                NewAuditEntry::new(AuditEvent::IssueCreateTimedOut, actor, [("run", run.to_string())])
            }
            RequestEvent::Rechecked { suspects } => {
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
                NewAuditEntry::new(AuditEvent::IssueRechecked, actor, detail)
            }
            RequestEvent::Complete => {
                self.ensure_open(now)?;
                let (event, key, end) = match (&self.state, &self.details.kind) {
                    (RequestState::Approved, RequestKind::Reactivate { key, end, .. }) => {
                        (AuditEvent::KeyActivated, key, end)
                    }
                    (RequestState::Approved, RequestKind::Extend { key, end }) => {
                        (AuditEvent::KeyExtended, key, end)
                    }
                    _ => return Err(TransitionError::InvalidState),
                };
                next.state = RequestState::Completed { key: key.clone(), at: now };
                NewAuditEntry::new(event, actor, [("key", key.to_string()), ("end", end.rfc3339())])
            }
            RequestEvent::AbortIssuing { run, to, why, deleted } => {
                let fits = match &run {
                    // A key that was recorded is given up only once it is deleted.
                    Some(run) => {
                        let created = &self.intent_held_by(run)?.created;
                        (created.is_none() || *created == deleted)
                            && !matches!(to, AbortOutcome::Pending { .. })
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
                    AbortOutcome::Refused { why } => next.state = RequestState::PolicyDenied { why },
                }
                let mut happened =
                    NewAuditEntry::new(AuditEvent::IssueAborted, actor, [("why", why.to_owned())]);
                happened.detail.extend(deleted.map(|key| ("deleted".to_owned(), key.to_string())));
                happened
            }
            RequestEvent::Seal { run } => {
                let intent = self.intent_held_by(&run)?;
                let key = intent.created.clone().ok_or(TransitionError::InvalidState)?;
                let detail = [("key", key.to_string()), ("run", run.to_string())];
                next.state = RequestState::Issued { key, tid: intent.tid.clone(), at: now };
                NewAuditEntry::new(AuditEvent::IssueCompleted, actor, detail)
            }
            RequestEvent::RecordTicketEvent { happened, at, alert } => {
                next.misuse_alert_sent |= alert;
                next.chain.append(&self.id, at, happened);
                return Ok(next);
            }
            RequestEvent::CardPosted(card) => {
                next.card = Some(card);
                return Ok(next);
            }
        };
        next.chain.append(&self.id, now, happened);
        Ok(next)
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
        match &self.state {
            RequestState::Issuing(intent) if intent.invocation == *run => Ok(intent),
            RequestState::Issuing(_) => Err(TransitionError::IntentLost),
            RequestState::Pending
            | RequestState::Approved
            | RequestState::LinkIssued { .. }
            | RequestState::Ambiguous(_)
            | RequestState::Issued { .. }
            | RequestState::Completed { .. }
            | RequestState::Denied { .. }
            | RequestState::Cancelled
            | RequestState::Expired
            | RequestState::PolicyDenied { .. } => Err(TransitionError::IntentLost),
        }
    }
}

#[cfg(test)]
mod tests;
