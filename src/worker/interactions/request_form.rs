//! Forms: opening them while their trigger lives, and saying in them how it went.

use crate::render::approval_card;
use crate::render::text;
use crate::slack::api::SlackError;
use crate::slack::command::{Prefill, TypedUser};
use crate::slack::command_name::CommandName;
use crate::slack::receive::{OpenView, SlackEnvelope};
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::ops::button::{Opened, open};
use crate::worker::ops::ownership::{Known, known_users, refresh_directory};
use crate::worker::ops::request_form::{FormContents, own_user, request_form};
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
    let contents = FormContents { prefill: prefill.clone(), ..FormContents::default() };
    let form = request_form(ctx, known, contents);
    let opened = open(ctx, message, &form, now).await?;
    if let Opened::TooLate = opened {
        let late = approval_card::offer_form(text::FORM_LATE.to_owned(), prefill);
        answer_with(ctx, message, now, &late).await?;
    }
    refresh_directory(ctx, known, now).await;
    Ok(())
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
    let prefill = Prefill { use_case: Some(use_case), ..Prefill::default() };
    let edits = Some(view.carried.clone()).filter(|carried| !carried.is_empty());
    let form = request_form(ctx, &known, FormContents { prefill, edits, refusal: None });
    let slack = slack_client(ctx).await?;
    match slack.update_view(&view.id, view.hash.as_ref(), &form).await {
        Ok(()) => Ok(()),
        Err(SlackError::Said(code)) if code == "hash_conflict" || code == "not_found" => Ok(()),
        Err(error) => Err(error.into()),
    }
}
