//! What can happen to a request, and why an event may not fit.

use std::time::Duration;

use crate::domain::audit::NewAuditEntry;
use crate::domain::denial::DenialReason;
use crate::domain::reason::Reason;
use crate::domain::request::details::ReviewSnapshot;
use crate::domain::request::record::{Approval, Card};
use crate::domain::request::state::IssueIntent;
use crate::id::{AccessKeyId, PersonId, RequestId, RunId, TicketId};
use crate::time::Timestamp;

/// What can happen to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestEvent {
    /// An approver approved what the card showed; `enough` says that policy now allows issuing.
    Approve {
        by: PersonId,
        press: RequestId,
        /// For the requester and the other approvers.
        comment: Option<Reason>,
        /// Whether this makes it enough.
        enough: bool,
        /// How long the requester then has.
        approved_ttl: Duration,
    },
    /// These approvals no longer count: those who gave them left, or approve no more.
    RevokeApprovals { by: Vec<PersonId> },
    /// An approver said no.
    Deny {
        by: PersonId,
        press: RequestId,
        /// Why, in the approver's words.
        reason: Reason,
    },
    /// An approver asks about what waits for approvals.
    Ask { by: PersonId, press: RequestId, question: Reason },
    /// The requester answers one of the questions, counted from 0.
    Answer { number: usize, press: RequestId, answer: Reason },
    /// The requester took it back.
    Cancel,
    /// The requester changed it: another request takes its place.
    Replace { by: RequestId },
    /// Its time ran out.
    Expire,
    /// A quarter of the card's time is gone: the approvers are reminded, once.
    Remind,
    /// Policy says no by now.
    Refuse { reason: DenialReason },
    /// What the card showed is no longer so: it shows this, and the approvals so far fall.
    FactsChanged(ReviewSnapshot),
    /// What was approved of a key that exists is no longer so: its card shows this, and it must be approved again.
    Reopen {
        /// What the card shows.
        shown: ReviewSnapshot,
        /// How long the card waits.
        ttl: Duration,
    },
    /// A link is given out, in place of any earlier one.
    IssueLink { tid: TicketId },
    /// A link came to nothing; the request is approved as before.
    TicketVoided {
        tid: TicketId,
        /// Why: `post-failed`, `too-late`, ...
        why: &'static str,
    },
    /// An invocation begins to create the key.
    StartIssuing {
        intent: IssueIntent,
        /// The browser that claimed.
        browser: String,
    },
    /// Another invocation takes over after the first one's deadline.
    ResumeIssuing { run: RunId, until: Timestamp },
    /// `CreateAccessKey` answered with a key.
    Created { run: RunId, key: AccessKeyId },
    /// `CreateAccessKey` gave no answer.
    CreateTimedOut { run: RunId },
    /// IAM was looked at after that.
    Rechecked {
        /// Keys that may have come of it and were not known before.
        suspects: Vec<AccessKeyId>,
    },
    /// A key that exists is to be on again, or lives longer: its own item says so in the same transaction.
    Complete,
    /// No key came of it, for certain.
    AbortIssuing {
        /// By which invocation, where one had begun.
        run: Option<RunId>,
        /// What becomes of the request.
        to: AbortOutcome,
        /// Why, one word for the trail.
        why: &'static str,
        /// A key that was created and deleted again.
        deleted: Option<AccessKeyId>,
    },
    /// The key is sealed to the claiming tab.
    Seal { run: RunId },
    /// `reveal` did something with the ticket; `alert` says that the requester is told of it, which happens once.
    RecordTicketEvent {
        happened: NewAuditEntry,
        at: Timestamp,
        /// Whether the requester must hear of it.
        alert: bool,
    },
    /// The card was posted. No step of the request's, so not audited.
    CardPosted(Card),
}

/// What becomes of a request that no key came of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AbortOutcome {
    /// It stays approved; the requester may press again.
    Approved,
    /// Approvals are lacking now.
    Pending {
        /// What the card shows now.
        shown: ReviewSnapshot,
        /// The approvals that still hold.
        approvals: Vec<Approval>,
        /// How long the card waits.
        ttl: Duration,
    },
    Refused {
        reason: DenialReason,
    },
}

/// Why an event does not fit: an answer, not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransitionError {
    /// The request is past the state that the event is for.
    #[error("the request has moved on")]
    InvalidState,
    /// Its time ran out.
    #[error("the request has expired")]
    Expired,
    /// This person approved already.
    #[error("already approved by this person")]
    AlreadyApproved,
    /// This person was no approver when the request was created, or it is their own.
    #[error("not one of those whose approval can count")]
    NotEligible,
    /// Another invocation holds the intent.
    #[error("another invocation holds the intent")]
    IntentLost,
}
