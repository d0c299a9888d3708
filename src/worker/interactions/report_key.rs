//! **This wasn't me**: the key is off within seconds. No lease, no policy, and nothing looked up outside the tables
//! unless who pressed is a stranger to them.

use futures_util::future::join;

use crate::aws::WriteError;
use crate::aws::item::{Table, Update};
use crate::aws::session_policy::{self, IamStep};
use crate::domain::audit::AuditEvent;
use crate::domain::key::{DeactivationReason, IssuedKey, StoredKey};
use crate::domain::request::RequestState;
use crate::id::AccessKeyId;
use crate::render::approval_card::action;
use crate::render::text;
use crate::slack::receive::{Interaction, SlackEnvelope, SlackEvent};
use crate::store::StoredRequest;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::dispatch::key_to_deactivate;
use crate::worker::interactions::review::{carried, reject_unknown_button};
use crate::worker::notify::answer;
use crate::worker::outbox::record_audit;
use crate::worker::timers::key::{finish_deactivation, read_key};

pub(crate) async fn report_key(
    ctx: &Context,
    message: &SlackEnvelope,
    value: &str,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Some((id, revision)) = carried(value) else {
        return Ok(answer(ctx, message, now, text::UNKNOWN_BUTTON).await?);
    };
    let Some(stored) = StoredRequest::read(&ctx.tables, &id).await? else {
        return Ok(answer(ctx, message, now, text::UNKNOWN_BUTTON).await?);
    };
    // The button is on the card and in the requester's own message.
    if !stored.request.is_known_revision(&revision) && revision != stored.request.requester_revision() {
        return Ok(reject_unknown_button(ctx, message, &stored, now).await?);
    }
    let RequestState::Issued { key, .. } = &stored.request.state else {
        return Ok(answer(ctx, message, now, &text::moved_on(&stored.request)).await?);
    };
    let Some(StoredKey { issued, .. }) = read_key(ctx, key).await? else {
        return Ok(answer(ctx, message, now, text::UNKNOWN_BUTTON).await?);
    };
    if !issued.can_deactivate(&message.person) && !is_in_a_group(ctx, message, &issued).await? {
        record_audit(ctx, &stored, AuditEvent::KeyReportRejected, message, now).await?;
        return Ok(answer(ctx, message, now, text::NOT_YOURS_TO_SWITCH_OFF).await?);
    }
    if issued.reported_by.as_ref() == Some(&message.id) {
        // Delivered again: it was carried out, and what was decided about the key since then stands.
        return Ok(answer(ctx, message, now, &text::reported_before(&issued)).await?);
    }
    let by = message.person.to_string();
    mark(ctx, &issued, StoredKey::mark_reported(&by, &message.id, now)).await?;
    deactivate_in_iam(ctx, &issued, (message.id.as_str(), &by)).await?;
    finish_deactivation(ctx, key, DeactivationReason::Reported, now).await?;
    Ok(answer(ctx, message, now, &text::key_deactivated(key)).await?)
}

/// The key that a message wanted off, where that is written down and IAM does not have it off yet.
pub(crate) async fn marked_off(ctx: &Context, message: &SlackEnvelope) -> Option<AccessKeyId> {
    let key = match (&message.what, key_to_deactivate(&message.what)) {
        (_, Some((key, _))) => key,
        (SlackEvent::Interaction(Interaction::BlockActions { action_id, value, .. }), None)
            if action_id == action::REPORT_KEY =>
        {
            let (id, revision) = carried(value)?;
            let request = StoredRequest::read(&ctx.tables, &id).await.ok()??.request;
            // Which key it is about is nothing to whoever knows the request's id alone.
            let shown = request.is_known_revision(&revision) || revision == request.requester_revision();
            request.issued().filter(|_| shown)?.0.clone()
        }
        (
            SlackEvent::Command(_)
            | SlackEvent::Interaction(_)
            | SlackEvent::UserDeactivated
            | SlackEvent::JoinedChannel { .. }
            | SlackEvent::JoinedGroup { .. },
            None,
        ) => return None,
    };
    let stored = read_key(ctx, &key).await.ok()??;
    stored.is_deactivation_pending().then_some(key)
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

/// Marks the key, then has IAM switch it off, before anything else. `operation` and `actor` name the session.
pub(crate) async fn take_off(
    ctx: &Context,
    issued: &IssuedKey,
    (operation, actor): (&str, &str),
    why: DeactivationReason,
    now: Timestamp,
) -> anyhow::Result<()> {
    mark(ctx, issued, StoredKey::mark_off(actor, why, now)).await?;
    deactivate_in_iam(ctx, issued, (operation, actor)).await
}

async fn mark(ctx: &Context, issued: &IssuedKey, marked: Update) -> anyhow::Result<()> {
    match ctx.tables.update(Table::Requests, &StoredKey::item_key(&issued.key), &marked).await {
        // Marked before: what follows may still be lacking.
        Ok(_) | Err(WriteError::Conflict(_)) => Ok(()),
        Err(WriteError::Other(error)) => Err(error),
    }
}

async fn deactivate_in_iam(
    ctx: &Context,
    issued: &IssuedKey,
    (operation, actor): (&str, &str),
) -> anyhow::Result<()> {
    let policy =
        session_policy::write_policy(IamStep::Deactivate, &issued.account, &issued.path, &issued.user)?;
    let iam = ctx.sts.session(&issued.account, operation, actor, policy).await?;
    iam.deactivate_access_key(&issued.user, &issued.key).await
}
