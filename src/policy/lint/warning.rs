//! What is valid and probably not meant so.

use serde::Serialize;

use crate::domain::use_case::UseCase;
use crate::policy::action::Action;

/// Something valid that is probably not meant so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "warning", rename_all = "kebab-case")]
pub enum Warning {
    /// No policy permits this action, so nobody can ever do it.
    NobodyMay { action: Action },
    /// A policy that an unconditional one makes superfluous: whatever it says is decided without it.
    Shadowed { policy: String, by: String },
    /// A policy that no case is decided by.
    NotInAnyCase { policy: String },
    /// Requests that can be made, and that not enough people could approve.
    NobodyCouldApprove {
        /// Whether for a privileged IAM user.
        privileged: bool,
        /// For which use cases.
        use_cases: Vec<UseCase>,
        /// How many approvals they need.
        needed: u32,
        /// What forbids it to the likeliest approver; empty where no policy permits it.
        by: Vec<String>,
    },
    /// Requests that can be made, and that not even the most approvals would be enough for.
    NeverIssued {
        /// Whether for a privileged IAM user.
        privileged: bool,
        /// For which use cases.
        use_cases: Vec<UseCase>,
        /// What forbids it then; empty where no policy permits it.
        by: Vec<String>,
    },
}
