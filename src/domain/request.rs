//! A request for a key: what was asked, who approved, and where it stands. Pure: an event in, the next state out,
//! with the audit entry that tells of it. Nothing here looks anything up or knows Slack's messages.

mod details;
mod event;
mod question;
mod record;
mod revision;
mod state;
mod transition;

pub use crate::domain::notification::{Destination, Notification, Outbox, OutboxEntry, Unqueued};
pub use details::{RequestDetails, RequestKind, ReviewSnapshot};
pub use event::{AbortOutcome, RequestEvent, TransitionError};
pub use question::{Answer, MAX_QUESTIONS, Question};
pub use record::{Approval, Card, KeyRequest};
pub use revision::RevisionSalt;
pub use state::{AmbiguousCreate, IssueIntent, RECHECK_DELAYS, RequestState};

#[cfg(test)]
mod tests;
