//! A request about a key that exists: another in its place, the key back, or more time for it. Each comes to life like a
//! new key, only by an `issue` decision; approvals it needs are asked for on a card like any other's.

use futures_util::FutureExt as _;
use futures_util::future::{try_join, try_join5};

use crate::aws::WriteError;
use crate::domain::denial::DenialReason;
use crate::domain::email_hash::email_hash;
use crate::domain::iam::IamUserRef;
use crate::domain::key::{DeactivationReason, IssuedKey, KeyState};
use crate::domain::request::{
    Approval, KeyRequest, Notification, RequestDetails, RequestKind, RequestState, ReviewSnapshot,
    RevisionSalt,
};
use crate::id::{AccessKeyId, RequestId};
use crate::policy::{Issue, Policies, PolicyDecision};
use crate::random::random;
use crate::render::{approval_card, text};
use crate::slack::api::SlackApi;
use crate::slack::receive::SlackEnvelope;
use crate::store::keys::StoredKey;
use crate::store::open_requests::OpenRequests;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::authorize::{
    Limit, barred, denial_text, denied_by_policy, has_two_keys, refuse_barred, too_many_approvers,
    too_many_open,
};
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::decision_facts::{DecisionFacts, Found, facts_unless_denied};
use crate::worker::limits::{admit, still_open};
use crate::worker::ops::delete_key::{delete_key, remove_description_of};
use crate::worker::ops::enough_approvers::too_few_approvers;
use crate::worker::ops::key_change::{KeyChange, authorize_change};
use crate::worker::ops::key_expiry::drop_inactive_successor;
use crate::worker::ops::key_in_iam::follow_user;
use crate::worker::ops::key_list::chooser;
use crate::worker::outbox::{drain_outbox, record_audit};
use crate::worker::reply::{answer, answer_with, show_open_request};

/// Somebody asks for something about a key that exists.
pub(crate) async fn change_key(
    ctx: &Context,
    message: &SlackEnvelope,
    key: &AccessKeyId,
    change: KeyChange,
    now: Timestamp,
) -> Result<(), HandleError> {
    // The read-only session of the home account meanwhile: the key is most likely of it.
    let session = async {
        match ctx.config.accounts.first() {
            Some(account) => ctx.lookup.warm_session(account, now).await,
            None => Ok(()),
        }
    };
    let read = async {
        let before = StoredRequest::read(&ctx.tables, &message.id);
        let open = OpenRequests::read(&ctx.tables, &message.person.user);
        Ok(try_join5(StoredKey::read(&ctx.tables, key), before, open, slack_client(ctx), session).await?)
    };
    let ((found, before, open, slack, ()), ()) = try_join(read, admit(ctx, message)).await?;
    if let Some(before) = before {
        if !change.made(&before.request.details, message, key) {
            log_id_collision();
            return Ok(());
        }
        // A redelivery goes on from what the first delivery recorded.
        return confirm_change(ctx, message, before, None, now).await;
    }
    if let Some(barred) = barred(ctx, &message.person).await? {
        return refuse_barred(ctx, message, barred, now).await;
    }
    let stored = match found {
        Some(stored) if stored.is_managed() => drop_inactive_successor(ctx, stored).await?,
        Some(StoredKey { issued, .. }) if matches!(issued.state, KeyState::Suspect { .. }) => {
            return Ok(answer(ctx, message, now, &text::being_asked_about(key)).await?);
        }
        Some(_) | None => return Ok(answer(ctx, message, now, &text::not_issued_here(key)).await?),
    };
    let issued = &stored.issued;
    let Ok(policies) = &ctx.policies else {
        return Ok(answer(ctx, message, now, text::POLICIES_INVALID).await?);
    };
    if change == KeyChange::Replace && issued.requester != message.person {
        return deny_change(ctx, message, issued, change, text::NOT_YOURS, now).await;
    }
    let (kind, days) = match change.plan(&stored, ctx.config.max_key_days, now) {
        Ok(wanted) => wanted,
        Err(why) => return deny_change(ctx, message, issued, change, &why, now).await,
    };
    let wanted = (kind, days, inherited_approvals(message, issued, change));
    let evaluated = evaluate_change(ctx, policies, (message, &slack), (issued, change), wanted, open, now);
    let Some(EvaluatedChange { request, facts, open }) = evaluated.boxed().await? else {
        // Renamed or moved since: the key is asked about again where it is now.
        if let Some(found) = follow_user(ctx, &stored, now).boxed().await?
            && found.issued.user != issued.user
        {
            return Box::pin(change_key(ctx, message, key, change, now)).await;
        }
        return deny_change(ctx, message, issued, change, text::USER_GONE, now).await;
    };
    if change == KeyChange::Replace && !matches!(request.state, RequestState::PolicyDenied { .. }) {
        if was_replaced(ctx, &stored, &request.id).await? {
            return Ok(answer(ctx, message, now, &text::replacement_asked(issued)).await?);
        }
        delete_replaced_key(ctx, message, stored.clone(), &request.id, now).await?;
        submit_request(ctx, (message, key, change), (request, &open), &facts, now).await?;
        remove_description_of(ctx, &stored.issued, &message.person.to_string(), now).await;
        return Ok(());
    }
    submit_request(ctx, (message, key, change), (request, &open), &facts, now).await
}

/// A change as policy lets it begin, with what was looked up for it.
struct EvaluatedChange {
    request: KeyRequest,
    facts: DecisionFacts,
    open: OpenRequests,
}

/// The request for a change as policy lets it begin, denied ones too; none where there is no such IAM user any more.
async fn evaluate_change(
    ctx: &Context,
    policies: &Policies,
    (message, slack): (&SlackEnvelope, &SlackApi),
    (issued, change): (&IssuedKey, KeyChange),
    (kind, days, approvals): (RequestKind, u32, Vec<Approval>),
    open: OpenRequests,
    now: Timestamp,
) -> anyhow::Result<Option<EvaluatedChange>> {
    let subject = (&issued.account, &issued.user);
    let mut asked = RequestDetails {
        kind,
        requester: message.person.clone(),
        account: issued.account.clone(),
        user: issued.user.clone(),
        use_case: issued.use_case,
        days,
        reason: issued.reason.clone(),
        email_hash: None,
        at: message.signed_at,
        replaces: None,
    };
    // The holder of a key approves no change of it, whoever asks for it.
    let about_key = |facts: DecisionFacts, asked: &RequestDetails| {
        let eligible = facts.eligible.clone().without(&issued.requester.user);
        DecisionFacts { eligible, ..facts }.with(asked, Some(issued.clone()))
    };
    let ask = |policies: &Policies, facts: &DecisionFacts| {
        let facts = about_key(facts.clone(), &asked);
        authorize_change(policies, &asked, &facts, issued, change).map(drop)
    };
    let looked_up =
        facts_unless_denied(ctx, slack, &message.person, subject, (&approvals, None), now, ask).boxed();
    let (found, open) = try_join(looked_up, still_open(ctx, open, now)).await?;
    let (facts, denied) = match found {
        Found::Facts(facts) => (*facts, None),
        Found::Denied(denial, facts) => (*facts, Some(denial)),
        Found::NoSuchUser => return Ok(None),
    };
    asked.email_hash = facts.requester.email.as_deref().map(email_hash);
    let facts = about_key(facts, &asked);
    let id = match (change, &issued.replacement) {
        // Begun before: goes on as it began.
        (KeyChange::Replace, Some(begun)) => begun.clone(),
        (_, _) => message.id.clone(),
    };
    let salt = RevisionSalt::new(random()?);
    let may = match denied {
        Some(denial) => Err(denial),
        None => authorize_change(policies, &asked, &facts, issued, change),
    };
    let request = match may {
        Ok(needed) => match too_many_approvers(&facts) {
            Some(Limit { by, reason }) => KeyRequest::refused(id, asked, salt, reason, &[by.to_owned()]),
            None => {
                let new = new_request(ctx, policies, (id, asked, salt), &facts, (issued, approvals, needed));
                too_few_approvers(ctx, slack, policies, new, &facts).await
            }
        },
        Err(denial) => KeyRequest::refused(id, asked, salt, denied_by_policy(&denial), &denial.by),
    };
    Ok(Some(EvaluatedChange { request: too_many_open(request, &open), facts, open }))
}

/// The approvals that the key had, where what is asked is what they were given for: that its requester has it, until
/// the end that was approved.
fn inherited_approvals(message: &SlackEnvelope, issued: &IssuedKey, change: KeyChange) -> Vec<Approval> {
    // Not where the key itself comes back: whoever could forge that press might hold what was sealed.
    if change != KeyChange::Replace || issued.requester != message.person {
        return Vec::new();
    }
    let approvals = issued.approved_by.iter().map(|by| Approval {
        by: by.clone(),
        interaction_id: issued.request.clone(),
        at: issued.issued_at,
        comment: None,
    });
    approvals.collect()
}

/// The request as it begins, with the approvals that it inherits and that still count, if what they were given for is
/// still so.
fn new_request(
    ctx: &Context,
    policies: &Policies,
    (id, asked, salt): (RequestId, RequestDetails, RevisionSalt),
    facts: &DecisionFacts,
    (issued, mut approvals, needed): (&IssuedKey, Vec<Approval>, u32),
) -> KeyRequest {
    let shown = ReviewSnapshot::of(&facts.iam_user, needed);
    // Who approved a user with other rights has not approved this.
    let same = issued.approved == shown.digest();
    approvals.retain(|approval| same && facts.still_counts(policies, &asked, &approval.by));
    let count = if same { facts.approvals(policies, &asked, None) } else { 0 };
    let issue = Issue(facts.asked(&asked, count));
    let enough =
        matches!(policies.decide(&facts.requester, &issue, &facts.iam_user), PolicyDecision::Allow { .. });
    let approved_ttl = ctx.config.approved_ttl;
    let ttls = (ctx.config.request_ttl, approved_ttl);
    let request = KeyRequest::new(id, asked, shown, salt, facts.eligible.clone(), ttls);
    if approvals.is_empty() {
        return request;
    }
    request.inheriting(approvals, &issued.request, enough, approved_ttl)
}

/// Whether the key's one replacement was asked for before, by another message.
async fn was_replaced(ctx: &Context, stored: &StoredKey, id: &RequestId) -> anyhow::Result<bool> {
    match &stored.issued.replacement {
        Some(_) => Ok(StoredRequest::read(&ctx.tables, id).await?.is_some()),
        None => Ok(false),
    }
}

/// The key that nobody received goes first. That it is being replaced is written down before, so that it happens once.
async fn delete_replaced_key(
    ctx: &Context,
    message: &SlackEnvelope,
    stored: StoredKey,
    id: &RequestId,
    now: Timestamp,
) -> Result<(), HandleError> {
    let mut stored = stored;
    if stored.issued.replacement.is_none() {
        let begun = IssuedKey { replacement: Some(id.clone()), ..stored.issued.clone() };
        match ctx.tables.write(vec![stored.update(&begun)?]).await {
            Ok(()) => {}
            Err(WriteError::Conflict(_)) => {
                return Err(HandleError::RetryAfter(std::time::Duration::from_secs(1)));
            }
            Err(WriteError::Other(error)) => return Err(error.into()),
        }
        stored = StoredKey::read(&ctx.tables, &begun.key).await?.unwrap_or(stored);
    }
    if matches!(stored.issued.state, KeyState::Deleted { .. }) {
        return Ok(());
    }
    delete_key(ctx, &stored, (DeactivationReason::Unconfirmed, &message.person.to_string()), now)
        .boxed()
        .await
}

/// Records the request and answers. Where two keys are in the way, which of them could go is the answer.
async fn submit_request(
    ctx: &Context,
    (message, key, change): (&SlackEnvelope, &AccessKeyId, KeyChange),
    (mut request, open): (KeyRequest, &OpenRequests),
    facts: &DecisionFacts,
    now: Timestamp,
) -> Result<(), HandleError> {
    if change != KeyChange::Replace
        && let Some(first) = open.same_as(&request)
    {
        return Ok(show_open_request(ctx, message, first, now).await?);
    }
    let refused = matches!(request.state, RequestState::PolicyDenied { .. });
    let full = change == KeyChange::Rotate && !refused && has_two_keys(&facts.iam_user);
    if full {
        let (account, name) = (facts.iam_user.account.clone(), facts.iam_user.name.clone());
        let reason = DenialReason::TwoKeys { user: IamUserRef { account, name } };
        request = KeyRequest::refused(request.id, request.details, request.salt, reason, &[]);
    }
    if request.state == RequestState::Pending {
        request.notifications.extend([Notification::UpdateCard]);
        request.notifications.extend(why_off(&request, facts));
    }
    let chooser = async { if full { chooser(ctx, facts, now).await.map(Some) } else { Ok(None) } };
    let create = async {
        match StoredRequest::create(&ctx.tables, &request, Some(open), Vec::new()).await {
            Ok(stored) => Ok(stored),
            Err(WriteError::Conflict(lost)) => {
                StoredRequest::read(&ctx.tables, &request.id).await?.ok_or_else(|| lost.into())
            }
            Err(WriteError::Other(error)) => Err(error),
        }
    };
    let (stored, chooser) = try_join(create, chooser).await?;
    if !change.made(&stored.request.details, message, key) {
        log_id_collision();
        return Ok(());
    }
    confirm_change(ctx, message, stored, chooser, now).await
}

/// Answers with the outcome.
async fn confirm_change(
    ctx: &Context,
    message: &SlackEnvelope,
    stored: StoredRequest,
    chooser: Option<crate::slack::api::SlackMessage>,
    now: Timestamp,
) -> Result<(), HandleError> {
    let request = &stored.request;
    let answer = match (&request.state, chooser) {
        (RequestState::PolicyDenied { .. }, Some(chooser)) => chooser,
        (RequestState::PolicyDenied { reason }, None) => approval_card::text(&denial_text(ctx, reason)),
        (RequestState::Pending, _) => approval_card::asked(request),
        (RequestState::Approved, _) if request.details.kind.existing().is_some() => {
            approval_card::text(&text::under_way(request))
        }
        (RequestState::Approved, _) => approval_card::ready(request),
        (
            RequestState::LinkIssued { .. }
            | RequestState::Issuing(_)
            | RequestState::Ambiguous(_)
            | RequestState::Issued { .. }
            | RequestState::Completed { .. }
            | RequestState::Denied { .. }
            | RequestState::Cancelled
            | RequestState::Expired,
            _,
        ) => approval_card::text(&text::standing(request)),
    };
    let told = answer_with(ctx, message, now, &answer).await;
    drain_outbox(ctx, stored).await;
    Ok(told?)
}

/// A no that the key's own state gives: said, and written into its trail.
async fn deny_change(
    ctx: &Context,
    message: &SlackEnvelope,
    issued: &IssuedKey,
    change: KeyChange,
    why: &str,
    now: Timestamp,
) -> Result<(), HandleError> {
    if let Some(stored) = StoredRequest::read(&ctx.tables, &issued.request).await? {
        record_audit(ctx, &stored, change.refused(), message, now).await?;
    }
    Ok(answer(ctx, message, now, why).await?)
}

/// No redelivery: whoever made the message chose the id, and is told nothing of the request that has it.
fn log_id_collision() {
    tracing::error!("request id collision");
}

/// Whoever is to approve that a key comes back is told why it is off.
fn why_off(request: &KeyRequest, facts: &DecisionFacts) -> Option<Notification> {
    let RequestKind::Reactivate { undo: false, .. } = &request.details.kind else { return None };
    let KeyState::Inactive { why, since } = &facts.key.as_ref()?.state else { return None };
    Some(Notification::ThreadReply { message: approval_card::text(&text::why_off(*why, *since)).into() })
}
