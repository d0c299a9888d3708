//! **Approve with comment**, **Deny** and **Ask**: open the form in which an approver writes a comment, the reason or a question.

use crate::domain::request::RequestState;
use crate::render::{modal, text};
use crate::slack::action_id::Callback;
use crate::slack::receive::SlackEnvelope;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError};
use crate::worker::ops::button::{PressOrigin, on_card, open_or_say};
use crate::worker::ops::card::redraw;
use crate::worker::ops::expire_request::expire_request;
use crate::worker::reply::answer;

/// Opens the form of an approval, of a denial or of a question.
pub(crate) async fn open_review_form(
    ctx: &Context,
    message: &SlackEnvelope,
    (value, place): (&str, PressOrigin<'_>),
    form: Callback,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Some(mut stored) = on_card(ctx, message, value, place, now).await? else { return Ok(()) };
    if stored.request.is_expired(now) {
        expire_request(ctx, &stored, now).await?;
        stored = StoredRequest::read(&ctx.tables, &stored.request.id).await?.unwrap_or(stored);
    }
    let request = &stored.request;
    let (is_open, form) = match form {
        Callback::Approve => (request.state == RequestState::Pending, modal::approve(request, value)),
        Callback::Deny => (request.is_actionable(), modal::deny(request, value)),
        Callback::Question => (request.state == RequestState::Pending, modal::question(request, value)),
        Callback::Request | Callback::Edit | Callback::Answer => return Ok(()),
    };
    if !is_open {
        redraw(ctx, &stored, now).await;
        return Ok(answer(ctx, message, now, &text::moved_on(&stored.request)).await?);
    }
    open_or_say(ctx, message, &form, now).await
}
