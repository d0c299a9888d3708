//! `deactivate`: at once for the people whom the key's record names, else as policy says.

use futures_util::FutureExt as _;

use crate::domain::audit::AuditEvent;
use crate::domain::key::{DeactivationReason, KeyState};
use crate::id::AccessKeyId;
use crate::policy::{Deactivate, KeyFacts};
use crate::render::text;
use crate::slack::receive::SlackEnvelope;
use crate::store::keys::StoredKey;
use crate::time::Timestamp;
use crate::worker::authorize::{authorize_key_action, barred, is_in_a_group, refuse_barred};
use crate::worker::context::{Context, HandleError};
use crate::worker::ops::deactivate_key::{finish_as_shown, mark_and_deactivate};
use crate::worker::ops::find_key::{KeyFound, find_as};
use crate::worker::ops::key_in_iam::KeyOutcome;
use crate::worker::ops::key_record::note_on_key;
use crate::worker::ops::undo_deactivation::{offer_undo, undo_of};
use crate::worker::ops::unmanaged_key::{deactivate_unmanaged, deny_nowhere};
use crate::worker::reply::answer;

/// Deactivates a key: at once for the people whom its record names, for anybody else if policy allows it.
pub(crate) async fn deactivate(
    ctx: &Context,
    message: &SlackEnvelope,
    key: &AccessKeyId,
    why: DeactivationReason,
    now: Timestamp,
) -> Result<(), HandleError> {
    let stored = StoredKey::read(&ctx.tables, key).await?;
    let at_once = stored
        .as_ref()
        .is_some_and(|stored| stored.is_managed() && stored.issued.can_deactivate(&message.person));
    if !at_once && let Some(barred) = barred(ctx, &message.person).await? {
        return refuse_barred(ctx, message, barred, now).await;
    }
    let stored = match find_as(ctx, stored, key, now).await? {
        KeyFound::Issued(stored) => *stored,
        KeyFound::Suspect => {
            return Ok(answer(ctx, message, now, &text::being_asked_about(key)).await?);
        }
        KeyFound::Foreign(account, user) => {
            return deactivate_unmanaged(ctx, message, key, (&account, &user), now).boxed().await;
        }
        KeyFound::Nowhere => return deny_nowhere(ctx, message, key, now).boxed().await,
    };
    let issued = &stored.issued;
    match &issued.state {
        KeyState::Deleted { .. } => return Ok(answer(ctx, message, now, text::KEY_GONE).await?),
        KeyState::Inactive { .. } | KeyState::Deleting { .. } => {
            // Delivered again, it may still have to be offered.
            let until = offer_undo(ctx, message, key, None, now).await;
            let off =
                until.map_or_else(|| text::off_already(key), |until| text::deactivated_undoable(key, until));
            return Ok(answer(ctx, message, now, &off).await?);
        }
        KeyState::Delivered
        | KeyState::Confirmed
        | KeyState::Unconfirmed { .. }
        | KeyState::Activating { .. }
        | KeyState::Active
        | KeyState::Suspect { .. }
        | KeyState::NotOurs { .. } => {}
    }
    if !issued.can_deactivate(&message.person)
        && let Err(no) = may_deactivate(ctx, message, &stored, now).await?
    {
        note_on_key(ctx, message, &stored, AuditEvent::KeyDeactivateDenied, now).await?;
        return Ok(answer(ctx, message, now, &no).await?);
    }
    let by = message.person.to_string();
    let outcome = mark_and_deactivate(ctx, issued, (message.id.as_str(), &by), why, now).await?;
    finish_as_shown(ctx, (key, outcome), why, now).await?;
    let Some(off) = StoredKey::read(&ctx.tables, key).await? else { return Ok(()) };
    if outcome == KeyOutcome::Gone {
        return Ok(answer(ctx, message, now, text::KEY_GONE).await?);
    }
    let undo = undo_of(message, &issued.state, &off);
    let until = offer_undo(ctx, message, key, undo, now).await;
    let sentence =
        until.map_or_else(|| text::deactivated(&off.issued), |until| text::deactivated_undoable(key, until));
    Ok(answer(ctx, message, now, &sentence).await?)
}

/// Somebody who is not stored with the key: policy decides, and without one only who approves or owns it in a group.
async fn may_deactivate(
    ctx: &Context,
    message: &SlackEnvelope,
    stored: &StoredKey,
    now: Timestamp,
) -> anyhow::Result<Result<(), String>> {
    let issued = &stored.issued;
    if ctx.policies.is_err() {
        let may = is_in_a_group(ctx, message, issued).await?;
        return Ok(if may { Ok(()) } else { Err(text::NOT_YOURS_TO_DEACTIVATE.to_owned()) });
    }
    let act = Deactivate(KeyFacts::from(issued));
    Ok(authorize_key_action(ctx, &message.person, (&issued.account, &issued.user), act, now).await?.map(drop))
}
