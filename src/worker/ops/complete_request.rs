//! A key that exists comes back or lives longer: like a new one, only by an `issue` decision with fresh facts. There is
//! no link, for its holder has the secret.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::domain::denial::DenialReason;
use crate::domain::key::KeyState;
use crate::domain::request::{KeyRequest, Notification, RequestEvent, RequestKind, ReviewSnapshot};
use crate::facts::NoSuchUser;
use crate::id::RequestId;
use crate::policy::{Authorized, Issue, Policies, RequiredApprovals};
use crate::render::{approval_card, text};
use crate::store::keys::StoredKey;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::authorize::{Limit, beyond_limits, denied_by_policy};
use crate::worker::context::{Context, HandleError, LEASE_RETRY_DELAY, slack_client};
use crate::worker::decision_facts::facts_about;
use crate::worker::limits::may_mention;
use crate::worker::ops::activate_key::reactivate;
use crate::worker::ops::deactivate_key::redo_deactivation;
use crate::worker::ops::deny_request::deny_request;
use crate::worker::ops::extend_key::extend;
use crate::worker::ops::undo_deactivation::resume_undo;
use crate::worker::outbox::{finish_claim, is_to_fulfil};

/// What fresh facts make of an approved request about a key that exists.
enum Reevaluation {
    Allowed(Authorized<Issue>),
    /// The approvals were given for something else than this.
    Outdated(ReviewSnapshot),
    No(DenialReason),
}

/// An approved request about a key that exists is carried out, if policy still allows it and what was approved is
/// still so.
pub(crate) async fn complete_request(
    ctx: &Context,
    stored: StoredRequest,
    now: Timestamp,
) -> Result<(), HandleError> {
    let request = &stored.request;
    let Some(id) = request.details.kind.existing() else { return Ok(()) };
    let Some(key) = StoredKey::read(&ctx.tables, id).await? else {
        return deny_request(ctx, &stored, DenialReason::KeyDeleted, now).await;
    };
    if !key.issued.state.is_active() && key.is_deactivation_pending() {
        // It was just reported, which its state does not say yet: judged when it does.
        return Err(HandleError::RetryAfter(LEASE_RETRY_DELAY));
    }
    let Ok(policies) = &ctx.policies else {
        return deny_request(ctx, &stored, DenialReason::PoliciesInvalid, now).await;
    };
    let authorized = match reauthorize(ctx, policies, request, &key, now).boxed().await? {
        Reevaluation::Allowed(authorized) => authorized,
        Reevaluation::Outdated(shown) => {
            reopen(ctx, &stored, shown, now).await?;
            return stop_activating(ctx, &key, &request.id, now).boxed().await;
        }
        Reevaluation::No(reason) => {
            deny_request(ctx, &stored, reason, now).await?;
            return stop_activating(ctx, &key, &request.id, now).boxed().await;
        }
    };
    match &request.details.kind {
        RequestKind::Reactivate { end, .. } | RequestKind::Extend { end, .. } if *end <= now => {
            let (key_id, end) = (id.clone(), key.issued.expires_at);
            deny_request(ctx, &stored, DenialReason::LifetimeEnded { key: key_id, end }, now).await?;
            stop_activating(ctx, &key, &request.id, now).boxed().await
        }
        // Two that were asked for at once: the first has it.
        RequestKind::Reactivate { undo: true, .. } if key.issued.undone_expiry.is_some() => {
            deny_request(ctx, &stored, DenialReason::ExpiryUndoneBefore { key: id.clone() }, now).await
        }
        RequestKind::Reactivate { end, .. } => {
            reactivate(ctx, &stored, &key, &authorized, *end, now).boxed().await
        }
        RequestKind::Extend { end, .. } => extend(ctx, &stored, &key, &authorized, *end, now).boxed().await,
        RequestKind::Create | RequestKind::Rotate { .. } => Ok(()),
    }
}

/// Fresh facts, and policy asked again.
async fn reauthorize(
    ctx: &Context,
    policies: &Policies,
    request: &KeyRequest,
    key: &StoredKey,
    now: Timestamp,
) -> anyhow::Result<Reevaluation> {
    let asked = &request.details;
    let slack = slack_client(ctx).await?;
    let facts = match facts_about(ctx, &slack, request, None, now).await? {
        Ok(facts) => facts.with(asked, Some(key.issued.clone())),
        Err(NoSuchUser) => return Ok(Reevaluation::No(DenialReason::UserDeleted)),
    };
    if let Some(Limit { reason, .. }) = beyond_limits(ctx, asked, &facts.iam_user) {
        return Ok(Reevaluation::No(reason));
    }
    if let RequiredApprovals::Approvals(needed) = facts.required_approvals(policies, asked) {
        let shown = ReviewSnapshot::of(&facts.iam_user, needed);
        if request.is_outdated_by(&shown) {
            return Ok(Reevaluation::Outdated(shown));
        }
    }
    let count = facts.approvals(policies, asked, None);
    let issue = Issue(facts.asked(asked, count));
    Ok(match policies.authorize(&facts.requester, issue, &facts.iam_user) {
        Ok(authorized) => Reevaluation::Allowed(authorized),
        Err(denial) => Reevaluation::No(denied_by_policy(&denial)),
    })
}

/// The request must be approved again, by people who see what is so now.
async fn reopen(
    ctx: &Context,
    stored: &StoredRequest,
    shown: ReviewSnapshot,
    now: Timestamp,
) -> Result<(), HandleError> {
    let event = RequestEvent::Reopen { shown, ttl: ctx.config.request_ttl };
    let Ok(next) = stored.request.apply(event, "keyvend", now) else { return Ok(()) };
    let message = approval_card::text(&text::facts_changed(&next));
    let mut notifications = vec![
        Notification::DirectMessage { to: next.details.requester.clone(), message: message.into() },
        Notification::UpdateCard,
    ];
    // A card that is updated notifies nobody; one that is posted does.
    if next.card.is_some() {
        let what = format!("{}.again", next.id);
        let mention = may_mention(ctx, &next.details.requester, &what, now).await?;
        let mention = mention.then_some(&ctx.config.approvers);
        let message = approval_card::text(&text::asked_again(&next, mention));
        notifications.push(Notification::ThreadReply { message: message.into() });
    }
    finish_claim(ctx, stored, next, Vec::new(), notifications).await
}

/// The request no longer activates this key. If that had begun, AWS may have been told already: it is deactivated.
async fn stop_activating(
    ctx: &Context,
    key: &StoredKey,
    request: &RequestId,
    now: Timestamp,
) -> Result<(), HandleError> {
    match &key.issued.state {
        KeyState::Activating { by, .. } if by == request => redo_deactivation(ctx, key, now).await,
        _ => Ok(()),
    }
}

/// An activation that was interrupted is judged again before it goes on: facts may have changed since.
pub(crate) fn resume_activation<'a>(
    ctx: &'a Context,
    key: &'a StoredKey,
    now: Timestamp,
) -> BoxFuture<'a, Result<(), HandleError>> {
    async move {
        let KeyState::Activating { by, .. } = &key.issued.state else { return Ok(()) };
        let Some(stored) = StoredRequest::read(&ctx.tables, by).await? else {
            // For no request, but because its deactivation was taken back.
            return resume_undo(ctx, key, by, now).await;
        };
        if is_to_fulfil(&stored.request) {
            complete_request(ctx, stored, now).await
        } else {
            redo_deactivation(ctx, key, now).await
        }
    }
    .boxed()
}
