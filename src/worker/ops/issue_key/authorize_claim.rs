//! Whether a claim may be served: policy is asked again with fresh facts, and what was approved compared with them.

use crate::domain::denial::DenialReason;
use crate::domain::request::{AbortOutcome, Approval, KeyRequest, ReviewSnapshot};
use crate::domain::ticket::Psk;
use crate::domain::ticket::claim::ClaimHolder;
use crate::facts::NoSuchUser;
use crate::id::{AccessKeyId, SlackUserId, TicketId};
use crate::policy::{Authorized, Issue, Policies, RequiredApprovals};
use crate::render::text;
use crate::store::requests::StoredRequest;
use crate::store::ticket_refs::TicketRef;
use crate::time::Timestamp;
use crate::worker::authorize::{Limit, beyond_limits, denial_text, denied_by_policy, who_may_approve};
use crate::worker::context::{Context, slack_client};
use crate::worker::decision_facts::{DecisionFacts, facts_about};
use crate::worker::reply::approvers_unreachable;

/// A claim that may be served: everything the next steps need.
pub(crate) struct AuthorizedClaim {
    pub stored: StoredRequest,
    pub claimed: ClaimHolder,
    pub tid: TicketId,
    pub psk: Psk,
    pub facts: DecisionFacts,
    pub authorized: Authorized<Issue>,
}

/// Why no key comes of a claim, for certain.
pub(crate) struct IssueFailure {
    pub to: AbortOutcome,
    pub why: &'static str,
    pub deleted: Option<AccessKeyId>,
    pub say: String,
}

impl IssueFailure {
    pub fn again(why: &'static str, say: impl Into<String>) -> Self {
        Self { to: AbortOutcome::Approved, why, deleted: None, say: say.into() }
    }

    pub fn denied(ctx: &Context, why: &'static str, reason: DenialReason) -> Self {
        let say = denial_text(ctx, &reason);
        Self { to: AbortOutcome::Refused { reason }, why, deleted: None, say }
    }
}

/// Fresh facts, policy asked again, and what was approved compared with what is so now.
pub(crate) async fn authorize_claim(
    ctx: &Context,
    stored: StoredRequest,
    claimed: ClaimHolder,
    now: Timestamp,
) -> anyhow::Result<Result<AuthorizedClaim, (Box<StoredRequest>, IssueFailure)>> {
    let no = |stored: StoredRequest, failed: IssueFailure| Ok(Err((Box::new(stored), failed)));
    let Some(tid) = stored.request.ticket().cloned() else {
        anyhow::bail!("a claimed ticket that its request does not name");
    };
    let Ok(policies) = &ctx.policies else {
        return no(stored, IssueFailure::again("policies-invalid", text::POLICIES_INVALID));
    };
    let Some(TicketRef { psk: Some(psk), expires_at, .. }) = TicketRef::read(&ctx.tables, &tid).await? else {
        return no(stored, IssueFailure::again("psk-gone", text::TOO_LATE));
    };
    // The ticket's own expiry can be changed with the role of `reveal`, this one cannot.
    if claimed.at > expires_at {
        return no(stored, IssueFailure::again("too-late", text::TOO_LATE));
    }
    let asked = stored.request.details.clone();
    if asked.kind.end().is_some_and(|end| end <= now) {
        return no(stored, IssueFailure::denied(ctx, "end-passed", DenialReason::ReplacementTooLate));
    }
    let slack = slack_client(ctx).await?;
    let facts = match facts_about(ctx, &slack, &stored.request, None, now).await {
        Ok(Ok(facts)) => facts,
        Ok(Err(NoSuchUser)) => {
            return no(stored, IssueFailure::denied(ctx, "user-gone", DenialReason::UserDeleted));
        }
        Err(error) => {
            let say = denial_text(ctx, &approvers_unreachable(error)?);
            return no(stored, IssueFailure::again("approvers-unreachable", say));
        }
    };
    if let Some(Limit { by, reason }) = beyond_limits(ctx, &asked, &facts.iam_user) {
        return no(stored, IssueFailure::denied(ctx, by, reason));
    }
    let count = facts.approvals(policies, &asked, None);
    let issue = Issue(facts.asked(&asked, count));
    let outdated = match facts.required_approvals(policies, &asked) {
        RequiredApprovals::Approvals(needed) => {
            stored.request.is_outdated_by(&ReviewSnapshot::of(&facts.iam_user, needed))
        }
        RequiredApprovals::Never(_) => true,
    };
    match policies.authorize(&facts.requester, issue, &facts.iam_user) {
        Ok(authorized) if !outdated => {
            Ok(Ok(AuthorizedClaim { stored, claimed, tid, psk, facts, authorized }))
        }
        Ok(_) | Err(_) => {
            let may = who_may_approve(ctx, &slack, &facts, &stored.request).await?;
            let failed = unauthorized(ctx, &stored.request, &facts, policies, &may);
            no(stored, failed)
        }
    }
}

/// A no at issuing: for good, or until approvals are there that still count.
fn unauthorized(
    ctx: &Context,
    request: &KeyRequest,
    facts: &DecisionFacts,
    policies: &Policies,
    may: &[SlackUserId],
) -> IssueFailure {
    let asked = &request.details;
    match policies.needed_approvals(&facts.requester, &facts.iam_user, &facts.asked(asked, 0)) {
        RequiredApprovals::Never(denial) => IssueFailure::denied(ctx, "policy", denied_by_policy(&denial)),
        RequiredApprovals::Approvals(needed) => {
            let counts = |approval: &Approval| facts.still_counts(policies, asked, &approval.by);
            let shown = ReviewSnapshot::of(&facts.iam_user, needed);
            // Whoever approved something else has not approved this.
            let outdated = request.is_outdated_by(&shown);
            let hold = request.approvals.iter().filter(|approval| !outdated && counts(approval));
            let approvals = hold.cloned().collect::<Vec<_>>();
            let next = KeyRequest { snapshot: shown.clone(), approvals, ..request.clone() };
            let facts =
                ReviewSnapshot { required_approvals: request.snapshot.required_approvals, ..shown.clone() };
            let (why, mut say) = if request.revision_of(&facts) != request.revision() {
                ("facts-changed", text::facts_changed(&next))
            } else {
                ("approvals-lacking", text::approvals_lacking(&next))
            };
            let gave = |user: &SlackUserId| next.approvals.iter().any(|approval| approval.by.user == *user);
            let left = may.iter().filter(|user| !gave(user)).count();
            say.push_str(&text::too_few_left(&next, left));
            let approvals = next.approvals;
            let to = AbortOutcome::Pending { shown, approvals, ttl: ctx.config.request_ttl };
            IssueFailure { to, ..IssueFailure::again(why, say) }
        }
    }
}
