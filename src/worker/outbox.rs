//! Writing a request's next state, and draining its outboxes of audit entries and notifications.

use crate::aws::WriteError;
use crate::aws::item::Write;
use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::request::{KeyRequest, Notification, RequestEvent, RequestState};
use crate::slack::receive::SlackEnvelope;
use crate::store::StoredRequest;
use crate::time::Timestamp;
use crate::worker::context::Context;
use crate::worker::notify::queue_notification;
use crate::worker::ops::complete_request::is_to_fulfil;
use crate::worker::timers::sweep::queue_fulfilment;

/// Audits something that changed nothing: a press that was refused, a message that dies. Losing the race to write it
/// is a fault, so that the message comes again.
pub(crate) async fn record_audit(
    ctx: &Context,
    stored: &StoredRequest,
    event: AuditEvent,
    message: &SlackEnvelope,
    now: Timestamp,
) -> anyhow::Result<()> {
    let happened = NewAuditEntry::new(event, &message.person, [("message", message.id.to_string())]);
    let next = stored.request.apply(
        RequestEvent::RecordTicketEvent { happened, at: now, alert: false },
        "keyvend",
        now,
    )?;
    let saved = commit(ctx, stored, next, Vec::new(), Vec::new()).await?;
    drain_outbox(ctx, saved).await;
    Ok(())
}

/// Writes a request's next state with what goes with it: its audit entry and notifications in the same item.
pub(crate) async fn commit(
    ctx: &Context,
    stored: &StoredRequest,
    next: KeyRequest,
    others: Vec<Write>,
    notifications: Vec<Notification>,
) -> Result<StoredRequest, WriteError> {
    let mut next = next;
    next.notifications.extend(notifications);
    stored.save(&ctx.tables, next, others).await
}

/// Inserts a request's audit entries and queues its notifications: the last thing every handler does, when whoever waits
/// has been answered. What fails or never came to this stays in the item's outboxes, and the next sweep finds it.
pub(crate) async fn drain_outbox(ctx: &Context, stored: StoredRequest) -> StoredRequest {
    let request = &stored.request;
    if matches!(request.state, RequestState::Issuing(_)) {
        // Another write would cross whoever holds the intent; what it leaves is flushed when it ends.
        return stored;
    }
    let mut next = request.clone();
    for entry in &request.chain.outbox {
        match ctx.tables.insert_audit(&request.id, entry).await {
            Ok(()) => next.chain.remove_inserted(entry.seq),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "audit entry not inserted, left in outbox");
                break;
            }
        }
    }
    for number in &request.notifications.outbox {
        match queue_notification(ctx, &request.id, *number).await {
            Ok(()) => next.notifications.remove_delivered(*number),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "notification not queued, left in outbox");
                break;
            }
        }
    }
    if is_to_fulfil(request)
        && let Err(error) = queue_fulfilment(ctx, request).await
    {
        tracing::warn!(error = format!("{error:#}"), "timer not queued");
    }
    if next == *request {
        return stored;
    }
    match stored.save(&ctx.tables, next, Vec::new()).await {
        Ok(saved) => saved,
        Err(_) => stored,
    }
}
