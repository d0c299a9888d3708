//! Taking a request back, and ending one whose time ran out: any link it has is withdrawn in the same transaction.

use crate::aws::WriteError;
use crate::domain::request::{Notification, RequestEvent, TransitionError};
use crate::id::RequestId;
use crate::render::text;
use crate::slack::receive::SlackEnvelope;
use crate::store::requests::StoredRequest;
use crate::store::requests::newest_requests;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, MAX_CONFLICT_RETRIES};
use crate::worker::ops::button::of_requester;
use crate::worker::ops::expire_request::expire_request;
use crate::worker::ops::void_ticket::void_ticket;
use crate::worker::outbox::{commit, drain_outbox};
use crate::worker::reply::answer;

pub(crate) async fn cancel(
    ctx: &Context,
    message: &SlackEnvelope,
    request: Option<&RequestId>,
    now: Timestamp,
) -> Result<(), HandleError> {
    let id = match request {
        Some(id) => id.clone(),
        None => {
            let open: Vec<RequestId> = newest_requests(&ctx.tables, &message.person)
                .await?
                .into_iter()
                .filter(|stored| stored.request.is_actionable() && !stored.request.is_expired(now))
                .map(|stored| stored.request.id)
                .collect();
            match open.as_slice() {
                [] => return Ok(answer(ctx, message, now, text::NOTHING_TO_CANCEL).await?),
                [only] => only.clone(),
                several => {
                    return Ok(answer(ctx, message, now, &text::which_to_cancel(several)).await?);
                }
            }
        }
    };
    cancel_request(ctx, message, &id, now).await
}

pub(crate) async fn cancel_by_button(
    ctx: &Context,
    message: &SlackEnvelope,
    value: &str,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Some(stored) = of_requester(ctx, message, value, now).await? else { return Ok(()) };
    cancel_request(ctx, message, &stored.request.id, now).await
}

async fn cancel_request(
    ctx: &Context,
    message: &SlackEnvelope,
    id: &RequestId,
    now: Timestamp,
) -> Result<(), HandleError> {
    for _ in 0..MAX_CONFLICT_RETRIES {
        let Some(stored) = StoredRequest::read(&ctx.tables, id).await? else {
            return Ok(answer(ctx, message, now, &text::no_such_request(id)).await?);
        };
        if stored.request.details.requester != message.person {
            return Ok(answer(ctx, message, now, &text::no_such_request(id)).await?);
        }
        match stored.request.apply(RequestEvent::Cancel, &message.person.to_string(), now) {
            Ok(next) => {
                let voided = void_ticket(ctx, &stored).await?;
                match commit(ctx, &stored, next, voided, vec![Notification::UpdateCard]).await {
                    Ok(saved) => {
                        let told = answer(ctx, message, now, &text::cancelled(&saved.request)).await;
                        drain_outbox(ctx, saved).await;
                        return Ok(told?);
                    }
                    Err(WriteError::Conflict(_)) => {}
                    Err(WriteError::Other(error)) => return Err(error.into()),
                }
            }
            Err(TransitionError::Expired) => expire_request(ctx, &stored, now).await?,
            Err(
                TransitionError::InvalidState
                | TransitionError::AlreadyApproved
                | TransitionError::NotEligible
                | TransitionError::IntentLost,
            ) => {
                return Ok(answer(ctx, message, now, &text::standing(&stored.request)).await?);
            }
        }
    }
    Err(anyhow::anyhow!("a request changed too often to be cancelled").into())
}
