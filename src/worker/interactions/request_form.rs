//! Forms: opening them while their trigger lives, and saying in them how it went.

use crate::policy::IamUserRef;
use crate::render::approval_card;
use crate::render::modal::{self, FormChoices};
use crate::slack::api::SlackError;
use crate::slack::receive::{OpenView, SlackEnvelope};
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::ops::button::{Opened, open};
use crate::worker::ops::ownership::{known_users, refresh_directory};
use crate::worker::reply::answer_with;

/// Opens the form in which a key is asked for.
pub(crate) async fn open_form(
    ctx: &Context,
    message: &SlackEnvelope,
    now: Timestamp,
) -> Result<(), HandleError> {
    let known = known_users(ctx, &message.person.user).await;
    let opened = open(ctx, message, &modal::ask(&offer(ctx, known.own.clone()), None), now).await?;
    if let Opened::TooLate = opened {
        answer_with(ctx, message, now, &approval_card::form_late()).await?;
    }
    refresh_directory(ctx, &known, now).await;
    Ok(())
}

fn offer(ctx: &Context, own: Vec<IamUserRef>) -> FormChoices {
    FormChoices { own, max_days: ctx.config.max_key_days }
}

/// Shows in the open form what AWS recommends for the chosen use case. Another choice may have come meanwhile, or
/// the form be submitted or closed: then this one no longer matters.
pub(crate) async fn show_alternative(
    ctx: &Context,
    message: &SlackEnvelope,
    view: &OpenView,
    chosen: &str,
) -> Result<(), HandleError> {
    let Ok(use_case) = chosen.parse() else { return Ok(()) };
    let known = known_users(ctx, &message.person.user).await;
    let form = modal::ask(&offer(ctx, known.own), Some(use_case));
    let slack = slack_client(ctx).await?;
    match slack.update_view(&view.id, view.hash.as_ref(), &form).await {
        Ok(()) => Ok(()),
        Err(SlackError::Said(code)) if code == "hash_conflict" || code == "not_found" => Ok(()),
        Err(error) => Err(error.into()),
    }
}
