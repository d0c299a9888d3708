//! A key's timer ran out: it is deactivated, asked about or deleted as its state and the time call for, and nothing
//! else. Every change is one transaction of the key's item and the request that it came of, whose audit chain it is in.

use futures_util::FutureExt as _;

use crate::domain::key::DueAction;
use crate::id::AccessKeyId;
use crate::store::keys::StoredKey;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError};
use crate::worker::ops::ambiguous_create::remind_about_suspect;
use crate::worker::ops::complete_request::resume_activation;
use crate::worker::ops::deactivate_key::{deactivate_key, reassert_inactive};
use crate::worker::ops::delete_key::delete_in_time;
use crate::worker::ops::key_confirmation::{check_confirmation, check_last_use};
use crate::worker::ops::key_expiry::{check_old_key_idle, expire_or_postpone, remind};
use crate::worker::ops::key_in_iam::{NotShown, await_iam};

/// Does with a key what time and state call for. What IAM does not show is tried again by its timer, and fails nothing.
pub(crate) async fn run_key_timer(
    ctx: &Context,
    key: &AccessKeyId,
    now: Timestamp,
) -> Result<(), HandleError> {
    match do_what_is_due(ctx, key, now).boxed().await {
        Err(HandleError::Failed(error)) => match error.downcast_ref::<NotShown>() {
            Some(not_shown) => await_iam(ctx, not_shown, now).boxed().await,
            None => Err(HandleError::Failed(error)),
        },
        done => done,
    }
}

async fn do_what_is_due(ctx: &Context, key: &AccessKeyId, now: Timestamp) -> Result<(), HandleError> {
    let Some(stored) = StoredKey::read(&ctx.tables, key).await? else { return Ok(()) };
    // Boxed, each: else the one future has room for all of them at once.
    match stored.due_action(now) {
        DueAction::Nothing => Ok(()),
        DueAction::CheckConfirmation => check_confirmation(ctx, &stored, now).boxed().await,
        DueAction::CheckLastUse => check_last_use(ctx, &stored, now).boxed().await,
        DueAction::SendReminder => remind(ctx, &stored, now).boxed().await,
        DueAction::Expire => expire_or_postpone(ctx, &stored, now).boxed().await,
        DueAction::CheckOldKeyIdle => check_old_key_idle(ctx, &stored, now).boxed().await,
        DueAction::Deactivate(why) => deactivate_key(ctx, &stored, why, now).boxed().await,
        DueAction::Delete(why) => delete_in_time(ctx, &stored, why, now).boxed().await,
        DueAction::ReassertInactive => {
            reassert_inactive(ctx, &stored, now).boxed().await?;
            // Its own time may have come meanwhile, too.
            Box::pin(do_what_is_due(ctx, key, now)).await
        }
        DueAction::Activate => resume_activation(ctx, &stored, now).await,
        DueAction::RemindAboutSuspect => remind_about_suspect(ctx, &stored, now).boxed().await,
    }
}
