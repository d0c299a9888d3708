//! What policy and configuration say about a person, an IAM user or a key: the checks that several commands share.

use futures_util::FutureExt as _;
use futures_util::future::{join, try_join_all};

use crate::aws::session_policy::is_supported_path;
use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::denial::DenialReason;
use crate::domain::iam::{Account, IamUser, IamUserRef};
use crate::domain::key::IssuedKey;
use crate::domain::person::{MAX_ELIGIBLE_APPROVERS, Person};
use crate::domain::request::{KeyRequest, RequestDetails};
use crate::facts::Memberships;
use crate::id::{AccessKeyId, AccountAlias, IamUserName, PersonId, SlackUserId};
use crate::policy::{Act, Approve, Authorized, Denial, KeyFacts, Policies, PolicyDecision};
use crate::render::text;
use crate::slack::api::SlackApi;
use crate::slack::receive::{Interaction, SlackEnvelope, SlackEvent};
use crate::store::open_requests::OpenRequests;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::decision_facts::{DecisionFacts, Found, facts_unless_denied, memberships};
use crate::worker::limits::OPEN_REQUESTS;
use crate::worker::outbox::audit_alone;
use crate::worker::reply::{approvers_unreachable, reply};

/// A no that the configuration says, not policy.
pub(crate) struct Limit {
    pub by: &'static str,
    pub reason: DenialReason,
}

/// What a denied person is told.
pub(crate) fn denial_text(ctx: &Context, reason: &DenialReason) -> String {
    text::denial(reason, ctx.config.help_channel.as_ref())
}

/// A policy's no as a reason to deny.
pub(crate) fn denied_by_policy(denial: &Denial) -> DenialReason {
    DenialReason::Policy { advice: denial.advice.clone() }
}

/// Why nobody gets a key for this IAM user here, whoever asks, with what says so.
pub(crate) fn unfit(
    ctx: &Context,
    requester: &PersonId,
    user: &IamUser,
) -> Option<(DenialReason, Vec<String>)> {
    if let Some(Limit { by, reason }) = outside_path(ctx, user) {
        return Some((reason, vec![by.to_owned()]));
    }
    (user.owners.is_empty() && user.owner_groups.is_empty()).then(|| {
        let requester = requester.user.clone();
        (DenialReason::NoOwner { user: reference(user), requester }, Vec::new())
    })
}

pub(crate) fn too_long(ctx: &Context, days: u32) -> Option<Limit> {
    let max_days = ctx.config.max_key_days;
    (days > max_days)
        .then_some(Limit { by: "KEYVEND_MAX_KEY_DAYS", reason: DenialReason::LifetimeTooLong { max_days } })
}

fn outside_path(ctx: &Context, user: &IamUser) -> Option<Limit> {
    if !is_supported_path(&user.path) {
        return Some(Limit { by: "path", reason: DenialReason::UnsupportedPath { user: reference(user) } });
    }
    let path = ctx.config.iam_path.clone().filter(|path| !user.path.starts_with(path.as_str()))?;
    let reason = DenialReason::OutsidePath { user: reference(user), path };
    Some(Limit { by: "KEYVEND_IAM_PATH", reason })
}

fn reference(user: &IamUser) -> IamUserRef {
    IamUserRef { account: user.account.clone(), name: user.name.clone() }
}

/// Why this keyvend gives no such key, whatever policy says. Either setting, and the user's path, may have changed
/// since it was asked for.
pub(crate) fn beyond_limits(ctx: &Context, asked: &RequestDetails, user: &IamUser) -> Option<Limit> {
    too_long(ctx, asked.days).or_else(|| outside_path(ctx, user))
}

/// More approvers than a request can keep.
pub(crate) fn too_many_approvers(facts: &DecisionFacts) -> Option<Limit> {
    let reason = DenialReason::TooManyApprovers { max: MAX_ELIGIBLE_APPROVERS };
    facts.eligible.are_too_many().then_some(Limit { by: "KEYVEND_APPROVERS", reason })
}

/// The request as it is made where its requester has as many open ones as anybody may have. One that is made already, by an
/// earlier delivery, is among them.
pub(crate) fn too_many_open(request: KeyRequest, open: &OpenRequests) -> KeyRequest {
    let others = open.open();
    if !request.is_actionable() || others.len() < OPEN_REQUESTS || others.contains(&request.id) {
        return request;
    }
    let reason = DenialReason::TooManyOpenRequests { open: others.to_vec() };
    KeyRequest::refused(request.id, request.details, request.salt, reason, &["open-requests".to_owned()])
}

/// AWS's limit (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const KEYS_PER_USER: usize = 2;

pub(crate) fn has_two_keys(user: &IamUser) -> bool {
    user.keys.len() >= KEYS_PER_USER
}

/// The account of this alias, or the first one; else what to say.
pub(crate) fn account_named<'a>(
    ctx: &'a Context,
    alias: Option<&AccountAlias>,
) -> Result<&'a Account, String> {
    let Some(alias) = alias else {
        return ctx.config.accounts.first().ok_or_else(|| text::UNKNOWN_BUTTON.to_owned());
    };
    ctx.config.account(alias).ok_or_else(|| text::unknown_account(alias, &ctx.config.accounts))
}

/// Whether policy lets this person do this to a key of that IAM user, by facts looked up afresh; or what to say.
pub(crate) async fn authorize_key_action<A: Act<On = IamUser> + Send + Sync>(
    ctx: &Context,
    who: &PersonId,
    (account, user): (&Account, &IamUserName),
    act: A,
    now: Timestamp,
) -> anyhow::Result<Result<(Authorized<A>, DecisionFacts), String>> {
    let Ok(policies) = &ctx.policies else { return Ok(Err(text::POLICIES_INVALID.to_owned())) };
    let slack = slack_client(ctx).await?;
    let ask = |policies: &Policies, facts: &DecisionFacts| match policies.decide(
        &facts.requester,
        &act,
        &facts.iam_user,
    ) {
        PolicyDecision::Allow { .. } => Ok(()),
        PolicyDecision::Deny(denial) => Err(denial),
    };
    let found = facts_unless_denied(ctx, &slack, who, (account, user), (&[], None), now, ask);
    let facts = match found.boxed().await? {
        Found::Facts(facts) => *facts,
        Found::NoSuchUser => return Ok(Err(text::user_gone(user, account))),
        Found::Denied(denial, _) => {
            return Ok(Err(denial_text(ctx, &denied_by_policy(&denial))));
        }
    };
    Ok(match policies.authorize(&facts.requester, act, &facts.iam_user) {
        Ok(authorized) => Ok((authorized, facts)),
        Err(denial) => Err(denial_text(ctx, &denied_by_policy(&denial))),
    })
}

/// What policy is told of a key that keyvend did not issue.
pub(crate) fn unmanaged_key_facts(key: &AccessKeyId) -> KeyFacts {
    KeyFacts { id: key.clone(), requester: None, concerns: std::collections::BTreeSet::new() }
}

/// Of up to this many approvers each is looked up and judged.
const MOST_JUDGED: usize = 25;

/// The same without those who approved already.
pub(crate) async fn who_may_still_approve(
    ctx: &Context,
    slack: &SlackApi,
    facts: &DecisionFacts,
    request: &KeyRequest,
) -> anyhow::Result<Vec<SlackUserId>> {
    let mut may = who_may_approve(ctx, slack, facts, request).await?;
    may.retain(|user| !request.approvals.iter().any(|approval| approval.by.user == *user));
    Ok(may)
}

/// The approvers whose approval policy would count now. Where there are many, all of them, unjudged.
pub(crate) async fn who_may_approve(
    ctx: &Context,
    slack: &SlackApi,
    facts: &DecisionFacts,
    request: &KeyRequest,
) -> anyhow::Result<Vec<SlackUserId>> {
    let team = &request.details.requester.team;
    let memberships = &facts.memberships;
    let approvers = memberships.approvers().iter();
    let approvers = approvers.map(|user| PersonId { team: team.clone(), user: user.clone() });
    let others: Vec<PersonId> = approvers.filter(|person| request.can_count(person)).collect();
    let Ok(policies) = &ctx.policies else { return Ok(Vec::new()) };
    if others.len() > MOST_JUDGED {
        return Ok(others.into_iter().map(|person| person.user).collect());
    }
    let people = try_join_all(others.iter().map(|id| ctx.lookup.person(slack, id, memberships))).await?;
    let question = Approve(facts.approve_query(&request.details));
    let may = |person: &Person| {
        matches!(policies.decide(person, &question, &facts.iam_user), PolicyDecision::Allow { .. })
    };
    Ok(people.into_iter().filter(may).map(|person| person.id.user).collect())
}

/// Whether whoever pressed is in a group that owns the IAM user, or approves now.
pub(crate) async fn is_in_a_group(
    ctx: &Context,
    message: &SlackEnvelope,
    issued: &IssuedKey,
) -> anyhow::Result<bool> {
    let slack = slack_client(ctx).await?;
    let person = &message.person.user;
    let owning = ctx.lookup.groups_of(&slack, person, &issued.owner_groups);
    let approving = ctx.lookup.approvers(&slack, ctx.config.approval_places());
    // Either will do: a user group that is gone by now keeps no approver from it.
    match join(owning, approving).await {
        (Ok(groups), _) if !groups.is_empty() => Ok(true),
        (_, Ok(approvers)) if approvers.contains(person) => Ok(true),
        (Ok(_), Ok(_)) => Ok(false),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// Why somebody can ask for nothing at all.
pub(crate) struct Barred {
    /// Which policies say so.
    pub by: Vec<String>,
    /// Why, the same whatever was asked about.
    pub reason: DenialReason,
}

/// What somebody who is no full member is told, where policy lets such people ask for nothing. It is asked about an IAM
/// user that would be theirs, so that the answer says nothing about any that exists.
pub(crate) async fn barred(ctx: &Context, who: &PersonId) -> anyhow::Result<Option<Barred>> {
    let slack = slack_client(ctx).await?;
    let person = ctx.lookup.person(&slack, who, &Memberships::none()).await?;
    let (Some(account), false) = (ctx.config.accounts.first(), person.is_full_member()) else {
        return Ok(None);
    };
    let Ok(policies) = &ctx.policies else {
        return Ok(Some(Barred { by: Vec::new(), reason: DenialReason::PoliciesInvalid }));
    };
    let memberships = match memberships(ctx, &slack).await {
        Ok(memberships) => memberships,
        Err(error) => {
            let by = vec!["KEYVEND_APPROVALS_CHANNEL".to_owned()];
            return Ok(Some(Barred { by, reason: approvers_unreachable(error)? }));
        }
    };
    let person = Person { groups: memberships.of(&who.user), ..person };
    let denied = policies.bars(&person, account);
    Ok(denied.map(|denial| Barred { reason: denied_by_policy(&denial), by: denial.by }))
}

/// Says so, and audits it.
pub(crate) async fn refuse_barred(
    ctx: &Context,
    message: &SlackEnvelope,
    Barred { by, reason }: Barred,
    now: Timestamp,
) -> Result<(), HandleError> {
    let detail = [("by", by.join(" "))];
    audit_alone(ctx, message, [NewAuditEntry::new(AuditEvent::PersonDenied, &message.person, detail)])
        .await?;
    if let SlackEvent::Interaction(Interaction::BlockActions { view: Some(_), .. }) = &message.what {
        // A choice in a form has nowhere to be answered.
        return Ok(());
    }
    Ok(reply(ctx, message, now, &denial_text(ctx, &reason)).await?)
}
