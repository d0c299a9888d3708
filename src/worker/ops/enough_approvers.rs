//! Whether enough people can approve a request at all. One that nobody can approve is refused when it is made, and does not
//! expire a day later.

use futures_util::future::{join, join_all, try_join_all};

use crate::domain::denial::DenialReason;
use crate::domain::request::{KeyRequest, RequestState};
use crate::id::{PersonId, SlackUserId};
use crate::policy::Policies;
use crate::slack::api::SlackApi;
use crate::worker::context::Context;
use crate::worker::decision_facts::DecisionFacts;

/// So many people are looked up, and no more: with so many approvers, some will be able to approve.
const MAX_LOOKED_UP: usize = 20;

/// So many approvers are named in messages.
const MAX_NAMED: usize = 5;

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
    let able = able(ctx, slack, policies, &request, facts, needed);
    let (able, named_approvers) = join(able, named(ctx, slack, &request, facts)).await;
    match able {
        Some(found) if found < needed => {
            let reason = DenialReason::TooFewApprovers { needed, found };
            KeyRequest::refused(request.id, request.details, request.salt, reason, &["approvers".to_owned()])
        }
        Some(_) | None => KeyRequest { named_approvers, ..request },
    }
}

/// The approvers whom messages name: the people among them, where they are few. A channel has its bots as members, too.
async fn named(
    ctx: &Context,
    slack: &SlackApi,
    request: &KeyRequest,
    facts: &DecisionFacts,
) -> Vec<SlackUserId> {
    let candidates = others(request);
    if candidates.len() > MAX_NAMED + 1 {
        return Vec::new();
    }
    let looked_up = candidates.iter().map(|id| ctx.lookup.is_named(slack, id, &facts.memberships));
    match try_join_all(looked_up).await {
        Ok(are_named) => {
            let named = std::iter::zip(candidates, are_named).filter(|(_, is_named)| *is_named);
            let named: Vec<SlackUserId> = named.map(|(person, _)| person.user).collect();
            if named.len() > MAX_NAMED { Vec::new() } else { named }
        }
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "approvers not named");
            Vec::new()
        }
    }
}

/// Those whose approval can count.
fn others(request: &KeyRequest) -> Vec<PersonId> {
    let requester = &request.details.requester;
    let users = request.eligible_approvers.iter().filter(|user| **user != requester.user);
    users.map(|user| PersonId { team: requester.team.clone(), user: user.clone() }).collect()
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
    let approved = |user: &SlackUserId| request.approvals.iter().any(|approval| approval.by.user == *user);
    let mut candidates = others(request);
    candidates.retain(|person| !approved(&person.user));
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
