//! Taking a request back, and ending one whose time ran out: any link it has is withdrawn in the same transaction.

use crate::aws::WriteError;
use crate::aws::item::{Table, Write};
use crate::domain::request::{Notification, RequestEvent, TransitionError};
use crate::domain::ticket::claim::{self, StoredTicket, TicketState};
use crate::id::{RequestId, TicketId};
use crate::render::approval_card;
use crate::render::text;
use crate::slack::receive::SlackEnvelope;
use crate::store::{StoredRequest, TicketRef};
use crate::time::Timestamp;
use crate::worker::commands::status::newest;
use crate::worker::context::{Context, HandleError};
use crate::worker::interactions::review::{carried, reject_unknown_button};
use crate::worker::notify::answer;
use crate::worker::outbox::{commit, drain_outbox};

/// How often a lost race is run again before the message is.
pub(crate) const MAX_CONFLICT_RETRIES: usize = 5;

pub(crate) async fn cancel(
    ctx: &Context,
    message: &SlackEnvelope,
    request: Option<&RequestId>,
    now: Timestamp,
) -> Result<(), HandleError> {
    let id = match request {
        Some(id) => id.clone(),
        None => {
            let open: Vec<RequestId> = newest(ctx, &message.person)
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
    if let Some((id, revision)) = carried(value)
        && let Some(stored) = StoredRequest::read(&ctx.tables, &id).await?
    {
        if revision == stored.request.requester_revision() {
            return cancel_request(ctx, message, &id, now).await;
        }
        return Ok(reject_unknown_button(ctx, message, &stored, now).await?);
    }
    Ok(answer(ctx, message, now, text::UNKNOWN_BUTTON).await?)
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
                match commit(ctx, &stored, next, voided, vec![Notification::Card]).await {
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

/// Ends a request whose time ran out, and tells. Somebody else may have been first.
pub(crate) async fn expire_request(
    ctx: &Context,
    stored: &StoredRequest,
    now: Timestamp,
) -> anyhow::Result<()> {
    let Ok(next) = stored.request.apply(RequestEvent::Expire, "keyvend", now) else { return Ok(()) };
    let voided = void_ticket(ctx, stored).await?;
    let message = approval_card::text(&text::request_expired(&next));
    let notifications =
        vec![Notification::Card, Notification::Direct { to: next.details.requester.clone(), message }];
    match commit(ctx, stored, next, voided, notifications).await {
        Ok(saved) => {
            drain_outbox(ctx, saved).await;
            Ok(())
        }
        Err(WriteError::Conflict(_)) => Ok(()),
        Err(WriteError::Other(error)) => Err(error),
    }
}

/// The ticket, as it is now.
pub(crate) async fn read_ticket(ctx: &Context, tid: &TicketId) -> anyhow::Result<Option<StoredTicket>> {
    let item = ctx.tables.get(Table::Tickets, tid.as_str(), None).await?;
    Ok(item.as_ref().map(StoredTicket::try_from).transpose()?)
}

/// The writes that withdraw whatever link a waiting request has, as part of its end.
pub(crate) async fn void_ticket(ctx: &Context, stored: &StoredRequest) -> anyhow::Result<Vec<Write>> {
    let Some(tid) = stored.request.ticket() else { return Ok(Vec::new()) };
    Ok(match read_ticket(ctx, tid).await?.map(|ticket| ticket.state) {
        Some(TicketState::Pending | TicketState::Locked) => {
            vec![claim::void(tid), TicketRef::remove_psk(tid)]
        }
        Some(TicketState::Claimed(_)) => vec![claim::void_claimed(tid), TicketRef::remove_psk(tid)],
        Some(
            TicketState::Void
            | TicketState::Failed
            | TicketState::Sealed { .. }
            | TicketState::Confirmed { .. }
            | TicketState::Unconfirmed(_),
        )
        | None => Vec::new(),
    })
}
