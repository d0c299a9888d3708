//! What `reveal` did with a ticket: taken into the request's audit chain, and told where it must be.

use crate::aws::WriteError;
use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::request::{Notification, RequestEvent};
use crate::domain::ticket::claim::{StoredTicket, TicketEventKind};
use crate::id::TicketId;
use crate::render::{approval_card, text};
use crate::store::requests::StoredRequest;
use crate::store::ticket_refs::TicketRef;
use crate::store::tickets;
use crate::store::tickets::read_ticket;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError, MAX_CONFLICT_RETRIES};
use crate::worker::ops::card::alarm;
use crate::worker::outbox::{commit, drain_outbox};

/// Takes a ticket's outbox into its request's chain; the request as it then stands, if there is one.
pub(crate) async fn import_ticket_events(
    ctx: &Context,
    tid: &TicketId,
    now: Timestamp,
) -> Result<Option<StoredRequest>, HandleError> {
    let Some(link) = TicketRef::read(&ctx.tables, tid).await? else { return Ok(None) };
    tracing::Span::current().record("request_id", tracing::field::display(&link.request));
    for _ in 0..MAX_CONFLICT_RETRIES {
        let Some(stored) = StoredRequest::read(&ctx.tables, &link.request).await? else {
            return Ok(None);
        };
        let Some(ticket) = read_ticket(&ctx.tables, tid).await? else {
            return Ok(Some(drain_outbox(ctx, stored).await));
        };
        if ticket.outbox.is_empty() {
            return Ok(Some(drain_outbox(ctx, stored).await));
        }
        let (next, alerts) = take_events(&stored, &ticket, now)?;
        let to = &stored.request.details.requester;
        let told = |(own, approvers): &(String, String)| {
            let message = approval_card::text(own).into();
            [Notification::DirectMessage { to: to.clone(), message }, alarm(ctx, approvers)]
        };
        let notifications = alerts.iter().flat_map(told).collect();
        match commit(ctx, &stored, next, vec![tickets::clear_outbox(tid, ticket.outbox.len())], notifications)
            .await
        {
            Ok(saved) => return Ok(Some(drain_outbox(ctx, saved).await)),
            Err(WriteError::Conflict(_)) => {}
            Err(WriteError::Other(error)) => return Err(error.into()),
        }
    }
    Err(anyhow::anyhow!("a ticket changed too often to be taken in").into())
}

/// The request with the ticket's events in its chain, and what the requester and the approvers must hear, once.
fn take_events(
    stored: &StoredRequest,
    ticket: &StoredTicket,
    now: Timestamp,
) -> anyhow::Result<(crate::domain::request::KeyRequest, Vec<(String, String)>)> {
    let mut next = stored.request.clone();
    let mut alerts = Vec::new();
    for event in &ticket.outbox {
        let sentence = match event.what {
            TicketEventKind::Misused => Some((text::misused(&next), text::misused_link(&next))),
            TicketEventKind::Locked => Some((text::locked(&next), text::locked_link(&next))),
            TicketEventKind::Claimed | TicketEventKind::Confirmed => None,
        };
        let name = match event.what {
            TicketEventKind::Claimed => AuditEvent::LinkClaimed,
            TicketEventKind::Confirmed => AuditEvent::LinkConfirmed,
            TicketEventKind::Misused => AuditEvent::LinkReused,
            TicketEventKind::Locked => AuditEvent::LinkLocked,
        };
        let alert = sentence.is_some();
        if !next.misuse_alert_sent {
            alerts.extend(sentence);
        }
        let detail = [("tid", ticket.tid.to_string()), ("attempt", event.attempt.to_string())];
        let mut happened = NewAuditEntry::new(name, "reveal", detail);
        // `reveal` says when. It was not later than now, and not before what is in the chain already.
        let at = event.at.min(now).max(next.chain.last_appended_at);
        if at != event.at {
            happened.detail.insert("reported_at".to_owned(), event.at.0.to_string());
        }
        next = next.apply(RequestEvent::RecordTicketEvent { happened, at, alert }, "reveal", now)?;
    }
    Ok((next, alerts))
}
