//! How many approvals a request waits for, and whose count.

use std::collections::BTreeSet;

use crate::domain::iam::IamUser;
use crate::domain::person::{EligibleApprovers, Person};
use crate::id::{PersonId, SlackUserId};
use crate::policy::action::{Approve, Issue, RequestContext};
use crate::policy::decision::{Denial, PolicyDecision};
use crate::policy::engine::Policies;

/// More approvals than this are never waited for: a request that would need them is refused at once.
pub const MAX_APPROVALS: u32 = 5;

/// How many approvals a request waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequiredApprovals {
    Approvals(u32),
    /// Not even [`MAX_APPROVALS`] would do: why not.
    Never(Denial),
}

impl Policies {
    /// How many approvals `issue` wants: asked with none, one, two and so on. `asked.approvals` does not matter.
    #[must_use]
    pub fn needed_approvals(
        &self,
        principal: &Person,
        iam_user: &IamUser,
        asked: &RequestContext,
    ) -> RequiredApprovals {
        let mut refused = Denial::default();
        for approvals in 0..=MAX_APPROVALS {
            match self.decide(principal, &Issue(RequestContext { approvals, ..asked.clone() }), iam_user) {
                PolicyDecision::Allow { .. } => return RequiredApprovals::Approvals(approvals),
                // The last refusal is the one to tell: what more approvals would have cured is gone from it.
                PolicyDecision::Deny(denial) => refused = denial,
            }
        }
        RequiredApprovals::Never(refused)
    }

    /// `context.approvals`: how many of those who approved count. Each must have been an approver when the request was
    /// created, and be allowed to approve it with facts as of now. Every place that counts approvals counts them here.
    #[must_use]
    pub fn approvals<'a>(
        &self,
        approvers: impl IntoIterator<Item = &'a Person>,
        eligible: &EligibleApprovers,
        iam_user: &IamUser,
        asked: &RequestContext,
    ) -> u32 {
        let still_allowed = approvers.into_iter().filter(|person| {
            eligible.contains(&person.id.user)
                && matches!(
                    self.decide(person, &Approve(asked.clone()), iam_user),
                    PolicyDecision::Allow { .. }
                )
        });
        let holder = asked.key.as_ref().and_then(|key| key.requester.as_ref());
        distinct_approvals(&asked.requester, holder, still_allowed.map(|person| &person.id))
    }
}

/// How many different people these are, without the requester and the holder of the key that the request is about. The same
/// Slack user met in two workspaces is one person.
#[must_use]
pub fn distinct_approvals<'a>(
    requester: &PersonId,
    holder: Option<&PersonId>,
    approvers: impl IntoIterator<Item = &'a PersonId>,
) -> u32 {
    let is_concerned =
        |user: &SlackUserId| *user == requester.user || holder.is_some_and(|holder| *user == holder.user);
    let people: BTreeSet<&SlackUserId> =
        approvers.into_iter().map(|person| &person.user).filter(|user| !is_concerned(user)).collect();
    u32::try_from(people.len()).unwrap_or(u32::MAX)
}
