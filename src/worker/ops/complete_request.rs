//! A key that exists comes back or lives longer: like a new one, only by an `issue` decision with fresh facts. There is
//! no link, for its holder has the secret.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::aws::WriteError;
use crate::aws::session_policy::{self, IamStep};
use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::key::{IssuedKey, KeyState, StoredKey};
use crate::domain::request::{
    KeyRequest, Notification, RequestEvent, RequestKind, RequestState, ReviewSnapshot,
};
use crate::facts::NoSuchUser;
use crate::id::RequestId;
use crate::policy::{Authorized, Issue, Policies, RequiredApprovals};
use crate::render::approval_card;
use crate::render::text;
use crate::store::{self, StoredRequest};
use crate::time::Timestamp;
use crate::worker::commands::create::{Limit, beyond_limits};
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::decision_facts::facts_about;
use crate::worker::limits::may_mention;
use crate::worker::ops::issue_key::finish_claim;
use crate::worker::outbox::{commit, drain_outbox};
use crate::worker::timers::key::{read_key, redo_deactivation, run_key_timer};

/// How long to wait for whoever else works on the same IAM user.
const LEASE_RETRY_DELAY: Duration = Duration::from_secs(10);

/// What fresh facts make of an approved request about a key that exists.
enum Judged {
    Allowed(Authorized<Issue>),
    /// The approvals were given for something else than this.
    Outdated(ReviewSnapshot),
    No(String),
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
    let Some(key) = read_key(ctx, id).await? else {
        return deny_request(ctx, &stored, text::KEY_GONE.to_owned(), now).await;
    };
    if !key.issued.state.is_active() && key.is_deactivation_pending() {
        // It was just reported, which its state does not say yet: judged when it does.
        return Err(HandleError::RetryAfter(LEASE_RETRY_DELAY));
    }
    let Ok(policies) = &ctx.policies else {
        return deny_request(ctx, &stored, text::POLICIES_INVALID.to_owned(), now).await;
    };
    let authorized = match reauthorize(ctx, policies, request, &key, now).boxed().await? {
        Judged::Allowed(authorized) => authorized,
        Judged::Outdated(shown) => {
            reopen(ctx, &stored, shown, now).await?;
            return stop_activating(ctx, &key, &request.id, now).boxed().await;
        }
        Judged::No(why) => {
            deny_request(ctx, &stored, why, now).await?;
            return stop_activating(ctx, &key, &request.id, now).boxed().await;
        }
    };
    match &request.details.kind {
        RequestKind::Back { end, .. } | RequestKind::Longer { end, .. } if *end <= now => {
            deny_request(ctx, &stored, text::past_end(&key.issued), now).await?;
            stop_activating(ctx, &key, &request.id, now).boxed().await
        }
        // Two that were asked for at once: the first has it.
        RequestKind::Back { undo: true, .. } if key.issued.undone_expiry.is_some() => {
            deny_request(ctx, &stored, text::undone_before(&key.issued), now).await
        }
        RequestKind::Back { end, .. } => bring_back(ctx, &stored, &key, &authorized, *end, now).boxed().await,
        RequestKind::Longer { end, .. } => lengthen(ctx, &stored, &key, &authorized, *end, now).boxed().await,
        RequestKind::New | RequestKind::Rotate { .. } => Ok(()),
    }
}

/// Fresh facts, and policy asked again.
async fn reauthorize(
    ctx: &Context,
    policies: &Policies,
    request: &KeyRequest,
    key: &StoredKey,
    now: Timestamp,
) -> anyhow::Result<Judged> {
    let asked = &request.details;
    let slack = slack_client(ctx).await?;
    let facts = match facts_about(ctx, &slack, request, None, now).await? {
        Ok(facts) => facts.with(asked, Some(key.issued.clone())),
        Err(NoSuchUser) => return Ok(Judged::No(text::USER_GONE.to_owned())),
    };
    if let Some(Limit { why, .. }) = beyond_limits(ctx, asked, &facts.iam_user) {
        return Ok(Judged::No(why));
    }
    if let RequiredApprovals::Approvals(needed) = facts.required_approvals(policies, asked) {
        let shown = ReviewSnapshot::of(&facts.iam_user, needed);
        if request.is_outdated_by(&shown) {
            return Ok(Judged::Outdated(shown));
        }
    }
    let count = facts.approvals(policies, asked, None);
    let issue = Issue(facts.asked(asked, count));
    Ok(match policies.authorize(&facts.requester, issue, &facts.iam_user) {
        Ok(authorized) => Judged::Allowed(authorized),
        Err(denial) => Judged::No(text::refused(&denial.advice, ctx.config.help_channel.as_ref())),
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
    let mut notifications =
        vec![Notification::Direct { to: next.details.requester.clone(), message }, Notification::Card];
    // A card that is updated notifies nobody; one that is posted does.
    if next.card.is_some() {
        let what = format!("{}.again", next.id);
        let mention = may_mention(ctx, &next.details.requester, &what, now).await?;
        let mention = mention.then_some(&ctx.config.approvers);
        let message = approval_card::text(&text::asked_again(&next, mention));
        notifications.push(Notification::Thread { message });
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
            return Err(anyhow::anyhow!("a key is activated for a request that does not exist").into());
        };
        if is_to_fulfil(&stored.request) {
            complete_request(ctx, stored, now).await
        } else {
            redo_deactivation(ctx, key, now).await
        }
    }
    .boxed()
}

/// The end of a request that policy, or the key's own state, no longer allows.
async fn deny_request(
    ctx: &Context,
    stored: &StoredRequest,
    why: String,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Ok(next) = stored.request.apply(RequestEvent::Refuse { why: why.clone() }, "keyvend", now) else {
        return Ok(());
    };
    let message = approval_card::text(&why);
    let mut notifications = vec![Notification::Direct { to: next.details.requester.clone(), message }];
    notifications.extend(next.card.is_some().then_some(Notification::Card));
    finish_claim(ctx, stored, next, Vec::new(), notifications).await
}

/// The decision is written down with the lease, and that the key is to be off is taken back; then IAM is asked.
async fn bring_back(
    ctx: &Context,
    stored: &StoredRequest,
    key: &StoredKey,
    authorized: &Authorized<Issue>,
    end: Timestamp,
    now: Timestamp,
) -> Result<(), HandleError> {
    let issued = &key.issued;
    let (why, since) = match issued.state {
        KeyState::Inactive { why, since } => (why, since),
        // Begun before; its timer goes on.
        KeyState::Activating { .. } => return activate(ctx, key, now).await,
        KeyState::Delivered
        | KeyState::Confirmed
        | KeyState::Unconfirmed { .. }
        | KeyState::Active
        | KeyState::Deleting { .. }
        | KeyState::Deleted { .. }
        | KeyState::Suspect { .. }
        | KeyState::NotOurs { .. } => {
            return deny_request(ctx, stored, text::not_off(issued), now).await;
        }
    };
    let by = stored.request.id.clone();
    let state = KeyState::Activating { by, end, why, since };
    let activating = IssuedKey { state, reassert_at: None, ..issued.clone() };
    let detail = [("key", issued.key.to_string()), ("user", authorized.at().to_string())];
    let happened = NewAuditEntry::new(AuditEvent::KeyActivating, &stored.request.details.requester, detail);
    let seen = RequestEvent::RecordTicketEvent { happened, at: now, alert: false };
    let next = stored.request.apply(seen, "keyvend", now)?;
    let others = vec![
        key.update_if_unmarked(&activating)?,
        store::take_lease(&issued.account, &issued.user, &StoredKey::item_key(&issued.key)),
        store::not_frozen(),
    ];
    match commit(ctx, stored, next, others, Vec::new()).await {
        Ok(saved) => drop(drain_outbox(ctx, saved).await),
        Err(WriteError::Conflict(_)) if store::is_frozen(&ctx.tables).await? => {
            return deny_request(ctx, stored, text::FROZEN_TOO.to_owned(), now).await;
        }
        // The lease is held, or something moved since it was read: look again.
        Err(WriteError::Conflict(_)) => return Err(HandleError::RetryAfter(LEASE_RETRY_DELAY)),
        Err(WriteError::Other(error)) => return Err(error.into()),
    }
    match read_key(ctx, &issued.key).await? {
        // Just judged.
        Some(key) if key.deactivation_mark.is_none() => activate(ctx, &key, now).boxed().await,
        Some(key) => run_key_timer(ctx, &key.issued.key, now).boxed().await,
        None => Ok(()),
    }
}

/// Has IAM activate what was decided, and then says so. Whoever switches it off meanwhile changes the item, and wins.
pub(crate) async fn activate(ctx: &Context, key: &StoredKey, now: Timestamp) -> Result<(), HandleError> {
    let issued = &key.issued;
    let KeyState::Activating { by, end, why, .. } = &issued.state else { return Ok(()) };
    let Some(stored) = StoredRequest::read(&ctx.tables, by).await? else {
        return Err(anyhow::anyhow!("a key comes back for no request").into());
    };
    let actor = stored.request.details.requester.to_string();
    let policy =
        session_policy::write_policy(IamStep::Activate, &issued.account, &issued.path, &issued.user)?;
    let iam = ctx.sts.session(&issued.account, by.as_str(), &actor, policy).await?;
    let release = store::release_lease(&issued.account, &issued.user, &StoredKey::item_key(&issued.key));
    if !iam.activate_access_key(&issued.user, &issued.key).await? {
        let gone = IssuedKey { state: KeyState::Deleted { why: *why, at: now }, ..issued.clone() };
        let Ok(next) =
            stored.request.apply(RequestEvent::Refuse { why: text::KEY_GONE.to_owned() }, "keyvend", now)
        else {
            return Ok(());
        };
        let message = approval_card::text(text::KEY_GONE);
        let told = vec![Notification::Direct { to: next.details.requester.clone(), message }];
        return finish_claim(ctx, &stored, next, vec![key.update(&gone)?, release], told).await;
    }
    let undone = match &stored.request.details.kind {
        RequestKind::Back { undo: true, .. } => Some(*end),
        RequestKind::Back { .. }
        | RequestKind::New
        | RequestKind::Rotate { .. }
        | RequestKind::Longer { .. } => issued.undone_expiry,
    };
    let active =
        IssuedKey { state: KeyState::Active, undone_expiry: undone, ..issued.with_expiry(*end, now) };
    let Ok(next) = stored.request.apply(RequestEvent::Complete, &actor, now) else {
        // Its request ended meanwhile: the key does not stay on.
        return redo_deactivation(ctx, key, now).await;
    };
    let message = approval_card::text(&text::standing(&next));
    let mut told = vec![Notification::Direct { to: next.details.requester.clone(), message }];
    told.extend(next.card.is_some().then_some(Notification::Card));
    let others = vec![key.update(&active)?, release];
    match commit(ctx, &stored, next, others, told).await {
        Ok(saved) => {
            drain_outbox(ctx, saved).await;
            Ok(())
        }
        Err(WriteError::Conflict(_)) => match read_key(ctx, &issued.key).await? {
            Some(found) if found.is_same(key) => Err(HandleError::RetryAfter(Duration::from_secs(1))),
            // It was deactivated, or somebody else finished: if it is to be off, IAM hears it last from us.
            Some(found) if found.deactivation_mark.is_some() || !found.issued.state.is_active() => {
                redo_deactivation(ctx, &found, now).await
            }
            Some(_) | None => Ok(()),
        },
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}

/// The approved end moves; the key itself is not touched.
async fn lengthen(
    ctx: &Context,
    stored: &StoredRequest,
    key: &StoredKey,
    authorized: &Authorized<Issue>,
    end: Timestamp,
    now: Timestamp,
) -> Result<(), HandleError> {
    let issued = &key.issued;
    let lives =
        matches!(issued.state, KeyState::Confirmed | KeyState::Active) && key.deactivation_mark.is_none();
    if !lives {
        return deny_request(ctx, stored, text::not_on(issued), now).await;
    }
    let longer = issued.with_expiry(end, now);
    let next = stored.request.apply(RequestEvent::Complete, &authorized.principal().to_string(), now)?;
    let message = approval_card::text(&text::standing(&next));
    let mut told = vec![Notification::Direct { to: next.details.requester.clone(), message }];
    told.extend(next.card.is_some().then_some(Notification::Card));
    let others = vec![key.update(&longer)?, store::not_frozen()];
    match commit(ctx, stored, next, others, told).await {
        Ok(saved) => {
            drain_outbox(ctx, saved).await;
            Ok(())
        }
        Err(WriteError::Conflict(_)) if store::is_frozen(&ctx.tables).await? => {
            deny_request(ctx, stored, text::FROZEN_TOO.to_owned(), now).await
        }
        Err(WriteError::Conflict(_)) => Err(HandleError::RetryAfter(Duration::from_secs(1))),
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}

/// Whether a request is one to carry out now.
pub(crate) fn is_to_fulfil(request: &KeyRequest) -> bool {
    request.state == RequestState::Approved && request.details.kind.existing().is_some()
}
