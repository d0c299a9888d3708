//! Deactivates a key: the mark first, then IAM, then its record and whoever must know. Whoever meets a mark that IAM
//! does not show yet goes on with it.

use std::time::Duration;

use futures_util::FutureExt as _;

use crate::aws::WriteError;
use crate::aws::item::{Table, Update};
use crate::aws::session_policy::IamStep;
use crate::domain::audit::AuditEvent;
use crate::domain::key::{DeactivationReason, IssuedKey, KeyState};
use crate::domain::request::Notification;
use crate::id::AccessKeyId;
use crate::render::{approval_card, text};
use crate::store::keys::StoredKey;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, MAX_CONFLICT_RETRIES};
use crate::worker::ops::card::alarm;
use crate::worker::ops::key_in_iam::{KeyOutcome, end_gone, step_on_key};
use crate::worker::ops::key_record::{ACTOR_EXPIRY, key_event, update_key};

/// Marks the key, then has IAM switch it off, before anything else. `operation` and `actor` name the session.
pub(crate) async fn mark_and_deactivate(
    ctx: &Context,
    issued: &IssuedKey,
    (operation, actor): (&str, &str),
    why: DeactivationReason,
    now: Timestamp,
) -> anyhow::Result<KeyOutcome> {
    mark(ctx, issued, StoredKey::mark_off(&issued.key, actor, why, now)).await?;
    deactivate_in_iam(ctx, issued, (operation, actor), now).await
}

pub(crate) async fn mark(ctx: &Context, issued: &IssuedKey, marked: Update) -> anyhow::Result<()> {
    match ctx.tables.update(Table::Requests, &StoredKey::item_key(&issued.key), &marked).await {
        // Marked before: what follows may still be lacking.
        Ok(_) | Err(WriteError::Conflict(_)) => Ok(()),
        Err(WriteError::Other(error)) => Err(error),
    }
}

pub(crate) async fn deactivate_in_iam(
    ctx: &Context,
    issued: &IssuedKey,
    session: (&str, &str),
    now: Timestamp,
) -> anyhow::Result<KeyOutcome> {
    step_on_key(ctx, IamStep::Deactivate, issued.into(), session, now).boxed().await
}

/// What IAM shows is written down: that it is off, or that it is gone.
pub(crate) async fn finish_as_shown(
    ctx: &Context,
    (key, outcome): (&AccessKeyId, KeyOutcome),
    why: DeactivationReason,
    now: Timestamp,
) -> Result<(), HandleError> {
    if outcome == KeyOutcome::Gone {
        end_gone(ctx, key, now).await?;
    }
    // Of a key that is gone, too, its record says that it was reported.
    finish_deactivation(ctx, key, why, now).await
}

/// Has IAM switch it off, then says so in its item, the trail and to its requester.
pub(crate) async fn deactivate_key(
    ctx: &Context,
    stored: &StoredKey,
    why: DeactivationReason,
    now: Timestamp,
) -> Result<(), HandleError> {
    let issued = &stored.issued;
    // What somebody began is finished in their name.
    let by = stored.deactivation_mark.as_ref().map_or(ACTOR_EXPIRY, |off| off.by.as_str());
    let outcome = mark_and_deactivate(ctx, issued, (issued.request.as_str(), by), why, now).await?;
    finish_as_shown(ctx, (&issued.key, outcome), why, now).await
}

/// IAM switched it off: its item and the trail say so, and its requester is told; of a report the approvers, too.
pub(crate) async fn finish_deactivation(
    ctx: &Context,
    key: &AccessKeyId,
    why: DeactivationReason,
    now: Timestamp,
) -> Result<(), HandleError> {
    for _ in 0..MAX_CONFLICT_RETRIES {
        // The mark that was just made is a change of its own.
        let Some(stored) = StoredKey::read(&ctx.tables, key).await? else { return Ok(()) };
        match settle_deactivation(ctx, &stored, why, now).boxed().await {
            // It changed meanwhile.
            Err(HandleError::RetryAfter(_)) => {}
            done => return done,
        }
    }
    Err(HandleError::RetryAfter(Duration::from_secs(1)))
}

async fn settle_deactivation(
    ctx: &Context,
    stored: &StoredKey,
    why: DeactivationReason,
    now: Timestamp,
) -> Result<(), HandleError> {
    let issued = &stored.issued;
    let why = stored.deactivation_mark.as_ref().map_or(why, |off| off.why);
    let press = stored.deactivation_mark.as_ref().and_then(|off| off.press.as_ref());
    let next = match why {
        DeactivationReason::Reported if issued.is_reported() => return Ok(()),
        DeactivationReason::Reported => issued.reported(press, now),
        DeactivationReason::Unconfirmed
        | DeactivationReason::Expired
        | DeactivationReason::UserRequested
        | DeactivationReason::Rotated
        | DeactivationReason::OwnerDeactivated
        | DeactivationReason::DeletedInAws => {
            if !issued.state.is_active() {
                return Ok(());
            }
            issued.key_deactivated(why, now)
        }
    };
    let happened = key_event(AuditEvent::KeyDeactivated, stored, [("why", why.as_str().to_owned())]);
    let to = next.requester.clone();
    let told = match (press, &stored.deactivation_mark) {
        (Some(_), Some(off)) => {
            let sentence = text::reported(&next, &off.by);
            let message = approval_card::text(&sentence);
            let approvers = alarm(ctx, &sentence);
            vec![
                approvers,
                Notification::DirectMessage { to, message: message.into() },
                Notification::UpdateCard,
            ]
        }
        (_, mark) => {
            // Who deactivated their own key is answered, and reads the rest beside **Undo**.
            let is_own = mark.as_ref().is_some_and(|mark| mark.by == to.to_string());
            let off = Notification::DirectMessage { to, message: approval_card::off(&next, why).into() };
            let is_told = is_own && issued.offers_undo(why);
            [Notification::UpdateCard].into_iter().chain((!is_told).then_some(off)).collect()
        }
    };
    let others = stored.release_if_activating().into_iter().collect();
    update_key(ctx, stored, &next, happened, others, told, now).await
}

/// Somebody may have been switching the key on while it was deactivated: IAM is told once more.
pub(crate) async fn reassert_inactive(
    ctx: &Context,
    stored: &StoredKey,
    now: Timestamp,
) -> Result<(), HandleError> {
    let issued = &stored.issued;
    if !issued.state.is_active() {
        let session = (issued.request.as_str(), ACTOR_EXPIRY);
        let outcome = deactivate_in_iam(ctx, issued, session, now).await?;
        // What is deleted, or is being so, is gone by that.
        let is_kept = matches!(issued.state, KeyState::Inactive { .. } | KeyState::Suspect { .. });
        if outcome == KeyOutcome::Gone && is_kept {
            return end_gone(ctx, &issued.key, now).await;
        }
    }
    let sure = IssuedKey { reassert_at: None, unproven: None, ..issued.clone() };
    match ctx.tables.write(vec![stored.update(&sure)?]).await {
        Ok(()) => Ok(()),
        // It changed: what is due then is found again.
        Err(WriteError::Conflict(_)) => restore_undone(ctx, &issued.key, now).await,
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}

/// Whoever took the deactivation back meanwhile may have been told before that it is off: IAM hears last what its item says.
async fn restore_undone(ctx: &Context, key: &AccessKeyId, now: Timestamp) -> Result<(), HandleError> {
    let is_on = |stored: &StoredKey| stored.deactivation_mark.is_none() && stored.issued.state.is_active();
    let Some(found) = StoredKey::read(&ctx.tables, key).await?.filter(is_on) else { return Ok(()) };
    let session = (found.issued.request.as_str(), ACTOR_EXPIRY);
    step_on_key(ctx, IamStep::Activate, (&found.issued).into(), session, now).boxed().await?;
    match StoredKey::read(&ctx.tables, key).await? {
        Some(found) if !is_on(&found) => {
            deactivate_in_iam(ctx, &found.issued, session, now).await?;
            Ok(())
        }
        Some(_) | None => Ok(()),
    }
}

/// It was activated although it is to be off: IAM hears last that it is off.
pub(crate) async fn redo_deactivation(
    ctx: &Context,
    stored: &StoredKey,
    now: Timestamp,
) -> Result<(), HandleError> {
    let why = match (&stored.deactivation_mark, &stored.issued.state) {
        (Some(off), _) => off.why,
        (None, KeyState::Inactive { why, .. } | KeyState::Activating { why, .. }) => *why,
        (None, _) => DeactivationReason::UserRequested,
    };
    if stored.issued.state.is_active() {
        return deactivate_key(ctx, stored, why, now).await;
    }
    let issued = &stored.issued;
    match mark_and_deactivate(ctx, issued, (issued.request.as_str(), ACTOR_EXPIRY), why, now).await? {
        KeyOutcome::Done => Ok(()),
        KeyOutcome::Gone => end_gone(ctx, &issued.key, now).await,
    }
}
