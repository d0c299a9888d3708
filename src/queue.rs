//! The bodies of messages on keyvend's own queues.

use crate::domain::checkpoint::CheckpointPage;
use crate::id::{AccountId, RequestId, TicketId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A message on queue `claims`: which ticket, and what `reveal` did with it. All else is read from the tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimMessage {
    pub tid: TicketId,
    /// What happened to it.
    pub event: ClaimEvent,
    /// At which attempt to issue.
    pub attempt: i64,
}

/// What `reveal` tells the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimEvent {
    /// A tab claimed it.
    Claimed,
    Confirmed,
    /// A second tab came, or codes were guessed.
    Misused,
}

impl ClaimEvent {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Confirmed => "confirmed",
            Self::Misused => "misused",
        }
    }
}

/// A message on queue `due`, which only the worker itself sends: it names an item and what to do with it, and holds no text
/// that anybody is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DueMessage {
    /// Somebody is to be told. What it says is read from table `Requests`, never from the message.
    Notify {
        request: RequestId,
        /// Which of its notifications.
        number: u32,
    },
    /// A timer ran out, of an item of table `Requests`.
    ItemTimer {
        item: String,
        /// The timer, as the index had it.
        due_at: Timestamp,
    },
    /// A ticket's timer ran out.
    TicketTimer {
        tid: TicketId,
        /// The timer, as the index had it.
        due_at: Timestamp,
    },
    /// A claim is to be served again.
    ResumeIssue { tid: TicketId, attempt: i64 },
    /// Who owns which IAM users is to be read afresh: one page of one account.
    RefreshOwnership(OwnershipPage),
    /// A page of the daily audit checkpoint.
    Checkpoint(CheckpointPage),
}

/// One step of reading who owns which IAM users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnershipPage {
    /// When the reading began.
    pub begun: Timestamp,
    pub account: AccountId,
    /// Which of its pages, from 0.
    pub page: u32,
    /// What IAM gave to find it by.
    pub marker: Option<String>,
    /// Whether all before it was read.
    pub complete: bool,
}
