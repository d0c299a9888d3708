//! Questions about a request that waits for approvals: an approver asks, the requester answers. They decide nothing.

use serde::{Deserialize, Serialize};

use crate::domain::reason::Reason;
use crate::id::{PersonId, RequestId};
use crate::time::Timestamp;

/// So many questions are kept with a request, and no more are asked.
pub const MAX_QUESTIONS: usize = 10;

/// A question of an approver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    pub by: PersonId,
    /// By which form: one that is delivered again meets its own question.
    pub interaction_id: RequestId,
    pub at: Timestamp,
    pub text: Reason,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

/// What the requester answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub interaction_id: RequestId,
    pub at: Timestamp,
    pub text: Reason,
}
