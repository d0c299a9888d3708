//! `delete`: an inactive key, as policy says. What is typed is confirmed by a button first.

use futures_util::FutureExt as _;

use crate::domain::audit::AuditEvent;
use crate::domain::key::{DeactivationReason, KeyState};
use crate::id::AccessKeyId;
use crate::policy::{Delete, KeyFacts};
use crate::render::approval_card::{self, KeyAction};
use crate::render::text;
use crate::slack::receive::SlackEnvelope;
use crate::store::keys::StoredKey;
use crate::time::Timestamp;
use crate::worker::authorize::{authorize_key_action, is_in_a_group};
use crate::worker::context::{Context, HandleError};
use crate::worker::ops::confirm_deletion::{ask_to_confirm, is_typed};
use crate::worker::ops::delete_key::{delete_key, remove_description_of};
use crate::worker::ops::find_key::{KeyFound, find};
use crate::worker::ops::key_in_iam::follow_user;
use crate::worker::ops::key_record::note_on_key;
use crate::worker::ops::unmanaged_key::{delete_unmanaged, deny_nowhere};
use crate::worker::reply::{answer, answer_with};

/// Deletes a key that is off.
pub(crate) async fn delete(
    ctx: &Context,
    message: &SlackEnvelope,
    key: &AccessKeyId,
    now: Timestamp,
) -> Result<(), HandleError> {
    let stored = match find(ctx, key, now).await? {
        // Its user may have another name by now, and policy is asked about that one.
        KeyFound::Issued(stored) if matches!(stored.issued.state, KeyState::Inactive { .. }) => {
            match follow_user(ctx, &stored, now).await? {
                Some(stored) => stored,
                None => return Ok(answer(ctx, message, now, &text::no_such_key(key)).await?),
            }
        }
        KeyFound::Issued(stored) => *stored,
        KeyFound::Suspect => {
            return Ok(answer(ctx, message, now, &text::being_asked_about(key)).await?);
        }
        KeyFound::Foreign(account, user) => {
            return delete_unmanaged(ctx, message, key, (&account, &user), now).boxed().await;
        }
        KeyFound::Nowhere => return deny_nowhere(ctx, message, key, now).boxed().await,
    };
    let issued = &stored.issued;
    if let KeyState::Deleted { why, .. } = &issued.state {
        return Ok(answer(ctx, message, now, &text::key_deleted(issued, *why)).await?);
    }
    if let Err(no) = may_delete(ctx, message, &stored, now).await? {
        note_on_key(ctx, message, &stored, AuditEvent::KeyDeleteDenied, now).await?;
        return Ok(answer(ctx, message, now, &no).await?);
    }
    let by = message.person.to_string();
    match &issued.state {
        KeyState::Inactive { .. } if is_typed(message) => {
            let at = (&issued.account, &issued.user);
            return Ok(ask_to_confirm(ctx, message, key, at, now).await?);
        }
        KeyState::Inactive { .. } => {
            delete_key(ctx, &stored, (DeactivationReason::UserRequested, &by), now).boxed().await?
        }
        // Begun before, by this very message or another.
        KeyState::Deleting { why, by } => delete_key(ctx, &stored, (*why, by), now).boxed().await?,
        KeyState::Activating { .. } => {
            return Ok(answer(ctx, message, now, &text::being_worked_on(key)).await?);
        }
        KeyState::Delivered
        | KeyState::Confirmed
        | KeyState::Unconfirmed { .. }
        | KeyState::Active
        | KeyState::Deleted { .. }
        | KeyState::Suspect { .. }
        | KeyState::NotOurs { .. } => {
            let no = approval_card::about_key(
                &text::active_is_not_deleted(key),
                (key, &issued.user),
                &[KeyAction::Deactivate],
            );
            return Ok(answer_with(ctx, message, now, &no).await?);
        }
    }
    let Some(StoredKey { issued, .. }) = StoredKey::read(&ctx.tables, key).await? else { return Ok(()) };
    answer(ctx, message, now, &text::key_deleted(&issued, DeactivationReason::UserRequested)).await?;
    remove_description_of(ctx, &issued, &by, now).await;
    Ok(())
}

/// Policy decides; while it is not valid, who may is what is stored with the key, and who approves.
async fn may_delete(
    ctx: &Context,
    message: &SlackEnvelope,
    stored: &StoredKey,
    now: Timestamp,
) -> anyhow::Result<Result<(), String>> {
    let issued = &stored.issued;
    if ctx.policies.is_err() {
        let may = issued.can_deactivate(&message.person) || is_in_a_group(ctx, message, issued).await?;
        return Ok(if may { Ok(()) } else { Err(text::POLICIES_INVALID.to_owned()) });
    }
    let act = Delete(KeyFacts::from(issued));
    Ok(authorize_key_action(ctx, &message.person, (&issued.account, &issued.user), act, now).await?.map(drop))
}
