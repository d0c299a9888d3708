//! **Edit**: the request form with what a pending request asks for. What is submitted is a request of its own, judged as any
//! other; in the write that makes it, the old one ends, and approvals of that are left behind.

use crate::render::{approval_card, text};
use crate::slack::command::{Create, Prefill};
use crate::slack::receive::SlackEnvelope;
use crate::time::Timestamp;
use crate::worker::commands::create::{Submission, create};
use crate::worker::context::{Context, HandleError};
use crate::worker::ops::button::{of_requester, open_or_say};
use crate::worker::ops::ownership::known_users;
use crate::worker::ops::request_form::{FormContents, request_form};
use crate::worker::reply::{answer, reply};

/// Opens the form.
pub(crate) async fn open_edit_form(
    ctx: &Context,
    message: &SlackEnvelope,
    value: &str,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Some(stored) = of_requester(ctx, message, value, now).await? else { return Ok(()) };
    let request = &stored.request;
    if !request.is_editable(now) {
        return Ok(answer(ctx, message, now, &text::not_editable(request)).await?);
    }
    let contents = FormContents {
        prefill: Prefill::from(&request.details),
        refusal: None,
        edits: Some(approval_card::requesters_value(request)),
    };
    let known = known_users(ctx, &message.person.user).await;
    open_or_say(ctx, message, &request_form(ctx, &known, contents), now).await
}

/// Submits the changed request in place of the pending one.
pub(crate) async fn edit_request(
    ctx: &Context,
    message: &SlackEnvelope,
    changed: &Create,
    value: &str,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Some(stored) = of_requester(ctx, message, value, now).await? else { return Ok(()) };
    let request = &stored.request;
    // Delivered again after it was done: the answer is still to be given.
    let is_done = request.replaced_by.as_ref() == Some(&message.id);
    if !is_done && !request.is_editable(now) {
        return Ok(reply(ctx, message, now, &text::not_editable(request)).await?);
    }
    create(ctx, message, Submission { create: changed, replaces: Some(&stored) }, now).await
}
