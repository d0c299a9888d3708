//! Forms: opening them while their trigger lives, and saying in them how it went.

use crate::policy::IamUserRef;
use crate::render::approval_card;
use crate::render::modal::{self, FormChoices};
use crate::render::text;
use crate::slack::api::SlackError;
use crate::slack::command::{Prefill, TypedUser};
use crate::slack::command_name::CommandName;
use crate::slack::receive::{OpenView, SlackEnvelope};
use crate::time::Timestamp;
use crate::worker::authorize::account_named;
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::ops::button::{Opened, open};
use crate::worker::ops::ownership::{Known, known_users, refresh_directory};
use crate::worker::reply::answer_with;

/// Opens the form in which a key is asked for, filled in as far as is known.
pub(crate) async fn open_form(
    ctx: &Context,
    message: &SlackEnvelope,
    prefill: Prefill,
    now: Timestamp,
) -> Result<(), HandleError> {
    let known = known_users(ctx, &message.person.user).await;
    open_known(ctx, message, &known, &prefill, now).await
}

/// The same for a word that was typed instead of a command, if it is an IAM user of the person's.
pub(crate) async fn open_form_for(
    ctx: &Context,
    message: &SlackEnvelope,
    user: Option<TypedUser>,
    now: Timestamp,
) -> Result<(), HandleError> {
    let known = known_users(ctx, &message.person.user).await;
    let is_own = user.as_ref().is_none_or(|user| own_user(ctx, &known.own, user).is_some());
    let prefill = Prefill { user, ..Prefill::default() };
    if is_own {
        return open_known(ctx, message, &known, &prefill, now).await;
    }
    let word = prefill.user.as_ref().map(TypedUser::to_string).unwrap_or_default();
    let unknown = text::unknown_word(&word, CommandName::DEFAULT);
    answer_with(ctx, message, now, &approval_card::offer_form(unknown, &prefill)).await?;
    refresh_directory(ctx, &known, now).await;
    Ok(())
}

async fn open_known(
    ctx: &Context,
    message: &SlackEnvelope,
    known: &Known,
    prefill: &Prefill,
    now: Timestamp,
) -> Result<(), HandleError> {
    // A chosen user goes by its account's alias.
    let chosen = prefill.user.as_ref().and_then(|user| own_user(ctx, &known.own, user));
    let user = chosen.map(TypedUser::from).or_else(|| prefill.user.clone());
    let shown = Prefill { user, ..prefill.clone() };
    let form = modal::ask(&offer(ctx, known.own.clone(), shown), prefill.use_case);
    let opened = open(ctx, message, &form, now).await?;
    if let Opened::TooLate = opened {
        let late = approval_card::offer_form(text::FORM_LATE.to_owned(), prefill);
        answer_with(ctx, message, now, &late).await?;
    }
    refresh_directory(ctx, known, now).await;
    Ok(())
}

/// The one of the person's IAM users that a typed one is.
fn own_user<'a>(ctx: &Context, own: &'a [IamUserRef], typed: &TypedUser) -> Option<&'a IamUserRef> {
    let account = account_named(ctx, typed.account.as_ref()).ok()?;
    own.iter().find(|user| user.name == typed.user && user.account.id == account.id)
}

fn offer(ctx: &Context, own: Vec<IamUserRef>, prefill: Prefill) -> FormChoices {
    FormChoices { own, max_days: ctx.config.max_key_days, prefill }
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
    // What was filled in stays, for its blocks stay.
    let form = modal::ask(&offer(ctx, known.own, Prefill::default()), Some(use_case));
    let slack = slack_client(ctx).await?;
    match slack.update_view(&view.id, view.hash.as_ref(), &form).await {
        Ok(()) => Ok(()),
        Err(SlackError::Said(code)) if code == "hash_conflict" || code == "not_found" => Ok(()),
        Err(error) => Err(error.into()),
    }
}
