//! A request's timer ran out: what was left in its outbox, its expiry, its reminder, or work that was interrupted.

use futures_util::FutureExt as _;

use crate::aws::WriteError;
use crate::domain::request::{Notification, RequestEvent, RequestState};
use crate::render::{approval_card, text};
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, Invocation};
use crate::worker::limits::may_mention;
use crate::worker::ops::ambiguous_create::recheck_ambiguous_create;
use crate::worker::ops::complete_request::complete_request;
use crate::worker::ops::expire_request::expire_request;
use crate::worker::ops::issue_key::resume_intent;
use crate::worker::outbox::{commit, drain_outbox, is_to_fulfil};

/// Whether all of a request's audit entries and notifications could be handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outboxes {
    Drained,
    Left,
}

/// Leftovers first; then whatever the state and the time call for.
pub(crate) async fn run_request_timer(
    ctx: &Context,
    stored: StoredRequest,
    invocation: Invocation,
) -> Result<Outboxes, HandleError> {
    if let RequestState::Issuing(intent) = &stored.request.state {
        let intent = intent.clone();
        resume_intent(ctx, stored, intent, invocation).await?;
        return Ok(Outboxes::Drained);
    }
    let stored = drain_outbox(ctx, stored).await;
    let outboxes = if stored.request.has_leftovers() { Outboxes::Left } else { Outboxes::Drained };
    advance(ctx, stored, invocation.now).await?;
    Ok(outboxes)
}

async fn advance(ctx: &Context, stored: StoredRequest, now: Timestamp) -> Result<(), HandleError> {
    if stored.request.is_expired(now) {
        return Ok(expire_request(ctx, &stored, now).await?);
    }
    if is_to_fulfil(&stored.request) {
        return complete_request(ctx, stored, now).boxed().await;
    }
    if let RequestState::Ambiguous(doubt) = &stored.request.state {
        let doubt = doubt.clone();
        return recheck_ambiguous_create(ctx, stored, &doubt, now).await;
    }
    let Ok(next) = stored.request.apply(RequestEvent::Remind, "keyvend", now) else { return Ok(()) };
    // Where the card could not be posted or was deleted, that is to be done first, and calls the approvers too.
    let mut notifications = vec![Notification::UpdateCard];
    if next.card.is_some() {
        let what = format!("{}.reminder", next.id);
        let mention = may_mention(ctx, &next.details.requester, &what, now).await?;
        let mention = mention.then_some(&ctx.config.approvers);
        let message = approval_card::text(&text::reminder(&next, mention)).into();
        notifications.push(Notification::ThreadReply { message });
    }
    match commit(ctx, &stored, next, Vec::new(), notifications).await {
        Ok(saved) => {
            drain_outbox(ctx, saved).await;
            Ok(())
        }
        Err(WriteError::Conflict(_)) => Ok(()),
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}
