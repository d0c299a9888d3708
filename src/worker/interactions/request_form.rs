//! Forms: opening them while their trigger lives, and saying in them how it went.

use serde_json::Value;

use crate::id::ViewId;
use crate::policy::IamUserRef;
use crate::render::approval_card;
use crate::render::modal::{self, FormChoices};
use crate::render::text;
use crate::slack::api::SlackError;
use crate::slack::receive::{OpenView, SlackEnvelope};
use crate::store::StoredRequest;
use crate::time::Timestamp;
use crate::worker::commands::cancel::expire_request;
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::interactions::review::{PressOrigin, carried, reject_unknown_button};
use crate::worker::jobs::refresh_ownership::{known_users, refresh_directory};
use crate::worker::notify::{answer, answer_with, redraw, try_to_answer};

/// How long a trigger lives (<https://docs.slack.dev/interactivity/handling-user-interaction#modal_responses>).
const TRIGGER: i64 = 3;

/// What came of opening a modal.
pub(crate) enum Opened {
    Now(ViewId),
    /// By an earlier delivery of the same message.
    Before,
    TooLate,
}

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

/// Opens the form in which an approver says why they deny.
pub(crate) async fn open_denial(
    ctx: &Context,
    message: &SlackEnvelope,
    value: &str,
    place: PressOrigin<'_>,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Some(mut stored) = on_card(ctx, message, value, place, now).await? else { return Ok(()) };
    if stored.request.is_expired(now) {
        expire_request(ctx, &stored, now).await?;
        stored = StoredRequest::read(&ctx.tables, &stored.request.id).await?.unwrap_or(stored);
    }
    if !stored.request.is_actionable() {
        redraw(ctx, &stored, now).await;
        return Ok(answer(ctx, message, now, &text::moved_on(&stored.request)).await?);
    }
    match open(ctx, message, &modal::deny(&stored.request, value), now).await? {
        Opened::Now(_) | Opened::Before => Ok(()),
        Opened::TooLate => Ok(answer(ctx, message, now, text::PRESS_AGAIN).await?),
    }
}

/// The request whose card the button is on; else that is said.
pub(crate) async fn on_card(
    ctx: &Context,
    message: &SlackEnvelope,
    value: &str,
    place: PressOrigin<'_>,
    now: Timestamp,
) -> anyhow::Result<Option<StoredRequest>> {
    if let Some((id, revision)) = carried(value)
        && let Some(stored) = StoredRequest::read(&ctx.tables, &id).await?
    {
        if !stored.request.is_known_revision(&revision) {
            reject_unknown_button(ctx, message, &stored, now).await?;
            return Ok(None);
        }
        if place.is_of(&stored.request) {
            return Ok(Some(stored));
        }
    }
    answer(ctx, message, now, text::UNKNOWN_BUTTON).await?;
    Ok(None)
}

/// Opens a modal for whoever did something just now.
pub(crate) async fn open(
    ctx: &Context,
    message: &SlackEnvelope,
    view: &Value,
    now: Timestamp,
) -> anyhow::Result<Opened> {
    let trigger = message.trigger_id.as_ref().filter(|_| now.since(message.signed_at) <= TRIGGER);
    let Some(trigger) = trigger else { return Ok(Opened::TooLate) };
    match slack_client(ctx).await?.open_view(trigger, view).await {
        Ok(id) => Ok(Opened::Now(id)),
        Err(SlackError::Said(code)) if code == "exchanged_trigger_id" => Ok(Opened::Before),
        Err(SlackError::Said(code)) if code.ends_with("_trigger_id") => Ok(Opened::TooLate),
        Err(error) => Err(error.into()),
    }
}

/// Answers whoever did something where they did it: in the form that they submitted, or as ever.
pub(crate) async fn reply(
    ctx: &Context,
    to: &SlackEnvelope,
    now: Timestamp,
    sentence: &str,
) -> anyhow::Result<()> {
    if show_outcome(ctx, to, sentence).await { Ok(()) } else { answer(ctx, to, now, sentence).await }
}

/// The last word on something; failing itself is only logged.
pub(crate) async fn try_to_reply(ctx: &Context, to: &SlackEnvelope, now: Timestamp, sentence: &str) {
    if !show_outcome(ctx, to, sentence).await {
        try_to_answer(ctx, to, now, sentence).await;
    }
}

/// Shows in a submitted form how it went; `false` where there is no such form, or no more.
pub(crate) async fn show_outcome(ctx: &Context, to: &SlackEnvelope, sentence: &str) -> bool {
    let Some(view) = to.submitted_view() else { return false };
    let shown = async {
        let slack = slack_client(ctx).await?;
        anyhow::Ok(slack.update_view(view, None, &modal::told(sentence)).await?)
    };
    match shown.await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "updating modal failed");
            false
        }
    }
}
