//! Who may: asks Cedar's policies, with facts looked up afresh, whether a person may act on an IAM user.
//! An error while deciding is a no. Nothing that acts can be called without an [`Authorized`], and only a yes
//! makes one.

pub mod action;
pub mod approvals;
pub mod authorized;
pub mod decision;
pub mod engine;
pub mod entities;
#[cfg(feature = "cli")]
pub mod lint;
pub mod load;
pub mod query;
pub mod schema_check;
pub mod test_cases;

pub use crate::domain::iam::IamUserRef;
pub use crate::domain::risk::RiskFlag;
pub use crate::policy::action::{
    Act, Action, Activate, Approve, Context, Deactivate, Delete, Freeze, Issue, KeyFacts, List, On, Request,
    RequestContext, Resource, Rotate,
};
pub use crate::policy::approvals::{MAX_APPROVALS, RequiredApprovals, distinct_approvals};
pub use crate::policy::authorized::Authorized;
pub use crate::policy::decision::{Denial, PolicyDecision};
pub use crate::policy::engine::Policies;
pub use crate::policy::load::{InvalidPolicies, Problem};
pub use crate::policy::query::Question;
