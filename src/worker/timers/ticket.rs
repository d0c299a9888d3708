//! A ticket's timer ran out: a claim that nobody serves is driven again, a link that nobody opened is told of, and what
//! `reveal` did is taken in although its message was lost.

use crate::aws::WriteError;
use crate::aws::item::Write;
use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::request::{Notification, RequestEvent, RequestState};
use crate::domain::ticket::claim::{ATTEMPTS, ClaimHolder, RECHECK_AFTER, StoredTicket, TRIES, TicketState};
use crate::id::TicketId;
use crate::queue::{ClaimEvent, ClaimMessage, DueMessage};
use crate::render::{approval_card, text};
use crate::store::requests::StoredRequest;
use crate::store::ticket_refs::TicketRef;
use crate::store::tickets;
use crate::store::tickets::read_ticket;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, Invocation};
use crate::worker::ops::confirm_key::confirm;
use crate::worker::ops::issue_key::{give_up_claim, issue};
use crate::worker::ops::ticket_outbox::import_ticket_events;
use crate::worker::outbox::{commit, drain_outbox};

/// Does with a ticket what time and state call for.
pub(crate) async fn run_ticket_timer(
    ctx: &Context,
    tid: &TicketId,
    now: Timestamp,
) -> Result<(), HandleError> {
    let stored = import_ticket_events(ctx, tid, now).await?;
    let Some(ticket) = read_ticket(&ctx.tables, tid).await? else { return Ok(()) };
    let Some(due_at) = ticket.due_at.filter(|due_at| *due_at <= now) else { return Ok(()) };
    match &ticket.state {
        TicketState::Pending if ticket.tries >= TRIES => {
            try_to_write(ctx, vec![tickets::locked(tid, now)]).await?;
            // Its event is told of like any other.
            import_ticket_events(ctx, tid, now).await.map(drop)
        }
        TicketState::Pending => match stored {
            Some(stored) => expire(ctx, &stored, &ticket, now).await,
            None => try_to_write(ctx, vec![tickets::expired(tid, now)]).await,
        },
        TicketState::Claimed(claimed) => match stored {
            Some(stored) => requeue_claim(ctx, &stored, &ticket, claimed, due_at, now).await,
            None => try_to_write(ctx, vec![tickets::failed(tid)]).await,
        },
        TicketState::Locked
        | TicketState::Void
        | TicketState::Failed
        | TicketState::Sealed { .. }
        | TicketState::Confirmed { .. }
        | TicketState::Unconfirmed(_) => {
            if let (TicketState::Confirmed { .. }, Some(stored)) = (&ticket.state, &stored)
                && let RequestState::Issued { key, .. } = &stored.request.state
            {
                confirm(ctx, key, now).await?;
            }
            try_to_write(ctx, vec![tickets::clear_timer(tid, due_at)]).await
        }
    }
}

/// A second tab came, or codes were guessed. Where five were judged and the last is not written down, it may just be
/// being written, and may have been right: that is looked at in a minute.
pub(crate) async fn misused(ctx: &Context, tid: &TicketId, now: Timestamp) -> Result<(), HandleError> {
    import_ticket_events(ctx, tid, now).await?;
    let Some(ticket) = read_ticket(&ctx.tables, tid).await? else { return Ok(()) };
    let soon = Timestamp(now.0 + RECHECK_AFTER);
    match ticket.due_at {
        Some(due_at) if ticket.state == TicketState::Pending && ticket.tries >= TRIES && due_at > soon => {
            try_to_write(ctx, vec![tickets::reschedule(tid, due_at, soon)]).await
        }
        _ => Ok(()),
    }
}

/// Nobody opened the link. Nothing was created; its sealing key goes, and its requester may have another.
async fn expire(
    ctx: &Context,
    stored: &StoredRequest,
    ticket: &StoredTicket,
    now: Timestamp,
) -> Result<(), HandleError> {
    let tid = &ticket.tid;
    if stored.request.state != (RequestState::LinkIssued { tid: tid.clone() }) {
        return try_to_write(ctx, vec![tickets::expired(tid, now), TicketRef::remove_psk(tid)]).await;
    }
    let happened = NewAuditEntry::new(AuditEvent::LinkExpired, "keyvend", [("tid", tid.to_string())]);
    let next = stored.request.apply(
        RequestEvent::RecordTicketEvent { happened, at: now, alert: false },
        "keyvend",
        now,
    )?;
    let message = approval_card::again(&text::link_expired(&next), &next);
    let told =
        vec![Notification::DirectMessage { to: next.details.requester.clone(), message: message.into() }];
    let others = vec![tickets::expired(tid, now), TicketRef::remove_psk(tid)];
    match commit(ctx, stored, next, others, told).await {
        Ok(saved) => {
            drain_outbox(ctx, saved).await;
            Ok(())
        }
        // It changed: what is due then is found again.
        Err(WriteError::Conflict(_)) => Ok(()),
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}

/// A tab waits and has no key yet: the next attempt, or what an attempt that comes too late does.
async fn requeue_claim(
    ctx: &Context,
    stored: &StoredRequest,
    ticket: &StoredTicket,
    claimed: &ClaimHolder,
    due_at: Timestamp,
    now: Timestamp,
) -> Result<(), HandleError> {
    let tid = &ticket.tid;
    let state = &stored.request.state;
    if state.link() == Some(tid) {
        let (write, attempt) = if claimed.attempt < ATTEMPTS {
            (tickets::increment_attempt(tid, claimed.attempt, now), claimed.attempt + 1)
        } else {
            (tickets::reschedule(tid, due_at, Timestamp(now.0 + RECHECK_AFTER)), claimed.attempt)
        };
        try_to_write(ctx, vec![write]).await?;
        let due = DueMessage::ResumeIssue { tid: tid.clone(), attempt };
        let (body, once) = (serde_json::to_string(&due)?, format!("{tid}.issue.{}", due_at.0));
        return Ok(ctx.sqs.send(&ctx.config.due_queue, body, tid.as_str(), &once).await?);
    }
    if let Some(intent) = state.intent().filter(|intent| intent.tid == *tid) {
        // Its holder is left alone, and the request's own timer takes it over.
        let at = Timestamp(intent.deadline.0.max(now.0) + RECHECK_AFTER);
        return try_to_write(ctx, vec![tickets::reschedule(tid, due_at, at)]).await;
    }
    // Its request is not waiting for it any more.
    try_to_write(ctx, vec![tickets::failed(tid), TicketRef::remove_psk(tid)]).await
}

/// Issues for a claim that is driven again: as if its message had come from queue `claims`.
pub(crate) async fn resume_issue(
    ctx: &Context,
    tid: TicketId,
    attempt: i64,
    invocation: Invocation,
    last: bool,
) -> Result<(), HandleError> {
    let message = ClaimMessage { tid, event: ClaimEvent::Claimed, attempt };
    let done = issue(ctx, &message, invocation).await;
    if let (Err(error), true) = (&done, last) {
        give_up_claim(ctx, &message, error, invocation.now).await;
    }
    done
}

/// A write that somebody else may have been before with: what is due then is found again.
async fn try_to_write(ctx: &Context, writes: Vec<Write>) -> Result<(), HandleError> {
    match ctx.tables.write(writes).await {
        Ok(()) | Err(WriteError::Conflict(_)) => Ok(()),
        Err(WriteError::Other(error)) => Err(error.into()),
    }
}
