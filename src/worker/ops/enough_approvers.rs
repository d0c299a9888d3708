//! Whether enough people can approve a request at all. One that nobody can approve is refused when it is made, and does not
//! expire a day later.

use futures_util::future::join_all;

use crate::domain::denial::DenialReason;
use crate::domain::request::{KeyRequest, RequestState};
use crate::id::{PersonId, SlackUserId};
use crate::policy::Policies;
use crate::slack::api::SlackApi;
use crate::worker::context::Context;
use crate::worker::decision_facts::DecisionFacts;

/// So many people are looked up, and no more: with so many approvers, some will be able to approve.
const MAX_LOOKED_UP: usize = 20;

/// The request as it is made: refused where fewer people can approve it than it needs.
pub(crate) async fn too_few_approvers(
    ctx: &Context,
    slack: &SlackApi,
    policies: &Policies,
    request: KeyRequest,
    facts: &DecisionFacts,
) -> KeyRequest {
    let given = u32::try_from(request.approvals.len()).unwrap_or(u32::MAX);
    let needed = request.snapshot.required_approvals.saturating_sub(given);
    if request.state != RequestState::Pending {
        return request;
    }
    match able(ctx, slack, policies, &request, facts, needed).await {
        Some(found) if found < needed => {
            let reason = DenialReason::TooFewApprovers { needed, found };
            KeyRequest::refused(request.id, request.details, request.salt, reason, &["approvers".to_owned()])
        }
        Some(_) | None => request,
    }
}

/// How many more people can approve it, counted up to the number that it needs; `None` where that is not known.
async fn able(
    ctx: &Context,
    slack: &SlackApi,
    policies: &Policies,
    request: &KeyRequest,
    facts: &DecisionFacts,
    needed: u32,
) -> Option<u32> {
    let requester = &request.details.requester;
    let approved = |user: &SlackUserId| request.approvals.iter().any(|approval| approval.by.user == *user);
    let candidates =
        request.eligible_approvers.iter().filter(|user| **user != requester.user && !approved(user));
    let candidates: Vec<PersonId> =
        candidates.map(|user| PersonId { team: requester.team.clone(), user: user.clone() }).collect();
    let question = facts.approve_query(&request.details);
    let at_once = usize::try_from(needed).unwrap_or(MAX_LOOKED_UP).max(1);
    let mut found = 0;
    for some in candidates.get(..MAX_LOOKED_UP).unwrap_or(&candidates).chunks(at_once) {
        let people = join_all(some.iter().map(|id| ctx.lookup.person(slack, id, &facts.memberships))).await;
        let mut known = Vec::new();
        for person in people {
            match person {
                Ok(mut person) => {
                    person.groups = facts.memberships.of(&person.id.user);
                    known.push(person);
                }
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "looking up an approver failed");
                    return None;
                }
            }
        }
        found += policies.approvals(&known, &request.eligible_approvers, &facts.iam_user, &question);
        if found >= needed {
            return Some(found);
        }
    }
    (candidates.len() <= MAX_LOOKED_UP).then_some(found)
}
