//! **Deny**: opens the form in which an approver says why.

use crate::render::{modal, text};
use crate::slack::receive::SlackEnvelope;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError};
use crate::worker::ops::button::{Opened, PressOrigin, on_card, open};
use crate::worker::ops::card::redraw;
use crate::worker::ops::expire_request::expire_request;
use crate::worker::reply::answer;

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
